"""Alignment: the true homography to a fraction of a pixel, or a reason."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from benchmarks.made_pairs import make_pair
from dslr_gan.errors import DslrGanError
from dslr_gan.prepare.alignment import align, best_shift, luma, mapped, resized, scaling
from tests.support.made_photos import photo, view
from tests.support.paths import SHARED

PHOTOS = SHARED / "photos"

TOLERANCE = 0.5
"""Pixels of the DSLR photo, at the worst corner of the phone photo, which is mostly outside what
both show. Measured on 24 phone photos of 2048x1536, turned by 20 degrees: 0.02 to 0.32."""


def corner_error(found, truth, shape):
    height, width = shape[:2]
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], float)
    return np.linalg.norm(mapped(found, corners) - mapped(truth, corners), axis=1).max()


@pytest.mark.parametrize(
    ("name", "width", "degrees", "zoom"),
    [
        ("astronaut", None, 0, 1.0),
        ("astronaut", None, 20, 1.3),
        ("coffee", None, -20, 1 / 1.3),
        ("chelsea", None, 90, 1.0),  # an upright and a lying camera
        # By way of a level between the small copies and the photos.
        pytest.param("coffee", 2300, 20, 1.3, marks=pytest.mark.slow),
    ],
)
def test_the_truth_is_found_under_noise_blur_and_another_colour(name, width, degrees, zoom):
    phone, dslr, truth = view(photo(name, width), degrees, zoom)
    found = align(phone, dslr)
    error = corner_error(found.homography, truth, phone.shape)
    assert error < TOLERANCE, f"{error:.3f} px"
    assert found.residual < 0.3
    assert found.zoom == pytest.approx(zoom, rel=0.02)
    assert 8 < found.inliers <= found.matches
    assert found.homography[2, 2] == 1


@pytest.mark.slow
def test_the_truth_is_found_on_a_phone_s_photos():
    files = sorted(PHOTOS.glob("*.jpg"))[3:5]
    if not files:
        pytest.skip(f"there are no photos in {PHOTOS}")
    for file in files:
        phone, dslr, truth = view(np.asarray(Image.open(file)), 20, 1.3)
        error = corner_error(align(phone, dslr).homography, truth, phone.shape)
        assert error < TOLERANCE, f"{file.name}: {error:.3f} px"


def test_the_benchmark_s_made_pairs_have_the_truth_they_tell():
    phone, dslr, truth = make_pair(photo("astronaut"), seed=3)
    assert phone.shape[0] == 0.75 * dslr.shape[0]
    assert corner_error(align(phone, dslr).homography, truth, phone.shape) < TOLERANCE


@pytest.mark.slow
def test_a_dslr_of_four_times_the_resolution():
    phone = photo("coffee")
    dslr = photo("coffee", 2400)
    found = align(phone, dslr)
    assert corner_error(found.homography, scaling(4), phone.shape) < TOLERANCE * 4
    assert found.zoom == pytest.approx(4, rel=0.002)
    assert found.overlap > 0.99


def test_the_overlap_is_the_part_that_both_show():
    whole = photo("astronaut")
    found = align(whole[:, :400], whole[:, 160:])  # 240 of 400 columns
    assert found.overlap == pytest.approx(0.6, abs=0.02)
    truth = np.array([(1, 0, -160), (0, 1, 0), (0, 0, 1)])
    assert corner_error(found.homography, truth, (512, 400)) < 0.1


@pytest.mark.slow
def test_the_same_photos_give_the_same_result_to_the_bit():
    phone, dslr, _ = view(photo("chelsea", 320), 5, 1.1)
    first, second = align(phone, dslr), align(phone, dslr)
    assert np.array_equal(first.homography, second.homography)
    assert first.residual == second.residual


@pytest.mark.slow
def test_two_views_of_a_scene_with_depth_follow_its_largest_part():
    left, right, *_ = skimage.data.stereo_motorcycle()
    found = align(left, right)
    # No homography fits all of it: the background agrees, the motorcycle does not.
    assert 0.3 < found.inliers / found.matches < 0.8
    assert 0.8 < found.overlap < 1
    assert found.zoom == pytest.approx(1, abs=0.03)


# What is no pair -----------------------------------------------------------------------------

NOISE = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
RAMP = np.tile(np.linspace(0, 255, 400).astype(np.uint8)[None, :, None], (300, 1, 3))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (photo("coffee"), "photos match; they seem to show two scenes"),
        (NOISE, "photos match; they seem to show two scenes"),
        (np.full((300, 400, 3), 200, np.uint8), "the DSLR photo is flat"),
        (RAMP, "the DSLR photo has no keypoints"),
        (photo("astronaut")[:63, :63], "the DSLR photo is too small to be aligned: 63x63 pixels"),
        (photo("astronaut", 190), r"the DSLR photo has 0\.37 pixels for one of the phone's"),
        (photo("astronaut")[:, :45], "too small"),
    ],
)
def test_what_is_no_pair_is_refused_with_a_reason(other, words):
    with pytest.raises(DslrGanError, match=words):
        align(photo("astronaut"), other)


def test_the_phone_photo_s_own_faults_are_named():
    with pytest.raises(DslrGanError, match="the phone photo is flat"):
        align(np.zeros((300, 400, 3), np.uint8), photo("coffee"))
    with pytest.raises(DslrGanError, match="the phone photo is too small"):
        align(np.zeros((30, 400, 3), np.uint8), photo("coffee"))


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "rocket"])
def test_a_mirrored_photo_is_no_pair(name):
    pixels = photo(name, 320)
    with pytest.raises(DslrGanError):
        align(pixels, np.ascontiguousarray(pixels[:, ::-1]))


def test_a_photo_seen_from_far_aside_is_no_pair():
    phone, dslr, _ = view(photo("astronaut"), 0, 1.0, tilt=(0.9, 0.0))
    with pytest.raises(DslrGanError, match="too oblique"):
        align(phone, dslr)


def test_hardly_any_overlap_is_no_pair():
    wide = photo("rocket", 1200)
    with pytest.raises(DslrGanError, match="two scenes|overlap on"):
        align(wide[:, :625], wide[:, 575:])


# The parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.37, 0.5, 0.81])
def test_resized_puts_points_where_scaling_says(scale):
    down, across = np.mgrid[:200, :301]
    spot = np.exp(-((across - 171.0) ** 2 + (down - 64.0) ** 2) / (2 * 8**2)).astype(np.float32)
    small = resized(spot, scale)
    rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
    centre = np.array([(small * columns).sum(), (small * rows).sum()]) / small.sum()
    expected = mapped(scaling(scale), np.array([[171.0, 64.0]]))[0]
    assert np.abs(centre - expected).max() < 0.02


def test_best_shift_finds_whole_and_broken_pixels():
    down, across = np.mgrid[:60, :60]

    def texture(x, y):
        right, below = across - x, down - y
        return np.sin(right / 4) * np.cos(below / 5) + np.sin((right + below) / 7)

    field = texture(1.3, -2.4).astype(np.float32)
    shift, height = best_shift(field, texture(0, 0)[6:-6, 6:-6].astype(np.float32))
    # Three points of a smooth peak are nearly a parabola: a twentieth of a pixel is left.
    assert np.abs(shift - (1.3, -2.4)).max() < 0.05
    assert height > 0.98
    assert best_shift(field, np.zeros((48, 48), np.float32))[1] == 0


def test_luma_is_that_of_pillow():
    pixels = photo("astronaut")
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    assert np.abs(luma(pixels) * 255 - expected).max() <= 0.51  # it rounds
