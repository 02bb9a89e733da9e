"""The commands of ``python -m dslr_gan``, a module each, and what they share.

Whatever does the work is imported only once it is needed, so that ``--help`` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from dslr_gan.catalogue import PHONES

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
        "--tile", type=int, default=512, metavar="N", help="tile side; smaller takes less memory"
    )
    command.add_argument(
        "--device", metavar="D", help="cpu, cuda or cuda:1; the GPU if there is one"
    )


def find_photos(inputs: Sequence[str]) -> tuple[list[Path], int]:
    """The photos that the inputs mean, each once, and how many inputs held none."""
    found: dict[Path, Path] = {}
    failed = 0
    for each in map(Path, inputs):
        try:
            photos = photos_of(each)
        except OSError as error:
            complain(f"{each} cannot be read ({error.strerror}); check it and its permissions.")
            failed += 1
            continue
        if not photos:
            complain(f"{each} holds no photos; give a folder with photos directly inside.")
            failed += 1
        for photo in photos:
            found.setdefault(absolute(photo), photo)
    return list(found.values()), failed


def photos_of(given: Path) -> list[Path]:
    """The photos directly inside a folder; anything else is what was given itself."""
    from dslr_gan.image import PHOTO_SUFFIXES

    if not given.is_dir():
        return [given]
    return sorted(
        file
        for file in given.iterdir()
        if file.suffix.lower().lstrip(".") in PHOTO_SUFFIXES
        and not file.name.startswith(".")
        and not file.is_dir()
    )


def absolute(path: Path) -> Path:
    """Where a path itself lies: its folder's links followed, its own not.

    By realpath, which lets a link to itself be; ``Path.resolve`` raises.
    """
    return Path(os.path.realpath(path.parent)) / path.name


def complain(sentence: str) -> None:
    """Say on stderr what went wrong."""
    sys.stderr.write(f"dslr_gan: {sentence}\n")
