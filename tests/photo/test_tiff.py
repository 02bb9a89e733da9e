"""Photos that stay in their file: the same pixels, and no photo in memory."""

import errno
import io
import struct
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import png
import pytest
import tifffile
from PIL import Image

from dslr_gan import Generator, PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.photo import (
    notes,
    open_photo,
    open_photo_in_parts,
    photo_pixels,
    save_photo,
    write_photo_in_parts,
)
from dslr_gan.photo.tiff import begin_tiff, pixels_in_file
from dslr_gan.photo.writing import TiffWriter
from tests.support.photo_helpers import ADOBE_RGB, encoded, pictures, rgb_profile, with_exif

PHOTO = np.random.default_rng(0).integers(0, 65536, (45, 67, 4), dtype=np.uint16)


@pytest.fixture(scope="module")
def enhancer():
    generator = Generator(channels=4, blocks=1, context_channels=4, coarse_channels=4)
    for parameter in generator.parameters():
        parameter.data.add_(0.02)
    return PhotoEnhancer(generator, tile=16)


def tiff(pixels, path, **options):
    tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else None, **options)
    return path


def pixels_of(photo):
    canvas = photo_pixels(photo)
    whole = slice(0, canvas.height), slice(0, canvas.width)
    return canvas.pixels, canvas.read_own(*whole)[1], canvas.mode, canvas.dtype


def same_photo(path, expect_in_file=True):
    """Whether a file gives the same photo, left in its file, as decoded at once."""
    with open_photo_in_parts(path) as photo:
        assert (pixels_in_file(photo) is not None) == expect_in_file
        left, left_notes = pixels_of(photo), notes(photo)
        if expect_in_file:
            assert photo._im is None  # Pillow has not decoded it meanwhile
    decoded = open_photo(path)
    for one, other in zip(left, pixels_of(decoded), strict=True):
        assert np.array_equal(one, other)
    assert left_notes == notes(decoded)
    return True


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_a_plain_tiff_stays_in_its_file(mode, tmp_path):
    pictures()[mode].save(tmp_path / "photo.tif")
    assert same_photo(tmp_path / "photo.tif")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "options", [{}, {"rowsperstrip": 7}, {"tile": (16, 80)}, {"tile": (32, 16)}, {"bigtiff": True}]
)
def test_depth_order_strips_and_tiles(order, channels, options, tmp_path):
    pixels = PHOTO[..., 0] if channels == 1 else PHOTO[..., :channels]
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    path = tiff(pixels, tmp_path / "photo.tif", byteorder=order, **options, **extra)
    if options.get("bigtiff") and order == ">":  # which Pillow does not read
        with pytest.raises(DslrGanError, match="of a kind that this program does not read"):
            open_photo(path)
    else:
        assert same_photo(path)


def test_pages_and_metadata_are_known(tmp_path):
    first, second = pictures()["RGB"], pictures()["RGB"].rotate(180)
    first.save(tmp_path / "photo.tif", save_all=True, append_images=[second], dpi=(300, 300))
    assert same_photo(tmp_path / "photo.tif")
    with open_photo_in_parts(tmp_path / "photo.tif") as photo:
        assert notes(photo) == ["It has 2 pages; only the first is enhanced."]
        assert photo_pixels(photo).info["dpi"] == (300, 300)


def test_everything_else_is_decoded(tmp_path):
    eight = (PHOTO >> 8).astype(np.uint8)
    photo = Image.fromarray(eight[..., :3])
    photo.save(tmp_path / "turned.tif", tiffinfo={274: 6})
    photo.save(tmp_path / "packed.tif", compression="tiff_lzw")
    photo.convert("P").save(tmp_path / "palette.tif")
    tifffile.imwrite(tmp_path / "white.tif", eight[..., 0], photometric="miniswhite")
    planes = np.moveaxis(eight[..., :3], 2, 0)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb", planarconfig="separate")
    photo.save(tmp_path / "photo.png")
    for path in tmp_path.iterdir():
        assert same_photo(path, expect_in_file=False), path.name


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_photo_that_only_its_xmp_turns_is_turned(orientation, tmp_path):
    xmp = f'<x:xmpmeta tiff:Orientation="{orientation}"/>'.encode()
    path = tiff(PHOTO[..., :3], tmp_path / "photo.tif", extratags=[(700, 1, len(xmp), xmp, True)])
    assert same_photo(path, expect_in_file=False)


def test_strips_of_no_rows_are_refused_as_ever(tmp_path):
    path = tiff((PHOTO[..., :3] >> 8).astype(np.uint8), tmp_path / "photo.tif", rowsperstrip=45)
    broken = path.read_bytes().replace(
        struct.pack("<HHII", 278, 4, 1, 45), struct.pack("<HHII", 278, 4, 1, 0), 1
    )
    assert broken != path.read_bytes()
    path.write_bytes(broken)
    for way in (open_photo, open_photo_in_parts):
        with pytest.raises(DslrGanError), way(path):
            pass


def test_a_file_that_is_cut_off_is_refused_as_ever(tmp_path):
    path = tiff(PHOTO[..., :3], tmp_path / "photo.tif")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DslrGanError) as expected:
        open_photo(path)
    with pytest.raises(DslrGanError) as error, open_photo_in_parts(path):
        pass
    assert str(error.value) == str(expected.value)


def test_a_file_that_shrinks_meanwhile_is_a_sentence(tmp_path):
    path = tiff(PHOTO[..., :3], tmp_path / "photo.tif")
    with open_photo_in_parts(path) as photo:
        path.write_bytes(b"")
        with pytest.raises(DslrGanError, match="became shorter"):
            photo_pixels(photo).read(slice(0, 45), slice(0, 67))


def test_pieces_that_are_only_spoken_of_cost_nothing(tmp_path):
    """A header of 3000x3000 pixels in tiles of one, with as many as a small photo has."""
    path = tiff((PHOTO[..., :3] >> 8).astype(np.uint8), tmp_path / "photo.tif", tile=(16, 16))
    content = path.read_bytes()
    for tag, before, after in ((256, 67, 3000), (257, 45, 3000), (322, 16, 1), (323, 16, 1)):
        for kind in (3, 4):
            entry, other = (struct.pack("<HHII", tag, kind, 1, each) for each in (before, after))
            content = content.replace(entry, other)
    assert content != path.read_bytes()
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with open_photo_in_parts(path) as photo:
            assert pixels_in_file(photo) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50e6  # a list of all of them would take a gigabyte


def test_a_photo_that_is_changed_is_the_changed_one(tmp_path):
    path = tiff(PHOTO[..., :3], tmp_path / "photo.tif")
    with open_photo_in_parts(path) as photo:
        photo.thumbnail((20, 20))
        assert photo_pixels(photo).width == 20 and pixels_in_file(photo) is None
        assert np.array_equal(photo_pixels(photo).pixels, np.asarray(photo))


def test_a_photo_left_in_its_file_can_be_saved(tmp_path):
    path = tiff(PHOTO[..., 0], tmp_path / "gray.tif", byteorder=">")
    deep = tiff(PHOTO[..., :3], tmp_path / "deep.tif")
    for source in (path, deep):
        with open_photo_in_parts(source) as photo:
            assert save_photo(photo, tmp_path / "saved.tif") == []
        assert np.array_equal(tifffile.imread(tmp_path / "saved.tif"), tifffile.imread(source))


def test_threads_may_share_a_photo(tmp_path):
    path = tiff(PHOTO[..., :3], tmp_path / "photo.tif")
    with open_photo_in_parts(path) as photo, ThreadPoolExecutor(4) as pool:
        canvas = photo_pixels(photo)
        parts = [(slice(row, row + 9), slice(0, 67)) for row in range(0, 45, 9)] * 40
        for (rows, _), found in zip(
            parts, pool.map(lambda part: canvas.read(*part), parts), strict=True
        ):
            assert np.array_equal(found, PHOTO[rows, :, :3])


def test_a_photo_outlives_its_file_with_a_sentence(enhancer, tmp_path):
    with open_photo_in_parts(tiff(PHOTO[..., :3], tmp_path / "photo.tif")) as photo:
        pass
    with pytest.raises(DslrGanError, match="inside the with of open_photo_in_parts"):
        enhancer.enhance(photo)


# From file to file -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "RGB16", "RGBA16", "LA16"])
def test_written_part_by_part_a_tiff_is_what_it_is_written_whole(mode, enhancer, tmp_path):
    path = tmp_path / "photo.tif"
    metadata = {"exif": with_exif(), "dpi": (300, 300)}
    if mode == "LA16":
        path = tmp_path / "photo.png"
        gray = np.ascontiguousarray(PHOTO[..., :2])
        with path.open("wb") as stream:
            png.Writer(67, 45, greyscale=True, alpha=True, bitdepth=16).write(
                stream, gray.reshape(45, -1)
            )
    elif mode.endswith("16") and mode != "I;16":
        save_photo(open_photo(_deep(len(mode) - 2)), path)
    else:
        profile = rgb_profile(ADOBE_RGB) if mode.startswith("RGB") else b""
        pictures()[mode].save(path, **metadata, icc_profile=profile)
    photo = open_photo(path)
    expected_lost = save_photo(enhancer.enhance(photo, 0.7), tmp_path / "whole.tif")
    with open_photo_in_parts(path) as photo:
        lost = enhancer.enhance_to_file(photo, tmp_path / "parts.tif", 0.7)
    assert lost == expected_lost
    one, other = (open_photo(tmp_path / name) for name in ("whole.tif", "parts.tif"))
    for left, right in zip(pixels_of(one), pixels_of(other), strict=True):
        assert np.array_equal(left, right)
    assert not np.array_equal(pixels_of(open_photo(path))[0], pixels_of(other)[0])
    kept = ("icc_profile", "dpi", "exif", "xmp")
    assert {key: one.info.get(key) for key in kept} == {key: other.info.get(key) for key in kept}
    if mode in ("RGB", "RGBA"):
        assert other.info["icc_profile"] and other.info["exif"]
    # And a reader that is not Pillow's sees the same.
    assert np.array_equal(*(tifffile.imread(tmp_path / f) for f in ("whole.tif", "parts.tif")))


def _deep(channels):
    stream = io.BytesIO()
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    tifffile.imwrite(stream, PHOTO[..., :channels], photometric="rgb", **extra)
    stream.seek(0)
    return stream


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


def test_no_room_is_a_sentence_and_leaves_no_file(enhancer, tmp_path, monkeypatch):
    begin = TiffWriter.__init__
    monkeypatch.setattr(
        TiffWriter, "__init__", lambda self, canvas, _, *rest: begin(self, canvas, Full(), *rest)
    )
    with pytest.raises(DslrGanError, match=r"photo\.tif cannot be written \(No space left.*room"):
        enhancer.enhance_to_file(pictures()["RGB"], tmp_path / "photo.tif")
    assert not list(tmp_path.iterdir())


def test_no_memory_is_a_sentence_and_leaves_no_file(enhancer, tmp_path, monkeypatch):
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
    canvas = photo_pixels(pictures()["RGB"])
    for name in ("photo.tif", "photo.png"):
        with pytest.raises(ZeroDivisionError), write_photo_in_parts(canvas, tmp_path / name):
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


def test_a_photo_that_no_tiff_can_hold_is_a_sentence():
    with pytest.raises(DslrGanError, match=r"40000x40000 pixels would take 4\.8 GB .* png\."):
        begin_tiff(io.BytesIO(), (40_000, 40_000), 3, 8)
