"""EXIF, XMP and resolution survive, and tell the truth about the result."""

import numpy as np
import pytest
from photo_helpers import ORIENTATION, encoded, same, with_exif
from PIL import ExifTags, Image
from skimage import data

from dslr_gan.image import from_canvas, open_photo, save_photo, to_canvas


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
