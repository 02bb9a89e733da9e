"""What the benchmarks share: photos to enhance, networks to compare, and fair timing."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from PIL import Image

from dslr_gan import Generator, PhotoEnhancer
from dslr_gan.models.baselines import SRCNN
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.photo import open_photo, open_photo_in_parts, photo_pixels, to_tensor

SMALL, LARGE, HUGE = (1280, 720), (4000, 3000), (8000, 6000)
"""Widths and heights of the photos."""

WHOLE_ONLY = ("ResNet 8-32", "DPED 12-64")
"""Published networks that must see a picture whole."""

YARDSTICKS = ("SRCNN", *WHOLE_ONLY)
"""Published networks that ours are compared with."""

Rounds = dict[str, list[float]]
"""Seconds of each method in each round."""


def write_photo(file: Path, width: int, height: int) -> None:
    """A real photo, repeated to a size; its suffix says the format."""
    pixels = skimage.data.coffee()
    repeats = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
    Image.fromarray(np.tile(pixels, repeats)[:height, :width]).save(file, quality=90)


def enhancer_of(name: str, **options: Any) -> PhotoEnhancer:
    """A bundled model, or a network of the shape of a published one."""
    if name not in YARDSTICKS:
        return PhotoEnhancer.from_pretrained(name, **options)
    return PhotoEnhancer(published(name), **options)


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


def in_turn(methods: dict[str, Callable[[], float]], rounds: int, warm: int = 1) -> Rounds:
    """Let the methods take turns; each returns seconds. The first ``warm`` rounds do not count."""
    taken: Rounds = {name: [] for name in methods}
    for turn in range(rounds + warm):
        for name, method in methods.items():
            seconds = method()
            if turn >= warm:
                taken[name].append(seconds)
    return taken


def ratio(taken: Rounds, name: str, to: str) -> float:
    """Median over the rounds of one method's time over another's."""
    return statistics.median(a / b for a, b in zip(taken[name], taken[to], strict=True))


class FileToFile:
    """One photo from file to file: seconds, and which share of them was not the network."""

    def __init__(self, enhancer: PhotoEnhancer, source: Path) -> None:
        self.enhancer, self.source = enhancer, source
        self.network = 0.0
        self.shares: list[float] = []
        self._run = enhancer._runner.run
        enhancer._runner.run = self._timed  # type: ignore[method-assign]

    def _timed(self, *inputs: Any) -> torch.Tensor | None:
        started = time.perf_counter()
        result = self._run(*inputs)
        self.network += time.perf_counter() - started
        return result

    def __call__(self) -> float:
        """Decode, enhance, encode."""
        self.network, started = 0.0, time.perf_counter()
        with open_photo_in_parts(self.source) as photo:
            self.enhancer.enhance_to_file(photo, self.source.with_stem("result"))
        seconds = time.perf_counter() - started
        self.shares.append(1 - self.network / seconds)
        return seconds


def whole(enhancer: PhotoEnhancer, source: Path) -> Callable[[], float]:
    """The network alone on the whole picture: seconds, without anything around it."""
    pixels = to_tensor(photo_pixels(open_photo(source)).pixels)
    pixels = pixels.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run() -> float:
        started = time.perf_counter()
        enhancer.generator(pixels)
        return time.perf_counter() - started

    return run
