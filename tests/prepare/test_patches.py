"""Patches of an aligned pair: where they lie, what they show, which are kept."""

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy.ndimage import map_coordinates

from dslr_gan.prepare.alignment import Alignment, align, luma, mapped, scaling
from dslr_gan.prepare.patches import cut_patches, ncc, overlap_rectangle
from tests.support.made_photos import photo, view


def aligned(homography, zoom=1.0):
    return Alignment(np.array(homography, float), 99, 99, 0.0, 1.0, zoom)


def moved(x, y):
    return [[1, 0, x], [0, 1, y], [0, 0, 1]]


# The overlap ---------------------------------------------------------------------------------


def inside(homography, points, shape, margin):
    there = mapped(np.array(homography, float), points)
    return ((there >= margin) & (there <= np.array(shape[::-1]) - 1 - margin)).all(axis=1)


@pytest.mark.parametrize("degrees", [0, 7, 30])
@pytest.mark.parametrize("margin", [0, 3])
def test_the_rectangle_is_the_largest_there_is(degrees, margin):
    _, _, truth = view(np.zeros((30, 40, 3), np.uint8), degrees, 1.1, tilt=(0.1, 0.1))
    found = overlap_rectangle(truth, (30, 40), (30, 40), margin)
    down, across = np.mgrid[:30, :40]
    points = np.column_stack([across.ravel(), down.ravel()]).astype(float)
    # With the tolerance of a twentieth of a pixel that is written there.
    covered = inside(truth, points, (30, 40), margin - 0.05).reshape(30, 40)
    assert covered[found.top : found.bottom, found.left : found.right].all()
    # Every rectangle there is, by sums over the covered pixels.
    sums = np.pad(covered.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    best = 0
    for top in range(30):
        for bottom in range(top + 1, 31):
            for left in range(40):
                counts = sums[bottom] - sums[top] - (sums[bottom, left] - sums[top, left])
                areas = (bottom - top) * (np.arange(41) - left)
                best = max(best, areas[(counts == areas) & (areas > 0)].max(initial=0))
    area = (found.bottom - found.top) * (found.right - found.left)
    assert area == best


def test_photos_of_one_view_overlap_whole_and_strangers_not():
    assert overlap_rectangle(np.eye(3), (1200, 900), (1200, 900)) == (0, 0, 1200, 900)
    assert overlap_rectangle(np.array(moved(5000, 0)), (90, 60), (90, 60)) == (0, 0, 0, 0)


# What is cut ---------------------------------------------------------------------------------


def test_a_photo_against_itself_gives_itself():
    pixels = photo("coffee")
    patches = list(cut_patches(pixels, pixels, aligned(np.eye(3)), size=64, max_shift=3))
    corners = [(patch.top, patch.left) for patch in patches]
    # 5 pixels of margin on each side: 6 rows of 9 patches in 390x590.
    assert corners == [(5 + 64 * row, 5 + 64 * column) for row in range(6) for column in range(9)]
    for patch in patches:
        cut = pixels[patch.top : patch.top + 64, patch.left : patch.left + 64]
        assert np.array_equal(patch.phone, cut)
        assert np.array_equal(patch.dslr, cut), f"{patch.shift}"
        assert patch.rejected == ("flat" if luma(cut).std() < 1 / 255 else None)
        assert patch.correlation == pytest.approx(1)


def test_the_dslr_side_is_what_the_dslr_shows_there():
    phone, dslr, truth = view(photo("astronaut"), 8, 0.95)
    patches = list(cut_patches(phone, dslr, aligned(truth), size=80, max_shift=0))
    assert len(patches) > 10
    for patch in patches:
        assert patch.shift == (0, 0)
        down, across = np.mgrid[:80, :80]
        points = np.column_stack([across.ravel() + patch.left, down.ravel() + patch.top])
        x, y = mapped(truth, points.astype(float)).T
        for channel in range(3):
            # A spline of SciPy's against scikit-image's bicubic: they differ on sharp edges.
            expected = map_coordinates(dslr[..., channel].astype(float), [y, x], order=3)
            error = np.abs(expected.reshape(80, 80) - patch.dslr[..., channel])
            assert error.mean() < 1.5, f"mean {error.mean():.2f}, maximum {error.max():.1f}"
        assert patch.correlation == pytest.approx(
            np.corrcoef(luma(patch.phone).ravel(), luma(patch.dslr).ravel())[0, 1], abs=1e-5
        )


def test_a_larger_dslr_photo_is_shrunk_without_aliasing():
    phone = photo("coffee", 300)
    # One pixel in four: stripes that taking every fourth pixel would turn into light and dark.
    dslr = photo("coffee", 1200).astype(int)
    dslr[:, ::4] += 60
    dslr = np.clip(dslr, 0, 255).astype(np.uint8)
    smooth = np.array(Image.fromarray(dslr).resize((300, 200), Image.Resampling.BOX))
    for patch in cut_patches(phone, dslr, aligned(scaling(4), 4.0), size=50, max_shift=0):
        expected = smooth[patch.top : patch.top + 50, patch.left : patch.left + 50].astype(float)
        assert np.abs(patch.dslr - expected).mean() < 4
        assert abs((patch.dslr - expected).mean()) < 0.5


@pytest.mark.parametrize("off", [(2.3, -1.7), (-4.0, 3.0)])
def test_patches_are_moved_to_where_they_correlate(off):
    """A homography that is off, as it is where a lens distorts."""
    phone, dslr, truth = view(photo("astronaut"), 3, 1.0, tilt=(0, 0), noise=2.0)
    wrong = truth @ np.array(moved(-off[0], -off[1]), float)
    patches = list(cut_patches(phone, dslr, aligned(wrong)))
    kept = [patch for patch in patches if patch.rejected is None]
    assert len(kept) >= 8
    error = np.median([np.abs(np.subtract(patch.shift, off)) for patch in kept], axis=0)
    assert error.max() < 0.15
    unmoved = list(cut_patches(phone, dslr, aligned(wrong), max_shift=0))
    assert sum(p.rejected is None for p in unmoved) < len(kept)


def test_size_stride_and_threshold():
    phone, dslr, truth = view(photo("coffee"), 0, 1.0, tilt=(0, 0), noise=12.0)
    patches = list(cut_patches(phone, dslr, aligned(truth), size=60, stride=45, min_ncc=0.95))
    assert {patch.phone.shape for patch in patches} == {(60, 60, 3)}
    assert sorted({patch.left for patch in patches})[:2] == [7, 52]
    kept = [patch.correlation for patch in patches if patch.rejected is None]
    low = [patch.correlation for patch in patches if patch.rejected == "correlation"]
    assert min(kept) >= 0.95 > max(low)
    assert len(low) > 3


def test_flat_patches_are_rejected_as_such():
    pixels = photo("chelsea").copy()
    pixels[:, :220] = 90
    reasons = [p.rejected for p in cut_patches(pixels, pixels, aligned(np.eye(3)), min_ncc=-1)]
    assert reasons.count("flat") == 4 and reasons.count(None) == 4


def test_a_photo_smaller_than_a_patch_gives_none():
    pixels = photo("chelsea")[:100]
    assert list(cut_patches(pixels, pixels, aligned(np.eye(3)))) == []


def test_ncc_is_pearson_s():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 20, 30))
    assert ncc(first, second + first) == pytest.approx(
        np.corrcoef(first.ravel(), (second + first).ravel())[0, 1]
    )
    assert ncc(first, -3 * first + 1) == pytest.approx(-1)
    assert ncc(first, np.full_like(first, 0.1)) == 0


@pytest.mark.slow
def test_what_is_kept_of_a_scene_with_depth_agrees_with_its_measured_depth():
    left, right, disparity = skimage.data.stereo_motorcycle()
    found = align(left, right)
    patches = list(cut_patches(left, right, found, size=50))
    kept = [patch for patch in patches if patch.rejected is None]
    assert 20 < len(kept) < len(patches)
    errors = []
    for patch in kept:
        assert patch.correlation >= 0.9
        centre = np.array([[patch.left + 24.5, patch.top + 24.5]]) + patch.shift
        (there,) = mapped(found.homography, centre)
        truth = disparity[patch.top : patch.top + 50, patch.left : patch.left + 50]
        truth = truth[np.isfinite(truth) & (truth > 0)]
        # A point's place in the right photo is its place in the left one less its disparity.
        moved_by = patch.left + 24.5 - there[0]
        errors.append(np.abs(truth - moved_by).min())
        assert abs(there[1] - patch.top - 24.5) < 1.5  # the photos are rectified
    # Each was moved to a depth that occurs in the patch, or nearly.
    assert np.median(errors) < 0.1 and max(errors) < 1
    # One that correlates best at the edge of the search belongs elsewhere, and is not kept.
    assert any(patch.rejected == "shift" and patch.correlation >= 0.9 for patch in patches)
