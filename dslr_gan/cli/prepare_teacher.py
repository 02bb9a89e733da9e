"""``prepare`` with a teacher's results as targets, or with targets from elsewhere."""

import argparse
import sys
from pathlib import Path

from dslr_gan.cli.common import (
    complain,
    find_photos,
    make_source,
    model_option,
    path_option,
    place_option,
)


def add_teacher(group: argparse._ArgumentGroup) -> None:
    """Add the options of a teacher."""
    group.add_argument(
        "--crop", type=int, metavar="N", help="side of the teacher's crops (default: 512)"
    )
    group.add_argument(
        "--per-photo", type=int, metavar="N", help="take that many crops of a photo (default: all)"
    )
    group.add_argument(
        "--vary",
        action="store_true",
        default=None,
        help="take squares of random size and place, scaled down to the crop's, and change their "
        "light; with --per-photo",
    )
    group.add_argument(
        "--whole",
        action="store_true",
        default=None,
        help="show the teacher whole photos; one of 4 megapixels takes some GB",
    )


def add_targets(group: argparse._ArgumentGroup) -> None:
    """Add the options of targets on a grid."""
    group.add_argument(
        "--grid", type=int, metavar="N", help="side of the targets' patches (default: 100)"
    )
    group.add_argument(
        "--blend-with",
        type=path_option,
        metavar="FILE",
        help="published generator, whose enhancement of each patch is mixed into its target",
    )


def add_seen(group: argparse._ArgumentGroup) -> None:
    """Add the options of targets from other phones."""
    group.add_argument(
        "--student",
        type=model_option,
        metavar="MODEL",
        help="model of the phone itself, whose results are mixed into the targets",
    )
    group.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        help="of the networks, as in `enhance` (default: fp32)",
    )


def seen_option(text: str) -> tuple[Path, str]:
    """The type of an option that names a folder of photos and the model that enhances them.

    Raises:
        argparse.ArgumentTypeError: If one of the two is missing, or an address.
    """
    folder, equals, model = place_option(text).rpartition("=")
    if not (folder and equals):
        raise argparse.ArgumentTypeError(
            f"{text} must name a folder and a model, such as photos_sony=sony"
        )
    return Path(folder), model_option(model)


def run_with_targets(options: argparse.Namespace) -> int:
    """Prepare pairs whose targets are a teacher's results or were made on a grid."""
    photos, failed = find_photos(options.inputs)
    if failed:
        return 1
    if options.seen_by:
        return _run_seen(options, photos)

    from dslr_gan.cli.progress import progress_bar
    from dslr_gan.prepare.made.teacher import prepare_grid, prepare_teacher

    source = make_source("photos", options.name, options.terms, options.url)
    teacher = make_source(
        f"enhancements by {options.teacher.stem}" if options.teacher else "whatever made them",
        options.teacher_name,
        options.teacher_terms,
        options.teacher_url,
    )
    with progress_bar(len(photos), "photo") as progress:
        if options.teacher is not None:
            count = prepare_teacher(
                photos,
                options.teacher,
                options.out,
                crop=None if options.whole else options.crop or 512,
                per_photo=options.per_photo,
                vary=bool(options.vary),
                seed=options.seed or 0,
                source=source,
                teacher=teacher,
                progress=progress,
            )
        else:
            count = prepare_grid(
                photos,
                options.targets,
                options.out,
                grid=100 if options.grid is None else options.grid,
                blend_with=options.blend_with,
                source=source,
                teacher=teacher,
                progress=progress,
            )
    sys.stdout.write(f"{count} pairs in {options.out}\n")
    return 0


def _called(model: str) -> str:
    """A model's last name; a run's, such as ``runs/sony/generator``, is called by its run."""
    path = Path(model)
    return (
        path.parent.name if path.name in ("generator", "best") and path.parent.name else path.name
    )


def _run_seen(options: argparse.Namespace, photos: list[Path]) -> int:
    """Prepare pairs whose targets are what other phones saw."""
    from dslr_gan.cli.progress import progress_bar
    from dslr_gan.enhance.enhancer import PhotoEnhancer
    from dslr_gan.prepare.made.other_phones import OtherPhone, prepare_seen
    from hub_card import Source

    precision = options.precision or "fp32"
    student = PhotoEnhancer.from_pretrained(options.student, precision=precision)
    others = []
    for folder, model in options.seen_by:
        source = Source(
            name=f"photos of {folder.name}, enhanced by {_called(model)}",
            gave="",
            terms=options.teacher_terms,
            url=options.teacher_url,
            dataset_id=None,
        )
        enhancer = PhotoEnhancer.from_pretrained(model, precision=precision)
        others.append(OtherPhone(folder, enhancer.enhance, source))
    with progress_bar(len(photos), "photo") as progress:
        count = prepare_seen(
            photos,
            others,
            student.enhance,
            options.out,
            grid=100 if options.grid is None else options.grid,
            source=make_source("photos", options.name, options.terms, options.url),
            progress=progress,
            report=complain,
        )
    sys.stdout.write(f"{count} pairs in {options.out}\n")
    return 0
