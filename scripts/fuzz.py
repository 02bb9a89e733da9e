"""Damage photos of every kind at random, and count what comes of them.

    python -m scripts.fuzz --count 10000

Each input is one of the zoo's files, or one with much beside its pixels, with bytes flipped,
overwritten, cut out, doubled or cut off. A picture that comes out and can be read again is right,
and so is an error message. Anything else (another exception, a warning or a line of a decoder that
escapes, a file left behind, more than a few seconds) is a failure, is printed with its seed, and
makes the exit status 1. The seed of an input is its number.
"""

import argparse
import collections
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import (
    find_format,
    format_to_write,
    open_photo_in_parts,
    photo_pixels,
    write_photo_in_parts,
)
from tests.support import beside, zoo

SECONDS = 10
"""For one input; a whole one takes milliseconds."""


def damage(whole: bytes, random: np.random.Generator) -> bytes:
    """A few mutations, more often near the beginning, where headers are."""
    data = bytearray(whole)
    for _ in range(random.integers(1, 6)):
        reach = len(data) if random.random() < 0.5 else min(len(data), 400)
        place = int(random.integers(reach)) if reach else 0
        length = int(random.integers(1, 9))
        match random.integers(6):
            case 0:
                data[place : place + 1] = bytes([data[place] ^ (1 << random.integers(8))])
            case 1:
                data[place : place + length] = random.bytes(length)
            case 2:
                data[place : place + length] = bytes([int(random.choice([0, 255]))]) * length
            case 3:
                del data[place : place + length]
            case 4:
                data[place:place] = data[place : place + 8 * length]
            case _ if random.random() < 0.3:
                del data[max(place, 1) :]
        data = data or bytearray(1)
    return bytes(data)


def outcome(content: bytes, folder: Path, number: int) -> str:
    """What one file comes to: a photo, or an error message."""
    source = folder / "photo.bin"
    source.write_bytes(content)
    out = folder / "out"
    try:
        with open_photo_in_parts(source, max_megapixels=4) as photo:
            # Every third becomes a TIFF, whose tags are not those of the photo's own format.
            kind = find_format("tiff") if number % 3 == 0 else format_to_write(photo)
            canvas = photo_pixels(photo)
            whole = slice(0, canvas.height), slice(0, canvas.width)
            with write_photo_in_parts(canvas, out / "photo", format=kind.name) as (painting, _):
                painting.paint(*whole, canvas.read(*whole).astype(np.float32) / canvas.top)
    except DslrGanError as error:
        text = str(error)
        if not (text.isprintable() and text.endswith(".")):
            raise AssertionError(f"no error message: {text!r}") from error
        if out.exists() and list(out.iterdir()):
            raise AssertionError(f"left behind: {list(out.iterdir())}") from error
        return "refused with an error message"
    with Image.open(out / "photo") as result:
        result.load()
    (out / "photo").unlink()
    return "came out as a photo"


@contextmanager
def silent(file: Path) -> Iterator[None]:
    """Fail where anything is printed to standard error, also by a library in C."""
    sys.stderr.flush()
    kept = os.dup(2)
    with file.open("w+b") as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        if text := file.read_text(errors="replace").strip():
            raise AssertionError(f"printed: {text[:200]}")


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--minutes", type=float, default=30, help="stop after so long")
    options = parser.parse_args()

    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    wholes = [specimen.content for specimen in zoo.specimens().values()]
    wholes += beside.files().values()
    counts: collections.Counter[str] = collections.Counter()
    started, slowest = time.monotonic(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.first, options.first + options.count):
            if time.monotonic() - started > options.minutes * 60:
                print(f"stopped after {options.minutes} minutes")
                break
            random = np.random.default_rng(number)
            content = damage(wholes[number % len(wholes)], random)
            signal.alarm(SECONDS)
            begun = time.monotonic()
            try:
                with silent(Path(folder) / "said"):
                    came_to = outcome(content, Path(folder), number)
                counts[came_to] += 1
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                counts["FAILED"] += 1
                print(f"input {number}: {traceback.format_exception(error)[-1].strip()}")
            finally:
                signal.alarm(0)
            slowest = max(slowest, time.monotonic() - begun)
    print(f"{sum(counts.values())} inputs from {len(wholes)} files, slowest {slowest:.2f} s")
    for name, count in counts.most_common():
        print(f"{count:7d} {name}")
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
