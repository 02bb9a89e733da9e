"""What the page says of its models."""

import dataclasses
import json

import pytest

from dslr_gan.models.phones import PHONES
from dslr_gan.page import about as module
from dslr_gan.page.about import about
from tests.support.paths import ROOT


def test_each_model_s_card_is_named_and_linked_where_it_is_on_the_hub(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    text = about()
    for phone in PHONES.values():
        place = f"dslr_gan/weights/{phone.name}/README.md"
        assert f"<code>{place}</code>" in text and (ROOT / place).is_file()
    monkeypatch.setenv("SPACE_ID", "me/page")
    monkeypatch.setenv("DSLR_GAN_SONY_REPO", "me/dslr-gan-sony")
    text = about()
    assert '/me/dslr-gan-sony"' in text
    assert '/spaces/me/page/blob/main/dslr_gan/weights/iphone/README.md"' in text


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
