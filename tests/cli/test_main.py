"""The command line as a whole: help, version, usage, and what is not understood."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dslr_gan import __version__
from dslr_gan.__main__ import make_parser
from tests.support.command_line import ROOT, run

COMMANDS = ("enhance", "evaluate", "prepare", "export", "models")


@pytest.fixture(scope="module")
def no_torch(tmp_path_factory):
    """An environment in which importing PyTorch ends the process."""
    folder = tmp_path_factory.mktemp("no_torch")
    (folder / "torch.py").write_text("raise SystemExit('torch was imported')")
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
