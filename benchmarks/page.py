"""How long people wait at the page, alone and all at once, and what it costs its server.

    python -m benchmarks.page photos --out docs/benchmark_page.md
    python -m benchmarks.page clients --out docs/benchmark_page.md
    python -m benchmarks.page bombs --out docs/benchmark_page.md

Each part takes up to five minutes on two cores and replaces its own section of the report.
"""

import argparse
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from gradio_client import Client, handle_file
from PIL import Image

from benchmarks.common import write_photo

SIZES = {3: (2000, 1500), 12: (4000, 3000), 48: (8000, 6000)}
"""Width and height by megapixels."""


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
        f"download at another strength, which runs no network. Medians of {options.rounds} rounds."
    )
    yield from table(
        "megapixels",
        "photo (s)",
        "first picture (s)",
        "every pixel (s)",
        "download (s)",
        "peak (MB)",
    )
    for megapixels, size in SIZES.items():
        photo = Path(os.environ["GRADIO_TEMP_DIR"]) / f"{megapixels}.jpg"
        write_photo(photo, *size)
        taken: dict[str, list[float]] = {}
        with peak_of(psutil.Process()) as peak:
            for _ in range(options.rounds):
                began = time.perf_counter()
                for step in enhance_photo(photo, ["iphone"], "one"):
                    if step["state"] in ("original", "preview", "done"):
                        taken.setdefault(step["state"], []).append(time.perf_counter() - began)
                began = time.perf_counter()
                downloads.download(step["result"], "one", 0.7)
                taken.setdefault("download", []).append(time.perf_counter() - began)
        kept.forget_session("one")
        times = (f"{statistics.median(seconds):.2f}" for seconds in taken.values())
        yield f"| {megapixels} | {' | '.join(times)} | {peak():.0f} |"


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


# What they share -------------------------------------------------------------------------------


def table(*header: str) -> list[str]:
    """The first two lines of a table."""
    return [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]


def call(client: Client, photo: Path) -> tuple[float, str]:
    """Enhance a photo through the endpoint: seconds, and the error where there was one."""
    began = time.perf_counter()
    try:
        client.predict(handle_file(photo), "iphone", 1.0, None, api_name="/enhance")
        error = ""
    except Exception as refusal:
        error = str(refusal) or type(refusal).__name__
    return time.perf_counter() - began, error


@contextmanager
def page(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Serve the page: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "gradio").mkdir()
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "gradio")}
    root = Path(__file__).parents[1]
    with (folder / "app.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=root,
            env=os.environ | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def peak_of(process: psutil.Process) -> Iterator[Callable[[], float]]:
    """Watch a process's memory; gives what it had at most, in MB, without pages of open files."""
    most, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.is_set():
            memory = process.memory_info()
            most = max(most, memory.rss - memory.shared)
            over.wait(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: most / 1e6
    finally:
        over.set()
        thread.join()


def replaced(report: Path, section: str) -> str:
    """The report with one section made anew, or put at its end."""
    title = section.splitlines()[0]
    head = "# What people wait for at the page\n"
    parts = report.read_text().split("\n## ") if report.exists() else [head]
    kept = [part for part in parts if f"## {part.splitlines()[0]}" != title]
    return "\n## ".join([*(part.rstrip() + "\n" for part in kept), section.removeprefix("## ")])


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parts: dict[str, Callable[[Any], Iterator[str]]] = {
        "photos": photos,
        "clients": clients,
        "bombs": bombs,
    }
    parser.add_argument("part", choices=parts)
    parser.add_argument("--rounds", type=int, default=3, help="of part photos (default: 3)")
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
    lines.insert(1, f"Written by `{command}` on {where}.")
    text = lines[0] + "\n"
    for before, line in zip(lines, lines[1:], strict=False):
        in_table = before.startswith("|") and line.startswith("|")
        text += f"{'' if in_table else chr(10)}{line}\n"
    print(text)
    if options.out:
        options.out.write_text(replaced(options.out, text))


if __name__ == "__main__":
    main()
