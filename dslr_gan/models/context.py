"""What a whole photo tells each of its tiles: a summary, and the network that reads it.

The published networks get such knowledge from instance norm over whatever they are given, so that
tiles of one photo differ. Here it is worked out once for each photo, from averages over a grid.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SUMMARY_SIDE = 32
"""A photo is summarised over a grid of this many rows and columns."""

SUMMARY_STEPS = (1, 4)
"""How far apart, in pixels, the neighbours lie whose differences tell of fine detail."""


def detail_maps(image: Tensor) -> Tensor:
    """Colours, and how much they change over one pixel and over four.

    Args:
        image: ``(N, 3, H, W)``, sRGB in [0, 1].

    Returns:
        ``(N, 9, H, W)``: the image, then for each step the absolute differences to the pixels
        that far right and down, added; a neighbour outside counts as no difference.
    """
    return torch.cat([image, *(_changes(image, step) for step in SUMMARY_STEPS)], dim=1)


def column_means(seen: Tensor, height: int, width: int) -> Tensor:
    """Average the :func:`detail_maps` of a part of a photo over its rows.

    Args:
        seen: ``(N, 3, H, W)``, sRGB in [0, 1]: the part, and to the right and below as many more
            pixels as the widest of the steps, or as there are.
        height: Rows of the part.
        width: Columns of the part.

    Returns:
        ``(N, 9, width)``: the same as of the whole photo's maps, without making any.
    """
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


def _changes(image: Tensor, step: int) -> Tensor:
    """How much a picture changes over some pixels, to the right and down."""
    changes = torch.zeros_like(image)
    changes[..., :-step] = (image[..., step:] - image[..., :-step]).abs_()
    changes[..., :-step, :] += (image[..., step:, :] - image[..., :-step, :]).abs_()
    return changes


def summarize(image: Tensor) -> Tensor:
    """Average a photo's :func:`detail_maps` over a grid: what its context is taken from.

    Colours alone would not do: what a network with instance norm makes of a photo, and so what
    a student of it has to know, hangs on how much fine detail there is.

    Args:
        image: ``(N, 3, H, W)``, sRGB in [0, 1].

    Returns:
        ``(N, 9, 32, 32)``.
    """
    # One map at a time: all nine of a photo's pixels together take twice as long.
    image = image.contiguous()
    maps = (image, *(_changes(image, step) for step in SUMMARY_STEPS))
    return torch.cat([F.adaptive_avg_pool2d(each, SUMMARY_SIDE) for each in maps], dim=1)


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
            for incoming in (3 * (1 + len(SUMMARY_STEPS)), width)
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
            for incoming in (3 * (1 + len(SUMMARY_STEPS)), width)
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
