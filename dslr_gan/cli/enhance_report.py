"""What ``enhance`` reports: the lines at the end, and the JSON of ``--report``."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dslr_gan.enhance.batch import Outcome
    from dslr_gan.enhance.inputs import Found
    from dslr_gan.models.phones import Camera


def as_json(outcome: "Outcome") -> dict[str, Any]:
    """Give the entry of ``--report`` for one photo."""
    return {
        "source": str(outcome.source),
        "destination": str(outcome.destination),
        "state": outcome.state,
        "seconds": round(outcome.seconds, 3),
        "model": outcome.model,
        "error": outcome.error,
        "camera": list(outcome.camera),
        "notes": list(outcome.notes),
    }


def cameras_in(photos: Sequence[dict[str, Any]]) -> Iterator[tuple["Camera", int, str]]:
    """Count the cameras of photos that were enhanced.

    Args:
        photos: What :func:`as_json` made of each outcome, in the order of the photos.

    Yields:
        Each camera once, how many photos are of it, and the path of the first.
    """
    from dslr_gan.models.phones import Camera

    made = [photo for photo in photos if photo["state"] in ("enhanced", "copied")]
    counts = Counter(Camera(*photo["camera"]) for photo in made)
    for camera, count in counts.items():
        yield camera, count, next(p["source"] for p in made if Camera(*p["camera"]) == camera)


def make_report(
    photos: list[dict[str, Any]],
    found: "Found",
    *,
    interrupted: bool,
    planned: int,
    seconds: float,
    amounts: Mapping[str, float],
    format: str | None,
) -> dict[str, Any]:
    """Give what ``--report`` writes.

    Args:
        photos: What :func:`as_json` made of each outcome, in the order of the photos.
        found: What the inputs meant.
        interrupted: Whether the run ended early.
        planned: How many photos there were to enhance.
        seconds: Of the whole run.
        amounts: Strength, colour and detail, as they were asked for.
        format: As it was asked for; None where the photos kept theirs.
    """
    from dslr_gan.enhance.batch import STATES

    counts = {state: sum(photo["state"] == state for photo in photos) for state in STATES}
    made = counts["enhanced"] + counts["copied"]
    return {
        "interrupted": interrupted,
        "planned": planned,
        "counts": counts,
        "seconds": round(seconds, 3),
        "seconds_per_photo": round(seconds / made, 3) if made else None,
        "models": list(dict.fromkeys(photo["model"] for photo in photos if photo["model"])),
        **amounts,
        "format": format,
        "problems": found.problems,
        "passed_over": dict(sorted(found.passed_over.items())),
        "photos": photos,
    }


def write_report(report: dict[str, Any], file: Path) -> None:
    """Write a report as JSON, whole or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    from dslr_gan.files import written_whole

    with written_whole(file) as unfinished:
        unfinished.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def summary_lines(report: dict[str, Any], found: "Found", out: str) -> Iterator[str]:
    """Sum up a run in lines for people."""
    counts = report["counts"]
    made = counts["enhanced"] + counts["copied"]
    if made:
        yield f"{count_photos(made)} enhanced into {out}, with {' and '.join(report['models'])}."
        if made > 1:
            yield (
                f"{report['seconds_per_photo']:.2f} s per photo, {report['seconds']:.1f} s in all."
            )
    if counts["copied"]:
        yield f"Of these {counts['copied']} copied, since a strength of 0 changes nothing."
    before = counts["finished"] + counts["by date"]
    if before:
        yield f"{count_photos(before)} finished before."
    if counts["by date"]:
        yield (
            f"Of these {counts['by date']} by date alone: there is no record of the settings that "
            "they were made with."
        )
    yield from passed_over_lines(found)
    if counts["failed"]:
        yield f"{count_photos(counts['failed'])} failed:"
        yield from (f"  {photo['source']}" for photo in report["photos"] if photo["error"])


def count_photos(count: int) -> str:
    """Give a number of photos in words: ``1 photo``, ``2 photos``."""
    return f"{count} photo" if count == 1 else f"{count} photos"


def passed_over_lines(found: "Found") -> Iterator[str]:
    """Report the files in folders that are not photos."""
    raw, folders, others = sort_passed_over(found.passed_over)
    if raw:
        yield (
            f"Passed over, since they are raw files of cameras: {raw}; develop them into TIFF or "
            "JPEG first, for example with darktable or RawTherapee."
        )
    if folders:
        yield f"Passed over, since they hold thumbnails or deleted files: {folders}."
    if others:
        yield f"Passed over, since they are no photos: {others}."


def sort_passed_over(passed_over: Mapping[str, int]) -> tuple[str, str, str]:
    """Sort what was passed over by kind.

    Args:
        passed_over: As in ``dslr_gan.enhance.inputs.Found``.

    Returns:
        The raw files of cameras, the folders of thumbnails and deleted files, and the other files,
        each as text such as ``"2 .nef, 1 without a suffix"``; empty where there were none.
    """
    from dslr_gan.photo import RAW_SUFFIXES

    raw, folders, others = list[str](), list[str](), list[str]()
    for kind, count in sorted(passed_over.items()):
        if kind.endswith("/"):
            folders.append(f"{count} {kind}")
        elif kind.removeprefix(".") in RAW_SUFFIXES:
            raw.append(f"{count} {kind}")
        else:
            others.append(f"{count} {kind or 'without a suffix'}")
    return ", ".join(raw), ", ".join(folders), ", ".join(others)
