"""Time and memory of enhancing, as ratios within one run, from file to file.

    python -m benchmarks.inference --out docs/benchmark_enhance.md

Every method enhances the same JPEG, in turn; what counts is the median over the rounds of each
round's ratio, so that a machine that is busy with other things slows all of them. SRCNN (Dong et
al. 2014), ResNet 8-32 and DPED 12-64 (Ignatov et al. 2017, PIRM 2018) are the yardsticks; weights
do not matter to speed, so theirs are random. Memory is the
peak of a fresh process that enhances one photo, Python and PyTorch included; it needs Linux.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.memory import write_photo
from dslr_gan import Generator, PhotoEnhancer
from dslr_gan.baselines import SRCNN
from dslr_gan.enhancer import TILE
from dslr_gan.files import written_whole
from dslr_gan.image import open_photo, save_photo, to_canvas, to_tensor
from dslr_gan.pretrained import Pretrained

SMALL, LARGE = (1280, 720), (4000, 3000)
TILES = (512, 768, 1024)

Rounds = dict[str, list[float]]
"""Seconds of each method in each round."""


def published(shape: str) -> Pretrained:
    """A network of the shape of a published one; its weights do not matter here."""
    if shape == "SRCNN":
        return SRCNN()
    channels, blocks = (32, 2) if shape == "ResNet 8-32" else (64, 4)
    return Generator(
        channels=channels,
        blocks=blocks,
        downscale=1,
        norm="instance",
        end_kernel=9,
        residual=False,
    )


def in_turn(methods: dict[str, Callable[[], float | None]], rounds: int, warm: int) -> Rounds:
    """Let the methods take turns; one that returns seconds has measured for itself.

    The first ``warm`` rounds do not count.
    """
    taken: Rounds = {name: [] for name in methods}
    for turn in range(rounds + warm):
        for name, method in methods.items():
            started = time.perf_counter()
            own = method()
            seconds = time.perf_counter() - started if own is None else own
            if turn >= warm:
                taken[name].append(seconds)
    return taken


def ratio(taken: Rounds, name: str, to: str) -> float:
    """Median over the rounds of one method's time over another's."""
    return statistics.median(a / b for a, b in zip(taken[name], taken[to], strict=True))


class Stages:
    """One photo from file to file, and how long the network alone took of it."""

    def __init__(self, enhancer: PhotoEnhancer, source: Path) -> None:
        self.enhancer, self.source = enhancer, source
        self.network = 0.0
        self.shares: list[float] = []
        self._forward = enhancer.generator.forward
        enhancer.generator.forward = self._timed  # type: ignore[method-assign]

    def _timed(self, *inputs: object) -> torch.Tensor:
        started = time.perf_counter()
        result = self._forward(*inputs)
        self.network += time.perf_counter() - started
        return result

    def run(self) -> None:
        """Decode, enhance, encode."""
        self.network, started = 0.0, time.perf_counter()
        result = self.enhancer.enhance(open_photo(self.source))
        save_photo(result, self.source.with_stem("result"))
        self.shares.append(1 - self.network / (time.perf_counter() - started))


def whole(enhancer: PhotoEnhancer, source: Path) -> Callable[[], float]:
    """The network alone on the whole picture: seconds, without anything around it."""
    canvas = to_canvas(open_photo(source))
    pixels = to_tensor(canvas.pixels).to(memory_format=torch.channels_last)

    def run() -> float:
        with torch.inference_mode():
            started = time.perf_counter()
            enhancer.generator(pixels)
            return time.perf_counter() - started

    return run


def peak_megabytes(size: tuple[int, int], tile: int) -> float:
    """Peak resident memory of a process that enhances one photo of a size."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "photo.jpg"
        write_photo(source, *size)
        command = [sys.executable, "-m", "benchmarks.inference", "--tile", str(tile)]
        command += ["--memory", str(source)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def own_peak() -> float:
    """Not getrusage, whose peak a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text()
    (line,) = (each for each in status.splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def yardsticks(source: Path, rounds: int) -> list[str]:
    """The bundled models against the published shapes, on a photo that those can take whole."""
    networks = {name: published(name) for name in ("SRCNN", "ResNet 8-32", "DPED 12-64")}
    enhancers = {name: PhotoEnhancer(network) for name, network in networks.items()}
    enhancers |= {name: PhotoEnhancer.from_pretrained(name) for name in ("iphone", "sony")}
    runs = {name: Stages(each, source).run for name, each in enhancers.items()}
    taken = in_turn(runs, rounds, warm=1)
    lines = [f"## A photo of {SMALL[0]}x{SMALL[1]}, from file to file\n"]
    lines += ["| method | seconds | times SRCNN's | of DPED 12-64's |", "|---|---|---|---|"]
    for name, seconds in taken.items():
        row = f"{statistics.median(seconds):.2f} | {ratio(taken, name, 'SRCNN'):.2f}"
        lines.append(f"| {name} | {row} | {ratio(taken, name, 'DPED 12-64'):.2f} |")
    return lines


def twelve_megapixels(source: Path, rounds: int) -> list[str]:
    """Tiles against the network alone on the whole picture; what is not the network."""
    alone = "network alone, whole picture"
    stages = {
        tile: Stages(PhotoEnhancer.from_pretrained("iphone", tile=tile), source) for tile in TILES
    }
    methods: dict[str, Callable[[], float | None]] = {
        alone: whole(PhotoEnhancer.from_pretrained("iphone"), source)
    }
    methods |= {f"file to file, tiles of {tile}": each.run for tile, each in stages.items()}
    taken = in_turn(methods, rounds, warm=0)
    lines = [f"\n## A photo of {LARGE[0]}x{LARGE[1]}, the iPhone model\n"]
    lines += ["| | seconds | times the network's alone | not the network | peak (MB) |"]
    lines += ["|---|---|---|---|---|"]
    lines.append(f"| {alone} | {statistics.median(taken[alone]):.1f} | 1 | 0 % | |")
    for (tile, each), name in zip(stages.items(), list(methods)[1:], strict=True):
        seconds, share = statistics.median(taken[name]), statistics.median(each.shares)
        row = f"{seconds:.1f} | {ratio(taken, name, alone):.2f} | {share:.0%}"
        lines.append(f"| {name} | {row} | {peak_megabytes(LARGE, tile):.0f} |")
    return lines


def main() -> None:
    """Write or print the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of the small photo")
    parser.add_argument("--large-rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, help="file for the report; printed without")
    parser.add_argument("--tile", type=int, default=TILE, help=argparse.SUPPRESS)
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        enhancer = PhotoEnhancer.from_pretrained("iphone", tile=options.tile)
        save_photo(enhancer.enhance(open_photo(options.memory)), options.memory)
        print(own_peak())
        return
    lines = [
        "# How fast photos are enhanced\n",
        "Written by `python -m benchmarks.inference --out docs/benchmark_enhance.md` on "
        f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}. Medians of "
        f"{options.rounds} rounds, {options.large_rounds} of the large photo, in which the methods "
        "take turns. The weights of SRCNN, ResNet 8-32 and DPED 12-64 are random.\n",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, size in (("small", SMALL), ("large", LARGE)):
            write_photo(Path(folder) / f"{name}.jpg", *size)
        lines += yardsticks(Path(folder) / "small.jpg", options.rounds)
        lines += twelve_megapixels(Path(folder) / "large.jpg", options.large_rounds)
    report = "\n".join(lines) + "\n"
    if options.out is None:
        print(report, end="")
        return
    with written_whole(options.out) as unfinished:
        unfinished.write_text(report, encoding="utf-8")


def processor() -> str:
    """The machine's processor by name, where the system tells."""
    file = Path("/proc/cpuinfo")
    for line in file.read_text().splitlines() if file.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
