"""Sixteen bits per channel in colour, which Pillow itself holds in eight: read and written.

Such a photo is a Pillow image of the high bytes with a second one beside it, of the same size and
mode, with the low bytes (:class:`dslr_gan.photo.photo.Photo`). 16-bit gray needs none of this
(mode I;16).

What is written is no more than such a photo needs: PNG (second edition, sections 9 and 11) with
the Paeth filter, and an uncompressed TIFF 6.0 in one strip, its tags laid out by Pillow.
"""

import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile

from dslr_gan.photo.photo import photo_of
from dslr_gan.photo.tiff import begin_tiff

_LOW_RAW_MODES = {
    f"{bands};16{order}": f"{bands};16{other}"
    for bands in ("RGB", "RGBX", "RGBA", *"RGBA")
    for order, other in ("LB", "BL", ("N", "B" if sys.byteorder == "little" else "L"))
}
"""Raw modes and those of the other byte order, by which Pillow's decoders take the low bytes."""

_BAND = 64
"""Rows that are put together at once."""


def join_bytes(high: Image.Image, low: Image.Image) -> np.ndarray:
    """Pixels ``(H, W, C)`` uint16 of an image of high bytes and one of low bytes."""
    pixels = np.asarray(high).astype(np.uint16)
    pixels <<= 8
    pixels |= np.asarray(low)
    return pixels


def split_bytes(pixels: np.ndarray) -> tuple[Image.Image, Image.Image]:
    """Images of the high and of the low bytes of ``(H, W, C)`` uint16 with two to four channels."""
    high, low = (pixels >> 8).astype(np.uint8), (pixels & 255).astype(np.uint8)
    return Image.fromarray(high), Image.fromarray(low)


def eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Pixels of any shape, uint8 or uint16, as uint8: uint16 rounded, uint8 as it is."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


# Reading ------------------------------------------------------------------------------------------


def load_deep(
    photo: ImageFile.ImageFile, open_again: Callable[[], ImageFile.ImageFile]
) -> Image.Image | None:
    """Decode a photo of 16-bit colour, gray with alpha, or gray with a transparent value.

    Args:
        photo: An opened file of Pillow's that is not decoded yet.
        open_again: Opens the same file another time.

    Returns:
        ``photo`` or an image in its place, complete with its low bytes; None where the file is
        of another kind, and is still to be decoded.
    """
    if photo.format == "TIFF":
        _name_planes(photo)
    modes = _raw_modes(photo)
    if photo.format == "PNG" and modes == {"LA;16B"}:
        return _load_gray_and_alpha(photo)
    if photo.format == "PNG" and photo.mode == "I;16" and "transparency" in photo.info:
        return _with_transparent_gray(photo)
    if not modes or not modes <= _LOW_RAW_MODES.keys():
        return None
    again = open_again()
    if again.format == "TIFF":
        _name_planes(again)
    again.tile = [_with_raw_mode(tile, _LOW_RAW_MODES) for tile in again.tile]
    photo.load()
    again.load()
    if "transparency" in photo.info:
        key = photo.info.pop("transparency")
        alpha = _differs(join_bytes(photo, again), key)
        photo.putalpha(alpha)
        again.putalpha(alpha)
    photo_of(photo).low_bytes = again
    return photo


def _name_planes(photo: Any) -> None:
    """Mend how Pillow reads uncompressed planes of 16 bits: as if they had 8."""
    tags = photo.tag_v2
    is_deep = set(tags.get(258, ())) == {16} and set(tags.get(339, (1,))) == {1}
    if is_deep and tags.get(284) == 2 and photo.mode in ("RGB", "RGBA"):
        order = "B" if tags.prefix == b"MM" else "L"
        names = {band: f"{band};16{order}" for band in photo.mode}
        photo.tile = [
            _with_raw_mode(tile, names) if tile.codec_name == "raw" else tile for tile in photo.tile
        ]


def _raw_modes(photo: ImageFile.ImageFile) -> set[str]:
    """How Pillow is going to unpack each tile of the file."""
    found: set[Any] = {
        tile.args[0] if isinstance(tile.args, tuple) else tile.args
        for tile in photo.tile
        if tile.args
    }
    return {mode for mode in found if isinstance(mode, str)}


def _with_raw_mode(tile: Any, others: dict[str, str]) -> Any:
    if isinstance(tile.args, str):
        return tile._replace(args=others[tile.args])
    return tile._replace(args=(others[tile.args[0]], *tile.args[1:]))


def _load_gray_and_alpha(photo: ImageFile.ImageFile) -> Image.Image:
    """A PNG's 16-bit gray with alpha, unpacked as if its four bytes were four channels."""
    photo.tile = [_with_raw_mode(tile, {"LA;16B": "RGBA"}) for tile in photo.tile]
    photo.load()
    gray_high, gray_low, alpha_high, alpha_low = photo.split()
    high, low = Image.merge("LA", (gray_high, alpha_high)), Image.merge("LA", (gray_low, alpha_low))
    return _in_place_of(photo, high, low)


def _with_transparent_gray(photo: ImageFile.ImageFile) -> Image.Image:
    photo.load()
    gray = np.asarray(photo)
    alpha = np.asarray(_differs(gray[..., None], [photo.info.pop("transparency")]))
    high, low = split_bytes(np.dstack((gray, alpha.astype(np.uint16) * 257)))
    return _in_place_of(photo, high, low)


def _differs(pixels: np.ndarray, key: int | Sequence[int]) -> Image.Image:
    """Alpha: 0 where pixels ``(H, W, C)`` are the transparent colour, 255 elsewhere."""
    other = (pixels != np.asarray(key, dtype=pixels.dtype)).any(axis=2)
    return Image.fromarray(other.astype(np.uint8) * 255)


def _in_place_of(photo: Image.Image, high: Image.Image, low: Image.Image) -> Image.Image:
    """What was read of ``photo`` in other modes than Pillow's, with the metadata of its file."""
    high.info, high.format = photo.info, photo.format
    high.info["exif"] = photo.getexif().tobytes() if photo.getexif() else b""
    photo_of(high).low_bytes = low
    return high


# Writing ------------------------------------------------------------------------------------------


def write_deep(stream: BinaryIO, high: Image.Image, low: Image.Image, **options: Any) -> None:
    """Write a photo of 16 bits per channel.

    Args:
        stream: An open file; ``options`` says which kind.
        high: The high bytes, in mode LA, RGB or RGBA.
        low: The low bytes, of the same size and mode.
        options: ``format`` (PNG or TIFF), and what Pillow's ``save`` takes under the same names:
            ``icc_profile``, ``dpi``, ``exif`` (bytes for PNG, tags for TIFF); and for PNG
            ``chunks``: names and contents of others, those of colours first.
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
    chunks: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    colour = {"LA": 4, "RGB": 2, "RGBA": 6}[high.mode]
    stream.write(b"\x89PNG\r\n\x1a\n")
    _chunk(stream, b"IHDR", struct.pack(">IIBBBBB", *high.size, 16, colour, 0, 0, 0))
    if icc_profile:
        _chunk(stream, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))
    if dpi:
        across, down = (round(inch / 0.0254) for inch in dpi)
        _chunk(stream, b"pHYs", struct.pack(">IIB", across, down, 1))
    for name, content in chunks:
        _chunk(stream, name, content)
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
    left, corner = (np.pad(lines[:, :-1], ((0, 0), (1, 0), (0, 0))) for lines in (rows, up))
    left = left.astype(np.int16)
    far_left = np.abs(up - corner)
    far_up = np.abs(left - corner)
    far_corner = np.abs(left + up - 2 * corner)
    guess = np.where(far_up <= far_corner, up, corner)
    guess = np.where((far_left <= far_up) & (far_left <= far_corner), left, guess)
    rest = (rows - guess).astype(np.uint8).reshape(len(rows), -1)
    return np.pad(rest, ((0, 0), (1, 0)), constant_values=4).tobytes()
