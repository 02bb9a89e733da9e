"""Photos whose pixels stay in their file and are read a part at a time: uncompressed TIFFs.

Such a photo is Pillow's image of the file's header, never decoded, that carries where in the file
its rows lie. It holds as long as the file is open. Every other format, and what of TIFF is
compressed, lies on its side or comes in separate planes, is decoded as a whole.
"""

import os
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from dslr_gan.errors import DslrGanError
from dslr_gan.files import reason

_ROWS = "dslr_gan_rows_in_file"

_ORIENTATION = 0x0112

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


@dataclass(frozen=True, eq=False)
class RowsInFile:
    """Where an open file holds the rows of a picture, and how."""

    stream: BinaryIO
    starts: tuple[int, ...]
    """Where each strip begins, in bytes."""
    strip: int
    """Rows of a strip; the last may have fewer."""
    size: tuple[int, int]
    """Width and height of the picture."""
    kind: np.dtype
    """Of a channel, in the file's byte order."""
    channels: int

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """Of the pixels that are read: uint8 or uint16."""
        return np.uint16 if self.kind.itemsize == 2 else np.uint8

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """A part of the picture: ``(H, W)`` or ``(H, W, channels)``, of ``dtype``.

        Raises:
            DslrGanError: If the file has become shorter meanwhile, or its disk fails.
        """
        pixel = self.kind.itemsize * self.channels
        width = columns.stop - columns.start
        found = np.empty((rows.stop - rows.start, width * pixel), np.uint8)
        for row, line in zip(range(rows.start, rows.stop), found, strict=True):
            strip, below = divmod(row, self.strip)
            place = self.starts[strip] + (below * self.size[0] + columns.start) * pixel
            try:
                self.stream.seek(place)
                whole = self.stream.readinto(line.data) == line.size  # type: ignore[attr-defined]
            except OSError as error:
                raise DslrGanError(
                    f"The photo cannot be read further ({reason(error)})."
                ) from error
            if not whole:
                raise DslrGanError("The photo's file became shorter while it was read; try again.")
        pixels = found.view(self.kind).astype(self.dtype, copy=False)
        shape = (len(found), width, self.channels)
        return pixels.reshape(shape if self.channels > 1 else shape[:2])


def rows_in_file(photo: Image.Image) -> RowsInFile | None:
    """Where a photo's pixels lie, which then are not in memory; None for any other photo."""
    found = getattr(photo, _ROWS, None)
    return found if isinstance(found, RowsInFile) else None


def leave_in_file(photo: ImageFile.ImageFile, stream: BinaryIO) -> bool:
    """Mark a photo as one whose pixels stay in its file, where that is possible.

    Args:
        photo: An opened file of Pillow's that is not decoded yet.
        stream: The file, which must stay open as long as the photo is used.

    Returns:
        Whether it is possible; otherwise the photo is still to be decoded.
    """
    rows = _find_rows(photo, stream)
    if rows is not None:
        setattr(photo, _ROWS, rows)
    return rows is not None


def _find_rows(photo: ImageFile.ImageFile, stream: BinaryIO) -> RowsInFile | None:
    if photo.format != "TIFF" or not photo.tile or "transparency" in photo.info:
        return None
    if getattr(photo, "tag_v2", {}).get(_ORIENTATION, 1) != 1:
        return None
    width, height = photo.size
    strip = photo.tile[0].extents[3] if photo.tile[0].extents else 0
    tops = range(0, height, strip or height)
    boxes = [(0, top, width, min(top + strip, height)) for top in tops]
    if [each.extents for each in photo.tile] != boxes:
        return None
    arguments = {each.args for each in photo.tile if isinstance(each.args, tuple)}
    if len(arguments) != 1 or any(each.codec_name != "raw" for each in photo.tile):
        return None
    raw_mode, stride = arguments.pop()[:2]
    kind, channels = _PIXELS.get((photo.mode, raw_mode), ("u1", 0))
    line = width * channels * np.dtype(kind).itemsize
    if not channels or stride not in (0, line):  # 0 says that rows follow without a gap
        return None
    end = stream.seek(0, os.SEEK_END)
    for each, box in zip(photo.tile, boxes, strict=True):
        if each.offset + line * (box[3] - box[1]) > end:
            return None  # cut off: Pillow says so
    starts = tuple(each.offset for each in photo.tile)
    return RowsInFile(stream, starts, strip, photo.size, np.dtype(kind), channels)
