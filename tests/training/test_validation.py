"""Validation: scores as evaluate gives them, samples as they are, gradients as autograd does."""

import copy

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from dslr_gan.data.decode import read_pair
from dslr_gan.data.pairs import open_pairs
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import evaluate
from dslr_gan.models.baselines import SRCNN
from dslr_gan.photo import to_pixels, to_tensor
from dslr_gan.training.losses import generator_losses
from dslr_gan.training.options.groups import LossWeights
from dslr_gan.training.validation import (
    enhance_photos,
    gradient_norms,
    open_photos,
    sample_rows,
    score_pairs,
    score_values,
)
from tests.support.trainer import make_dped


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return open_pairs(make_dped(tmp_path_factory.mktemp("dped") / "iphone", train=1, test=5)).test


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SRCNN().eval()


def test_scores_are_those_of_evaluate(network, pairs):
    def model(photo):
        with torch.inference_mode():
            return Image.fromarray(to_pixels(network(to_tensor(np.array(photo)))))

    scores = score_pairs(network, pairs, Accelerator(cpu=True))
    expected = evaluate(model, pairs)
    assert scores.pairs == 5
    for side in ("input", "model"):
        found, wanted = getattr(scores, side), getattr(expected, side)
        for metric, value in found.means.items():
            assert value == pytest.approx(wanted.means[metric], rel=1e-6), (side, metric)
    values = score_values(scores)
    assert values["validation/model/psnr"] == scores.model.means["psnr"]
    assert values["validation/input/ms_ssim"] == scores.input.ms_ssim and len(values) == 6


def test_samples_are_spread_over_all_pairs(network, pairs):
    rows = sample_rows(network, pairs, torch.device("cpu"))
    assert [len(row) for row in rows] == [3, 3, 3, 3]
    for row, place in zip(rows, (0, 1, 2, 4), strict=True):
        phone, dslr = read_pair(pairs, place)
        assert (row[0] == phone).all() and (row[2] == dslr).all()
        assert row[1].shape == phone.shape and (row[1] != phone).any()


def test_gradient_norms_are_those_of_the_weighted_terms(network):
    phone, dslr = torch.rand(2, 3, 24, 24), torch.rand(2, 3, 24, 24)
    weights = LossWeights(0, 0, 0, l1=0.5, ssim=2)
    norms = gradient_norms(network, generator_losses(network(phone), dslr, weights), weights)
    for name in ("l1", "ssim"):
        network.zero_grad()
        term = generator_losses(network(phone), dslr, weights)[name]
        (getattr(weights, name) * term).backward()
        expected = network.last_layer.weight.grad.norm().item()
        assert norms.pop(f"gradient/{name}") == pytest.approx(expected, rel=1e-5)
    assert norms == {}


def test_whole_photos_are_enhanced_as_a_user_s_and_named_apart(network, tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        Image.new("RGB", (40, 30), "gray").save(tmp_path / place / "my photo.png")
    photos = open_photos([tmp_path / "one/my photo.png", tmp_path / "two/my photo.png"])
    assert list(photos) == ["my_photo", "my_photo_1"]
    before = [weight.clone() for weight in network.parameters()]
    found = list(enhance_photos(network, photos, torch.device("cpu")))
    assert [name for name, _, _ in found] == list(photos)
    expected = PhotoEnhancer(copy.deepcopy(network), device="cpu")
    for _, photo, result in found:
        assert np.array_equal(np.asarray(result), np.asarray(expected.enhance(photo)))
    assert all(torch.equal(*both) for both in zip(before, network.parameters(), strict=True))
    with pytest.raises(DslrGanError, match="absent"):
        open_photos([tmp_path / "absent.jpg"])
