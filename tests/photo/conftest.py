"""A fixture of several test files."""

import pytest

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.models.generator import Generator


@pytest.fixture(scope="session")
def enhancer() -> PhotoEnhancer:
    """A small network with context that visibly changes a photo, in many tiles."""
    generator = Generator(channels=4, blocks=1, context_channels=4, coarse_channels=4)
    for parameter in generator.parameters():
        parameter.data.add_(0.02)
    return PhotoEnhancer(generator, tile=16)
