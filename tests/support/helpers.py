"""Small networks that several test files need."""

import torch

from dslr_gan.models.generator import Generator


def loud(settings):
    """A generator all of whose layers say something, in evaluation mode.

    An untrained one hardly changes its input, and would hide what a test looks for.
    """
    torch.manual_seed(0)
    generator = Generator(**settings).eval()
    for module in generator.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    for modulation in generator.modulate:
        torch.nn.init.normal_(modulation.project.weight)
    generator.tail.weight.data.mul_(0.2)
    return generator


def published_like(channels, blocks):
    """Weights in the published layout with random numbers."""
    shapes = {"conv1": (channels, 3, 9, 9), f"conv{2 * blocks + 4}": (3, channels, 9, 9)}
    for index in range(2, 2 * blocks + 4):
        shapes[f"conv{index}"] = (channels, channels, 3, 3)
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = torch.randn(shape) * 0.05
        weights[f"{name}.bias"] = torch.randn(shape[0]) * 0.05
    for index in range(1, 2 * blocks + 1):
        weights[f"norm{index}.weight"] = torch.rand(channels) + 0.5
        weights[f"norm{index}.bias"] = torch.randn(channels) * 0.05
    return weights
