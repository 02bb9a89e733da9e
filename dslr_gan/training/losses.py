"""The generator's and the discriminator's losses, as pure functions.

Paper: Prakash and Phumbhra 2020, section III.A: ``alpha * content + 0.3 * texture + 0.2 *
colour``, alpha left open (1 here). Total variation, L1, SSIM and MS-SSIM are our answer to what
the paper confesses: amplified noise and excessive colour. Every term is a mean over samples and
elements.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F

from dslr_gan.metrics.similarity import check_pair, ms_ssim, ssim, ssim_and_ms_ssim
from dslr_gan.metrics.vgg import VGGFeatures, content_loss
from dslr_gan.training.options.groups import LossWeights

BLUR_SIDE = 21
BLUR_SIGMA = 3.0


def generator_losses(
    enhanced: Tensor,
    target: Tensor,
    weights: LossWeights,
    *,
    logits: Tensor | None = None,
    vgg: VGGFeatures | None = None,
) -> dict[str, Tensor]:
    """Work out every term of the generator's loss that has a weight.

    Args:
        enhanced: Generator output ``(N, 3, H, W)``, sRGB, nominally in [0, 1], unclamped.
        target: DSLR patch, same shape, dtype and device.
        weights: Says which terms to compute.
        logits: The discriminator's ``(N, 1)`` for ``enhanced``; needed for ``texture``.
        vgg: Needed for ``content``.

    Returns:
        Scalars ``()`` by the names of :class:`LossWeights`, unweighted.

    Raises:
        ValueError: If a term lacks what it needs, or the shapes differ.
    """
    check_pair(enhanced, target)
    terms = {}
    if weights.content:
        if vgg is None:
            raise ValueError("the content loss needs VGG-16; pass vgg, or set its weight to 0.")
        terms["content"] = content_loss(vgg, enhanced, target)
    if weights.texture:
        if logits is None:
            raise ValueError("the texture loss needs the discriminator's logits.")
        terms["texture"] = texture_loss(logits)
    if weights.color:
        terms["color"] = color_loss(enhanced, target)
    if weights.total_variation:
        terms["total_variation"] = total_variation_loss(enhanced)
    if weights.l1:
        terms["l1"] = F.l1_loss(enhanced, target)
    if weights.ssim and weights.ms_ssim:
        both = ssim_and_ms_ssim(enhanced, target)
        terms |= {
            name: 1 - value.mean() for name, value in zip(("ssim", "ms_ssim"), both, strict=True)
        }
    elif weights.ssim:
        terms["ssim"] = 1 - ssim(enhanced, target).mean()
    elif weights.ms_ssim:
        terms["ms_ssim"] = 1 - ms_ssim(enhanced, target).mean()
    return terms


def color_loss(enhanced: Tensor, target: Tensor) -> Tensor:
    """Colour loss: distance of the Gaussian-blurred images.

    Blurring (21x21, sigma 3, zeros around the border as in DPED) removes texture and forgives
    small misalignment; brightness, contrast and hue remain to be compared.

    Args:
        enhanced: Generator output ``(N, 3, H, W)``, sRGB, nominally in [0, 1], unclamped.
        target: DSLR patch, same shape, dtype and device.

    Returns:
        Scalar ``()``: mean squared difference over N, C, H and W.

    Raises:
        ValueError: If the shapes differ or are not ``(N, 3, H, W)``.

    References:
        Prakash and Phumbhra 2020, III.A.1; kernel of Ignatov et al. 2017, section 3.1.
    """
    check_pair(enhanced, target)
    # The blur is linear, so the blurred difference is the difference of the blurred.
    return blur(enhanced - target).square().mean()


def blur(image: Tensor) -> Tensor:
    """Gaussian blur, 21x21, sigma 3, zeros around the border.

    Args:
        image: ``(N, C, H, W)``.

    Returns:
        The same shape.
    """
    offsets = torch.arange(BLUR_SIDE, dtype=image.dtype, device=image.device) - BLUR_SIDE // 2
    window = torch.exp(-offsets.square() / (2 * BLUR_SIGMA**2))
    window = (window / window.sum()).repeat(image.shape[1], 1, 1, 1)
    half = BLUR_SIDE // 2
    rows = F.conv2d(image, window, padding=(0, half), groups=image.shape[1])
    return F.conv2d(rows, window.mT, padding=(half, 0), groups=image.shape[1])


def texture_loss(logits: Tensor) -> Tensor:
    """Texture loss: -log D(G(phone)), the generator's side of the game.

    Args:
        logits: The discriminator's ``(N, 1)`` for enhanced patches; the sigmoid is in here.

    Returns:
        Scalar ``()``: mean over N.

    References:
        Prakash and Phumbhra 2020, III.A.2.
    """
    return F.softplus(-logits).mean()


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Binary cross-entropy of the discriminator: DSLR patches are 1, enhanced ones 0.

    Args:
        real: Logits ``(N, 1)`` for DSLR patches.
        generated: Logits ``(N, 1)`` for enhanced patches, cut off from the generator.

    Returns:
        Scalar ``()``: mean over both halves.
    """
    return (
        F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        + F.binary_cross_entropy_with_logits(generated, torch.zeros_like(generated))
    ) / 2


def total_variation_loss(image: Tensor) -> Tensor:
    """Total variation: mean squared difference of neighbours, across plus down.

    Args:
        image: ``(N, 3, H, W)``, sRGB.

    Returns:
        Scalar ``()``.

    References:
        Ignatov et al. 2017, section 3.1.4.
    """
    across = (image[..., :, 1:] - image[..., :, :-1]).square().mean()
    down = (image[..., 1:, :] - image[..., :-1, :]).square().mean()
    return across + down


def step_means(batches: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Means over the batches of a step, on their device.

    Args:
        batches: Scalars ``()`` by name, the same names in each.
    """
    values = torch.stack([torch.stack(list(losses.values())) for losses in batches]).mean(dim=0)
    return dict(zip(batches[0], values, strict=True))


def reduce_losses(
    accelerator: Accelerator, steps: Sequence[dict[str, Tensor]], signal: int
) -> tuple[list[dict[str, float]], int]:
    """Means over all processes of some steps, and the signal that any process got.

    One exchange and one wait for the device, after which all processes decide alike.

    Args:
        accelerator: Connects the processes.
        steps: Scalars ``()`` by name, the same names in each.
        signal: The number of the signal that this process got, or 0.

    Returns:
        The means by name of each step, and the highest number of a signal.
    """
    names = list(steps[0])
    values = torch.stack([losses[name].float() for losses in steps for name in names])
    own = torch.cat([values, values.new_tensor([float(signal)])])
    everyone = accelerator.gather(own[None])
    means = everyone[:, :-1].mean(dim=0).view(len(steps), len(names)).tolist()
    return [dict(zip(names, row, strict=True)) for row in means], int(everyone[:, -1].max())


def open_vgg(weights: Path | None) -> VGGFeatures:
    """Open the network that the content loss compares with.

    Args:
        weights: A safetensors file, ``None`` to read it from the Hub.

    Raises:
        DslrGanError: If it cannot be read.
    """
    return VGGFeatures.from_hub() if weights is None else VGGFeatures.from_file(weights)
