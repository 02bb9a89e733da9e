"""From photos to pixels and back."""

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops, ImageCms
from skimage import data

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import (
    eight_bits,
    open_photo,
    photo_from_pixels,
    photo_pixels,
    to_pixels,
    to_tensor,
)
from tests.support.paths import ROOT
from tests.support.photo_helpers import DISPLAY_P3, encoded, pictures, rgb_profile, same, with_exif


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
def test_same_pixels_give_the_same_photo(mode):
    photo = pictures()[mode]
    canvas = photo_pixels(photo)
    assert canvas.pixels.shape == (45, 67, 3)
    assert canvas.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    assert same(photo_from_pixels(canvas, canvas.pixels.copy()), photo)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (300, 1)])
def test_any_size_from_one_pixel_up(mode, size):
    photo = pictures()[mode].resize(size, Image.Resampling.NEAREST)
    canvas = photo_pixels(photo)
    assert same(photo_from_pixels(canvas, canvas.pixels), photo)


def test_other_pixels_arrive_and_alpha_stays():
    photo = pictures()["RGBA"]
    canvas = photo_pixels(photo)
    result = photo_from_pixels(canvas, 255 - canvas.pixels)
    assert same(result.getchannel("A"), photo.getchannel("A"))
    assert same(result.convert("RGB"), ImageChops.invert(photo.convert("RGB")))


def test_colour_put_on_a_gray_photo_becomes_its_luma():
    gray = pictures()["L"]
    canvas = photo_pixels(gray)
    colourful = canvas.pixels.copy()
    colourful[..., 0] = 200
    result = photo_from_pixels(canvas, colourful)
    assert same(result, Image.fromarray(colourful).convert("L"))


def test_sixteen_bits_keep_their_low_byte():
    photo = Image.fromarray(np.array([[0, 1, 257, 32768, 65534, 65535]], dtype=np.uint16))
    canvas = photo_pixels(photo)
    assert canvas.pixels[0, :, 1].tolist() == [0, 1, 257, 32768, 65534, 65535]
    shifted = np.clip(canvas.pixels.astype(int) + 3, 0, 65535).astype(np.uint16)
    assert np.asarray(photo_from_pixels(canvas, shifted)).tolist() == [
        [3, 4, 260, 32771, 65535, 65535]
    ]


@pytest.mark.parametrize("mode", ["I;16B", "I"])
def test_other_ways_to_hold_sixteen_bits(mode):
    values = np.array([[0, 258, 65535]], dtype=">u2" if mode == "I;16B" else np.int32)
    photo = Image.frombytes(mode, (3, 1), values.tobytes())
    result = photo_from_pixels(canvas := photo_pixels(photo), canvas.pixels)
    assert result.mode == "I;16"
    assert np.asarray(result).tolist() == [[0, 258, 65535]]


def test_more_than_sixteen_bits_and_floats_are_refused():
    with pytest.raises(DslrGanError, match="16 bits"):
        photo_pixels(Image.new("I", (2, 2), 70000))
    with pytest.raises(DslrGanError, match="16 bits"):
        photo_pixels(Image.new("I", (2, 2), -1))
    with pytest.raises(DslrGanError, match="floating-point"):
        photo_pixels(Image.new("F", (2, 2), 0.5))


def test_palettes_and_bitmaps(coffee):
    palette = coffee.quantize(32)
    result = photo_from_pixels(canvas := photo_pixels(palette), canvas.pixels)
    assert same(result, palette.convert("RGB"))
    bitmap = coffee.convert("1")
    result = photo_from_pixels(canvas := photo_pixels(bitmap), canvas.pixels)
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
        result = photo_from_pixels(canvas := photo_pixels(photo), canvas.pixels)
        assert result.mode == mode.strip()
        assert "transparency" not in result.info
        alpha = np.asarray(result.getchannel("A"))
        assert alpha.min() == 0 and alpha.max() == 255
        assert same(result, photo.convert(mode.strip()))


def test_palette_with_alpha_and_premultiplied_alpha():
    rgba = pictures()["RGBA"]
    for mode in ("PA", "RGBa"):
        photo = pictures()["LA"].convert("PA") if mode == "PA" else rgba.convert("RGBa")
        result = photo_from_pixels(canvas := photo_pixels(photo), canvas.pixels)
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
    result = photo_from_pixels(canvas := photo_pixels(photo), canvas.pixels)
    assert result.mode == "RGB"
    assert "icc_profile" not in result.info
    error = np.abs(np.asarray(result).astype(int) - np.asarray(coffee))
    assert error.mean() < 3, f"{mode}: mean error {error.mean()}, maximum {error.max()}"


def test_pixels_of_another_shape_or_depth_are_refused():
    canvas = photo_pixels(pictures()["RGB"])
    with pytest.raises(ValueError, match="shape"):
        photo_from_pixels(canvas, canvas.pixels[1:])
    with pytest.raises(ValueError, match="uint8"):
        photo_from_pixels(canvas, canvas.pixels.astype(np.uint16))


def test_what_is_no_photo_is_refused(tmp_path):
    with pytest.raises(DslrGanError, match="PIL image, got ndarray"):
        photo_pixels(data.coffee())
    with pytest.raises(DslrGanError, match="no pixels"):
        photo_pixels(Image.new("RGB", (0, 5)))
    cut = encoded(pictures()["RGB"], "PNG").getvalue()[:2000]
    with pytest.raises(DslrGanError, match="cannot be decoded"):
        photo_pixels(Image.open(io.BytesIO(cut)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tensors_and_back(dtype):
    top = np.iinfo(dtype).max
    pixels = np.arange(top + 1, dtype=dtype)[: (top + 1) // 3 * 3].reshape(1, -1, 3)
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 3, *pixels.shape[:2]) and tensor.dtype == torch.float32
    assert tensor[0, 1, 0, 5].item() == pytest.approx(pixels[0, 5, 1] / top)
    assert np.array_equal(to_pixels(tensor, dtype), pixels)


def test_eight_bits_are_the_nearest_ones():
    deep = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(eight_bits(deep), np.round(deep / 257).astype(np.uint8))
    shallow = np.arange(256, dtype=np.uint8)
    assert eight_bits(shallow) is shallow


def test_tensors_outside_the_range_are_clamped_and_rounded():
    tensor = torch.tensor([-0.5, 0.4999 / 255, 0.5001 / 255, 0.5, 1.7, 1.0]).reshape(1, 3, 1, 2)
    assert to_pixels(tensor, np.uint8).transpose(2, 0, 1).ravel().tolist() == [
        0,
        0,
        1,
        128,
        255,
        255,
    ]


# Memory -------------------------------------------------------------------------------------


def test_a_large_photo_costs_few_copies(tmp_path):
    """12 megapixels, wide gamut and turned: twice 48 MB as Pillow holds them, and a codec."""
    script = f"""
import re, sys
from pathlib import Path
from dslr_gan.image import photo_from_pixels, open_photo, save_photo, photo_pixels
from PIL import Image
tiny = open_photo({str(tmp_path / "tiny.jpg")!r})
whole = photo_pixels(tiny)
save_photo(photo_from_pixels(whole, whole.pixels), Path({str(tmp_path / "out.jpg")!r}))
# Not getrusage, whose peak a process inherits from the one that started it.
def peak():
    return int(re.search(r"VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
before = peak()
canvas = photo_pixels(open_photo({str(tmp_path / "large.jpg")!r}))
save_photo(photo_from_pixels(canvas, canvas.pixels), Path({str(tmp_path / "out.jpg")!r}))
sys.stdout.write(str(peak() - before))
"""
    chelsea = Image.fromarray(data.chelsea())
    options = {"exif": with_exif(6), "icc_profile": rgb_profile(DISPLAY_P3), "quality": 80}
    chelsea.resize((40, 30)).save(tmp_path / "tiny.jpg", **options)
    chelsea.resize((4000, 3000)).save(tmp_path / "large.jpg", **options)
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    grown = int(run.stdout) / 1024
    assert grown < 250, f"resident memory grew by {grown:.0f} MB"
