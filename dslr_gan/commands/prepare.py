"""``prepare``: training pairs made from photos."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dslr_gan.commands import PROGRAM, Commands, add_command, find_photos
from dslr_gan.errors import DslrGanError

if TYPE_CHECKING:
    from hub_card import Source


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "prepare",
        _run,
        "Make training pairs from photos: with a published generator as the teacher, or with "
        "targets that were made patch by patch on a grid.",
        f"{PROGRAM} prepare photos/ --teacher dped_sony_12_64.safetensors --out pairs/sony\n"
        f"  {PROGRAM} prepare photos/ --targets enhanced/ --grid 100 --out pairs/grid",
    )
    command.add_argument(
        "inputs", nargs="+", metavar="IN", help="a photo, or a folder with photos directly inside"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="new folder for the pairs"
    )
    kind = command.add_mutually_exclusive_group(required=True)
    kind.add_argument("--teacher", type=Path, metavar="FILE", help="published generator")
    kind.add_argument(
        "--targets", type=Path, metavar="DIR", help="folder with a target of each photo's name"
    )
    command.add_argument(
        "--crop", type=int, metavar="N", help="side of the teacher's crops (default: 512)"
    )
    command.add_argument(
        "--per-photo", type=int, metavar="N", help="take that many crops of a photo (default: all)"
    )
    command.add_argument("--seed", type=int, metavar="N", help="of that choice (default: 0)")
    command.add_argument(
        "--grid", type=int, metavar="N", help="side of the targets' patches (default: 100)"
    )
    for flag, text in (
        ("--name", "what the model card calls the photos"),
        ("--terms", "their terms of use"),
        ("--url", "where they can be found"),
        ("--teacher-name", "what the card calls the network that made the targets"),
        ("--teacher-terms", "its terms of use"),
        ("--teacher-url", "where it can be found"),
    ):
        command.add_argument(flag, metavar="TEXT", help=text)


_TEACHER_ONLY = ("crop", "per_photo", "seed")
_TARGETS_ONLY = ("grid",)


def _run(options: argparse.Namespace) -> int:
    _check_prepare(options)
    photos, failed = find_photos(options.inputs)
    if failed:
        return 1

    from dslr_gan.preparation import prepare_grid, prepare_teacher

    source = _source("photos", options.name, options.terms, options.url)
    teacher = _source(
        f"enhancements by {options.teacher.stem}" if options.teacher else "whatever made them",
        options.teacher_name,
        options.teacher_terms,
        options.teacher_url,
    )
    with tqdm(total=len(photos), delay=1, unit="photo", desc="preparing") as bar:

        def advance(*_: int) -> None:
            bar.update()

        if options.teacher is not None:
            count = prepare_teacher(
                photos,
                options.teacher,
                options.out,
                crop=512 if options.crop is None else options.crop,
                per_photo=options.per_photo,
                seed=options.seed or 0,
                source=source,
                teacher=teacher,
                progress=advance,
            )
        else:
            count = prepare_grid(
                photos,
                options.targets,
                options.out,
                grid=100 if options.grid is None else options.grid,
                source=source,
                teacher=teacher,
                progress=advance,
            )
    sys.stdout.write(f"{count} pairs in {options.out}\n")
    return 0


def _check_prepare(options: argparse.Namespace) -> None:
    """Refuse numbers that mean nothing, and options that the other kind of targets has."""
    kind: str = "--teacher"
    foreign: tuple[str, ...] = _TARGETS_ONLY
    if options.teacher is None:
        kind, foreign = "--targets", _TEACHER_ONLY
    for name in (*_TEACHER_ONLY, *_TARGETS_ONLY):
        flag, value = f"--{name.replace('_', '-')}", getattr(options, name)
        if value is None:
            continue
        if name in foreign:
            raise DslrGanError(f"{flag} has no meaning with {kind}; leave it out.")
        least = 0 if name == "seed" else 1
        if value < least:
            raise DslrGanError(f"{flag} must be at least {least}, got {value}.")


def _source(default: str, name: str | None, terms: str | None, url: str | None) -> "Source | None":
    """What the card says of photos or of a teacher; None where nothing was given."""
    from hub_card import Source

    if not (name or terms or url):
        return None
    # What they gave is counted when it is there.
    return Source(name=name or default, gave="", terms=terms, url=url, dataset_id=None)
