import dataclasses
from pathlib import Path

import pytest

import dslr_gan
from dslr_gan import catalogue
from dslr_gan.catalogue import PHONES, Phone

EVERY_PHONE = pytest.mark.parametrize("each", PHONES.values(), ids=PHONES)


def test_the_phones_are_those_of_the_paper():
    assert [(each.name, each.title, each.camera, each.variable) for each in PHONES.values()] == [
        ("iphone", "iPhone", "iPhone 3GS", "DSLR_GAN_IPHONE_REPO"),
        ("sony", "Sony", "Sony Xperia Z", "DSLR_GAN_SONY_REPO"),
    ]


@EVERY_PHONE
def test_the_repository_is_read_from_the_environment_each_time(each, monkeypatch):
    monkeypatch.delenv(each.variable, raising=False)
    assert each.repository is None
    monkeypatch.setenv(each.variable, "me/first")
    assert each.repository == "me/first"
    monkeypatch.setenv(each.variable, " me/second\n")
    assert each.repository == "me/second"
    for empty in ["", "  "]:
        monkeypatch.setenv(each.variable, empty)
        assert each.repository is None


def test_one_phone_does_not_answer_for_the_other(monkeypatch):
    monkeypatch.setenv("DSLR_GAN_IPHONE_REPO", "me/model")
    monkeypatch.delenv("DSLR_GAN_SONY_REPO", raising=False)
    assert PHONES["sony"].repository is None


@EVERY_PHONE
def test_the_folder_lies_in_the_package(each):
    assert each.folder == Path(dslr_gan.__path__[0]) / "weights" / each.name


def test_bundled_means_that_weights_and_settings_are_there(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "__file__", str(tmp_path / "catalogue.py"))
    iphone = PHONES["iphone"]
    assert not iphone.bundled
    iphone.folder.mkdir(parents=True)
    assert not iphone.bundled
    (iphone.folder / "model.safetensors").write_bytes(b"weights")
    assert not iphone.bundled
    (iphone.folder / "config.json").write_text("{}")
    assert iphone.bundled
    assert not PHONES["sony"].bundled


def test_a_phone_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PHONES["iphone"].name = "other"
    assert isinstance(PHONES["iphone"], Phone)
