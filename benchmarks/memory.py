"""Peak memory of a fresh process from file to file, by size of the photo.

    python -m benchmarks.memory

Needs Linux. Interpreter and PyTorch included; the first row, a photo of one pixel, is what these
cost alone. A generator of four channels stands in for the bundled one with ``--quick``: the
network's share depends on the tile, which is the same for all.
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
from dslr_gan.image import open_photo, save_photo

SIZES = ((1, 1), (4000, 3000), (8000, 6000), (20_000, 10_000), (65_000, 40), (10_000, 1))


def write_photo(file: Path, width: int, height: int) -> None:
    """A real photo, repeated to a size."""
    pixels = skimage.data.coffee()
    repeats = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
    Image.fromarray(np.tile(pixels, repeats)[:height, :width]).save(file, quality=90)


def enhance(source: Path, quick: bool) -> float:
    """Enhance one file, and give this process's peak in megabytes."""
    if quick:
        enhancer = PhotoEnhancer(Generator(channels=4, blocks=1, context_channels=4))
    else:
        enhancer = PhotoEnhancer.from_pretrained("iphone")
    result = enhancer.enhance(open_photo(source))
    save_photo(result, source.with_stem("result"))
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
    print("| photo | megapixels | peak (MB) | above one pixel, bytes a pixel |\n|---|---|---|---|")
    least = None
    for width, height in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "photo.jpg"
            write_photo(source, width, height)
            command = [sys.executable, "-m", "benchmarks.memory", "--enhance", str(source)]
            command += ["--quick"] * options.quick
            run = subprocess.run(command, capture_output=True, text=True, check=True)
        peak = float(run.stdout)
        least = least or peak
        pixels = width * height
        share = f"{(peak - least) * 2**20 / pixels:.1f}" if pixels > 10**7 else ""
        print(f"| {width}x{height} | {pixels / 1e6:.1f} | {peak:.0f} | {share} |", flush=True)


if __name__ == "__main__":
    main()
