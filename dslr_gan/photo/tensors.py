"""Pixels as tensors for a network, and its result as pixels."""

import numpy as np
import torch

from dslr_gan.photo.pixels import LUMA


def to_tensor(pixels: np.ndarray, *, channels_last: bool = False) -> torch.Tensor:
    """Pixels ``(H, W, 3)``, uint8 or uint16, as a float32 copy ``(1, 3, H, W)`` in [0, 1].

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


def grayscale(image: torch.Tensor) -> torch.Tensor:
    """Luma of pictures.

    Args:
        image: ``(N, 3, H, W)``, gamma-coded sRGB.

    Returns:
        ``(N, 1, H, W)``: ITU-R BT.601 luma in the image's range.
    """
    return (image * image.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
