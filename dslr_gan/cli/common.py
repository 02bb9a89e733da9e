"""What the commands share.

The modules that do the work are imported only when a command runs, so that ``--help`` answers at
once.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dslr_gan.errors import DslrGanError, holds_secret, reason
from dslr_gan.files import check_place, from_home, is_address
from dslr_gan.models.phones import PHONES

if TYPE_CHECKING:
    from hub_card import Source

PROGRAM = "dslr-gan" if Path(sys.argv[0]).stem == "dslr-gan" else "python -m dslr_gan"
"""How this process was started: by the console command or as a module."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

KNOWN_MODELS = (
    f"{', '.join(PHONES)}, a Hub id owner/name or owner/name@revision, a folder, or a published "
    "safetensors file"
)

HUB_TIMEOUT_S, HUB_TIMEOUT_KEPT_S = 60.0, 10.0
"""Seconds that the Hub has without ``--hub-timeout``; and where a local copy can stand in."""


EXAMPLE = "example:"
"""How the last paragraph of a command's help begins."""


class _HelpFormatter(argparse.HelpFormatter):
    """Wraps the paragraphs of a description and leaves the lines of the example as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(EXAMPLE):
            return text
        fill = super()._fill_text
        return "\n\n".join(fill(paragraph, width, indent) for paragraph in text.split("\n\n"))


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a command whose help ends in an example; ``run`` returns its exit status."""
    command = commands.add_parser(
        name,
        help=summary.replace("%", "%%"),  # argparse formats the help, not the description
        description=summary,
        epilog=f"{EXAMPLE}\n  {example}",
        formatter_class=_HelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def add_loading(command: argparse.ArgumentParser) -> None:
    """Add the options that every command which runs a model has."""
    add_hub(command)
    command.add_argument(
        "--tile", type=int, default=768, metavar="N", help="tile side; smaller takes less memory"
    )
    command.add_argument(
        "--device", metavar="D", help="cpu, cuda or cuda:1; the GPU if there is one"
    )


def add_hub(command: argparse.ArgumentParser) -> None:
    """Add the options on what is loaded from the Hub; :func:`hub_options` reads them."""
    command.add_argument(
        "--revision", metavar="R", help="branch, tag or commit of the model's Hub repository"
    )
    command.add_argument(
        "--hub-timeout",
        type=seconds,
        metavar="S",
        help="seconds that the Hub has to answer; a file that comes slowly may take longer "
        f"(default: {HUB_TIMEOUT_S:g}, or {HUB_TIMEOUT_KEPT_S:g} where a local copy can stand in)",
    )
    command.add_argument(
        "--strict-source",
        action="store_true",
        help="fail where a local copy or the bundled weights would stand in for what was asked of "
        "the Hub",
    )


def hub_options(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of ``PhotoEnhancer.from_pretrained`` that :func:`add_hub` gives."""
    return {
        "revision": options.revision,
        "timeout": options.hub_timeout,
        "strict_source": options.strict_source,
    }


def seconds(text: str) -> float:
    """The type of an option that is a length of time.

    Raises:
        argparse.ArgumentTypeError: If it is not above 0.
    """
    number = float(text)  # argparse tells what is no number
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return number


def path_option(text: str) -> Path:
    """The type of an option that names a file or a folder: ``~`` is the home folder.

    Raises:
        argparse.ArgumentTypeError: If it is empty or an address.
    """
    return Path(place_option(text))


def place_option(text: str) -> str:
    """The same for an option whose text may mean something else than a path, too."""
    _check_given(text)
    if is_address(text):
        raise argparse.ArgumentTypeError(f"{text} is an address (URL); give a path on this machine")
    return from_home(text)


def model_option(text: str) -> str:
    """The type of an option that names a model.

    Raises:
        argparse.ArgumentTypeError: If it is empty or an address, unless that of a page of the Hub.
    """
    if is_address(text):
        from dslr_gan.hub import is_hub_address

        if is_hub_address(text):
            return text
    return pairs_option(text)


def pairs_option(text: str) -> str:
    """The type of an option that names pairs of pictures.

    Raises:
        argparse.ArgumentTypeError: If it is empty or an address.
    """
    _check_given(text)
    if is_address(text):
        raise argparse.ArgumentTypeError(
            f"{text} is an address (URL); give a Hub id as owner/name, or a path"
        )
    return from_home(text)


def _check_given(text: str) -> None:
    if not text:  # as of "$OUT" without a value; the path "" would be the current folder
        raise argparse.ArgumentTypeError("it is empty; check what the shell made of it")


def find_photos(inputs: Sequence[str]) -> tuple[list[Path], int]:
    """The photos that the inputs mean, each once, and how many inputs held none."""
    from dslr_gan.enhance import inputs as finding

    found = finding.find_photos(inputs)
    for problem in found.problems:
        complain(problem)
    return [photo.path for photo in found.photos], len(found.problems)


def check_writable(flag: str, file: Path) -> None:
    """Refuse, before any work, a file that could not be written.

    Raises:
        DslrGanError: If its folder cannot be made or written to, or its name is too long.
    """
    try:
        check_place(file)
    except OSError as error:
        raise DslrGanError(not_written(flag, file, error)) from error


def not_written(flag: str, file: Path, error: OSError) -> str:
    """The error message for a file that an option names and that cannot be written."""
    return f"--{flag} {file} cannot be written ({reason(error)}); name another file."


def complain(message: str) -> None:
    """Write an error message to stderr, unless its terminal is gone or its disk is full."""
    with suppress(OSError):
        sys.stderr.write(f"dslr_gan: {printable(message)}\n")


def standard_output_full(error: OSError) -> str:
    """The error message for what standard output did not take."""
    return (
        f"standard output cannot be written ({reason(error)}); send it to a disk that has room, or "
        "to a terminal. Files that were written are whole."
    )


def say(line: str) -> None:
    """Write a line to stdout; letters that the terminal lacks are written as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    text = printable(line).encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(f"{text}\n")


def printable(text: str) -> str:
    """Text on one line: file names may hold line ends, escape sequences and invalid bytes."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def make_source(
    default: str, name: str | None, terms: str | None, url: str | None
) -> "Source | None":
    """What the card says of photos or of a teacher; None where no option was given.

    Raises:
        DslrGanError: If an access token or a password is in it, which the card would show.
    """
    from hub_card import Source

    if not (name or terms or url):
        return None
    if holds_secret(f"{name} {terms} {url}"):
        raise DslrGanError(
            "what the card is to say of the photos or the teacher holds an access token or a "
            "password; leave it out."
        )
    # What they gave is filled in when the pairs have been counted.
    return Source(name=name or default, gave="", terms=terms, url=url, dataset_id=None)
