"""Pictures for the browser: upright sRGB, as JPEGs, made part by part of photos of any size."""

import functools
import math
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from dslr_gan.enhance.amounts import Amounts, blurred, coarse_sigma
from dslr_gan.enhance.tiling import plan_tiles
from dslr_gan.files import written_whole
from dslr_gan.photo import PhotoPixels, eight_bits, photo_pixels
from dslr_gan.photo.pixels import three_channels

PREVIEW_SIDE = 800
"""Longest side of the first pictures, in pixels: one core enhances them in a fifth of a second."""

DISPLAY_MEGAPIXELS = 48.0
"""Up to here the browser gets every pixel: larger pictures take more memory than phones have."""

QUALITY = 95
"""Of the JPEGs, in 4:4:4; from 100 % the browser gets every pixel as it is (``save_exactly``)."""

WEBP_SIDE = 16_383
"""Longest side that a WebP can have, in pixels."""

FINEST_SIGMA = 2.5
"""Pixels: a blur is not computed on coarser squares than those that it is so wide on."""

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


def parted(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A photo with the low frequencies of its change alone, and with the others alone.

    Where the blur that parts them is wide it is computed on means of squares and interpolated,
    which takes much less time than :func:`blended` and differs by a level or two at most.

    Args:
        before: ``(H, W, 3)`` uint8.
        after: Likewise.

    Returns:
        Both: ``(H, W, 3)`` uint8.
    """
    height, width = before.shape[:2]
    sigma = coarse_sigma(height, width)
    factor = max(1, int(sigma / FINEST_SIGMA))
    small = np.concatenate(
        [
            _square_means(after[rows], factor) - _square_means(before[rows], factor)
            for rows in bands_of(height, factor)
        ]
    )
    # What the means and the interpolation blur already is not blurred again.
    rest = sigma**2 - (factor**2 - 1) / 12 - (factor**2 / 6 if factor > 1 else 0)
    small = blurred(small, math.sqrt(rest) / factor)
    coarse, fine = np.empty_like(before), np.empty_like(before)
    across = _between(np.arange(width), factor, small.shape[1])
    for rows in bands_of(height, factor):
        down = _between(np.arange(rows.start, rows.stop), factor, len(small))
        low = _interpolated(_interpolated(small, *down).swapaxes(0, 1), *across).swapaxes(0, 1)
        coarse[rows] = np.rint(np.clip(before[rows] + low, 0, 255))
        fine[rows] = np.rint(np.clip(after[rows] - low, 0, 255))
    return coarse, fine


def _square_means(part: np.ndarray, factor: int) -> np.ndarray:
    """Means of squares, ``(h, w, 3)`` float32; those at the edges may be of fewer pixels."""
    missing = [(0, -side % factor) for side in part.shape[:2]]
    whole = np.pad(part, (*missing, (0, 0)), mode="edge") if any(map(any, missing)) else part
    height, width = (side // factor for side in whole.shape[:2])
    squares = whole.reshape(height, factor, width, factor, 3)
    return squares.mean(axis=(1, 3), dtype=np.float32)


def _between(
    places: np.ndarray, factor: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Between which two of the means some pixels lie, and how near to the second of them."""
    exact = np.clip((places + 0.5) / factor - 0.5, 0, count - 1)
    first = exact.astype(np.intp)
    return first, np.minimum(first + 1, count - 1), (exact - first).astype(np.float32)


def _interpolated(
    means: np.ndarray, first: np.ndarray, second: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Lines between those that are there."""
    near = means[first]
    return near + share[:, None, None] * (means[second] - near)


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


def save_exactly(picture: np.ndarray, file: Path) -> Path:
    """Write a picture for the browser without any loss, as the WebP or PNG that its suffix says."""
    options = {"lossless": True, "quality": 0, "method": 0} if file.suffix == ".webp" else {}
    with written_whole(file) as unfinished:
        image = Image.fromarray(np.ascontiguousarray(picture))
        image.save(unfinished, "WEBP" if options else "PNG", **(options or {"compress_level": 1}))
    return file
