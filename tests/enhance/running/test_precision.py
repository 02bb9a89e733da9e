"""A network run faster gives the same picture."""

import logging
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import dslr_gan.enhance.running.precision
from dslr_gan import Generator, PhotoEnhancer
from dslr_gan.enhance.running.precision import has_bf16, in_bf16
from dslr_gan.errors import DslrGanError
from dslr_gan.models.baselines import SRCNN
from dslr_gan.models.context import summarize
from dslr_gan.models.phones import PHONES
from dslr_gan.models.registry import load_network
from dslr_gan.photo import to_tensor

CPU = torch.device("cpu")
PHOTOS = [data.astronaut(), data.coffee(), data.rocket(), data.chelsea()]


@pytest.fixture(params=list(PHONES))
def bundled(request):
    return load_network(PHONES[request.param].folder)


@pytest.fixture
def bf16_here(monkeypatch):
    """Processors without bfloat16 compute it, too, only slowly."""
    monkeypatch.setattr(dslr_gan.enhance.running.precision, "has_bf16", lambda device: True)


def enhanced(photo, **options):
    enhancer = PhotoEnhancer(load_network(PHONES["iphone"].folder), tile=128, **options)
    return np.asarray(enhancer.enhance(photo)).astype(int)


@torch.inference_mode()
def test_in_bfloat16_no_value_of_a_bundled_network_is_off_by_more_than_about_a_level(bundled):
    half = in_bf16(bundled)
    for pixels in PHOTOS:
        image = to_tensor(pixels)
        context = bundled.context(summarize(image))
        whole = slice(0, image.shape[2]), slice(0, image.shape[3])
        one, other = (network.forward_tile(image, whole, context) for network in (bundled, half))
        error = (one - other).abs().max() * 255
        # Zero would mean that nothing was done in bfloat16. The most was 1.01, of the Sony network
        # on the cat; processors differ in how they round. Photos are checked before it is used.
        assert 0 < error < 1.25


def test_the_copy_leaves_the_network_as_it_was_and_spares_the_ends(bundled):
    half = in_bf16(bundled)
    assert {each.dtype for each in bundled.parameters()} == {torch.float32}
    assert half.merge[0].convolution.weight.dtype == torch.bfloat16
    assert half.head.weight.dtype == half.tail.weight.dtype == torch.float32


def test_any_network_can_be_run_in_bfloat16():
    image = torch.rand(1, 3, 24, 24)
    srcnn = SRCNN().eval()
    with torch.inference_mode():
        assert torch.allclose(in_bf16(srcnn)(image), srcnn(image), atol=0.02)


def test_a_photo_in_bfloat16_differs_by_one_level_at_most(bf16_here):
    photo = Image.fromarray(data.coffee())
    one, other = enhanced(photo), enhanced(photo, precision="bf16")
    assert np.abs(one - other).max() == 1


def test_a_photo_that_bfloat16_would_change_is_done_in_float32(bf16_here, caplog):
    torch.manual_seed(0)
    generator = Generator(channels=16, blocks=2)
    for parameter in generator.parameters():
        parameter.data.mul_(3)
    generator.tail.weight.data.mul_(10)
    photo = Image.fromarray(data.coffee())
    expected = PhotoEnhancer(generator).enhance(photo)
    with caplog.at_level(logging.WARNING):
        result = PhotoEnhancer(generator, precision="bf16").enhance(photo)
    assert np.array_equal(result, expected)
    assert "bfloat16 is off by" in caplog.text and "going on with float32" in caplog.text


def test_without_bfloat16_in_the_device_it_is_float32(monkeypatch, caplog):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    with caplog.at_level(logging.WARNING):
        enhancer = PhotoEnhancer(Generator(channels=4, blocks=1), device="cpu", precision="bf16")
    assert enhancer.precision == "fp32" and "no bfloat16 of its own" in caplog.text


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_processors_that_have_bfloat16(flag, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {flag: True})
    assert has_bf16(CPU) and not has_bf16(torch.device("meta"))


def test_there_are_two_precisions():
    with pytest.raises(DslrGanError, match="one of fp32, bf16, got 'fp8'"):
        PhotoEnhancer(Generator(channels=4, blocks=1), precision="fp8")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_compiled_it_gives_the_same_photo():
    torch.manual_seed(0)
    generator = Generator(channels=8, blocks=1, context_channels=4, coarse_channels=4)
    photo = Image.fromarray(data.chelsea()[:150, :200])
    one, other = (
        np.asarray(PhotoEnhancer(generator, compile=compile).enhance(photo)).astype(int)
        for compile in (False, True)
    )
    # The compiler may add in another order, 1e-4 of a level; a rounding may then go the other way.
    difference = np.abs(one - other)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-3


def test_a_machine_that_cannot_compile_says_so(monkeypatch):
    def fail(*_, **__):
        def broken(*_):
            raise RuntimeError("No working C++ compiler found")

        return broken

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.raises(DslrGanError, match="No working C.. compiler found.*leave out --compile"):
        PhotoEnhancer(Generator(channels=4, blocks=1), compile=True)
