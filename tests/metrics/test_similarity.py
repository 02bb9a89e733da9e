"""Metrics against scikit-image, and against scores of the published PIRM evaluation."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dslr_gan.metrics.similarity import ms_ssim, psnr, ssim, ssim_and_ms_ssim, ssim_in_strips
from tests.support.paths import SHARED

DPED_TEST = SHARED / "dped/iphone/test_data/patches"

RECORDED = (0.9453157, 0.9786965)
"""SSIM and MS-SSIM of a photo and a duller copy by pytorch-msssim 1.0.0."""


def as_tensor(pixels):
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].double() / 255


@pytest.fixture(scope="module")
def pictures():
    """A photo and a noisier, darker copy of it, uint8."""
    first = data.astronaut()[40:240, 100:331]
    noise = np.random.default_rng(0).normal(0, 12, first.shape)
    return first, np.clip(first * 0.9 + noise, 0, 255).astype(np.uint8)


def test_psnr_is_scikit_images(pictures):
    first, second = pictures
    got = psnr(as_tensor(first), as_tensor(second))
    assert got.shape == (1,)
    assert got.item() == pytest.approx(peak_signal_noise_ratio(first, second), abs=1e-9)


def test_psnr_of_identical_pictures_is_infinite(pictures):
    assert psnr(as_tensor(pictures[0]), as_tensor(pictures[0])).item() == float("inf")


def test_ssim_is_scikit_images(pictures):
    first, second = pictures
    expected = structural_similarity(
        first,
        second,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert ssim(as_tensor(first), as_tensor(second)).item() == pytest.approx(expected, abs=1e-9)


def test_ms_ssim_falls_with_damage_and_is_one_for_the_same(pictures):
    first, second = (as_tensor(picture) for picture in pictures)
    worse = (second + 0.1 * torch.randn(second.shape, dtype=second.dtype)).clamp(0, 1)
    assert ms_ssim(first, first).item() == pytest.approx(1, abs=1e-9)
    assert ms_ssim(first, worse) < ms_ssim(first, second) < 1


@pytest.mark.parametrize("side", [100, 37])
def test_both_at_once_are_each_alone(side):
    first = as_tensor(data.astronaut()[:side, :120])
    second = (first * 0.8 + 0.02).clamp(0, 1)
    both = ssim_and_ms_ssim(first, second)
    assert torch.equal(both[0], ssim(first, second))
    assert torch.equal(both[1], ms_ssim(first, second))


def test_values_are_those_of_an_independent_library():
    # Sides are multiples of 16: its way of halving odd ones differs, and it refuses any below 161.
    first = as_tensor(data.astronaut()[:256, :320])
    second = (first * 0.8 + 0.02).clamp(0, 1)
    both = [value.item() for value in ssim_and_ms_ssim(first, second)]
    # 1e-6: the library keeps its window in float32.
    assert both == pytest.approx(RECORDED, abs=1e-6)


def test_ms_ssim_counts_opposite_contrast_as_nothing(pictures):
    first = as_tensor(pictures[0])
    assert 0 <= ms_ssim(first, 1 - first).item() < 0.01


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim])
def test_metrics_score_each_sample_and_give_slopes(metric):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 3, 100, 100, generator=generator, requires_grad=True)
    target = torch.rand(3, 3, 100, 100, generator=generator)
    values = metric(image, target)
    assert values.shape == (3,)
    alone = torch.stack([metric(image[i : i + 1], target[i : i + 1])[0] for i in range(3)])
    assert torch.allclose(values, alone, atol=1e-6)
    values.sum().backward()
    assert torch.isfinite(image.grad).all() and image.grad.abs().max() > 0


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim])
def test_wrong_shapes_are_told(metric):
    image = torch.zeros(1, 3, 20, 20)
    with pytest.raises(ValueError, match="one shape"):
        metric(image, torch.zeros(1, 3, 20, 21))
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\)"):
        metric(image[0], image[0])


def test_ssim_needs_its_window():
    with pytest.raises(ValueError, match="at least 11"):
        ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))


@pytest.mark.parametrize("height", [11, 200, 522, 523, 1100])
def test_ssim_in_strips_is_ssim_of_the_whole(height):
    rng = np.random.default_rng(height)
    first = rng.integers(0, 256, (height, 40, 3), dtype=np.uint8)
    second = np.clip(first + rng.normal(0, 20, first.shape), 0, 255).astype(np.uint8)
    expected = ssim(as_tensor(first), as_tensor(second)).item()
    got = ssim_in_strips(*(lambda top, bottom, of=of: of[top:bottom] for of in (first, second)),
                         40, height)  # fmt: skip
    # 1e-5: strips are float32.
    assert got == pytest.approx(expected, abs=1e-5)


@pytest.mark.skipif(not DPED_TEST.is_dir(), reason="the real DPED pairs are not beside the project")
def test_scores_of_the_dped_test_pairs_are_the_published_evaluation_s():
    names = sorted(path.name for path in (DPED_TEST / "canon").iterdir())
    phone, canon = (
        torch.cat([as_tensor(np.array(Image.open(DPED_TEST / side / name))) for name in names])
        for side in ("iphone", "canon")
    )
    decibels = psnr(phone, canon)
    # The challenge's own code gave 18.46 / 0.8504 / 0.7037 for these 51 pairs as they are.
    assert decibels[decibels.isfinite()].mean().item() == pytest.approx(18.46, abs=0.005)
    assert ms_ssim(phone, canon).mean().item() == pytest.approx(0.8504, abs=1e-4)
    assert ssim(phone, canon).mean().item() == pytest.approx(0.7037, abs=1e-4)
