"""The command line as a whole: help, usage, and what is not understood."""

import subprocess
import sys

import pytest

from dslr_gan.__main__ import _parser
from tests.support.command_line import ROOT, run


@pytest.mark.parametrize("command", ["enhance", "evaluate", "prepare", "export", "models"])
def test_every_command_has_help_with_an_example(command, capsys):
    assert run(command, "--help") == 0
    help_text = capsys.readouterr().out
    assert f"example:\n  python -m dslr_gan {command}" in help_text


def test_the_examples_of_the_help_are_understood(capsys):
    for command in ("enhance", "evaluate", "prepare", "export", "models"):
        run(command, "--help")
        example = capsys.readouterr().out.split("python -m dslr_gan ")[-1].split()
        assert _parser().parse_args(example)


def test_help_does_not_wait_for_torch():
    script = (
        "import sys; from dslr_gan.__main__ import main; status = main(['enhance', '--help']); "
        "sys.exit(status or 'torch' in sys.modules or 'huggingface_hub' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True).returncode
        == 0
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
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
