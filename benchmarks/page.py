"""How long people wait at the page, alone and all at once, and what it costs its server.

    python -m benchmarks.page browser --out docs/benchmark_page.md
    python -m benchmarks.page photos --out docs/benchmark_page.md
    python -m benchmarks.page start --out docs/benchmark_page.md
    python -m benchmarks.page clients --number 30 --out docs/benchmark_page.md
    python -m benchmarks.page bombs --out docs/benchmark_page.md
    python -m benchmarks.page large --out docs/benchmark_page.md
    python -m benchmarks.page scores --out docs/benchmark_page.md

Each part takes up to five minutes on two quiet cores and replaces its own section of the report,
with all that stands in it. ``browser`` needs Playwright and Chromium.
"""

import argparse
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import skimage.data
import torch
from gradio_client import Client, handle_file
from PIL import Image

from benchmarks.common import write_photo
from benchmarks.served import SIZES, page, peak_of, table

TITLE = "# What people wait for at the page"


def browser(options: argparse.Namespace) -> Iterator[str]:
    """One photo of each size in Chromium."""
    from benchmarks.page_in_browser import browser as part  # needs what the others do not

    yield from part(options)


def photos(options: argparse.Namespace) -> Iterator[str]:
    """One photo of each size, as the page enhances it for one person: without browser and wire."""
    from dslr_gan.page.phone_models import enhancer_for
    from dslr_gan.page.work import downloads, kept
    from dslr_gan.page.work.photo_run import enhance_photo

    enhancer_for("iphone").enhance(Image.new("RGB", (300, 200)))
    yield "## One person"
    yield (
        "The page's work on a JPEG, in its process: seconds until the photo itself, the first "
        "enhanced picture, and every pixel are there, with the scores over the strength; then a "
        "download at another strength, which runs no network; and seconds from Stop, pressed after "
        f"the first tile, until the next person is served. Medians of {options.rounds} rounds."
    )
    yield from table(
        "megapixels",
        "photo (s)",
        "first picture (s)",
        "every pixel (s)",
        "download (s)",
        "stop (s)",
        "peak (MB)",
    )
    for megapixels, size in SIZES.items():
        photo = Path(os.environ["GRADIO_TEMP_DIR"]) / f"{megapixels}.jpg"
        write_photo(photo, *size)
        taken: dict[str, list[float]] = {}
        with peak_of(psutil.Process()) as peak:
            for _ in range(options.rounds):
                began, reached = time.perf_counter(), dict[str, float]()
                for step in enhance_photo(photo, ["iphone"], "one"):
                    reached.setdefault(step["state"], time.perf_counter() - began)
                for state in ("original", "preview", "done"):
                    taken.setdefault(state, []).append(reached[state])
                began = time.perf_counter()
                downloads.download(step["result"], "one", 0.7)
                taken.setdefault("download", []).append(time.perf_counter() - began)
                taken.setdefault("stop", []).append(
                    _stopped(enhance_photo(photo, ["iphone"], "one"))
                )
        kept.forget_session("one")
        times = (f"{statistics.median(seconds):.2f}" for seconds in taken.values())
        yield f"| {megapixels} | {' | '.join(times)} | {peak():.0f} |"


def _stopped(steps: Iterator[Any]) -> float:
    """Stop a photo after its first tile: seconds until its place is free."""
    from dslr_gan.errors import DslrGanError
    from dslr_gan.page.work.admission import LINE
    from dslr_gan.page.work.jobs import stop

    while next(steps)["state"] != "enhancing":
        pass
    began = time.perf_counter()
    stop("one")
    try:
        for _ in steps:
            pass
    except DslrGanError:
        while LINE.state()[1]:
            time.sleep(0.001)
    return time.perf_counter() - began


def start(options: argparse.Namespace) -> Iterator[str]:
    """The page as a process, from its start to its first answer."""
    yield "## Start"
    yield (
        "Seconds from `python app.py` until the page answers, its example enhanced, with the files "
        f"of Python in the memory already. Median and longest of {options.rounds} starts."
    )
    yield from table("median (s)", "longest (s)")
    taken = []
    for number in range(options.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            with page(Path(folder)):
                taken += [time.perf_counter() - began] * bool(number)  # the first one reads them
    yield f"| {statistics.median(taken):.1f} | {max(taken):.1f} |"


def clients(options: argparse.Namespace) -> Iterator[str]:
    """Many programs that send a photo of 12 megapixels at once."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        write_photo(photo, *SIZES[12])
        with page(Path(folder)) as (address, process):
            people = [
                Client(address, verbose=False, download_files=folder) for _ in range(options.number)
            ]
            alone, _ = call(people[0], photo)
            outcomes: dict[int, tuple[float, str]] = {}
            threads = [
                threading.Thread(
                    target=lambda number, one: outcomes.update({number: call(one, photo)}),
                    args=(number, one),
                )
                for number, one in enumerate(people)
            ]
            with peak_of(process) as peak:
                for thread in threads:
                    thread.start()
                    time.sleep(0.05)  # so that there is a first and a last
                for thread in threads:
                    thread.join()
            log = (Path(folder) / "app.log").read_text()
    done = {number: seconds for number, (seconds, error) in outcomes.items() if not error}
    refused = [error for _, error in outcomes.values() if "come back" in error]
    failed = [error for _, error in outcomes.values() if error and "come back" not in error]
    order = sorted(done, key=lambda number: done[number])
    moved = [abs(place - number) for place, number in enumerate(order)]
    yield f"## {options.number} at once"
    yield (
        f"{options.number} programs call `/enhance` with a photo of 12 megapixels within "
        f"{0.05 * options.number:.1f} s; one alone waits {alone:.1f} s."
    )
    yield from table(
        "done",
        "refused",
        "errors",
        "tracebacks in the log",
        "median wait (s)",
        "longest wait (s)",
        "peak (MB)",
    )
    waits = list(done.values())
    yield (
        f"| {len(done)} | {len(refused)} | {len(failed)} | {log.count('Traceback')} | "
        f"{statistics.median(waits):.0f} | {max(waits):.0f} | {peak():.0f} |"
    )
    yield (
        "Fairness: nobody was served more than "
        f"{max(moved)} places before or after the turn in which they came."
    )
    if failed:
        yield f"Errors: {'; '.join(sorted(set(failed)))}"


def bombs(options: argparse.Namespace) -> Iterator[str]:
    """Six small PNGs of 249 megapixels at once, and six of 119, which are within the limit."""
    yield "## Hostile photos"
    yield from table("six at once", "seconds until all are answered", "refused", "peak (MB)")
    for megapixels, side in ((249, 15_780), (119, 10_900)):
        with tempfile.TemporaryDirectory() as folder:
            photo = Path(folder) / "bomb.png"
            Image.new("1", (side, side)).save(photo)
            with page(Path(folder)) as (address, process):
                people = [Client(address, verbose=False, download_files=folder) for _ in range(6)]
                began = time.perf_counter()
                with peak_of(process) as peak:
                    jobs = [
                        one.submit(handle_file(photo), "iphone", 0.0, None, api_name="/enhance")
                        for one in people
                    ]
                    errors = [job.exception(options.limit) for job in jobs]
                seconds = time.perf_counter() - began
        refused = sum("megapixels" in str(error) for error in errors)
        size = f"PNGs of {megapixels} megapixels, strength 0"
        yield f"| {size} | {seconds:.1f} | {refused} | {peak():.0f} |"


def large(options: argparse.Namespace) -> Iterator[str]:
    """One photo at the page's limit through /enhance, with its score."""
    yield "## The largest photo"
    yield "One JPEG of 120 megapixels through `/enhance`, with the SSIM of all its pixels."
    yield from table("strength", "seconds", "peak (MB)")
    for strength in (0.0, 1.0):
        with tempfile.TemporaryDirectory() as folder:
            photo = Path(folder) / "large.jpg"
            write_photo(photo, 12_640, 9_480)
            with page(Path(folder)) as (address, process):
                client = Client(address, verbose=False, download_files=folder)
                began = time.perf_counter()
                with peak_of(process) as peak:
                    client.predict(
                        handle_file(photo), "iphone", strength, None, api_name="/enhance"
                    )
                seconds = time.perf_counter() - began
        yield f"| {strength:g} | {seconds:.0f} | {peak():.0f} |"


def scores(options: argparse.Namespace) -> Iterator[str]:
    """The table of scores over the strength against real blends of 12 megapixels."""
    from dslr_gan.metrics.over_strength import STRENGTHS
    from dslr_gan.metrics.similarity import ssim_and_ms_ssim, ssim_in_strips
    from dslr_gan.page.work import kept
    from dslr_gan.page.work.photo_run import enhance_photo

    yield "## Scores over the strength"
    yield (
        "The page's SSIM and MS-SSIM over the strength are computed from local means of some "
        "80 000 windows a scale. Largest difference from the scores of real blends, all of whose "
        "windows count, at strengths 0.25, 0.5, 0.75 and 1 (MS-SSIM: 0.5)."
    )
    yield from table("photo of 12 megapixels", "SSIM at 1", "SSIM off by", "MS-SSIM off by")
    for name in ("coffee", "grainy astronaut"):
        photo = Path(os.environ["GRADIO_TEMP_DIR"]) / "scores.png"
        if name == "coffee":
            write_photo(photo, *SIZES[12])
        else:
            large_one = Image.fromarray(skimage.data.astronaut()).resize(SIZES[12])
            grain = np.random.default_rng(0).normal(0, 5, (*SIZES[12][::-1], 3))
            Image.fromarray(np.clip(large_one + grain, 0, 255).astype(np.uint8)).save(photo)
        *_, done = enhance_photo(photo, ["iphone"], "one")
        before, after = kept.find(done["result"], "one").pictures()
        table_of, off = done["scores"], []
        for strength in (0.25, 0.5, 0.75, 1.0):
            mixed = np.rint(before + np.float32(strength) * (after.astype(np.float32) - before))
            blend = mixed.astype(np.uint8)
            real = ssim_in_strips(
                *(lambda top, bottom, one=one: one[top:bottom].copy() for one in (before, blend)),
                *SIZES[12],
            )
            off.append(abs(real - table_of["ssim"][STRENGTHS.index(strength)]))
            if strength == 0.5:
                pair = (torch.from_numpy(one.copy()).permute(2, 0, 1)[None] / 255
                        for one in (blend, before))  # fmt: skip
                with torch.inference_mode():
                    many_scales = float(ssim_and_ms_ssim(*pair)[1])
                off_scales = abs(many_scales - table_of["ms_ssim"][STRENGTHS.index(strength)])
        yield f"| {name} | {real:.4f} | {max(off):.4f} | {off_scales:.4f} |"
        kept.forget_session("one")


# What they share -------------------------------------------------------------------------------


def call(client: Client, photo: Path) -> tuple[float, str]:
    """Enhance a photo through the endpoint: seconds, and the error where there was one."""
    began = time.perf_counter()
    try:
        client.predict(handle_file(photo), "iphone", 1.0, None, api_name="/enhance")
        error = ""
    except Exception as refusal:
        error = str(refusal) or type(refusal).__name__
    return time.perf_counter() - began, error


def replaced(report: Path, section: str) -> str:
    """The report with one section made anew in its place, or put at its end."""
    head, *parts = (report.read_text() if report.exists() else f"{TITLE}\n").split("\n## ")
    new = section.removeprefix("## ").rstrip() + "\n"
    titles = [part.splitlines()[0] for part in parts]
    place = titles.index(new.splitlines()[0]) if new.splitlines()[0] in titles else len(parts)
    parts[place : place + 1] = [new]
    return "\n## ".join(part.rstrip() + "\n" for part in (head, *parts))


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parts: dict[str, Callable[[Any], Iterator[str]]] = {
        "browser": browser,
        "photos": photos,
        "start": start,
        "clients": clients,
        "bombs": bombs,
        "large": large,
        "scores": scores,
    }
    parser.add_argument("part", choices=parts)
    parser.add_argument(
        "--rounds", type=int, default=3, help="of photos, start and browser (default: 3)"
    )
    parser.add_argument("--beside", default="", help="what else the machine had to do, in words")
    parser.add_argument("--number", type=int, default=30, help="of clients (default: 30)")
    parser.add_argument("--limit", type=float, default=150, help="seconds for a bomb's answer")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="report to bring up to date")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        lines = list(parts[options.part](options))
    where = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    command = f"python -m benchmarks.page {options.part}"
    if options.part == "clients":
        command += f" --number {options.number}"
    beside = f", {options.beside}" if options.beside else ""
    lines.insert(1, f"Written by `{command}` on {where}{beside}.")
    text = lines[0] + "\n"
    for before, line in zip(lines, lines[1:], strict=False):
        in_table = before.startswith("|") and line.startswith("|")
        text += f"{'' if in_table else chr(10)}{line}\n"
    print(text)
    if options.out:
        options.out.write_text(replaced(options.out, text))


if __name__ == "__main__":
    main()
