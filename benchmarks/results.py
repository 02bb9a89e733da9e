"""The README's table of results and the plot of quality against time, by one command.

    python -m benchmarks.results --pairs dped/iphone --published reference_models

Quality is scored over the pairs, as ``evaluate`` does it. Time is that of the network alone on a
photo of 1280x720, the methods in turn, and told as SRCNN's time over a method's own. The table
replaces what stands in the README between two marks; the plot is ``docs/quality_against_time.png``.
"""

import argparse
import re
import statistics
import tempfile
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.inference import SMALL, Rounds, in_turn, ratio, whole
from benchmarks.memory import write_photo
from dslr_gan import PhotoEnhancer, evaluate
from dslr_gan.evaluation.evaluate import open_rows
from dslr_gan.evaluation.scores import METRICS, NOISE, Scores, shown
from dslr_gan.files import written_whole
from dslr_gan.models.phones import PHONES

ROOT = Path(__file__).parents[1]
PLOT = ROOT / "docs/quality_against_time.png"
BEGIN, END = "<!-- results: written by benchmarks.results -->\n", "<!-- end of results -->\n"

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
        return in_turn({name: whole(each, photo) for name, each in enhancers.items()}, rounds)


def table(scores: Scores, enhancers: dict[str, PhotoEnhancer], times: Rounds) -> list[str]:
    """The README's table, line by line."""
    header = ("method", "parameters", "PSNR (dB)", "SSIM", "MS-SSIM", "FLIP", "colour shift")
    header = (*header, "noise", "SRCNN's time over its own")
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for name, each in scores.methods.items():
        if name == "dslr":
            title, cells = "the DSLR's photo", ["", "", "", "", "", ""]
        else:
            main = [shown(each, metric) for metric in ("psnr", "ssim", "ms_ssim")]
            rest = [_plain(each.means[metric], metric) for metric in ("flip", "colour_shift")]
            title, cells = name, [_parameters(enhancers.get(name)), *main, *rest]
        if name == "input":
            title = "phone photo as it is"
        speed = f"{ratio(times, YARDSTICK, name):.1f}" if name in times else ""
        cells += [_plain(each.means[NOISE], NOISE), speed]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def _plain(value: float | None, metric: str) -> str:
    return "" if value is None else f"{value:.{METRICS[metric].digits}f}"


def _parameters(enhancer: PhotoEnhancer | None) -> str:
    if enhancer is None:
        return ""
    count = sum(each.numel() for each in enhancer.generator.parameters())
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


def into_readme(lines: list[str]) -> None:
    """Replace the table between the README's two marks."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    between = re.compile(f"({re.escape(BEGIN)}).*?({re.escape(END)})", re.DOTALL)
    body = "\n".join(lines) + "\n"
    changed, count = between.subn(lambda found: f"{found[1]}{body}{found[2]}", text)
    if count != 1:
        raise SystemExit(f"{readme} must hold {BEGIN.strip()} and {END.strip()} once.")
    with written_whole(readme) as unfinished:
        unfinished.write_text(changed, encoding="utf-8")


def main() -> None:
    """Score, time, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", required=True, help="DPED's iphone folder, or any pairs")
    parser.add_argument("--published", type=Path, required=True, help="folder of their files")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    names = {name: options.published / file for name, file in PUBLISHED.items()}
    enhancers = {name: PhotoEnhancer.from_pretrained(file) for name, file in names.items()}
    enhancers[OURS] = PhotoEnhancer.from_pretrained(PHONES["iphone"].folder)
    rows = open_rows(options.pairs)
    with tqdm(total=len(rows), unit="pair") as bar:
        scores = evaluate(enhancers, rows, progress=lambda *_: bar.update())
    times = time_networks(enhancers, options.rounds)
    into_readme(table(scores, enhancers, times))
    with written_whole(PLOT) as unfinished:
        plot(scores, times).savefig(unfinished, dpi=110)


if __name__ == "__main__":
    main()
