"""How much of what a network does to a photo is done: all in all, to its colours, to its detail."""

import math
from dataclasses import dataclass

import numpy as np

from dslr_gan.errors import DslrGanError

COARSE = 1 / 400
"""Sigma of the blur that parts colour from detail, as a part of the photo's longer side."""

COARSEST = 16.0
"""Its largest sigma in pixels: what a tile must see besides grows with it."""


@dataclass(frozen=True)
class Amounts:
    """How much of what the network does to a photo is done: all of it, unless told otherwise.

    The change, the network's result less the photo, is parted by a Gaussian blur into its low
    frequencies (colours, tones) and the rest (detail, noise). With 1 for both nothing is parted.

    Raises:
        DslrGanError: If one is not a number in [0, 1].
    """

    strength: float = 1.0
    """From 0, the photo's own pixels, to 1: of the whole change."""
    colour: float = 1.0
    """From 0 to 1: of its low frequencies, before the strength."""
    detail: float = 1.0
    """From 0 to 1: of its high frequencies, before the strength."""

    def __post_init__(self) -> None:
        """Refuse what is outside of the range, also what is no number."""
        for name in ("strength", "colour", "detail"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 <= value <= 1):
                raise DslrGanError(f"{name} must lie between 0 and 1, got {value}.")

    def __str__(self) -> str:
        """As results tell what made them: ``strength 0.7``, and the others where they are not 1."""
        told = [f"strength {self.strength:g}"]
        if (self.colour, self.detail) != (1, 1):
            told += [f"colour {self.colour:g}", f"detail {self.detail:g}"]
        return "; ".join(told)

    @property
    def is_nothing(self) -> bool:
        """Whether the photo stays as it is."""
        return self.strength == 0 or self.colour == self.detail == 0

    def reach(self, height: int, width: int) -> int:
        """How far around a pixel of a photo its change must be known: 0 where nothing is parted."""
        return 0 if self.colour == self.detail else blur_reach(coarse_sigma(height, width))

    def apply(
        self, before: np.ndarray, enhanced: np.ndarray, height: int, width: int
    ) -> np.ndarray:
        """Weigh colour and detail of a part of a photo; the strength is not applied.

        Args:
            before: The photo's pixels, ``(H, W, 3)`` float32 sRGB in [0, 1].
            enhanced: The network's, likewise, nominally in [0, 1].
            height: Of the whole photo.
            width: Likewise.

        Returns:
            Likewise; as of the whole photo but for ``reach`` pixels at the part's inner edges.
            With 1 for both ``enhanced`` itself.
        """
        if self.colour == self.detail == 1:
            return enhanced
        change = np.clip(enhanced, 0, 1) - before
        if self.colour == self.detail:
            return before + np.float32(self.colour) * change
        low = blurred(change, coarse_sigma(height, width))
        weighed = np.float32(self.colour - self.detail) * low + np.float32(self.detail) * change
        return before + weighed


def blur_reach(sigma: float) -> int:
    """How many pixels away a pixel can change what :func:`blurred` gives."""
    return math.ceil(3 * sigma)


def blurred(plane: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur whose weights are shared out among the pixels that are there.

    Of a part of a picture, all but the ``blur_reach(sigma)`` pixels at its inner edges come out as
    of the whole picture.

    Args:
        plane: ``(H, W, C)`` float32.
        sigma: In pixels, above 0.

    Returns:
        The same shape and dtype.
    """
    return _blurred_down(_blurred_down(plane, sigma).swapaxes(0, 1), sigma).swapaxes(0, 1)


def coarse_sigma(height: int, width: int) -> float:
    """Sigma in pixels of the blur that parts colour from detail, for a photo of some size."""
    return min(max(COARSE * max(height, width), 1.0), COARSEST)


def _blurred_down(plane: np.ndarray, sigma: float) -> np.ndarray:
    """Blur along the first axis."""
    reach, length = blur_reach(sigma), len(plane)
    weights = np.exp(-np.square(np.arange(-reach, reach + 1)) / (2 * sigma**2))
    shared = np.convolve(np.ones(length), weights)[reach : reach + length]
    rows = np.ascontiguousarray(plane, np.float32).reshape(length, -1)
    total = np.zeros_like(rows)
    for shift, weight in zip(range(-reach, reach + 1), weights.astype(np.float32), strict=True):
        first, last = max(-shift, 0), min(length - shift, length)
        if first < last:
            total[first:last] += weight * rows[first + shift : last + shift]
    total /= shared.astype(np.float32)[:, None]
    return total.reshape(plane.shape)
