"""Time and memory of enhancing, as ratios within one run.

    python -m benchmarks.inference

SRCNN (Dong et al. 2014) is the yardstick; its weights do not matter to its speed. Every method
enhances the same 1280x720 photo, in turn, and the median of the rounds counts. Memory is the peak
of a fresh process that enhances one photo, interpreter and PyTorch included.
"""

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import skimage.data
import torch
from PIL import Image

from dslr_gan import PhotoEnhancer
from dslr_gan.baselines import SRCNN

MEMORY_SIZES = ((1280, 720), (4000, 3000), (8000, 6000))


def photo_of(width: int, height: int) -> Image.Image:
    """A real photo, repeated to a size."""
    pixels = skimage.data.coffee()
    repeats = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
    return Image.fromarray(np.tile(pixels, repeats)[:height, :width])


def seconds(methods: dict[str, PhotoEnhancer], rounds: int) -> dict[str, float]:
    """Median seconds per photo of each method; the methods take turns."""
    photo = photo_of(1280, 720)
    taken: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(rounds + 1):
        for name, enhancer in methods.items():
            started = time.perf_counter()
            enhancer.enhance(photo)
            if turn > 0:  # the first round warms up
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in taken.items()}


def peak_megabytes(size: tuple[int, int]) -> float:
    """Peak resident memory of a process that enhances one photo of a size."""
    command = [sys.executable, "-m", "benchmarks.inference", "--memory", f"{size[0]}x{size[1]}"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        width, height = map(int, options.memory.split("x"))
        PhotoEnhancer.from_pretrained("iphone").enhance(photo_of(width, height))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    methods = {"SRCNN": PhotoEnhancer(SRCNN())}
    methods |= {name: PhotoEnhancer.from_pretrained(name) for name in ("iphone", "sony")}
    taken = seconds(methods, options.rounds)
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, "
          f"torch {torch.__version__}; one 1280x720 photo\n")  # fmt: skip
    print("| method | seconds | SRCNN's time over its own |\n|---|---|---|")
    for name, value in taken.items():
        print(f"| {name} | {value:.2f} | {taken['SRCNN'] / value:.1f} |")
    print("\n| photo | peak memory (MB) |\n|---|---|")
    for size in MEMORY_SIZES:
        print(f"| {size[0]}x{size[1]} | {peak_megabytes(size):.0f} |")


if __name__ == "__main__":
    main()
