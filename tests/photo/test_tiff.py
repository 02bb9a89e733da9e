"""Photos that stay in their file: the same pixels, and no photo in memory."""

import io
import struct
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import (
    notes,
    open_photo,
    open_photo_in_parts,
    photo_pixels,
    save_photo,
)
from dslr_gan.photo.photo import pixels_in_file
from dslr_gan.photo.tiff import begin_tiff
from tests.support.photo_helpers import facts_of, pictures

DEEP = np.random.default_rng(0).integers(0, 65536, (45, 67, 4), dtype=np.uint16)


def tiff(pixels, path, **options):
    tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else None, **options)
    return path


def same_photo(path, expect_in_file=True):
    """Whether a file gives the same photo, left in its file, as decoded at once."""
    with open_photo_in_parts(path) as photo:
        assert (pixels_in_file(photo) is not None) == expect_in_file
        left, left_notes = facts_of(photo), notes(photo)
        if expect_in_file:
            assert photo._im is None  # Pillow has not decoded it meanwhile
    decoded = open_photo(path)
    for one, other in zip(left, facts_of(decoded), strict=True):
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
    pixels = DEEP[..., 0] if channels == 1 else DEEP[..., :channels]
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
    eight = (DEEP >> 8).astype(np.uint8)
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
    path = tiff(DEEP[..., :3], tmp_path / "photo.tif", extratags=[(700, 1, len(xmp), xmp, True)])
    assert same_photo(path, expect_in_file=False)


def test_strips_of_no_rows_are_refused_as_ever(tmp_path):
    path = tiff((DEEP[..., :3] >> 8).astype(np.uint8), tmp_path / "photo.tif", rowsperstrip=45)
    broken = path.read_bytes().replace(
        struct.pack("<HHII", 278, 4, 1, 45), struct.pack("<HHII", 278, 4, 1, 0), 1
    )
    assert broken != path.read_bytes()
    path.write_bytes(broken)
    for way in (open_photo, open_photo_in_parts):
        with pytest.raises(DslrGanError), way(path):
            pass


def test_a_file_that_is_cut_off_is_refused_as_ever(tmp_path):
    path = tiff(DEEP[..., :3], tmp_path / "photo.tif")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DslrGanError) as expected:
        open_photo(path)
    with pytest.raises(DslrGanError) as error, open_photo_in_parts(path):
        pass
    assert str(error.value) == str(expected.value)


def test_a_file_that_shrinks_meanwhile_gets_an_error_message(tmp_path):
    path = tiff(DEEP[..., :3], tmp_path / "photo.tif")
    with open_photo_in_parts(path) as photo:
        path.write_bytes(b"")
        with pytest.raises(DslrGanError, match="became shorter"):
            photo_pixels(photo).read(slice(0, 45), slice(0, 67))


def test_pieces_that_are_only_spoken_of_cost_nothing(tmp_path):
    """A header of 3000x3000 pixels in tiles of one, with as many as a small photo has."""
    path = tiff((DEEP[..., :3] >> 8).astype(np.uint8), tmp_path / "photo.tif", tile=(16, 16))
    content = path.read_bytes()
    for tag, before, after in ((256, 67, 3000), (257, 45, 3000), (322, 16, 1), (323, 16, 1)):
        for kind in (3, 4):
            entry, other = (struct.pack("<HHII", tag, kind, 1, side) for side in (before, after))
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
    path = tiff(DEEP[..., :3], tmp_path / "photo.tif")
    with open_photo_in_parts(path) as photo:
        photo.thumbnail((20, 20))
        assert photo_pixels(photo).width == 20 and pixels_in_file(photo) is None
        assert np.array_equal(photo_pixels(photo).pixels, np.asarray(photo))


def test_a_photo_left_in_its_file_can_be_saved(tmp_path):
    path = tiff(DEEP[..., 0], tmp_path / "gray.tif", byteorder=">")
    deep = tiff(DEEP[..., :3], tmp_path / "deep.tif")
    for source in (path, deep):
        with open_photo_in_parts(source) as photo:
            assert save_photo(photo, tmp_path / "saved.tif") == []
        assert np.array_equal(tifffile.imread(tmp_path / "saved.tif"), tifffile.imread(source))


def test_threads_may_share_a_photo(tmp_path):
    path = tiff(DEEP[..., :3], tmp_path / "photo.tif")
    with open_photo_in_parts(path) as photo, ThreadPoolExecutor(4) as pool:
        source = photo_pixels(photo)
        parts = [(slice(row, row + 9), slice(0, 67)) for row in range(0, 45, 9)] * 40
        for (rows, _), found in zip(
            parts, pool.map(lambda part: source.read(*part), parts), strict=True
        ):
            assert np.array_equal(found, DEEP[rows, :, :3])


def test_a_photo_whose_file_is_closed_gets_an_error_message(enhancer, tmp_path):
    with open_photo_in_parts(tiff(DEEP[..., :3], tmp_path / "photo.tif")) as photo:
        pass
    with pytest.raises(DslrGanError, match="inside the with of open_photo_in_parts"):
        enhancer.enhance(photo)


def test_a_photo_that_no_tiff_can_hold_gets_an_error_message():
    with pytest.raises(DslrGanError, match=r"40000x40000 pixels would take 4\.8 GB .* png\."):
        begin_tiff(io.BytesIO(), (40_000, 40_000), 3, 8)
