"""What GIF, JPEG 2000, PPM, AVIF and old PNGs have beside their pixels; XMP of all letters."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import format_to_write, notes, open_photo, photo_pixels, save_photo
from dslr_gan.photo.metadata import XMP as XMP_TAG
from tests.support.beside import (
    RECORD,
    RESOURCES,
    XMP,
    box,
    chunk,
    files,
    gif,
    gif_extension,
    jpeg,
    jpeg2000,
    png,
    raw_profile,
    xmp_segment,
)
from tests.support.photo_helpers import encoded, round_trip, with_exif
from tests.support.zoo import P3, as_png, deep_scene, scene

PACKET = XMP.format("", "").encode()
UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def opened(data: bytes) -> Image.Image:
    return open_photo(io.BytesIO(data))


def through(data: bytes, target) -> list[str]:
    """A file read and written in its own format where that holds it; what was said."""
    photo = opened(data)
    kind = format_to_write(photo)
    result = round_trip(photo)
    return [*notes(result), *save_photo(result, target, format=kind.name)]


def test_profile_and_xmp_of_a_gif(tmp_path):
    magic = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    data = gif(gif_extension(b"ICCRGBG1012", P3), b"!\xff\x0bXMP DataXMP" + PACKET + magic)
    assert through(data, tmp_path / "a") == []
    result = Image.open(tmp_path / "a")
    assert result.format == "PNG" and result.info["icc_profile"] == P3
    assert result.info["xmp"] == PACKET


def test_a_jpeg_2000_in_other_colours_becomes_a_png(tmp_path):
    through(jpeg2000(P3), tmp_path / "a")
    result = Image.open(tmp_path / "a")
    assert result.format == "PNG" and result.info["icc_profile"] == P3
    assert np.array_equal(np.asarray(result), np.asarray(scene()))


def test_exif_xmp_and_iptc_of_a_jpeg_2000(tmp_path):
    iptc = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38") + RECORD
    exif = b"JpgTiffExif->JP2" + with_exif(6)[6:]
    data = jpeg2000(b"", *(box(b"uuid", each) for each in (UUID + PACKET, exif, iptc)))
    said = through(data, tmp_path / "a")
    assert said == [
        "JPEG2000 holds no EXIF and no XMP; they were left out.",
        "Its IPTC was left out: JPEG2000 holds none.",
    ]
    assert Image.open(tmp_path / "a").size == scene().size[::-1]
    source = opened(data)
    save_photo(round_trip(source), tmp_path / "b.jpg")
    assert Image.open(tmp_path / "b.jpg").getexif()[ExifTags.Base.Make] == "Apple"
    assert RECORD in (tmp_path / "b.jpg").read_bytes()


def test_comments_of_jpeg_2000_and_ppm(tmp_path):
    assert through(encoded(scene(), "JPEG2000", comment="hello").getvalue(), tmp_path / "a") == []
    assert Image.open(tmp_path / "a").info["comment"] == b"hello"
    said = through(files()["PPM with a comment"], tmp_path / "b")
    assert said == ["Its comment was left out: PPM is written without."]
    made = b"P5\n# Created by GIMP\n2 2\n255\n\0\1\2\3"
    assert through(made, tmp_path / "c") == []


def test_profiles_in_the_texts_of_a_png(tmp_path):
    for kind, content in (("exif", with_exif(6)), ("APP1", with_exif(6)), ("iptc", RESOURCES)):
        assert through(png(raw_profile(kind, content)), tmp_path / "a") == []
        result = Image.open(tmp_path / "a")
        if kind == "iptc":
            assert RESOURCES.hex() in result.info["Raw profile type iptc"].replace("\n", "")
        else:
            assert result.size == scene().size[::-1]
            assert (
                result.info["exif"].endswith(with_exif(6)[-300:-50])
                or b"Apple" in result.info["exif"]
            )
    through(png(raw_profile("xmp", PACKET), raw_profile("icc", P3)), tmp_path / "a")
    info = Image.open(tmp_path / "a").info
    assert info["xmp"] == PACKET and info["icc_profile"] == P3
    said = through(png(chunk(b"tEXt", b"Raw profile type exif\0no digits")), tmp_path / "a")
    assert said == ["Its profile 'exif' is damaged and was left out."]


def test_exif_of_a_png_as_a_jpeg_has_it(tmp_path):
    assert through(png(chunk(b"eXIf", with_exif(6))), tmp_path / "a") == []
    result = Image.open(tmp_path / "a")
    assert result.getexif()[ExifTags.Base.Make] == "Apple" and result.size == (43, 61)


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"zTXt", b"k\0\5" + zlib.compress(b"x")),
        chunk(b"iTXt", b"k\0\1\0\0\0no zlib"),
        chunk(b"iTXt", b"k\0\2\0\0\0text"),
        chunk(b"iTXt", b"k\0\0\0"),
        chunk(b"tEXt", b"\0text"),
        chunk(b"tEXt", b"k"),
    ],
)
def test_a_text_that_others_could_not_read_is_not_carried(text, tmp_path):
    (said,) = through(png(text), tmp_path / "a")
    assert "is damaged or too large and was left out" in said
    Image.open(tmp_path / "a").load()


def test_no_note_has_control_letters(tmp_path):
    photo = round_trip(opened(png(chunk(b"tEXt", b"k\n\x1b[31m\0text"))))
    (said,) = save_photo(photo, tmp_path / "a.jpg")
    assert said.isprintable()


ACCENT = XMP.format("", "").replace(">me", ">café")
LATIN = b'<?xml version="1.0" encoding="ISO-8859-1"?>'


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize(
    "packet",
    [
        *(ACCENT.encode(name) for name in ("latin-1", "utf-16", "utf-32", "utf-16-be")),
        LATIN + ACCENT.encode("latin-1"),
        b"\xef\xbb\xbf" + ACCENT.encode() + b"\0",
    ],
)
def test_xmp_in_any_letters_comes_back_in_those_of_photos(packet, suffix, tmp_path):
    data = jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))
    assert save_photo(round_trip(opened(data)), tmp_path / f"a.{suffix}") == []
    result = Image.open(tmp_path / f"a.{suffix}")
    found = result.tag_v2[XMP_TAG] if suffix == "tif" else result.info["xmp"]
    assert found.decode() == ACCENT


def test_xmp_of_nothing_is_no_damage_but_a_doctype_is():
    nothing = '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?> <?xpacket end="w"?>'
    assert notes(round_trip(opened(jpeg(xmp_segment(nothing))))) == []
    bomb = "<!DOCTYPE x [<!ENTITY a 'b'>]>" + ACCENT
    said = notes(round_trip(opened(jpeg(xmp_segment(bomb)))))
    assert said == ["Its XMP is damaged and was left out."]


def with_pixels(data: bytes, change) -> bytes:
    """A PNG whose packed pixels are changed, all else being whole."""
    packed = data[data.index(b"IDAT") + 4 : -16]
    pixels = change(zlib.decompress(packed))
    return data[:33] + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def test_rows_that_are_missing_make_a_png_damaged():
    row = 1 + 3 * scene().width
    for rows in (1, 20):
        with pytest.raises(DslrGanError, match="damaged or cut off"):
            opened(with_pixels(png(), lambda pixels, rows=rows: pixels[: -rows * row]))
    interlaced = as_png(deep_scene(3), 16, greyscale=False, alpha=False, interlace=True)
    with pytest.raises(DslrGanError, match="damaged or cut off"):
        opened(with_pixels(interlaced, lambda pixels: pixels[:-2000]))
    for bits, channels in ((1, 1), (8, 3), (16, 4)):
        for interlace in (False, True):
            options = {"greyscale": channels < 3, "alpha": channels == 4, "interlace": interlace}
            black = np.zeros((13, 11, channels), np.uint16)
            assert not np.asarray(opened(as_png(black, bits, **options))).any()


def test_a_png_that_is_cut_behind_its_pixels_is_whole():
    data = png()
    for whole in (data[:-12], data[:-14], data[:-12] + struct.pack(">I4s", 99, b"IDAT") + b"ab"):
        assert np.array_equal(np.asarray(opened(whole)), np.asarray(scene()))


def test_odd_exif_of_an_avif_does_not_cost_its_pixels(tmp_path):
    data = bytearray(encoded(scene(), "AVIF", exif=with_exif(1), quality=95).getvalue())
    place = data.index(b"Exif\0\0II")
    data[place : place + 8] = b"abcdefgh"
    assert len(through(bytes(data), tmp_path / "a")) == 1
    error = np.abs(np.asarray(Image.open(tmp_path / "a")).astype(int) - scene())
    assert error.mean() < 3


def test_a_fine_avif_stays_fine(tmp_path):
    noise = np.random.default_rng(0).normal(0, 6, (120, 160, 3))
    photo = Image.fromarray((np.asarray(scene().resize((160, 120))) + noise).astype(np.uint8))
    errors, sizes = {}, {}
    for quality in (80, 100):
        data = encoded(photo, "AVIF", quality=quality, subsampling="4:4:4").getvalue()
        through(data, tmp_path / "a")
        before = np.asarray(Image.open(io.BytesIO(data))).astype(int)
        errors[quality] = np.abs(np.asarray(Image.open(tmp_path / "a")) - before).mean()
        sizes[quality] = (tmp_path / "a").stat().st_size
    assert errors[100] < 0.8  # quality 95 would be off by 1.7
    assert sizes[80] < 0.7 * sizes[100]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_of_16_bits(channels, order):
    pixels = deep_scene(channels)
    file = io.BytesIO()
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    options = {"photometric": "rgb", "planarconfig": "separate", "byteorder": order, **extra}
    tifffile.imwrite(file, planes, **options)
    source = photo_pixels(opened(file.getvalue()))
    assert source.dtype == np.uint16 and np.array_equal(source.pixels, pixels[..., :3])
