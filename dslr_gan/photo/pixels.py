"""From a photo to pixels for the network, and back to a photo with all that the first one had.

A photo is more than its pixels: it has an orientation, EXIF, a colour profile, perhaps an
alpha channel, 16 bits, or no colour at all. A :class:`PhotoPixels` sets all of that aside and gives
plain upright sRGB pixels, any part of them at a time; a :class:`PhotoWriter` puts it back around
other pixels. Nothing here holds a second copy of a whole photo, so a photo costs what Pillow
holds of it (4 bytes a pixel in colour, 8 with 16 bits), and one that is painted as a photo the same
again; pixels that stay in a file, or go into one, cost nothing.
"""

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from dslr_gan.photo.deep import join_bytes, low_bytes, put_low_bytes, split_bytes
from dslr_gan.photo.icc import Space, read_space
from dslr_gan.photo.metadata import add_note, kept_info, orientation_of
from dslr_gan.photo.modes import check_photo, convert_inks, plain_mode, sixteen_bits
from dslr_gan.photo.tiff import pixels_in_file

_BAND = 256
"""Rows that are converted at once where whole photos are, so that wider copies stay small."""

_GRAY = ("L", "LA", "I;16")
"""Modes without colour."""

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
    """The photo's own colour space; None where that is sRGB."""
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
        if self.mode in _GRAY:
            return True
        parts = (self.read_own(rows, columns)[0] for rows, columns in _bands(self))
        return all((part[..., :1] == part[..., 1:]).all() for part in parts)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """A part of the photo in sRGB: ``(H, W, 3)``, of ``dtype``, a copy.

        A gray photo becomes three equal channels; colours outside sRGB are clipped.

        Args:
            rows: From ``start`` to ``stop``, both within the photo.
            columns: Likewise.
        """
        own = self.read_own(rows, columns)[0]
        return _three(own) if self.space is None else self.to_srgb(own)

    def to_srgb(self, own: np.ndarray) -> np.ndarray:
        """Pixels that ``read_own`` gave, converted and rounded; only where there is a space."""
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
            pixels = _three(pixels)
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
        block = photo.crop(_stored(box, self._orientation, photo.size))
        if block.mode != self.mode:
            block = block.convert(self.mode)
        turn = _TURNS.get(self._orientation)
        return block if turn is None else block.transpose(turn)

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """All of the photo, ``(H, W, 3)``, read-only, made when it is first asked for."""
        pixels = np.empty((self.height, self.width, 3), self.dtype)
        for rows, columns in _bands(self):
            pixels[rows, columns] = self.read(rows, columns)
        pixels.flags.writeable = False
        return pixels


class PhotoWriter(ABC):
    """New pixels for a canvas, a part at a time; where they go is up to the kind of painting."""

    def __init__(self, canvas: PhotoPixels) -> None:
        self.canvas = canvas

    @abstractmethod
    def put(self, rows: slice, columns: slice, levels: np.ndarray) -> None:
        """Take the levels of a part: ``(H, W)`` or ``(H, W, C)``, of the canvas's dtype."""

    def paint(
        self, rows: slice, columns: slice, enhanced: np.ndarray, strength: float = 1.0
    ) -> None:
        """Put new pixels into their place.

        The result is source + strength * (enhanced - input), where both the enhanced and the
        input pixels are first taken from sRGB to the photo's own colour space: what did not
        change comes back exactly, and colours outside sRGB stay outside.

        Args:
            rows: From ``start`` to ``stop``, both within the photo.
            columns: Likewise.
            enhanced: ``(H, W, 3)`` float32, sRGB, nominally in [0, 1]; values outside are clipped.
            strength: From 0, the photo's own pixels, to 1.
        """
        canvas = self.canvas
        own, alpha = canvas.read_own(rows, columns)
        result = np.clip(_mix(canvas, own, enhanced, strength), 0, 1)
        result *= canvas.top
        levels = np.rint(result, out=result).astype(canvas.dtype)
        if canvas.mode in _GRAY and levels.ndim == 3:
            levels = _luma(levels)
        if alpha is not None:
            levels = np.dstack((levels, alpha))
        self.put(rows, columns, levels)


class InMemoryWriter(PhotoWriter):
    """A photo in the making: the canvas's own, with other pixels.

    Args:
        canvas: What ``photo_pixels`` made of the photo.

    Raises:
        MemoryError: If there is no room for another photo of that size.
    """

    def __init__(self, canvas: PhotoPixels) -> None:
        super().__init__(canvas)
        size = canvas.width, canvas.height
        self._photo = Image.new(canvas.mode, size)
        self._low = None
        if canvas.dtype == np.uint16 and canvas.mode != "I;16":
            self._low = Image.new(canvas.mode, size)

    def put(self, rows: slice, columns: slice, levels: np.ndarray) -> None:
        """See :meth:`PhotoWriter.put`."""
        corner = columns.start, rows.start
        if self._low is None:
            self._photo.paste(Image.fromarray(np.ascontiguousarray(levels)), corner)
            return
        high, low = split_bytes(levels)
        self._photo.paste(high, corner)
        self._low.paste(low, corner)

    def photo(self) -> Image.Image:
        """The photo, upright, with EXIF (orientation 1), profile and resolution in ``info``."""
        self._photo.info.update(self.canvas.info)
        if self._low is not None:
            put_low_bytes(self._photo, self._low)
        return self._photo


def _mix(canvas: PhotoPixels, own: np.ndarray, enhanced: np.ndarray, strength: float) -> np.ndarray:
    """The result in the photo's own colour space, nominally in [0, 1]."""
    if canvas.space is None and strength == 1:
        return enhanced
    source = own.astype(np.float32) / canvas.top
    if canvas.space is None:
        return _lerp(_three(source), enhanced, strength)
    before = canvas.to_srgb(own).astype(np.float32) / canvas.top
    back = canvas.space.from_srgb
    if back is None:
        return _lerp(before, enhanced, strength)
    return source + strength * (back(enhanced) - back(before))


def _lerp(source: np.ndarray, enhanced: np.ndarray, strength: float) -> np.ndarray:
    return enhanced if strength == 1 else source + strength * (enhanced - source)


def photo_pixels(photo: Image.Image) -> PhotoPixels:
    """Turn a photo into upright sRGB pixels.

    Args:
        photo: Any picture of Pillow's except floating-point ones, 1x1 or larger. The canvas
            reads from it as it goes, so it must not change meanwhile.

    Raises:
        DslrGanError: If it is not a Pillow image, has no pixels, cannot be decoded, or holds
            floating-point values or values of more than 16 bits.
    """
    check_photo(photo)
    mode = plain_mode(photo)
    orientation = orientation_of(photo)
    width, height = photo.size[::-1] if orientation >= 5 else photo.size
    info = kept_info(photo, orientation, (width, height))
    profile = photo.info.get("icc_profile")
    if photo.mode == "CMYK":
        add_note(info, "Its printing colours (CMYK) became RGB.")
        photo, profile = convert_inks(photo), None
    photo = sixteen_bits(photo)
    in_file = pixels_in_file(photo)
    deep = mode == "I;16" or low_bytes(photo) is not None
    dtype = in_file.dtype if in_file is not None else np.uint16 if deep else np.uint8
    space = read_space(profile, mode)
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


def photo_from_pixels(canvas: PhotoPixels, pixels: np.ndarray) -> Image.Image:
    """Make a photo of new pixels and everything else that the canvas's photo had.

    ``photo_from_pixels(canvas, canvas.pixels)`` is the photo itself, upright, without any loss,
    except where a photo of another kind (CMYK, LAB, HSV, YCbCr) became RGB for good.

    Args:
        canvas: What ``photo_pixels`` made of the photo.
        pixels: The new pixels, sRGB, ``(height, width, 3)``, of ``canvas.dtype``.

    Returns:
        The photo in ``canvas.mode``, upright, its EXIF (orientation 1), ICC profile and
        resolution in ``info``. Channels of a gray photo are weighted as Pillow does (Rec. 601).

    Raises:
        ValueError: If shape or dtype differ from the canvas's.
    """
    shape = canvas.height, canvas.width, 3
    if pixels.shape != shape or pixels.dtype != canvas.dtype:
        raise ValueError(
            f"pixels must be {np.dtype(canvas.dtype)} of shape {shape}, "
            f"got {pixels.dtype} of shape {pixels.shape}."
        )
    painting = InMemoryWriter(canvas)
    for rows, columns in _bands(canvas):
        painting.paint(rows, columns, pixels[rows, columns].astype(np.float32) / canvas.top)
    return painting.photo()


def _bands(canvas: PhotoPixels) -> list[tuple[slice, slice]]:
    """The whole canvas in parts that are read and painted one after the other."""
    # A band of a very wide photo gets fewer rows.
    step = max(1, min(_BAND, 2**22 // canvas.width))
    return [
        (slice(top, min(top + step, canvas.height)), slice(0, canvas.width))
        for top in range(0, canvas.height, step)
    ]


def _stored(
    box: tuple[int, int, int, int], orientation: int, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Where a box of the upright photo (left, top, right, bottom) lies in the stored one."""
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


def _three(pixels: np.ndarray) -> np.ndarray:
    """``(H, W)`` as three equal channels; ``(H, W, 3)`` as it is."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _luma(pixels: np.ndarray) -> np.ndarray:
    """Rec. 601 luma in Pillow's own integers, which give back a gray that was three times one.

    The weights sum to 65536, so even 65535 * 65536 + 32768 fits into 32 bits.
    """
    red, green, blue = (pixels[..., each].astype(np.uint32) for each in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16).astype(pixels.dtype)
