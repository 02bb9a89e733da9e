import dataclasses
from pathlib import Path

import pytest
from PIL import Image

import dslr_gan
from dslr_gan.models import phones as catalogue
from dslr_gan.models.phones import PHONES, Camera, Phone, camera_hint, camera_of

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
    monkeypatch.setattr(catalogue, "__file__", str(tmp_path / "models/phones.py"))
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


@pytest.mark.parametrize(
    ("maker", "model", "name", "phone"),
    [
        ("Apple", "iPhone 3GS", "Apple iPhone 3GS", "iphone"),
        ("APPLE", "iPhone 15", "APPLE iPhone 15", "iphone"),
        ("Sony", "C6603", "Sony C6603", "sony"),
        ("Sony Ericsson", "LT15i", "Sony Ericsson LT15i", "sony"),
        ("Canon", "Canon EOS 70D", "Canon EOS 70D", None),
        ("Applesauce", "1", "Applesauce 1", None),
        ("Apple", "", "Apple", "iphone"),
        ("", "iPhone 3GS", "iPhone 3GS", None),
        ("", "", "", None),
    ],
)
def test_a_camera_by_its_exif(maker, model, name, phone):
    camera = Camera(maker, model)
    assert str(camera) == name
    assert camera.phone is (PHONES[phone] if phone else None)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("Apple", "Apple"),
        ("Apple\0\0", "Apple"),
        ("  Sony \r\n ", "Sony"),
        (b"Apple", "Apple"),
        ("\x1b[31mred", "[31mred"),
        ("x" * 5000, "x" * 60),
        (7, ""),
        (None, ""),
    ],
)
def test_what_makers_write_is_tidied(value, read):
    class Photo:
        def getexif(self):
            return {0x010F: value}

    assert camera_of(Photo()) == Camera(read, "")


def test_the_camera_of_a_photo_with_none_or_broken_exif():
    assert camera_of(Image.new("RGB", (2, 2))) == Camera()

    class Broken:
        def getexif(self):
            raise SyntaxError("not a TIFF file")

    assert camera_of(Broken()) == Camera()


@pytest.mark.parametrize(
    ("phone", "camera", "words"),
    [
        ("iphone", Camera("Apple", "iPhone 3GS"), None),
        ("iphone", Camera("apple", "IPHONE 3gs"), None),
        ("sony", Camera("Sony", "C6603"), None),
        ("iphone", Camera(), None),
        ("iphone", Camera("Sony", "iPhone 3GS"), "the Sony model may suit it better"),
        ("sony", Camera("Apple", "iPhone 15"), "the iPhone model may suit it better"),
        ("iphone", Camera("Apple", "iPhone 15"), "was not measured"),
        ("sony", Camera("Canon", "Canon EOS 70D"), "called Canon EOS 70D, and the Sony model"),
    ],
)
def test_a_hint_only_for_a_camera_that_the_weights_did_not_learn_from(phone, camera, words):
    hint = camera_hint(PHONES[phone], camera)
    if words is None:
        assert hint is None
    else:
        assert words in hint and hint.endswith(".") and PHONES[phone].camera in hint
