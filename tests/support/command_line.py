"""Running ``python -m dslr_gan`` in this process or in its own, for its tests."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dslr_gan.__main__ import main
from tests.support.paths import ROOT


def run(*arguments: str | Path) -> int:
    return main([str(each) for each in arguments])


def start(
    *arguments: str | Path, program: Sequence[str] = ("-m", "dslr_gan"), **options
) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, *program, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def complaints(text: str) -> list[str]:
    """The messages on stderr; anything else there fails."""
    lines = text.splitlines()
    assert all(line.startswith("dslr_gan: ") and line.endswith(".") for line in lines), text
    return lines


def refused(capsys, *arguments: str | Path) -> str:
    """Run a command that must fail with one message; return it."""
    capsys.readouterr()
    assert run(*arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    (message,) = complaints(output.err)
    return message
