"""Uncompressed TIFFs a part at a time: read without decoding them whole, and begun to be written.

A photo that stays in its file is Pillow's image of the file's header, never decoded, with a
:class:`PixelsInFile` beside it (:class:`dslr_gan.photo.photo.Photo`). It can be used as long as the
file is open. Every other format, and TIFFs that are compressed, turned, in separate planes or of
rarer kinds of pixels, are decoded as a whole.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from PIL import ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.photo.metadata import ORIENTATION, orientation_of

_PHOTOMETRIC = 262
_STRIPS, _ROWS_PER_STRIP = 273, 278
_TILE_WIDTH, _TILE_HEIGHT = 322, 323

_PIXELS = {
    ("L", "L"): ("u1", 1),
    ("LA", "LA"): ("u1", 2),
    ("RGB", "RGB"): ("u1", 3),
    ("RGBA", "RGBA"): ("u1", 4),
    ("I;16", "I;16"): ("<u2", 1),
    ("I;16", "I;16N"): ("=u2", 1),
    ("I;16B", "I;16B"): (">u2", 1),
    **{
        (mode, f"{mode};16{order}"): (kind, channels)
        for mode, channels in (("RGB", 3), ("RGBA", 4))
        for order, kind in (("L", "<u2"), ("B", ">u2"), ("N", "=u2"))
    },
}
"""By Pillow's mode and raw mode: how a file holds a channel, and how many channels it has."""

LARGEST_TIFF = 2**32 - 2**24
"""Bytes of pixels: a TIFF counts its bytes with 32 bits, and its tags need room, too."""


@dataclass(frozen=True, eq=False)
class PixelsInFile:
    """Where an open file has the pixels of a picture, and how."""

    stream: BinaryIO
    starts: tuple[int, ...]
    """Where each tile or strip begins, in bytes: from left to right, then from top to bottom."""
    tile: tuple[int, int]
    """Width and height of a tile, or of a strip of whole rows. Those at the right and at the bottom
    may reach beyond the picture, or the last strip may end with it."""
    size: tuple[int, int]
    """Width and height of the picture."""
    kind: np.dtype
    """Of a channel, in the file's byte order."""
    channels: int
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """Of the pixels that are read: uint8 or uint16."""
        return np.uint16 if self.kind.itemsize == 2 else np.uint8

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """A part of the picture: ``(H, W)`` or ``(H, W, channels)``, of ``dtype``.

        Raises:
            DslrGanError: If the file was closed, became shorter, or cannot be read.
        """
        width = columns.stop - columns.start
        pixel = self.kind.itemsize * self.channels
        found = np.empty((rows.stop - rows.start, width * pixel), np.uint8)
        try:
            with self._lock:  # a stream has one position
                for row, line in zip(range(rows.start, rows.stop), found, strict=True):
                    self._read_row(row, columns, line)
        except OSError as error:
            raise DslrGanError(
                f"The photo cannot be read to its end ({reason(error)}); check its disk."
            ) from error
        pixels = found.view(self.kind).astype(self.dtype, copy=False)
        shape = (len(found), width, self.channels)
        return pixels.reshape(shape if self.channels > 1 else shape[:2])

    def _read_row(self, row: int, columns: slice, line: np.ndarray) -> None:
        """Fill ``line`` with the bytes of some columns, tile by tile."""
        if self.stream.closed:
            raise DslrGanError(
                "The photo's file is closed; use the photo inside the with of open_photo_in_parts."
            )
        wide, high = self.tile
        pixel = self.kind.itemsize * self.channels
        first = row // high * -(-self.size[0] // wide)
        column = columns.start
        while column < columns.stop:
            end = min(columns.stop, (column // wide + 1) * wide)
            inside = row % high * wide + column % wide
            self.stream.seek(self.starts[first + column // wide] + inside * pixel)
            part = line[(column - columns.start) * pixel : (end - columns.start) * pixel]
            if self.stream.readinto(part.data) != part.size:  # type: ignore[attr-defined]
                raise DslrGanError("The photo's file became shorter while it was read; try again.")
            column = end


def find_pixels(photo: ImageFile.ImageFile, stream: BinaryIO) -> PixelsInFile | None:
    """Find where a photo's file has its pixels, if they can be read from there.

    Args:
        photo: An opened file of Pillow's that is not decoded yet.
        stream: The file, which must stay open as long as the photo is used.

    Returns:
        Where they are; None where the photo is to be decoded.
    """
    if photo.format != "TIFF" or not photo.tile or "transparency" in photo.info:
        return None
    tags = getattr(photo, "tag_v2", {})
    if tags.get(ORIENTATION, 1) != 1 or orientation_of(photo) != 1:
        return None
    raw_mode, strides = _layout(photo)
    kind, channels = _PIXELS.get((photo.mode, raw_mode), ("u1", 0))
    if not channels or (photo.mode.startswith("I") and tags.get(_PHOTOMETRIC) == 0):
        return None
    grid = _tile_size(photo)
    if grid is None:
        return None
    wide, pixel = grid[0], channels * np.dtype(kind).itemsize
    if not strides <= {0, wide * pixel}:  # 0 says that rows follow without a gap
        return None
    end = stream.seek(0, os.SEEK_END)
    for tile in photo.tile:
        left, top, right, bottom = tile.extents or (0, 0, 0, 0)
        if tile.offset + ((bottom - top - 1) * wide + right - left) * pixel > end:
            return None  # cut off: Pillow says so
    starts = tuple(tile.offset for tile in photo.tile)
    return PixelsInFile(stream, starts, grid, photo.size, np.dtype(kind), channels)


def _layout(photo: ImageFile.ImageFile) -> tuple[str, set[int]]:
    """The raw mode of all tiles (empty where they differ or are packed) and their bytes per row."""
    found = {tile.args[:2] if isinstance(tile.args, tuple) else ("", 0) for tile in photo.tile}
    modes = {str(raw_mode) for raw_mode, _ in found}
    if len(modes) > 1 or any(tile.codec_name != "raw" for tile in photo.tile):
        return "", set()
    return modes.pop(), {int(stride) for _, stride in found}


def _tile_size(photo: ImageFile.ImageFile) -> tuple[int, int] | None:
    """Width and height of the tiles or strips that a photo is stored in, if these form a grid."""
    tags, (width, height) = getattr(photo, "tag_v2", {}), photo.size
    tiled = _STRIPS not in tags
    wide = tags.get(_TILE_WIDTH) if tiled else width
    high = tags.get(_TILE_HEIGHT) if tiled else tags.get(_ROWS_PER_STRIP, height)
    if not (isinstance(wide, int) and isinstance(high, int) and wide > 0 and high > 0):
        return None
    # Counted first: a hostile header may name millions of tiles that nobody has stored.
    if -(-width // wide) * -(-height // high) != len(photo.tile):
        return None
    grid = [
        (left, top, min(left + wide, width), min(top + high, height))
        for top in range(0, height, high)
        for left in range(0, width, wide)
    ]
    return (wide, high) if [tile.extents for tile in photo.tile] == grid else None


def begin_tiff(
    stream: BinaryIO,
    size: tuple[int, int],
    channels: int,
    bits: int,
    *,
    icc_profile: bytes = b"",
    dpi: tuple[float, float] | None = None,
    exif: Mapping[int, Any] | None = None,
) -> int:
    """Write all of an uncompressed TIFF but its pixels, which follow row by row, little-endian.

    Args:
        stream: An open file, empty.
        size: Width and height.
        channels: 1 and 2 are gray, 3 and 4 colour; the last of an even number is alpha.
        bits: Of a channel, 8 or 16.
        icc_profile: The colour profile, empty for none.
        dpi: Resolution across and down.
        exif: The other tags by number, folders of them as dictionaries.

    Returns:
        How many bytes were written: where the first pixel belongs.

    Raises:
        DslrGanError: If the file would be larger than a TIFF can be.
    """
    width, height = size
    pixels = width * height * channels * bits // 8
    if pixels > LARGEST_TIFF:
        raise DslrGanError(
            f"a TIFF of {width}x{height} pixels would take {pixels / 1e9:.1f} GB and may have "
            "4; choose another format, such as --format png."
        )
    tags = ImageFileDirectory_v2(prefix=b"II")
    for tag, own in (exif or {}).items():
        tags[tag] = own
    photometric = 2 if channels >= 3 else 1
    structure = {256: width, 257: height, 258: (bits,) * channels, 259: 1, 262: photometric}
    structure |= {277: channels, 278: height, 284: 1}
    for tag, value in structure.items():
        tags[tag] = value
    if channels in (2, 4):
        tags[338] = 2  # unassociated alpha
    if dpi:
        tags[282], tags[283], tags[296] = dpi[0], dpi[1], 2
    if icc_profile:
        tags[34675] = icc_profile
    for tag, value in ((273, 0), (279, pixels)):
        tags.tagtype[tag] = 4
        tags[tag] = (value,)  # the first becomes the place behind the tags
    tags.save(stream)
    return stream.tell()
