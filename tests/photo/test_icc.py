"""Colour profiles: to sRGB, back, and what is outside of it."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from dslr_gan.photo import photo_from_pixels, photo_pixels
from tests.support.photo_helpers import (
    DISPLAY_P3,
    SRGB,
    by_matrix,
    from_linear,
    gray_profile,
    pictures,
    rgb_profile,
    round_trip,
    same,
    table_profile,
)


def test_display_p3_is_converted_as_arithmetic_says(coffee):
    wide = coffee.copy()
    wide.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    source = photo_pixels(wide)
    expected = by_matrix(np.asarray(coffee), DISPLAY_P3, SRGB)
    error = np.abs(source.pixels - expected)
    assert error.max() <= 2, f"mean {error.mean()}, maximum {error.max()}"
    unconverted = np.abs(np.asarray(coffee) - expected)
    assert unconverted.max() > 20, "the picture must tell the two spaces apart"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_unchanged_pixels_of_display_p3_come_back_exactly(mode):
    photo = pictures()[mode]
    vivid = Image.new(photo.mode, (67, 5), {"L": 255}.get(mode, (255, 0, 0)))
    photo.paste(vivid, (0, 0))  # outside of sRGB
    photo.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    result = round_trip(photo)
    assert same(result, photo)
    assert result.info["icc_profile"] == photo.info["icc_profile"]


def test_new_pixels_go_back_to_display_p3(coffee):
    wide = coffee.copy()
    wide.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    source = photo_pixels(wide)
    inside = (source.pixels.min(axis=2) > 8) & (source.pixels.max(axis=2) < 235)
    brighter = np.clip(source.pixels.astype(int) + 12, 0, 255).astype(np.uint8)
    result = np.asarray(photo_from_pixels(source, brighter)).astype(int)
    error = np.abs(result - by_matrix(brighter, SRGB, DISPLAY_P3))[inside]
    assert inside.mean() > 0.3
    assert error.max() <= 4 and error.mean() < 1, f"mean {error.mean()}, maximum {error.max()}"


def test_vivid_colours_stay_vivid():
    red = Image.new("RGB", (8, 8), (250, 10, 10))
    red.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    source = photo_pixels(red)
    darker = (source.pixels * 0.9).astype(np.uint8)
    clipped = by_matrix(darker, SRGB, DISPLAY_P3)[0, 0]
    result = np.asarray(photo_from_pixels(source, darker))[0, 0].astype(int)
    assert result[0] - result[1] > clipped[0] - clipped[1] + 30


def test_every_srgb_profile_is_left_alone_and_carried(coffee):
    builtin = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (builtin, rgb_profile(SRGB)):
        photo = coffee.copy()
        photo.info["icc_profile"] = profile
        source = photo_pixels(photo)
        assert source.space is None
        assert np.array_equal(source.pixels, np.asarray(coffee))
        assert photo_from_pixels(source, source.pixels).info["icc_profile"] == profile


def test_a_profile_of_one_direction_is_applied_and_dropped(coffee):
    """A scanner's: what comes back is sRGB, which needs no profile."""
    lightness = np.full((2, 2, 2, 3), 128)
    lightness[..., 0] = np.array([0, 85, 85, 170, 85, 170, 170, 255]).reshape(2, 2, 2)
    photo = coffee.copy()
    photo.info["icc_profile"] = table_profile(b"RGB ", lightness)
    source = photo_pixels(photo)
    spread = source.pixels.max(axis=2).astype(int) - source.pixels.min(axis=2)
    assert spread.max() <= 3, "this scanner sees gray only"
    result = photo_from_pixels(source, source.pixels)
    assert np.array_equal(result, source.pixels)
    assert "icc_profile" not in result.info


def test_a_gray_profile_is_applied_and_carried(coffee):
    gray = coffee.convert("L")
    gray.info["icc_profile"] = gray_profile(1.8)
    source = photo_pixels(gray)
    expected = np.round(from_linear((np.asarray(gray) / 255.0) ** 1.8) * 255)
    assert np.abs(source.pixels[..., 0] - expected).max() <= 2
    assert same(result := photo_from_pixels(source, source.pixels), gray)
    assert result.info["icc_profile"] == gray.info["icc_profile"]


def test_broken_and_foreign_profiles_are_dropped(coffee):
    whole = rgb_profile(DISPLAY_P3)
    for broken in (
        b"junk",
        whole[:300],
        gray_profile(2.2),
        table_profile(b"CMYK", np.zeros((2, 2, 2, 2, 3))),
    ):
        photo = coffee.copy()
        photo.info["icc_profile"] = broken
        assert same(result := round_trip(photo), coffee)
        assert "icc_profile" not in result.info


def test_cmyk_goes_through_its_profile_where_it_has_one():
    # A press whose paper is white and whose every ink alone is gray: nothing Pillow would guess.
    inks = np.full((2, 2, 2, 2, 3), 128)
    inks[0, 0, 0, 0, 0] = 255
    photo = Image.new("CMYK", (4, 4), (0, 255, 0, 0))
    guessed = photo_pixels(photo).pixels
    photo.info["icc_profile"] = table_profile(b"CMYK", inks)
    source = photo_pixels(photo)
    assert guessed[0, 0].tolist() == [255, 0, 255]
    assert source.pixels[0, 0].max() - source.pixels[0, 0].min() <= 2, "a neutral gray"
    result = photo_from_pixels(source, source.pixels)
    assert result.mode == "RGB" and "icc_profile" not in result.info
