"""SRCNN and VDSR: their arithmetic, recorded output, strict loading, and exact tiles."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import data
from torch.nn import functional as F

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.models.baselines import SRCNN, VDSR
from dslr_gan.models.registry import make_network
from dslr_gan.photo import to_pixels, to_tensor
from tests.support.paths import SHARED

REFERENCES = SHARED / "reference_models"


@pytest.fixture
def weights():
    """Random weights under the published names, of a size that lets the output vary."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"conv1": (64, 3, 9, 9), "conv2": (32, 64, 5, 5), "conv3": (3, 32, 5, 5)}
    tensors = {}
    for name, shape in shapes.items():
        spread = (shape[1] * shape[2] * shape[3]) ** -0.5
        tensors[f"{name}.weight"] = torch.randn(shape, generator=generator) * spread
        tensors[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    return tensors


@pytest.fixture
def file(tmp_path, weights):
    save_file(weights, tmp_path / "srcnn.safetensors")
    return tmp_path / "srcnn.safetensors"


def arithmetic(weights, image):
    """The published network as its readme writes it."""

    def conv(name, value):
        kernel = weights[f"{name}.weight"]
        return F.conv2d(value, kernel, weights[f"{name}.bias"], padding=kernel.shape[-1] // 2)

    features = F.relu(conv("conv2", F.relu(conv("conv1", image))))
    return torch.tanh(conv("conv3", features)) * 0.58 + 0.5


@pytest.mark.parametrize("size", [(1, 1), (3, 17), (26, 31)])
def test_the_published_arithmetic(file, weights, size):
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    error = (SRCNN.from_published(file)(image) - arithmetic(weights, image)).abs()
    # float32 sums in another order; the two differ by some 1e-7.
    assert error.max() < 1e-5, f"maximum {error.max()}, mean {error.mean()}"


@pytest.mark.skipif(not REFERENCES.is_dir(), reason="the published networks are not here")
def test_the_published_network_reproduces_its_recorded_output():
    recorded = load_file(REFERENCES / "reference_io.safetensors")
    network = SRCNN.from_published(REFERENCES / "pirm_dped_srcnn.safetensors")
    with torch.inference_mode():
        error = (network(recorded["input"]) - recorded["srcnn"]).abs()
    # The original TensorFlow graph in float32 against ours: 1.5e-6 was seen.
    assert error.max() < 1e-5, f"maximum {error.max()}, mean {error.mean()}"


@pytest.mark.parametrize("make", [SRCNN.from_published, lambda _: VDSR()])
def test_receptive_radius_is_exact(file, make):
    network = make(file).double()
    middle = 25
    image = torch.rand(1, 3, 2 * middle + 1, 2 * middle + 1, dtype=torch.float64)
    touched = image.clone()
    touched[0, :, middle, middle] += 5
    with torch.inference_mode():
        changed = (network(touched) - network(image)).abs().amax(dim=(0, 1)) > 0
    rows, columns = changed.nonzero(as_tuple=True)
    reach = max((rows - middle).abs().max(), (columns - middle).abs().max())
    assert reach == network.receptive_radius


@pytest.mark.parametrize("change", ["lacks", "surplus", "shape", "NaN"])
def test_loading_is_strict(tmp_path, weights, change):
    if change == "lacks":
        del weights["conv2.bias"]
    elif change == "surplus":
        weights["conv4.bias"] = torch.zeros(3)
    elif change == "shape":
        weights["conv2.bias"] = torch.zeros(31)
    else:
        weights["conv2.bias"][7] = float("nan")
    save_file(weights, tmp_path / "spoilt.safetensors")
    with pytest.raises(DslrGanError, match=f"{change}.* conv[24].bias|conv[24].bias.* {change}"):
        SRCNN.from_published(tmp_path / "spoilt.safetensors")


def test_a_missing_and_a_pickled_file_are_refused(tmp_path, weights):
    with pytest.raises(DslrGanError, match="there is no .*absent.safetensors"):
        SRCNN.from_published(tmp_path / "absent.safetensors")
    torch.save(weights, tmp_path / "srcnn.pth")
    with pytest.raises(DslrGanError, match="srcnn.pth is no whole safetensors file"):
        SRCNN.from_published(tmp_path / "srcnn.pth")


@pytest.mark.parametrize("tile", [16, 53, 512])
def test_the_enhancer_runs_it_in_tiles(file, weights, tile):
    pixels = data.astronaut()[100:153, 200:271]
    enhancer = PhotoEnhancer.from_pretrained(file, tile=tile)
    enhanced = np.asarray(enhancer.enhance(Image.fromarray(pixels)))
    whole = to_pixels(arithmetic(weights, to_tensor(pixels)))
    difference = np.abs(enhanced.astype(int) - whole)
    assert difference.max() <= 1, f"maximum {difference.max()}, mean {difference.mean()}"
    assert np.abs(whole.astype(int) - pixels).mean() > 2
    assert enhancer.source == f"file {file}"


def test_saved_and_loaded_again(file, tmp_path):
    network = SRCNN.from_published(file)
    network.save_pretrained(tmp_path / "saved")
    again = SRCNN.from_pretrained(tmp_path / "saved")
    image = torch.rand(1, 3, 20, 20)
    assert torch.equal(again(image), network(image))


@pytest.fixture
def vdsr():
    torch.manual_seed(0)
    network = VDSR().eval()
    with torch.no_grad():  # of a size that stays in range, with biases that say something
        network.last_layer.weight.mul_(0.1)
        for layer in network.layers:
            layer.bias.normal_(0, 0.05)
    return network


def test_vdsr_is_the_paper_s():
    network = VDSR()
    shapes = [tuple(layer.weight.shape) for layer in network.layers]
    assert shapes == [(64, 3, 3, 3), *[(64, 64, 3, 3)] * 18, (3, 64, 3, 3)]
    # The paper says 41x41 pixels are seen by 20 layers.
    assert 2 * network.receptive_radius + 1 == 41
    assert network.last_layer is network.layers[19]


def test_vdsr_s_arithmetic_is_a_chain_of_convolutions_added_to_the_input(vdsr):
    image = torch.rand(2, 3, 9, 30, generator=torch.Generator().manual_seed(1))
    weights = vdsr.state_dict()
    value = image.double()
    for index in range(20):
        kernel, bias = (weights[f"layers.{index}.{name}"].double() for name in ("weight", "bias"))
        padded = F.pad(value, (1, 1, 1, 1))
        value = F.conv2d(padded, kernel, bias)
        value = value.clamp(min=0) if index < 19 else value
    error = (vdsr(image) - (image + value)).abs()
    # float32 through twenty layers against float64; 1e-6 was seen.
    assert error.max() < 1e-5, f"maximum {error.max()}, mean {error.mean()}"
    assert value.abs().mean() > 0.01


def test_vdsr_starts_after_he():
    torch.manual_seed(0)
    network = VDSR()
    for layer in network.layers[:-1]:
        spread = (2 / (layer.in_channels * 9)) ** 0.5
        # The first layer's 1728 weights tell their deviation to about 1.7 percent.
        assert layer.weight.std().item() == pytest.approx(spread, rel=0.07)
        assert not layer.bias.any()
    # So drawn, the signal neither fades nor grows through the layers.
    features = torch.rand(1, 3, 60, 60)
    sizes = []
    with torch.inference_mode():
        for layer in network.layers[:-1]:
            features = F.relu(layer(features))
            sizes.append(features.square().mean().sqrt().item())
    assert 1 / 3 < sizes[-1] / sizes[0] < 3, sizes


@pytest.mark.parametrize("tile", [16, 53, 512])
def test_the_enhancer_runs_vdsr_in_tiles(vdsr, tile):
    pixels = data.astronaut()[100:153, 200:271]
    enhanced = np.asarray(PhotoEnhancer(vdsr, tile=tile).enhance(Image.fromarray(pixels)))
    with torch.inference_mode():
        whole = to_pixels(vdsr(to_tensor(pixels)))
    difference = np.abs(enhanced.astype(int) - whole)
    assert difference.max() <= 1, f"maximum {difference.max()}, mean {difference.mean()}"
    assert np.abs(whole.astype(int) - pixels).mean() > 2


def test_vdsr_is_saved_and_loaded_strictly(vdsr, tmp_path):
    vdsr.save_pretrained(tmp_path / "saved")
    image = torch.rand(1, 3, 20, 20)
    assert torch.equal(VDSR.from_pretrained(tmp_path / "saved")(image), vdsr(image))
    weights = load_file(tmp_path / "saved/model.safetensors")
    weights["layers.20.bias"] = weights.pop("layers.19.bias")
    save_file(weights, tmp_path / "saved/model.safetensors")
    with pytest.raises(DslrGanError, match="lacks weights layers.19.bias"):
        VDSR.from_pretrained(tmp_path / "saved")
    with pytest.raises(DslrGanError, match="does not describe a SRCNN"):
        SRCNN.from_pretrained(tmp_path / "saved")


@pytest.mark.parametrize("name", ["srcnn", "vdsr"])
def test_what_is_trained_here_shows_no_frame(name):
    torch.manual_seed(0)
    network = make_network(name).eval()
    with torch.inference_mode():
        flat = network(torch.full((1, 3, 60, 60), 0.7))
        framed = type(network)()(torch.full((1, 3, 60, 60), 0.7))
    assert (flat - flat[..., 30:31, 30:31]).abs().max() < 1e-5
    assert (framed - framed[..., 30:31, 30:31]).abs().max() > 1e-3


def test_a_baseline_of_before_the_setting_keeps_its_zeros():
    assert SRCNN(**{}).conv1.padding_mode == VDSR(**{}).layers[0].padding_mode == "zeros"
    with pytest.raises(DslrGanError, match="padding must be"):
        VDSR(padding="reflect")
