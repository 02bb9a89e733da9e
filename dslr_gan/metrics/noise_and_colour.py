"""The two flaws that the paper confesses, measured: amplified noise and excessive colour.

Prakash and Phumbhra 2020, V, name them and give no numbers; the definitions here are ours.
"""

import math

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.filters import gaussian

from dslr_gan.photo.pixels import luma as luma_of

BLOCK = 16
"""Side of the blocks among which the flattest are looked for."""

FLATTEST = 10
"""One block in so many is taken."""

NOISE_SIGMA = 1.5
COLOUR_SIGMA = 3.0

ROUNDING = 1e-6
"""Noise below this is the arithmetic's own; 8-bit pictures have none or far more."""


def flattest_blocks(picture: np.ndarray) -> np.ndarray:
    """Find where a picture shows least: where a change from pixel to pixel is noise, most likely.

    Args:
        picture: ``(H, W, 3)``, sRGB from 0 to 255.

    Returns:
        Numbers of a tenth of the 16x16 blocks, rounded up: those whose luma varies least
        (standard deviation; of equals the first). Blocks are counted row by row from the top
        left; what is left of them at the right and below belongs to none. Empty where a side is
        below 16.
    """
    spread = _blocks(_luma(picture)).std(axis=1)
    return np.argsort(spread, kind="stable")[: math.ceil(len(spread) / FLATTEST)]


def noise_level(picture: np.ndarray, blocks: np.ndarray) -> float:
    """Give the standard deviation of luma minus its Gaussian blur (sigma 1.5) over some blocks.

    Args:
        picture: ``(H, W, 3)``, sRGB from 0 to 255.
        blocks: What :func:`flattest_blocks` gave for the phone's picture of the same size.

    Returns:
        In levels of 255, over all pixels of the blocks together; NaN over no block.
    """
    if len(blocks) == 0:
        return math.nan
    luma = _luma(picture)
    detail = luma - gaussian(luma, NOISE_SIGMA, mode="nearest", preserve_range=True)
    level = float(_blocks(detail)[blocks].std())
    return level if level > ROUNDING else 0.0


def blurred_lab(picture: np.ndarray) -> np.ndarray:
    """Blur a picture (sigma 3) and give its colours as CIELAB.

    Blurred, as in the colour loss: it is the colour of places that is compared, not of pixels,
    which noise, sharpness and half a pixel's shift would change.

    Args:
        picture: ``(H, W, 3)``, sRGB from 0 to 255.

    Returns:
        ``(H, W, 3)``: L*, a*, b* under D65.
    """
    scaled = np.asarray(picture, dtype=np.float64) / 255
    return rgb2lab(gaussian(scaled, COLOUR_SIGMA, mode="nearest", channel_axis=2))


def colour_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Give the mean CIEDE2000 between two pictures in CIELAB; around 1 is just noticeable.

    Args:
        first: ``(H, W, 3)`` from :func:`blurred_lab`.
        second: The same shape.

    Returns:
        From 0, the same colours everywhere.
    """
    return float(deltaE_ciede2000(first, second).mean())


def _luma(picture: np.ndarray) -> np.ndarray:
    return luma_of(np.asarray(picture, dtype=np.float64))


def _blocks(values: np.ndarray) -> np.ndarray:
    """``(blocks, 256)``: the pixels of each whole block."""
    rows, columns = (side // BLOCK for side in values.shape)
    whole = values[: rows * BLOCK, : columns * BLOCK]
    cut = whole.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2)
    return cut.reshape(rows * columns, BLOCK * BLOCK)
