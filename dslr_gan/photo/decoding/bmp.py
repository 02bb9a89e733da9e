"""BMPs of all bit layouts but the plainest, which Pillow refuses or, here and there, misreads.

Microsoft's documentation of BITMAPINFOHEADER to BITMAPV5HEADER, and IBM's of OS/2 2.x bitmaps.
Pillow reads those of 24 and 32 bits without masks.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

_RAW, _RLE8, _RLE4, _MASKS, _JPEG, _PNG, _ALPHA_MASKS = range(7)
_RLE24 = 7  # a number of ours: OS/2 calls it 4
_USUAL = (12, 40, 52, 56, 64, 108, 124)
"""Sizes of headers that Pillow knows."""
_DEFAULT_MASKS = {16: (0x7C00, 0x3E0, 0x1F, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}


@dataclass(frozen=True)
class Bmp:
    """What the header of a BMP says."""

    header: int
    """Bytes of it."""
    width: int
    height: int
    top_down: bool
    bits: int
    packing: int
    colours: int
    start: int
    """Where its pixels begin."""
    dpi: tuple[float, float] | None
    masks: tuple[int, int, int, int]
    """Where red, green, blue and alpha are in a pixel."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def picture_inside(self) -> bool:
        """Whether its pixels are a JPEG or PNG."""
        return self.packing in (_JPEG, _PNG)


def rare_bmp(stream: BinaryIO) -> Bmp | None:
    """Read the header of a BMP.

    Args:
        stream: An open file.

    Returns:
        None where it is no BMP, or one that Pillow reads rightly.

    Raises:
        OSError: If it is a BMP that nothing reads.
    """
    stream.seek(0)
    start = stream.read(138)
    if start[:2] != b"BM" or len(start) < 30:
        return None
    bmp = _header(start.ljust(138, b"\0"))
    if bmp is None or (bmp.bits in (24, 32) and bmp.packing == _RAW and bmp.header in _USUAL):
        return None
    known = {
        _RAW: (1, 2, 4, 8, 16, 24, 32),
        _RLE8: (8,),
        _RLE4: (4,),
        _RLE24: (24,),
        **dict.fromkeys((_MASKS, _ALPHA_MASKS), (16, 24, 32)),
        **dict.fromkeys((_JPEG, _PNG), (0,)),
    }
    if bmp.bits not in known.get(bmp.packing, ()):
        raise OSError(f"Unsupported BMP of {bmp.bits} bits, packed in the way {bmp.packing}")
    return bmp


def _header(start: bytes) -> Bmp | None:
    offset, header = struct.unpack_from("<II", start, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", start, 18)
        return Bmp(header, width, height, False, bits, _RAW, 0, offset, None, (0, 0, 0, 0))
    if not 16 <= header <= 124:
        return None
    start = start[: 14 + max(header, 40) + 16]
    if header < 40:  # what is not there is nothing
        start = start[: 14 + header]
    start = start.ljust(138, b"\0")
    width, height, _, bits, packing, _, across, down, colours = struct.unpack_from(
        "<iiHHIIiiI", start, 18
    )
    if packing == 4 and bits == 24:
        packing = _RLE24
    elif packing == 3 and bits == 1:
        packing = 8  # Huffman's code of facsimile, in OS/2 alone
    masks = (0, 0, 0, 0)
    if packing in (_MASKS, _ALPHA_MASKS):
        masks = struct.unpack_from("<4I", start, 54)
        if packing == _MASKS and header < 56:
            masks = (*masks[:3], 0)
    dpi = (across * 0.0254, down * 0.0254) if across > 0 and down > 0 else None
    if width <= 0 or height == 0:
        raise OSError(f"a BMP of {width}x{height} pixels")
    return Bmp(header, width, abs(height), height < 0, bits, packing, colours, offset, dpi, masks)


def picture_of(bmp: Bmp, stream: BinaryIO) -> bytes:
    """The JPEG or PNG inside."""
    stream.seek(bmp.start)
    return stream.read()


def decode_bmp(bmp: Bmp, stream: BinaryIO) -> tuple[Image.Image, int]:
    """Decode the pixels of a BMP.

    Args:
        bmp: What ``rare_bmp`` read.
        stream: The same file.

    Returns:
        A picture in mode L, RGB or RGBA, and how many bits its file has per channel.

    Raises:
        OSError: If pixels are missing.
    """
    palette = _palette(bmp, stream) if bmp.bits <= 8 else np.zeros((0, 3), np.uint8)
    stream.seek(bmp.start)
    data = stream.read()
    depth = 8
    is_packed = bmp.packing in (_RLE8, _RLE4, _RLE24)
    values = _unpacked(bmp, data) if is_packed else _values(bmp, data)
    if bmp.bits <= 8:
        pixels = palette[values]
    elif bmp.bits == 24 and bmp.packing in (_RAW, _RLE24):
        pixels = np.stack([(values >> shift & 255) for shift in (16, 8, 0)], -1).astype(np.uint8)
    else:
        masks: tuple[int, ...] = bmp.masks if any(bmp.masks) else _DEFAULT_MASKS[bmp.bits]
        depth = max(8, *(mask.bit_count() for mask in masks))
        masks = masks if masks[3] else masks[:3]
        pixels = np.stack([_channel(values, mask) for mask in masks], -1)
    if not bmp.top_down:
        pixels = pixels[::-1]
    if bmp.bits <= 8 and (palette == palette[:, :1]).all():
        pixels = pixels[..., 0]
    photo = Image.fromarray(np.ascontiguousarray(pixels))
    photo.format = "BMP"
    if bmp.dpi:
        photo.info["dpi"] = bmp.dpi
    return photo, depth


def _palette(bmp: Bmp, stream: BinaryIO) -> np.ndarray:
    """Its colours, ``(2**bits, 3)`` uint8, black where the file has none."""
    entry = 3 if bmp.header == 12 else 4
    begin = 14 + bmp.header
    room = max(0, bmp.start - begin) // entry
    count = min(bmp.colours or 2**bmp.bits, 2**bmp.bits, room)
    stream.seek(begin)
    colours = np.frombuffer(stream.read(entry * count), np.uint8)
    colours = colours[: len(colours) // entry * entry].reshape(-1, entry)[:, 2::-1]
    palette = np.zeros((2**bmp.bits, 3), np.uint8)
    palette[: len(colours)] = colours
    return palette


def _values(bmp: Bmp, data: bytes) -> np.ndarray:
    """What the file has for each pixel, ``(height, width)``, the lowest row first or last."""
    stride = -(-bmp.width * bmp.bits // 32) * 4
    # The last row may end without what fills it up.
    needed = stride * (bmp.height - 1) + -(-bmp.width * bmp.bits // 8)
    if len(data) < needed:
        raise OSError("image file is truncated")
    data = data[: stride * bmp.height].ljust(stride * bmp.height, b"\0")
    rows = np.frombuffer(data, np.uint8).reshape(bmp.height, stride)
    if bmp.bits <= 8:
        shifts = np.arange(8 - bmp.bits, -1, -bmp.bits, dtype=np.uint8)
        values = rows[..., None] >> shifts & (2**bmp.bits - 1)
        return values.reshape(bmp.height, -1)[:, : bmp.width]
    count = bmp.bits // 8
    parts = rows[:, : bmp.width * count].reshape(bmp.height, bmp.width, count).astype(np.uint32)
    return sum(parts[..., i] << np.uint32(8 * i) for i in range(count))  # type: ignore[return-value]


def _channel(values: np.ndarray, mask: int) -> np.ndarray:
    """One channel as uint8, its largest value 255."""
    if mask == 0:
        return np.zeros(values.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    top = mask >> shift
    levels = ((values & np.uint32(mask)) >> np.uint32(shift)).astype(np.uint64)
    return ((levels * 255 + top // 2) // top).astype(np.uint8)


def _unpacked(bmp: Bmp, data: bytes) -> np.ndarray:
    """The values of run-length coded pixels, 0 where the file leaves some out."""
    values = np.zeros((bmp.height, bmp.width), np.uint32 if bmp.bits == 24 else np.uint8)
    flat = values.reshape(-1)
    size = 3 if bmp.packing == _RLE24 else 1
    column = row = position = 0

    def put(content: bytes, count: int) -> None:
        nonlocal column
        if bmp.packing == _RLE4:
            pairs = np.frombuffer(content, np.uint8)
            found = np.stack([pairs >> 4, pairs & 15], -1).reshape(-1)
        elif size == 3:
            parts = np.frombuffer(content, np.uint8).reshape(-1, 3).astype(np.uint32)
            found = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16
        else:
            found = np.frombuffer(content, np.uint8)
        begin = row * bmp.width + column
        room = max(0, min(count, bmp.width - column))
        flat[begin : begin + room] = found[:room]
        column += count

    while row < bmp.height:
        if position + 2 > len(data):
            raise OSError("image file is truncated")
        count, code = data[position], data[position + 1]
        if count:
            content = data[position + 1 : position + 1 + size]
            repeats = -(-count // 2) if bmp.packing == _RLE4 else count
            if len(content) == size:
                put(content * repeats, count)
            position += 1 + size
        elif code == 0:  # end of the row
            column, row, position = 0, row + 1, position + 2
        elif code == 1:  # end of the picture
            break
        elif code == 2:  # a step to the right and on
            step = data[position + 2 : position + 4].ljust(2, b"\0")
            column, row, position = column + step[0], row + step[1], position + 4
        else:
            length = -(-code // 2) if bmp.packing == _RLE4 else code * size
            content = data[position + 2 : position + 2 + length]
            if len(content) < length:
                raise OSError("image file is truncated")
            put(content, code)
            position += 2 + length + length % 2
    return values
