"""The report on prepared pairs: numbers for programs, and a page for people.

``report.html`` needs no other file: its pictures are inside it. Its template is in ``templates``.
"""

import base64
import heapq
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
from PIL import Image

from dslr_gan.files import written_whole
from dslr_gan.prepare.matching import PhotoPair
from dslr_gan.prepare.one_pair import CutSettings, PairOutcome, read_patches

SHOWN = 24
"""So many of the worst kept patches, and of the worst rejected ones, are shown."""

REASONS = {
    "correlation": "low correlation",
    "flat": "flat",
    "shift": "best at the edge of the search",
}


class Shown(NamedTuple):
    """A patch on the contact sheet."""

    correlation: float
    name: str
    top: int
    left: int
    phone: bytes
    dslr: bytes


class Figure(NamedTuple):
    """A patch as the page shows it."""

    jpeg: str
    """Phone, DSLR and difference side by side, as JPEG in base64."""
    side: int
    """Height in pixels, a third of the width."""
    place: str
    """The photo and the place in it."""
    correlation: float
    """Of phone and DSLR."""


def write_report(
    folder: Path,
    pairs: Sequence[PhotoPair],
    outcomes: Mapping[str, PairOutcome],
    files: Mapping[str, Path],
    splits: Mapping[str, Sequence[str]],
    settings: CutSettings,
) -> None:
    """Write ``report.json`` and ``report.html``.

    Args:
        folder: Where to.
        pairs: All pairs of photos.
        outcomes: What came of each, by name.
        files: The patches of those that have a file, by name.
        splits: Names of the pairs in each split.
        settings: How patches were cut.

    Raises:
        OSError: If a file cannot be written.
    """
    split_of = {name: split for split, names in splits.items() for name in names}
    entries = [_entry(pair, outcomes[pair.name], split_of.get(pair.name)) for pair in pairs]
    totals = {
        "pairs": len(entries),
        "pairs_used": sum(1 for entry in entries if entry["kept"]),
        "patches_kept": sum(entry["kept"] for entry in entries),
        "patches_rejected": {
            reason: sum(entry["rejected"].get(reason, 0) for entry in entries) for reason in REASONS
        },
        "seconds": round(sum(entry["seconds"] for entry in entries), 1),
    }
    report = {"settings": asdict(settings), "totals": totals, "pairs": entries}
    with written_whole(folder / "report.json") as path:
        path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    kept, rejected = _worst(files)
    with written_whole(folder / "report.html") as path:
        path.write_text(_page(report, kept, rejected), encoding="utf-8")


def _entry(pair: PhotoPair, outcome: PairOutcome, split: str | None) -> dict[str, Any]:
    """What the report says of a pair, without the folders of its photos: reports are pushed."""
    entry = {**asdict(outcome), "phone": pair.phone.name, "dslr": pair.dslr.name, "split": split}
    for file in (pair.phone, pair.dslr):
        entry["reason"] = entry["reason"] and entry["reason"].replace(str(file), file.name)
    return entry


def _worst(files: Mapping[str, Path]) -> tuple[list[Shown], list[Shown]]:
    """The kept and the rejected patches of lowest correlation."""
    worst: dict[bool, list[Shown]] = {True: [], False: []}
    for name in sorted(files):
        cut = read_patches(files[name])
        for kept, chosen in worst.items():
            chosen += [] if cut is None else _rows(name, cut.patches.to_pylist(), kept)
            chosen[:] = heapq.nsmallest(SHOWN, chosen)
    return worst[True], worst[False]


def _rows(name: str, rows: Iterable[Mapping[str, Any]], kept: bool) -> list[Shown]:
    return [
        Shown(row["correlation"], name, row["top"], row["left"], row["phone"], row["dslr"])
        for row in rows
        if row["kept"] is kept
    ]


# The page ------------------------------------------------------------------------------------


def _page(report: Mapping[str, Any], kept: Sequence[Shown], rejected: Sequence[Shown]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html").render(
        settings=report["settings"],
        totals=report["totals"],
        pairs=[{**entry, "rejections": _rejections(entry)} for entry in report["pairs"]],
        kept=[_figure(patch) for patch in kept],
        rejected=[_figure(patch) for patch in rejected],
    )


def _rejections(entry: Mapping[str, Any]) -> str:
    """Why a pair gave nothing, and how many of its patches were rejected for which reason."""
    counts = ", ".join(f"{count} {REASONS[reason]}" for reason, count in entry["rejected"].items())
    if entry["reason"]:
        return f"{entry['reason']} {f'({counts})' if counts else ''}".strip()
    return counts


def _figure(patch: Shown) -> Figure:
    pictures = [Image.open(io.BytesIO(content)) for content in (patch.phone, patch.dslr)]
    # Each about its own mean: another exposure is what pairs are for, and no error of place.
    phone, dslr = (np.asarray(picture.convert("L"), np.float32) for picture in pictures)
    apart = (dslr - dslr.mean()) - (phone - phone.mean())
    difference = np.clip(128 + apart, 0, 255).astype(np.uint8)
    sides = [*(np.asarray(picture) for picture in pictures), np.dstack([difference] * 3)]
    stream = io.BytesIO()
    Image.fromarray(np.hstack(sides)).save(stream, "JPEG", quality=90, subsampling=0)
    place = f"{patch.name}, row {patch.top}, column {patch.left}"
    jpeg = base64.b64encode(stream.getvalue()).decode()
    return Figure(jpeg, len(difference), place, patch.correlation)
