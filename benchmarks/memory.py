"""Peak memory of a fresh process from file to file, by size of the photo.

    python -m benchmarks.memory

Needs Linux. Interpreter and PyTorch included; the first row, a photo of one pixel, is what these
cost alone. JPEGs are held in memory, TIFFs are read and written a part at a time. A generator of
four channels stands in for the bundled one with ``--method quick``: the network's share depends on
the tile, which is the same for all.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import enhancer_of, write_photo
from dslr_gan import Generator, PhotoEnhancer
from dslr_gan.enhance.enhancer import TILE
from dslr_gan.files import path_from_home
from dslr_gan.photo import open_photo_in_parts

SIZES = ((1, 1), (4000, 3000), (8000, 6000), (20_000, 10_000), (65_000, 40), (10_000, 1))
SUFFIXES = ("jpg", "tif")


def peak_megabytes(
    size: tuple[int, int], *, method: str = "iphone", tile: int = TILE, suffix: str = "jpg"
) -> float:
    """Peak resident memory of a process that enhances one photo of a size."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"photo.{suffix}"
        write_photo(source, *size)
        command = [sys.executable, "-m", "benchmarks.memory", "--enhance", str(source)]
        command += ["--method", method, "--tile", str(tile)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(run.stdout)


def enhance(source: Path, method: str, tile: int) -> float:
    """Enhance one file, and give this process's peak in megabytes."""
    if method == "quick":
        enhancer = PhotoEnhancer(Generator(channels=4, blocks=1, context_channels=4), tile)
    else:
        enhancer = enhancer_of(method, tile=tile)
    with open_photo_in_parts(source) as photo:
        enhancer.enhance_to_file(photo, source.with_stem("result"))
    # Not getrusage, whose peak a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--method", default="iphone", help="iphone, sony, quick, or a yardstick")
    parser.add_argument("--tile", type=int, default=TILE)
    parser.add_argument("--enhance", type=path_from_home, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.enhance:
        print(enhance(options.enhance, options.method, options.tile))
        return
    print("| photo | megapixels | JPEG, peak (MB) | TIFF, peak (MB) |\n|---|---|---|---|")
    for size in SIZES:
        peaks = [
            peak_megabytes(size, method=options.method, tile=options.tile, suffix=suffix)
            for suffix in SUFFIXES
        ]
        row = " | ".join(f"{peak:.0f}" for peak in peaks)
        print(f"| {size[0]}x{size[1]} | {size[0] * size[1] / 1e6:.1f} | {row} |", flush=True)


if __name__ == "__main__":
    main()
