"""PSNR, SSIM and MS-SSIM as the field defines them.

| metric  | range   | better | identical pictures |
|---------|---------|--------|--------------------|
| psnr    | 0 to oo | higher | infinity           |
| ssim    | -1 to 1 | higher | 1                  |
| ms_ssim | 0 to 1  | higher | 1                  |

All three are differentiable, so that the losses use the very functions that score. SSIM and MS-SSIM
are built from the same terms, on plain convolutions: libraries refuse the small patches on which
DPED is scored.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales: Wang et al. 2003, section 3.2."""

STRIP_ROWS = 128
"""Rows per strip, of a picture up to 4000 pixels wide."""

STRIP_PIXELS = 4000 * STRIP_ROWS
"""Pixels per strip of a wider one: it takes some 130 MB while it is computed."""

Rows = Callable[[int, int], np.ndarray]
"""From one row to another: ``(rows, width, 3)`` uint8."""


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in decibels, for a peak of 1.

    Args:
        image: ``(N, 3, H, W)``, floating point, in [0, 1].
        target: Same shape, dtype and device.

    Returns:
        ``(N,)``: one value per sample, infinite where the two are identical.

    Raises:
        ValueError: If the shapes differ or are not ``(N, 3, H, W)``.
    """
    check_pair(image, target)
    return -10 * torch.log10((image - target).square().mean(dim=(1, 2, 3)))


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Structural similarity: Gaussian window 11, sigma 1.5, no sample covariance, data range 1.

    The mean runs over the colour channels and over the positions where the window lies wholly
    inside the picture.

    Args:
        image: ``(N, 3, H, W)``, floating point, in [0, 1], both sides at least 11.
        target: Same shape, dtype and device.

    Returns:
        ``(N,)``: one value per sample.

    Raises:
        ValueError: If the shapes differ, are not ``(N, 3, H, W)``, or a side is below 11.

    References:
        Wang et al. 2004, "Image quality assessment: from error visibility to structural
        similarity".
    """
    check_pair(image, target)
    if min(image.shape[-2:]) < WINDOW:
        raise ValueError(
            f"SSIM needs sides of at least {WINDOW} pixels, got {tuple(image.shape[-2:])}."
        )
    return _ssim_means(image, target)[0]


def ms_ssim(image: Tensor, target: Tensor) -> Tensor:
    """Multi-scale structural similarity over five scales, also on patches of 100x100.

    The product of the contrast-structure terms of the first four scales and of the SSIM of the
    fifth, each to the power of its weight. Between two scales the picture is averaged over 2x2
    (an odd last row or column counts twice). Where a scale is smaller than 11 pixels its window
    is as large as the scale and sigma shrinks in proportion, as in the code with which the
    DPED and PIRM papers were scored; libraries refuse such sizes. A negative term counts as 0.

    Args:
        image: ``(N, 3, H, W)``, floating point, in [0, 1].
        target: Same shape, dtype and device.

    Returns:
        ``(N,)``: one value per sample.

    Raises:
        ValueError: If the shapes differ or are not ``(N, 3, H, W)``.

    References:
        Wang et al. 2003, "Multiscale structural similarity for image quality assessment".
    """
    return ssim_and_ms_ssim(image, target)[1]


def ssim_and_ms_ssim(image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both at the cost of MS-SSIM, whose first scale is SSIM's.

    Args:
        image: As for :func:`ms_ssim`; below 11 pixels a side SSIM has a smaller window, too.
        target: Same shape, dtype and device.

    Returns:
        What :func:`ssim` and :func:`ms_ssim` give: ``(N,)`` each.

    Raises:
        ValueError: As :func:`ms_ssim`.
    """
    check_pair(image, target)
    similarities, contrasts = [], []
    for _ in SCALE_WEIGHTS:
        similarity, contrast = _ssim_means(image, target)
        similarities.append(similarity)
        contrasts.append(contrast)
        image, target = _halve(image), _halve(target)
    terms = torch.stack([*contrasts[:-1], similarities[-1]])
    weights = torch.tensor(SCALE_WEIGHTS, dtype=terms.dtype, device=terms.device)
    # A tiny floor instead of 0: the slope of x ** weight at 0 is infinite.
    return similarities[0], (terms.clamp(min=1e-8) ** weights[:, None]).prod(dim=0)


def ssim_in_strips(first: Rows, second: Rows, width: int, height: int) -> float:
    """SSIM of two pictures that are read a few rows at a time.

    Args:
        first: Gives the rows from one number to another: ``(rows, width, 3)`` uint8.
        second: Likewise of the other picture.
        width: Of both, at least 11 pixels.
        height: Likewise.

    Returns:
        The value of :func:`ssim` for the whole pictures.
    """
    positions = height - WINDOW + 1
    strip_rows = max(1, min(STRIP_ROWS, STRIP_PIXELS // width))
    total = 0.0
    for top in range(0, positions, strip_rows):
        rows = min(strip_rows, positions - top)
        bottom = top + rows + WINDOW - 1
        total += rows * float(ssim(_strip(first(top, bottom)), _strip(second(top, bottom))))
    return total / positions


def check_pair(image: Tensor, target: Tensor) -> None:
    """Refuse tensors that are not two batches ``(N, 3, H, W)`` of one shape.

    Raises:
        ValueError: If they are not.
    """
    if image.shape != target.shape:
        raise ValueError(
            f"two batches to compare must have one shape, got {tuple(image.shape)} "
            f"and {tuple(target.shape)}."
        )
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"a batch must have shape (N, 3, H, W), got {tuple(image.shape)}.")


def _strip(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _halve(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    return F.avg_pool2d(F.pad(image, (0, width % 2, 0, height % 2), mode="replicate"), 2)


def _gaussian(size: int, sigma: float, like: Tensor) -> Tensor:
    offsets = torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    return weights / weights.sum()


def _window_means(maps: Tensor, size: int, sigma: float) -> Tensor:
    """Gaussian-weighted means over every window that lies wholly inside: separable, valid."""
    channels = maps.shape[1]
    window = _gaussian(size, sigma, maps)
    rows = F.conv2d(maps, window.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)
    return F.conv2d(rows, window.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)


def _ssim_means(image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM and its contrast-structure term alone, each ``(N,)``: means over channels and places."""
    size = min(WINDOW, *image.shape[-2:])
    sigma = SIGMA * size / WINDOW
    stacked = torch.cat([image, target, image * image, target * target, image * target], dim=1)
    means = _window_means(stacked, size, sigma)
    mean_i, mean_t, square_i, square_t, product = means.chunk(5, dim=1)
    variance_i = square_i - mean_i**2
    variance_t = square_t - mean_t**2
    covariance = product - mean_i * mean_t
    c1, c2 = K1**2, K2**2
    luminance = (2 * mean_i * mean_t + c1) / (mean_i**2 + mean_t**2 + c1)
    contrast = (2 * covariance + c2) / (variance_i + variance_t + c2)
    return (luminance * contrast).mean(dim=(1, 2, 3)), contrast.mean(dim=(1, 2, 3))
