"""The trainer's flags: presets, weights of pairs, the learning rate, and what is refused."""

import math

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.training.arguments import (
    PRESETS,
    check_arguments,
    loss_weights,
    pairs_flags,
    parse_arguments,
    rate_factor,
    trackers,
)


def parse(*more):
    return parse_arguments(["--pairs", "x", "--output_dir", "y", *map(str, more)])


def test_presets_are_defaults_that_a_flag_overrides():
    paper = parse("--preset", "paper")
    assert (paper.max_train_steps, paper.train_batch_size) == (30_000, 30)
    assert loss_weights(paper).active() == {"content": 1, "texture": 0.3, "color": 0.2}
    assert parse("--preset", "paper", "--train_batch_size", 8).train_batch_size == 8
    shipped = parse("--preset", "shipped")
    assert loss_weights(shipped).active() == {"l1": 1, "ssim": 0.5, "ms_ssim": 0.3}
    assert (shipped.stored_as, paper.stored_as) == ("float16", "float32")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes_the_checks(preset):
    check_arguments(parse("--preset", preset))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--max_train_steps", 0], "--max_train_steps must be at least 1"),
        (["--collapse_steps", 0], "--collapse_steps must be at least 1"),
        (["--max_validation_pairs", 0], "--max_validation_pairs must be at least 1"),
        (["--resolution", 31], "--resolution must be at least 32"),
        (["--color_weight", -1], "--color_weight must be at least 0"),
        (["--ema_decay", 1], "--ema_decay must be below 1"),
        (["--learning_rate", "nan"], "--learning_rate must be above 0"),
        (["--texture_weight", 0, "--color_weight", 0, "--content_weight", 0], "every loss"),
        (["--push_to_hub"], "needs --hub_model_id"),
        (["--hub_model_id", "bad id"], "--hub_model_id"),
        (["--fold", "1/5", "--validation_pairs", "x"], "leave out --validation_pairs"),
        (["--report_to", "tensorboard,nonsense"], "--report_to nonsense is not installed"),
    ],
)
def test_what_cannot_work_is_a_sentence(more, words):
    with pytest.raises(DslrGanError, match=words):
        check_arguments(parse(*more))


def test_soap_that_is_not_installed_is_a_sentence(monkeypatch):
    monkeypatch.setattr("dslr_gan.training.arguments.find_spec", lambda name: None)
    with pytest.raises(DslrGanError, match="pip install pytorch-optimizer, or take adam"):
        check_arguments(parse("--optimizer", "soap"))
    check_arguments(parse("--optimizer", "adam"))


@pytest.mark.parametrize("text", ["0/5", "6/5", "1/1", "5", "a/b", "1/x", "1/5/5"])
def test_a_fold_is_one_of_several(text, capsys):
    assert parse("--fold", "2/5").fold == (2, 5)
    with pytest.raises(SystemExit):
        parse("--fold", text)
    assert "is not K/N" in capsys.readouterr().err


def test_output_into_a_file_or_the_pairs_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for pairs, out, words in (("x", tmp_path / "file", "is a file"), (tmp_path, tmp_path, "pairs")):
        arguments = ["--pairs", str(pairs), "--output_dir", str(out)]
        with pytest.raises(DslrGanError, match=words):
            check_arguments(parse_arguments(arguments))


def test_pairs_may_carry_a_weight(tmp_path):
    odd = tmp_path / "a=2"
    odd.mkdir()

    def flags(*pairs):
        words = [word for each in pairs for word in ("--pairs", str(each))]
        return pairs_flags(parse_arguments([*words, "--output_dir", "y"]))

    assert flags("dir=0.25", "me/data=3") == [("dir", 0.25), ("me/data", 3.0)]
    assert flags(odd, "b") == [(str(odd), None), ("b", None)]
    with pytest.raises(DslrGanError, match="number"):
        flags("dir=much")
    with pytest.raises(DslrGanError, match="or none of them"):
        flags("a=1", "b")


def test_trackers_are_tensorboard_unless_named():
    assert trackers(parse()) == ["tensorboard"]
    assert trackers(parse("--report_to", "none")) == []
    assert trackers(parse("--report_to", "tensorboard")) == ["tensorboard"]


@pytest.mark.parametrize(
    ("schedule", "middle", "last"), [("cosine", 0.505, 0.01), ("linear", 0.505, 0.01),
                                     ("constant", 1, 1)]
)  # fmt: skip
def test_the_rate_warms_up_and_falls(schedule, middle, last):
    args = parse("--lr_scheduler", schedule, "--lr_warmup_steps", 10, "--max_train_steps", 1000)
    factors = [rate_factor(args, step) for step in range(1001)]
    assert factors[0] == pytest.approx(0.1, rel=1e-3)
    assert factors[500] == pytest.approx(middle)
    assert factors[1000] == pytest.approx(last)
    assert max(factors) <= 1 and min(factors) > 0
    assert all(math.isfinite(factor) for factor in factors)
    assert all(factors[step] >= factors[step + 1] for step in range(10, 1000))
