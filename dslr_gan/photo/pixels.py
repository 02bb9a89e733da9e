"""From a photo to pixels for the network, of any kind of photo.

A photo is more than its pixels: it has an orientation, EXIF, a colour profile, perhaps an alpha
channel, 16 bits, or no colour at all. A :class:`PhotoPixels` sets all of that aside and gives
plain upright sRGB pixels, any part of them at a time; ``dslr_gan.photo.writers`` puts it back
around other pixels. Nothing here holds a second copy of a whole photo, so a photo costs what
Pillow holds of it (4 bytes a pixel in colour, 8 with 16 bits), and pixels that stay in a file
cost nothing.
"""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from dslr_gan.photo.beside.facts import DAMAGED_PROFILE
from dslr_gan.photo.icc import Space, convert_inks, read_space
from dslr_gan.photo.metadata import kept_info, orientation_of
from dslr_gan.photo.photo import (
    GRAY_MODES,
    NOTES,
    add_note,
    as_gray16,
    check_photo,
    low_bytes,
    notes,
    pixels_in_file,
    plain_mode,
)
from dslr_gan.photo.sixteen_bit import eight_bits, join_bytes

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in luma: ITU-R BT.601, as in JPEG."""

_BAND = 256
"""Rows that are converted at once where whole photos are, so that wider copies stay small."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, eq=False)
class PhotoPixels:
    """A photo as upright sRGB pixels, and what it takes to go back. ``photo_pixels`` makes one."""

    mode: str
    """Pillow's mode of the photo that comes back: RGB, RGBA, L, LA or I;16."""
    width: int
    """Pixels, upright."""
    height: int
    dtype: type[np.unsignedinteger]
    """Of the pixels: uint16 for photos of 16 bits per channel, else uint8."""
    space: Space | None
    """The photo's own colour space, or None where that is sRGB."""
    info: dict[str, Any] = field(repr=False)
    """``info`` of the photo that comes back: EXIF, XMP, ICC profile, resolution."""
    _photo: Image.Image = field(repr=False)
    _orientation: int

    @property
    def alpha(self) -> bool:
        """Whether the photo has an alpha channel, which is set aside untouched."""
        return self.mode in ("LA", "RGBA")

    @property
    def top(self) -> int:
        """The largest value of a channel: 255 or 65535."""
        return int(np.iinfo(self.dtype).max)

    @functools.cached_property
    def colourless(self) -> bool:
        """Whether the photo is black and white: the channels of each of its pixels are equal."""
        if self.mode in GRAY_MODES:
            return True
        parts = (self.read_own(rows, columns)[0] for rows, columns in self.bands())
        return all((part[..., :1] == part[..., 1:]).all() for part in parts)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """A part of the photo in sRGB: ``(H, W, 3)``, of ``dtype``, a copy.

        A gray photo becomes three equal channels; colours outside sRGB are clipped.

        Args:
            rows: From ``start`` to ``stop``, both within the photo.
            columns: Likewise.
        """
        own = self.read_own(rows, columns)[0]
        return three_channels(own) if self.space is None else self.to_srgb(own)

    def to_srgb(self, own: np.ndarray) -> np.ndarray:
        """Pixels that ``read_own`` gave, converted and rounded, only where there is a space."""
        assert self.space is not None
        srgb = self.space.to_srgb(own.astype(np.float32) / self.top)
        return np.rint(srgb * self.top).astype(self.dtype)

    def read_own(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray | None]:
        """A part of the photo in its own colour space, and its alpha.

        Returns:
            ``(H, W, 3)``, or ``(H, W)`` of a gray photo whose profile is not one of RGB; and
            ``(H, W)`` or None; both of ``dtype``.
        """
        pixels = self._stored_pixels(rows, columns)
        alpha = pixels[..., -1] if self.alpha else None
        if pixels.ndim == 3:
            pixels = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., 0]
        if self.space is not None and self.space.mode == "RGB":
            pixels = three_channels(pixels)
        return pixels, alpha

    def _stored_pixels(self, rows: slice, columns: slice) -> np.ndarray:
        in_file, low = pixels_in_file(self._photo), low_bytes(self._photo)
        if in_file is not None:
            return in_file.read(rows, columns)
        block = self._block(self._photo, rows, columns)
        if low is not None:
            return join_bytes(block, self._block(low, rows, columns))
        return np.asarray(block)

    def _block(self, photo: Image.Image, rows: slice, columns: slice) -> Image.Image:
        box = columns.start, rows.start, columns.stop, rows.stop
        block = photo.crop(_stored_box(box, self._orientation, photo.size))
        if block.mode != self.mode:
            block = block.convert(self.mode)
        turn = _TURNS.get(self._orientation)
        return block if turn is None else block.transpose(turn)

    def bands(self) -> list[tuple[slice, slice]]:
        """Rows and columns of parts that make up the whole photo, from top to bottom."""
        # A band of a very wide photo gets fewer rows.
        step = max(1, min(_BAND, 2**22 // self.width))
        return [
            (slice(top, min(top + step, self.height)), slice(0, self.width))
            for top in range(0, self.height, step)
        ]

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """All of the photo, ``(H, W, 3)``, read-only, made when it is first asked for."""
        pixels = np.empty((self.height, self.width, 3), self.dtype)
        for rows, columns in self.bands():
            pixels[rows, columns] = self.read(rows, columns)
        pixels.flags.writeable = False
        return pixels


def photo_pixels(photo: Image.Image) -> PhotoPixels:
    """Turn a photo into upright sRGB pixels.

    Args:
        photo: Any picture of Pillow's except floating-point ones, 1x1 or larger. Its parts
            are read as they are wanted, so it must not change meanwhile.

    Raises:
        DslrGanError: If it is not a Pillow image, has no pixels, cannot be decoded, or holds
            floating-point values or values of more than 16 bits.
    """
    check_photo(photo)
    mode = plain_mode(photo)
    orientation = orientation_of(photo)
    width, height = photo.size[::-1] if orientation >= 5 else photo.size
    info, lost = kept_info(photo, orientation, (width, height))
    if found := notes(photo):
        info[NOTES] = tuple(found)
    for sentence in lost:
        add_note(info, sentence)
    profile = photo.info.get("icc_profile")
    if photo.mode == "CMYK":
        add_note(info, "Its printing colours (CMYK) became RGB.")
        photo, profile = convert_inks(photo), None
    photo = as_gray16(photo)
    in_file = pixels_in_file(photo)
    deep = mode == "I;16" or low_bytes(photo) is not None
    dtype = in_file.dtype if in_file is not None else np.uint16 if deep else np.uint8
    space = read_space(profile, mode)
    is_noted = DAMAGED_PROFILE in notes(photo)
    if profile and space is None and photo.mode != "LAB" and not is_noted:
        add_note(info, "Its colour profile is damaged or of other colours, and was left out.")
    if space is not None:
        if space.is_srgb or space.from_srgb is not None:
            info["icc_profile"] = profile
        else:
            add_note(info, "Its colour profile leads one way only; the result is in sRGB.")
        if space.is_srgb:
            space = None
        elif dtype == np.uint16 and not space.deep:
            add_note(info, "Its colour profile is a table, which is applied with 8 bits.")
    return PhotoPixels(mode, width, height, dtype, space, info, photo, orientation)


def rgb_pixels(photo: Image.Image) -> np.ndarray:
    """Give what a viewer shows of a photo: upright sRGB pixels, ``(H, W, 3)`` uint8.

    Raises:
        DslrGanError: As :func:`photo_pixels`.
    """
    return eight_bits(photo_pixels(photo).pixels)


def _stored_box(
    box: tuple[int, int, int, int], orientation: int, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Where a box of the upright photo (left, top, right, bottom) is in the stored one."""
    left, top, right, bottom = box
    width, height = size
    match orientation:
        case 2:
            return width - right, top, width - left, bottom
        case 3:
            return width - right, height - bottom, width - left, height - top
        case 4:
            return left, height - bottom, right, height - top
        case 5:
            return top, left, bottom, right
        case 6:
            return top, height - right, bottom, height - left
        case 7:
            return width - bottom, height - right, width - top, height - left
        case 8:
            return width - bottom, left, width - top, right
    return box


def three_channels(pixels: np.ndarray) -> np.ndarray:
    """``(H, W)`` as three equal channels, and ``(H, W, 3)`` as it is."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def luma(pixels: np.ndarray) -> np.ndarray:
    """ITU-R BT.601 luma of pixels.

    Args:
        pixels: ``(..., 3)``, gamma-coded sRGB, of integers or floating point.

    Returns:
        ``(...)`` in the range of ``pixels``: float64 of float64, float32 of everything shorter.
    """
    return pixels @ np.array(LUMA, np.result_type(pixels, np.float32))


def luma_levels(pixels: np.ndarray) -> np.ndarray:
    """ITU-R BT.601 luma as Pillow's ``convert("L")`` rounds it: three equal channels are kept.

    Args:
        pixels: ``(..., 3)``, uint8 or uint16.

    Returns:
        ``(...)`` of the same dtype.
    """
    weights = (round(share * 2**16) for share in LUMA)
    # The weights sum to 65536, so even 65535 * 65536 + 32768 fits into 32 bits.
    total = np.full(pixels.shape[:-1], 2**15, np.uint32)
    for channel, weight in enumerate(weights):
        total += pixels[..., channel].astype(np.uint32) * np.uint32(weight)
    return (total >> 16).astype(pixels.dtype)
