"""FLIP through our front door: order, range, and that it judges as an eye would."""

import flip_evaluator
import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from dslr_gan.metrics.flip import flip

PHOTO = np.ascontiguousarray(data.astronaut()[:100, 150:250])


def test_identical_pictures_and_opposite_ones():
    assert flip(PHOTO, PHOTO) == 0
    black, white = np.zeros_like(PHOTO), np.full_like(PHOTO, 255)
    # Andersson et al. 2020 scale it so that the largest difference comes close to 1.
    assert 0.9 < flip(black, white) <= 1


def test_it_is_the_library_s_value_for_the_files(tmp_path):
    """Read from files by the library itself, with the target as its reference."""
    changed = (PHOTO * 0.8).astype(np.uint8)
    for name, pixels in (("photo.png", changed), ("target.png", PHOTO)):
        Image.fromarray(pixels).save(tmp_path / name)
    _, expected, _ = flip_evaluator.evaluate(
        str(tmp_path / "target.png"), str(tmp_path / "photo.png"), "LDR", applyMagma=False
    )
    assert flip(changed, PHOTO) == pytest.approx(expected, abs=1e-6)


def test_more_damage_is_more_difference():
    photo = Image.fromarray(PHOTO)
    blurred = [
        flip(np.asarray(photo.filter(ImageFilter.GaussianBlur(radius))), PHOTO)
        for radius in (0.5, 1, 2, 4)
    ]
    darker = [flip((PHOTO * share).astype(np.uint8), PHOTO) for share in (0.95, 0.8, 0.5)]
    assert blurred == sorted(blurred) and darker == sorted(darker)
    assert blurred[0] > 0 and darker[0] > 0


def test_views_are_read_right_and_left_alone():
    turned, other = PHOTO[::-1, ::2], (PHOTO * 0.7).astype(np.uint8)[::-1, ::2]
    before = turned.copy()
    assert flip(turned, other) == flip(turned.copy(), other.copy()) > 0
    assert np.array_equal(turned, before)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"one shape \(H, W, 3\)"):
        flip(PHOTO, PHOTO[:99])
    with pytest.raises(ValueError, match=r"one shape \(H, W, 3\)"):
        flip(PHOTO[..., 0], PHOTO[..., 0])
