"""The trainer's settings: flags, presets, weights of pairs, and what is refused."""

import dataclasses
import os
import subprocess
import sys

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.models import registry
from dslr_gan.training.arguments import (
    check_settings,
    make_parser,
    pairs_flags,
    parse_arguments,
)
from dslr_gan.training.logbook import command_line
from dslr_gan.training.options.groups import ARCHITECTURES
from dslr_gan.training.options.presets import PRESETS
from tests.support.paths import ROOT

TOKEN = "hf_" + "AbCdEfGhIj" * 3


def parse(*more):
    return parse_arguments(["--pairs", "x", "--output_dir", "y", *map(str, more)])


def test_presets_are_defaults_that_a_flag_overrides():
    paper = parse("--preset", "paper")
    assert (paper.schedule.max_train_steps, paper.schedule.train_batch_size) == (30_000, 30)
    assert paper.losses.active() == {"content": 1, "texture": 0.3, "color": 0.2}
    assert parse("--preset", "paper", "--train_batch_size", 8).schedule.train_batch_size == 8
    shipped = parse("--preset", "shipped")
    assert shipped.losses.active() == {"l1": 1, "ssim": 0.5, "ms_ssim": 0.3}
    assert (shipped.output.stored_as, paper.output.stored_as) == ("float16", "float32")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes_the_checks(preset):
    check_settings(parse("--preset", preset))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--max_train_steps", 0], "--max_train_steps must be at least 1"),
        (["--collapse_steps", 0], "--collapse_steps must be at least 1"),
        (["--max_validation_pairs", 0], "--max_validation_pairs must be at least 1"),
        (["--resolution", 31], "--resolution must be at least 32"),
        (["--color_weight", -1], "--color_weight must be at least 0"),
        (["--seed", 2**32], "--seed must be below 4294967296"),
        (["--init_from", f"https://me:{TOKEN}@huggingface.co/a/b"], "--init_from holds an access"),
        (["--pairs", TOKEN], "--pairs holds an access token"),
        (["--ema_decay", 1], "--ema_decay must be below 1"),
        (["--adam_beta2", 1], "--adam_beta2 must be below 1"),
        (["--learning_rate", "-0"], "--learning_rate must be above 0"),
        (["--learning_rate", "nan"], "--learning_rate must be a finite number, got nan"),
        (["--color_weight", "inf"], "--color_weight must be a finite number, got inf"),
        (["--patch_contexts", 30], "--patch_contexts is a share, at most 1, got 30"),
        (["--texture_weight", 0, "--color_weight", 0, "--content_weight", 0], "every loss"),
        (["--push_to_hub"], "needs --hub_model_id"),
        (["--tracker_project_name", "../x"], "--tracker_project_name must be a name without"),
        (["--hub_model_id", "bad id"], "--hub_model_id"),
        (["--fold", "1/5", "--validation_pairs", "x"], "leave out --validation_pairs"),
        (["--fold_by", "scene"], "give --fold K/N, too"),
    ],
)
def test_what_cannot_work_is_an_error_message(more, words):
    with pytest.raises(DslrGanError, match=words):
        check_settings(parse(*more))


def test_soap_that_is_not_installed_is_an_error_message(monkeypatch):
    monkeypatch.setattr("dslr_gan.training.arguments.find_spec", lambda name: None)
    with pytest.raises(DslrGanError, match="pip install pytorch-optimizer, or take adam"):
        check_settings(parse("--optimizer", "soap"))
    check_settings(parse("--optimizer", "adam"))


@pytest.mark.parametrize("text", ["0/5", "6/5", "1/1", "5", "a/b", "1/x", "1/5/5"])
def test_a_fold_is_one_of_several(text, capsys):
    assert parse("--fold", "2/5").pairs.fold == (2, 5)
    with pytest.raises(SystemExit):
        parse("--fold", text)
    assert "is not K/N" in capsys.readouterr().err


def test_output_into_a_file_or_the_pairs_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    (tmp_path / "link").symlink_to(pairs)
    inside = (pairs, pairs / "iphone", tmp_path / "link", tmp_path / "link" / "runs" / "one")
    for out, words in ((tmp_path / "file", "is a file"), *((each, "the pairs") for each in inside)):
        with pytest.raises(DslrGanError, match=words):
            check_settings(parse("--pairs", pairs, "--output_dir", out))
    with pytest.raises(DslrGanError, match="the pairs folder"):
        check_settings(parse("--validation_pairs", pairs, "--output_dir", pairs / "runs"))
    check_settings(parse("--pairs", pairs, "--output_dir", tmp_path / "pairs of mine"))


def test_folders_that_cannot_be_written_to_are_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    for flag in ("--output_dir", "--logging_dir"):
        with pytest.raises(DslrGanError, match=rf"{flag} .*/file/run cannot be written to \(Not a"):
            check_settings(parse(flag, tmp_path / "file" / "run"))


def test_pairs_may_carry_a_weight(tmp_path):
    odd = tmp_path / "a=2"
    odd.mkdir()

    def flags(*pairs):
        words = [word for name in pairs for word in ("--pairs", str(name))]
        return pairs_flags(parse_arguments([*words, "--output_dir", "y"]).pairs.pairs)

    assert flags("dir=0.25", "me/data=3") == [("dir", 0.25), ("me/data", 3.0)]
    assert flags(odd, "b") == [(str(odd), None), ("b", None)]
    with pytest.raises(DslrGanError, match="number"):
        flags("dir=much")
    with pytest.raises(DslrGanError, match="or none of them"):
        flags("a=1", "b")


def test_settings_are_frozen_and_typed():
    settings = parse("--columns", "a", "b", "--texture_weight", "0")
    assert settings.pairs.pairs == ("x",) and settings.pairs.columns == ("a", "b")
    assert settings.losses.texture == 0 and settings.output.output_dir.name == "y"
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.pairs.seed = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.pairs = None


def test_what_is_recorded_has_the_names_of_the_flags():
    settings = parse("--texture_weight", 0.5)
    recorded, fixed = settings.flat(), settings.flat(free=False)
    assert recorded["pairs"] == ["x"] and recorded["texture_weight"] == 0.5
    assert len(recorded) == len(make_parser()._actions) - 3, "not --help, --config, --hub_token"
    # As every checkpoint so far has them: another set would refuse or mix old runs.
    assert sorted(fixed) == [
        "adam_beta1", "adam_beta2", "adam_weight_decay",
        "architecture", "color_weight", "columns", "content_weight", "ema_decay", "fold", "fold_by",
        "init_from", "l1_weight", "lr_scheduler", "lr_warmup_steps", "max_grad_norm",
        "max_train_samples",
        "ms_ssim_weight", "optimizer", "resolution", "seed", "ssim_weight", "streaming",
        "texture_weight", "total_variation_weight",
    ]  # fmt: skip


def test_the_architectures_are_those_of_the_registry():
    assert tuple(registry.ARCHITECTURES) == ARCHITECTURES


def test_every_flag_has_a_help_text_that_argparse_can_format(monkeypatch):
    for columns in ("80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        parser = make_parser("100 % of it")
        assert "100 % of it" in parser.format_help()
        for action in parser._actions:
            assert action.help, f"--{action.dest} has no help"
            assert parser._get_formatter()._expand_help(action)


WITHOUT_TORCH = """
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "accelerate", "numpy"):
            raise AssertionError(f"{name} is imported")
sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("columns", ["80", "200"])
def test_help_as_a_process_does_not_wait_for_torch(columns):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "train_accelerate.py", "--help"],
        cwd=ROOT, env={"COLUMNS": columns}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "--max_train_steps" in result.stdout and "accelerate launch" in result.stdout
    assert max(map(len, result.stdout.splitlines())) > (100 if columns == "200" else 60)


CONFIG = """
pairs: [dped/iphone=0.5, ~/made=0.5]
output_dir: runs/x
preset: shipped
learning_rate: 0.002
columns: [input, target]
channels_last: true
streaming: false
validation_images: one.jpg
fold: 1/5
"""


def test_a_file_of_flags_stands_between_preset_and_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    file = tmp_path / "run.yaml"
    file.write_text(CONFIG)
    settings = parse_arguments(["--config", str(file), "--seed", "3"])
    assert settings.pairs.pairs == ("dped/iphone=0.5", "/home/me/made=0.5")
    assert settings.schedule.learning_rate == 0.002, "not the preset's"
    assert settings.schedule.max_train_steps == PRESETS["shipped"]["max_train_steps"]
    assert settings.pairs.columns == ("input", "target") and settings.pairs.fold == (1, 5)
    assert settings.network.channels_last and not settings.pairs.streaming
    assert [path.name for path in settings.output.validation_images] == ["one.jpg"]
    mine = parse_arguments([f"--config={file}", "--pairs", "mine", "--learning_rate=0.1"])
    assert mine.pairs.pairs == ("mine",) and mine.schedule.learning_rate == 0.1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learnig_rate: 1", "there is no flag --learnig_rate"),
        ("config: other.yaml", "there is no flag --config"),
        ("- pairs", "must hold names of flags"),
        ("seed: {a: 1}", "--seed needs a value"),
        ("learning_rate:", "--learning_rate needs a value"),
        ("streaming: yes please", "--streaming is a switch"),
        ("seed: much", "invalid int value: 'much'"),
        ("a: [", "cannot be read (line 1: "),
        ("seed: 1\n\tx: 2", "cannot be read (line 2: found character"),
        ('tracker_project_name: "a\\0b"', "holds a null character"),
        ("seed: 1\nseed: 2", "has seed 2 times; keep one"),
        ("init_from: ''", "the value of --init_from is empty"),
        ("1", "must hold names of flags"),
        ("a: " + "[" * 5000, "cannot be read"),
        ("", "must hold names of flags"),
        ("columns: &a [*a]", "--columns needs a value"),
        ("seed: .nan", "invalid int value: 'nan'"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_of_flags_that_cannot_be_used_is_refused(text, words, tmp_path, capsys):
    file = tmp_path / "run.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SystemExit):
        parse("--config", file)
    assert words in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--conf", "run.yaml"], "unrecognized arguments: --conf run.yaml"),
        (["--config", "a.yaml", "--config", "b.yaml"], "was given several times"),
        (["--config", "~nobody-of-this-name/a.yaml"], "cannot be read (No such file"),
        (["--config", os.devnull], "must hold names of flags"),
    ],
)
def test_a_file_of_flags_is_never_overlooked(flags, words, capsys):
    with pytest.raises(SystemExit):
        parse(*flags)
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_token_that_is_no_flag_is_not_shown(capsys):
    with pytest.raises(SystemExit):
        parse("--hub_tokens", TOKEN)
    said = capsys.readouterr().err
    assert "unrecognized arguments: --hub_tokens ***" in said and TOKEN not in said


def test_the_token_is_for_the_hub_and_in_no_record_of_the_run(monkeypatch):
    flags = ["--pairs", "a", "--output_dir", "o", "--hub_model_id", "me/x", "--hub_private_repo"]
    for given in (["--hub_token", "any secret"], ["--hub_token=any secret"]):
        settings = parse_arguments([*flags, *given])
        check_settings(settings)
        target = settings.hub.target()
        assert (target.token, target.private) == ("any secret", True)
        monkeypatch.setattr(sys, "argv", ["train_accelerate.py", *given, *flags])
        command = command_line()
        assert command.endswith("train_accelerate.py --pairs a --output_dir o --hub_model_id me/x "
                                "--hub_private_repo")  # fmt: skip
        for record in (repr(settings), str(settings.flat()), command):
            assert "any secret" not in record and "hub_token" not in record


@pytest.mark.parametrize(
    "flags", [["--init_from="], ["--output_dir", ""], ["--validation_images", "a.jpg", ""]]
)
def test_a_value_that_the_shell_left_empty_is_refused(flags, capsys):
    with pytest.raises(SystemExit):
        parse(*flags)
    assert "is empty; check what the shell made of it" in capsys.readouterr().err


def test_a_tilde_is_the_home_folder_in_every_flag(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    settings = parse_arguments(
        ["--pairs=~/a=2", "--pairs", "~/b=1", "--output_dir=~/r", "--validation_pairs=~/v"]
        + ["--init_from=~/g", "--vgg_weights=~/w", "--resume_from_checkpoint=~/c", "--card=~/f"]
    )
    values = settings.flat()
    assert values["pairs"] == ["/home/me/a=2", "/home/me/b=1"]
    names = ("output_dir", "validation_pairs", "init_from", "vgg_weights", "card")
    found = [str(values[name]) for name in (*names, "resume_from_checkpoint")]
    assert found == [f"/home/me/{letter}" for letter in "rvgwfc"]
