"""New pixels for a photo: into memory, and into the file of a TIFF."""

import errno
import io

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageChops

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import (
    InMemoryWriter,
    open_photo,
    open_photo_in_parts,
    photo_from_pixels,
    photo_pixels,
    save_photo,
    write_photo_in_parts,
)
from dslr_gan.photo.photo import photo_of
from dslr_gan.photo.sixteen_bit import split_bytes
from dslr_gan.photo.tensors import grayscale
from dslr_gan.photo.writers import TiffWriter
from tests.support.photo_helpers import (
    ADOBE_RGB,
    deep_pixels,
    encoded,
    facts_of,
    pictures,
    rgb_profile,
    same,
    with_exif,
)


def test_other_pixels_arrive_and_alpha_stays():
    photo = pictures()["RGBA"]
    source = photo_pixels(photo)
    result = photo_from_pixels(source, 255 - source.pixels)
    assert same(result.getchannel("A"), photo.getchannel("A"))
    assert same(result.convert("RGB"), ImageChops.invert(photo.convert("RGB")))


def test_colour_put_on_a_gray_photo_becomes_its_luma():
    gray = pictures()["L"]
    source = photo_pixels(gray)
    colourful = source.pixels.copy()
    colourful[..., 0] = 200
    result = photo_from_pixels(source, colourful)
    assert same(result, Image.fromarray(colourful).convert("L"))


def test_sixteen_bits_keep_their_low_byte():
    photo = Image.fromarray(np.array([[0, 1, 257, 32768, 65534, 65535]], dtype=np.uint16))
    source = photo_pixels(photo)
    assert source.pixels[0, :, 1].tolist() == [0, 1, 257, 32768, 65534, 65535]
    shifted = np.clip(source.pixels.astype(int) + 3, 0, 65535).astype(np.uint16)
    assert np.asarray(photo_from_pixels(source, shifted)).tolist() == [
        [3, 4, 260, 32771, 65535, 65535]
    ]


def test_pixels_of_another_shape_or_depth_are_refused():
    source = photo_pixels(pictures()["RGB"])
    with pytest.raises(ValueError, match="shape"):
        photo_from_pixels(source, source.pixels[1:])
    with pytest.raises(ValueError, match="uint8"):
        photo_from_pixels(source, source.pixels.astype(np.uint16))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_a_black_and_white_photo_stays_one(mode, deep):
    """In whatever mode it comes; the gray is the one that tensors would have become."""
    gray = deep_pixels(2, 9, 11)
    pixels = np.dstack((gray[..., :1],) * 3 if mode.startswith("RGB") else (gray[..., :1],))
    if "A" in mode:
        pixels = np.dstack((pixels, gray[..., 1:]))
    if deep and mode == "L":
        photo = Image.fromarray(pixels[..., 0])
    elif deep:
        photo, low = split_bytes(pixels)
        photo_of(photo).low_bytes = low
    else:
        photo = Image.fromarray((pixels >> 8).astype(np.uint8).squeeze())
    source = photo_pixels(photo)
    assert source.colourless
    tinted = np.random.default_rng(0).random((9, 11, 3), np.float32)
    luma = grayscale(torch.from_numpy(tinted).permute(2, 0, 1)[None])[0, 0].numpy()
    before = source.pixels[..., 0].astype(np.float32) / source.top
    whole = slice(0, 9), slice(0, 11)
    for strength in (1.0, 0.5):
        writer = InMemoryWriter(source)
        writer.paint(*whole, tinted, strength)
        expected = luma if strength == 1 else before + strength * (luma - before)
        found = photo_pixels(writer.photo()).pixels
        levels = np.rint(expected * source.top).astype(source.dtype)
        assert np.array_equal(found, np.dstack((levels,) * 3))
    if mode == "RGB":  # colours that somebody wants on it are another matter
        wanted = np.rint(tinted * source.top).astype(source.dtype)
        assert np.array_equal(photo_pixels(photo_from_pixels(source, wanted)).pixels, wanted)


# From file to file -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "RGB16", "RGBA16", "LA16"])
def test_written_part_by_part_a_tiff_is_what_it_is_written_whole(mode, enhancer, tmp_path):
    path = tmp_path / "photo.tif"
    metadata = {"exif": with_exif(), "dpi": (300, 300)}
    if mode.endswith("16") and mode != "I;16":
        path = path.with_suffix(".png")
        photo, low = split_bytes(deep_pixels(len(mode) - 2))
        photo_of(photo).low_bytes = low
        save_photo(photo, path)
    else:
        profile = rgb_profile(ADOBE_RGB) if mode.startswith("RGB") else b""
        pictures()[mode].save(path, **metadata, icc_profile=profile)
    photo = open_photo(path)
    expected_lost = save_photo(enhancer.enhance(photo, 0.7), tmp_path / "whole.tif")
    with open_photo_in_parts(path) as photo:
        lost = enhancer.enhance_to_file(photo, tmp_path / "parts.tif", 0.7)
    assert lost == expected_lost
    one, other = (open_photo(tmp_path / name) for name in ("whole.tif", "parts.tif"))
    for left, right in zip(facts_of(one), facts_of(other), strict=True):
        assert np.array_equal(left, right)
    assert not np.array_equal(facts_of(open_photo(path))[0], facts_of(other)[0])
    kept = ("icc_profile", "dpi", "exif", "xmp")
    assert {key: one.info.get(key) for key in kept} == {key: other.info.get(key) for key in kept}
    if mode in ("RGB", "RGBA"):
        assert other.info["icc_profile"] and other.info["exif"]
    # And a reader that is not Pillow's sees the same.
    assert np.array_equal(*(tifffile.imread(tmp_path / f) for f in ("whole.tif", "parts.tif")))


def test_any_format_can_become_a_tiff_or_be_written_at_the_end(enhancer, tmp_path):
    source = tmp_path / "photo.jpg"
    source.write_bytes(encoded(pictures()["RGB"], "JPEG", exif=with_exif(6)).read())
    expected = enhancer.enhance(open_photo(source))
    with open_photo_in_parts(source) as photo:
        assert enhancer.enhance_to_file(photo, tmp_path / "new" / "photo.tif") == []
        enhancer.enhance_to_file(photo, tmp_path / "new" / "photo", format="png")
    for name in ("photo.tif", "photo"):
        assert np.array_equal(open_photo(tmp_path / "new" / name), expected)


class Full(io.BytesIO):
    """A file on a disk without room."""

    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_no_room_gets_an_error_message_and_leaves_no_file(enhancer, tmp_path, monkeypatch):
    begin = TiffWriter.__init__
    monkeypatch.setattr(
        TiffWriter, "__init__", lambda self, source, _, *rest: begin(self, source, Full(), *rest)
    )
    with pytest.raises(DslrGanError, match=r"photo\.tif cannot be written \(No space left.*room"):
        enhancer.enhance_to_file(pictures()["RGB"], tmp_path / "photo.tif")
    assert not list(tmp_path.iterdir())


def test_no_memory_gets_an_error_message_and_leaves_no_file(enhancer, tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(TiffWriter, "put", fail)
    with pytest.raises(DslrGanError, match="memory"):
        enhancer.enhance_to_file(pictures()["RGB"], tmp_path / "photo.tif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["photo.tif", "photo.png"])
def test_what_fails_elsewhere_is_not_blamed_on_the_file(name, enhancer, tmp_path):
    def progress(done, tiles):
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        enhancer.enhance_to_file(pictures()["RGB"], tmp_path / name, progress=progress)
    assert not list(tmp_path.iterdir())


def test_an_error_on_the_way_leaves_no_file(tmp_path):
    source = photo_pixels(pictures()["RGB"])
    for name in ("photo.tif", "photo.png"):
        with pytest.raises(ZeroDivisionError), write_photo_in_parts(source, tmp_path / name):
            raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_what_a_format_does_not_hold_is_refused_before_any_work(enhancer, tmp_path):
    tiles = []
    with pytest.raises(DslrGanError, match=r"photo\.jpg cannot be written: JPEG does not hold tr"):
        enhancer.enhance_to_file(
            pictures()["RGBA"], tmp_path / "photo.jpg", progress=lambda *done: tiles.append(done)
        )
    assert not tiles and not list(tmp_path.iterdir())
    lost = enhancer.enhance_to_file(pictures()["I;16"], tmp_path / "gray.jpg")
    assert lost == ["JPEG is written with 8 bits per channel; the photo had 16."]
