"""Table I: every number that was measured, named, and the paper's own kept apart."""

from dslr_gan.evaluation.scores import Scores
from dslr_gan.evaluation.table import to_markdown
from tests.evaluation.test_scores import DSLR, MORE

SCORES = Scores(51, MORE, {"SRCNN": MORE, "ours | 2": MORE}, DSLR)


def page(**options) -> str:
    return to_markdown(SCORES, phone="iphone", pairs="dped/patches", **options)


def rows(text: str) -> list[list[str]]:
    """The cells of the first table."""
    lines = text.split("\n\n")[2].splitlines()
    return [
        [cell.strip() for cell in line.replace(r"\|", "/").strip("|").split("|")] for line in lines
    ]


def test_a_row_for_each_phone_and_method():
    table = rows(page())
    assert table[0] == [
        "phone",
        "method",
        "pairs",
        "PSNR (dB) ↑",
        "SSIM ↑",
        "MS-SSIM ↑",
        "FLIP ↓",
        "Noise amplification ≈",
    ]
    assert len({len(row) for row in table}) == 1
    assert [row[:3] for row in table[2:]] == [
        ["iphone", "phone photo as it is", "51"],
        ["iphone", "SRCNN", "51"],
        ["iphone", "ours / 2", "51"],
        ["iphone", "DSLR photo", "51"],
    ]
    assert table[3][3:5] == ["18.46 [17.00, 20.00]", "0.7037 [0.6000, 0.8000]"]
    assert table[5][3:] == ["", "", "", "", "0.87 [0.64, 1.26]"]


def test_the_paper_s_numbers_stand_apart_as_printed():
    ours, printed = page().split("## As printed in the paper")
    assert "0.9451" not in ours and "0.9558" not in ours
    assert "| iPhone | Prakash and Phumbhra 2020 | 0.9451 |" in printed
    assert "| Sony | Prakash and Phumbhra 2020 | 0.9558 |" in printed
    assert "as printed, on the MS-SSIM scale" in printed


def test_it_says_what_was_measured_and_on_what():
    text = page(sources={"SRCNN": "file srcnn.safetensors"})
    assert "51 pairs of `dped/patches`" in text and "- SRCNN: file srcnn.safetensors" in text
    for metric in SCORES.metrics.values():
        assert metric.says in text
    assert "PSNR over 50 pairs, 1 without" in text and text.endswith("\n")
    assert "## Methods" not in page()
