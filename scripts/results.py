r"""Table I, the tables of results and the plot of quality against time, by one command.

    python -m scripts.results --pairs dped/iphone --pairs dped/sony --photos iphone:photos \
        --published reference_models --trained runs/baselines

Quality is scored over the pairs, as ``evaluate`` does it: of each phone the bundled model, the
published networks, and what ``--trained`` holds: folders such as ``srcnn_iphone``, ``vdsr_sony``
and ``paper_iphone``, of which those that are missing get no row. With ``--photos`` the bundled
model is scored as it is used, too, on whole photos; with ``--all_as_used`` all others as well, of
which some take minutes for each photo.

Time is that of the network alone on a photo of 1280x720, the methods in turn, and given as SRCNN's
time over a method's own. Each table replaces what its page has between two comments, one that
begins with ``<!-- results:`` or ``<!-- table 1:`` and ``<!-- end of ... -->``: the iPhone's and
Table I of both phones in ``docs/results.md``, the means of the latter in the README. The plot is
``docs/quality_against_time.png``.
"""

import argparse
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.common import SMALL, Rounds, in_turn, ratio, whole, write_photo
from dslr_gan import DslrGanError, PhotoEnhancer, evaluate
from dslr_gan.evaluation.as_used import evaluate_as_used
from dslr_gan.evaluation.phones import PhonePairs, open_phones
from dslr_gan.evaluation.scores import MAIN, METRICS, NOISE, MetricScores, Scores, shown
from dslr_gan.evaluation.table import PhoneScores, printed_rows, rows_of
from dslr_gan.files import from_home, path_from_home, written_whole
from dslr_gan.models.phones import PHONES

ROOT = Path(__file__).parents[1]
PLOT = ROOT / "docs/quality_against_time.png"
TITLES = {"input": "phone photo as it is", "dslr": "the DSLR's photo"}
NOISE_COLUMN, TIME_COLUMN = "noise", "times as fast as SRCNN"
COLUMNS = (
    *("method", "parameters", "PSNR (dB)", "SSIM", "MS-SSIM", "FLIP", "colour shift"),
    *(NOISE_COLUMN, TIME_COLUMN),
)
README, PAGE = ROOT / "README.md", ROOT / "docs/results.md"

PUBLISHED = {
    "SRCNN on DPED": "pirm_dped_srcnn.safetensors",
    "ResNet 8-32": "pirm_dped_resnet_8_32.safetensors",
    "DPED 12-64": "dped_iphone_12_64.safetensors",
}
PUBLISHED_FOR = {
    "iphone": PUBLISHED,
    "sony": {"DPED 12-64": "dped_sony_12_64.safetensors"},
    "blackberry": {"DPED 12-64": "dped_blackberry_12_64.safetensors"},
}
"""Names of the published networks of a phone, and their files."""

TRAINED = {
    "srcnn": "SRCNN, trained here",
    "vdsr": "VDSR, trained here",
    "paper": "the paper's generator, its recipe",
    "paper_best": "the paper's generator at its best",
}
"""How the folders of what was trained for the table begin, and how their rows do: what follows is
the number of steps, as the folder's facts say it."""

YARDSTICK = next(iter(PUBLISHED))
OURS = "bundled iPhone model"
OURS_FOR = {"iphone": OURS, "sony": "bundled Sony model"}
BUNDLED, USED = "bundled model", ", whole photo"


def methods_of(
    phone: str, published: Path | None, trained: Path | None
) -> dict[str, PhotoEnhancer]:
    """The networks of a phone's rows: published ones, those trained for the table, the bundled one.

    Args:
        phone: Such as ``iphone``.
        published: The folder of the published networks' files.
        trained: A folder with ``METHOD_PHONE`` folders of generators; those missing are left out.
    """
    methods: dict[str, PhotoEnhancer] = {}
    if published is not None:
        for name, file in PUBLISHED_FOR.get(phone, {}).items():
            methods[name] = PhotoEnhancer.from_pretrained(published / file)
    if trained is not None:
        for kind, name in TRAINED.items():
            folder = trained / f"{kind}_{phone}"
            if (folder / "config.json").is_file():
                enhancer = PhotoEnhancer.from_pretrained(folder)
                methods[f"{name}{_steps(enhancer)}"] = enhancer
    if phone in OURS_FOR:
        methods[OURS_FOR[phone]] = PhotoEnhancer.from_pretrained(PHONES[phone].folder)
    return methods


def _steps(enhancer: PhotoEnhancer) -> str:
    facts = enhancer.generator.facts
    return "" if facts is None or facts.steps is None else f", {facts.steps} steps"


def score(pairs: PhonePairs, models: Mapping[str, PhotoEnhancer], every: bool) -> PhoneScores:
    """Score a phone's methods, and as they are used the bundled one, or every one of them."""
    with tqdm(total=len(pairs.rows), unit="pair", desc=pairs.phone) as bar:
        scores = evaluate(models, pairs.rows, progress=lambda *_: bar.update())
    used = None
    if pairs.photos is not None and pairs.places is not None:
        ours = OURS_FOR.get(pairs.phone, "")
        chosen = models if every else {name: models[name] for name in models if name == ours}
        with tqdm(unit="pair", desc=f"{pairs.phone}, as used") as bar:
            used = evaluate_as_used(
                chosen, pairs.rows, pairs.places, pairs.photos, progress=lambda *_: bar.update()
            )
    return PhoneScores(pairs.phone, Path(pairs.pairs).name, scores, used)


def table_one(results: Sequence[PhoneScores]) -> Iterator[str]:
    """Table I of both phones, what the models score as used, and the paper's own numbers."""
    metrics = {name: metric for each in results for name, metric in each.scores.metrics.items()}
    yield from rows_of(results, metrics)
    if any(each.as_used for each in results):
        yield from ("", "As they are used: on the pairs whose whole photo is known.", "")
        yield from rows_of(results, metrics, used=True)
    yield from (
        "",
        'As printed in the paper, which calls it "SSIM", on the scale of MS-SSIM; not measured '
        "here:",
        "",
    )
    yield from printed_rows()


def time_networks(enhancers: dict[str, PhotoEnhancer], rounds: int) -> Rounds:
    """Seconds of each network on a small photo, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        write_photo(photo, *SMALL)
        return in_turn(
            {name: whole(enhancer, photo) for name, enhancer in enhancers.items()}, rounds
        )


def table(scores: Scores, enhancers: dict[str, PhotoEnhancer], times: Rounds) -> list[str]:
    """A table of the methods in Markdown, line by line."""
    lines = _head(COLUMNS)
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
        lines.append(f"| {' | '.join(cells.get(column, '') for column in COLUMNS)} |")
    return lines


def summary(results: Sequence[PhoneScores], times: Rounds) -> list[str]:
    """The README's table, line by line: the means of each method, phone beside phone.

    Below are the bundled models as they are used, where that was measured.
    """
    what = " / ".join(METRICS[metric].title for metric in MAIN)
    heads = [f"{_phone_title(each.phone)}, {each.scores.pairs} pairs: {what}" for each in results]
    lines = _head(["method", *heads, TIME_COLUMN])
    rows: dict[str, list[str]] = {}
    for number, each in enumerate(results):
        for name, method in each.scores.methods.items():
            if name == "dslr":
                continue
            row = rows.setdefault(short_name(name), [""] * (len(results) + 1))
            row[number] = _means(method)
            if name in times:
                row[-1] = f"{ratio(times, YARDSTICK, name):.1f}"
    for number, each in enumerate(results):
        if each.as_used is None:
            continue
        photos = f"the {each.as_used.pairs} pairs whose photo is known"
        for name, method in each.as_used.methods.items():
            if name == "input" or name.endswith(USED):
                title = short_name(name.removesuffix(USED)) + USED * name.endswith(USED)
                row = rows.setdefault(f"{photos}: {title}", [""] * (len(results) + 1))
                row[number] = _means(method)
    lines += [f"| {' | '.join([name, *cells])} |" for name, cells in rows.items()]
    return lines


def short_name(name: str) -> str:
    """A method's name that is the same for every phone: without steps, and without the phone."""
    if name in OURS_FOR.values():
        return BUNDLED
    known = next((title for title in TRAINED.values() if name.startswith(title)), name)
    return TITLES.get(known, known)


def _phone_title(phone: str) -> str:
    return PHONES[phone].title if phone in PHONES else phone


def _means(method: MetricScores) -> str:
    return " / ".join(_plain(method, metric) for metric in MAIN)


def _head(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


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
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, seconds in times.items():
        estimate = scores.models[name].estimates["ms_ssim"]
        assert estimate.value is not None and estimate.ci95 is not None
        low, high = estimate.ci95
        reach = [[estimate.value - low], [high - estimate.value]]
        at = statistics.median(seconds)
        axes.errorbar(at, estimate.value, yerr=reach, fmt="o", capsize=4, label=name)
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.set_xlabel(f"seconds of the network alone, {SMALL[0]}x{SMALL[1]} (farther left is better)")
    axes.set_ylabel("MS-SSIM, 95 % interval (higher is better)")
    axes.set_title(f"Quality over {scores.pairs} DPED iPhone pairs against time")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right center", frameon=False)
    return figure


def write_between_marks(file: Path, lines: list[str], name: str = "results") -> None:
    """Replace what a page has between the two marks of a name."""
    begin, end = f"<!-- {name}:", f"<!-- end of {name}"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    between = re.compile(rf"({begin}[^\n]*-->\n).*?({end})", re.DOTALL)
    body = "\n".join(lines) + "\n"
    changed, count = between.subn(lambda found: f"{found[1]}{body}{found[2]}", text)
    if count != 1:
        raise SystemExit(f"{file} must have lines that begin with {begin} and {end} once each.")
    with written_whole(file) as unfinished:
        unfinished.write_text(changed, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Score, time, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--pairs", required=True, action="append", type=from_home,
        help="DPED's iphone and sony folders, or any",
    )  # fmt: skip
    parser.add_argument("--photos", action="append", default=[], metavar="[PHONE:]FOLDER")
    parser.add_argument("--all_as_used", action="store_true", help="all methods, as they are used")
    parser.add_argument(
        "--published", type=path_from_home, required=True, help="folder of their files"
    )
    parser.add_argument("--trained", type=path_from_home, help="folder of METHOD_PHONE generators")
    parser.add_argument("--rounds", type=int, default=9, help="of timing; 0 leaves out time")
    options = parser.parse_args(arguments)
    results, networks = [], {}
    for pairs in open_phones(options.pairs, photos=options.photos):
        networks[pairs.phone] = methods_of(pairs.phone, options.published, options.trained)
        results.append(score(pairs, networks[pairs.phone], options.all_as_used))
    write_between_marks(PAGE, list(table_one(results)), "table 1")
    iphone = next((each.scores for each in results if each.phone == "iphone"), None)
    if iphone is None or not options.rounds:
        return
    times = time_networks(networks["iphone"], options.rounds)
    write_between_marks(PAGE, table(iphone, networks["iphone"], times))
    write_between_marks(README, summary(results, times))
    with written_whole(PLOT) as unfinished:
        plot(iphone, times).savefig(unfinished, dpi=110)


if __name__ == "__main__":
    try:
        main()
    except DslrGanError as error:
        sys.exit(f"scripts.results: {error}")
