"""Where the result of each photo goes: planned before any work, nothing is written.

A result keeps its photo's place: ``holiday/day 1/cat.jpg`` under the given folder ``holiday``
becomes ``OUT/day 1/cat.jpg``.

A photo keeps its name, unless its suffix would mean another format than its result has: a GIF
becomes a ``.png``, and so does a PNG that was called ``.jpg``.

Two results never share a name. Of photos whose results would, the first in order keeps it and the
next are called ``cat-2.jpg``, ``cat-3.jpg`` and so on, with the first number that is not taken.
Names that differ only in case, or in how an accent is composed, count as the same: on many disks
they are.
"""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dslr_gan.enhance.inputs import Photo, absolute, mark_of
from dslr_gan.enhance.naming import fitting_name, format_by_header
from dslr_gan.errors import DslrGanError, reason, shown
from dslr_gan.files import check_place
from dslr_gan.photo import BECOMES, find_format


@dataclass(frozen=True)
class Job:
    """One photo to enhance."""

    source: Path
    destination: Path


def plan(photos: Sequence[Photo], out: Path, format: str | None = None) -> list[Job]:
    """Decide where each result goes; the same photos in the same order give the same plan.

    Of each photo the header is read, which tells the format that its result gets.

    Args:
        photos: In order: of those whose results would share a name, the first keeps it.
        out: Folder for the results; it need not exist.
        format: Such as ``"png"``, where results get another format than the photos.

    Returns:
        A job per photo, in order; no two have one destination.

    Raises:
        DslrGanError: If ``out`` is a file or can hold no result, the format is unknown, or a
            result would go into the folder of a photo.
    """
    kind = find_format(format) if format else None
    only_read = {name.lower(): find_format(other) for name, other in BECOMES.items()}
    if os.path.lexists(out) and not os.path.isdir(out):  # noqa: PTH112
        what = "a file" if os.path.exists(out) else "a link that leads nowhere"  # noqa: PTH110
        raise DslrGanError(f"--out {shown(out)} is {what}; name a folder.")
    wanted = []
    for photo in photos:
        place = photo.place
        suffix = place.suffix.lower().lstrip(".")
        if kind and suffix not in kind.suffixes:
            place = place.with_name(f"{place.stem}.{kind.suffixes[0]}")
        elif not kind and (kept := format_by_header(photo.path) or only_read.get(suffix)):
            place = fitting_name(place, kept)
        wanted.append(place)
    jobs = [
        Job(photo.path, out / place) for photo, place in zip(photos, _distinct(wanted), strict=True)
    ]
    _check_places(jobs, out)
    _check_writable([job for job in jobs if not os.path.lexists(job.destination)], out)
    return jobs


def _distinct(places: Sequence[Path]) -> list[Path]:
    """The places in the same order, with numbers where two would be the same."""
    taken = {_on_disk(place) for place in places}
    given: set[str] = set()
    apart = []
    for place in places:
        name = place
        number = 2
        while _on_disk(name) in given:
            name = place.with_name(f"{place.stem}-{number}{place.suffix}")
            number += 1
            if _on_disk(name) in taken:  # another photo's own name
                name = place
        given.add(_on_disk(name))
        apart.append(name)
    return apart


def _on_disk(place: Path) -> str:
    """A name as those disks compare it that ignore case and composition."""
    return unicodedata.normalize("NFC", str(place)).casefold()


def _check_places(jobs: Sequence[Job], out: Path) -> None:
    """Refuse to write into any folder that a photo is read from, also through links."""
    sources: dict[object, Path] = {}
    for job in jobs:
        for folder in (absolute(job.source).parent, Path(os.path.realpath(job.source)).parent):
            sources.setdefault(mark_of(folder) or str(folder), job.source)
    for folder in dict.fromkeys((out, *(job.destination.parent for job in jobs))):
        source = sources.get(mark_of(folder) or os.path.realpath(folder))
        if source is not None:
            raise DslrGanError(
                f"--out {shown(out)} would put results into {shown(folder)}, which is the folder "
                f"of {shown(source)}; name another folder."
            )


def _check_writable(jobs: Sequence[Job], out: Path) -> None:
    """Refuse, before any work, folders none of which could get a result."""
    refused: OSError | None = None
    for folder in dict.fromkeys(job.destination.parent for job in jobs):
        try:
            check_place(folder / "photo")
        except OSError as error:
            refused = error
        else:
            return
    if refused is not None:
        raise DslrGanError(
            f"--out {shown(out)} cannot be written to ({reason(refused)}: "
            f"{shown(refused.filename)}); name another folder, or check its permissions."
        )
