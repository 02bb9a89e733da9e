"""What the page says of its models."""

import dataclasses
import json

import pytest

from dslr_gan.models.phones import PHONES
from dslr_gan.page import about as module
from dslr_gan.page.about import about
from tests.support.paths import ROOT


def test_a_repository_on_the_hub_is_linked(monkeypatch):
    assert "repository on the Hub" not in about()
    monkeypatch.setenv("DSLR_GAN_SONY_REPO", "me/dslr-gan-sony")
    assert '/me/dslr-gan-sony"' in about()


def test_the_facts_of_both_cards_are_there(monkeypatch):
    said = {"iphone": "Hub repository <b>me/x</b>", "sony": "bundled Sony weights"}
    monkeypatch.setattr(module, "source_of", said.__getitem__)
    text = about()
    assert "Hub repository &lt;b&gt;me/x&lt;/b&gt;" in text and "bundled Sony weights" in text
    for phone in PHONES:
        facts = json.loads((ROOT / "dslr_gan" / "weights" / phone / "facts.json").read_text())
        assert facts["camera"] in text
        score = next(one for one in facts["scores"] if one["metric"] == "PSNR")
        assert f"{score['value']:.2f}" in text and f"({score['ci95'][0]:.2f} to " in text
        for limit in facts["limits"]:
            assert limit.split("'")[0] in text


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "[here](javascript:alert(1))"])
def test_what_facts_say_is_text(words, monkeypatch):
    enhancer = module.enhancer_for("sony")
    facts = dataclasses.replace(enhancer.generator.facts, limits=[words])
    monkeypatch.setattr(enhancer.generator, "facts", facts)
    text = about()
    assert "<script" not in text and 'href="javascript' not in text
    assert "alert(1)" in text
