"""SSIM and MS-SSIM over the strength, without a blend for each: a closed form in local means.

A blend of strength s is y = x + s d, of the photo x and its change d. All that SSIM needs of y in
a window follows from what is known of x and d there: its mean is linear in s, so is its covariance
with anything, and its variance is a square of s. Five means of each window (of x, d, x x, x d and
d d) give the score against the photo for every strength; nine give it against another picture.
The real blends are rounded to 8 bits, which is all that the two differ in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dslr_gan.metrics.similarity import K1, K2, SCALE_WEIGHTS, SIGMA, WINDOW

STRENGTHS = tuple(round(step / 20, 2) for step in range(21))

PLACES = 80_000
"""Windows that are looked at on each scale, evenly spread, where there are more."""

C1, C2 = (K1 * 255) ** 2, (K2 * 255) ** 2
"""For pixels from 0 to 255, as they are here."""

ROUNDING = 1 / 12
"""Variance that rounding to whole levels adds to a blend."""

_CHUNK = 2**18
"""Pixels of the rows of windows that are summed at once."""


def similarity_over_strength(
    before: np.ndarray,
    after: np.ndarray,
    target: np.ndarray | None = None,
    covered: np.ndarray | None = None,
) -> tuple[list[float], list[float]]:
    """SSIM and MS-SSIM of the blends of two pictures for all of ``STRENGTHS``.

    Args:
        before: ``(H, W, 3)`` uint8: the blend of strength 0.
        after: Likewise: that of strength 1.
        target: Likewise: what they are compared with; ``before`` where None.
        covered: ``(H, W)`` bool: windows count that lie wholly in it; all where None.

    Returns:
        Both, 21 values each, as ``metrics.similarity.ssim_and_ms_ssim`` defines them.
    """
    parts = [before, after] if target is None else [before, after, target]
    ssim, last, contrasts = np.empty(0), np.empty(0), []
    for scale in range(len(SCALE_WEIGHTS)):
        if scale:
            parts = [_halved(part) for part in parts]
            covered = None if covered is None else _halved(covered) == 1
        last, contrast = _means(parts, covered, ROUNDING / 4**scale)
        ssim = ssim if scale else last
        contrasts.append(contrast)
    return _both(ssim, last, contrasts)


def _both(
    ssim: np.ndarray, last: np.ndarray, contrasts: list[np.ndarray]
) -> tuple[list[float], list[float]]:
    """SSIM and, of the scales' terms, MS-SSIM."""
    terms = np.maximum([*contrasts[:-1], last], 1e-8)
    ms_ssim = (terms ** np.array(SCALE_WEIGHTS)[:, None]).prod(axis=0)
    return [float(value) for value in ssim], [float(value) for value in ms_ssim]


def parts_of_change(before: np.ndarray, after: np.ndarray, partly: np.ndarray) -> list[np.ndarray]:
    """What is needed for the scores of any amounts of a change and of one of its parts.

    Args:
        before: ``(H, W, 3)`` uint8.
        after: Likewise.
        partly: Likewise: ``before`` with one part of the change alone, such as its colours.

    Returns:
        Of each scale ``(9, n, 3)`` float32: nine terms of n windows and the channels.
    """
    parts, scales = [before, after, partly], []
    for scale in range(len(SCALE_WEIGHTS)):
        parts = [_halved(part) for part in parts] if scale else parts
        size, rows, columns = _places(*parts[0].shape[:2])
        window = _gaussian(size)
        terms = [
            _part_terms(parts, chunk, columns, window) for chunk in _chunks(rows, parts[0].shape[1])
        ]
        scales.append(np.concatenate(terms, axis=1))
    return scales


def similarity_of_parts(
    scales: Sequence[np.ndarray], part: float, whole: float, strengths: Sequence[float]
) -> tuple[list[float], list[float]]:
    """SSIM and MS-SSIM against the photo of mixtures of it, of the part and of the whole change.

    Args:
        scales: What :func:`parts_of_change` gave.
        part: How much of the part is taken, 0 to 1.
        whole: How much of the whole change is taken besides.
        strengths: Of both, each from 0 to 1.

    Returns:
        Both, a value for each strength, as :func:`similarity_over_strength`.
    """
    ssim, last, contrasts = np.empty(0), np.empty(0), []
    for scale, parts in enumerate(scales):
        terms = _weighed(parts, part, whole, ROUNDING / 4**scale)
        sums = np.empty((2, len(strengths)))
        for number, strength in enumerate(strengths):
            contrast = terms.contrast(strength)
            sums[1, number] = contrast.mean(dtype=np.float64)
            contrast *= terms.luminance(strength)
            sums[0, number] = contrast.mean(dtype=np.float64)
        last = sums[0]
        ssim = ssim if scale else last
        contrasts.append(sums[1])
    return _both(ssim, last, contrasts)


def psnr_over_strength(
    before: np.ndarray, after: np.ndarray, target: np.ndarray, covered: np.ndarray
) -> list[float]:
    """PSNR of the blends of two pictures against a third, for all of ``STRENGTHS``, in dB.

    Args:
        before: ``(H, W, 3)`` uint8.
        after: Likewise.
        target: Likewise.
        covered: ``(H, W)`` bool: the pixels that count.
    """
    total = np.zeros(3)
    for rows in _strips(before.shape[0], before.shape[1]):
        inside = covered[rows]
        x, y, t = (part[rows][inside].astype(np.float32) / 255 for part in (before, after, target))
        off, change = x - t, y - x
        total += [np.vdot(off, off), np.vdot(off, change), np.vdot(change, change)]
    square, product, change_square = total / max(1, 3 * covered.sum())
    strengths = np.array(STRENGTHS)
    errors = square + 2 * strengths * product + strengths**2 * change_square
    return [float(value) for value in -10 * np.log10(np.maximum(errors, 1e-10))]


def local_ssim(first: np.ndarray, second: np.ndarray, stride: int) -> np.ndarray:
    """SSIM of places of two pictures, mean over the channels.

    Args:
        first: ``(H, W, 3)`` uint8, both sides at least 11.
        second: Likewise.
        stride: From one place to the next, in pixels.

    Returns:
        ``(h, w)`` float32, -1 to 1: of the windows that lie wholly inside.
    """
    height, width = first.shape[:2]
    rows = range(0, height - WINDOW + 1, stride)
    columns = range(0, width - WINDOW + 1, stride)
    lines = []
    for chunk in _chunks(rows, width):
        terms = _terms([first, second], chunk, columns, WINDOW)
        lines.append((terms.luminance(1.0) * terms.contrast(1.0)).mean(axis=2))
    return np.concatenate(lines)


def _halved(part: np.ndarray) -> np.ndarray:
    """Means of 2x2 ``(H, W, C)``, float32; an odd last row or column counts twice."""
    height, width = part.shape[:2]
    half = np.empty(((height + 1) // 2, (width + 1) // 2, *part.shape[2:]), np.float32)
    for rows in _strips(height, width):
        strip = part[rows].astype(np.float32)
        odd = ((0, len(strip) % 2), (0, width % 2), *((0, 0),) * (part.ndim - 2))
        strip = np.pad(strip, odd, mode="edge") if len(strip) % 2 or width % 2 else strip
        total = strip[0::2, 0::2] + strip[0::2, 1::2] + strip[1::2, 0::2] + strip[1::2, 1::2]
        half[rows.start // 2 : rows.start // 2 + len(total)] = total * np.float32(0.25)
    return half


def _strips(height: int, width: int) -> list[slice]:
    step = 2 * max(1, 2**19 // width)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def _wholly(covered: np.ndarray, rows: range, columns: range, size: int) -> np.ndarray:
    """Which windows lie wholly in what is covered: ``(rows, columns)`` bool."""
    down = np.ones((len(rows), covered.shape[1]), bool)
    for tap in range(size):
        down &= covered[rows[0] + tap : rows[-1] + tap + 1 : rows.step]
    across = np.ones((len(rows), len(columns)), bool)
    for tap in range(size):
        across &= down[:, columns[0] + tap : columns[-1] + tap + 1 : columns.step]
    return across


def _chunks(rows: range, width: int) -> list[range]:
    """Rows of windows a few at a time, so that their sums stay small."""
    step = max(1, _CHUNK // width)
    return [rows[first : first + step] for first in range(0, len(rows), step)]


def _places(height: int, width: int) -> tuple[int, range, range]:
    """The size of the windows that are looked at, and where they begin: rows and columns."""
    size = min(WINDOW, height, width)
    places = (height - size + 1) * (width - size + 1)
    # An odd one meets all places of the blocks of 8 that JPEGs are made of.
    stride = 2 * max(0, round(((places / PLACES) ** 0.5 - 1) / 2)) + 1
    rows, columns = (range(0, side - size + 1, stride) for side in (height, width))
    return size, rows, columns


def _part_terms(
    parts: list[np.ndarray], rows: range, columns: range, window: np.ndarray
) -> np.ndarray:
    """Means, variances and covariances of x, the change and its part: ``(9, n, 3)``."""

    def products(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
        d, p = y - x, z - x
        return [x, d, p, x * x, x * d, x * p, d * d, p * p, d * p]

    x, d, p, xx, xd, xp, dd, pp, dp = _window_means(parts, rows, columns, window, products)
    terms = [
        *(x, d, p, xx - x * x, xd - x * d, xp - x * p),
        *(dd - d * d, pp - p * p, dp - d * p),
    ]
    return np.stack([term.reshape(-1, term.shape[-1]) for term in terms])


def _means(
    parts: list[np.ndarray], covered: np.ndarray | None, rounding: float
) -> tuple[np.ndarray, np.ndarray]:
    """SSIM and its contrast-structure term, each ``(21,)``: means over channels and places."""
    height, width = parts[0].shape[:2]
    size, rows, columns = _places(height, width)
    sums, count = np.zeros((2, len(STRENGTHS))), 0
    for chunk in _chunks(rows, width):
        inside: Any = slice(None)
        if covered is not None:
            inside = _wholly(covered, chunk, columns, size)
            if not inside.any():
                continue
        terms = _terms(parts, chunk, columns, size, rounding)
        for number, strength in enumerate(STRENGTHS):
            contrast = terms.contrast(strength)
            similarity = terms.luminance(strength) * contrast
            sums[0, number] += similarity[inside].sum(dtype=np.float64)
            sums[1, number] += contrast[inside].sum(dtype=np.float64)
        count += terms.mean_x[inside].size
    means = sums / max(count, 1)
    return means[0], means[1]


@dataclass
class _Terms:
    """SSIM's two factors in some windows, for any strength; each field ``(rows, columns, C)``."""

    mean_x: np.ndarray
    mean_change: np.ndarray
    var_x: np.ndarray
    covar: np.ndarray
    """Of the photo and its change."""
    var_change: np.ndarray
    mean_t: np.ndarray
    """Of what is compared with: the photo itself, unless there is a target."""
    var_t: np.ndarray
    covar_x: np.ndarray
    """Of the photo and the target."""
    covar_change: np.ndarray
    rounding: float = ROUNDING

    def luminance(self, strength: float) -> np.ndarray:
        """The term of the means, for one strength."""
        mean = self.mean_x + strength * self.mean_change
        return (2 * mean * self.mean_t + C1) / (mean**2 + self.mean_t**2 + C1)

    def contrast(self, strength: float) -> np.ndarray:
        """The term of variances and covariance, for one strength."""
        variance = self.var_x + 2 * strength * self.covar + strength**2 * self.var_change
        if 0 < strength < 1:
            variance = variance + self.rounding
        covariance = self.covar_x + strength * self.covar_change
        return (2 * covariance + C2) / (variance + self.var_t + C2)


def _terms(
    parts: list[np.ndarray], rows: range, columns: range, size: int, rounding: float = ROUNDING
) -> _Terms:
    """The terms of x, y and perhaps t in some windows."""
    mean = _window_means(parts, rows, columns, _gaussian(size), _products)
    x, d = mean[:2]
    var_x, covar, var_d = mean[2] - x**2, mean[3] - x * d, mean[4] - d**2
    if len(parts) == 2:
        return _Terms(x, d, var_x, covar, var_d, x, var_x, var_x, covar, rounding)
    t = mean[5]
    covars = mean[7] - x * t, mean[8] - d * t
    return _Terms(x, d, var_x, covar, var_d, t, mean[6] - t**2, *covars, rounding)


def _weighed(parts: np.ndarray, part: float, whole: float, rounding: float) -> _Terms:
    """The terms of a change that is so much of one's part, and so much of it all."""
    x, d, p, var_x, covar_d, covar_p, var_d, var_p, covar_both = parts
    covar = part * covar_p + whole * covar_d
    var_change = part**2 * var_p + whole**2 * var_d + 2 * part * whole * covar_both
    change = part * p + whole * d
    return _Terms(x, change, var_x, covar, var_change, x, var_x, var_x, covar, rounding)


def _products(x: np.ndarray, y: np.ndarray, *target: np.ndarray) -> list[np.ndarray]:
    """Of x and y: x, d = y - x, x x, x d, d d, and t, t t, x t, d t if there is a t."""
    d = y - x
    products = [x, d, x * x, x * d, d * d]
    for t in target:
        products += [t, t * t, x * t, d * t]
    return products


def _window_means(
    parts: list[np.ndarray],
    rows: range,
    columns: range,
    window: np.ndarray,
    products: Callable[..., list[np.ndarray]],
) -> list[np.ndarray]:
    """Weighted means over windows.

    Args:
        parts: Pictures ``(H, W, C)``.
        rows: First rows of the windows.
        columns: First columns.
        window: Weights along either axis.
        products: Of lines of the parts makes what the means are of.

    Returns:
        ``(rows, columns, C)`` float32 each.
    """
    sums: list[np.ndarray] = []
    for tap, weight in enumerate(window):
        lines = slice(rows[0] + tap, rows[-1] + tap + 1, rows.step)
        sums = _added(sums, products(*(part[lines].astype(np.float32) for part in parts)), weight)
    means: list[np.ndarray] = []
    for tap, weight in enumerate(window):
        places = slice(columns[0] + tap, columns[-1] + tap + 1, columns.step)
        means = _added(means, [part[:, places] for part in sums], weight)
    return means


def _added(sums: list[np.ndarray], parts: list[np.ndarray], weight: np.float32) -> list[np.ndarray]:
    """Add weighted parts to the sums, which there are none of at first."""
    if not sums:
        return [part * weight for part in parts]
    for total, part in zip(sums, parts, strict=True):
        total += part * weight
    return sums


def _gaussian(size: int) -> np.ndarray:
    offsets = np.arange(size) - (size - 1) / 2
    weights = np.exp(-np.square(offsets) / (2 * (SIGMA * size / WINDOW) ** 2))
    return (weights / weights.sum()).astype(np.float32)
