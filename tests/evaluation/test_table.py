"""Table I: every number that was measured, named, and the paper's own kept apart."""

import json

from dslr_gan.evaluation.scores import Scores
from dslr_gan.evaluation.table import PhoneScores, to_json, to_markdown, to_text
from tests.evaluation.test_scores import DSLR, MORE

SCORES = Scores(51, MORE, {"SRCNN": MORE, "ours | 2": MORE}, DSLR)


def page(**options) -> str:
    return to_markdown([PhoneScores("iphone", "dped/patches", SCORES, **options)])


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
    assert "| iPhone | SRCNN | 0.909 |" in printed and "| Sony | VDSR | 0.9434 |" in printed
    assert "| iPhone | VDSR | not known to us |" in printed
    assert "as printed, on the MS-SSIM scale" in printed


def test_it_says_what_was_measured_and_on_what():
    text = page(sources={"SRCNN": "file srcnn.safetensors"})
    assert "51 pairs of `dped/patches`" in text and "- SRCNN: file srcnn.safetensors" in text
    for metric in SCORES.metrics.values():
        assert metric.says in text
    assert "PSNR over 50 pairs, 1 without" in text and text.endswith("\n")
    assert "## Methods" not in page()


def test_several_phones_have_their_rows_one_below_the_other():
    sony = Scores(16, MORE, {"SRCNN": MORE}, DSLR)
    results = [
        PhoneScores("iphone", "dped/iphone", SCORES, sources={"SRCNN": "file a; SRCNN, 1"}),
        PhoneScores("sony", "dped/sony", sony, sources={"SRCNN": "file b; SRCNN, 1"}),
    ]
    text = to_markdown(results)
    assert [row[:3] for row in rows(text)[2:]] == [
        *(["iphone", name, "51"] for name in
          ("phone photo as it is", "SRCNN", "ours / 2", "DSLR photo")),
        *(["sony", name, "16"] for name in ("phone photo as it is", "SRCNN", "DSLR photo")),
    ]  # fmt: skip
    assert "51 pairs of `dped/iphone` and 16 pairs of `dped/sony`" in text
    assert "- iphone: SRCNN: file a" in text and "- sony: SRCNN: file b" in text
    assert "iphone: PSNR over 50 pairs" in text and "As the models are used" not in text
    both = json.loads(to_json(results))["phones"]
    assert both["iphone"] == json.loads(SCORES.to_json()) and both["sony"]["pairs"] == 16
    assert to_text(results).startswith("iphone (dped/iphone)\n") and "SRCNN: file b\n" in to_text(
        results
    )


def test_scores_as_used_stand_in_a_table_of_their_own():
    used = Scores(12, MORE, {"ours, patch alone": MORE, "ours, whole photo": MORE}, DSLR)
    result = PhoneScores("iphone", "dped/iphone", SCORES, used, {"ours": "folder x; Generator, 2"})
    text = to_markdown([result])
    table = text.split("## As the models are used")[1].split("## What is measured")[0]
    assert "| iphone | ours, whole photo | 12 |" in table and "SRCNN" not in table
    assert json.loads(to_json([result]))["as_used"] == json.loads(used.to_json())
    assert "on the 12 pairs whose photo is known" in to_text([result])
