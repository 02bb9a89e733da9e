"""EXIF, XMP and resolution survive, and tell the truth about the result."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image
from skimage import data

from dslr_gan.photo import (
    notes,
    open_photo,
    photo_from_pixels,
    photo_pixels,
    save_photo,
    write_photo_in_parts,
)
from tests.support.beside import chunk, exif_segments, jpeg, png
from tests.support.photo_helpers import ORIENTATION, encoded, round_trip, same, with_exif


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
    source = photo_pixels(photo)
    assert np.array_equal(source.pixels, shown)
    save_photo(photo_from_pixels(source, source.pixels), tmp_path / "upright.png")
    again = open_photo(tmp_path / "upright.png")
    assert np.array_equal(np.asarray(again), shown)
    assert again.getexif()[ORIENTATION] == 1
    assert np.array_equal(photo_pixels(again).pixels, shown)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_exif_survives_in_every_format_that_holds_it(suffix, order, tmp_path):
    sensor = Image.fromarray(data.chelsea()).resize((64, 48))
    photo = open_photo(encoded(sensor, "JPEG", exif=with_exif(6, order)))
    save_photo(round_trip(photo), tmp_path / f"photo.{suffix}")
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
    source = photo_pixels(photo)  # Pillow itself turns a TIFF when it loads it
    assert np.array_equal(source.pixels, np.rot90(np.asarray(coffee), 1))
    for suffix in ("tif", "jpg"):
        save_photo(photo_from_pixels(source, source.pixels), tmp_path / f"photo.{suffix}")
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
    source = photo_pixels(open_photo(tmp_path / "pages.tif"))
    exif = Image.Exif()
    exif.load(photo_from_pixels(source, source.pixels).info["exif"])
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"


def block_of_a_camera(note: bytes, order: str) -> bytes:
    """EXIF as some cameras lay it out, with room between its parts: written anew it is another.

    The maker's note is where its own offsets say, so nothing may move.
    """
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    make, folder, place = 100, 120, 300
    first = struct.pack(order + "HHHII", 3, 0x10F, 2, 6, make)
    first += struct.pack(order + "HHIHH", 0x112, 3, 1, 6, 0)
    first += struct.pack(order + "HHIII", 0x8769, 4, 1, folder, 0)
    inner = struct.pack(order + "HHHI4s", 2, 0x9000, 7, 4, b"0230")
    inner += struct.pack(order + "HHIII", 0x927C, 7, len(note), place, 0)
    data = (start + first).ljust(make, b"\0") + b"NIKON\0"
    return b"Exif\0\0" + (data.ljust(folder, b"\0") + inner).ljust(place, b"\0") + note


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "heic", "avif"])
@pytest.mark.parametrize(("length", "order"), [(500, "<"), (65_000, ">"), (200_000, "<")])
def test_a_cameras_exif_stays_byte_for_byte(suffix, length, order, tmp_path):
    note = bytes(i * 7 % 251 for i in range(length))
    block = block_of_a_camera(note, order)
    photo = open_photo(io.BytesIO(jpeg(*exif_segments(block))))
    assert save_photo(round_trip(photo), tmp_path / f"a.{suffix}") == []
    exif = Image.open(tmp_path / f"a.{suffix}").getexif()
    assert exif[ExifTags.Base.Make] == "NIKON" and exif.get(ORIENTATION, 1) == 1
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] == note
    if suffix != "tif":  # whose tags are those of the file
        result = open_photo(tmp_path / f"a.{suffix}").info["exif"].removeprefix(b"Exif\0\0")
        # Only the first folder differs, in its orientation.
        assert result[100:] == block[106:] and result[:8] == block[6:14]


def test_a_photo_without_exif_gets_none(coffee):
    assert "exif" not in round_trip(coffee).info


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"II*\0"])
def test_broken_exif_is_dropped(coffee, exif):
    coffee = coffee.copy()
    coffee.info["exif"] = exif
    assert same(result := round_trip(coffee), coffee)
    assert "exif" not in result.info


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        bytes(20),
        b"II*\0\x08\0\0\0",
        b"MM\0*\0\0\0\x08" + bytes(6),
        b"II*\0\x08\0\0\0\0\0\x0e\0\0\0",
    ],
    ids=["name alone", "zeros", "head alone", "no tags", "no tags and a next folder"],
)
@pytest.mark.parametrize("make", [lambda exif: jpeg((0xE1, exif)),
                                  lambda exif: png(chunk(b"eXIf", exif[6:]))])  # fmt: skip
def test_exif_without_tags_is_not_called_damaged(make, rest, tmp_path):
    (tmp_path / "a.img").write_bytes(make(b"Exif\0\0" + rest))
    assert notes(photo_pixels(open_photo(tmp_path / "a.img"))) == []


XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {} dc:rights="me"/></x:xmpmeta>'


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("in_exif", [True, False])
def test_orientation_of_xmp_is_not_applied_a_second_time(suffix, in_exif, tmp_path):
    sensor = Image.fromarray(data.chelsea()).resize((64, 48))
    xmp = XMP.format('tiff:Orientation="6"').encode()
    photo = open_photo(encoded(sensor, "JPEG", xmp=xmp, exif=with_exif(6 if in_exif else None)))
    source = photo_pixels(photo)
    assert source.pixels.shape == (64, 48, 3)
    save_photo(photo_from_pixels(source, source.pixels), tmp_path / f"photo.{suffix}")
    result = open_photo(tmp_path / f"photo.{suffix}")
    assert b'dc:rights="me"' in result.info["xmp"]
    assert photo_pixels(result).pixels.shape == (64, 48, 3)


def test_of_xmp_only_what_it_says_of_a_video_beside_the_photo_is_dropped(coffee):
    xmp = XMP.format('GCamera:MotionPhoto="1"').encode()
    result = round_trip(open_photo(encoded(coffee, "JPEG", xmp=xmp)))
    assert result.info["xmp"] == XMP.format("").replace("  ", " ").encode()
    assert notes(result) == ["Its motion video was left out; the result is the still photo."]


def test_resolution_is_kept_and_turned(coffee, tmp_path):
    file = encoded(coffee, "JPEG", dpi=(300, 150), exif=with_exif(6))
    source = photo_pixels(open_photo(file))
    for suffix in ("jpg", "png", "tif"):
        save_photo(photo_from_pixels(source, source.pixels), tmp_path / f"photo.{suffix}")
        dpi = open_photo(tmp_path / f"photo.{suffix}").info["dpi"]
        assert tuple(round(number) for number in dpi) == (150, 300), suffix


# TIFF ----------------------------------------------------------------------------------------


def saved(path):
    """A photo's file opened, and saved as a TIFF beside it in both ways: what both lose."""
    photo = open_photo(path)
    source = photo_pixels(photo)
    lost = save_photo(photo_from_pixels(source, source.pixels), path.with_name("whole.tif"))
    with write_photo_in_parts(source, path.with_name("parts.tif")) as (writer, also_lost):
        whole = slice(0, source.height), slice(0, source.width)
        writer.paint(*whole, source.pixels.astype(np.float32) / source.top)
    assert lost == also_lost
    return notes(photo) + lost


def tags_of(path):
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages[0].tags}


def test_a_tag_that_is_broken_costs_no_other(tmp_path):
    path = tmp_path / "photo.tif"
    odd = [(271, "s", 0, b"Canon", True), (305, "f", 1, 1.5, True)]
    tifffile.imwrite(path, np.zeros((4, 5), np.uint8), extratags=odd, software=False)
    assert saved(path) == ["Some of its EXIF is damaged and was left out."]
    for name in ("whole.tif", "parts.tif"):
        assert tags_of(tmp_path / name)[271] == "Canon" and 305 not in tags_of(tmp_path / name)


def test_names_keep_their_letters(tmp_path):
    path = tmp_path / "photo.tif"
    artist = [(315, "s", 0, "Jürgen Øst".encode(), True)]
    tifffile.imwrite(path, np.zeros((4, 5), np.uint8), extratags=artist, software=False)
    assert saved(path) == []
    for name in ("whole.tif", "parts.tif"):
        assert "Jürgen Øst".encode() in (tmp_path / name).read_bytes()


def test_what_a_tiff_says_of_other_pages_and_layers_is_dropped(tmp_path):
    path = tmp_path / "photo.tif"
    layers = [(37724, 7, 4, b"8BIM", True), (297, 3, 2, (0, 3), True)]
    stack = np.zeros((3, 20, 30), np.uint8)
    tifffile.imwrite(path, stack, photometric="minisblack", extratags=layers, software=False)
    assert saved(path) == ["It has 3 pages; only the first is enhanced."]
    for name in ("whole.tif", "parts.tif"):
        assert not {270, 297, 37724} & set(tags_of(tmp_path / name))
        assert tifffile.imread(tmp_path / name).shape == (20, 30)


def test_no_folder_is_pointed_to_that_is_not_there(tmp_path):
    """An EXIF block whose GPS folder is empty, as some programs leave it when they clean it."""
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2)
    exif += struct.pack("<HHI4s", 271, 2, 4, b"LGE\0") + struct.pack("<HHII", 0x8825, 4, 1, 38)
    exif += struct.pack("<I", 0) + struct.pack("<HI", 0, 0)
    Image.new("RGB", (12, 9)).save(tmp_path / "photo.jpg", exif=exif)
    assert saved(tmp_path / "photo.jpg") == []
    for name in ("whole.tif", "parts.tif"):
        assert tags_of(tmp_path / name)[271] == "LGE"
        assert 0x8825 not in tags_of(tmp_path / name)


def test_broken_exif_never_keeps_a_photo_from_becoming_a_tiff(tmp_path):
    random = np.random.default_rng(0)
    whole, path = with_exif(), tmp_path / "photo.jpg"
    reported = 0
    for _ in range(80):
        block = bytearray(whole)
        for place in random.integers(6, len(block), 4):
            block[place] = random.integers(256)
        Image.new("RGB", (12, 9)).save(path, exif=bytes(block))
        reported += bool(saved(path))
        for name in ("whole.tif", "parts.tif"):
            with Image.open(tmp_path / name) as result:
                result.load()
    assert 0 < reported < 80
