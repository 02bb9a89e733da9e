"""Time, memory and arithmetic of enhancing, as ratios within one run.

    python -m benchmarks.inference --out docs/benchmark_enhance.md

Every method enhances the same JPEG, in turn; what counts is the median over the rounds of each
round's ratio, so that a machine that is busy with other things slows all of them. SRCNN (Dong et
al. 2014), ResNet 8-32 and DPED 12-64 (Ignatov et al. 2017, PIRM 2018) are the yardsticks; weights
do not matter to speed, so theirs are random. The last two must see a picture whole: their times on
larger photos are what their pixels would take at the speed of the small one. Memory is the peak of
a fresh process that enhances one photo, Python and PyTorch included; it needs Linux.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import (
    HUGE,
    LARGE,
    SMALL,
    YARDSTICKS,
    FileToFile,
    enhancer_of,
    in_turn,
    ratio,
    whole,
    write_photo,
)
from benchmarks.memory import peak_megabytes
from dslr_gan.enhance.enhancer import TILE
from dslr_gan.files import path_from_home, written_whole
from dslr_gan.models.pretrained import Pretrained

TILES = (512, 768, 1024, 1536)
METHODS = (*YARDSTICKS, "iphone", "sony")


# Measuring -----------------------------------------------------------------------------------


def multiplications(network: Pretrained, size: tuple[int, int]) -> float:
    """Multiplications (with their additions) for one picture, in thousands of millions."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network(torch.zeros(1, 3, size[1], size[0]))
    return counter.get_total_flops() / 2 / 1e9


def matrix_speed(side: int = 2048) -> float:
    """Multiplications per second of a product of two large matrices, in thousands of millions."""
    first, second = torch.rand(2, side, side)

    def run() -> float:
        started = time.perf_counter()
        first @ second
        return time.perf_counter() - started

    return side**3 / statistics.median(in_turn({"": run}, 5)[""]) / 1e9


# The report ----------------------------------------------------------------------------------


def table(*header: str) -> list[str]:
    """The first two lines of a table in Markdown."""
    return [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]


def small_photo(source: Path, rounds: int) -> Iterator[str]:
    """The bundled models against the published shapes, on a photo that those can take whole."""
    speed = matrix_speed()
    enhancers = {name: enhancer_of(name) for name in METHODS}
    alone = in_turn({name: whole(enhancer, source) for name, enhancer in enhancers.items()}, rounds)
    files = in_turn(
        {name: FileToFile(enhancer, source) for name, enhancer in enhancers.items()}, rounds
    )
    yield f"## A photo of {SMALL[0]}x{SMALL[1]}\n"
    yield f"Products of large matrices run at {speed:.0f} * 10^9 multiplications a second.\n"
    yield from table(
        *("method", "multiplications (10^9)", "network alone (s)", "SRCNN's time over it"),
        *("of the matrix speed", "file to file (s)", "SRCNN's time over it", "peak (MB)"),
    )
    for name, enhancer in enhancers.items():
        work, seconds = multiplications(enhancer.generator, SMALL), statistics.median(alone[name])
        row = f"{work:.1f} | {seconds:.2f} | {ratio(alone, 'SRCNN', name):.2f} | "
        row += f"{work / seconds / speed:.0%} | {statistics.median(files[name]):.2f} | "
        row += f"{ratio(files, 'SRCNN', name):.2f}"
        yield f"| {name} | {row} | {peak_megabytes(SMALL, method=name):.0f} |"


def large_photo(source: Path, size: tuple[int, int], small: Path, rounds: int) -> Iterator[str]:
    """The same on a larger photo, by tiles where that is possible; Sony's shape is iPhone's."""
    names = ("SRCNN", "iphone")
    taken = in_turn({name: FileToFile(enhancer_of(name), source) for name in names}, rounds, warm=0)
    megapixels = size[0] * size[1] / 1e6
    yield f"\n## A photo of {size[0]}x{size[1]}, {megapixels:.0f} megapixels, file to file\n"
    yield from table(
        "method", "multiplications (10^9)", "seconds", "SRCNN's time over it", "peak (MB)"
    )
    times = {name: statistics.median(seconds) for name, seconds in taken.items()}
    growth = size[0] * size[1] / (SMALL[0] * SMALL[1])
    for name in (*YARDSTICKS, "iphone"):
        enhancer = enhancer_of(name)
        work = multiplications(enhancer.generator, SMALL) * growth
        if name in times:
            row = f"{times[name]:.1f} | {ratio(taken, 'SRCNN', name):.2f}"
            yield f"| {name} | {work:.0f} | {row} | {peak_megabytes(size, method=name):.0f} |"
        else:
            seconds = FileToFile(enhancer, small)() * growth
            row = f"{seconds:.0f} (extrapolated) | {times['SRCNN'] / seconds:.2f}"
            yield f"| {name} | {work:.0f} | {row} | |"


def tiles(source: Path, rounds: int) -> Iterator[str]:
    """Tiles against the network alone on the whole picture; what is not the network."""
    alone = "network alone, whole picture"
    stages = {tile: FileToFile(enhancer_of("iphone", tile=tile), source) for tile in TILES}
    methods: dict[str, Callable[[], float]] = {alone: whole(enhancer_of("iphone"), source)}
    methods |= {f"file to file, tiles of {tile}": stage for tile, stage in stages.items()}
    taken = in_turn(methods, rounds, warm=0)
    yield f"\n## Sides of tiles, {LARGE[0]}x{LARGE[1]}, the iPhone model\n"
    yield from table("", "seconds", "times the network's alone", "not the network", "peak (MB)")
    yield f"| {alone} | {statistics.median(taken[alone]):.1f} | 1 | 0 % | |"
    for (tile, stage), name in zip(stages.items(), list(methods)[1:], strict=True):
        seconds, share = statistics.median(taken[name]), statistics.median(stage.shares)
        row = f"{seconds:.1f} | {ratio(taken, name, alone):.2f} | {share:.0%}"
        yield f"| {name} | {row} | {peak_megabytes(LARGE, tile=tile):.0f} |"


def ways(source: Path, rounds: int) -> Iterator[str]:
    """Precision, compiled code, threads: the same photo, run in every way there is."""
    options: dict[str, dict[str, Any]] = {
        "as it is": {},
        "bf16": {"precision": "bf16"},
        "compiled": {"compile": True},
        "bf16, compiled": {"precision": "bf16", "compile": True},
    }
    enhancers = {name: enhancer_of("iphone", **choice) for name, choice in options.items()}
    methods: dict[str, Callable[[], float]] = {
        name: FileToFile(enhancer, source) for name, enhancer in enhancers.items()
    }
    first = {name: method() for name, method in methods.items()}
    threads = torch.get_num_threads()
    if threads > 1:
        methods["one thread"] = on_one_thread(FileToFile(enhancer_of("iphone"), source), threads)
    taken = in_turn(methods, rounds, warm=0)
    yield f"\n## Ways to run it, {LARGE[0]}x{LARGE[1]}, the iPhone model, file to file\n"
    yield from table("", "first photo (s)", "further photos (s)", "times as it is")
    for name, seconds in taken.items():
        start = f"{first[name]:.1f}" if name in first else ""
        row = f"{start} | {statistics.median(seconds):.1f} | {ratio(taken, name, 'as it is'):.2f}"
        yield f"| {name} | {row} |"
    if enhancers["bf16"].precision != "bf16":
        yield "\nThis machine has no bfloat16 of its own, so those rows are float32."


def on_one_thread(method: Callable[[], float], threads: int) -> Callable[[], float]:
    """A method that runs on one thread and leaves the number as it was."""

    def run() -> float:
        torch.set_num_threads(1)
        try:
            return method()
        finally:
            torch.set_num_threads(threads)

    return run


def batches(rounds: int) -> Iterator[str]:
    """Whether tiles are faster four at a time than one after another."""
    network = enhancer_of("iphone").generator
    yield "\n## Four tiles at a time instead of one after another, the iPhone network alone\n"
    yield from table("side of a tile", "one by one (s)", "in a batch (s)", "batch over one by one")
    for side in (256, 512, 1024):
        batch = torch.rand(4, 3, side, side).contiguous(memory_format=torch.channels_last)
        one_by_one = [image[None].contiguous(memory_format=torch.channels_last) for image in batch]
        taken = in_turn(
            {"one": _seconds(network, one_by_one), "four": _seconds(network, [batch])}, rounds
        )
        row = " | ".join(f"{statistics.median(seconds):.2f}" for seconds in taken.values())
        yield f"| {side} | {row} | {ratio(taken, 'four', 'one'):.2f} |"


def _seconds(network: Pretrained, inputs: list[torch.Tensor]) -> Callable[[], float]:
    @torch.inference_mode()
    def run() -> float:
        started = time.perf_counter()
        for image in inputs:
            network(image)
        return time.perf_counter() - started

    return run


def main() -> None:
    """Write or print the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of the small photo")
    parser.add_argument("--large-rounds", type=int, default=2, help="of 12 megapixels; 48 have one")
    parser.add_argument("--out", type=path_from_home, help="file for the report; printed without")
    options = parser.parse_args()
    lines = [
        "# How fast photos are enhanced\n",
        f"Written by `python -m benchmarks.inference --rounds {options.rounds} --large-rounds "
        f"{options.large_rounds} --out docs/benchmark_enhance.md` on {processor()}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}. Medians of the rounds, in "
        f"which the methods take turns. Tiles of {TILE} where nothing else is said. The weights "
        f"of {', '.join(YARDSTICKS)} are random.\n",
    ]
    with tempfile.TemporaryDirectory() as folder:
        files = {size: Path(folder) / f"{size[0]}.jpg" for size in (SMALL, LARGE, HUGE)}
        for size, file in files.items():
            write_photo(file, *size)
        lines += small_photo(files[SMALL], options.rounds)
        lines += large_photo(files[LARGE], LARGE, files[SMALL], options.large_rounds)
        lines += large_photo(files[HUGE], HUGE, files[SMALL], 1)
        lines += tiles(files[LARGE], options.large_rounds)
        lines += ways(files[LARGE], options.large_rounds)
        lines += batches(options.rounds)
    report = "\n".join(lines) + "\n"
    if options.out is None:
        print(report, end="")
        return
    with written_whole(options.out) as unfinished:
        unfinished.write_text(report, encoding="utf-8")


def processor() -> str:
    """The machine's processor by name, where the system has it."""
    file = Path("/proc/cpuinfo")
    for line in file.read_text().splitlines() if file.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
