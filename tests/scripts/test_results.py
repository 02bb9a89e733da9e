"""The tables of results: columns of the two pages, and what stands around them."""

from dataclasses import replace

import numpy as np
import pytest

from dslr_gan import Generator, PhotoEnhancer
from dslr_gan.evaluation.scores import MetricScores, Scores, average
from dslr_gan.evaluation.table import PhoneScores
from dslr_gan.models.registry import make_network
from hub_card import unknown_facts
from scripts.results import (
    COLUMNS,
    OURS,
    TRAINED,
    YARDSTICK,
    methods_of,
    summary,
    table,
    table_one,
    write_between_marks,
)
from tests.evaluation.test_scores import DSLR, MORE

DIGITS = {"psnr": 2, "ssim": 4, "ms_ssim": 4}


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_method_has_a_row():
    metrics = ("psnr", "ssim", "ms_ssim", "flip", "colour_shift", "noise_amplification")
    method = MetricScores({metric: average(np.array([0.5, 0.7])) for metric in metrics})
    dslr = MetricScores({"noise_amplification": average(np.array([0.9, 0.9]))})
    scores = Scores(2, method, {YARDSTICK: method, OURS: method}, dslr)
    enhancers = {OURS: PhotoEnhancer(Generator(channels=4, blocks=1))}
    times = {YARDSTICK: [4.0, 4.0], OURS: [1.0, 2.0]}
    header, rule, phone, yardstick, ours, dslr = table(scores, enhancers, times)
    assert cells(header) == list(COLUMNS) and len(cells(rule)) == len(COLUMNS)
    assert cells(phone)[:2] == ["phone photo as it is", ""]
    assert cells(yardstick)[-1] == "1.0" and cells(ours)[-1] == "3.0"
    assert int(cells(ours)[1].replace(" ", "")) > 0
    assert cells(ours)[2].startswith("0.60 [0.50, 0.70]")
    assert cells(dslr)[1:7] == [""] * 6 and cells(dslr)[7] == "0.90"


def test_a_page_keeps_what_is_around_the_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results: by a command -->\nold\n<!-- end of results -->\nafter\n")
    write_between_marks(page, ["| new |"])
    assert page.read_text() == (
        "before\n<!-- results: by a command -->\n| new |\n<!-- end of results -->\nafter\n"
    )
    page.write_text("no marks\n")
    with pytest.raises(SystemExit, match="must have lines that begin with"):
        write_between_marks(page, ["| new |"])


def test_table_one_has_both_phones_as_used_and_the_paper_s_numbers_as_printed():
    used = Scores(12, MORE, {f"{OURS}, patch alone": MORE, f"{OURS}, whole photo": MORE}, DSLR)
    results = [
        PhoneScores("iphone", "iphone", Scores(51, MORE, {"SRCNN": MORE, OURS: MORE}, DSLR), used),
        PhoneScores("sony", "sony", Scores(16, MORE, {"DPED 12-64": MORE}, DSLR)),
    ]
    text = "\n".join(table_one(results))
    assert "| iphone | SRCNN | 51 |" in text and "| sony | DPED 12-64 | 16 |" in text
    measured, _, printed = text.partition("As printed")
    assert f"| iphone | {OURS}, whole photo | 12 |" in measured and "0.9451" not in measured
    assert "| iPhone | Prakash and Phumbhra 2020 | 0.9451 |" in printed


def test_the_readme_s_table_has_the_phones_side_by_side_and_steps_left_out():
    used = Scores(12, MORE, {f"{OURS}, patch alone": MORE, f"{OURS}, whole photo": MORE}, DSLR)
    trained = {f"{TRAINED['vdsr']}, 1500 steps": MORE, OURS: MORE}
    sony = {f"{TRAINED['vdsr']}, 800 steps": MORE, "bundled Sony model": MORE}
    results = [
        PhoneScores("iphone", "iphone", Scores(51, MORE, trained, DSLR), used),
        PhoneScores("sony", "sony", Scores(16, MORE, sony, DSLR)),
    ]
    header, rule, *rows = [
        cells(line) for line in summary(results, {YARDSTICK: [3.0], OURS: [1.0]})
    ]
    assert len({len(row) for row in (header, rule, *rows)}) == 1
    assert header[1].startswith("iPhone, 51 pairs") and header[2].startswith("Sony, 16 pairs")
    assert [row[0] for row in rows] == [
        "phone photo as it is",
        "VDSR, trained here",
        "bundled model",
        "the 12 pairs whose photo is known: phone photo as it is",
        "the 12 pairs whose photo is known: bundled model, whole photo",
    ]
    means = " / ".join(f"{MORE.means[name]:.{digits}f}" for name, digits in DIGITS.items())
    assert rows[2][1:] == [means, means, "3.0"] and rows[4][1:] == [means, "", ""]


def test_what_is_trained_has_a_row_with_its_steps_and_what_is_not_has_none(tmp_path):
    network = make_network("srcnn")
    network.save_pretrained(tmp_path / "srcnn_sony")
    network.facts = replace(unknown_facts("SRCNN"), steps=2500)
    network.save_pretrained(tmp_path / "srcnn_iphone")
    (tmp_path / "vdsr_sony").mkdir()  # of a run that has not finished
    assert list(methods_of("sony", None, tmp_path)) == ["SRCNN, trained here", "bundled Sony model"]
    assert list(methods_of("iphone", None, tmp_path)) == ["SRCNN, trained here, 2500 steps", OURS]
