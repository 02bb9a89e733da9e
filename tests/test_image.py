"""A photo keeps all that it carries on its way to the network's pixels and back."""

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageChops, ImageCms, JpegImagePlugin
from skimage import data

from dslr_gan import image
from dslr_gan.errors import DslrGanError
from dslr_gan.image import (
    Canvas,
    eight_bits,
    find_format,
    from_canvas,
    open_photo,
    save_photo,
    to_canvas,
    to_pixels,
    to_tensor,
)

ORIENTATION = ExifTags.Base.Orientation

# Primaries in XYZ of D50, one column each, as their ICC profiles have them.
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)


@pytest.fixture(scope="module")
def coffee() -> Image.Image:
    """A colour photo, 300x200, no multiple of much."""
    return Image.fromarray(data.coffee()).resize((301, 203))


def encoded(photo: Image.Image, kind: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    photo.save(file, kind, **options)
    file.seek(0)
    return file


def same(first: Image.Image, second: Image.Image) -> bool:
    return first.mode == second.mode and np.array_equal(np.asarray(first), np.asarray(second))


# Profiles made by hand: Pillow itself makes no wide-gamut, gray or CMYK profile -----------------


def profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile of version 2 with the given tags."""
    white = b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249)
    text = b"made by a test"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + bytes(79)
    tags = {b"wtpt": white, b"desc": description, b"cprt": b"text\0\0\0\0none\0", **tags}
    table, body = b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        offset = 128 + 4 + 12 * len(tags) + len(body)
        table += struct.pack(">4sII", name, offset, len(content))
        body += content
    size = 132 + len(table) + len(body)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, kind, space, pcs)
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def srgb_curve() -> bytes:
    linear = to_linear(np.linspace(0, 1, 1024))
    return b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *np.round(linear * 65535).astype(int))


def rgb_profile(primaries: np.ndarray) -> bytes:
    tags = {
        name: b"XYZ \0\0\0\0" + fixed(*column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries.T, strict=True)
    }
    return profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), srgb_curve()))


def gray_profile(gamma: float) -> bytes:
    return profile(b"GRAY", {b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))})


def table_profile(space: bytes, corners: np.ndarray) -> bytes:
    """A profile that only leads away from its colours: the Lab bytes of each extreme colour.

    ``corners`` is (2, 2, 2, 3) for RGB and (2, 2, 2, 2, 3) for CMYK.
    """
    ramp, inks = bytes(range(256)), corners.ndim - 1
    table = struct.pack(">4sI4B", b"mft1", 0, inks, 3, 2, 0) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table += ramp * inks + corners.astype(np.uint8).tobytes() + ramp * 3
    return profile(space, {b"A2B0": table}, pcs=b"Lab ")


def to_linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def from_linear(values: np.ndarray) -> np.ndarray:
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def by_matrix(pixels: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Pixels of one set of primaries in another, by plain arithmetic."""
    linear = to_linear(pixels / 255.0) @ (np.linalg.inv(target) @ source).T
    return np.round(from_linear(linear) * 255)


# Round trips -------------------------------------------------------------------------------------


def pictures() -> dict[str, Image.Image]:
    """One picture per mode, with alpha and depth that a careless conversion would lose."""
    colour = Image.fromarray(data.astronaut()).resize((67, 45))
    random = np.random.default_rng(0)
    alpha = Image.fromarray(random.integers(0, 256, (45, 67), dtype=np.uint8))
    deep = random.integers(0, 65536, (45, 67), dtype=np.uint16)
    return {
        "RGB": colour,
        "RGBA": Image.merge("RGBA", (*colour.split(), alpha)),
        "L": colour.convert("L"),
        "LA": Image.merge("LA", (colour.convert("L"), alpha)),
        "I;16": Image.fromarray(deep),
    }


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
def test_same_pixels_give_the_same_photo(mode):
    photo = pictures()[mode]
    canvas = to_canvas(photo)
    assert canvas.pixels.shape == (45, 67, 3)
    assert canvas.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    assert same(from_canvas(canvas, canvas.pixels.copy()), photo)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (300, 1)])
def test_any_size_from_one_pixel_up(mode, size):
    photo = pictures()[mode].resize(size, Image.Resampling.NEAREST)
    canvas = to_canvas(photo)
    assert same(from_canvas(canvas, canvas.pixels), photo)


def test_other_pixels_arrive_and_alpha_stays():
    photo = pictures()["RGBA"]
    canvas = to_canvas(photo)
    result = from_canvas(canvas, 255 - canvas.pixels)
    assert same(result.getchannel("A"), photo.getchannel("A"))
    assert same(result.convert("RGB"), ImageChops.invert(photo.convert("RGB")))


def test_colour_put_on_a_gray_photo_becomes_its_luma():
    gray = pictures()["L"]
    canvas = to_canvas(gray)
    colourful = canvas.pixels.copy()
    colourful[..., 0] = 200
    result = from_canvas(canvas, colourful)
    assert same(result, Image.fromarray(colourful).convert("L"))


def test_sixteen_bits_keep_their_low_byte():
    photo = Image.fromarray(np.array([[0, 1, 257, 32768, 65534, 65535]], dtype=np.uint16))
    canvas = to_canvas(photo)
    assert canvas.pixels[0, :, 1].tolist() == [0, 1, 257, 32768, 65534, 65535]
    shifted = np.clip(canvas.pixels.astype(int) + 3, 0, 65535).astype(np.uint16)
    assert np.asarray(from_canvas(canvas, shifted)).tolist() == [[3, 4, 260, 32771, 65535, 65535]]


@pytest.mark.parametrize("mode", ["I;16B", "I"])
def test_other_ways_to_hold_sixteen_bits(mode):
    values = np.array([[0, 258, 65535]], dtype=">u2" if mode == "I;16B" else np.int32)
    photo = Image.frombytes(mode, (3, 1), values.tobytes())
    result = from_canvas(canvas := to_canvas(photo), canvas.pixels)
    assert result.mode == "I;16"
    assert np.asarray(result).tolist() == [[0, 258, 65535]]


def test_more_than_sixteen_bits_and_floats_are_refused():
    with pytest.raises(DslrGanError, match="16 bits"):
        to_canvas(Image.new("I", (2, 2), 70000))
    with pytest.raises(DslrGanError, match="16 bits"):
        to_canvas(Image.new("I", (2, 2), -1))
    with pytest.raises(DslrGanError, match="floating-point"):
        to_canvas(Image.new("F", (2, 2), 0.5))


def test_palettes_and_bitmaps(coffee):
    palette = coffee.quantize(32)
    result = from_canvas(canvas := to_canvas(palette), canvas.pixels)
    assert same(result, palette.convert("RGB"))
    bitmap = coffee.convert("1")
    result = from_canvas(canvas := to_canvas(bitmap), canvas.pixels)
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
        result = from_canvas(canvas := to_canvas(photo), canvas.pixels)
        assert result.mode == mode.strip()
        assert "transparency" not in result.info
        alpha = np.asarray(result.getchannel("A"))
        assert alpha.min() == 0 and alpha.max() == 255
        assert same(result, photo.convert(mode.strip()))


def test_palette_with_alpha_and_premultiplied_alpha():
    rgba = pictures()["RGBA"]
    for mode in ("PA", "RGBa"):
        photo = pictures()["LA"].convert("PA") if mode == "PA" else rgba.convert("RGBa")
        result = from_canvas(canvas := to_canvas(photo), canvas.pixels)
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
    result = from_canvas(canvas := to_canvas(photo), canvas.pixels)
    assert result.mode == "RGB"
    assert "icc_profile" not in result.info
    error = np.abs(np.asarray(result).astype(int) - np.asarray(coffee))
    assert error.mean() < 3, f"{mode}: mean error {error.mean()}, maximum {error.max()}"


def test_pixels_of_another_shape_or_depth_are_refused():
    canvas = to_canvas(pictures()["RGB"])
    with pytest.raises(ValueError, match="shape"):
        from_canvas(canvas, canvas.pixels[1:])
    with pytest.raises(ValueError, match="uint8"):
        from_canvas(canvas, canvas.pixels.astype(np.uint16))


def test_what_is_no_photo_is_refused(tmp_path):
    with pytest.raises(DslrGanError, match="PIL image, got ndarray"):
        to_canvas(data.coffee())
    with pytest.raises(DslrGanError, match="no pixels"):
        to_canvas(Image.new("RGB", (0, 5)))
    cut = encoded(pictures()["RGB"], "PNG").getvalue()[:2000]
    with pytest.raises(DslrGanError, match="cannot be decoded"):
        to_canvas(Image.open(io.BytesIO(cut)))


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


# Orientation and metadata ------------------------------------------------------------------------


def with_exif(orientation: int | None = None, order: str = "<") -> bytes:
    """An EXIF block with a camera, a GPS position, a size, a maker's note and a thumbnail."""
    exif = Image.Exif()
    exif.endian = order
    exif[ExifTags.Base.Make] = "Apple"
    if orientation:
        exif[ORIENTATION] = orientation
    exif.get_ifd(ExifTags.IFD.Exif).update({0x9003: "2020:02:02 02:02:02", 0xA002: 64, 0xA003: 48})
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"secret sauce"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0)})
    block = bytearray(exif.tobytes())
    # Pillow writes no thumbnail folder: point from the end of the first folder to one of our own.
    (first,) = struct.unpack_from(order + "I", block, 10)
    (count,) = struct.unpack_from(order + "H", block, 6 + first)
    struct.pack_into(order + "I", block, 6 + first + 2 + 12 * count, len(block) - 6)
    thumbnail = struct.pack(order + "HHHIII", 1, 0x0201, 4, 1, len(block) + 12, 0)
    return bytes(block) + thumbnail + b"\xff\xd8an old thumbnail\xff\xd9"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_and_its_tag_reset(orientation, order, tmp_path):
    sensor = Image.fromarray(data.chelsea()).resize((64, 48))
    exif = with_exif(orientation, order)
    photo = open_photo(encoded(sensor, "PNG", exif=exif))
    shown = {  # what EXIF 2.3 says of each number, as an array operation
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }[orientation](np.asarray(sensor))
    canvas = to_canvas(photo)
    assert np.array_equal(canvas.pixels, shown)
    save_photo(from_canvas(canvas, canvas.pixels), tmp_path / "upright.png")
    again = open_photo(tmp_path / "upright.png")
    assert np.array_equal(np.asarray(again), shown)
    assert again.getexif()[ORIENTATION] == 1
    assert np.array_equal(to_canvas(again).pixels, shown)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_exif_survives_in_every_format_that_holds_it(suffix, order, tmp_path):
    sensor = Image.fromarray(data.chelsea()).resize((64, 48))
    photo = open_photo(encoded(sensor, "JPEG", exif=with_exif(6, order)))
    canvas = to_canvas(photo)
    save_photo(from_canvas(canvas, canvas.pixels), tmp_path / f"photo.{suffix}")
    result = open_photo(tmp_path / f"photo.{suffix}")
    exif = result.getexif()
    assert result.size == (48, 64)
    assert exif.get(ORIENTATION, 1) == 1
    assert exif[ExifTags.Base.Make] == "Apple"
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    assert inner[0x9003] == "2020:02:02 02:02:02"
    assert inner[ExifTags.Base.MakerNote] == b"secret sauce"
    assert (inner[0xA002], inner[0xA003]) == (48, 64)
    assert tuple(map(float, exif.get_ifd(ExifTags.IFD.GPSInfo)[2])) == (52.0, 31.0, 12.0)
    assert not exif.get_ifd(ExifTags.IFD.IFD1), "the thumbnail shows the photo as it was"


def test_the_tags_of_a_tiff_survive_without_those_of_its_structure(coffee, tmp_path):
    file = encoded(coffee, "TIFF", exif=with_exif(8), dpi=(300, 200))
    photo = open_photo(file)
    canvas = to_canvas(photo)  # Pillow itself turns a TIFF when it loads it
    assert np.array_equal(canvas.pixels, np.rot90(np.asarray(coffee), 1))
    for suffix in ("tif", "jpg"):
        save_photo(from_canvas(canvas, canvas.pixels), tmp_path / f"photo.{suffix}")
        result = open_photo(tmp_path / f"photo.{suffix}")
        assert result.size == (203, 301)
        assert result.getexif()[ExifTags.Base.Make] == "Apple"
        assert result.getexif().get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
        if suffix == "jpg":
            assert 0x0111 not in result.getexif(), "StripOffsets means nothing in a JPEG"


def test_the_tags_of_a_tiff_of_several_pages_survive(coffee, tmp_path):
    """Pillow reads them from the file only when asked, which by then is closed."""
    pages = {"save_all": True, "append_images": [coffee]}
    coffee.save(tmp_path / "pages.tif", exif=with_exif(), **pages)
    canvas = to_canvas(open_photo(tmp_path / "pages.tif"))
    exif = Image.Exif()
    exif.load(from_canvas(canvas, canvas.pixels).info["exif"])
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"


def test_a_photo_without_exif_gets_none(coffee):
    canvas = to_canvas(coffee)
    assert "exif" not in from_canvas(canvas, canvas.pixels).info


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"II*\0"])
def test_broken_exif_is_dropped(coffee, exif):
    coffee = coffee.copy()
    coffee.info["exif"] = exif
    canvas = to_canvas(coffee)
    assert same(result := from_canvas(canvas, canvas.pixels), coffee)
    assert "exif" not in result.info


XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {} dc:rights="me"/></x:xmpmeta>'


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("in_exif", [True, False])
def test_orientation_of_xmp_is_not_applied_a_second_time(suffix, in_exif, tmp_path):
    sensor = Image.fromarray(data.chelsea()).resize((64, 48))
    xmp = XMP.format('tiff:Orientation="6"').encode()
    photo = open_photo(encoded(sensor, "JPEG", xmp=xmp, exif=with_exif(6 if in_exif else None)))
    canvas = to_canvas(photo)
    assert canvas.pixels.shape == (64, 48, 3)
    save_photo(from_canvas(canvas, canvas.pixels), tmp_path / f"photo.{suffix}")
    result = open_photo(tmp_path / f"photo.{suffix}")
    assert b'dc:rights="me"' in result.info["xmp"]
    assert to_canvas(result).pixels.shape == (64, 48, 3)


def test_xmp_that_speaks_of_a_video_beside_the_photo_is_dropped(coffee):
    xmp = XMP.format('GCamera:MotionPhoto="1"').encode()
    canvas = to_canvas(open_photo(encoded(coffee, "JPEG", xmp=xmp)))
    assert "xmp" not in from_canvas(canvas, canvas.pixels).info


def test_resolution_is_kept_and_turned(coffee, tmp_path):
    file = encoded(coffee, "JPEG", dpi=(300, 150), exif=with_exif(6))
    canvas = to_canvas(open_photo(file))
    for suffix in ("jpg", "png", "tif"):
        save_photo(from_canvas(canvas, canvas.pixels), tmp_path / f"photo.{suffix}")
        dpi = open_photo(tmp_path / f"photo.{suffix}").info["dpi"]
        assert tuple(round(each) for each in dpi) == (150, 300), suffix


# Colour spaces -----------------------------------------------------------------------------------


def test_display_p3_is_converted_as_arithmetic_says(coffee):
    wide = coffee.copy()
    wide.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    canvas = to_canvas(wide)
    expected = by_matrix(np.asarray(coffee), DISPLAY_P3, SRGB)
    error = np.abs(canvas.pixels - expected)
    assert error.max() <= 2, f"mean {error.mean()}, maximum {error.max()}"
    unconverted = np.abs(np.asarray(coffee) - expected)
    assert unconverted.max() > 20, "the picture must tell the two spaces apart"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_unchanged_pixels_of_display_p3_come_back_exactly(mode):
    photo = pictures()[mode]
    vivid = Image.new(photo.mode, (67, 5), {"L": 255}.get(mode, (255, 0, 0)))
    photo.paste(vivid, (0, 0))  # outside of sRGB
    photo.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    canvas = to_canvas(photo)
    result = from_canvas(canvas, canvas.pixels.copy())
    assert same(result, photo)
    assert result.info["icc_profile"] == photo.info["icc_profile"]


def test_new_pixels_go_back_to_display_p3(coffee):
    wide = coffee.copy()
    wide.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    canvas = to_canvas(wide)
    inside = (canvas.pixels.min(axis=2) > 8) & (canvas.pixels.max(axis=2) < 235)
    brighter = np.clip(canvas.pixels.astype(int) + 12, 0, 255).astype(np.uint8)
    result = np.asarray(from_canvas(canvas, brighter)).astype(int)
    error = np.abs(result - by_matrix(brighter, SRGB, DISPLAY_P3))[inside]
    assert inside.mean() > 0.3
    assert error.max() <= 4 and error.mean() < 1, f"mean {error.mean()}, maximum {error.max()}"


def test_vivid_colours_stay_vivid():
    red = Image.new("RGB", (8, 8), (250, 10, 10))
    red.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    canvas = to_canvas(red)
    darker = (canvas.pixels * 0.9).astype(np.uint8)
    clipped = by_matrix(darker, SRGB, DISPLAY_P3)[0, 0]
    result = np.asarray(from_canvas(canvas, darker))[0, 0].astype(int)
    assert result[0] - result[1] > clipped[0] - clipped[1] + 30


def test_every_srgb_profile_is_left_alone_and_carried(coffee):
    builtin = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for each in (builtin, rgb_profile(SRGB)):
        photo = coffee.copy()
        photo.info["icc_profile"] = each
        canvas = to_canvas(photo)
        assert canvas.source is None
        assert np.array_equal(canvas.pixels, np.asarray(coffee))
        assert from_canvas(canvas, canvas.pixels).info["icc_profile"] == each


def test_a_profile_of_one_direction_is_applied_and_dropped(coffee):
    """A scanner's: what comes back is sRGB, which needs no profile."""
    lightness = np.full((2, 2, 2, 3), 128)
    lightness[..., 0] = np.array([0, 85, 85, 170, 85, 170, 170, 255]).reshape(2, 2, 2)
    photo = coffee.copy()
    photo.info["icc_profile"] = table_profile(b"RGB ", lightness)
    canvas = to_canvas(photo)
    spread = canvas.pixels.max(axis=2).astype(int) - canvas.pixels.min(axis=2)
    assert spread.max() <= 3, "this scanner sees gray only"
    result = from_canvas(canvas, canvas.pixels)
    assert np.array_equal(result, canvas.pixels)
    assert "icc_profile" not in result.info


def test_a_gray_profile_is_applied_and_carried(coffee):
    gray = coffee.convert("L")
    gray.info["icc_profile"] = gray_profile(1.8)
    canvas = to_canvas(gray)
    expected = np.round(from_linear((np.asarray(gray) / 255.0) ** 1.8) * 255)
    assert np.abs(canvas.pixels[..., 0] - expected).max() <= 2
    assert same(result := from_canvas(canvas, canvas.pixels), gray)
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
        canvas = to_canvas(photo)
        assert same(result := from_canvas(canvas, canvas.pixels), coffee)
        assert "icc_profile" not in result.info


def test_cmyk_goes_through_its_profile_where_it_has_one():
    # A press whose paper is white and whose every ink alone is gray: nothing Pillow would guess.
    inks = np.full((2, 2, 2, 2, 3), 128)
    inks[0, 0, 0, 0, 0] = 255
    photo = Image.new("CMYK", (4, 4), (0, 255, 0, 0))
    guessed = to_canvas(photo).pixels
    photo.info["icc_profile"] = table_profile(b"CMYK", inks)
    canvas = to_canvas(photo)
    assert guessed[0, 0].tolist() == [255, 0, 255]
    assert canvas.pixels[0, 0].max() - canvas.pixels[0, 0].min() <= 2, "a neutral gray"
    result = from_canvas(canvas, canvas.pixels)
    assert result.mode == "RGB" and "icc_profile" not in result.info


# Opening -----------------------------------------------------------------------------------------


def sentence(error: pytest.ExceptionInfo, name: str) -> str:
    text = str(error.value)
    assert name in text and text.endswith(".") and "\n" not in text and "Traceback" not in text
    return text


def test_what_cannot_be_opened_is_said_in_a_sentence(tmp_path):
    (tmp_path / "text.jpg").write_text("I am no photo\n" * 100)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    wanted = {
        "text.jpg": "not a photo",
        "empty.jpg": "is empty",
        "missing.jpg": "does not exist",
        "text.jpg/inside.jpg": "does not exist",
        "folder": "a folder",
        "pipe.jpg": "a pipe",
        "phone.heic": "export it as JPEG",
        "n" * 300 + ".jpg": "cannot be read",
        "null\0byte.jpg": "cannot be read",
    }
    for name, words in wanted.items():
        with pytest.raises(DslrGanError) as error:
            open_photo(tmp_path / name)
        assert words in sentence(error, name)


def test_an_unreadable_file_is_said_in_a_sentence(tmp_path, coffee, monkeypatch):
    coffee.save(tmp_path / "locked.png")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DslrGanError) as error:
        open_photo(tmp_path / "locked.png")
    assert "permissions" in sentence(error, "locked.png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "BMP", "PPM"])
def test_a_cut_off_file_is_refused(tmp_path, coffee, kind):
    whole = encoded(coffee, kind).getvalue()
    path = tmp_path / "cut.jpg"
    for share in (0.02, 0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DslrGanError) as error:
            open_photo(path)
        sentence(error, "cut.jpg")


def test_garbled_files_never_raise_anything_else(tmp_path, coffee):
    random = np.random.default_rng(1)
    path = tmp_path / "garbled"
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
        whole = bytearray(encoded(coffee.resize((40, 30)), kind, exif=with_exif(3)).getvalue())
        for _ in range(60):
            garbled = whole.copy()
            for position in random.integers(0, min(len(garbled), 400), 4):
                garbled[position] = random.integers(256)
            path.write_bytes(garbled)
            try:
                canvas = to_canvas(photo := open_photo(path))
                assert from_canvas(canvas, canvas.pixels).width in photo.size
            except DslrGanError as error:
                assert str(error).endswith(".")


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, coffee, monkeypatch):
    header = encoded(Image.new("1", (8, 8)), "PNG").getvalue()
    path = tmp_path / "bomb.png"
    for side in (30_000, 16_000):  # beyond Pillow's own limit, and beyond its warning only
        chunk = b"IHDR" + struct.pack(">II", side, side) + header[24:29]
        crc = struct.pack(">I", zlib.crc32(chunk))
        path.write_bytes(header[:12] + chunk + crc + header[33:])
        with pytest.raises(DslrGanError) as error:
            open_photo(path)
        assert "178 megapixels" in sentence(error, "bomb.png")
    coffee.save(path)
    monkeypatch.setattr(image, "MAX_PIXELS", coffee.width * coffee.height)
    open_photo(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", coffee.width * coffee.height // 2 + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_photo(path)  # Pillow would warn here
    monkeypatch.setattr(image, "MAX_PIXELS", coffee.width * coffee.height - 1)
    with pytest.raises(DslrGanError, match="too large"):
        open_photo(path)


def test_a_raw_file_is_not_mistaken_for_its_preview(tmp_path, coffee):
    tags = Image.Exif()
    tags[0xC612] = b"\1\4\0\0"
    coffee.save(tmp_path / "raw.tif", exif=tags)
    coffee.save(tmp_path / "photo.NEF", "TIFF")
    for name in ("raw.tif", "photo.NEF"):
        with pytest.raises(DslrGanError) as error:
            open_photo(tmp_path / name)
        assert "raw file" in sentence(error, name)


def test_the_first_frame_of_several(tmp_path):
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "green", "blue")]
    for kind in ("GIF", "TIFF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        file = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        canvas = to_canvas(open_photo(file))
        assert canvas.pixels[0, 0].tolist() == [255, 0, 0], kind
        assert from_canvas(canvas, canvas.pixels).size == (9, 7)


def test_open_files_and_streams(tmp_path, coffee):
    coffee.save(tmp_path / "photo.png")
    with (tmp_path / "photo.png").open("rb") as stream:
        assert same(open_photo(stream), coffee)
    assert same(open_photo(str(tmp_path / "photo.png")), coffee)
    with pytest.raises(DslrGanError, match="The photo is empty"):
        open_photo(io.BytesIO())


def test_the_original_may_go_once_a_photo_is_open(tmp_path, coffee):
    for suffix in ("bmp", "tif", "png"):
        path = tmp_path / f"photo.{suffix}"
        coffee.save(path)
        photo = open_photo(path)
        path.write_bytes(b"gone")
        assert same(photo, coffee)


# Saving ------------------------------------------------------------------------------------------


LOSSLESS = {
    "png": ("L", "LA", "RGB", "RGBA", "I;16"),
    "tif": ("L", "LA", "RGB", "RGBA", "I;16"),
    "jp2": ("L", "LA", "RGB", "RGBA", "I;16"),
    "bmp": ("L", "RGB"),
    "ppm": ("L", "RGB", "I;16"),
}


@pytest.mark.parametrize("suffix", sorted(LOSSLESS))
def test_lossless_formats_give_back_every_pixel(suffix, tmp_path):
    for mode in LOSSLESS[suffix]:
        photo = pictures()[mode]
        save_photo(photo, tmp_path / f"photo.{suffix}")
        read = open_photo(tmp_path / f"photo.{suffix}")
        canvas = to_canvas(read)
        assert same(from_canvas(canvas, canvas.pixels), photo), mode


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_lossy_formats_lose_little(suffix, coffee, tmp_path):
    save_photo(coffee, tmp_path / f"photo.{suffix}")
    read = np.asarray(open_photo(tmp_path / f"photo.{suffix}")).astype(int)
    error = np.abs(read - np.asarray(coffee))
    assert 0 < error.mean() < 3, f"mean {error.mean()}, maximum {error.max()}"


def test_webp_is_lossless_where_its_source_was(tmp_path):
    photo = pictures()["RGBA"]
    for lossless, animated in ((True, False), (False, False), (True, True)):
        frames = {"save_all": True, "append_images": [photo.rotate(90)]} if animated else {}
        source = open_photo(encoded(photo, "WEBP", lossless=lossless, exact=True, **frames))
        canvas = to_canvas(source)
        result = from_canvas(canvas, canvas.pixels)
        save_photo(result, tmp_path / "photo.webp")
        assert same(open_photo(tmp_path / "photo.webp"), result) == lossless
        assert same(open_photo(tmp_path / "photo.webp").getchannel("A"), photo.getchannel("A"))


@pytest.mark.parametrize(("chroma", "kept"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
def test_jpeg_keeps_the_chroma_subsampling_of_its_source(chroma, kept, coffee, tmp_path):
    for exif, wanted in ((b"", kept), (with_exif(6), 0 if kept == 1 else kept)):
        source = open_photo(encoded(coffee, "JPEG", subsampling=chroma, exif=exif))
        canvas = to_canvas(source)
        save_photo(from_canvas(canvas, canvas.pixels), tmp_path / "photo.jpg")
        result = open_photo(tmp_path / "photo.jpg")
        assert JpegImagePlugin.get_sampling(result) == wanted
        reference = open_photo(encoded(coffee, "JPEG", quality=95))
        assert result.quantization == reference.quantization


def test_jpeg_of_unknown_subsampling_gets_full_chroma(coffee, tmp_path):
    save_photo(coffee, tmp_path / "photo.jpg")
    assert JpegImagePlugin.get_sampling(open_photo(tmp_path / "photo.jpg")) == 0


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_the_profile_is_saved(suffix, coffee, tmp_path):
    wide = coffee.copy()
    wide.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    canvas = to_canvas(wide)
    save_photo(from_canvas(canvas, canvas.pixels), tmp_path / f"photo.{suffix}")
    assert open_photo(tmp_path / f"photo.{suffix}").info["icc_profile"] == rgb_profile(DISPLAY_P3)


def test_a_format_that_would_lose_something_is_refused(coffee, tmp_path):
    wide = coffee.copy()
    wide.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    cases = [
        (pictures()["RGBA"], "photo.jpg", "transparency"),
        (pictures()["LA"], "photo.bmp", "transparency"),
        (pictures()["I;16"], "photo.jpg", "16 bits"),
        (pictures()["I;16"], "photo.webp", "16 bits"),
        (wide, "photo.bmp", "colour profile"),
        (Image.new("RGB", (70_000, 1)), "photo.jpg", "JPEG may not hold it"),
    ]
    for photo, name, words in cases:
        with pytest.raises(DslrGanError) as error:
            save_photo(photo, tmp_path / name)
        assert words in sentence(error, name)
        assert "--format png" in str(error.value)
    wide.info["icc_profile"] = rgb_profile(SRGB)
    save_photo(wide, tmp_path / "photo.bmp")  # says no more than no profile does
    assert [each.name for each in tmp_path.iterdir()] == ["photo.bmp"]


def test_the_format_is_named_or_read_off_the_suffix(coffee, tmp_path):
    names = {
        "PNG": "PNG",
        ".jpeg": "JPEG",
        "JPG": "JPEG",
        "tif": "TIFF",
        "MPO": "JPEG",
        "jp2": "JPEG2000",
    }
    for name, wanted in names.items():
        assert find_format(name).name == wanted
    save_photo(coffee, tmp_path / "photo.jpg", format="png")
    assert open_photo(tmp_path / "photo.jpg").format == "PNG"
    for name, format in (("photo.xyz", None), ("photo", None), ("photo.png", "gif")):
        with pytest.raises(DslrGanError, match="choose one of jpg, png"):
            save_photo(coffee, tmp_path / name, format=format)


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(coffee, tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.png").mkdir()
    for name in ("file/photo.png", "folder.png"):
        with pytest.raises(DslrGanError) as error:
            save_photo(coffee, tmp_path / name)
        assert "check that the folder" in sentence(error, name)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder.png"]


def test_a_failed_save_leaves_the_old_file(coffee, tmp_path):
    path = tmp_path / "photo.jpg"
    coffee.save(path)
    before = path.read_bytes()
    with pytest.raises(DslrGanError):
        save_photo(Image.new("RGB", (70_000, 1)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_modes_are_saved_as_what_they_show(coffee, tmp_path):
    inks = coffee.convert("CMYK")
    inks.info["icc_profile"] = b"of inks"
    for photo in (coffee.quantize(16), inks, coffee.convert("1")):
        save_photo(photo, tmp_path / "photo.png")
        assert "icc_profile" not in open_photo(tmp_path / "photo.png").info
        canvas = to_canvas(photo)
        assert same(open_photo(tmp_path / "photo.png"), from_canvas(canvas, canvas.pixels))


# Memory ------------------------------------------------------------------------------------------


def test_a_large_photo_costs_few_copies(tmp_path):
    """12 megapixels, wide gamut and turned: 36 MB as bytes, 48 MB as Pillow holds them."""
    script = f"""
import resource, sys
from pathlib import Path
from dslr_gan.image import from_canvas, open_photo, save_photo, to_canvas
from PIL import Image
tiny = open_photo({str(tmp_path / "tiny.jpg")!r})
save_photo(from_canvas(c := to_canvas(tiny), c.pixels), Path({str(tmp_path / "out.jpg")!r}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
canvas = to_canvas(open_photo({str(tmp_path / "large.jpg")!r}))
save_photo(from_canvas(canvas, canvas.pixels), Path({str(tmp_path / "out.jpg")!r}))
sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""
    chelsea = Image.fromarray(data.chelsea())
    options = {"exif": with_exif(6), "icc_profile": rgb_profile(DISPLAY_P3), "quality": 80}
    chelsea.resize((40, 30)).save(tmp_path / "tiny.jpg", **options)
    chelsea.resize((4000, 3000)).save(tmp_path / "large.jpg", **options)
    root = Path(__file__).resolve().parent.parent
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    grown = int(run.stdout) / 1024
    assert grown < 450, f"resident memory grew by {grown:.0f} MB"


def test_canvas_is_plain_data():
    canvas = Canvas(np.zeros((2, 3, 3), np.uint8), "RGB")
    assert from_canvas(canvas, canvas.pixels).size == (3, 2)
