"""Every file ends as a picture or as one error message."""

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
import tifffile
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import (
    notes,
    open_photo,
    open_photo_in_parts,
    photo_from_pixels,
    photo_pixels,
    save_photo,
)
from dslr_gan.photo.tiff import begin_tiff
from tests.support.paths import ROOT
from tests.support.photo_helpers import encoded, message_of, round_trip, same, with_exif


def test_what_cannot_be_opened_gets_an_error_message(tmp_path):
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
        "phone.heic": "save it as JPEG",
        "n" * 300 + ".jpg": "cannot be read",
        "null\0byte.jpg": "cannot be read",
    }
    for name, words in wanted.items():
        with pytest.raises(DslrGanError) as error:
            open_photo(tmp_path / name)
        assert words in message_of(error, name)


def test_an_unreadable_file_gets_an_error_message(tmp_path, coffee, monkeypatch):
    coffee.save(tmp_path / "locked.png")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DslrGanError) as error:
        open_photo(tmp_path / "locked.png")
    assert "permissions" in message_of(error, "locked.png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "BMP", "PPM"])
def test_a_cut_off_file_is_refused(tmp_path, coffee, kind):
    whole = encoded(coffee, kind).getvalue()
    path = tmp_path / "cut.jpg"
    for share in (0.02, 0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DslrGanError) as error:
            open_photo(path)
        message_of(error, "cut.jpg")


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
                assert round_trip(photo := open_photo(path)).width in photo.size
            except DslrGanError as error:
                assert str(error).endswith(".")


def bomb(side: int) -> bytes:
    """A PNG whose header promises a square of ``side``."""
    header = encoded(Image.new("1", (8, 8)), "PNG").getvalue()
    chunk = b"IHDR" + struct.pack(">II", side, side) + header[24:29]
    return header[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + header[33:]


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, coffee, monkeypatch):
    path = tmp_path / "bomb.png"
    for side in (30_000, 16_000):  # beyond Pillow's own limit, and beyond its warning only
        path.write_bytes(bomb(side))
        with pytest.raises(DslrGanError) as error:
            open_photo(path)
        text = message_of(error, "bomb.png")
        assert f"{side}x{side} pixels and the limit is 250 megapixels" in text
    coffee.save(path)
    pixels = coffee.width * coffee.height
    open_photo(path, max_megapixels=pixels / 1e6)
    with pytest.raises(DslrGanError, match="too large"):
        open_photo(path, max_megapixels=(pixels - 1) / 1e6)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(DslrGanError, match="max_megapixels must be above 0"):
            open_photo(path, max_megapixels=wrong)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels // 3)  # Pillow's own would refuse it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(open_photo(path), coffee)


def test_too_little_memory_gets_an_error_message(tmp_path):
    """100 megapixels of one colour: a small file whose pixels do not fit."""
    Image.new("L", (10_000, 10_000)).save(tmp_path / "large.png")
    script = f"""
import resource
from dslr_gan.errors import DslrGanError
from dslr_gan.photo import open_photo
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, -1))
try:
    open_photo({str(tmp_path / "large.png")!r})
except DslrGanError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "not enough memory" in run.stdout and "large.png of 10000x10000" in run.stdout
    assert "about 800 MB" in run.stdout


def test_a_raw_file_is_not_mistaken_for_its_preview(tmp_path, coffee):
    tags = Image.Exif()
    tags[0xC612] = b"\1\4\0\0"
    coffee.save(tmp_path / "raw.tif", exif=tags)
    coffee.save(tmp_path / "photo.NEF", "TIFF")
    for name in ("raw.tif", "photo.NEF"):
        with pytest.raises(DslrGanError) as error:
            open_photo(tmp_path / name)
        assert "raw file" in (text := message_of(error, name)) and "darktable" in text


def test_the_first_frame_of_several(tmp_path):
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "green", "blue")]
    for kind in ("GIF", "TIFF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        file = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        source = photo_pixels(open_photo(file))
        assert source.pixels[0, 0].tolist() == [255, 0, 0], kind
        assert photo_from_pixels(source, source.pixels).size == (9, 7)


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


def test_twelve_bits_of_gray_are_all_of_the_scale(tmp_path):
    levels = np.array([[0, 1, 2048, 4095]])
    stream = io.BytesIO()
    begin_tiff(stream, (4, 1), 1, 12)
    packed = "".join(f"{level:012b}" for level in levels[0])
    stream.write(int(packed, 2).to_bytes(6, "big"))
    stream.seek(0)
    found = np.asarray(open_photo(stream)).astype(float)
    assert np.abs(found / 65535 - levels / 4095).max() < 1e-4


def test_gray_whose_white_is_nothing_is_no_negative(tmp_path):
    gray = np.arange(20, dtype=np.uint16).reshape(4, 5) * 3000
    path = tmp_path / "photo.tif"
    tifffile.imwrite(path, gray, photometric="miniswhite")
    with open_photo_in_parts(path) as left:
        for photo in (open_photo(path), left):
            assert np.array_equal(np.asarray(photo), 65535 - gray)
    save_photo(photo, tmp_path / "saved.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "saved.tif"), 65535 - gray)


def test_channels_without_a_meaning_are_reported(tmp_path):
    pixels = np.full((4, 5, 4), 7, np.uint8)
    path = tmp_path / "photo.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unspecified"])
    assert notes(open_photo(path)) == [
        "It has a channel of unknown meaning, which the result has not."
    ]
