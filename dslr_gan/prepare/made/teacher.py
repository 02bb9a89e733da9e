"""Pairs made from photos: by a published generator, or from targets on a grid."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.models.generator import Generator
from dslr_gan.photo import open_photo, rgb_pixels, to_pixels, to_tensor
from dslr_gan.prepare.made.pairs_folder import (
    MadePair,
    Progress,
    grid_corners,
    write_pairs,
)
from hub_card import Source

BLEND_PIXELS = 0.15
"""Share of a second network's enhancement in a blended target; see :func:`blend`."""

BLEND_COLOUR = 0.4
"""Share of that enhancement's mean colour in the target's mean colour."""


def prepare_teacher(
    photos: Sequence[Path],
    weights: Path,
    out: Path,
    *,
    crop: int | None = 512,
    per_photo: int | None = None,
    vary: bool = False,
    seed: int = 0,
    source: Source | None = None,
    teacher: Source | None = None,
    progress: Progress | None = None,
) -> int:
    """Make pairs of photo crops and a published generator's results for them.

    A generator with instance norm sees each crop alone, because its result depends on what it
    is shown; whoever compares a student with it must take the same crops.

    Args:
        photos: Photo files; one smaller than a crop gives none.
        weights: A safetensors file that :meth:`Generator.from_published` reads.
        out: The pairs folder to write; must not exist, or be empty.
        crop: Side of the square crops in pixels; ``None`` for whole photos, one pair each.
        per_photo: How many of a photo's crops to take, chosen by the seed; ``None`` for all.
        vary: Whether to take squares of any size and place instead of the crops of a grid, and
            to change their exposure, colours and contrast, see :func:`varied`. What a network
            with instance norm does depends on the statistics of what it is shown, and a few
            photos have few of them.
        seed: For the choice, or for what is varied.
        source: What the card says of the photos, but for their number, which is counted.
        teacher: What the card says of the generator, but for what it gave; ``None`` for what
            holds of those that were published with DPED.
        progress: Called with (photos done, photos in all).

    Returns:
        How many pairs were written.

    Raises:
        DslrGanError: If a file cannot be read, ``out`` is taken, or crops are to be varied and
            ``per_photo`` does not say how many there shall be.
    """
    if vary and per_photo is None:
        raise DslrGanError("there is no end of varied crops; say with --per-photo how many.")
    network = Generator.from_published(weights)

    def patches(position: int, pixels: np.ndarray, name: str) -> Iterator[MadePair]:
        rng = np.random.default_rng([seed, position])
        for place, piece in _crops(pixels, crop, per_photo, vary, rng):
            yield MadePair(f"{name}{place}", piece, _enhanced(network, piece))

    kind = "crops of varied scale and exposure" if vary else "crops"
    shown = "whole photos" if crop is None else f"{crop}x{crop} {kind}, each enhanced alone"
    teacher = dataclasses.replace(teacher or _published(weights), gave=f"targets for {shown}")
    return write_pairs(photos, out, patches, source, [teacher], progress)


def _crops(
    pixels: np.ndarray, side: int | None, count: int | None, vary: bool, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Crops of a photo with the part of a name that tells them apart; no side takes all of it."""
    if side is None:
        return iter([("", pixels)])
    if vary:
        return _varied_crops(pixels, side, count or 0, rng)
    return _grid_crops(pixels, side, count, rng)


def _grid_crops(
    pixels: np.ndarray, side: int, count: int | None, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Crops of a grid, with what their names say of their place; some of them, or all."""
    corners = grid_corners(pixels.shape, side)
    if count is not None and count < len(corners):
        chosen = rng.permutation(len(corners))
        corners = [corners[index] for index in sorted(chosen[:count])]
    for top, left in corners:
        yield f"_{top}_{left}", pixels[top : top + side, left : left + side]


def _varied_crops(
    pixels: np.ndarray, side: int, count: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """So many crops of varied scale and light, numbered; none of a photo that is too small."""
    if min(pixels.shape[:2]) >= side:
        for number in range(count):
            yield f"_{number}", varied(pixels, side, rng)


def varied(pixels: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a square of any size out of a photo, scale it down, and change its light.

    Args:
        pixels: ``(H, W, 3)`` uint8, no side shorter than ``side``.
        side: Side of the result in pixels. The square is between that large and as large as the
            photo, and the logarithm of its size is uniform.
        rng: Decides the square, and whether and how it is changed: two in three are, their
            exposure by a factor that is mostly between 0.7 and 1.4, their channels by 6 % apart,
            their contrast by 15 %.

    Returns:
        ``(side, side, 3)``, uint8.
    """
    height, width = pixels.shape[:2]
    size = round(side * (min(height, width) / side) ** rng.random())
    top, left = (int(rng.integers(length - size + 1)) for length in (height, width))
    square = Image.fromarray(np.ascontiguousarray(pixels[top : top + size, left : left + size]))
    piece = np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
    if rng.random() < 1 / 3:
        return piece
    light = piece * np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.06, 3))
    mean = light.mean()
    changed = mean + (light - mean) * np.exp(rng.normal(0, 0.15))
    result: np.ndarray = changed.round().clip(0, 255).astype(np.uint8)
    return result


def prepare_grid(
    photos: Sequence[Path],
    targets: Path,
    out: Path,
    *,
    grid: int = 100,
    blend_with: Path | None = None,
    source: Source | None = None,
    teacher: Source | None = None,
    progress: Progress | None = None,
) -> int:
    """Make pairs from photos and targets that were made patch by patch on a grid.

    The cuts follow the grid and never cross it, because each of its patches was made alone.

    Args:
        photos: Photo files.
        targets: Folder with a target of the same stem for each photo; where a target is smaller,
            it covers the photo's upper left.
        out: The pairs folder to write; must not exist, or be empty.
        grid: Side of the patches in pixels.
        blend_with: A safetensors file that :meth:`Generator.from_published` reads; what it makes
            of each patch is mixed into the target by :func:`blend`. ``None`` leaves the targets
            as they are.
        source: What the card says of the photos, but for their number, which is counted.
        teacher: What the card says of whatever made the targets, likewise.
        progress: Called with (photos done, photos in all).

    Returns:
        How many pairs were written.

    Raises:
        DslrGanError: If a file cannot be read, a photo has no target, a target is larger than
            its photo, or ``out`` is taken.
    """
    by_stem = _targets_by_stem(photos, targets)
    second = None if blend_with is None else Generator.from_published(blend_with)

    def patches(position: int, pixels: np.ndarray, name: str) -> Iterator[MadePair]:
        target = rgb_pixels(open_photo(by_stem[name]))
        if target.shape[0] > pixels.shape[0] or target.shape[1] > pixels.shape[1]:
            raise DslrGanError(f"the target {by_stem[name]} is larger than its photo.")
        for top, left in grid_corners(target.shape, grid):
            window = slice(top, top + grid), slice(left, left + grid)
            piece, wanted = pixels[window], target[window]
            if second is not None:
                wanted = blend(wanted, _enhanced(second, piece))
            yield MadePair(f"{name}_{top}_{left}", piece, wanted)

    teachers = []
    if teacher is not None:
        gave = f"targets for {grid}x{grid} patches, each enhanced alone"
        teachers = [dataclasses.replace(teacher, gave=gave)]
    if blend_with is not None:
        teachers.append(_blended(blend_with))
    return write_pairs(photos, out, patches, source, teachers, progress)


def _targets_by_stem(photos: Sequence[Path], targets: Path) -> dict[str, Path]:
    """The files of a folder with targets by their stem; every photo has one."""
    if not targets.is_dir():
        raise DslrGanError(f"there is no folder {targets}; name the one with the targets.")
    by_stem = {file.stem: file for file in sorted(targets.iterdir()) if file.is_file()}
    missing = [photo.name for photo in photos if photo.stem not in by_stem]
    if missing:
        raise DslrGanError(f"{targets} has no target for {missing[0]}; each photo needs one.")
    return by_stem


def blend(
    target: np.ndarray,
    second: np.ndarray,
    pixels: float = BLEND_PIXELS,
    colour: float = BLEND_COLOUR,
) -> np.ndarray:
    """Mix a second network's enhancement of a patch into its target.

    How bright the DSLR's picture is can hardly be seen in a small patch, and networks that were
    trained apart err apart, which a mean evens out in part. Their fine detail differs in quality,
    so less of it is taken.

    Args:
        target: ``(H, W, 3)``, uint8.
        second: The same shape.
        pixels: How much of the second goes into every pixel.
        colour: How much of its mean colour goes into the mean colour.

    Returns:
        uint8: the mixture of the pixels, moved as a whole until its mean colour, but for clipping,
        is ``colour`` of the way to the second's.
    """
    mixed = target + pixels * (second - target.astype(np.float64))
    apart = second.mean(axis=(0, 1)) - target.mean(axis=(0, 1))
    moved = mixed + (colour - pixels) * apart
    blended: np.ndarray = moved.round().clip(0, 255).astype(np.uint8)
    return blended


def _enhanced(network: Generator, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return to_pixels(network(to_tensor(np.ascontiguousarray(pixels))), np.uint8)


def _published(weights: Path) -> Source:
    """What a card says of a generator that was published with DPED."""
    return Source(
        name=f"enhancements by {weights.stem}",
        gave="",
        terms="free for research, like the DPED data it learned from",
        url="https://github.com/aiff22/DPED",
        dataset_id=None,
    )


def _blended(weights: Path) -> Source:
    """What a card says of a generator that is blended into targets."""
    gave = f"{BLEND_PIXELS:.0%} of the targets' pixels and {BLEND_COLOUR:.0%} of their mean colour"
    return dataclasses.replace(_published(weights), gave=gave)
