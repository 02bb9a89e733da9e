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
    PAGES,
    YARDSTICK,
    methods_of,
    summary,
    table,
    table_one,
    write_between_marks,
)
from tests.evaluation.test_scores import DSLR, MORE


@pytest.fixture
def lines():
    """A function that gives the table with some columns, of two networks."""
    metrics = ("psnr", "ssim", "ms_ssim", "flip", "colour_shift", "noise_amplification")
    method = MetricScores({metric: average(np.array([0.5, 0.7])) for metric in metrics})
    dslr = MetricScores({"noise_amplification": average(np.array([0.9, 0.9]))})
    scores = Scores(2, method, {YARDSTICK: method, OURS: method}, dslr)
    enhancers = {OURS: PhotoEnhancer(Generator(channels=4, blocks=1))}
    times = {YARDSTICK: [4.0, 4.0], OURS: [1.0, 2.0]}
    return lambda columns: table(scores, enhancers, times, columns)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_method_has_a_row_and_each_page_its_columns(lines):
    for columns in PAGES.values():
        header, rule, phone, yardstick, ours, dslr = lines(columns)
        assert cells(header) == list(columns) and len(cells(rule)) == len(columns)
        assert cells(phone)[:2] == ["phone photo as it is", ""]
        assert cells(yardstick)[-1] == "1.0" and cells(ours)[-1] == "3.0"
        assert int(cells(ours)[1].replace(" ", "")) > 0
        assert cells(ours)[2].startswith("0.60 [0.50, 0.70]")
    assert len(PAGES[next(iter(PAGES))]) == 6 and set(columns) == set(COLUMNS)
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
    short = summary(results)
    assert len({line.count("|") for line in short}) == 1
    assert [line.split("|")[1].strip() for line in short[2:]] == [
        "iPhone, known photos: phone photo as it is",
        f"iPhone, known photos: {OURS}, patch alone",
        f"iPhone, known photos: {OURS}, whole photo",
        "Sony, patches: phone photo as it is",
        "Sony, patches: DPED 12-64",
    ]
    assert summary([PhoneScores("iphone", "iphone", results[0].scores)]) == []


def test_what_is_trained_has_a_row_with_its_steps_and_what_is_not_has_none(tmp_path):
    network = make_network("srcnn")
    network.save_pretrained(tmp_path / "srcnn_sony")
    network.facts = replace(unknown_facts("SRCNN"), steps=2500)
    network.save_pretrained(tmp_path / "srcnn_iphone")
    (tmp_path / "vdsr_sony").mkdir()  # of a run that has not finished
    assert list(methods_of("sony", None, tmp_path)) == ["SRCNN, trained here", "bundled Sony model"]
    assert list(methods_of("iphone", None, tmp_path)) == ["SRCNN, trained here, 2500 steps", OURS]
