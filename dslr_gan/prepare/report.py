"""The report on prepared pairs: numbers for programs, and a page for people.

``report.html`` stands alone: its pictures are inside it.
"""

import base64
import heapq
import html
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from dslr_gan.files import written_whole
from dslr_gan.prepare.matching import PhotoPair
from dslr_gan.prepare.one_pair import Facts, Settings, read_piece

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


def write_report(
    folder: Path,
    pairs: Sequence[PhotoPair],
    facts: Mapping[str, Facts],
    pieces: Mapping[str, Path],
    splits: Mapping[str, Sequence[str]],
    settings: Settings,
) -> None:
    """Write ``report.json`` and ``report.html``.

    Args:
        folder: Where to.
        pairs: All pairs of photos.
        facts: What became of each, by name.
        pieces: Files of those that have one.
        splits: Names of the pairs in each split.
        settings: How patches were cut.

    Raises:
        OSError: If a file cannot be written.
    """
    split_of = {name: split for split, names in splits.items() for name in names}
    entries = [_entry(pair, facts[pair.name], split_of.get(pair.name)) for pair in pairs]
    totals = {
        "pairs": len(entries),
        "pairs_used": sum(1 for each in entries if each["kept"]),
        "patches_kept": sum(each["kept"] for each in entries),
        "patches_rejected": {
            reason: sum(each["rejected"].get(reason, 0) for each in entries) for reason in REASONS
        },
        "seconds": round(sum(each["seconds"] for each in entries), 1),
    }
    report = {"settings": asdict(settings), "totals": totals, "pairs": entries}
    with written_whole(folder / "report.json") as path:
        path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    kept, rejected = _worst(pieces)
    with written_whole(folder / "report.html") as path:
        path.write_text(_page(report, kept, rejected), encoding="utf-8")


def _entry(pair: PhotoPair, facts: Facts, split: str | None) -> dict[str, Any]:
    """What the report says of a pair; nothing of where the photos lie: reports are pushed."""
    entry = {**asdict(facts), "phone": pair.phone.name, "dslr": pair.dslr.name, "split": split}
    for file in (pair.phone, pair.dslr):
        entry["reason"] = entry["reason"] and entry["reason"].replace(str(file), file.name)
    return entry


def _worst(pieces: Mapping[str, Path]) -> tuple[list[Shown], list[Shown]]:
    """The kept and the rejected patches of lowest correlation."""
    worst: dict[bool, list[Shown]] = {True: [], False: []}
    for name in sorted(pieces):
        piece = read_piece(pieces[name])
        for kept, chosen in worst.items():
            chosen += [] if piece is None else _rows(name, piece[0].to_pylist(), kept)
            chosen[:] = heapq.nsmallest(SHOWN, chosen)
    return worst[True], worst[False]


def _rows(name: str, rows: Iterable[Mapping[str, Any]], kept: bool) -> list[Shown]:
    return [
        Shown(row["correlation"], name, row["top"], row["left"], row["phone"], row["dslr"])
        for row in rows
        if row["kept"] is kept
    ]


# The page ------------------------------------------------------------------------------------

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
       color: #222; background: #fff; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { padding: 0.3rem 0.6rem; border-bottom: 1px solid #ddd; text-align: right;
         vertical-align: top; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.text { min-width: 14rem; }
tr.lost td { background: #fdf0ee; }
.sheet { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { font-size: 0.8rem; color: #444; }
"""

_COLUMNS = (
    ("pair", "the phone photo's name"),
    ("split", "train or test; all patches of a pair are in one"),
    ("matches", "keypoints found in both photos"),
    ("inliers", "of them, those that agree on one view"),
    ("residual (px)", "median distance of pieces looked up at full size from the homography"),
    ("overlap", "part of the phone photo that the DSLR photo covers"),
    ("zoom", "DSLR pixels for one of the phone's"),
    ("kept", "patches"),
    ("rejected", "patches, and why"),
    ("seconds", "of processor time"),
)


def _page(report: Mapping[str, Any], kept: Sequence[Shown], rejected: Sequence[Shown]) -> str:
    totals, settings = report["totals"], report["settings"]
    refused = sum(totals["patches_rejected"].values())
    lost = totals["pairs"] - totals["pairs_used"]
    head = "".join(
        f'<th title="{html.escape(text)}"{" class=text" if name == "rejected" else ""}>'
        f"{html.escape(name)}</th>"
        for name, text in _COLUMNS
    )
    rows = "\n".join(_table_row(entry) for entry in report["pairs"])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Prepared pairs</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Prepared pairs</h1>
<p>{totals["patches_kept"]} patches of {settings["patch"]}x{settings["patch"]} pixels kept and
{refused} rejected, from {totals["pairs_used"]} of {totals["pairs"]} pairs of photos; {lost} gave
nothing. A patch is kept where the normalised cross-correlation of its two sides reaches
{settings["min_ncc"]}, once the DSLR's side has been moved by up to {settings["max_shift"]} pixels
to where it correlates best.</p>
<div class="wide"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
{_sheet("The worst that were kept", kept)}
{_sheet("The worst that were rejected for low correlation", rejected)}
</body>
</html>
"""


def _table_row(entry: Mapping[str, Any]) -> str:
    def shown(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    why = ", ".join(f"{count} {REASONS[reason]}" for reason, count in entry["rejected"].items())
    if entry["reason"]:
        why = f"{entry['reason']} {f'({why})' if why else ''}".strip()
    overlap = "" if entry["overlap"] is None else f"{entry['overlap']:.0%}"
    cells = [
        entry["name"],
        entry["split"] or "",
        shown(entry["matches"], 0),
        shown(entry["inliers"], 0),
        shown(entry["residual"], 2),
        overlap,
        shown(entry["zoom"], 2),
        str(entry["kept"]),
        why,
        shown(entry["seconds"], 1),
    ]
    texts = [
        f"<td{' class=text' if place == 8 else ''}>{html.escape(cell)}</td>"
        for place, cell in enumerate(cells)
    ]
    return f"<tr{' class=lost' if entry['reason'] else ''}>{''.join(texts)}</tr>"


def _sheet(title: str, patches: Sequence[Shown]) -> str:
    if not patches:
        return f"<h2>{title}</h2>\n<p>There are none.</p>"
    figures = "\n".join(_figure(patch) for patch in patches)
    return (
        f"<h2>{title}</h2>\n<p>From left to right: phone, DSLR, and the difference of their luma, "
        f'gray where there is none.</p>\n<div class="sheet">\n{figures}\n</div>'
    )


def _figure(patch: Shown) -> str:
    """Phone, DSLR and difference side by side, as JPEG inside the page."""
    pictures = [Image.open(io.BytesIO(each)) for each in (patch.phone, patch.dslr)]
    # Each about its own mean: another exposure is what pairs are for, and no error of place.
    first, second = (np.asarray(each.convert("L"), np.float32) for each in pictures)
    apart = (second - second.mean()) - (first - first.mean())
    difference = np.clip(128 + apart, 0, 255).astype(np.uint8)
    sides = [*(np.asarray(each) for each in pictures), np.dstack([difference] * 3)]
    stream = io.BytesIO()
    Image.fromarray(np.hstack(sides)).save(stream, "JPEG", quality=90, subsampling=0)
    data = base64.b64encode(stream.getvalue()).decode()
    where = html.escape(f"{patch.name}, row {patch.top}, column {patch.left}")
    side = len(difference)
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" width="{3 * side}" height="{side}" '
        f'alt="{where}"><figcaption>{patch.correlation:.3f} &nbsp; {where}</figcaption></figure>'
    )
