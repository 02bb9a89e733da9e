"""How a network is run: on its device, with wide convolutions in bfloat16, or compiled."""

import copy
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dslr_gan.enhance.running.forking import check_not_forked
from dslr_gan.enhance.running.memory import lacks_memory
from dslr_gan.errors import DslrGanError, reason
from dslr_gan.models.context import summarize_in_parts
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.photo import PhotoPixels, to_tensor

logger = logging.getLogger(__name__)

PRECISIONS = ("fp32", "bf16")

WIDE = 16
"""Channels, coming in and going out, from which a convolution counts as wide."""

CHECKED = 256
"""Side of the piece of a photo on which bfloat16 is compared with float32."""

_SHAPES = 64
"""Sizes of tiles for which code is compiled; a photo of many tiles has at most nine of them, or 36
where its sides are no multiples."""

ForwardTile = Callable[[Tensor, tuple[slice, slice], Tensor | None], Tensor]
"""A network's ``forward_tile``: of (image, inner, context) the inner part of the result."""


def device_named(wanted: str | torch.device | None) -> torch.device:
    """The device of a name, or for None a GPU where there is one.

    Raises:
        DslrGanError: If it is not there.
    """
    if wanted is None:
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        check_not_forked(device)
        torch.zeros(1, device=device).item()  # "meta" holds no numbers to give back
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DslrGanError(f"there is no device {wanted!s} here; cpu always works.") from error
    return device


class NetworkRunner:
    """Runs a network on tiles, on one device and in one precision.

    Args:
        network: In evaluation mode, on ``device``.
        device: Where to compute.
        precision: ``"fp32"`` or ``"bf16"``; float32, with a warning in the log, where the device
            has no bfloat16.
        compile: Whether ``torch.compile`` generates code for each size of tile.

    Raises:
        DslrGanError: If there is no such precision, or nothing can be compiled on this machine.
    """

    def __init__(
        self, network: Pretrained, device: torch.device, precision: str, compile: bool
    ) -> None:
        if precision not in PRECISIONS:
            raise DslrGanError(
                f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}."
            )
        self.device = device
        self._network = network
        self._half: Pretrained | None = None
        if precision == "bf16" and has_bf16(device):
            self._half = in_bf16(network)
        elif precision == "bf16":
            logger.warning("%s has no bfloat16 of its own; going on with float32", device)
        self._full_tile: ForwardTile = network.forward_tile
        self._half_tile: ForwardTile | None = self._half and self._half.forward_tile
        if compile:
            self._full_tile = compiled(self._full_tile, device)
            self._half_tile = self._half_tile and compiled(self._half_tile, device)

    @property
    def precision(self) -> str:
        """What most of the arithmetic is done in: ``fp32`` or ``bf16``."""
        return "fp32" if self._half is None else "bf16"

    def context(self, pixels: PhotoPixels) -> Tensor | None:
        """What the whole photo tells each of its tiles; None of a network without context."""
        if not self._network.uses_context:
            return None

        def read(rows: slice, columns: slice) -> Tensor:
            return to_tensor(pixels.read(rows, columns))

        summary = summarize_in_parts(read, pixels.height, pixels.width)
        return self._network.context(summary.to(self.device))

    def forward_tile_for(self, pixels: PhotoPixels, context: Tensor | None) -> ForwardTile:
        """Choose how to run the network on a photo: in bfloat16 only where that is as good."""
        if self._half is None or self._half_tile is None:
            return self._full_tile
        rows, columns = (_middle(side, CHECKED) for side in (pixels.height, pixels.width))
        seen = to_tensor(pixels.read(rows, columns))
        inner = slice(0, rows.stop - rows.start), slice(0, columns.stop - columns.start)
        full = self.run(self._network.forward_tile, seen, inner, context)
        half = self.run(self._half.forward_tile, seen, inner, context)
        if full is None or half is None:
            return self._half_tile  # it takes less memory
        difference = (full.clamp(0, 1) - half.clamp(0, 1)).abs().max()
        if difference <= 1 / 255:
            return self._half_tile
        logger.warning(
            "bfloat16 is off by %.1f of 255 levels in a photo; going on with float32 there",
            difference * 255,
        )
        return self._full_tile

    def run(
        self,
        forward_tile: ForwardTile,
        seen: Tensor,
        inner: tuple[slice, slice],
        context: Tensor | None,
    ) -> Tensor | None:
        """Compute one tile.

        Args:
            forward_tile: What :meth:`forward_tile_for` chose.
            seen: The tile with its margin, ``(1, 3, H, W)``, sRGB in [0, 1].
            inner: Rows and columns of ``seen`` that are to be delivered.
            context: The photo's context, where the network uses one.

        Returns:
            ``(1, 3, h, w)`` float32 on the CPU; None where memory does not suffice.
        """
        try:
            seen = seen.to(self.device, memory_format=torch.channels_last)
            return forward_tile(seen, inner, context).float().cpu()
        except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
            if not lacks_memory(error):
                raise
        # Only here is the error gone, and with it what it still held of the network's values.
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None


def has_bf16(device: torch.device) -> bool:
    """Whether a device has bfloat16 in hardware; without that it would be slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
    return False


def in_bf16(network: Pretrained) -> Pretrained:
    """Copy a network so that its wide convolutions are computed in bfloat16, all else in float32.

    The first and the last layer, the residuals and the modulation, where rounding would be visible,
    stay as they are. Of the bundled networks no value differs by more than 1.01/255 in the photos
    that ``tests/enhance/running/test_precision.py`` compares.
    """
    half = copy.deepcopy(network)
    _replace_wide(half)
    return half


def compiled(forward_tile: ForwardTile, device: torch.device) -> ForwardTile:
    """Compile a network's ``forward_tile``: for each size of tile when the first one comes.

    Raises:
        DslrGanError: If nothing can be compiled here, for want of a C++ compiler for example.
    """
    # With dynamic sizes PyTorch 2.13 ends in an internal error on this.
    compiler: Any = torch.compile  # its signature lacks the limit
    made: ForwardTile = compiler(forward_tile, dynamic=False, recompile_limit=_SHAPES)
    try:
        torch.compile(torch.sin, dynamic=False)(torch.zeros(1, device=device))
    except Exception as error:  # compilers fail in their own ways
        raise DslrGanError(
            f"Nothing can be compiled here ({reason(error)}); leave out --compile, or install a "
            "C++ compiler."
        ) from error
    return made


class _Bf16Conv2d(nn.Module):
    """A convolution in bfloat16 between float32 values."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution.to(torch.bfloat16)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.convolution(features.bfloat16()).float()
        return result


def _replace_wide(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and min(child.in_channels, child.out_channels) >= WIDE:
            setattr(module, name, _Bf16Conv2d(child))
        else:
            _replace_wide(child)


def _middle(side: int, most: int) -> slice:
    """The middle of one side, at most ``most`` pixels long."""
    start = max(side - most, 0) // 2
    return slice(start, min(start + most, side))
