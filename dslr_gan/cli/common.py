"""The commands of ``python -m dslr_gan``, a module each, and what they share.

Whatever does the work is imported only once it is needed, so that ``--help`` answers at once.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from dslr_gan.models.phones import PHONES
from hub_card import Source

PROGRAM = "python -m dslr_gan"

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

KNOWN_MODELS = (
    f"{', '.join(PHONES)}, a Hub id owner/name, a folder, or a published safetensors file"
)


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a command whose help ends in an example; ``run`` gives its exit status."""
    command = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def add_loading(command: argparse.ArgumentParser) -> None:
    """Add the options that every command which loads a model has."""
    command.add_argument(
        "--revision", metavar="R", help="branch, tag or commit of the model's Hub repository"
    )
    command.add_argument(
        "--tile", type=int, default=768, metavar="N", help="tile side; smaller takes less memory"
    )
    command.add_argument(
        "--device", metavar="D", help="cpu, cuda or cuda:1; the GPU if there is one"
    )


def find_photos(inputs: Sequence[str]) -> tuple[list[Path], int]:
    """The photos that the inputs mean, each once, and how many inputs held none."""
    from dslr_gan.enhance import inputs as folders

    found = folders.find_photos(inputs)
    for problem in found.problems:
        complain(problem)
    return [photo.path for photo in found.photos], len(found.problems)


def complain(sentence: str) -> None:
    """Say on stderr what went wrong."""
    sys.stderr.write(f"dslr_gan: {shown(sentence)}\n")


def say(line: str) -> None:
    """Say on stdout how it went; letters that the terminal lacks are written as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    text = shown(line).encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(f"{text}\n")


def shown(text: str) -> str:
    """Text on one line: names of files may hold line ends, escapes, and half letters."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def make_source(
    default: str, name: str | None, terms: str | None, url: str | None
) -> "Source | None":
    """What the card says of photos or of a teacher; None where nothing was given."""
    from hub_card import Source

    if not (name or terms or url):
        return None
    # What they gave is counted when it is there.
    return Source(name=name or default, gave="", terms=terms, url=url, dataset_id=None)
