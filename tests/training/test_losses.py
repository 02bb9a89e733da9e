"""Each loss against a computation of its own, and what makes it go down."""

import dataclasses

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import structural_similarity

from dslr_gan.metrics.similarity import ms_ssim
from dslr_gan.metrics.vgg import VGGFeatures, content_loss
from dslr_gan.training.losses import (
    blur,
    color_loss,
    discriminator_loss,
    generator_losses,
    reduce_losses,
    step_means,
    texture_loss,
    total_variation_loss,
)
from dslr_gan.training.options.groups import LossWeights

EVERYTHING = LossWeights(1, 1, 1, 1, 1, 1, 1)
NAMES = [field.name for field in dataclasses.fields(LossWeights)]


def only(name):
    """Weights under which one term counts and the paper's three do not."""
    return LossWeights(**{"content": 0, "texture": 0, "color": 0, name: 1})


@pytest.fixture(scope="module")
def vgg():
    torch.manual_seed(0)
    return VGGFeatures().double()


@pytest.fixture(scope="module")
def pair():
    """Two different photos as the enhanced batch, two others as the target, in [0, 1]."""
    photo = torch.from_numpy(data.astronaut() / 255.0).permute(2, 0, 1)
    corners = [(20, 200), (180, 60), (90, 330), (400, 120)]
    cuts = torch.stack([photo[:, top : top + 40, left : left + 36] for top, left in corners])
    return cuts[:2], cuts[2:]


LOGITS = torch.tensor([[0.3], [-1.7]], dtype=torch.float64)


def blurred(image):
    # A radius of 10 makes the window of 21.
    return gaussian_filter(image, sigma=3, axes=(2, 3), mode="constant", truncate=10 / 3)


def test_blur_is_scipy_s(pair):
    np.testing.assert_allclose(blur(pair[0]).numpy(), blurred(pair[0].numpy()), atol=1e-12)


def test_color_loss_is_the_distance_of_the_blurred(pair):
    enhanced, target = (side.numpy() for side in pair)
    expected = np.mean((blurred(enhanced) - blurred(target)) ** 2)
    assert color_loss(*pair).item() == pytest.approx(expected, rel=1e-9)


def test_color_loss_forgives_texture_and_not_brightness(pair):
    target = pair[1]
    rows, columns = torch.meshgrid(torch.arange(40), torch.arange(36), indexing="ij")
    texture = 0.1 * (1 - 2 * ((rows + columns) % 2))
    assert color_loss(target + texture, target) < 0.01 * color_loss(target + 0.1, target)


def test_texture_loss_is_minus_log_of_the_sigmoid():
    expected = np.mean(-np.log(1 / (1 + np.exp(-LOGITS.numpy()))))
    assert texture_loss(LOGITS).item() == pytest.approx(expected, rel=1e-12)


def test_discriminator_loss_is_binary_cross_entropy():
    real, generated = LOGITS, torch.tensor([[2.5], [0.1]], dtype=torch.float64)
    probability = [1 / (1 + np.exp(-logits.numpy())) for logits in (real, generated)]
    expected = -np.mean([np.log(probability[0]), np.log(1 - probability[1])])
    assert discriminator_loss(real, generated).item() == pytest.approx(expected, rel=1e-12)


def test_sure_logits_stay_finite():
    sure = torch.tensor([[500.0], [-500.0]])
    assert texture_loss(sure).item() == pytest.approx(250)
    assert discriminator_loss(sure, sure).item() == pytest.approx(250)


def test_content_loss_sums_the_two_layers_means(pair, vgg):
    enhanced, target = (vgg(side) for side in pair)
    expected = sum(
        np.mean((enhanced[layer].numpy() - target[layer].numpy()) ** 2)
        for layer in ("relu2_2", "relu3_3")
    )
    assert expected > 1e-8
    assert content_loss(vgg, *pair).item() == pytest.approx(expected, rel=1e-9)


def test_total_variation_is_the_mean_square_of_steps(pair):
    image = pair[0].numpy()
    expected = np.mean(np.diff(image, axis=3) ** 2) + np.mean(np.diff(image, axis=2) ** 2)
    assert total_variation_loss(pair[0]).item() == pytest.approx(expected, rel=1e-12)
    assert total_variation_loss(torch.full((1, 3, 5, 7), 0.4)).item() == 0


def test_l1_and_the_similarities(pair):
    terms = generator_losses(*pair, LossWeights(0, 0, 0, l1=1, ssim=1, ms_ssim=1))
    assert list(terms) == ["l1", "ssim", "ms_ssim"]
    first, second = (side.numpy() for side in pair)
    assert terms["l1"].item() == pytest.approx(np.mean(np.abs(first - second)), rel=1e-9)
    values = [
        structural_similarity(
            *sides,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
        )
        for sides in zip(first, second, strict=True)
    ]
    # 2e-5: the library in use keeps its window in float32.
    assert terms["ssim"].item() == pytest.approx(1 - np.mean(values), abs=2e-5)
    assert terms["ms_ssim"].item() == pytest.approx(1 - ms_ssim(*pair).mean().item(), abs=1e-12)
    for name in ("ssim", "ms_ssim"):  # each alone is what it is beside the other
        alone = generator_losses(*pair, only(name))
        assert list(alone) == [name]
        assert alone[name].item() == pytest.approx(terms[name].item(), abs=2e-5)


def test_identical_pictures_cost_nothing_but_their_roughness(pair, vgg):
    terms = generator_losses(pair[0], pair[0], EVERYTHING, logits=LOGITS, vgg=vgg)
    assert list(terms) == NAMES
    for name in ("content", "color", "l1", "ssim", "ms_ssim"):
        assert terms[name].item() == pytest.approx(0, abs=1e-6), name


def test_every_term_is_a_mean_over_samples(pair, vgg):
    together = generator_losses(*pair, EVERYTHING, logits=LOGITS, vgg=vgg)
    alone = [
        generator_losses(
            pair[0][sample : sample + 1],
            pair[1][sample : sample + 1],
            EVERYTHING,
            logits=LOGITS[sample : sample + 1],
            vgg=vgg,
        )
        for sample in range(2)
    ]
    for name, term in together.items():
        assert term.shape == ()
        first, second = (terms[name].item() for terms in alone)
        assert term.item() == pytest.approx((first + second) / 2, rel=1e-6), name
        assert abs(first - second) > 1e-6 * abs(first), f"{name} cannot tell"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "texture"])
def test_a_step_against_the_slope_lowers_the_term(pair, vgg, name):
    enhanced = pair[0].clone().requires_grad_()
    before = generator_losses(enhanced, pair[1], only(name), vgg=vgg)[name]
    (slope,) = torch.autograd.grad(before, enhanced)
    assert torch.isfinite(slope).all()
    stepped = enhanced.detach() - 1e-3 * slope / slope.abs().max()
    assert generator_losses(stepped, pair[1], only(name), vgg=vgg)[name] < before


def test_the_two_sides_of_the_game_pull_apart():
    generated = torch.tensor([[0.5], [-3.0]], requires_grad=True)
    real = torch.tensor([[0.2], [1.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(texture_loss(generated), generated)
    assert (slope < 0).all(), "the generator wants higher logits"
    slopes = torch.autograd.grad(discriminator_loss(real, generated), (real, generated))
    assert (slopes[0] < 0).all() and (slopes[1] > 0).all()


def test_the_frozen_vgg_gets_no_gradient(pair, vgg):
    enhanced, target = pair[0].clone().requires_grad_(), pair[1].clone().requires_grad_()
    content_loss(vgg, enhanced, target).backward()
    assert enhanced.grad.abs().max() > 0
    assert target.grad is None
    assert all(parameter.grad is None for parameter in vgg.parameters())


def test_the_default_weights_are_the_paper_s():
    assert dataclasses.asdict(LossWeights()) == {
        "content": 1.0,
        "texture": 0.3,
        "color": 0.2,
        "total_variation": 0.0,
        "l1": 0.0,
        "ssim": 0.0,
        "ms_ssim": 0.0,
    }
    assert LossWeights().active() == {"content": 1.0, "texture": 0.3, "color": 0.2}
    with pytest.raises(dataclasses.FrozenInstanceError):
        LossWeights().color = 1


def test_the_total_is_the_weighted_sum():
    terms = {"content": torch.tensor(2.0), "texture": torch.tensor(10.0), "l1": torch.tensor(4.0)}
    assert LossWeights(l1=0.5).total(terms).item() == pytest.approx(2 + 3 + 2)


def test_a_term_without_weight_is_not_computed(pair):
    def never(*_):
        raise AssertionError("VGG was asked")

    for name in NAMES[3:]:
        assert list(generator_losses(*pair, only(name), vgg=never)) == [name]
    assert generator_losses(*pair, LossWeights(0, 0, 0)) == {}


def test_a_step_has_the_means_of_its_batches_and_any_signal():
    batches = [{"l1": torch.tensor(1.0), "ssim": torch.tensor(0.0)},
               {"l1": torch.tensor(3.0), "ssim": torch.tensor(0.5)}]  # fmt: skip
    step, other = step_means(batches), {"l1": torch.tensor(4.0), "ssim": torch.tensor(1.0)}
    assert reduce_losses(Accelerator(cpu=True), [step], 0) == ([{"l1": 2.0, "ssim": 0.25}], 0)
    several, signal = reduce_losses(Accelerator(cpu=True), [step, other], 15)
    assert several == [{"l1": 2.0, "ssim": 0.25}, {"l1": 4.0, "ssim": 1.0}] and signal == 15


def test_what_a_term_lacks_is_told(pair, vgg):
    with pytest.raises(ValueError, match="content loss needs VGG-16"):
        generator_losses(*pair, LossWeights(), logits=LOGITS)
    with pytest.raises(ValueError, match="texture loss needs the discriminator's logits"):
        generator_losses(*pair, LossWeights(), vgg=vgg)


@pytest.mark.parametrize("name", ["content", "color", "l1", "ssim", "ms_ssim"])
def test_other_shapes_are_told(vgg, name):
    image = torch.zeros(1, 3, 20, 20)
    with pytest.raises(ValueError, match="one shape, got"):
        generator_losses(image, torch.zeros(2, 3, 20, 20), only(name), vgg=vgg)
    with pytest.raises(ValueError, match="one shape, got"):
        generator_losses(image, torch.zeros(1, 3, 20, 21), only(name), vgg=vgg)


def test_gray_pictures_are_told(vgg):
    gray = torch.zeros(1, 1, 20, 20)
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\), got \(1, 1, 20, 20\)"):
        color_loss(gray, gray)
