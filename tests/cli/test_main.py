"""The command line as a whole: help, version, usage, and what is not understood."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dslr_gan import __main__, __version__
from dslr_gan.__main__ import make_parser
from tests.support.command_line import ROOT, refused, run

COMMANDS = ("enhance", "evaluate", "prepare", "export", "push", "models")


@pytest.fixture(scope="module")
def no_torch(tmp_path_factory):
    """An environment in which importing PyTorch ends the process, or what else is installed."""
    folder = tmp_path_factory.mktemp("no_torch")
    for name in ("torch", "tqdm", "numpy", "PIL", "huggingface_hub"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
    return {**os.environ, "PYTHONPATH": str(folder)}


def shown(*arguments: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dslr_gan", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_shown_without_torch(command, columns, no_torch):
    words = [command] if command else []
    text = shown(*words, "--help", environment={**no_torch, "COLUMNS": str(columns)})
    assert text.startswith(f"usage: {' '.join(['python -m dslr_gan', *words])} [-h]")
    lines = text.split("\nexample:\n")[0].splitlines()
    assert "%%" not in text and max(map(len, lines)) <= columns
    if not command:
        assert all(f"    {name} " in text for name in COMMANDS)
        assert shown(environment={**no_torch, "COLUMNS": str(columns)}) == text  # bare


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


def test_every_help_text_can_be_formatted():
    every = list(parsers(make_parser()))
    assert len(every) == 1 + len(COMMANDS)
    for parser in every:
        text = parser.format_help()
        assert "%%" not in text and not re.search(r"%\(\w+\)", text), parser.prog
        assert all(action.help for action in parser._actions if action.option_strings), parser.prog


def test_a_per_cent_sign_in_a_summary_is_shown(capsys):
    assert run("--help") == 0
    assert "95 % interval" in " ".join(capsys.readouterr().out.split())
    assert run("evaluate", "--help") == 0
    assert "95 % interval" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_in_the_help_is_understood(command, capsys):
    assert run(command, "--help") == 0
    text = capsys.readouterr().out
    assert f"example:\n  python -m dslr_gan {command}" in text
    assert make_parser().parse_args(text.split("python -m dslr_gan ")[-1].split())


def test_the_version_is_the_package_s(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"dslr_gan {__version__}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize(
    "arguments",
    [
        ["improve"],
        ["enhance"],
        ["enhance", "a.jpg"],
        ["enhance", "a.jpg", "--out", "b", "-x"],
        ["enhance", "a.jpg", "--out", "b", "--strength", "much"],
        ["evaluate"],
    ],
)
def test_what_is_not_understood_ends_in_2(arguments, capsys):
    assert run(*arguments) == 2
    assert "usage: python -m dslr_gan" in capsys.readouterr().err


# Standard output, paths and addresses --------------------------------------------------------


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["models"], ["enhance", "--help"], ["--version"]])
def test_a_full_standard_output_is_called_that(arguments, unbuffered):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dslr_gan", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("dslr_gan: standard output cannot be written (No space left on")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_results_are_written_although_standard_output_is_full(photos, model):
    command = f"{sys.executable} -m dslr_gan enhance {photos} --out {photos}/o --model {model}"
    done = subprocess.run(
        f"{command} >/dev/full", shell=True, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert (photos / "o/cat.png").is_file()


@pytest.mark.slow
def test_a_photo_that_standard_output_has_no_room_for(photos, model):
    command = (
        f"{sys.executable} -m dslr_gan enhance - --model {model} < {photos}/cat.png >/dev/full"
    )
    done = subprocess.run(command, shell=True, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "standard output cannot be written (No space left on device)" in done.stderr


def test_a_token_that_was_given_by_mistake_is_not_shown(capsys):
    token = "hf_" + "AbCdEfGhIj" * 3
    for words in (
        ["models", "--token", token],
        ["enhance", "a.jpg", "--out", f"http://{token}@a/b"],
    ):
        assert __main__.main(words) == 2
        said = capsys.readouterr()
        assert "***" in said.err and token not in said.err + said.out


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_traceback(closed):
    command = f"{sys.executable} -m dslr_gan models {closed}"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_closed_standard_input_is_called_that(model):
    command = f"{sys.executable} -m dslr_gan enhance - --model {model} <&- | cat"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == (
        "dslr_gan: standard input is closed; send a photo to it, as in < photo.jpg.\n"
    )


def test_a_closed_standard_output_is_called_that(photos):
    command = f"{sys.executable} -m dslr_gan enhance - < {photos}/cat.png >&-"
    done = subprocess.run(command, shell=True, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr == (
        "dslr_gan: standard output is closed; send the result to a file, as in > out.jpg.\n"
    )


def test_no_file_gets_the_number_of_a_closed_output():
    code = (
        "from dslr_gan.__main__ import main; main(['--version']); print(open('README.md').fileno())"
    )
    command = f'{sys.executable} -c "{code}" <&- 2>&-'
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and int(done.stdout.split()[-1]) > 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("libtorch_cpu.so: failed to map segment"), "libtorch_cpu.so: failed to map"),
        (ModuleNotFoundError("No module named 'torch'"), "pip install -r requirements.txt"),
        (MemoryError(), "not enough memory"),
        (PermissionError(13, "Permission denied", "a.json"), "a.json cannot be used (Permission"),
        (FileNotFoundError(2, "No such file or directory"), "a file cannot be used (No such"),
    ],
)
def test_what_nobody_explained_is_one_message(error, words, capsys, monkeypatch):
    def fail(_):
        raise error

    monkeypatch.setattr(__main__, "_run", fail)
    assert words in refused(capsys, "models")


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setattr(__main__, "_run", lambda _: {}["missing"])
    with pytest.raises(KeyError):
        run("models")


def test_a_current_folder_that_is_gone_is_called_that(tmp_path, capsys, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    message = refused(capsys, "enhance", "a.jpg", "--out", "b")
    assert "the current folder cannot be used (No such file or directory)" in message


PATHS = [
    ("enhance", ["~/a.jpg", "--out=~/o", "--report=~/r.json", "--model=~/m"]),
    ("evaluate", ["--pairs=~/p", "--model=~/m=~us", "--json=~/j", "--markdown=~/k",
                  "--figure=~/f.png", "--vgg_weights=~/v"]),
    ("prepare", ["~/a", "--out=~/o", "--teacher=~/t"]),
    ("prepare", ["~/a", "--out=~/o", "--targets=~/t", "--blend-with=~/b"]),
    ("prepare", ["--out=~/o", "--phone=~/p", "--dslr=~/d", "--csv=~/c"]),
    ("export", ["--out=~/o.onnx", "--model=~/m"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "words"), PATHS)
def test_a_tilde_is_the_home_folder_in_every_option(command, words, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    options = vars(make_parser().parse_args([command, *words]))
    for word in words:
        flag, _, value = word.rpartition("=") if "=~us" not in word else ("--model", "=", word[8:])
        found = options[flag.strip("-").replace("-", "_") or "inputs"]
        text = str(found[0] if isinstance(found, list) else found)
        assert text == value.replace("~", "/home/me", 1)


def test_no_option_that_names_a_path_is_left_out():
    """An option without a type of its own takes no path, as far as its placeholder says."""
    known = {
        "path_option",
        "place_option",
        "model_option",
        "pairs_option",
        "from_home",
        "seen_option",
    }
    for parser in parsers(make_parser()):
        for action in parser._actions:
            words = str(action.metavar or "")
            if re.match("DIR|FILE|IN$|PAIRS|NAME", words) and action.dest != "phone":
                assert getattr(action.type, "__name__", "") in known, action.dest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["enhance", "a.jpg", "--out", "https://example.com/o"], "a path on this machine"),
        (
            ["enhance", "a.jpg", "--out", "o", "--model", "https://example.com/m"],
            "Hub id as owner/name",
        ),
        (["evaluate", "--pairs", "https://hf.co/datasets/me/p"], "Hub id as owner/name"),
        (["export", "--out", "file:///m.onnx"], "a path on this machine"),
    ],
)
def test_an_address_is_called_one(arguments, words, capsys):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert "is an address (URL)" in error and words in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["enhance", "a.jpg", "--out", ""],
        ["enhance", "a.jpg", "--out", "b", "--model", ""],
        ["enhance", "a.jpg", "--out", "b", "--report="],
        ["evaluate", "--pairs", ""],
        ["prepare", "a", "--teacher", "", "--out", "b"],
    ],
)
def test_an_empty_path_is_not_the_current_folder(arguments, capsys):
    assert run(*arguments) == 2
    assert "it is empty; check what the shell made of it" in capsys.readouterr().err


def test_a_name_that_looks_like_an_option_is_explained(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-cat.jpg").touch()
    assert run("enhance", "-cat.jpg", "--out", "b") == 2
    assert "is given with its folder: ./-cat.jpg." in capsys.readouterr().err


def test_an_address_of_the_hub_names_a_model():
    address = "https://huggingface.co/me/m/tree/v1"
    assert make_parser().parse_args(["export", "--out=o.onnx", "--model", address]).model == address


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_for_the_hub_is_a_number_above_0(value, capsys):
    assert run("export", "--out", "o.onnx", "--hub-timeout", value) == 2
    assert "argument --hub-timeout: " in capsys.readouterr().err


def test_the_time_that_the_help_states_is_that_of_the_hub():
    from dslr_gan.cli.common import HUB_TIMEOUT_KEPT_S, HUB_TIMEOUT_S
    from dslr_gan.hub.asking import KEPT_TIMEOUT_S, TIMEOUT_S

    assert (HUB_TIMEOUT_S, HUB_TIMEOUT_KEPT_S) == (TIMEOUT_S, KEPT_TIMEOUT_S)
