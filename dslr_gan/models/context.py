"""What a whole photo tells each of its tiles: a summary, and the network that encodes it.

The published networks get such knowledge from instance norm over whatever they are given, so that
tiles of one photo differ. Here it is computed once for each photo, from averages over a grid.

A summary is defined by :func:`summarize`, for a picture in memory. The other two functions give
the same to rounding where that one cannot be used: :func:`summarize_in_parts` for a photo of any
size, :func:`summarize_traced` for an exporter. Their sums run in other orders, so that none of the
three can stand in for another without changing last bits.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SUMMARY_SIDE = 32
"""A photo is summarised over a grid of this many rows and columns."""

SUMMARY_STEPS = (1, 4)
"""Distances in pixels of the neighbours whose differences measure fine detail."""

SUMMARY_CHANNELS = 3 * (1 + len(SUMMARY_STEPS))
"""Maps that a summary averages: the colours, and their changes over each of the steps."""

PART_PIXELS = 2**19
"""Pixels that :func:`summarize_in_parts` reads together."""

Place = TypeVar("Place", int, Tensor)


def summarize(image: Tensor) -> Tensor:
    """Average colours and fine detail of a picture over a grid: what its context is taken from.

    Colours alone would not do: what a network with instance norm makes of a photo, and so what
    a student of it has to know, depends on how much fine detail there is. The maps that are
    averaged are the picture itself and, for each of the steps, the absolute differences to the
    pixels that far to the right and below, added. A neighbour outside counts as no difference.

    Args:
        image: ``(N, 3, H, W)``, sRGB in [0, 1].

    Returns:
        ``(N, 9, 32, 32)``: means over the cells of the grid, which are those of
        ``torch.nn.functional.adaptive_avg_pool2d`` and overlap on small pictures.
    """
    # One map at a time: all nine of a photo's pixels together take twice as long.
    image = image.contiguous()
    maps = (image, *(_changes(image, step) for step in SUMMARY_STEPS))
    return torch.cat([F.adaptive_avg_pool2d(values, SUMMARY_SIDE) for values in maps], dim=1)


def summarize_in_parts(read: Callable[[slice, slice], Tensor], height: int, width: int) -> Tensor:
    """Summarize a photo that is read a part at a time, without making any map of the whole.

    Args:
        read: Gives the pixels of some rows and columns, ``(1, 3, rows, columns)``, sRGB in [0, 1].
        height: Rows of the photo.
        width: Columns of the photo.

    Returns:
        ``(1, 9, 32, 32)``: what :func:`summarize` gives for the whole photo, to rounding.
    """
    bands = []
    for row in range(SUMMARY_SIDE):
        top, bottom = _cell(row, height)
        means = torch.cat(list(_column_means(read, top, bottom, height, width)), dim=2)
        bands.append(F.adaptive_avg_pool1d(means, SUMMARY_SIDE))
    return torch.stack(bands, dim=2)


def summarize_traced(image: Tensor) -> Tensor:
    """Summarize a picture in operations that ONNX has for free sizes.

    ONNX has no adaptive pooling to a grid, but the mean over each cell is a product with the cell's
    share of each row and column. In PyTorch it is several times slower than :func:`summarize`.

    Args:
        image: ``(N, 3, H, W)``, sRGB in [0, 1].

    Returns:
        ``(N, 9, 32, 32)``: what :func:`summarize` gives, to rounding.
    """
    maps = [image]
    for step in SUMMARY_STEPS:
        maps.append(_changes_across(image, step) + _changes_across(image.mT, step).mT)
    rows, columns = (_cell_shares(side) for side in image.shape[-2:])
    return rows @ torch.cat(maps, dim=1) @ columns.mT


def _changes(image: Tensor, step: int) -> Tensor:
    """How much a picture changes over some pixels, to the right and down."""
    changes = torch.zeros_like(image)
    changes[..., :-step] = (image[..., step:] - image[..., :-step]).abs_()
    changes[..., :-step, :] += (image[..., step:, :] - image[..., :-step, :]).abs_()
    return changes


def _changes_across(image: Tensor, step: int) -> Tensor:
    """How much a picture changes over some pixels to the right, at any width."""
    width = image.shape[-1]
    neighbours = F.pad(image, (0, step, 0, 0), mode="replicate")[..., step:]
    return (neighbours - image).abs() * (torch.arange(width) < width - step)


def _column_means(
    read: Callable[[slice, slice], Tensor], top: int, bottom: int, height: int, width: int
) -> Iterator[Tensor]:
    """Means of the maps over some rows, ``(1, 9, columns)``, a few columns at a time."""
    reach = max(SUMMARY_STEPS)  # of the differences, to the right and down
    rows = slice(top, min(bottom + reach, height))
    step = max(PART_PIXELS // (bottom - top), 1)
    for left in range(0, width, step):
        right = min(left + step, width)
        seen = read(rows, slice(left, min(right + reach, width)))
        yield _part_means(seen, bottom - top, right - left)


def _part_means(seen: Tensor, height: int, width: int) -> Tensor:
    """Means over the rows of a part; more is seen of the photo to the right and below it."""
    part = seen[..., :height, :width]
    sums = [part.sum(dim=2)]
    for step in SUMMARY_STEPS:
        right = seen[..., :height, step : step + width]
        below = seen[..., step : step + height, :width]
        changes = (below - part[..., : below.shape[-2], :]).abs_().sum(dim=2)
        across = (right - part[..., : right.shape[-1]]).abs_().sum(dim=2)
        changes[..., : across.shape[-1]] += across
        sums.append(changes)
    return torch.cat(sums, dim=1) / height


def _cell(number: Place, side: int) -> tuple[Place, Place]:
    """First pixel of a cell of the grid, and the one behind its last."""
    start = number * side // SUMMARY_SIDE
    end = ((number + 1) * side + SUMMARY_SIDE - 1) // SUMMARY_SIDE
    return start, end


def _cell_shares(side: int) -> Tensor:
    """``(32, side)``: what each pixel weighs in the mean over each of 32 overlapping cells."""
    cell, pixel = torch.arange(SUMMARY_SIDE)[:, None], torch.arange(side)[None]
    start, end = _cell(cell, side)
    return ((pixel >= start) & (pixel < end)).float() / (end - start)


def context_encoder(size: int, width: int) -> nn.Module | None:
    """Make the network that describes a whole photo by a vector, from its summary.

    Args:
        size: Length of the vector; 0 for none.
        width: Width of an encoder that looks at the photo on two scales; 0 for the plain one.

    Returns:
        A network from ``(N, 9, 32, 32)`` to ``(N, size)``, or None.
    """
    if not size:
        return None
    return _WideContextEncoder(size, width) if width else _ContextEncoder(size)


class _ContextEncoder(nn.Module):
    """From a photo's summary to a vector: means and deviations of small features."""

    def __init__(self, size: int, width: int = 32) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(incoming, width, 3, stride=2, padding=1)
            for incoming in (SUMMARY_CHANNELS, width)
        )
        self.project = nn.Linear(2 * width, size)

    def forward(self, summary: Tensor) -> Tensor:
        features = summary
        for convolution in self.convolutions:
            features = F.relu(convolution(features))
        return F.relu(self.project(_moments(features)))


class _WideContextEncoder(nn.Module):
    """The same of features on two scales, and a layer more behind them."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(incoming, width, 3, stride=2, padding=1)
            for incoming in (SUMMARY_CHANNELS, width)
        )
        self.more = nn.Conv2d(width, width, 3, padding=1)
        self.hidden = nn.Linear(4 * width, 2 * width)
        self.project = nn.Linear(2 * width, size)

    def forward(self, summary: Tensor) -> Tensor:
        fine = F.relu(self.convolutions[0](summary))
        coarse = F.relu(self.more(F.relu(self.convolutions[1](fine))))
        moments = torch.cat([_moments(fine), _moments(coarse)], dim=1)
        return F.relu(self.project(F.relu(self.hidden(moments))))


def _moments(features: Tensor) -> Tensor:
    """Mean and deviation of each channel, ``(N, 2 * C)``."""
    mean = features.mean(dim=(2, 3))
    # The floor keeps the slope of the square root finite on a flat picture.
    deviation = (features.var(dim=(2, 3), unbiased=False) + 1e-6).sqrt()
    return torch.cat([mean, deviation], dim=1)
