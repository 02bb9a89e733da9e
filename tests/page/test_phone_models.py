"""The page's models: loaded once, given within seconds, and asked of the Hub again."""

import logging
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import PHONES, Phone
from dslr_gan.page import phone_models
from dslr_gan.page.phone_models import PhoneModel
from tests.models.test_pretrained import tiny
from tests.support.hub_server import HubServer, take_for_the_hub

IPHONE = PHONES["iphone"]


@pytest.fixture
def bundled(monkeypatch, tmp_path) -> Path:
    """A small network in the place of the bundled one; its last bias is 1."""
    tiny(1.0).save_pretrained(tmp_path / "bundled")
    monkeypatch.setattr(Phone, "folder", tmp_path / "bundled")
    return tmp_path / "bundled"


@pytest.fixture
def hub(monkeypatch, tmp_path, bundled):
    """A Hub with a network whose last bias is 5, which the iPhone is loaded from."""
    tiny(5.0).save_pretrained(tmp_path / "pushed")
    with HubServer() as server:
        take_for_the_hub(monkeypatch, server, tmp_path / "home")
        for name in ("config.json", "model.safetensors"):
            server.add_file("me/m", name, (tmp_path / "pushed" / name).read_bytes())
        monkeypatch.setenv(IPHONE.variable, "me/m")
        yield server


@pytest.fixture
def made():
    """Makes models, and ends their threads."""
    models = []

    def make(**times):
        models.append(PhoneModel(IPHONE, **times))
        return models[-1]

    yield make
    for model in models:
        model.stop()


def bias(enhancer):
    return enhancer.generator.tail.bias[0].item()


def until(condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


def test_it_is_loaded_once_and_before_anybody_asks(hub, made):
    model = made()
    assert model.source == "not loaded yet"
    model.start()
    until(lambda: model.source.startswith("Hub repository me/m at commit"))
    asked = len(hub.requests)
    found = []
    threads = [threading.Thread(target=lambda: found.append(model.get())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 1 and bias(found[0]) == 5
    assert len(hub.requests) == asked


def test_a_bad_minute_ends_without_a_restart(hub, made):
    hub.fail_with(503)
    model = made(again_s=0.05)
    assert bias(model.get()) == 1
    assert model.source.startswith("bundled iPhone weights, because me/m could not be loaded (")
    assert "503" in model.source
    hub.fail_with(None)
    until(lambda: bias(model.get()) == 5)
    asked = len(hub.requests)
    time.sleep(0.2)
    assert len(hub.requests) == asked, "asked on although nothing stands in"


def test_a_local_copy_is_used_and_the_hub_asked_again(hub, made):
    commit = hub.repositories["me/m"].branches["main"]
    assert bias(made().get()) == 5
    hub.fail_with(503)
    model = made(again_s=0.05)
    assert bias(model.get()) == 5 and f"commit {commit[:8]} (local copy of " in model.source
    hub.fail_with(None)
    until(lambda: model.source == f"Hub repository me/m at commit {commit[:8]}")


def test_a_pinned_revision_is_the_one_that_is_loaded(hub, made, monkeypatch, tmp_path):
    first = hub.repositories["me/m"].branches["main"]
    tiny(6.0).save_pretrained(tmp_path / "second")
    hub.add_file("me/m", "model.safetensors", (tmp_path / "second/model.safetensors").read_bytes())
    hub.repositories["me/m"].tags["v1"] = first
    for pinned in (f"me/m@{first}", "me/m@v1", f"{hub.url}/me/m/tree/v1"):
        monkeypatch.setenv(IPHONE.variable, pinned)
        model = made()
        assert bias(model.get()) == 5, pinned
        assert model.source == f"Hub repository me/m at commit {first[:8]}"


@pytest.mark.parametrize(
    "value", ["iphone", "https://example.com/me/m", "/nowhere", "me/m@", "a b"]
)
def test_a_nonsense_repository_means_the_bundled_weights_with_the_reason(
    value, hub, made, monkeypatch
):
    monkeypatch.setenv(IPHONE.variable, value)
    model = made()
    assert bias(model.get()) == 1
    assert f"because {value} could not be loaded (" in model.source


def test_no_mistake_of_a_library_reaches_a_visitor(hub, made, monkeypatch, caplog):
    load = phone_models.PhotoEnhancer.from_pretrained

    def fail(name, **options):
        if name == "iphone":
            raise RecursionError("too deep")
        return load(name, **options)

    monkeypatch.setattr(phone_models.PhotoEnhancer, "from_pretrained", fail)
    with caplog.at_level(logging.ERROR, "dslr_gan"):
        model = made()
        assert bias(model.get()) == 1
    assert "RecursionError: too deep" in model.source and model.get().fallback
    assert caplog.messages == ["the iPhone model could not be loaded"]
    monkeypatch.setattr(phone_models.PhotoEnhancer, "from_pretrained", lambda *_, **__: 1 / 0)
    with pytest.raises(DslrGanError, match="The iPhone model could not be loaded"):
        made().get()


def test_who_asks_first_waits_no_longer_than_the_hub_has(hub, made, monkeypatch):
    load = phone_models.PhotoEnhancer.from_pretrained
    go_on = threading.Event()

    def slow(name, **options):
        if name == "iphone":
            go_on.wait(20)
        return load(name, **options)

    monkeypatch.setattr(phone_models.PhotoEnhancer, "from_pretrained", slow)
    model = made(timeout_s=0.2)
    began = time.monotonic()
    enhancer = model.get()
    assert time.monotonic() - began < 5 and bias(enhancer) == 1
    assert model.source == (
        "bundled iPhone weights instead of me/m: it is still being fetched from the Hub"
    )
    go_on.set()  # a slow one is not given up
    until(lambda: bias(model.get()) == 5)


def test_nobody_waits_for_another_phone_s_repository(hub, monkeypatch):
    load = phone_models.PhotoEnhancer.from_pretrained
    go_on = threading.Event()

    def slow(name, **options):
        if name == "iphone":
            go_on.wait(20)
        return load(name, **options)

    monkeypatch.setattr(phone_models.PhotoEnhancer, "from_pretrained", slow)
    models = {name: PhoneModel(phone) for name, phone in PHONES.items()}
    monkeypatch.setattr(phone_models, "_MODELS", models)
    phone_models.start_loading()
    assert phone_models.enhancer_for("sony").source == "bundled Sony weights"
    assert phone_models.source_of("iphone") == "not loaded yet"
    go_on.set()
    assert bias(phone_models.enhancer_for("iphone")) == 5


@pytest.mark.parametrize("phone", ["nokia", None, [], "IPHONE", SimpleNamespace()])
def test_an_unknown_phone_is_a_sentence(phone):
    for ask in (phone_models.enhancer_for, phone_models.source_of):
        with pytest.raises(DslrGanError, match="is not known; choose iphone or sony"):
            ask(phone)
