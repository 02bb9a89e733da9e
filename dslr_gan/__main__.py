"""The command line: ``python -m dslr_gan enhance | evaluate | prepare | export | push | models``.

The console command ``dslr-gan``, which ``pip install`` adds, is the same. Without a command the
help is shown.

Exit status: 0 when all went well or help was shown, 1 when something failed, 2 when the command
was not understood, 130 when it was interrupted. A failure is one message on stderr.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dslr_gan import __version__
from dslr_gan.cli import enhance, evaluate, export, models, prepare
from dslr_gan.cli.common import PROGRAM, complain, standard_output_full
from dslr_gan.cli.hub import push
from dslr_gan.cli.interrupts import STATUS, end_process, interruptible
from dslr_gan.errors import DslrGanError, reason


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after ``python -m dslr_gan``; those of this process where None.

    Returns:
        The exit status.
    """
    logging.basicConfig(format="dslr_gan: %(message)s", level=logging.WARNING)
    _open_closed_streams()
    try:
        with interruptible():
            status = _run(arguments)
            sys.stdout.flush()  # here, where a reader who has gone is handled below
        return status
    except DslrGanError as error:
        complain(str(error))
        return 1
    except BrokenPipeError:  # whoever read the output has seen enough, as in `| head`
        _drop_output()
        return 1
    except OSError as error:
        complain(_message_of(error))
        return 1
    except KeyboardInterrupt:
        complain("interrupted; every file that was written is whole.")
        return STATUS


def program() -> None:
    """Run the command of this process, and end the process with its status."""
    with interruptible():
        end_process(main())


def _message_of(error: OSError) -> str:
    """The error message for what the operating system refused and nobody else explained."""
    if error.filename is None and _output_fails():
        _drop_output()
        return standard_output_full(error)
    what = error.filename or "a file"
    return f"{what} cannot be used ({reason(error)}); check the path and its permissions."


def _output_fails() -> bool:
    """Whether standard output takes nothing, which its errors themselves do not tell."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def _drop_output() -> None:
    """Send what standard output still holds nowhere, or Python would fail at it once more."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """Give a process that was started without an output, as by ``>&-``, one that goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _run(arguments: Sequence[str] | None) -> int:
    parser = make_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:  # argparse has shown its help or its message
        return int(end.code or 0)
    if options.run is None:
        parser.print_help()
        return 0
    return options.run(options)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands; ``run`` in what it parses is the command's function."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Phone photo in, DSLR-like photo out.",
        epilog=f"{PROGRAM} COMMAND --help says more about a command and gives an example.",
    )
    parser.add_argument("--version", action="version", version=f"dslr_gan {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (enhance.add, evaluate.add, prepare.add, export.add, push.add, models.add):
        add(commands)
    return parser


if __name__ == "__main__":
    program()
