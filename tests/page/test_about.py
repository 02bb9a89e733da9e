"""What the page says of its models."""

import json

from dslr_gan.models.phones import PHONES
from dslr_gan.page.about import about
from tests.support.paths import ROOT


def test_a_repository_on_the_hub_is_linked(monkeypatch):
    assert "card on the Hub" not in about({})
    monkeypatch.setenv("DSLR_GAN_SONY_REPO", "me/dslr-gan-sony")
    assert '/me/dslr-gan-sony"' in about({})


def test_the_facts_of_both_cards_are_there():
    text = about({"iphone": "Hub repository <b>me/x</b>", "sony": "this repository"})
    assert "Hub repository &lt;b&gt;me/x&lt;/b&gt;" in text and "this repository" in text
    for phone in PHONES:
        facts = json.loads((ROOT / "dslr_gan" / "weights" / phone / "facts.json").read_text())
        assert facts["camera"] in text
        score = next(one for one in facts["scores"] if one["metric"] == "PSNR")
        assert f"{score['value']:.2f}" in text and f"[{score['ci95'][0]:.2f}, " in text
        for limit in facts["limits"]:
            assert limit.split("'")[0] in text
