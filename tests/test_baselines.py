"""SRCNN: the published arithmetic, its recorded output, strict loading, and exact tiles."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import data
from torch.nn import functional as F

from dslr_gan.baselines import SRCNN
from dslr_gan.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.image import to_pixels, to_tensor

REFERENCES = Path(__file__).parents[2] / "shared/reference_models"


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


def test_receptive_radius_is_exact(file):
    network = SRCNN.from_published(file).double()
    image = torch.rand(1, 3, 41, 41, dtype=torch.float64)
    touched = image.clone()
    touched[0, :, 20, 20] += 5
    with torch.inference_mode():
        changed = (network(touched) - network(image)).abs().amax(dim=(0, 1)) > 0
    rows, columns = changed.nonzero(as_tuple=True)
    assert max((rows - 20).abs().max(), (columns - 20).abs().max()) == network.receptive_radius


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
