"""The tables of results and the plot of quality against time, by one command.

    python -m scripts.results --pairs dped/iphone --published reference_models

Quality is scored over the pairs, as ``evaluate`` does it. Time is that of the network alone on a
photo of 1280x720, the methods in turn, and given as SRCNN's time over a method's own. The README
has a table of six columns, ``docs/results.md`` one of all nine: each replaces what the page has
between two comments, ``<!-- results: ... -->`` and ``<!-- end of results -->``. The plot is
``docs/quality_against_time.png``.
"""

import argparse
import re
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.common import SMALL, Rounds, in_turn, ratio, whole, write_photo
from dslr_gan import PhotoEnhancer, evaluate
from dslr_gan.evaluation.evaluate import open_rows
from dslr_gan.evaluation.scores import MAIN, METRICS, NOISE, MetricScores, Scores, shown
from dslr_gan.files import from_home, path_from_home, written_whole
from dslr_gan.models.phones import PHONES

ROOT = Path(__file__).parents[1]
PLOT = ROOT / "docs/quality_against_time.png"
BEGIN, END = "<!-- results:", "<!-- end of results"
TITLES = {"input": "phone photo as it is", "dslr": "the DSLR's photo"}
NOISE_COLUMN, TIME_COLUMN = "noise", "times as fast as SRCNN"
COLUMNS = (
    *("method", "parameters", "PSNR (dB)", "SSIM", "MS-SSIM", "FLIP", "colour shift"),
    *(NOISE_COLUMN, TIME_COLUMN),
)
PAGES = {
    ROOT / "README.md": (*COLUMNS[:5], TIME_COLUMN),
    ROOT / "docs/results.md": COLUMNS,
}
"""The pages with a table of results, and its columns there."""

PUBLISHED = {
    "SRCNN on DPED": "pirm_dped_srcnn.safetensors",
    "ResNet 8-32": "pirm_dped_resnet_8_32.safetensors",
    "DPED 12-64": "dped_iphone_12_64.safetensors",
}
YARDSTICK = next(iter(PUBLISHED))
OURS = "bundled iPhone model"


def time_networks(enhancers: dict[str, PhotoEnhancer], rounds: int) -> Rounds:
    """Seconds of each network on a small photo, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        write_photo(photo, *SMALL)
        return in_turn(
            {name: whole(enhancer, photo) for name, enhancer in enhancers.items()}, rounds
        )


def table(
    scores: Scores, enhancers: dict[str, PhotoEnhancer], times: Rounds, columns: Sequence[str]
) -> list[str]:
    """A table of the methods in Markdown, line by line, with some of the columns."""
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for name, method in scores.methods.items():
        cells = {"method": TITLES.get(name, name), NOISE_COLUMN: _plain(method, NOISE)}
        if name != "dslr":
            cells["parameters"] = _parameters(enhancers.get(name))
            for metric in MAIN:
                cells[METRICS[metric].heading] = shown(method, metric)
            for metric in ("flip", "colour_shift"):
                cells[METRICS[metric].title] = _plain(method, metric)
        if name in times:
            cells[TIME_COLUMN] = f"{ratio(times, YARDSTICK, name):.1f}"
        lines.append(f"| {' | '.join(cells.get(column, '') for column in columns)} |")
    return lines


def _plain(method: MetricScores, metric: str) -> str:
    value = method.means[metric]
    return "" if value is None else f"{value:.{METRICS[metric].digits}f}"


def _parameters(enhancer: PhotoEnhancer | None) -> str:
    if enhancer is None:
        return ""
    count = sum(weight.numel() for weight in enhancer.generator.parameters())
    return f"{count:,}".replace(",", " ")


def plot(scores: Scores, times: Rounds) -> Figure:
    """MS-SSIM, with its interval, against the network's seconds."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, seconds in times.items():
        estimate = scores.models[name].estimates["ms_ssim"]
        assert estimate.value is not None and estimate.ci95 is not None
        low, high = estimate.ci95
        reach = [[estimate.value - low], [high - estimate.value]]
        axes.errorbar(statistics.median(seconds), estimate.value, yerr=reach, fmt="o", capsize=4)
        axes.annotate(
            name,
            (statistics.median(seconds), estimate.value),
            xytext=(8, 6),
            textcoords="offset points",
        )
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_xlabel(f"seconds of the network alone, {SMALL[0]}x{SMALL[1]} (farther left is better)")
    axes.set_ylabel("MS-SSIM, 95 % interval (higher is better)")
    axes.set_title(f"Quality over {scores.pairs} DPED iPhone pairs against time")
    axes.grid(alpha=0.3)
    return figure


def write_between_marks(file: Path, lines: list[str]) -> None:
    """Replace what a page has between the two marks."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    between = re.compile(rf"({BEGIN}[^\n]*-->\n).*?({END})", re.DOTALL)
    body = "\n".join(lines) + "\n"
    changed, count = between.subn(lambda found: f"{found[1]}{body}{found[2]}", text)
    if count != 1:
        raise SystemExit(f"{file} must have lines that begin with {BEGIN} and {END} once each.")
    with written_whole(file) as unfinished:
        unfinished.write_text(changed, encoding="utf-8")


def main() -> None:
    """Score, time, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--pairs", required=True, type=from_home, help="DPED's iphone folder, or any pairs"
    )
    parser.add_argument(
        "--published", type=path_from_home, required=True, help="folder of their files"
    )
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    names = {name: options.published / file for name, file in PUBLISHED.items()}
    enhancers = {name: PhotoEnhancer.from_pretrained(file) for name, file in names.items()}
    enhancers[OURS] = PhotoEnhancer.from_pretrained(PHONES["iphone"].folder)
    rows = open_rows(options.pairs)
    with tqdm(total=len(rows), unit="pair") as bar:
        scores = evaluate(enhancers, rows, progress=lambda *_: bar.update())
    times = time_networks(enhancers, options.rounds)
    for page, columns in PAGES.items():
        write_between_marks(page, table(scores, enhancers, times, columns))
    with written_whole(PLOT) as unfinished:
        plot(scores, times).savefig(unfinished, dpi=110)


if __name__ == "__main__":
    main()
