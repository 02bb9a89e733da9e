"""The discriminator: seven convolutions on grayscale, one logit per patch, each on its own."""

import numpy as np
import pytest
import torch
from torch import nn

from dslr_gan.errors import DslrGanError
from dslr_gan.models.discriminator import Discriminator
from dslr_gan.photo.tensors import grayscale

NORMS = ["instance", None]


def small(norm):
    """In double precision, and in training mode: what batch norm would do shows there.

    Its convolutions are made louder: PyTorch's initial ones let a picture fade on its way.
    """
    torch.manual_seed(0)
    network = Discriminator(norm, hidden=16).double()
    for convolution in layers(network, nn.Conv2d):
        nn.init.kaiming_normal_(convolution.weight, a=0.2)
    return network


def layers(network, kind):
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def patches(count, height=40, width=40):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, height, width, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("norm", NORMS)
def test_seven_convolutions_leaky_relu_and_a_dense_end(norm):
    network = Discriminator(norm)
    convolutions = layers(network, nn.Conv2d)
    assert [each.out_channels for each in convolutions] == [48, 128, 192, 192, 192, 192, 128]
    assert convolutions[0].kernel_size == (11, 11) and convolutions[0].stride == (4, 4)
    assert convolutions[0].in_channels == 1
    assert len(layers(network, nn.LeakyReLU)) == 8
    assert [each.out_features for each in layers(network, nn.Linear)] == [1024, 1]
    assert len(layers(network, nn.InstanceNorm2d)) == (6 if norm else 0)
    assert not layers(network, (nn.BatchNorm2d, nn.Sigmoid, nn.ReLU))


def test_grayscale_is_bt_601():
    image = patches(2)
    weights = np.array([0.299, 0.587, 0.114])
    expected = np.tensordot(image.numpy(), weights, axes=([1], [0]))[:, None]
    np.testing.assert_allclose(grayscale(image).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_colour_alone_changes_nothing(norm):
    network, image = small(norm), patches(1)
    more_red = patches(1)[:, 0] - 0.5
    recoloured = image.clone()
    recoloured[:, 0] += more_red
    recoloured[:, 1] -= more_red * 0.299 / 0.587
    assert (recoloured - image).abs().max() > 0.2
    torch.testing.assert_close(network(recoloured), network(image), rtol=0, atol=1e-9)

    brighter = image.clone()
    brighter[:, 1] += more_red
    assert (network(brighter) - network(image)).abs().max() > 1e-3


@pytest.mark.parametrize("norm", NORMS)
def test_each_logit_is_its_patch_s_own(norm):
    network, batch = small(norm), patches(3)
    # Very unlike neighbours, whose statistics a batch norm would mix in.
    batch[1] *= 0.01
    together = network(batch)
    alone = torch.cat([network(batch[index : index + 1]) for index in range(3)])
    assert together.shape == (3, 1)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-10)
    assert together.std() > 1e-3


def test_logits_and_no_sigmoid():
    network, batch = small("instance"), patches(2)
    before = network(batch)
    with torch.no_grad():
        network.dense[-1].bias.add_(30)
    torch.testing.assert_close(network(batch), before + 30)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (32, 128), (100, 100), (128, 128)])
def test_sizes(norm, size):
    image = patches(2, *size).requires_grad_()
    logits = small(norm)(image)
    assert logits.shape == (2, 1)
    logits.sum().backward()
    assert torch.isfinite(image.grad).all() and image.grad.abs().max() > 0


@pytest.mark.parametrize("shape", [(1, 3, 31, 40), (1, 3, 40, 31), (1, 1, 40, 40), (3, 40, 40)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\), sides from 32, got"):
        Discriminator(hidden=4)(torch.zeros(shape))


def test_batch_norm_is_refused():
    with pytest.raises(DslrGanError, match="norm must be None or \"instance\", got 'batch'"):
        Discriminator("batch")
