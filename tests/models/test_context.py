"""The summary of a whole photo, and what encodes it."""

import itertools

import numpy as np
import pytest
import torch
from skimage import data
from skimage.measure import block_reduce

from dslr_gan.models.context import column_means, context_encoder, detail_maps, summarize


def test_changes_are_those_to_the_pixels_that_far_right_and_down():
    image = torch.zeros(1, 3, 6, 7)
    image[0, 1, 0, 0], image[0, 1, 4, 0], image[0, 1, 0, 1] = 0.5, 0.2, 0.4
    maps = detail_maps(image)
    assert maps.shape == (1, 9, 6, 7)
    assert torch.equal(maps[:, :3], image)
    # Over one pixel: to 0.4 on the right and to 0 below. Over four: to 0 and to 0.2.
    assert maps[0, 4, 0, 0].item() == pytest.approx(0.1 + 0.5)
    assert maps[0, 7, 0, 0].item() == pytest.approx(0.5 + 0.3)
    assert maps[0, [3, 5, 6, 8]].abs().max() == 0


def test_a_neighbour_outside_is_no_change():
    image = torch.rand(1, 3, 5, 5)
    fine, wide = detail_maps(image)[0, 3:6], detail_maps(image)[0, 6:]
    assert fine[:, -1, -1].abs().max() == 0
    assert wide[:, 1:, 1:].abs().max() == 0
    assert wide[:, 0, 0].min() > 0


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_summary_is_the_maps_averaged_over_a_grid(layout):
    pixels = data.astronaut()[:320, :448] / 255
    image = torch.tensor(pixels).permute(2, 0, 1)[None].contiguous(memory_format=layout)
    maps = detail_maps(image)[0].numpy()
    expected = block_reduce(maps, (1, 10, 14), np.mean)
    np.testing.assert_allclose(summarize(image)[0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (720, 33)])
def test_every_photo_has_a_summary_of_the_same_size(size):
    summary = summarize(torch.rand(2, 3, *size))
    assert summary.shape == (2, 9, 32, 32)
    assert torch.isfinite(summary).all()


@pytest.mark.parametrize("size", [(40, 50), (7, 9), (1, 3), (3, 1)])
def test_means_over_the_rows_of_any_part_are_those_of_the_maps(size):
    height, width = size
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    maps = detail_maps(image)
    for top, left in itertools.product(range(0, height, 3), range(0, width, 4)):
        bottom, right = min(top + 5, height), min(left + 6, width)
        seen = image[..., top : bottom + 4, left : right + 4]
        means = column_means(seen, bottom - top, right - left)
        # The same few numbers added in another order.
        torch.testing.assert_close(
            means, maps[..., top:bottom, left:right].mean(dim=2), atol=1e-6, rtol=0
        )


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
    assert all(torch.isfinite(each.grad).all() for each in encoder.parameters())


def test_no_context_no_encoder():
    assert context_encoder(0, 0) is None
