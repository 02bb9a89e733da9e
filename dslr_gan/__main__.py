"""The command line: ``python -m dslr_gan enhance | evaluate | prepare | export | models``.

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
from dslr_gan.cli.common import PROGRAM, complain
from dslr_gan.errors import DslrGanError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after ``python -m dslr_gan``; those of this process where None.

    Returns:
        The exit status.
    """
    logging.basicConfig(format="dslr_gan: %(message)s", level=logging.WARNING)
    try:
        status = _run(arguments)
        sys.stdout.flush()  # here, where a reader who has gone is handled below
        return status
    except DslrGanError as error:
        complain(str(error))
        return 1
    except BrokenPipeError:  # whoever read the output has seen enough, as in `| head`
        with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 1
    except OSError as error:
        what = error.filename or "a file"
        reason = error.strerror or type(error).__name__
        complain(f"{what} cannot be used ({reason}); check the path and its permissions.")
        return 1
    except KeyboardInterrupt:
        complain("interrupted; every file that was written is whole.")
        return 130


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
    for add in (enhance.add, evaluate.add, prepare.add, export.add, models.add):
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
