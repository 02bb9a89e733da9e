"""``models`` tells what is there."""

from dataclasses import replace

from dslr_gan.models.generator import Generator
from dslr_gan.models.phones import PHONES, Phone
from hub_card import unknown_facts
from tests.support.command_line import run


def test_models_lists_what_can_be_loaded_and_from_where(capsys, monkeypatch):
    phones = list(PHONES.values())
    monkeypatch.setenv(phones[0].variable, "me/dslr-gan-mine")
    for phone in phones[1:]:
        monkeypatch.delenv(phone.variable, raising=False)
    assert run("models") == 0
    listing = capsys.readouterr().out
    for phone in phones:
        assert f"{phone.name}: for photos of the {phone.title} ({phone.camera})" in listing
        assert (f"bundled: {phone.folder}" if phone.bundled else "bundled: none") in listing
    assert f"Hub: me/dslr-gan-mine ({phones[0].variable})" in listing
    assert f"set {phones[1].variable}=owner/name" in listing
    assert "--model owner/name" in listing and "--model DIR" in listing


def test_models_tells_the_facts_of_bundled_weights(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(Phone, "folder", property(lambda _: tmp_path))
    assert run("models") == 0
    assert capsys.readouterr().out.count("bundled: none") == len(PHONES)
    generator = Generator(channels=4, blocks=1)
    generator.facts = replace(
        unknown_facts("a test"), parameters=12345, licence_name="research-only"
    )
    generator.save_pretrained(tmp_path)
    assert run("models") == 0
    listing = capsys.readouterr().out
    assert f"bundled: {tmp_path}, 12,345 parameters, licence research-only" in listing
    (tmp_path / "facts.json").write_text("{}")
    assert run("models") == 0
    assert "nothing known about them" in capsys.readouterr().out
