"""Peak memory of a fresh process from file to file, by size of the photo.

    python -m benchmarks.memory

Needs Linux. Interpreter and PyTorch included; the first row, a photo of one pixel, is what these
cost alone. JPEGs are held in memory, TIFFs are read and written a part at a time. A generator of
four channels stands in for the bundled one with ``--quick``: the network's share depends on the
tile, which is the same for all.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from dslr_gan import Generator, PhotoEnhancer
from dslr_gan.image import opened_photo

SIZES = ((1, 1), (4000, 3000), (8000, 6000), (20_000, 10_000), (65_000, 40), (10_000, 1))
SUFFIXES = ("jpg", "tif")


def write_photo(file: Path, width: int, height: int) -> None:
    """A real photo, repeated to a size; its suffix says the format."""
    pixels = skimage.data.coffee()
    repeats = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
    Image.fromarray(np.tile(pixels, repeats)[:height, :width]).save(file, quality=90)


def enhance(source: Path, quick: bool) -> float:
    """Enhance one file, and give this process's peak in megabytes."""
    if quick:
        enhancer = PhotoEnhancer(Generator(channels=4, blocks=1, context_channels=4))
    else:
        enhancer = PhotoEnhancer.from_pretrained("iphone")
    with opened_photo(source) as photo:
        enhancer.enhance_to(photo, source.with_stem("result"))
    # Not getrusage, whose peak a process inherits from the one that started it.
    (line,) = (
        each
        for each in Path("/proc/self/status").read_text().splitlines()
        if each.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--enhance", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.enhance:
        print(enhance(options.enhance, options.quick))
        return
    print("| photo | megapixels | JPEG, peak (MB) | TIFF, peak (MB) |\n|---|---|---|---|")
    for width, height in SIZES:
        peaks = [peak_of(width, height, suffix, options.quick) for suffix in SUFFIXES]
        row = " | ".join(f"{peak:.0f}" for peak in peaks)
        print(f"| {width}x{height} | {width * height / 1e6:.1f} | {row} |", flush=True)


def peak_of(width: int, height: int, suffix: str, quick: bool) -> float:
    """Peak of a process of its own that enhances a photo of a size, in megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"photo.{suffix}"
        write_photo(source, width, height)
        command = [sys.executable, "-m", "benchmarks.memory", "--enhance", str(source)]
        command += ["--quick"] * quick
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(run.stdout)


if __name__ == "__main__":
    main()
