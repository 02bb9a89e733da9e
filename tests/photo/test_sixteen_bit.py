"""Sixteen bits per channel in colour: read, enhanced around, and written, checked by others."""

import io

import numpy as np
import png
import pytest
import tifffile
from PIL import ExifTags, Image

from dslr_gan.photo import (
    eight_bits,
    notes,
    open_photo,
    photo_from_pixels,
    photo_pixels,
    save_photo,
)
from dslr_gan.photo.photo import low_bytes, photo_of
from dslr_gan.photo.sixteen_bit import join_bytes, split_bytes
from tests.support.photo_helpers import (
    DISPLAY_P3,
    deep_pixels,
    encoded,
    rgb_profile,
    round_trip,
    with_exif,
)


def as_png(pixels: np.ndarray, **options) -> io.BytesIO:
    """A file by pypng."""
    height, width, channels = pixels.shape
    writer = png.Writer(
        width, height, bitdepth=16, greyscale=channels < 3, alpha=channels in (2, 4), **options
    )
    file = io.BytesIO()
    writer.write(file, pixels.reshape(height, -1).tolist())
    file.seek(0)
    return file


def read_png(file) -> np.ndarray:
    width, height, rows, info = png.Reader(filename=str(file)).read()
    assert info["bitdepth"] == 16
    return np.array([list(row) for row in rows], np.uint16).reshape(height, width, -1)


def pixels_of(photo: Image.Image) -> np.ndarray:
    low = low_bytes(photo)
    assert low is not None, "the photo has 8 bits"
    return join_bytes(photo, low)


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("interlace", [False, True])
def test_png_is_read_with_all_its_bits(channels, interlace):
    pixels = deep_pixels(channels)
    photo = open_photo(as_png(pixels, interlace=interlace))
    assert photo.mode == {2: "LA", 3: "RGB", 4: "RGBA"}[channels] and photo.format == "PNG"
    assert np.array_equal(pixels_of(photo), pixels)
    assert notes(photo) == []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib", "byteorder": ">"},
        {"tile": (16, 16)},
        {"rowsperstrip": 7},
        {"bigtiff": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [3, 4])
def test_tiff_is_read_with_all_its_bits(options, channels):
    file, pixels = io.BytesIO(), deep_pixels(channels)
    extra = ["unassalpha"] if channels == 4 else None
    tifffile.imwrite(file, pixels, photometric="rgb", extrasamples=extra, **options)
    photo = open_photo(file)
    assert np.array_equal(pixels_of(photo), pixels)
    assert notes(photo) == []


def test_a_transparent_colour_becomes_alpha():
    for channels in (1, 3):
        pixels = deep_pixels(channels)
        key = tuple(pixels[5, 7].tolist())
        photo = open_photo(as_png(pixels, transparent=key[0] if channels == 1 else key))
        read = pixels_of(photo)
        assert photo.mode == ("LA" if channels == 1 else "RGBA")
        assert np.array_equal(read[..., :-1], pixels)
        hidden = (pixels == np.array(key, np.uint16)).all(axis=2)
        assert np.array_equal(read[..., -1], np.where(hidden, 0, 65535))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_what_is_written_is_what_others_read(suffix, channels, orientation, tmp_path):
    pixels = deep_pixels(channels)
    photo, low = split_bytes(pixels)
    photo_of(photo).low_bytes = low
    exif = with_exif(orientation)
    photo.info |= {"exif": exif, "xmp": b"<x:xmpmeta/>", "dpi": (300, 150)}
    photo.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    assert save_photo(round_trip(photo), tmp_path / f"deep.{suffix}") == []
    upright = {1: pixels, 6: np.rot90(pixels, -1), 7: np.rot90(pixels, 2).swapaxes(0, 1)}
    path = tmp_path / f"deep.{suffix}"
    if suffix == "tif" and channels == 2:
        found = tifffile.imread(path)[..., [0, 3]]
    else:
        found = tifffile.imread(path) if suffix == "tif" else read_png(path)
    assert np.array_equal(found, upright[orientation])
    again = open_photo(path)
    assert again.info["icc_profile"] == rgb_profile(DISPLAY_P3)
    assert again.info["xmp"] == b"<x:xmpmeta/>"
    across, down = (round(float(number)) for number in again.info["dpi"])
    assert (across, down) == ((300, 150) if orientation == 1 else (150, 300))
    assert again.getexif()[ExifTags.Base.Make] == "Apple"
    inner = again.getexif().get_ifd(ExifTags.IFD.Exif)
    assert (inner[0xA002], inner[0xA003]) == again.size
    assert again.getexif().get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"


def test_unchanged_pixels_come_back_and_small_changes_arrive():
    pixels = deep_pixels(3)
    for profile in (b"", rgb_profile(DISPLAY_P3)):
        photo, low = split_bytes(pixels)
        photo_of(photo).low_bytes = low
        photo.info["icc_profile"] = profile
        source = photo_pixels(photo)
        assert source.dtype == np.uint16
        assert np.array_equal(pixels_of(photo_from_pixels(source, source.pixels)), pixels)
        brighter = np.minimum(source.pixels.astype(int) + 40, 65535).astype(np.uint16)
        change = pixels_of(photo_from_pixels(source, brighter)).astype(int) - pixels
        # Of 65536 levels; a profile's way back scales it, and rounds at 16 bits.
        assert 20 < np.median(change) < 80 and change.min() >= -3


def test_other_deep_colour_is_read_with_eight_bits_and_says_so():
    pixels = deep_pixels(4)
    premultiplied = io.BytesIO()
    tifffile.imwrite(premultiplied, pixels, photometric="rgb", extrasamples=["assocalpha"])
    deep_ppm = io.BytesIO(b"P6 53 37 65535\n" + pixels[..., :3].astype(">u2").tobytes())
    for file in (premultiplied, deep_ppm):
        photo = open_photo(file)
        assert notes(photo) == ["It has 16 bits per channel; the result has 8 bits."]
        assert low_bytes(photo) is None
    for kind in ("PNG", "TIFF", "JPEG", "AVIF", "HEIF", "JPEG2000", "PPM"):
        assert notes(open_photo(encoded(Image.new("RGB", (16, 16)), kind))) == [], kind
    with pytest.raises(ValueError, match="program does not read"):
        planar = io.BytesIO()
        tifffile.imwrite(planar, pixels[..., :3], photometric="rgb", planarconfig="separate")
        open_photo(planar)


def test_eight_bits_are_the_nearest_ones():
    deep = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(eight_bits(deep), np.round(deep / 257).astype(np.uint8))
    shallow = np.arange(256, dtype=np.uint8)
    assert eight_bits(shallow) is shallow
