"""Means and intervals, and how they are written down."""

import json

import numpy as np
import pytest

from dslr_gan.evaluation import scores as module
from dslr_gan.evaluation.scores import (
    MAIN,
    METRICS,
    Estimate,
    MetricScores,
    Scores,
    average,
    median,
    summarise,
)

MEASURED = MetricScores(
    {
        "psnr": Estimate(18.4567, (17.0, 19.996), 50),
        "ssim": Estimate(0.70368, (0.6, 0.8), 51),
        "ms_ssim": Estimate(0.85042, (0.8, 0.9), 51),
    }
)
MORE = MetricScores(
    {
        **MEASURED.estimates,
        "flip": Estimate(0.31, (0.3, 0.32), 51),
        "noise_amplification": Estimate(0.9, (0.8, 1.0), 49),
    }
)
DSLR = MetricScores({"noise_amplification": Estimate(0.87, (0.64, 1.26), 49)})


def cells(part: str) -> list[list[str]]:
    lines = [line for line in part.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_three_main_metrics_alone_make_one_table():
    table = Scores(51, MEASURED, {"iphone": MEASURED}).table()
    assert cells(table)[0] == [
        "",
        "pairs",
        "PSNR (dB), higher is better",
        "SSIM, higher is better",
        "MS-SSIM, higher is better",
    ]
    values = ["51", "18.46 [17.00, 20.00]", "0.7037 [0.6000, 0.8000]", "0.8504 [0.8000, 0.9000]"]
    assert cells(table)[2:] == [["input", *values], ["iphone", *values]]
    assert table.splitlines()[-1] == "PSNR over 50 pairs, 1 without a finite one: input, iphone."


def test_further_metrics_make_a_second_table_with_the_dslr_s_row():
    main, rest = Scores(51, MORE, {"iphone": MORE}, DSLR).table().split("\n\n")
    assert [row[0] for row in cells(main)[2:]] == ["input", "iphone"]
    assert cells(rest)[0][2:] == ["FLIP, lower is better", "noise amplification, best as DSLR"]
    assert cells(rest)[-1] == ["dslr", "51", "", "0.87 [0.64, 1.26]"]
    assert "Noise amplification over 49 pairs, 2 whose phone picture has no noise" in rest


def test_json_has_the_agreed_form_and_every_metric():
    read = json.loads(Scores(51, MORE, {"a": MORE, "b": MEASURED}, DSLR).to_json())
    assert list(read)[:3] == ["pairs", "input", "model"] and read["pairs"] == 51
    main = {"psnr": 18.4567, "ssim": 0.70368, "ms_ssim": 0.85042}
    assert read["input"] == read["model"] == read["models"]["a"] == read["models"]["b"] == main
    assert all(type(value) is float for value in read["input"].values())
    assert read["psnr_pairs"] == {"input": 50, "a": 50, "b": 50}
    assert read["ci95"]["a"] == {
        "psnr": [17.0, 19.996],
        "ssim": [0.6, 0.8],
        "ms_ssim": [0.8, 0.9],
    }
    assert read["methods"]["a"]["flip"] == {"value": 0.31, "ci95": [0.3, 0.32], "pairs": 51}
    assert list(read["methods"]["dslr"]) == ["noise_amplification"]
    assert read["metrics"]["flip"]["better"] == "lower"
    assert list(read["metrics"]) == list(MORE.estimates)


def test_no_model_is_lost_in_the_table_and_every_metric_says_what_it_is():
    assert tuple(METRICS)[:3] == MAIN
    for metric in METRICS.values():
        assert metric.says.endswith(".") and metric.title in metric.heading
        assert metric.direction in ("higher is better", "lower is better", "best as DSLR")


def test_summarise_leaves_out_of_psnr_what_has_none():
    rows = np.array([[20.0, 0.5, 0.6], [30.0, 0.7, 0.8], [np.inf, 1, 1], [np.inf, 1, 1]])
    # The third is a pair whose two pictures are one; the fourth was reproduced exactly.
    found = summarise(rows, np.array([True, True, False, True]))
    assert (found.means["psnr"], found.psnr_pairs) == (25.0, 2)
    assert found.ssim == pytest.approx(0.8) and found.estimates["ms_ssim"].pairs == 4
    empty = summarise(rows[2:], np.array([False, True]))
    assert empty.means["psnr"] is None and empty.ci95["psnr"] is None and empty.psnr_pairs == 0


def test_the_interval_of_a_mean_is_the_textbook_s():
    values = np.random.default_rng(1).normal(5, 2, 400)
    found = average(values)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean()) and found.pairs == 400
    # 2000 resamples tell an end to a few percent of the interval.
    assert found.ci95 == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_the_interval_of_a_median_holds_it_and_forgets_one_wild_value():
    values = np.array([0.8, 0.9, 1.0, 1.1, 1.2] * 10 + [47.0])
    found = median(values)
    assert found.value == 1.0 and 0.8 <= found.ci95[0] <= 1.0 <= found.ci95[1] <= 1.2
    assert average(values).value > 1.8


def test_many_pairs_are_resampled_in_parts_without_another_result(monkeypatch):
    values = np.random.default_rng(2).random(37)
    expected = average(values)
    monkeypatch.setattr(module, "_DRAWN_AT_ONCE", 1000)  # 27 rows at a time
    assert average(values) == expected


def test_ssim_over_no_pair_is_no_number():
    nothing = MetricScores({"ssim": Estimate(None, None, 0)})
    with pytest.raises(ValueError, match="ssim was measured over no pair"):
        _ = nothing.ssim
