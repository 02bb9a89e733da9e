"""The command line: ``python -m dslr_gan enhance | evaluate | prepare | export | push | models``.

The console command ``dslr-gan``, which ``pip install`` adds, is the same. Without a command the
help is shown.

Exit status: 0 when all went well or help was shown, 1 when something failed, 2 when the command
was not understood, 130 when it was interrupted. A failure is one message on stderr.
"""

# ruff: noqa: E402
import sys

from dslr_gan.cli.interrupts import STATUS, end_process, end_quietly, interrupted, interruptible

if __name__ == "__main__" or "dslr-gan" in sys.argv[0]:  # as a module, or the console command
    end_quietly()  # by an interrupt during the imports below

import argparse
import errno
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from dslr_gan import __version__
from dslr_gan.cli.common import PROGRAM, complain, standard_output_full
from dslr_gan.errors import DslrGanError, reason, without_secrets
from dslr_gan.files import open_closed_streams

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""What the operating system says where an output takes nothing."""


class _Parser(argparse.ArgumentParser):
    """A parser that shows its help, or raises what standard output says to that."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)

    def error(self, message: str) -> NoReturn:
        """End with a message, in which no access token is shown."""
        super().error(without_secrets(message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after ``python -m dslr_gan``; those of this process where None.

    Returns:
        The exit status.
    """
    logging.basicConfig(format="dslr_gan: %(message)s", level=logging.WARNING)
    open_closed_streams()
    with interruptible():
        try:
            status = _run(arguments)
            sys.stdout.flush()  # here, where a reader who has gone is handled below
        except KeyboardInterrupt:
            pass
        except Exception as error:
            if not interrupted():  # a library made an error of its own out of the interrupt
                return _explain(error)
        else:
            return status
    complain("interrupted; every file that was written is whole.")
    return STATUS


def program() -> NoReturn:
    """Run the command of this process, and end the process with its status."""
    with interruptible():
        end_process(main())


def _explain(error: Exception) -> int:
    """Say what went wrong, and give the exit status; what nobody foresaw is raised."""
    if isinstance(error, BrokenPipeError):  # whoever read the output has seen enough, as `| head`
        _drop_output()
    elif isinstance(error, DslrGanError):
        complain(str(error))
    elif isinstance(error, MemoryError):
        complain("there is not enough memory; close other programs, or raise its limit (ulimit).")
    elif isinstance(error, ImportError):
        complain(
            f"a library cannot be loaded ({reason(error)}); install what is missing, as with "
            "pip install -r requirements.txt, or close other programs where memory is short."
        )
    elif isinstance(error, OSError):
        complain(_message_of(error))
    else:
        raise error
    return 1


def _message_of(error: OSError) -> str:
    """The error message for what the operating system refused and nobody else explained."""
    if error.filename is None and error.errno in _FULL and _output_fails():
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


def _run(arguments: Sequence[str] | None) -> int:
    parser = make_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:  # argparse has shown its help or its message
        if end.code:
            _say_dash(sys.argv[1:] if arguments is None else arguments)
        return int(end.code or 0)
    if options.run is None:
        parser.print_help()
        return 0
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as error:
        raise DslrGanError(
            f"the current folder cannot be used ({reason(error)}); change to another one (cd)."
        ) from error
    return options.run(options)


def _say_dash(words: Sequence[str]) -> None:
    """Say how a file is given whose name begins as an option does."""
    for word in words:
        if word.startswith("-") and word != "-" and os.path.lexists(word):
            complain(f"a file whose name begins with - is given with its folder: ./{word}.")


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands; ``run`` in what it parses is the command's function."""
    # Here, so that an interrupt while they are imported is one, too.
    from dslr_gan.cli import enhance, evaluate, export, models, prepare
    from dslr_gan.cli.hub import push

    parser: argparse.ArgumentParser = _Parser(
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
