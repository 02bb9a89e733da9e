"""Table I as Markdown: mean scores per phone and method, and what each of them means.

After Prakash and Phumbhra 2020, Table I, which has one number per phone and method; here every
metric is named and has an interval, and their own numbers are in a table apart, as they print them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dslr_gan.data.decode import Rows
from dslr_gan.evaluation.scores import RESAMPLES, Metric, Scores, shown

PRINTED = {
    "iPhone": {
        "SRCNN": "0.909",
        "VDSR": "not known to us",
        "Prakash and Phumbhra 2020": "0.9451",
    },
    "Sony": {"SRCNN": "0.9303", "VDSR": "0.9434", "Prakash and Phumbhra 2020": "0.9558"},
}
"""What the paper prints as "SSIM", per phone and method, with its digits. Its number for VDSR on
the iPhone was not to be had where this was written: whoever has the paper may enter it."""

_ARROWS = {"higher": "↑", "lower": "↓"}
_TITLES = {"input": "phone photo as it is", "dslr": "DSLR photo"}


@dataclass(frozen=True)
class PhoneScores:
    """What was measured over the pairs of one phone."""

    phone: str
    """Whose photos they were, such as ``iphone``."""
    pairs: str
    """Where the pairs are, to be read by people."""
    scores: Scores
    """Over all pairs, each patch given alone."""
    as_used: Scores | None = None
    """Over the pairs whose whole photo is known: on the patch alone, and on the whole photo."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each model's weights came from, by the models' names."""


def phone_of(rows: Rows) -> str:
    """The name of the folder that holds the phone's pictures; ``phone`` where there is none."""
    stored = rows[0]["phone"]
    path = stored.get("path") if isinstance(stored, Mapping) else None
    return Path(path or "").parent.name or "phone"


def to_text(results: Sequence[PhoneScores]) -> str:
    """Write scores for a terminal: tables, then where the models came from.

    Args:
        results: Of one phone or of several, which then are named.
    """
    parts = []
    for each in results:
        if len(results) > 1:
            parts.append(f"{each.phone} ({each.pairs})\n")
        parts.append(each.scores.table())
        if each.as_used is not None:
            parts.append(
                f"\nas they are used, on the {each.as_used.pairs} pairs whose photo is known\n"
                f"{each.as_used.table()}"
            )
        parts += [
            f"{label}: {source.partition(';')[0]}\n" for label, source in each.sources.items()
        ]
    return "".join(parts)


def to_json(results: Sequence[PhoneScores]) -> str:
    """Write scores as JSON text.

    Args:
        results: Of one phone, as :meth:`Scores.to_json` writes them; of several, an object
            ``phones`` with one of these by each phone's name. What was measured on whole photos is
            under ``as_used`` beside ``pairs``.
    """
    objects = {each.phone: _object(each) for each in results}
    whole = objects[results[0].phone] if len(results) == 1 else {"phones": objects}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _object(result: PhoneScores) -> dict[str, object]:
    used = {} if result.as_used is None else {"as_used": result.as_used.as_object()}
    return {**result.scores.as_object(), **used}


def to_markdown(results: Sequence[PhoneScores]) -> str:
    """Write scores as a page of Markdown.

    Args:
        results: What was measured, phone by phone.

    Returns:
        The page, ending in a line break.
    """
    pairs = " and ".join(f"{each.scores.pairs} pairs of `{each.pairs}`" for each in results)
    metrics = {name: metric for each in results for name, metric in each.scores.metrics.items()}
    parts = [
        "# Table I: scores per phone and method",
        f"{pairs}, phone photo against DSLR photo. Scored is the 8-bit "
        f"picture; values are means over the pairs, in brackets their 95 % intervals (bootstrap "
        f"over the pairs, {RESAMPLES} resamples). ↑: higher is better; ↓: lower is better; "
        "≈: best where it is the DSLR's.",
        "\n".join(rows_of(results, metrics)),
        *_notes({each.phone: each.scores for each in results}),
        *_as_used(results, metrics),
        "## What is measured",
        "\n".join(
            f"- **{_capital(metric.heading)}** {_arrow(metric)} {metric.says}"
            for metric in metrics.values()
        ),
        *_methods(results),
        "## As printed in the paper",
        "Table I of Prakash and Phumbhra 2020, as printed, on the MS-SSIM scale: they call it "
        '"SSIM", but what they print for SRCNN beside it, 0.909, is where the MS-SSIM of SRCNN '
        "is on DPED. These numbers were not measured here, nor on these pairs: compare them with "
        "the column MS-SSIM at most.",
        "\n".join(printed_rows()),
    ]
    return "\n\n".join(parts) + "\n"


def printed_rows() -> Iterator[str]:
    """The paper's own numbers, as it prints them, as lines of a table."""
    yield from _lines([["phone", "method", "as printed"], ["---"] * 3])
    for phone, methods in PRINTED.items():
        yield from _lines([phone, method, value] for method, value in methods.items())


def rows_of(
    results: Sequence[PhoneScores], metrics: Mapping[str, Metric], *, used: bool = False
) -> Iterator[str]:
    """A table of every method of every phone, line by line.

    Args:
        results: Phone by phone.
        metrics: The columns.
        used: Whether to give what was measured on whole photos.
    """
    headings = [f"{_capital(metric.heading)} {_arrow(metric)}" for metric in metrics.values()]
    yield from _lines(
        [
            ["phone", "method", "pairs", *headings],
            ["---", "---", *["---:"] * (1 + len(headings))],
        ]
    )
    for each in results:
        scores = each.as_used if used else each.scores
        if scores is None:
            continue
        for name, method in scores.methods.items():
            title = _TITLES.get(name, name)
            values = [shown(method, metric) for metric in metrics]
            yield from _lines([[each.phone, title, str(scores.pairs), *values]])


def _as_used(results: Sequence[PhoneScores], metrics: Mapping[str, Metric]) -> Iterator[str]:
    used = {each.phone: each.as_used for each in results if each.as_used is not None}
    if used:
        yield "## As the models are used"
        yield (
            "The pairs whose whole photo is known. *Patch alone*: the model is given the patch. "
            "*Whole photo*: it is given the photo, as a person does, and the patch is cut out of "
            "the result."
        )
        yield "\n".join(rows_of(results, metrics, used=True))
        yield from _notes(used)


def _notes(scores: Mapping[str, Scores]) -> Iterator[str]:
    for phone, each in scores.items():
        yield from (f"{phone}: {note}" if len(scores) > 1 else note for note in each.notes())


def _methods(results: Sequence[PhoneScores]) -> Iterator[str]:
    lines = [
        f"- {_cell(f'{each.phone}: {name}' if len(results) > 1 else name)}: {source}"
        for each in results
        for name, source in each.sources.items()
    ]
    if lines:
        yield "## Methods"
        yield "\n".join(lines)


def _lines(rows: Iterator[list[str]] | list[list[str]]) -> Iterator[str]:
    for row in rows:
        yield "| " + " | ".join(map(_cell, row)) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _arrow(metric: Metric) -> str:
    return _ARROWS.get(metric.better, "≈")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
