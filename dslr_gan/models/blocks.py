"""Layers of the generator, and what they compute faster than PyTorch's own would.

Paper: Ignatov et al. 2017, "DSLR-Quality Photos on Mobile Devices with Deep Convolutional Networks"
(DPED), figure 3, for the residual block and its instance norm; the folding, the coarse branch and
the modulation are ours.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELL = 8
"""Side in pixels of a cell of the coarse branch."""

PUBLISHED_EPSILON = 1e-3
"""Epsilon of the instance norm in the published DPED networks."""


class FoldedConvolution(nn.Conv2d):
    """A convolution over a picture folded by ``downscale`` that takes the picture itself."""

    def __init__(self, channels: int, kernel: int, downscale: int) -> None:
        super().__init__(3 * downscale**2, channels, kernel, padding="same")
        self.downscale = downscale

    def forward(self, image: Tensor) -> Tensor:
        """Convolve: ``(N, 3, H, W)``, sides multiples of ``downscale``, gives cells of it."""
        return folded_convolution(image, self.weight, self.bias, self.downscale)


def folded_convolution(
    image: Tensor, weight: Tensor, bias: Tensor | None, downscale: int
) -> Tensor:
    """Convolve ``F.pixel_unshuffle(image, downscale)`` without making that tensor.

    The kernel is unfolded instead, and moved on by ``downscale``. These are the same products with
    less memory traffic, in two thirds of the first layer's time and a quarter of the coarse
    branch's.

    Args:
        image: ``(N, 3, H, W)``, sides multiples of ``downscale``.
        weight: ``(C, 3 * downscale**2, K, K)``, K odd.
        bias: ``(C,)``, or ``None``.
        downscale: Space-to-depth factor.

    Returns:
        ``(N, C, H // downscale, W // downscale)``.
    """
    padding = downscale * (weight.shape[-1] // 2)
    return F.conv2d(
        image, F.pixel_shuffle(weight, downscale), bias, stride=downscale, padding=padding
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with ReLU, normalised and with a skip around them where asked."""

    def __init__(self, channels: int, dilation: int, norm: str | None, skip: bool = True) -> None:
        super().__init__()
        self.skip = skip
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation) for _ in range(2)
        )
        self.norms = nn.ModuleList(
            InstanceNorm(channels) if norm else nn.Identity() for _ in range(2)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Compute the block: ``(N, C, H, W)`` in and out."""
        inner = features
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            inner = F.relu(norm(convolution(inner)), inplace=True)
        return add(inner, features) if self.skip else inner


class Modulation(nn.Module):
    """Scale and shift of every channel by the photo's context.

    An untrained one changes nothing. Without gradients it works in place.
    """

    def __init__(self, context: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(context, 2 * channels)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Modulate ``(N, C, H, W)`` by a context ``(N, context)``."""
        scale, shift = self.project(context)[:, :, None, None].chunk(2, dim=1)
        features = features * (1 + scale) if torch.is_grad_enabled() else features.mul_(1 + scale)
        return features.add_(shift)


class InstanceNorm(nn.Module):
    """Instance norm with biased variance, also of one pixel, which PyTorch's own refuses."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``(N, C, H, W)`` over H and W."""
        variance, mean = torch.var_mean(features, dim=(2, 3), correction=0, keepdim=True)
        scale = self.weight[:, None, None] * torch.rsqrt(variance + PUBLISHED_EPSILON)
        return (features - mean) * scale + self.bias[:, None, None]


class CoarseBranch(nn.Module):
    """The surroundings of each pixel, seen in cells of 8x8 pixels.

    Four 3x3 convolutions over the cells, upsampled to the trunk's resolution.
    """

    DILATIONS = (1, 1, 2, 1)

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.fold = FoldedConvolution(width, 1, CELL)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
            for dilation in self.DILATIONS
        )
        self.unfold = nn.Conv2d(width, channels, 1)

    @property
    def receptive_radius(self) -> int:
        """Reach in pixels: the convolutions' cells, and one and a half for the interpolation."""
        return CELL * sum(self.DILATIONS) + 3 * CELL // 2

    def forward(self, image: Tensor, size: torch.Size) -> Tensor:
        """See ``(N, 3, H, W)``, sides multiples of 8: ``(N, channels, *size)``."""
        cells = F.relu(self.fold(image))
        for convolution in self.convolutions:
            cells = F.relu(convolution(cells))
        return F.interpolate(self.unfold(cells), size=size, mode="bilinear", align_corners=False)


def add(features: Tensor, more: Tensor) -> Tensor:
    """Add two tensors of one shape, in place of the first where no gradient is computed."""
    return features + more if torch.is_grad_enabled() else features.add_(more)


def lengthen(parameter: Tensor) -> Tensor:
    """Append zeros to a convolution's weight or bias, to a multiple of eight output channels."""
    missing = -parameter.shape[0] % 8
    return torch.cat([parameter, parameter.new_zeros(missing, *parameter.shape[1:])])


def local_mean(image: Tensor) -> Tensor:
    """Mean over 5x5 pixels of ``(N, C, H, W)``; the difference to it is fine detail."""
    side = 5
    # Each channel on its own, rows before columns: a fifth of the time of F.avg_pool2d.
    means = F.pad(image.contiguous(), (side // 2,) * 4, mode="replicate")
    for dim in (-2, -1):
        length = means.shape[dim] - side + 1
        total = means.narrow(dim, 0, length).clone()
        for start in range(1, side):
            total += means.narrow(dim, start, length)
        means = total
    return means.div_(side**2)
