"""The generator: a fully convolutional network from a phone photo to a DSLR photo.

Paper: Prakash and Phumbhra 2020, "Image Enhancement using Generative Adversarial Networks",
section III. Its shape follows Ignatov et al. 2017, "DSLR-Quality Photos on Mobile Devices with
Deep Convolutional Networks" (DPED), figure 3. Our own code. The terms of the weights that were
trained with it are in their cards.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dslr_gan.errors import InputError, brief
from dslr_gan.models.blocks import (
    CELL,
    CoarseBranch,
    FoldedConvolution,
    Modulation,
    ResidualBlock,
    add,
    folded_convolution,
    lengthen,
    local_mean,
)
from dslr_gan.models.context import context_encoder, summarize
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.models.saved import read_weights

EDGE = 4
"""Pixels by which a residual generator continues a picture to the right and below.

Patches of 100x100 are continued by 4, to be cut into cells of 8. So must a photo be, even where
its sides are multiples already. Otherwise the zero padding is closer to the picture than it ever
was in training, and the network darkens the last columns and rows.
"""


class Generator(Pretrained):
    """ReLU residual network with tanh last: ours, the paper's and DPED's, by its settings.

    The picture is folded by ``downscale`` (space to depth), runs through a first convolution,
    ``blocks`` residual blocks of two 3x3 convolutions, two more 3x3 convolutions and a last one
    with tanh, and is unfolded again. With ``residual`` the last convolution also sees the
    picture's fine detail, and the tanh is a correction that is added to the input; without, it is
    the picture itself, scaled as in the published networks.

    Args:
        channels: Width of the trunk.
        blocks: Number of residual blocks.
        downscale: Space-to-depth factor before the trunk, depth-to-space after it; 1 is the
            paper's full resolution.
        norm: ``None``, or ``"instance"`` as in the published DPED networks.
        dilations: Dilation of each block's convolutions, cycled over the blocks.
        end_kernel: Side of the first and the last convolution's kernel, odd.
        residual: Whether the output is added to the input.
        skips: Whether each block's input is added to its output, as in DPED. The paper tells of
            convolutions and ReLU alone.
        coarse_channels: Width of a second branch at an eighth of the resolution, whose result
            is added after the first convolution; 0 for none.
        context_channels: Length of the vector that describes the whole photo and modulates
            every block; 0 for none, as in the paper.
        context_width: Width of an encoder of that vector which looks at the photo on two scales;
            0 for the plain one. It costs next to nothing: the photo is 32x32 to it.

    Raises:
        InputError: If a setting is out of range.
    """

    def __init__(
        self,
        channels: int = 32,
        blocks: int = 4,
        downscale: int = 2,
        norm: str | None = None,
        dilations: tuple[int, ...] | list[int] = (1,),
        end_kernel: int = 3,
        residual: bool = True,
        coarse_channels: int = 0,
        context_channels: int = 0,
        context_width: int = 0,
        skips: bool = True,
    ) -> None:
        super().__init__()
        self.config = {
            "channels": channels,
            "blocks": blocks,
            "downscale": downscale,
            "norm": norm,
            "dilations": list(dilations) if isinstance(dilations, tuple | list) else dilations,
            "end_kernel": end_kernel,
            "residual": residual,
            "coarse_channels": coarse_channels,
            "context_channels": context_channels,
            "context_width": context_width,
            "skips": skips,
        }
        _check_settings(self.config)
        self.downscale = downscale
        self.norm = norm
        self.residual = residual
        self.dilations = [dilations[index % len(dilations)] for index in range(blocks)]
        folded = 3 * downscale**2
        self.head = FoldedConvolution(channels, end_kernel, downscale)
        self.coarse = CoarseBranch(coarse_channels, channels) if coarse_channels else None
        self.describe = context_encoder(context_channels, context_width)
        self.blocks = nn.ModuleList(
            ResidualBlock(channels, dilation, norm, skips) for dilation in self.dilations
        )
        self.modulate = nn.ModuleList(
            Modulation(context_channels, channels)
            for _ in range(blocks + 1 if context_channels else 0)
        )
        self.merge = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        # The correction is made of the features and of the picture's own fine detail: denoising
        # and sharpening are filters, and a narrow trunk should not have to carry every pixel.
        # Detail has mean zero, so that a step of the filter's weights shifts no brightness.
        incoming = channels + folded if residual else channels
        self.tail = nn.Conv2d(incoming, folded, end_kernel, padding="same")
        _set_first_weights(self)

    @property
    def last_layer(self) -> nn.Conv2d:
        """The convolution before the tanh."""
        return self.tail

    @property
    def multiple(self) -> int:
        """Tile origins must be multiples of this: the coarser of the two foldings."""
        return max(self.downscale, CELL) if self.coarse else self.downscale

    @property
    def receptive_radius(self) -> int | None:
        """Reach in pixels; ``None`` with instance norm, where the whole picture counts."""
        if self.norm is not None:
            return None
        return self._trunk_radius + (self.coarse.receptive_radius if self.coarse else 0)

    @property
    def _trunk_radius(self) -> int:
        """Reach in pixels without the coarse branch, where there is no norm."""
        ends = 2 * (self.config["end_kernel"] // 2)
        steps = ends + len(self.merge) + sum(2 * dilation for dilation in self.dilations)
        # A pixel sits anywhere within its folded cell, hence the rest of a cell of reach.
        return self.downscale * steps + self.downscale - 1

    @property
    def uses_context(self) -> bool:
        """Whether a description of the whole photo steers the network."""
        return self.describe is not None

    def context(self, summary: Tensor) -> Tensor:
        """Describe a whole photo by a small vector, to be handed to each of its tiles.

        Args:
            summary: ``(N, 9, 32, 32)`` from :func:`summarize` of the whole photos.

        Returns:
            ``(N, context_channels)``.

        Raises:
            ValueError: If the network uses no context.
        """
        return self.describe(summary) if self.describe is not None else super().context(summary)

    def forward_tile(
        self, image: Tensor, inner: tuple[slice, slice], context: Tensor | None = None
    ) -> Tensor:
        """See :meth:`forward`."""
        part: Tensor = self(image, context, inner)
        return part

    def forward(
        self,
        image: Tensor,
        context: Tensor | None = None,
        inner: tuple[slice, slice] | None = None,
    ) -> Tensor:
        """Enhance pictures or tiles of them.

        Args:
            image: ``(N, 3, H, W)``, sRGB in [0, 1], any size from 1x1.
            context: ``(N, context_channels)`` from :meth:`context` of the photo that ``image``
                is a tile of; ``None`` makes the image its own context. A network without
                context takes only ``None``.
            inner: The rows and columns that are wanted, from ``start`` to ``stop`` within the
                image; ``None`` for all. Around them the trunk, which does nearly all the work,
                computes only as far as it reaches. That is often half as far as the coarse branch.

        Returns:
            ``(N, 3, H, W)``, or that of ``inner``: the enhanced picture, nominally in [0, 1],
            unclamped.

        Raises:
            ValueError: If the image is not ``(N, 3, H, W)``, or a context comes to a network
                that uses none.
        """
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(f"image must have shape (N, 3, H, W), got {tuple(image.shape)}.")
        if context is not None and self.describe is None:
            raise ValueError("this generator uses no context; call it with the image alone.")
        if context is None and self.describe is not None:
            context = self.describe(summarize(image))
        inner = inner or (slice(0, image.shape[-2]), slice(0, image.shape[-1]))
        padded = _pad(image, self.multiple, EDGE if self.residual else 0)
        rows, columns = (
            self._near(part, *sides)
            for part, *sides in zip(inner, image.shape[-2:], padded.shape[-2:], strict=True)
        )
        near = padded[..., rows, columns]
        features = F.relu(self.head(near), inplace=True)
        if self.coarse is not None:
            folded = torch.Size(side // self.downscale for side in padded.shape[-2:])
            around = self.coarse(padded, folded)
            around = around[..., self._folded(rows), self._folded(columns)]
            features = add(features, around)
        for index, block in enumerate(self.blocks):
            features = block(self._modulated(features, index, context))
        features = self._modulated(features, len(self.blocks), context)
        for convolution in self.merge:
            features = F.relu(convolution(features), inplace=True)
        output = self._corrections(features, near) if self.residual else self.tail(features)
        output = F.pixel_shuffle(output, self.downscale)
        output = torch.tanh(output) if torch.is_grad_enabled() else output.tanh_()
        output = add(output, near) if self.residual else output * 0.58 + 0.5
        top, left = inner[0].start - rows.start, inner[1].start - columns.start
        height, width = (part.stop - part.start for part in inner)
        return output[..., top : top + height, left : left + width]

    def _corrections(self, features: Tensor, image: Tensor) -> Tensor:
        """The last convolution, of the features with the picture's fine detail beside them."""
        parameters: Iterable[Tensor] = self.tail.parameters()
        if not torch.is_grad_enabled():
            # On a CPU sixteen channels take four fifths of the time of twelve; the rest is cut.
            parameters = map(lengthen, parameters)
        weight, bias = parameters
        of_features, of_detail = weight.tensor_split([features.shape[1]], dim=1)
        detail = image - local_mean(image)
        output = add(
            F.conv2d(features, of_features, bias, padding="same"),
            folded_convolution(detail, of_detail, None, self.downscale),
        )
        return output[:, : self.tail.out_channels]

    def _near(self, part: slice, side: int, padded: int) -> slice:
        """What the trunk must see of one side for a part of it, in whole folded cells."""
        if self.norm is not None:
            return slice(0, padded)
        start = max(part.start - self._trunk_radius, 0) // self.downscale * self.downscale
        stop = part.stop + self._trunk_radius
        if stop >= side:  # the end of the picture, perhaps: all that it is continued by counts
            return slice(start, padded)
        return slice(start, -(-stop // self.downscale) * self.downscale)

    def _folded(self, pixels: slice) -> slice:
        return slice(pixels.start // self.downscale, pixels.stop // self.downscale)

    def _modulated(self, features: Tensor, place: int, context: Tensor | None) -> Tensor:
        return features if context is None else self.modulate[place](features, context)

    @classmethod
    def from_published(cls, file: str | Path) -> Self:
        """Load a generator that was published with DPED or the PIRM 2018 challenge.

        The file's tensors are named in the order of use: ``conv1`` is our ``head``, the next two
        per block are the block's, then the two of ``merge``, then ``tail``; ``norm1``,
        ``norm2``, ... are the blocks' instance norms.

        Args:
            file: A safetensors file with the keys ``conv{i}.weight``, ``conv{i}.bias``,
                ``norm{j}.weight`` and ``norm{j}.bias``.

        Returns:
            The generator, in evaluation mode.

        Raises:
            InputError: If the file is missing, damaged, or of another shape.
        """
        weights = read_weights(Path(file))
        settings = _published_settings(weights, file)
        generator = cls(**settings)
        generator.load_strictly(_rename_published(weights, settings["blocks"]), str(file))
        return generator.eval()


@torch.no_grad()
def _set_first_weights(generator: Generator) -> None:
    """Change PyTorch's own first weights where training starts better from others."""
    tail = generator.tail
    if generator.residual:
        # Start near the identity: an untrained residual generator returns its input, almost.
        tail.weight.mul_(0.1)
        tail.weight[:, generator.config["channels"] :].zero_()
        tail.bias.zero_()  # type: ignore[union-attr]
    if not generator.config["skips"]:
        # After He et al. 2015: PyTorch's own first weights let a plain stack's signal die out.
        for layer in generator.modules():
            if isinstance(layer, nn.Conv2d) and layer is not tail:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def _pad(image: Tensor, multiple: int, least: int) -> Tensor:
    """Repeat the last row and column, at least so often, until both sides are multiples."""
    height, width = image.shape[-2:]
    right, bottom = (least + -(side + least) % multiple for side in (width, height))
    return F.pad(image, (0, right, 0, bottom), mode="replicate") if right or bottom else image


_RANGES = {
    "channels": (1, 512),
    "blocks": (1, 128),
    "downscale": (1, 16),
    "end_kernel": (1, 31),
    "coarse_channels": (0, 512),
    "context_channels": (0, 512),
    "context_width": (0, 512),
}
"""Least and greatest values. The settings may be a stranger's, and what they ask for is made."""

_GREATEST_DILATION = 64


def _check_settings(config: Mapping) -> None:
    for name, (least, most) in _RANGES.items():
        if not _is_within(config[name], least, most):
            raise InputError(
                f"{name} must be a whole number from {least} to {most}, got {brief(config[name])}."
            )
    if config["end_kernel"] % 2 != 1:
        raise InputError(f"end_kernel must be odd and above 0, got {config['end_kernel']}.")
    if config["context_width"] and not config["context_channels"]:
        raise InputError("context_width means nothing without context_channels; give both.")
    if config["norm"] not in (None, "instance"):
        raise InputError(f'norm must be None or "instance", got {brief(config["norm"])}.')
    if not isinstance(config["residual"], bool):
        raise InputError(f"residual must be true or false, got {brief(config['residual'])}.")
    dilations = config["dilations"]
    if not isinstance(dilations, list):
        raise InputError(f"dilations must be a list of whole numbers, got {brief(dilations)}.")
    most = _RANGES["blocks"][1]
    if not 1 <= len(dilations) <= most or not all(
        _is_within(value, 1, _GREATEST_DILATION) for value in dilations
    ):
        raise InputError(
            f"dilations must be 1 to {most} whole numbers from 1 to {_GREATEST_DILATION}, got "
            f"{brief(dilations)}."
        )
    if config["coarse_channels"] and CELL % config["downscale"]:
        raise InputError(
            f"with a coarse branch, downscale must divide {CELL}, got {config['downscale']}."
        )


def _is_within(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most  # true is an int, too


def _published_settings(weights: Mapping[str, Tensor], file: str | Path) -> dict[str, Any]:
    norms = sum(name.startswith("norm") for name in weights) // 2
    if "conv1.weight" not in weights or norms == 0:
        raise InputError(
            f"{file} holds no published DPED generator: its keys are not "
            "conv1.weight ... and norm1.weight ...; name one of the dped_*_12_64 files."
        )
    channels, _, _, end_kernel = weights["conv1.weight"].shape
    return {
        "channels": channels,
        "blocks": norms // 2,
        "downscale": 1,
        "norm": "instance",
        "end_kernel": end_kernel,
        "residual": False,
    }


def _rename_published(weights: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    names = {"conv1": "head"}
    for block in range(blocks):
        for inner in range(2):
            place = 2 * block + inner
            names[f"conv{place + 2}"] = f"blocks.{block}.convolutions.{inner}"
            names[f"norm{place + 1}"] = f"blocks.{block}.norms.{inner}"
    last = 2 * blocks + 2
    names |= {f"conv{last}": "merge.0", f"conv{last + 1}": "merge.1", f"conv{last + 2}": "tail"}
    renamed = {}
    for key, value in weights.items():
        layer, _, kind = key.rpartition(".")
        # A surplus key keeps its name, and strict loading then reports it.
        renamed[f"{names.get(layer, layer)}.{kind}"] = value
    return renamed
