"""A zoo of photos as people have them: each comes out right, or ends as one error message.

Every file is made by ``zoo.py``: each format, mode, depth, orientation and profile. Here they are
enhanced, and what comes out is read by Pillow, pypng and tifffile and compared with what went in.
Damaged, misnamed, hostile and oddly named files follow: what does not come out must be refused with
one error message, and must leave nothing behind.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import png
import pytest
import tifffile
import torch
from PIL import ExifTags, Image, JpegImagePlugin

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.photo import format_to_write, notes, open_photo, save_photo
from tests.support import zoo

SPECIMENS = zoo.specimens()
STEP = 16


class Brighter(torch.nn.Module):
    """Adds 16 levels, so that what must come out is known without a network."""

    receptive_radius, multiple, uses_context = 3, 2, False

    def forward(self, image, context=None):
        return image + STEP / 255

    def forward_tile(self, image, inner, context=None):
        return self(image, context)[..., *inner]


ENHANCER = PhotoEnhancer(Brighter(), tile=32)


def enhance(path: Path, out: Path) -> tuple[Path, list[str]]:
    """From file to file, as the command line does it; the result and what is said."""
    photo = open_photo(path, max_megapixels=20)
    kind = format_to_write(photo)
    result = ENHANCER.enhance(photo)
    target = out / f"result.{kind.suffixes[0]}"
    return target, [*notes(result), *save_photo(result, target)]


def bits_of(path: Path, photo: Image.Image) -> int:
    if photo.format == "PNG":
        return png.Reader(filename=str(path)).read()[3]["bitdepth"]
    return tifffile.imread(path).dtype.itemsize * 8 if photo.format == "TIFF" else 8


COMMON = {
    "JPEG": "JPEG with all",
    "progressive JPEG": "JPEG 4:2:0 progressive",
    "PNG": "PNG with all",
    "16-bit PNG": "16-bit PNG RGBA interlaced",
    "WebP": "WebP RGBA lossless",
    "TIFF": "TIFF of orientation 6",
    "packed TIFF": "16-bit TIFF RGB deflated",
    "HEIC": "HEIF of orientation 6",
    "AVIF": "AVIF of orientation 6",
    "GIF": "animated GIF",
    "BMP": "BMP RGB",
    "MPO": "MPO",
}

IN_SHORT = {*COMMON.values(), "gray profile", "JPEG in Display P3", "CMYK JPEG", "TIFF LAB plain"}
"""What a run without the slow tests looks at of the zoo."""


def test_the_zoo_is_large():
    assert len(SPECIMENS) >= 150 and SPECIMENS.keys() >= IN_SHORT


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in IN_SHORT else pytest.mark.slow) for name in SPECIMENS],
)
def test_a_photo_comes_out_right(name, tmp_path):
    specimen = SPECIMENS[name]
    source = tmp_path / "photo.bin"
    source.write_bytes(specimen.content)
    before = zoo.upright(Image.open(source)) if specimen.tolerance == zoo.LOSSY else None
    (tmp_path / "out").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path, said = enhance(source, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [path]
    result = Image.open(path)
    assert result.format == specimen.format
    assert result.size == (zoo.WIDTH, zoo.HEIGHT)
    assert bits_of(path, result) == specimen.depth
    deep_gray = specimen.depth == 16 and specimen.mode == "L"
    deep_gray_alpha = specimen.depth == 16 and specimen.mode == "LA" and result.format == "PNG"
    wanted = "I;16" if deep_gray else "RGBA" if deep_gray_alpha else specimen.mode
    assert result.mode == wanted
    if specimen.note:
        (note,) = said
        assert specimen.note in note and note.endswith(".")
    else:
        assert said == []
    check_metadata(specimen, result)
    expected = np.minimum(np.asarray(specimen.shown.convert("RGB")).astype(int) + STEP, 255)
    error = np.abs(np.asarray(zoo.upright(result)).astype(int) - expected)
    assert error.mean() <= specimen.tolerance, f"mean {error.mean()}, maximum {error.max()}"
    if before is not None:
        moved = np.asarray(zoo.upright(result)).astype(int) - np.asarray(before)
        assert abs(moved.mean() - STEP) < 1.5
    if "A" in specimen.mode and specimen.depth == 8:
        alpha = Image.open(source).convert("RGBA").getchannel("A")
        difference = np.abs(np.asarray(result.getchannel("A")).astype(int) - np.asarray(alpha))
        assert difference.max() <= (0 if specimen.tolerance < 1 else 8)


def check_metadata(specimen: zoo.Specimen, result: Image.Image) -> None:
    if specimen.exif:
        exif = result.getexif()
        assert exif[ExifTags.Base.Make] == "Apple"
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        assert (inner[0xA002], inner[0xA003]) == result.size
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
        assert not exif.get_ifd(ExifTags.IFD.IFD1)
        assert b"an old thumbnail" not in result.info.get("exif", b"")
    if specimen.xmp:
        assert b"tiff:Orientation" in result.info["xmp"]
    if specimen.icc:
        assert result.info["icc_profile"] == specimen.icc
    if specimen.dpi:
        assert tuple(round(float(number)) for number in result.info["dpi"]) == specimen.dpi
    if specimen.chroma is not None:
        assert JpegImagePlugin.get_sampling(result) == specimen.chroma


# What may fail ---------------------------------------------------------------------------------


def check_right_or_refused(path: Path, out: Path) -> str | None:
    """The error message, or None where a photo came out; anything else raises."""
    out.mkdir(exist_ok=True)
    try:
        result, _ = enhance(path, out)
    except DslrGanError as error:
        text = str(error)
        assert text.isprintable() and text.endswith("."), repr(text)
        assert list(out.iterdir()) == []
        return text
    with Image.open(result) as photo:
        photo.load()
    result.unlink()
    assert list(out.iterdir()) == []
    return None


@pytest.mark.parametrize("name", COMMON)
def test_truncated_at_twenty_places(name, tmp_path):
    whole = SPECIMENS[COMMON[name]].content
    path = tmp_path / "cut.bin"
    refused = 0
    for place in np.linspace(1, len(whole) - 1, 20).astype(int):
        path.write_bytes(whole[:place])
        refused += check_right_or_refused(path, tmp_path / "out") is not None
    # A second picture, a trailer or metadata at the end may be missing without harm.
    # (EXIF is the last thing in this HEIC, and all pixels are there without it.)
    assert refused >= {"MPO": 9, "GIF": 9, "HEIC": 14}.get(name, 16)


@pytest.mark.parametrize("name", COMMON)
def test_flipped_bytes(name, tmp_path):
    whole = SPECIMENS[COMMON[name]].content
    random = np.random.default_rng(len(whole))
    for _ in range(20):
        damaged = bytearray(whole)
        for place in random.integers(0, min(len(damaged), 2000), 5):
            damaged[place] ^= 1 << random.integers(8)
        (tmp_path / "flipped.bin").write_bytes(damaged)
        check_right_or_refused(tmp_path / "flipped.bin", tmp_path / "out")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "heic", "gif", "txt", ""])
@pytest.mark.parametrize("name", ["JPEG with all", "PNG RGBA", "HEIF RGB", "16-bit PNG RGB"])
def test_a_wrong_suffix_does_not_matter(name, suffix, tmp_path):
    path = tmp_path / f"photo.{suffix}"
    path.write_bytes(SPECIMENS[name].content)
    assert check_right_or_refused(path, tmp_path / "out") is None


NAMES = [
    "with spaces and  more.jpg",
    "new\nline.jpg",
    "carriage\rreturn.jpg",
    'it\'s "quoted".jpg',
    "Ærøskøbing 写真 📷.jpg",
    "-dash.jpg",
    "percent%s{braces}.jpg",
    "no text \udcff.jpg",
    "x" * 251 + ".jpg",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_odd_names(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(SPECIMENS["JPEG with all"].content)
    assert check_right_or_refused(path, tmp_path / "out") is None
    save_photo(open_photo(path), path)  # such names are written, too
    path.write_bytes(b"no photo")
    text = check_right_or_refused(path, tmp_path / "out")
    assert text is not None and "is not a photo" in text
    assert text.split()[0][:3] in repr(str(path)) + str(path)


@pytest.mark.parametrize("suffix", zoo.huge_headers())
def test_huge_headers_are_refused_before_decoding(suffix, tmp_path):
    path = tmp_path / f"huge.{suffix}"
    path.write_bytes(zoo.huge_headers()[suffix])
    text = check_right_or_refused(path, tmp_path / "out")
    assert text is not None and "65000x65000 pixels and the limit is 20 megapixels" in text


RAW = {
    "a.raf": b"FUJIFILMCCD-RAW 0201",
    "a.cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "misnamed.jpg": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "a.orf": b"IIRO\x08\0\0\0",
    "a.rw2": b"IIU\0\x18\0\0\0",
    "a.x3f": b"FOVb\3\0\2\0",
    "a.mrw": b"\0MRM\0\0\0\0",
    "a.nef": b"MM\0*\0\0\0\x08",
    "a.arw": b"unknown",
}


@pytest.mark.parametrize("name", RAW)
def test_raw_files_are_refused_with_a_converter(name, tmp_path):
    (tmp_path / name).write_bytes(RAW[name] + bytes(200))
    text = check_right_or_refused(tmp_path / name, tmp_path / "out")
    assert text is not None and "darktable or RawTherapee" in text


def test_what_holds_no_photo(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("I am no photo\n" * 50)
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    tifffile.imwrite(tmp_path / "float.tif", np.ones((5, 5), np.float32))
    tifffile.imwrite(tmp_path / "wide.tif", np.full((5, 5), 70_000, np.uint32))
    tifffile.imwrite(tmp_path / "volume.tif", np.ones((3, 5, 5, 7), np.uint16))
    words = {
        "empty.jpg": "is empty",
        "text.jpg": "is not a photo",
        "folder.jpg": "is a folder",
        "dangling.jpg": "does not exist",
        "loop.jpg": "cannot be read",
        "pipe.jpg": "a pipe",
        "float.tif": "floating-point",
        "wide.tif": "more than 16 bits",
    }
    for name, expected in words.items():
        text = check_right_or_refused(tmp_path / name, tmp_path / "out")
        assert text is not None and expected in text, name
    check_right_or_refused(tmp_path / "volume.tif", tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file(tmp_path):
    path = tmp_path / "locked.jpg"
    path.write_bytes(SPECIMENS["JPEG with all"].content)
    path.chmod(0)
    text = check_right_or_refused(path, tmp_path / "out")
    assert text is not None and "permissions" in text
