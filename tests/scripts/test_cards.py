"""Facts of the bundled models' cards: what was measured, each way of scoring by its name."""

from dslr_gan.evaluation.scores import Scores
from dslr_gan.evaluation.table import PhoneScores
from hub_card import THIS_MODEL
from scripts.cards import card_scores
from tests.evaluation.test_scores import DSLR, MEASURED, MORE


def test_scores_as_used_stand_beside_those_of_patches():
    alone = Scores(51, MORE, {"iphone": MORE}, DSLR)
    plain = card_scores(PhoneScores("iphone", "x", alone), "test pairs")
    assert {score.dataset for score in plain} == {"test pairs"}
    used = Scores(12, MORE, {"iphone, patch alone": MORE, "iphone, whole photo": MEASURED}, None)
    both = card_scores(PhoneScores("iphone", "x", alone, used), "test pairs")
    assert both[: len(plain)] == plain
    added = both[len(plain) :]
    assert {(score.dataset, score.pairs) for score in added} == {
        ("test pairs, as used (whole photos)", 12)
    }
    ours = [score.metric for score in added if score.method == THIS_MODEL]
    assert ours == ["PSNR", "SSIM", "MS-SSIM"]  # MEASURED's: of the whole photo, not the patch
    assert {score.method for score in added} == {
        "input photo", THIS_MODEL, "the same, given the patch alone",
    }  # fmt: skip
