"""Pixels to tensors and back, and luma, which is one thing in all of its kinds of numbers."""

import numpy as np
import pytest
import torch
from PIL import Image

from dslr_gan.photo import to_pixels, to_tensor
from dslr_gan.photo.pixels import LUMA, luma, luma_levels
from dslr_gan.photo.tensors import grayscale


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tensors_and_back(dtype):
    top = np.iinfo(dtype).max
    pixels = np.arange(top + 1, dtype=dtype)[: (top + 1) // 3 * 3].reshape(1, -1, 3)
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 3, *pixels.shape[:2]) and tensor.dtype == torch.float32
    assert tensor[0, 1, 0, 5].item() == pytest.approx(pixels[0, 5, 1] / top)
    assert np.array_equal(to_pixels(tensor, dtype), pixels)


def test_tensors_outside_the_range_are_clamped_and_rounded():
    tensor = torch.tensor([-0.5, 0.4999 / 255, 0.5001 / 255, 0.5, 1.7, 1.0]).reshape(1, 3, 1, 2)
    levels = to_pixels(tensor, np.uint8).transpose(2, 0, 1).ravel()
    assert levels.tolist() == [0, 0, 1, 128, 255, 255]


def test_luma_is_the_same_of_tensors_levels_and_numbers():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    expected = (pixels.astype(float) * LUMA).sum(axis=2)
    assert luma(pixels).dtype == np.float32
    assert luma(pixels.astype(float)).dtype == np.float64
    np.testing.assert_allclose(luma(pixels), expected, rtol=1e-6)
    np.testing.assert_allclose(luma(pixels / 255), expected / 255, rtol=1e-12)
    tensor = torch.from_numpy(pixels.astype(float)).permute(2, 0, 1)[None]
    np.testing.assert_allclose(grayscale(tensor)[0, 0].numpy(), expected, rtol=1e-12)
    assert np.array_equal(luma_levels(pixels), Image.fromarray(pixels).convert("L"))
    gray = np.repeat(np.arange(65536, dtype=np.uint16)[None, :, None], 3, axis=2)
    assert np.array_equal(luma_levels(gray), gray[..., 0])
