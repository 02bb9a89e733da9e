"""How a network is run where speed matters: its wide convolutions in bfloat16, or compiled."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.models.pretrained import Pretrained

PRECISIONS = ("fp32", "bf16")

WIDE = 16
"""Channels, coming in and going out, from which a convolution counts as wide."""

_SHAPES = 64
"""Sizes of tiles for which code is made; a photo of many tiles has at most nine of them, or 36
where its sides are no multiples."""

Part = Callable[[Tensor, tuple[slice, slice], Tensor | None], Tensor]
"""A network's ``part``: of (image, inner, context) the inner part of the result."""


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 by itself; elsewhere it would be slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
    return False


def in_bf16(network: Pretrained) -> Pretrained:
    """A copy of a network that works its wide convolutions out in bfloat16, all else in float32.

    The first and the last layer, the residuals and the modulation, where a rounding would be seen,
    stay as they are. Of the bundled networks no value differs by more than 1.01/255 in the photos
    that ``tests/test_running.py`` compares.
    """
    half = copy.deepcopy(network)
    _replace_wide(half)
    return half


def compiled(part: Part, device: torch.device) -> Part:
    """A network's ``part``, compiled for every size of tile when one first comes.

    Raises:
        DslrGanError: If nothing can be compiled here, for want of a C++ compiler for example.
    """
    # Of sizes that are left free PyTorch 2.13 makes no code of this (an internal error).
    compiler: Any = torch.compile  # its signature lacks the limit
    made: Part = compiler(part, dynamic=False, recompile_limit=_SHAPES)
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
