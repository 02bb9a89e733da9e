"""SSIM and MS-SSIM over the strength, without a blend for each: a closed form in local means.

A blend of strength s is y = x + s d, of the photo x and its change d. All that SSIM needs of y in
a window follows from what is known of x and d there: its mean is linear in s, so is its covariance
with anything, and its variance is a square of s. Five means of each window (of x, d, x x, x d and
d d) give the score against the photo for every strength; nine give it against another picture.
The real blends are rounded to 8 bits, which is all that the two differ in.
"""

from typing import Any

import numpy as np

from dslr_gan.metrics.similarity import K1, K2, SCALE_WEIGHTS, SIGMA, WINDOW

STRENGTHS = tuple(round(step / 20, 2) for step in range(21))

PLACES = 20_000
"""Windows that are looked at on each scale, evenly spread, where there are more."""

C1, C2 = (K1 * 255) ** 2, (K2 * 255) ** 2
"""For pixels from 0 to 255, as they are here."""

ROUNDING = 1 / 12
"""Variance that rounding to whole levels adds to a blend."""

_CHUNK = 10_000
"""Windows that are taken out at once: some 100 MB."""


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
            covered = None if covered is None else _halved(covered[..., None])[..., 0] == 1
        last, contrast = _means(parts, covered, ROUNDING / 4**scale)
        ssim = ssim if scale else last
        contrasts.append(contrast)
    terms = np.maximum([*contrasts[:-1], last], 1e-8)
    ms_ssim = (terms ** np.array(SCALE_WEIGHTS)[:, None]).prod(axis=0)
    return [float(value) for value in ssim], [float(value) for value in ms_ssim]


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
    for chunk in _chunks(rows, len(columns)):
        terms = _Terms([first, second], chunk, columns, WINDOW)
        lines.append((terms.luminance(1.0) * terms.contrast(1.0)).mean(axis=2))
    return np.concatenate(lines)


def _halved(part: np.ndarray) -> np.ndarray:
    """Means of 2x2 ``(H, W, C)``, float32; an odd last row or column counts twice."""
    height, width = part.shape[:2]
    if height % 2 or width % 2:
        part = np.pad(part, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    wide = part.astype(np.uint16) if part.dtype != np.float32 else part
    total = wide[0::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 0::2] + wide[1::2, 1::2]
    return total.astype(np.float32) * np.float32(0.25)


def _strips(height: int, width: int) -> list[slice]:
    step = max(1, 2**22 // width)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def _chunks(rows: range, columns: int) -> list[range]:
    """Rows of windows a few at a time: of the pixels in them there are 121 times as many."""
    step = max(1, _CHUNK // columns)
    return [rows[first : first + step] for first in range(0, len(rows), step)]


def _means(
    parts: list[np.ndarray], covered: np.ndarray | None, rounding: float
) -> tuple[np.ndarray, np.ndarray]:
    """SSIM and its contrast-structure term, each ``(21,)``: means over channels and places."""
    height, width = parts[0].shape[:2]
    size = min(WINDOW, height, width)
    places = (height - size + 1) * (width - size + 1)
    stride = max(1, round((places / PLACES) ** 0.5))
    rows, columns = (range(0, side - size + 1, stride) for side in (height, width))
    sums, count = np.zeros((2, len(STRENGTHS))), 0
    for chunk in _chunks(rows, len(columns)):
        inside: Any = slice(None)
        if covered is not None:
            inside = _windows(covered, chunk, columns, size).all(axis=(2, 3))
            if not inside.any():
                continue
        terms = _Terms(parts, chunk, columns, size, inside, rounding)
        for number, strength in enumerate(STRENGTHS):
            contrast = terms.contrast(strength)
            sums[0, number] += (terms.luminance(strength) * contrast).sum(dtype=np.float64)
            sums[1, number] += contrast.sum(dtype=np.float64)
        count += terms.mean_x.size
    means = sums / max(count, 1)
    return means[0], means[1]


class _Terms:
    """SSIM's two factors in some windows, for any strength."""

    def __init__(
        self,
        parts: list[np.ndarray],
        rows: range,
        columns: range,
        size: int,
        inside: Any = slice(None),
        rounding: float = ROUNDING,
    ) -> None:
        def taken(part: np.ndarray) -> np.ndarray:
            # The pixels of a window in a row, by channel: a mean is then a product of matrices.
            windows = _windows(part, rows, columns, size)[inside]
            return windows.reshape(*windows.shape[:-2], size**2).astype(np.float32)

        self._rounding = rounding
        window = _gaussian(size)
        x = taken(parts[0])
        change = taken(parts[1]) - x
        self.mean_x, self.mean_change = x @ window, change @ window
        self._var_x = (x * x) @ window - self.mean_x**2
        self._covar = (x * change) @ window - self.mean_x * self.mean_change
        self._var_change = (change * change) @ window - self.mean_change**2
        self._mean_t, self._var_t = self.mean_x, self._var_x
        self._covar_x, self._covar_change = self._var_x, self._covar
        if len(parts) > 2:
            target = taken(parts[2])
            self._mean_t = target @ window
            self._var_t = (target * target) @ window - self._mean_t**2
            self._covar_x = (x * target) @ window - self.mean_x * self._mean_t
            self._covar_change = (change * target) @ window - self.mean_change * self._mean_t

    def luminance(self, strength: float) -> np.ndarray:
        """The term of the means, for one strength."""
        mean = self.mean_x + strength * self.mean_change
        return (2 * mean * self._mean_t + C1) / (mean**2 + self._mean_t**2 + C1)

    def contrast(self, strength: float) -> np.ndarray:
        """The term of variances and covariance, for one strength."""
        variance = self._var_x + 2 * strength * self._covar + strength**2 * self._var_change
        if 0 < strength < 1:
            variance = variance + self._rounding
        covariance = self._covar_x + strength * self._covar_change
        return (2 * covariance + C2) / (variance + self._var_t + C2)


def _windows(part: np.ndarray, rows: range, columns: range, size: int) -> np.ndarray:
    """A view of windows: ``(rows, columns, channels, size, size)``, without channels of a plane."""
    strip = part[rows[0] : rows[-1] + size]
    views = np.lib.stride_tricks.sliding_window_view(strip, (size, size), axis=(0, 1))
    return views[:: rows.step, :: columns.step]


def _gaussian(size: int) -> np.ndarray:
    offsets = np.arange(size) - (size - 1) / 2
    weights = np.exp(-np.square(offsets) / (2 * (SIGMA * size / WINDOW) ** 2))
    weights /= weights.sum()
    return np.outer(weights, weights).ravel().astype(np.float32)
