"""``enhance``: photos in, one enhanced file per photo out."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dslr_gan.commands import (
    KNOWN_MODELS,
    PROGRAM,
    Commands,
    absolute,
    add_command,
    add_loading,
    complain,
    find_photos,
)
from dslr_gan.errors import DslrGanError

if TYPE_CHECKING:
    from dslr_gan.enhancer import PhotoEnhancer


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "enhance",
        _run,
        "Enhance photos: one file per photo, same name, size, format and metadata.",
        f"{PROGRAM} enhance holiday/*.jpg --out enhanced/",
    )
    command.add_argument(
        "inputs", nargs="+", metavar="IN", help="a photo, or a folder with photos directly inside"
    )
    command.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    command.add_argument(
        "--model", default="iphone", metavar="NAME", help=f"{KNOWN_MODELS} (default: iphone)"
    )
    command.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="S",
        help="from 0, the photo as it is, to 1, all that the model does (default: 1)",
    )
    command.add_argument("--format", metavar="F", help="such as png or jpg, instead of the photo's")
    command.add_argument(
        "--overwrite", action="store_true", help="replace results that are there already"
    )
    add_loading(command)


@dataclass(frozen=True)
class _Job:
    """One photo to enhance."""

    source: Path
    destination: Path


def _run(options: argparse.Namespace) -> int:
    if not 0 <= options.strength <= 1:
        raise DslrGanError(f"--strength must lie between 0 and 1, got {options.strength}.")
    out = Path(options.out)
    sources, failed = find_photos(options.inputs)
    jobs = _plan(sources, out, options.format)
    if not options.overwrite:
        taken = [job for job in jobs if os.path.lexists(job.destination)]
        for job in taken:
            complain(f"{job.destination} exists already; add --overwrite to replace it.")
        jobs = [job for job in jobs if job not in taken]
        failed += len(taken)
    if not jobs:
        return 1

    from dslr_gan.enhancer import PhotoEnhancer

    enhancer = PhotoEnhancer.from_pretrained(
        options.model, revision=options.revision, tile=options.tile, device=options.device
    )
    new_folders = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        done = _enhance_all(enhancer, jobs, options)
    finally:
        for folder in new_folders:  # from the inside out; one that holds a result stays
            with suppress(OSError):
                folder.rmdir()
    if done:
        noun = "photo" if done == 1 else "photos"
        sys.stdout.write(f"{done} {noun} enhanced into {out}, with {enhancer.source}.\n")
    return 0 if failed == 0 and done == len(jobs) else 1


def _plan(sources: Sequence[Path], out: Path, format: str | None) -> list[_Job]:
    """Decide where each result goes; refuse to touch a source or to write one file twice."""
    from dslr_gan.image import find_format

    kind = find_format(format) if format else None
    if out.exists() and not out.is_dir():
        raise DslrGanError(f"--out {out} is a file; name a folder.")
    planned: dict[str, _Job] = {}
    for source in sources:
        for folder in (absolute(source).parent, Path(os.path.realpath(source)).parent):
            with suppress(OSError):  # one of them is not there, or out of reach
                if folder.samefile(out):
                    raise DslrGanError(
                        f"--out {out} is the folder of {source}; name another folder."
                    )
        name = source.name
        if kind and source.suffix.lower().lstrip(".") not in kind.suffixes:
            name = f"{source.stem}.{kind.suffixes[0]}"
        job = _Job(source, out / name)
        other = planned.setdefault(name, job)
        if other is not job:
            raise DslrGanError(
                f"{other.source} and {source} would both become {job.destination}; "
                "enhance them into two folders."
            )
    return list(planned.values())


def _enhance_all(
    enhancer: "PhotoEnhancer", jobs: Sequence[_Job], options: argparse.Namespace
) -> int:
    """Enhance photo after photo, complain of those that fail, and say how many did not."""
    layout = "{percentage:3.0f}% |{bar}| {n:.1f} of {total} photos [{elapsed}<{remaining}] {desc}"
    done = 0
    with tqdm(total=len(jobs), delay=1, bar_format=layout) as bar:
        for number, job in enumerate(jobs):
            bar.set_description_str(job.source.name, refresh=False)
            try:
                _enhance_one(enhancer, job, options, bar)
                done += 1
            except DslrGanError as error:
                if bar.last_print_t >= bar.start_t + bar.delay:  # it has been shown
                    bar.clear()
                named = any(str(path) in str(error) for path in (job.source, job.destination))
                complain(str(error) if named else f"{job.source}: {error}")
            bar.update(number + 1 - bar.n)
    return done


def _enhance_one(
    enhancer: "PhotoEnhancer", job: _Job, options: argparse.Namespace, bar: tqdm
) -> None:
    from dslr_gan.image import find_format, open_photo, save_photo

    photo = open_photo(job.source)
    # A file's format is what is in it, whatever its suffix says.
    kind = find_format(options.format or photo.format or "")

    def advance(_: int, tiles: int) -> None:
        bar.update(0.99 / tiles)

    try:
        result = enhancer.enhance(photo, options.strength, progress=advance)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        raise DslrGanError(
            f"There is not enough memory for {job.source}; try a smaller --tile, or --device cpu."
        ) from error
    save_photo(result, job.destination, format=kind.name)
