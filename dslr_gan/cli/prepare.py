"""``prepare``: training pairs made from photos."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dslr_gan.cli.common import PROGRAM, Commands, add_command, complain, make_source, path_option
from dslr_gan.cli.prepare_teacher import (
    add_seen,
    add_targets,
    add_teacher,
    run_with_targets,
    seen_option,
)
from dslr_gan.errors import DslrGanError
from dslr_gan.files import from_home

if TYPE_CHECKING:
    from dslr_gan.prepare.pipeline import Prepared


_ALIGNED = """\
With --phone the result is a dataset for datasets.load_dataset, with a report.html to look at.
After an interrupt or a kill the same command continues and keeps the pairs that are done. Photos
that cannot be read are reported and left out, and the exit status is then 1. Pairs that cannot be
aligned are left out and listed in the report."""


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "prepare",
        _run,
        "Make training pairs from photos: by aligning a phone's with a DSLR's (--phone, --dslr), "
        "with a published generator as the teacher, with targets made patch by patch on a grid, or "
        "with what other phones saw of the same scenes.",
        f"{PROGRAM} prepare --phone phone/ --dslr camera/ --out pairs/mine\n"
        f"  {PROGRAM} prepare photos/ --teacher dped_sony_12_64.safetensors --out pairs/sony\n"
        f"  {PROGRAM} prepare photos/ --targets enhanced/ --grid 100 --out pairs/grid\n"
        f"  {PROGRAM} prepare photos/ --student iphone --seen-by photos_sony=sony --out pairs/seen",
    )
    command.description = f"{command.description}\n\n{_ALIGNED}"
    kinds = ("--teacher FILE", "--targets DIR", "--seen-by DIR=MODEL")
    command.usage = "\n       ".join(
        [
            f"{PROGRAM} prepare [-h] --phone DIR --out DIR [OPTIONS]",
            *(f"{PROGRAM} prepare {kind} --out DIR [OPTIONS] IN ..." for kind in kinds),
        ]
    )
    command.add_argument(
        "inputs",
        nargs="*",
        type=from_home,
        metavar="IN",
        help="a photo, or a folder with photos directly inside",
    )
    command.add_argument(
        "--out", type=path_option, required=True, metavar="DIR", help="new folder for the pairs"
    )
    kind = command.add_mutually_exclusive_group(required=True)
    kind.add_argument(
        "--phone", type=path_option, metavar="DIR", help="folder with a phone's photos"
    )
    kind.add_argument("--teacher", type=path_option, metavar="FILE", help="published generator")
    kind.add_argument(
        "--targets",
        type=path_option,
        metavar="DIR",
        help="folder with a target of each photo's name",
    )
    kind.add_argument(
        "--seen-by",
        type=seen_option,
        action="append",
        metavar="DIR=MODEL",
        help="folder with another phone's photos of the same scenes, and the model that enhances "
        "them; the scene is the number that a name ends in; repeat it for several phones",
    )
    _add_aligned(command.add_argument_group("with --phone"))
    add_teacher(command.add_argument_group("with --teacher"))
    add_targets(command.add_argument_group("with --targets or --seen-by"))
    add_seen(command.add_argument_group("with --seen-by"))
    command.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="of the choice of crops, or of the photos for the test (default: 0)",
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
    command.set_defaults(misunderstood=command.error)


def _add_aligned(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--dslr",
        type=path_option,
        metavar="DIR",
        help="folder with the DSLR's photos, of the same names but for the suffix",
    )
    group.add_argument(
        "--csv",
        type=path_option,
        metavar="FILE",
        help="table with the columns phone and dslr, paths in the folders; instead of equal names",
    )
    group.add_argument("--patch", type=int, metavar="N", help="side of the patches (default: 100)")
    group.add_argument(
        "--stride", type=int, metavar="N", help="from patch to patch (default: the side)"
    )
    group.add_argument(
        "--min-ncc",
        type=float,
        metavar="C",
        help="keep patches from this normalised cross-correlation on (default: 0.9, as DPED)",
    )
    group.add_argument(
        "--max-shift",
        type=int,
        metavar="N",
        help="move a patch by up to N pixels to where it correlates best (default: 5, as DPED)",
    )
    group.add_argument(
        "--test-share",
        type=float,
        metavar="S",
        help="part of the photos whose patches are the test split (default: 0.1)",
    )
    group.add_argument("--workers", type=int, metavar="N", help="processes (default: one per core)")
    group.add_argument(
        "--push_to_hub", metavar="OWNER/NAME", help="put the dataset on the Hugging Face Hub, too"
    )
    group.add_argument(
        "--private", action="store_true", default=None, help="there as a private dataset"
    )


_ALIGNED_ONLY = ("dslr", "csv", "patch", "stride", "min_ncc", "max_shift", "test_share", "workers",
                 "push_to_hub", "private")  # fmt: skip
_MEANT_FOR = {
    "--phone": (*_ALIGNED_ONLY, "seed"),
    "--teacher": (
        *("crop", "per_photo", "vary", "whole", "seed"),
        *("teacher_name", "teacher_terms", "teacher_url"),
    ),
    "--targets": ("grid", "blend_with", "teacher_name", "teacher_terms", "teacher_url"),
    "--seen-by": ("student", "grid", "precision", "teacher_terms", "teacher_url"),
}
_COUNTS = ("crop", "per_photo", "grid")


def _run(options: argparse.Namespace) -> int:
    kind = next(flag for flag in _MEANT_FOR if getattr(options, _name(flag)) is not None)
    _check_meant(options, kind)
    if kind == "--phone":
        return _run_aligned(options)
    if not options.inputs:
        with suppress(SystemExit):  # after argparse's own message; main() returns the status
            options.misunderstood("the following arguments are required: IN")
        return 2
    return run_with_targets(options)


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _check_meant(options: argparse.Namespace, kind: str) -> None:
    """Refuse numbers out of range, and options that belong to another kind."""
    if kind == "--phone" and options.inputs:
        raise DslrGanError(
            f"{options.inputs[0]} has no meaning with --phone, whose folder holds the photos; "
            "leave it out."
        )
    every = {name for names in _MEANT_FOR.values() for name in names}
    for name in sorted(every):
        value = getattr(options, name)
        flag = f"--{name if name == 'push_to_hub' else name.replace('_', '-')}"
        if value is None:
            continue
        if name not in _MEANT_FOR[kind]:
            raise DslrGanError(f"{flag} has no meaning with {kind}; leave it out.")
        least = 1 if name in _COUNTS else 0
        if name in (*_COUNTS, "seed") and value < least:
            raise DslrGanError(f"{flag} must be at least {least}, got {value}.")
    crops = [flag for flag in ("crop", "per_photo", "vary") if getattr(options, flag) is not None]
    if options.whole and crops:
        flag = crops[0].replace("_", "-")
        raise DslrGanError(f"--{flag} has no meaning with --whole; leave one of them out.")
    if kind == "--phone" and options.dslr is None:
        raise DslrGanError("--phone needs --dslr, the folder with the DSLR's photos; name it.")
    if kind == "--seen-by" and options.student is None:
        raise DslrGanError("--seen-by needs --student, a model of the phone itself; name it.")
    if options.private and options.push_to_hub is None:
        raise DslrGanError("--private has no meaning without --push_to_hub; leave it out.")


# Phone and DSLR ------------------------------------------------------------------------------


def _run_aligned(options: argparse.Namespace) -> int:
    from dslr_gan.cli.progress import progress_bar
    from dslr_gan.hub import Target, check_push, check_repo_id
    from dslr_gan.prepare.matching import pairs_by_name, pairs_by_table
    from dslr_gan.prepare.one_pair import CutSettings
    from dslr_gan.prepare.pipeline import prepare_photos, work_folder
    from dslr_gan.prepare.publishing import push_dataset

    target = Target(repo_id=options.push_to_hub or "", repo_type="dataset", private=options.private)
    if options.push_to_hub is not None:  # before the work, not after it
        check_repo_id(options.push_to_hub, "me/my-pairs")
    patch = 100 if options.patch is None else options.patch
    settings = CutSettings(
        patch=patch,
        stride=patch if options.stride is None else options.stride,
        min_ncc=0.9 if options.min_ncc is None else options.min_ncc,
        max_shift=5 if options.max_shift is None else options.max_shift,
    )
    if options.csv is None:
        pairs = pairs_by_name(options.phone, options.dslr)
    else:
        pairs = pairs_by_table(options.csv, options.phone, options.dslr)
    if options.push_to_hub is not None:
        check_push(target)
    try:
        with progress_bar(len(pairs), "pair") as progress:
            prepared = prepare_photos(
                pairs,
                options.out,
                sources=(options.phone, options.dslr),
                settings=settings,
                test_share=0.1 if options.test_share is None else options.test_share,
                seed=options.seed or 0,
                workers=options.workers,
                source=make_source("photos", options.name, options.terms, options.url),
                progress=progress,
            )
    except KeyboardInterrupt:
        if work_folder(options.out).is_dir():
            complain(
                f"the pairs that are done are kept in {work_folder(options.out)}; the same command "
                "goes on from there."
            )
        raise
    _summarize(prepared, options.out)
    if options.push_to_hub is not None:
        pushed = push_dataset(options.out, target)
        sys.stdout.write(f"pushed to {pushed.repository}\n")
        for note in pushed.notes:
            complain(note)
    return 1 if any(outcome.unreadable for outcome in prepared.outcomes) else 0


def _summarize(prepared: "Prepared", out: Path) -> None:
    """Report photos that could not be read, and what was written."""
    for outcome in prepared.outcomes:
        if outcome.unreadable:
            complain(f"pair {outcome.name} is left out: {outcome.reason}")
    parts = " and ".join(f"{count} {split}" for split, count in prepared.counts.items())
    used = sum(1 for outcome in prepared.outcomes if outcome.kept)
    lost = len(prepared.outcomes) - used
    left_out = f"; {lost} left out" if lost else ""
    sys.stdout.write(
        f"{parts} patches in {out}, from {used} pairs of photos{left_out}; "
        f"{out / 'report.html'} shows them\n"
    )
