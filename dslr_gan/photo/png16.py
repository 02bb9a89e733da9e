"""What Pillow does not write: 16 bits per channel in colour, and TIFFs a part at a time.

Nothing more than such a photo needs: PNG (second edition, sections 9 and 11) with the Paeth
filter, and an uncompressed TIFF 6.0 in one strip, its tags laid out by Pillow.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from dslr_gan.photo.deep import join_bytes
from dslr_gan.photo.tiff import begin_tiff

_BAND = 64
"""Rows that are put together at once."""


def write_deep(stream: BinaryIO, high: Image.Image, low: Image.Image, **options: Any) -> None:
    """Write a photo of 16 bits per channel.

    Args:
        stream: An open file; ``options`` says which kind.
        high: The high bytes, in mode LA, RGB or RGBA.
        low: The low bytes, of the same size and mode.
        options: ``format`` (PNG or TIFF), and what Pillow's ``save`` takes under the same names:
            ``icc_profile``, ``dpi``, ``exif`` (bytes for PNG, tags for TIFF), ``xmp``.
    """
    if options.pop("format") == "PNG":
        _write_png(stream, high, low, **options)
    else:
        if high.mode == "LA":  # gray with alpha in 16 bits is more than readers know
            high, low = high.convert("RGBA"), low.convert("RGBA")
        begin_tiff(stream, high.size, len(high.mode), 16, **options)
        for band in _bands(high, low):
            stream.write(band.astype("<u2").tobytes())


def _bands(high: Image.Image, low: Image.Image) -> Iterator[np.ndarray]:
    """The photo from top to bottom, ``(rows, width, channels)`` uint16 each."""
    for top in range(0, high.height, _BAND):
        box = (0, top, high.width, min(top + _BAND, high.height))
        yield join_bytes(high.crop(box), low.crop(box))


def _write_png(
    stream: BinaryIO,
    high: Image.Image,
    low: Image.Image,
    *,
    icc_profile: bytes = b"",
    dpi: tuple[float, float] | None = None,
    exif: bytes = b"",
    xmp: bytes = b"",
) -> None:
    colour = {"LA": 4, "RGB": 2, "RGBA": 6}[high.mode]
    stream.write(b"\x89PNG\r\n\x1a\n")
    _chunk(stream, b"IHDR", struct.pack(">IIBBBBB", *high.size, 16, colour, 0, 0, 0))
    if icc_profile:
        _chunk(stream, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))
    if dpi:
        across, down = (round(each / 0.0254) for each in dpi)
        _chunk(stream, b"pHYs", struct.pack(">IIB", across, down, 1))
    if xmp:
        _chunk(stream, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    if exif:
        _chunk(stream, b"eXIf", exif.removeprefix(b"Exif\0\0"))
    packer = zlib.compressobj(6)
    above = np.zeros((high.width, len(high.mode) * 2), np.uint8)
    for band in _bands(high, low):
        rows = band.astype(">u2").view(np.uint8).reshape(len(band), *above.shape)
        if packed := packer.compress(_paeth(rows, above)):
            _chunk(stream, b"IDAT", packed)
        above = rows[-1]
    _chunk(stream, b"IDAT", packer.flush())
    _chunk(stream, b"IEND", b"")


def _chunk(stream: BinaryIO, name: bytes, content: bytes) -> None:
    crc = zlib.crc32(content, zlib.crc32(name))
    stream.write(struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc))


def _paeth(rows: np.ndarray, above: np.ndarray) -> bytes:
    """Rows ``(N, width, bytes of a pixel)`` less what left, upper and upper left predict."""
    up = np.concatenate((above[None], rows[:-1])).astype(np.int16)
    left, corner = (np.pad(each[:, :-1], ((0, 0), (1, 0), (0, 0))) for each in (rows, up))
    left = left.astype(np.int16)
    far_left = np.abs(up - corner)
    far_up = np.abs(left - corner)
    far_corner = np.abs(left + up - 2 * corner)
    guess = np.where(far_up <= far_corner, up, corner)
    guess = np.where((far_left <= far_up) & (far_left <= far_corner), left, guess)
    rest = (rows - guess).astype(np.uint8).reshape(len(rows), -1)
    return np.pad(rest, ((0, 0), (1, 0)), constant_values=4).tobytes()
