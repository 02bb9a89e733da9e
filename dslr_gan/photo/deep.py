"""Sixteen bits per channel in colour, which Pillow itself holds in eight.

A deep photo is a Pillow image of the high bytes that carries a second one, of the same size and
mode, with the low bytes. Any operation of Pillow's gives a new image without them: a photo that
was resized has 8 bits, and nothing goes wrong. 16-bit gray needs none of this (mode I;16).
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageFile

_LOW = "dslr_gan_low_bytes"

LOW_RAW_MODES = {
    f"{bands};16{order}": f"{bands};16{other}"
    for bands in ("RGB", "RGBX", "RGBA")
    for order, other in ("LB", "BL", ("N", "B" if sys.byteorder == "little" else "L"))
}
"""Pillow's decoders take the high byte of each pair; told the other byte order, the low one."""


def low_bytes(photo: Image.Image) -> Image.Image | None:
    """The low bytes of a photo with 16 bits per colour channel; None where it has none."""
    low = getattr(photo, _LOW, None)
    fits = isinstance(low, Image.Image) and (low.size, low.mode) == (photo.size, photo.mode)
    return low if fits else None


def put_low_bytes(photo: Image.Image, low: Image.Image) -> None:
    """Make a photo of 8 bits per channel one of 16: ``photo`` keeps the high bytes."""
    setattr(photo, _LOW, low)


def join_bytes(high: Image.Image, low: Image.Image) -> np.ndarray:
    """Pixels ``(H, W, C)`` uint16 of an image of high bytes and one of low bytes."""
    pixels = np.asarray(high).astype(np.uint16)
    pixels <<= 8
    pixels |= np.asarray(low)
    return pixels


def split_bytes(pixels: np.ndarray) -> tuple[Image.Image, Image.Image]:
    """The other way round; ``(H, W, C)`` uint16 with two, three or four channels."""
    high, low = (pixels >> 8).astype(np.uint8), (pixels & 255).astype(np.uint8)
    return Image.fromarray(high), Image.fromarray(low)


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
    modes = _raw_modes(photo)
    if photo.format == "PNG" and modes == {"LA;16B"}:
        return _load_gray_and_alpha(photo)
    if photo.format == "PNG" and photo.mode == "I;16" and "transparency" in photo.info:
        return _with_transparent_gray(photo)
    if not modes or not modes <= LOW_RAW_MODES.keys():
        return None
    again = open_again()
    again.tile = [_with_raw_mode(tile, LOW_RAW_MODES) for tile in again.tile]
    photo.load()
    again.load()
    if "transparency" in photo.info:
        key = photo.info.pop("transparency")
        alpha = _differs(join_bytes(photo, again), key)
        photo.putalpha(alpha)
        again.putalpha(alpha)
    put_low_bytes(photo, again)
    return photo


def _raw_modes(photo: ImageFile.ImageFile) -> set[str]:
    """How Pillow is going to unpack each piece of the file."""
    found: set[Any] = {
        each.args[0] if isinstance(each.args, tuple) else each.args
        for each in photo.tile
        if each.args
    }
    return {each for each in found if isinstance(each, str)}


def _with_raw_mode(tile: Any, others: dict[str, str]) -> Any:
    if isinstance(tile.args, str):
        return tile._replace(args=others[tile.args])
    return tile._replace(args=(others[tile.args[0]], *tile.args[1:]))


def _load_gray_and_alpha(photo: ImageFile.ImageFile) -> Image.Image:
    """A PNG's 16-bit gray with alpha, unpacked as if its four bytes were four channels."""
    photo.tile = [_with_raw_mode(tile, {"LA;16B": "RGBA"}) for tile in photo.tile]
    photo.load()
    gray_high, gray_low, alpha_high, alpha_low = photo.split()
    result = Image.merge("LA", (gray_high, alpha_high))
    put_low_bytes(result, Image.merge("LA", (gray_low, alpha_low)))
    return _in_place_of(photo, result)


def _with_transparent_gray(photo: ImageFile.ImageFile) -> Image.Image:
    photo.load()
    gray = np.asarray(photo)
    alpha = np.asarray(_differs(gray[..., None], [photo.info.pop("transparency")]))
    result, low = split_bytes(np.dstack((gray, alpha.astype(np.uint16) * 257)))
    put_low_bytes(result, low)
    return _in_place_of(photo, result)


def _differs(pixels: np.ndarray, key: int | Sequence[int]) -> Image.Image:
    """Alpha: 0 where pixels ``(H, W, C)`` are the transparent colour, 255 elsewhere."""
    other = (pixels != np.asarray(key, dtype=pixels.dtype)).any(axis=2)
    return Image.fromarray(other.astype(np.uint8) * 255)


def _in_place_of(photo: Image.Image, result: Image.Image) -> Image.Image:
    result.info, result.format = photo.info, photo.format
    result.info["exif"] = photo.getexif().tobytes() if photo.getexif() else b""
    return result
