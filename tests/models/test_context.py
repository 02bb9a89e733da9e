"""The summary of a whole photo in its three ways, and what encodes it."""

import pytest
import torch
from skimage import data
from torch.nn import functional as F

from dslr_gan.models import context
from dslr_gan.models.context import (
    context_encoder,
    summarize,
    summarize_in_parts,
    summarize_traced,
)
from tests.support.summaries import detail_maps


@pytest.fixture(scope="module")
def photo():
    """Part of a photo, in double precision, so that only mistakes are far from the reference."""
    pixels = data.astronaut()[100:140, 200:270] / 255
    return torch.tensor(pixels).permute(2, 0, 1)[None]


def test_the_maps_are_changes_to_the_pixels_that_far_right_and_down():
    image = torch.zeros(1, 3, 6, 7)
    image[0, 1, 0, 0], image[0, 1, 4, 0], image[0, 1, 0, 1] = 0.5, 0.2, 0.4
    maps = detail_maps(image)
    # Over one pixel: to 0.4 on the right and to 0 below. Over four: to 0 and to 0.2.
    assert maps[0, 4, 0, 0].item() == pytest.approx(0.1 + 0.5)
    assert maps[0, 7, 0, 0].item() == pytest.approx(0.5 + 0.3)
    assert maps[0, [3, 5, 6, 8]].abs().max() == 0
    assert maps[0, 3:6, -1, -1].abs().max() == 0, "a neighbour outside is no change"


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_summary_is_the_maps_averaged_over_a_grid(photo, layout):
    expected = F.adaptive_avg_pool2d(detail_maps(photo), 32)
    found = summarize(photo.contiguous(memory_format=layout))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("size", [(40, 70), (7, 9), (1, 3), (3, 1), (1, 1), (33, 5)])
@pytest.mark.parametrize("pixels", [context.PART_PIXELS, 12])
def test_a_photo_read_in_parts_has_the_same_summary(size, pixels, photo, monkeypatch):
    monkeypatch.setattr(context, "PART_PIXELS", pixels)
    image = photo[..., : size[0], : size[1]]
    largest = 0

    def read(rows, columns):
        nonlocal largest
        part = image[..., rows, columns]
        largest = max(largest, part[0, 0].numel())
        return part

    found = summarize_in_parts(read, *size)
    # The same few numbers added in another order.
    torch.testing.assert_close(found, summarize(image), atol=1e-12, rtol=0)
    # Two rows of six pixels, and four more of each for the neighbours.
    assert largest <= (60 if pixels == 12 else image[0, 0].numel())


@pytest.mark.parametrize("size", [(40, 70), (7, 9), (1, 3), (3, 1), (1, 1)])
def test_what_is_traced_for_other_runtimes_is_the_same_summary(size, photo):
    image = torch.cat([photo, 1 - photo])[..., : size[0], : size[1]].float()
    found = summarize_traced(image)
    assert found.shape == (2, 9, 32, 32)
    torch.testing.assert_close(found, summarize(image), atol=1e-6, rtol=0)


@pytest.mark.parametrize("width", [0, 12])
def test_an_encoder_makes_a_vector_for_each_photo(width):
    torch.manual_seed(0)
    encoder = context_encoder(16, width)
    summaries = torch.rand(3, 9, 32, 32)
    vectors = encoder(summaries)
    assert vectors.shape == (3, 16)
    assert vectors.std(dim=0).max() > 0
    # Whatever is beside it in the batch, a photo has its own.
    torch.testing.assert_close(encoder(summaries[1:2]), vectors[1:2])


def test_a_flat_photo_has_finite_gradients():
    encoder = context_encoder(8, 12)
    encoder(summarize(torch.full((1, 3, 40, 40), 0.5))).sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in encoder.parameters())


def test_no_context_no_encoder():
    assert context_encoder(0, 0) is None
