"""Pictures for the browser: upright sRGB, as JPEGs, made part by part of photos of any size."""

import functools
import math
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from dslr_gan.enhance.enhancer import Amounts
from dslr_gan.enhance.tiling import plan_tiles
from dslr_gan.files import written_whole
from dslr_gan.photo import PhotoPixels, eight_bits, photo_pixels
from dslr_gan.photo.pixels import three_channels

PREVIEW_SIDE = 960
"""Longest side of the first pictures, in pixels: one core enhances them in a quarter of a second."""

DISPLAY_MEGAPIXELS = 48.0
"""Up to here the browser gets every pixel: larger pictures take more memory than phones have."""

QUALITY = 95
"""Of the JPEGs, in 4:4:4: of photos no pixel is off by more than some levels of 255."""

_TILE = 1024

Read = Callable[[slice, slice], np.ndarray]
"""Rows and columns to ``(H, W, 3)`` uint8."""


def display_factor(width: int, height: int, megapixels: float = DISPLAY_MEGAPIXELS) -> int:
    """By how much a photo is shrunk for the browser, a whole number: 1 up to the limit."""
    factor = max(1, math.ceil(math.sqrt(width * height / (megapixels * 1e6))))
    while max(width, height) / factor > 65000:  # what a JPEG holds
        factor += 1
    return factor


def shrunk(read: Read, bands: Iterable[slice], width: int, factor: int) -> Image.Image:
    """A picture of a photo that is read from top to bottom, every pixel or means of squares.

    Args:
        read: Gives a part.
        bands: Rows of the parts; of each but the last a multiple of ``factor``.
        width: Of the photo.
        factor: Side of the squares in pixels.
    """
    parts = []
    for rows in bands:
        part = Image.fromarray(read(rows, slice(0, width)))
        parts.append(part if factor == 1 else part.reduce(factor))
    whole = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


def bands_of(height: int, factor: int) -> list[slice]:
    """Rows of parts from top to bottom, as :func:`shrunk` wants them."""
    step = 256 // factor * factor if factor < 256 else factor
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def small_picture(pixels: PhotoPixels, side: int = PREVIEW_SIDE) -> Image.Image:
    """A photo with at most ``side`` pixels a side, quickly.

    It is shrunk in its own colour space and converted then: so much fewer pixels are converted.
    """
    factor = max(1, max(pixels.width, pixels.height) // side)

    def read(rows: slice, columns: slice) -> np.ndarray:
        return three_channels(eight_bits(pixels.read_own(rows, columns)[0]))

    small = shrunk(read, bands_of(pixels.height, factor), pixels.width, factor)
    small.thumbnail((side, side), Image.Resampling.BICUBIC)
    space = pixels.space
    if space is None:
        return small
    own = np.asarray(small, np.float32) / 255
    srgb = space.to_srgb(own if space.mode == "RGB" else own[..., 0])
    return Image.fromarray(np.rint(srgb * 255).astype(np.uint8))


def drafted_picture(photo: Path, side: int = PREVIEW_SIDE) -> Image.Image | None:
    """Like :func:`small_picture` of a JPEG's file, of which no more is decoded than is needed.

    Returns:
        The picture; None where the file is no JPEG that can be read so: open it as a whole then.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF and of large photos
            with Image.open(photo, formats=("JPEG", "MPO")) as opened:
                factor = max(1, max(opened.size) / side)
                wanted = (round(opened.width / factor), round(opened.height / factor))
                opened.draft(None, wanted)
                opened.load()
                return small_picture(photo_pixels(opened), side)
    except Exception:  # whatever is wrong with it, opening it as a whole says what
        return None


def blended(before: np.ndarray, after: np.ndarray, amounts: Amounts) -> np.ndarray:
    """Mix two pictures ``(H, W, 3)`` uint8 as a download mixes a photo and its result."""
    height, width = before.shape[:2]
    result = np.empty_like(before)
    reach = amounts.reach(height, width)
    for tile in plan_tiles(height, width, _TILE, reach):
        rows, columns = tile.grown(reach, height, width).core
        one, other = (part[rows, columns].astype(np.float32) / 255 for part in (before, after))
        inner = tile.within_grown(reach)
        weighed = np.clip(amounts.apply(one, other, height, width)[inner], 0, 1)
        mixed = one[inner] + amounts.strength * (weighed - one[inner])
        result[tile.core] = np.rint(mixed * 255)
    return result


class Pictures:
    """A photo and results of it as pictures of one size: every pixel, or shrunk where need be.

    Args:
        pixels: The photo.
    """

    def __init__(self, pixels: PhotoPixels) -> None:
        self._pixels = pixels
        self._factor = display_factor(pixels.width, pixels.height)

    @functools.cached_property
    def before(self) -> np.ndarray:
        """The photo: ``(H, W, 3)`` uint8 sRGB, of every pixel or shrunk."""
        return self._picture(self._pixels.read)

    def of(self, levels: np.ndarray) -> np.ndarray:
        """Likewise of a result, ``(H, W, 3)`` uint8 or uint16 sRGB of the photo's size."""
        if self._factor == 1 and levels.dtype == np.uint8:
            return levels  # which stays in its file
        return self._picture(lambda rows, columns: levels[rows, columns])

    def _picture(self, read: Read) -> np.ndarray:
        height, width, factor = self._pixels.height, self._pixels.width, self._factor
        picture = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
        for rows in bands_of(height, factor):
            part = eight_bits(read(rows, slice(0, width)))
            if factor > 1:
                part = np.asarray(Image.fromarray(part).reduce(factor))
            top = rows.start // factor
            picture[top : top + len(part)] = part
        return picture


def save_picture(picture: Image.Image | np.ndarray, file: Path, quality: int = QUALITY) -> Path:
    """Write a picture for the browser, whole or not at all."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(np.ascontiguousarray(picture))
    with written_whole(file) as unfinished:
        picture.save(unfinished, "JPEG", quality=quality, subsampling=0)
    return file
