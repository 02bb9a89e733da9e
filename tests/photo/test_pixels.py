"""From photos to pixels and back."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from dslr_gan.photo import (
    open_photo,
    photo_from_pixels,
    photo_pixels,
)
from tests.support.paths import ROOT
from tests.support.photo_helpers import (
    DISPLAY_P3,
    encoded,
    pictures,
    rgb_profile,
    round_trip,
    same,
    with_exif,
)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
def test_same_pixels_give_the_same_photo(mode):
    photo = pictures()[mode]
    source = photo_pixels(photo)
    assert source.pixels.shape == (45, 67, 3)
    assert source.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    assert same(photo_from_pixels(source, source.pixels.copy()), photo)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (300, 1)])
def test_any_size_from_one_pixel_up(mode, size):
    photo = pictures()[mode].resize(size, Image.Resampling.NEAREST)
    assert same(round_trip(photo), photo)


def test_palettes_and_bitmaps(coffee):
    palette = coffee.quantize(32)
    result = round_trip(palette)
    assert same(result, palette.convert("RGB"))
    bitmap = coffee.convert("1")
    result = round_trip(bitmap)
    assert same(result, bitmap.convert("L"))


def test_transparency_of_palette_gray_and_colour_pngs_becomes_alpha(coffee):
    palette = coffee.quantize(32)
    hidden = palette.getpixel((5, 5))
    photos = {
        "RGBA": open_photo(encoded(palette, "PNG", transparency=hidden)),
        "LA": open_photo(encoded(coffee.convert("L"), "PNG", transparency=100)),
    }
    photos["RGBA "] = open_photo(encoded(coffee, "PNG", transparency=coffee.getpixel((5, 5))))
    for mode, photo in photos.items():
        result = round_trip(photo)
        assert result.mode == mode.strip()
        assert "transparency" not in result.info
        alpha = np.asarray(result.getchannel("A"))
        assert alpha.min() == 0 and alpha.max() == 255
        assert same(result, photo.convert(mode.strip()))


def test_palette_with_alpha_and_premultiplied_alpha():
    rgba = pictures()["RGBA"]
    for mode in ("PA", "RGBa"):
        photo = pictures()["LA"].convert("PA") if mode == "PA" else rgba.convert("RGBa")
        result = round_trip(photo)
        assert same(result, photo.convert("RGBA"))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB"])
def test_other_colour_models_become_rgb(coffee, mode):
    photo = (
        ImageCms.profileToProfile(
            coffee, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        if mode == "LAB"
        else coffee.convert(mode)
    )
    photo.info["icc_profile"] = b"of the other colour model"
    result = round_trip(photo)
    assert result.mode == "RGB"
    assert "icc_profile" not in result.info
    error = np.abs(np.asarray(result).astype(int) - np.asarray(coffee))
    assert error.mean() < 3, f"{mode}: mean error {error.mean()}, maximum {error.max()}"


# Memory -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_large_photo_costs_few_copies(tmp_path):
    """12 megapixels, wide gamut and turned: twice 48 MB as Pillow holds them, and a codec."""
    script = """
import re, sys
from pathlib import Path
from dslr_gan.photo import open_photo, photo_from_pixels, photo_pixels, save_photo
def copy(name):
    source = photo_pixels(open_photo(name))
    save_photo(photo_from_pixels(source, source.pixels), "out.jpg")
# Not getrusage, whose peak a process inherits from the one that started it.
def peak():
    return int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
copy("tiny.jpg")
before = peak()
copy("large.jpg")
sys.stdout.write(str(peak() - before))
"""
    chelsea = Image.fromarray(data.chelsea())
    options = {"exif": with_exif(6), "icc_profile": rgb_profile(DISPLAY_P3), "quality": 80}
    chelsea.resize((40, 30)).save(tmp_path / "tiny.jpg", **options)
    chelsea.resize((4000, 3000)).save(tmp_path / "large.jpg", **options)
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    grown = int(run.stdout) / 1024
    assert grown < 250, f"resident memory grew by {grown:.0f} MB"
