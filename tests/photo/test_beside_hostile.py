"""What other programs put beside a photo's pixels: it is kept and true, or its loss is said."""

import io
import os
import struct

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from dslr_gan.enhance.resume import Record, State
from dslr_gan.photo import notes, open_photo, photo_pixels, save_photo
from dslr_gan.photo.writers import take_after
from tests.photo.test_beside import through
from tests.support.beside import EXTENDED_START, XMP, chunk, jpeg, png, webp_chunk, xmp_segment
from tests.support.photo_helpers import ADOBE_RGB, encoded, rgb_profile
from tests.support.zoo import scene

RESOURCE = b"Photoshop 3.0\08BIM" + struct.pack(">HHI", 0x040A, 0, 1) + b"\1\0"
WEBP = encoded(scene(), "WEBP").getvalue()
SOUND = b"SoundShot_000" + os.urandom(2000)
LOST = {
    "thermal": (jpeg((0xE1, b"FLIR\0\1\0\0" + bytes(9))), "thermal"),
    "stereo": (jpeg((0xE3, b"_JPSJPS_ab")), "APP3 (_JPSJPS_"),
    "a mark of Photoshop": (jpeg((0xED, RESOURCE)), "copyright mark"),
    "sound": (jpeg() + SOUND, "follows its picture"),
    "a second picture that nothing lists": (jpeg() + jpeg(), "follows its picture"),
    "two packets": (
        jpeg(xmp_segment(XMP.format("", "")), xmp_segment(XMP.format("dc:a='1'", ""))),
        "several packets",
    ),
    "layers": (png(chunk(b"mkBF", b"abc")), "chunk mkBF"),
    "mastering of HDR": (png(chunk(b"mDCV", bytes(24))), "chunk mDCV"),
    "behind a PNG": (png() + SOUND, "follows its picture"),
    "narrow range": (png(chunk(b"cICP", bytes([1, 13, 0, 0]))), "narrow range"),
    "a chunk of a WebP": (
        b"RIFF" + struct.pack("<I", len(WEBP) + 4) + WEBP[8:] + webp_chunk(b"ABCD", b"abcd"),
        "chunk ABCD",
    ),
    "a video behind a WebP": (WEBP + b"\0\0\0\x18ftypmp42" + bytes(99), "motion video"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_left_out_is_said(name):
    data, words = LOST[name]
    (note,) = notes(open_photo(io.BytesIO(data)))
    assert words in note


def test_what_is_no_loss_is_not_said():
    usual = jpeg((0xE0, b"JFXX\0\x10"), (0xEC, b"Ducky\0\1"), (0xE5, bytes(20)))
    for data in (usual + bytes(3000), usual + b"Image_UTC_DataSEFH" + bytes(80) + b"SEFT"):
        assert notes(open_photo(io.BytesIO(data))) == []
    for name in (b"tIME", b"sBIT"):
        assert notes(open_photo(io.BytesIO(png(chunk(name, bytes(7)))))) == []


def test_extended_xmp_with_a_gap_is_said_and_one_without_a_first_part_is_kept():
    text = XMP.format("", f"<dc:title>{'x' * 99}</dc:title>").encode()
    head = EXTENDED_START + b"A" * 32
    first, second = (
        (0xE1, head + struct.pack(">II", len(text), start) + part)
        for start, part in ((0, text[:200]), (200, text[200:]))
    )
    main = xmp_segment(XMP.format("", ""))
    (note,) = notes(open_photo(io.BytesIO(jpeg(main, first))))
    assert "second part of its XMP" in note
    alone = open_photo(io.BytesIO(jpeg(first, second)))
    assert alone.info["xmp"] == text and notes(alone) == []


def test_orientation_and_size_under_another_prefix(tmp_path):
    spaces = "xmlns:t='http://ns.adobe.com/tiff/1.0/' t:Orientation='6' t:ImageWidth='7'"
    data, _ = through(jpeg(xmp_segment(XMP.format(spaces, ""))), tmp_path / "a.jpg")
    assert b"t:Orientation='1' t:ImageWidth='%d'" % scene().width in data


# Colours by tags -------------------------------------------------------------------------------


def test_adobe_rgb_that_only_exif_names():
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 65535, 0xA005: {1: "R03"}})
    named = encoded(scene(), "JPEG", quality=95, exif=exif.tobytes())
    profiled = encoded(scene(), "JPEG", quality=95, icc_profile=rgb_profile(ADOBE_RGB))
    photo = open_photo(named)
    seen = [photo_pixels(each).pixels.astype(int) for each in (photo, open_photo(profiled))]
    # The curves differ: that profile of the tests has the curve of sRGB.
    assert np.abs(seen[0] - seen[1]).mean() < 3 < np.abs(seen[0] - np.asarray(scene())).max()
    assert "Adobe RGB" in notes(photo)[0]
    exif.get_ifd(0x8769)[0xA001] = 1
    assert notes(open_photo(encoded(scene(), "JPEG", exif=exif.tobytes()))) == []


def test_primaries_that_a_tiff_names(tmp_path):
    tags = {318: (0.3127, 0.329), 319: (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)}
    data = encoded(scene(), "TIFF", tiffinfo=tags).getvalue()
    through(data, tmp_path / "a.tif")
    result = Image.open(tmp_path / "a.tif")
    assert result.info["icc_profile"] and result.tag_v2[318] == tags[318]
    assert np.abs(np.asarray(result).astype(int) - np.asarray(scene())).max() <= 1


def light_of(values: np.ndarray) -> np.ndarray:
    """The curve of sRGB (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_curves_that_a_tiff_names(mode, tmp_path):
    photo = scene().convert(mode)
    linear = np.rint(light_of(np.asarray(photo) / 255) * 255).astype(np.uint8)
    table = tuple(int(each) for each in np.linspace(0, 65535, 256))  # values are light
    data = encoded(Image.fromarray(linear), "TIFF", tiffinfo={301: table * len(photo.getbands())})
    read = open_photo(data)
    assert notes(read) == []
    pixels = photo_pixels(read).pixels.astype(int)
    assert np.abs(pixels - np.asarray(photo.convert("RGB"))).mean() < 1
    through(data.getvalue(), tmp_path / "a.jpg")
    assert "icc_profile" in Image.open(tmp_path / "a.jpg").info


@pytest.mark.parametrize("table", [range(65535, 0, -256), range(255), [0] * 256, [70_000] * 256])
def test_tables_that_are_no_curves_are_noted(table):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[301] = 4
    tags[301] = tuple(table) * 3
    photo = open_photo(encoded(scene(), "TIFF", tiffinfo=tags))
    assert any("TransferFunction mean no curve" in note for note in notes(photo))


# Files -----------------------------------------------------------------------------------------


def test_a_path_in_bytes_is_written_to(tmp_path):
    assert save_photo(scene(), os.fsencode(tmp_path / "a.png")) == []
    assert open_photo(os.fsencode(tmp_path / "a.png")).size == scene().size


def test_rights_of_single_users_do_not_become_rights_of_the_group(tmp_path):
    like, file = tmp_path / "like", tmp_path / "file"
    like.touch(mode=0o600)
    file.touch()
    entries = [(1, 6, -1), (2, 4, 1234), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
    rights = b"\2\0\0\0" + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(like, "system.posix_acl_access", rights)
    except OSError:
        pytest.skip("the disk has no access control lists")
    assert like.stat().st_mode & 0o777 == 0o640  # the limit of the list, which is not the group's
    take_after(file, like)
    assert os.getxattr(file, "system.posix_acl_access") == rights


def test_a_result_on_a_disk_of_whole_seconds_is_finished(tmp_path):
    photo, result = tmp_path / "a.png", tmp_path / "out" / "a.png"
    result.parent.mkdir()
    for file in (photo, result):
        scene().save(file)
    os.utime(photo, ns=(0, 1_700_000_001_900_000_000))
    os.utime(result, ns=(0, 1_700_000_000_000_000_000))  # as FAT has it
    assert Record(result.parent).state(photo, result, "") == State.BY_DATE
    os.utime(result, ns=(0, 1_600_000_000_000_000_000))
    assert Record(result.parent).state(photo, result, "") == State.OLDER
