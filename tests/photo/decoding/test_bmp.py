"""BMPs of every layout show what they show elsewhere, or the rare kind is named."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import format_note, format_to_write, notes, open_photo
from dslr_gan.photo.decoding.bmp import rare_bmp
from tests.support.beside import bmp, bmps, indexed, masked, run_lengths
from tests.support.photo_helpers import encoded
from tests.support.zoo import P3, scene

ROWS = np.asarray(scene())[..., ::-1].reshape(scene().height, -1)


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(open_photo(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize("header", [12, 16, 20, 40, 52, 56, 64, 108, 124])
@pytest.mark.parametrize("top_down", [False, True])
def test_headers_of_every_size(header, top_down):
    top_down = top_down and header > 12  # whose height has no sign
    data = bmp(ROWS, 24, header=header, top_down=top_down)
    assert np.array_equal(pixels_of(data), np.asarray(scene()))


@pytest.mark.parametrize(
    ("bits", "colours"), [(1, 2), (2, 4), (4, 2), (4, 16), (8, 2), (8, 16), (8, 200)]
)
def test_palettes(bits, colours):
    photo, rows, palette = indexed(bits, colours)
    wanted = np.asarray(photo.convert("RGB"))
    assert np.array_equal(pixels_of(bmp(rows, bits, palette)), wanted)
    short = palette.ljust(4 * 2**bits, b"\0")
    three = b"".join(short[i : i + 3] for i in range(0, len(short), 4))
    assert np.array_equal(pixels_of(bmp(rows, bits, three, header=12)), wanted)


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_black_and_white_of_any_bits(bits):
    """Pillow takes two colours of 4 and 8 bits for one bit."""
    white = np.asarray(scene().convert("L")) > 128
    groups = np.pad(white, ((0, 0), (0, -white.shape[1] % (8 // bits)))).reshape(43, -1, 8 // bits)
    rows = (groups << np.arange(8 - bits, -1, -bits)).sum(axis=2).astype(np.uint8)
    photo = open_photo(io.BytesIO(bmp(rows, bits, bytes(4) + b"\xff\xff\xff\0")))
    assert photo.mode == "L" and np.array_equal(np.asarray(photo), white * np.uint8(255))


@pytest.mark.parametrize(
    ("sizes", "bits"), [((5, 5, 5), 16), ((5, 6, 5), 16), ((4, 4, 4), 16), ((10, 11, 11), 32)]
)
def test_masks_of_any_size(sizes, bits):
    rows, masks = masked(sizes, bits)
    pixels = np.asarray(scene()).astype(float)
    tops = 2.0 ** np.array(sizes) - 1
    wanted = np.floor(pixels * tops / 255) * 255 / tops
    for header, options in ((40, {}), (56, {"more": bytes(4)})):
        data = bmp(rows, bits, header=header, packing=3, masks=masks, **options)
        assert np.abs(pixels_of(data) - wanted).max() <= 0.51
    said = notes(open_photo(io.BytesIO(data)))
    deep = ["It has 11 bits per channel; the result has 8 bits."]
    assert said == (deep if bits == 32 else [])


def test_masks_with_alpha():
    alpha = np.linspace(0, 255, scene().width).astype(np.uint8)
    photo = scene().convert("RGBA")
    photo.putalpha(Image.fromarray(np.broadcast_to(alpha, (scene().height, scene().width)).copy()))
    rows = np.asarray(photo)[..., [2, 1, 0, 3]].reshape(scene().height, -1)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    opened = open_photo(io.BytesIO(bmp(rows, 32, packing=6, masks=masks)))
    assert opened.mode == "RGBA" and np.array_equal(np.asarray(opened), np.asarray(photo))


@pytest.mark.parametrize("bits", [4, 8])
def test_run_lengths(bits):
    photo, rows, palette = indexed(bits, 16)
    packing = {8: 1, 4: 2}[bits]
    data = bmp(rows, bits, palette, packing=packing, data=run_lengths(photo, bits))
    assert np.array_equal(pixels_of(data), np.asarray(photo.convert("RGB")))
    with pytest.raises(DslrGanError, match="damaged or cut off"):
        open_photo(io.BytesIO(data[:-900]))
    # A step of two to the right and one up, then one pixel, and the end.
    steps = b"\0\2\2\1" + bytes([1, 1 if bits == 8 else 16]) + b"\0\1"
    found = pixels_of(bmp(rows, bits, bytes(4) + b"\1\2\3\0", packing=packing, data=steps))
    assert found.sum() == 6 and list(found[-2, 2]) == [3, 2, 1]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_inside(kind):
    inside = encoded(scene(), kind).getvalue()
    data = bmp(ROWS, 0, packing={"JPEG": 4, "PNG": 5}[kind], data=inside)
    photo = open_photo(io.BytesIO(data))
    assert photo.format == "BMP"
    assert np.array_equal(np.asarray(photo), np.asarray(Image.open(io.BytesIO(inside))))


def test_what_is_not_read_is_called_rare_or_damaged_as_it_is():
    rare = {"24 bits, packed in the way 9": {"packing": 9}, "header type (200)": {"header": 200}}
    for words, options in rare.items():
        with pytest.raises(DslrGanError, match="rare kind") as error:
            open_photo(io.BytesIO(bmp(ROWS, 24, **options)))
        assert words in str(error.value)
    with pytest.raises(DslrGanError, match="damaged or cut off"):
        open_photo(io.BytesIO(bmp(*indexed(4, 16)[1:2], 4, indexed(4, 16)[2])[:-200]))
    with pytest.raises(DslrGanError, match="the limit is 0.001 megapixels"):
        open_photo(io.BytesIO(bmp(*indexed(4, 16)[1:2], 4)), max_megapixels=0.001)
    assert rare_bmp(encoded(scene(), "PNG")) is None


def test_colours_that_a_bmp_names():
    photo = open_photo(io.BytesIO(bmps()["BMP in Display P3"]))
    assert photo.info["icc_profile"] == P3
    note = format_note(photo, format_to_write(photo))
    assert note == "BMP does not hold what an enhanced photo needs; the result is a PNG."
    # Adobe RGB by its end points, which are its primaries scaled to its white.
    ends = (0.57667, 0.29734, 0.02703, 0.18556, 0.62736, 0.07069, 0.18823, 0.07529, 0.99134)
    fields = struct.pack("<9I3I", *(round(e * 2**30) for e in ends), *[round(2.2 * 65536)] * 3)
    masks = struct.pack("<4I", 0, 0, 0, 0)
    data = bmp(ROWS, 24, header=108, masks=masks, more=bytes(4) + fields)
    opened = open_photo(io.BytesIO(data))
    seen = Image.open(io.BytesIO(data)).info.get("icc_profile")
    assert seen is None and b"gXYZ" in opened.info["icc_profile"]
    nothing = bmp(ROWS, 24, header=108, masks=masks, more=bytes(52))
    assert "icc_profile" not in open_photo(io.BytesIO(nothing)).info
