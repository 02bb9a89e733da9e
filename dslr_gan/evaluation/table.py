"""Table I as Markdown: mean scores per phone and method, and what each of them means.

After Prakash and Phumbhra 2020, Table I, which has one number per phone and method; here every
metric is named and has an interval, and their own numbers are in a table apart, as they print them.
"""

from collections.abc import Iterator, Mapping

from dslr_gan.evaluation.scores import RESAMPLES, Metric, Scores, shown

PRINTED = {"iPhone": 0.9451, "Sony": 0.9558}
"""What the paper prints as "SSIM" for its own method, per phone."""

_ARROWS = {"higher": "↑", "lower": "↓"}
_TITLES = {"input": "phone photo as it is", "dslr": "DSLR photo"}


def to_markdown(
    scores: Scores, *, phone: str, pairs: str, sources: Mapping[str, str] | None = None
) -> str:
    """Write scores as a page of Markdown.

    Args:
        scores: What was measured.
        phone: Whose photos they were, such as ``iphone``.
        pairs: Where the pairs are, to be read by people.
        sources: Where each model's weights came from, by the models' names.

    Returns:
        The page, ending in a line break.
    """
    parts = [
        "# Table I: scores per phone and method",
        f"{scores.pairs} pairs of `{pairs}`, phone photo against DSLR photo. Scored is the 8-bit "
        f"picture; values are means over the pairs, in brackets their 95 % intervals (bootstrap "
        f"over the pairs, {RESAMPLES} resamples). ↑: higher is better; ↓: lower is better; "
        "≈: best where it is the DSLR's.",
        "\n".join(_rows(scores, phone)),
        *scores.notes(),
        "## What is measured",
        "\n".join(
            f"- **{_capital(metric.heading)}** {_arrow(metric)} {metric.says}"
            for metric in scores.metrics.values()
        ),
        *_methods(sources or {}),
        "## As printed in the paper",
        "Table I of Prakash and Phumbhra 2020, as printed, on the MS-SSIM scale: they call it "
        '"SSIM", but what they print for SRCNN beside it, 0.909, is where the MS-SSIM of SRCNN '
        "is on DPED. These numbers were not measured here, nor on these pairs: compare them with "
        "the column MS-SSIM at most.",
        "\n".join(
            [
                *_lines([["phone", "method", "as printed"], ["---"] * 3]),
                *_lines(
                    [phone, "Prakash and Phumbhra 2020", f"{value:.4f}"]
                    for phone, value in PRINTED.items()
                ),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _rows(scores: Scores, phone: str) -> Iterator[str]:
    metrics = scores.metrics
    headings = [f"{_capital(metric.heading)} {_arrow(metric)}" for metric in metrics.values()]
    yield from _lines(
        [
            ["phone", "method", "pairs", *headings],
            ["---", "---", *["---:"] * (1 + len(headings))],
        ]
    )
    for name, method in scores.methods.items():
        title = _TITLES.get(name, name)
        values = [shown(method, metric) for metric in metrics]
        yield from _lines([[phone, title, str(scores.pairs), *values]])


def _methods(sources: Mapping[str, str]) -> Iterator[str]:
    if sources:
        yield "## Methods"
        yield "\n".join(f"- {_cell(name)}: {source}" for name, source in sources.items())


def _lines(rows: Iterator[list[str]] | list[list[str]]) -> Iterator[str]:
    for row in rows:
        yield "| " + " | ".join(map(_cell, row)) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _arrow(metric: Metric) -> str:
    return _ARROWS.get(metric.better, "≈")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
