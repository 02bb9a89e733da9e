"""The discriminator: distinguishes DSLR patches from enhanced ones by their texture.

Paper: Prakash and Phumbhra 2020, section III.A.2: seven convolutions, LeakyReLU, a dense layer
with sigmoid, on grayscale, so that it judges texture and not colour. The paper leaves widths and
kernels open; they are DPED's (Ignatov et al. 2017, figure 3: 48/128/192/192/128, the first 11x11
with stride 4), extended from five convolutions to seven by two more of 192 channels.
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from dslr_gan.errors import InputError
from dslr_gan.photo.tensors import grayscale

GRID = 7
"""Side of the last feature map of a 100x100 patch; other sizes are pooled to it."""


class _Layer(NamedTuple):
    channels: int
    kernel: int
    stride: int


_LAYERS = (
    _Layer(48, 11, 4),
    _Layer(128, 5, 2),
    _Layer(192, 3, 1),
    _Layer(192, 3, 1),
    _Layer(192, 3, 1),
    _Layer(192, 3, 1),
    _Layer(128, 3, 2),
)


class Discriminator(nn.Module):
    """Seven convolutions with LeakyReLU, then a dense end with one logit.

    The paper's sigmoid is in the loss (``binary_cross_entropy_with_logits``), where it is
    stable under mixed precision.

    Args:
        norm: ``"instance"`` or ``None``, between the convolutions after the first. Batch norm, as
            in DPED, would make several processes differ from one.
        hidden: Width of the dense layer before the logit; DPED has 1024.

    Raises:
        InputError: If ``norm`` is something else.
    """

    def __init__(self, norm: str | None = "instance", hidden: int = 1024) -> None:
        super().__init__()
        if norm not in (None, "instance"):
            raise InputError(f'norm must be None or "instance", got {norm!r}.')
        layers: list[nn.Module] = []
        previous = 1
        for index, layer in enumerate(_LAYERS):
            layers.append(
                nn.Conv2d(
                    previous, layer.channels, layer.kernel, layer.stride, padding=layer.kernel // 2
                )
            )
            if norm and index > 0:
                layers.append(nn.InstanceNorm2d(layer.channels, affine=True))
            layers.append(nn.LeakyReLU(0.2))
            previous = layer.channels
        self.features = nn.Sequential(*layers)
        self.dense = nn.Sequential(
            nn.Linear(previous * GRID**2, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Judge patches.

        Args:
            image: ``(N, 3, H, W)``, sRGB in [0, 1], sides of at least 32; turned gray inside.

        Returns:
            ``(N, 1)``: logits, above 0 for "a DSLR's".

        Raises:
            ValueError: If the shape is not ``(N, 3, H, W)`` or a side is below 32.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[-2:]) < 32:
            raise ValueError(
                f"image must have shape (N, 3, H, W), sides from 32, got {tuple(image.shape)}."
            )
        features = self.features(grayscale(image))
        return self.dense(F.adaptive_avg_pool2d(features, GRID).flatten(1))
