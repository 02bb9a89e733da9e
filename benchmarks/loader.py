"""How fast samples are read, and how long 160 000 pairs take to open.

    python -m benchmarks.loader

The pictures are 100x100 patches of a photo that ships with scikit-image, as JPEG files in two
folders, as a dataset of parquet files, and as a stream of the same. Every line is a fresh pass of
the same samples; the yardstick is Pillow alone, decoding the same files one after the other. Disks
and caches are warm. The line of a stream is one epoch, at whose end the library rests five
seconds. The folder of 160 000 pairs holds links to one patch.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import datasets
import numpy as np
import skimage.data
import torch
from PIL import Image
from torch.utils.data import DataLoader

import dslr_gan.data.samples
from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.samples import BatchNumbers, PatchPairs
from dslr_gan.data.splits import hold_out
from dslr_gan.data.streaming import StreamedPairs

SIDE, BATCH = 100, 30


def write_patches(folder: Path, count: int) -> None:
    """A pairs folder of JPEG patches, and beside it the same as parquet."""
    photo = skimage.data.coffee()
    rng = np.random.default_rng(0)
    files: dict[str, list[str]] = {"phone": [], "canon": []}
    for side, found in files.items():
        (folder / "files" / side).mkdir(parents=True)
        for number in range(count):
            top, left = (int(rng.integers(size - SIDE)) for size in photo.shape[:2])
            file = folder / "files" / side / f"{number}.jpg"
            Image.fromarray(photo[top : top + SIDE, left : left + SIDE]).save(file, quality=95)
            found.append(str(file))
    columns = {
        column: [{"bytes": Path(file).read_bytes(), "path": None} for file in files[side]]
        for column, side in (("phone", "phone"), ("dslr", "canon"))
    }
    features = datasets.Features(dict.fromkeys(columns, datasets.Image()))
    rows = datasets.Dataset.from_dict(columns, features=features)
    (folder / "parquet" / "data").mkdir(parents=True)
    for part in range(2):
        rows.shard(2, part).to_parquet(folder / "parquet" / "data" / f"train-{part}.parquet")


def link_pairs(folder: Path, count: int) -> None:
    """A pairs folder of so many links to one patch, a few thousand to a copy."""
    photo = Image.fromarray(skimage.data.coffee()[:SIDE, :SIDE])
    for side in ("phone", "canon"):
        (folder / side).mkdir(parents=True)
        for number in range(count):
            file = folder / side / f"{number}.jpg"
            if number % 10_000 == 0:  # file systems limit the links to one file
                photo.save(file)
                original = file
            else:
                os.link(original, file)


def numbered(
    folder: Path, workers: int, batches: int, *, kept: bool, summary: bool
) -> Iterator[dict[str, torch.Tensor]]:
    """Batches of pairs by number; kept ones have been decoded by a pass before."""
    dslr_gan.data.samples.KEPT_BYTES = 2**30 if kept else 0
    pairs = PatchPairs([open_pairs(folder).train], size=SIDE, with_summary=summary)
    numbers = BatchNumbers(batches, 2 * batches, BATCH)
    if kept:
        for number in range(len(pairs)):
            pairs[number]
    return iter(DataLoader(pairs, batch_sampler=numbers, num_workers=workers))


def streamed(folder: Path, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Batches of a stream."""
    pairs = StreamedPairs([open_pairs(folder, streaming=True).train], size=SIDE, with_summary=False)
    loader = DataLoader(pairs, batch_size=BATCH, num_workers=workers)
    return iter(loader)


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and processor seconds of this process and its children."""
    before, started = os.times(), time.perf_counter()
    run()
    taken, after = time.perf_counter() - started, os.times()
    return taken, sum(after[:4]) - sum(before[:4])


def rate(
    opened: Callable[[], Iterator[dict[str, torch.Tensor]]],
    rounds: Callable[[], float],
    batches: int,
) -> tuple[float, float]:
    """Pairs per wall second, and against Pillow alone, measured right after it."""
    samples = opened()

    def read() -> None:
        # Counted, since a stream has no end, and closing one takes the library five seconds.
        for _ in range(batches):
            next(samples)

    taken, _ = seconds(read)
    count = batches * BATCH
    return count / taken, count / taken / rounds()


def pillow_alone(folder: Path) -> float:
    """Pairs per second that Pillow decodes from files, doing nothing else."""
    names = sorted(os.listdir(folder / "phone"))  # noqa: PTH208

    def read() -> None:
        for name in names:
            for side in ("phone", "canon"):
                with Image.open(folder / side / name) as photo:
                    photo.load()

    return len(names) / seconds(read)[0]


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1500, help="how many are read")
    parser.add_argument("--opened", type=int, default=160_000, help="how many are opened")
    options = parser.parse_args()
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    batches = options.pairs // BATCH
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        datasets.config.HF_DATASETS_CACHE = folder / "cache"
        write_patches(folder, options.pairs)
        machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        versions = f"Pillow {Image.__version__}, torch {torch.__version__}"
        print(f"{machine}; {versions}; pairs of {SIDE}x{SIDE} JPEG patches\n")
        print("| read from | workers | pairs/s | against Pillow alone |\n|---|---|---|---|")

        def alone() -> float:
            return pillow_alone(folder / "files")

        for workers in (0, 1, 2):
            kinds = {
                f"{kind}{', kept' if kept else ''}{', with summary' if summary else ''}": partial(
                    numbered, folder / kind, workers, batches, kept=kept, summary=summary
                )
                for kind, kept, summary in (
                    ("files", False, False),
                    ("files", False, True),
                    ("files", True, False),
                    ("parquet", False, False),
                    ("parquet", True, False),
                )
            }
            if workers < 2:
                kinds["parquet, streamed"] = partial(streamed, folder / "parquet", workers)
            for name, samples in kinds.items():
                pairs, ratio = rate(samples, alone, batches)
                print(f"| {name} | {workers} | {pairs:.0f} | {ratio:.2f} |", flush=True)
        link_pairs(folder / "many", options.opened)
        taken, processor = seconds(lambda: open_pairs(folder / "many"))
        print(f"\n{options.opened} pairs open in {taken:.1f} s ({processor:.1f} s of processor)")
        source = open_pairs(folder / "many")
        taken, processor = seconds(lambda: hold_out(source, 0.1, 0))
        print(f"and are divided in {taken:.1f} s ({processor:.1f} s of processor)")


if __name__ == "__main__":
    main()
