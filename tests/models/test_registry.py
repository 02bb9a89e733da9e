"""Every architecture by name, and loading that finds out which class was saved."""

import json
from datetime import date

import pytest
import torch
from safetensors.torch import save_file

import dslr_gan.models.pretrained
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError, HubError
from dslr_gan.hub import Origin
from dslr_gan.models.base import Network
from dslr_gan.models.baselines import SRCNN, VDSR
from dslr_gan.models.generator import Generator
from dslr_gan.models.registry import ARCHITECTURES, load, load_network, load_published, make_network
from dslr_gan.models.saved import read_config
from tests.support.helpers import published_like
from tests.support.hub_server import HubServer, take_for_the_hub


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_made_saved_and_loaded_by_its_own_class(name, tmp_path):
    torch.manual_seed(0)
    network = make_network(name).eval()
    network.save_pretrained(tmp_path / name)
    again = load_network(tmp_path / name)
    assert type(again) is type(network) and again.config == network.config
    assert again.origin == Origin(tmp_path / name) and not again.training
    image = torch.rand(1, 3, 24, 32)
    with torch.inference_mode():
        assert torch.equal(again(image), network(image))
    assert json.loads((tmp_path / name / "config.json").read_text())["architecture"] == (
        {"srcnn": "SRCNN", "vdsr": "VDSR"}.get(name, "Generator")
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_of_the_output_comes_through_the_last_layer(name):
    network = make_network(name)
    image = torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        network.last_layer.weight.zero_()
        network.last_layer.bias.zero_()
    output = network(image)
    adds_to_the_input = name == "vdsr" or network.config.get("residual", False)
    # Where the output is no correction, a tanh of 0 stands in the middle of the range.
    expected = image if adds_to_the_input else torch.full_like(image, 0.5)
    assert torch.allclose(output, expected, atol=1e-6)
    (slope,) = torch.autograd.grad(output.sum(), network.last_layer.bias)
    assert slope.norm() > 0


def test_a_network_that_names_no_last_layer_says_so():
    with pytest.raises(NotImplementedError, match="Network does not say"):
        _ = Network().last_layer


def test_each_call_makes_a_network_of_its_own():
    assert make_network("srcnn").conv1.weight is not make_network("srcnn").conv1.weight
    first, second = make_network("detail"), make_network("detail")
    first.config["dilations"].append(9)
    assert second.config["dilations"] == make_network("detail").config["dilations"] == [1, 1, 2, 4]


def test_an_unknown_architecture_is_a_sentence():
    with pytest.raises(DslrGanError, match="'unet'; take one of default, paper, .*, vdsr"):
        make_network("unet")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"architecture": "UNet"}, "of the class UNet, .* knows Generator, SRCNN, VDSR"),
        ({"channels": 8}, "does not say which network"),
        ({"architecture": ["SRCNN"]}, "does not say which network"),
        ([1], "does not say which network"),
        ({"architecture": "SRCNN", "layers": 3}, "settings that this version does not know"),
    ],
)
def test_a_spoilt_description_is_a_sentence(tmp_path, config, words):
    SRCNN().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DslrGanError, match=words):
        load_network(tmp_path)


def test_what_is_no_saved_network_is_a_sentence(tmp_path):
    with pytest.raises(DslrGanError, match="there is no .*config.json"):
        load_network(tmp_path)
    with pytest.raises(DslrGanError, match="there is no folder nowhere"):
        load_network("nowhere")
    with pytest.raises(DslrGanError, match="has no revision 'main'"):
        load_network(tmp_path, revision="main")


def test_weights_of_another_class_are_refused(tmp_path):
    SRCNN().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "VDSR"}))
    with pytest.raises(DslrGanError, match="lacks weights layers"):
        load_network(tmp_path)


def test_published_files_are_told_apart(tmp_path):
    save_file(published_like(8, 1), tmp_path / "dped.safetensors")
    save_file(SRCNN().state_dict(), tmp_path / "srcnn.safetensors")
    assert isinstance(load_published(tmp_path / "dped.safetensors"), Generator)
    assert isinstance(load_published(str(tmp_path / "srcnn.safetensors")), SRCNN)
    save_file(VDSR().state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(DslrGanError, match="lacks weights conv1"):
        load_published(tmp_path / "other.safetensors")


@pytest.mark.parametrize("name", ["srcnn", "vdsr"])
def test_the_enhancer_loads_a_saved_baseline(name, tmp_path):
    make_network(name).save_pretrained(tmp_path / name)
    enhancer = PhotoEnhancer.from_pretrained(tmp_path / name)
    assert enhancer.generator.config == {"padding": "replicate"}
    assert enhancer.source == f"folder {tmp_path / name}"


def test_a_baseline_is_pushed_and_pulled_from_the_hub(tmp_path, monkeypatch):
    with HubServer() as hub:
        take_for_the_hub(monkeypatch, hub, tmp_path)
        make_network("srcnn").push_to_hub("me/srcnn")
        network, source, fallback = load("me/srcnn")
        assert fallback is None
        commit = hub.repositories["me/srcnn"].branches["main"]
        assert type(network) is SRCNN
        assert network.origin.commit == commit and network.origin.answered
        assert source == f"Hub repository me/srcnn at commit {commit[:8]}"
        copy, source, fallback = load("me/srcnn", local_files_only=True, strict_source=True)
        today = date.today().isoformat()
        assert source == f"Hub repository me/srcnn at commit {commit[:8]} (local copy of {today})"
        assert copy.origin.folder == network.origin.folder and not copy.origin.answered
        assert fallback is None
        with pytest.raises(HubError, match="the Hub has no me/vdsr"):
            load("me/vdsr")


def test_settings_are_read_once(tmp_path, monkeypatch):
    make_network("srcnn").save_pretrained(tmp_path)
    read = []

    def read_and_note(origin):
        read.append(origin.folder)
        return read_config(origin)

    monkeypatch.setattr(dslr_gan.models.pretrained, "read_config", read_and_note)
    assert load(tmp_path).source == f"folder {tmp_path}"
    assert read == [tmp_path]
