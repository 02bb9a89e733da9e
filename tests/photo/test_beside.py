"""What a photo's file has beside its pixels: kept where it stays true, else its loss is said."""

import io
import os
import struct
import zlib
from itertools import product

import numpy as np
import pytest
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import notes, open_photo, photo_from_pixels, photo_pixels, save_photo
from dslr_gan.photo.beside.profiles import make_profile
from dslr_gan.photo.beside.xmp import with_history
from dslr_gan.photo.metadata import HISTORY
from tests.support.beside import VIDEO, XMP, avif_in, chunk, jpeg, png, xmp_segment
from tests.support.photo_helpers import encoded, with_exif
from tests.support.zoo import scene

P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def through(data: bytes, target) -> tuple[bytes, list[str]]:
    """A file read and written: the result's bytes, and what was said."""
    source = photo_pixels(open_photo(io.BytesIO(data)))
    said = save_photo(photo_from_pixels(source, source.pixels), target)
    return target.read_bytes(), [*notes(source), *said]


# Colours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (b"gAMA", struct.pack(">I", 100_000)),
        (b"cICP", bytes([12, 13, 0, 1])),
        (b"cICP", bytes([9, 16, 0, 1])),
        (b"sRGB", b"\0"),
    ],
)
def test_colours_that_a_png_names_come_back_as_they_were_named(name, content, tmp_path):
    data, said = through(png(chunk(name, content)), tmp_path / "a.png")
    assert chunk(name, content) in data and b"iCCP" not in data
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(scene()))
    assert [note[:23] for note in said] == ["Its colours are HDR (PQ"] * (content[1:2] == b"\x10")


def test_the_network_sees_what_a_linear_png_shows():
    pixels = np.asarray(scene()) / 255
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    photo = Image.fromarray(np.round(linear * 255).astype(np.uint8))
    data = png(chunk(b"gAMA", struct.pack(">I", 100_000)), photo=photo)
    seen = photo_pixels(open_photo(io.BytesIO(data))).pixels
    assert np.abs(seen.astype(int) - np.asarray(scene())).mean() < 1


@pytest.mark.parametrize("suffix", ["jpg", "tif", "webp"])
def test_in_another_format_a_profile_says_it(suffix, tmp_path):
    data = png(chunk(b"cICP", bytes([12, 13, 0, 1])))
    through(data, tmp_path / f"a.{suffix}")
    assert Image.open(tmp_path / f"a.{suffix}").info["icc_profile"] == make_profile(P3, 0)


def test_colours_that_only_nclx_names(tmp_path):
    through(avif_in(12, 13), tmp_path / "a.avif")
    assert Image.open(tmp_path / "a.avif").info["icc_profile"] == make_profile(P3, 0)
    assert "HDR (HLG)" in through(avif_in(9, 18), tmp_path / "b.avif")[1][0]


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        *product(("HEIF", "AVIF"), [(200, 200, 1), (0, 0, 5), (3, 65535, 200), (1, 13, 3)]),
        ("AVIF", (1, 13, 0)),  # red, green and blue as they are, which fewer colours cannot be
    ],
)
def test_colours_whose_numbers_nobody_knows_do_not_cost_the_photo(kind, numbers, tmp_path):
    exif = with_exif(1)
    data = bytearray(encoded(scene(), kind, quality=95, exif=exif).getvalue())
    place = data.index(b"nclx") + 4
    struct.pack_into(">HHH", data, place, *numbers)
    photo = open_photo(io.BytesIO(data))
    said = notes(photo)
    assert any("does not know" in note for note in said) == (numbers[:2] != (1, 13))
    assert any("matrix" in note for note in said) == (numbers[2] not in (1, 5))
    assert photo.info["exif"] and "icc_profile" not in photo.info
    error = np.abs(np.asarray(photo.convert("RGB")).astype(int) - np.asarray(scene()))
    assert error.mean() < 12


# Odd parts -------------------------------------------------------------------------------------

BIG = bytes(1_500_000)
ODD = {
    "wrong checksum": png(chunk(b"tEXt", b"a\0b", 5)),
    "large text": png(chunk(b"zTXt", b"a\0\0" + zlib.compress(BIG))),
    "large profile": png(chunk(b"iCCP", b"a\0\0" + zlib.compress(BIG))),
    "longer than the file": png(struct.pack(">I", 2**30) + b"tEXt"),
    "no end of a PNG": png()[:-12],
    "short resolution": png(chunk(b"pHYs", b"abc")),
    "short gamma": png(chunk(b"gAMA", b"abcdefg")),
    "segment longer than the file": jpeg()[:2] + b"\xff\xe5\xff\xf0ab" + jpeg()[2:],
    "short profile": jpeg((0xE2, b"ICC_PROFILE\0")),
    "short resources": jpeg((0xED, b"Photoshop 3.0\08BIM\4\4")),
    "no end of a JPEG": jpeg()[:-2],
    "a WebP that is too short": encoded(scene(), "WEBP", xmp=b"<x/>").getvalue()[:-4],
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_beside_the_pixels_does_not_cost_them(name, tmp_path):
    kind = "png" if ODD[name][1:4] == b"PNG" else "jpg" if ODD[name][0] == 0xFF else "webp"
    through(ODD[name], tmp_path / f"a.{kind}")
    error = np.abs(np.asarray(Image.open(tmp_path / f"a.{kind}")).astype(int) - scene())
    assert error.mean() < 3


def ended(part: float, mode: str = "RGB", **options) -> bytes:
    """A JPEG that ends early, and properly, as of a camera that lost its power."""
    data = encoded(scene().convert(mode), "JPEG", quality=95, **options).getvalue()
    start = data.rindex(b"\xff\xda")
    return data[: start + int((len(data) - start) * part)].rstrip(b"\xff") + b"\xff\xd9"


@pytest.mark.parametrize(
    "data",
    [
        png()[: len(png()) // 2],
        jpeg()[:-60],
        ended(0.3),
        ended(0.9, "L"),
        ended(0.5, "CMYK"),
        ended(0.8, restart_marker_blocks=3),
        ended(0.5, subsampling=2) + VIDEO,
    ],
)
def test_missing_pixels_make_a_photo_damaged(data):
    with pytest.raises(DslrGanError, match="damaged or cut off"):
        open_photo(io.BytesIO(data))


def test_gray_in_the_corner_is_no_missing_pixel():
    for options in ({}, {"progressive": True}):
        data = encoded(Image.new("RGB", (40, 40), (128, 128, 128)), "JPEG", **options)
        assert notes(open_photo(data)) == []


def test_missing_scans_of_a_progressive_jpeg_are_noted():
    whole = encoded(scene(), "JPEG", quality=95, progressive=True).getvalue()
    last = whole.rindex(b"\xff\xda")
    assert notes(open_photo(io.BytesIO(whole))) == []
    cut = open_photo(io.BytesIO(whole[:last] + b"\xff\xd9"))
    assert notes(cut) == ["Its file ends before its last scans; fine detail is missing."]


# What is kept, what is said --------------------------------------------------------------------


def test_text_comments_and_iptc_are_kept(tmp_path):
    text = chunk(b"tEXt", b"parameters\0a cat, steps 20")
    data, said = through(png(text), tmp_path / "a.png")
    assert text in data and said == []
    said = through(png(text), tmp_path / "a.jpg")[1]
    assert said == ["Its text (parameters) was left out: JPEG holds none."]
    record = b"\x1c\x02\x78\0\x05abcde"
    resource = b"8BIM\4\4\0\0" + struct.pack(">I", len(record)) + record
    both = jpeg((0xED, b"Photoshop 3.0\0" + resource), (0xFE, b"hello"))
    for suffix in ("jpg", "png"):
        data, said = through(both, tmp_path / f"b.{suffix}")
        assert said == [] and b"hello" in data
        assert resource in through(data, tmp_path / "c.jpg")[0]
    assert record in through(both, tmp_path / "b.tif")[0]
    assert len(through(both, tmp_path / "b.webp")[1]) == 2


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (jpeg((0xEB, b"JP\0\1\0\0\0\1\0\0\0\x28jumb")), "C2PA"),
        (png(chunk(b"caBX", b"jumb")), "C2PA"),
        (jpeg((0xE2, b"urn:iso:std:iso:ts:21496:-1\0")), "gain map"),
        (jpeg() + b"\0\0\0\x18ftypmp42" + bytes(99), "motion video"),
    ],
)
def test_what_a_result_cannot_have_is_said_once(data, word, tmp_path):
    (note,) = through(data, tmp_path / ("a.png" if data[1:4] == b"PNG" else "a.jpg"))[1]
    assert word in note


def test_of_xmp_only_what_is_about_other_parts_goes(tmp_path):
    spaces = "xmlns:c='http://ns.google.com/photos/1.0/camera/' c:MotionPhoto='1' c:BurstID='7'"
    items = (
        "<C:Directory xmlns:C='http://ns.google.com/photos/1.0/container/'><rdf:Seq><rdf:li "
        "rdf:parseType='Resource'><C:Item C:x='1'/></rdf:li></rdf:Seq></C:Directory>"
    )
    data, said = through(jpeg(xmp_segment(XMP.format(spaces, items))), tmp_path / "a.jpg")
    assert said == ["Its motion video was left out; the result is the still photo."]
    assert Image.open(io.BytesIO(data)).info["xmp"].decode() == XMP.format(
        "xmlns:c='http://ns.google.com/photos/1.0/camera/' c:BurstID='7'", ""
    )


def test_a_long_xmp_is_read_and_written_in_two_parts(tmp_path):
    long = "<dc:description>" + "é" * 60_000 + "</dc:description>"
    second = f"<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'>{long}"
    packet = XMP.format("", "").replace("</rdf:RDF>", second + "</rdf:Description></rdf:RDF>")
    photo = scene()
    photo.info["xmp"] = packet.encode()
    assert save_photo(photo, tmp_path / "a.jpg") == []
    again = open_photo(tmp_path / "a.jpg").info["xmp"].decode()
    assert "HasExtendedXMP" not in again and again.count("é") == 60_000
    assert again.count("<dc:rights>me") == 1


def test_the_history_says_what_made_a_result(tmp_path):
    for suffix in ("jpg", "png", "webp", "tif", "avif"):
        photo = scene()
        photo.info[HISTORY] = ("dslr_gan 1", 'model "a & b"')
        assert save_photo(photo, tmp_path / f"a.{suffix}") == []
        xmp = open_photo(tmp_path / f"a.{suffix}").info["xmp"]
        assert b"dslr_gan 1" in xmp and b"a &amp; b" in xmp
        assert with_history(xmp, "two", "b").count(b"<rdf:li") == 2
    photo.info[HISTORY] = ("dslr_gan 1", "model")
    assert save_photo(photo, tmp_path / "a.bmp") == []


# Paths and messages ----------------------------------------------------------------------------


def test_whatever_open_takes_is_opened(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    for path in (str(tmp_path / "a.png").encode(), next(os.scandir(tmp_path))):
        assert open_photo(path).size == scene().size
    stream = (tmp_path / "a.png").open("rb")
    stream.close()
    with pytest.raises(DslrGanError, match="is closed"):
        open_photo(stream)
    with pytest.raises(TypeError, match="got a int"):
        open_photo(5)  # type: ignore[arg-type]


def test_a_damaged_photo_is_called_damaged():
    for data in (jpeg()[:20], png()[:20]):
        with pytest.raises(DslrGanError, match="damaged or cut off"):
            open_photo(io.BytesIO(data))
    rare = bytearray(encoded(scene(), "BMP").getvalue())
    rare[30:34] = struct.pack("<I", 5)
    with pytest.raises(DslrGanError, match="rare kind"):
        open_photo(io.BytesIO(bytes(rare)))
