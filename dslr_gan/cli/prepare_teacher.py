"""``prepare`` with a teacher's results as targets, or with targets made on a grid."""

import argparse
import sys

from dslr_gan.cli.common import find_photos, make_source, path_option
from dslr_gan.cli.progress import progress_bar


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


def run_with_targets(options: argparse.Namespace) -> int:
    """Prepare pairs whose targets are a teacher's results or were made on a grid."""
    photos, failed = find_photos(options.inputs)
    if failed:
        return 1

    from dslr_gan.prepare.teacher import prepare_grid, prepare_teacher

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
