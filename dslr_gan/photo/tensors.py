"""Pixels <-> tensors."""

import numpy as np
import torch


def to_tensor(pixels: np.ndarray, *, channels_last: bool = False) -> torch.Tensor:
    """Pixels ``(H, W, 3)``, uint8 or uint16, as float32 ``(1, 3, H, W)`` in [0, 1]; a copy.

    Args:
        pixels: The pixels.
        channels_last: Whether they keep their order in memory, ``torch.channels_last``, for which
            they need not be moved about.
    """
    values = pixels.astype(np.float32, order="C")
    values /= np.iinfo(pixels.dtype).max
    tensor = torch.from_numpy(values).permute(2, 0, 1)[None]
    return tensor if channels_last else tensor.contiguous()


def to_pixels(tensor: torch.Tensor, dtype: np.dtype | type = np.uint8) -> np.ndarray:
    """A tensor ``(1, 3, H, W)``, nominally in [0, 1], as pixels ``(H, W, 3)``.

    Args:
        tensor: Any floating dtype, any device; values outside [0, 1] are clamped.
        dtype: ``numpy.uint8`` or ``numpy.uint16``; values are rounded to its full range.
    """
    top = np.iinfo(dtype).max
    values = tensor.detach()[0].float().clamp(0, 1).mul(top).round()
    return values.permute(1, 2, 0).cpu().numpy().astype(dtype)


def eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Pixels of any shape, uint8 or uint16, as uint8: uint16 rounded, uint8 as it is."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
