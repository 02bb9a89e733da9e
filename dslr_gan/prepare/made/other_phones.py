"""Pairs made from what other phones saw of the same scenes.

A phone with a better camera, enhanced by a model of its own, shows a scene more like a DSLR than
any network makes of the first phone's photo: it has detail that is not in there. Its photo is
aligned with the first phone's, each patch once more by itself, and mixed with what a model of the
first phone makes of its photo as a whole. Of two pictures that err apart the mean errs less, and
the second has nothing of the misalignment that is left.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from skimage.filters import gaussian
from skimage.transform import warp

from dslr_gan.data.places import scene_number
from dslr_gan.errors import DslrGanError
from dslr_gan.photo import PHOTO_SUFFIXES, open_photo, rgb_pixels
from dslr_gan.prepare.alignment import align, luma, mapped
from dslr_gan.prepare.made.pairs_folder import (
    MadePair,
    Progress,
    grid_corners,
    write_pairs,
)
from dslr_gan.prepare.made.refinement import refine
from dslr_gan.prepare.made.teacher import blend
from hub_card import Source

OTHERS_PIXELS = 0.45
"""Share of the other phones' enhanced photos in the targets' pixels."""

OTHERS_COLOUR = 0.75
"""Their share in the targets' mean colours, in which they err less."""

LEAST_CORRELATION = 0.9
"""Patches that correlate less after they were aligned show something else: DPED's own limit."""

MARGIN = 14
"""Pixels around a patch in which its counterpart is looked for."""

PLAIN = 3 / 255
"""Where the structure of a patch deviates by less there is nothing to misalign, as in a sky."""

Enhance = Callable[[Image.Image], Image.Image]


class OtherPhone(NamedTuple):
    """A phone that saw the same scenes."""

    folder: Path
    """Its photos; the number that a name ends in is that of the scene."""
    enhance: Enhance
    """Gives its photos' enhancements, of the same size."""
    source: Source
    """What the card says of that, but for what it gave."""


def prepare_seen(
    photos: Sequence[Path],
    others: Sequence[OtherPhone],
    student: Enhance,
    out: Path,
    *,
    grid: int = 100,
    source: Source | None = None,
    progress: Progress | None = None,
    report: Callable[[str], None] | None = None,
) -> int:
    """Make pairs of a phone's patches and what other phones saw in their place.

    Args:
        photos: Photo files; the number that a name ends in is that of the scene. One that no other
            phone saw, or that cannot be aligned, gives no pair.
        others: The other phones, at least one.
        student: Enhances the photos themselves.
        out: The pairs folder to write; must not exist, or be empty.
        grid: Side of the patches in pixels.
        source: What the card says of the photos, but for their number, which is counted.
        progress: Called with (photos done, photos in all).
        report: Called with a sentence for each photo of another phone that cannot be aligned.

    Returns:
        How many pairs were written.

    Raises:
        DslrGanError: If a file cannot be read, two photos of a folder are of one scene, no pair is
            left, or ``out`` is taken.
    """
    scenes = [_by_scene(other.folder) for other in others]

    def patches(_: int, pixels: np.ndarray, name: str) -> Iterator[MadePair]:
        enhanced = _enhanced(student, pixels)
        views = []
        for other, files in zip(others, scenes, strict=True):
            file = files.get(scene_number(name))
            if file is None:
                continue
            seen = rgb_pixels(open_photo(file))
            try:
                homography = align(pixels, seen).homography
            except DslrGanError as error:
                if report is not None:
                    report(f"{file} is left out: {error}")
                continue
            views.append(_View(_enhanced(other.enhance, seen), homography))
        for top, left in grid_corners(pixels.shape, grid):
            window = slice(top, top + grid), slice(left, left + grid)
            found = [view.patch(enhanced[window], top, left) for view in views]
            shown = [patch for patch in found if patch is not None]
            if shown:
                mean = np.mean(shown, axis=0)
                target = blend(enhanced[window], mean, OTHERS_PIXELS, OTHERS_COLOUR)
                yield MadePair(f"{name}_{top}_{left}", pixels[window], target, (top, left))

    gave = (
        f"{OTHERS_PIXELS:.0%} of the targets' pixels and {OTHERS_COLOUR:.0%} of their mean colours"
    )
    teachers = [dataclasses.replace(other.source, gave=gave) for other in others]
    nothing = (
        "no photo has a counterpart that can be aligned with it; the photos of a scene must end in "
        "the same number, such as iphone_07.jpg and sony_07.jpg."
    )
    return write_pairs(photos, out, patches, source, teachers, progress, nothing)


class _View:
    """Another phone's enhanced photo, to be read in the frame of the first phone's."""

    def __init__(self, pixels: np.ndarray, homography: np.ndarray) -> None:
        self.homography = homography
        self.pixels = pixels

    def patch(self, enhanced: np.ndarray, top: int, left: int) -> np.ndarray | None:
        """What it shows in the place of a patch, ``(N, N, 3)`` in [0, 255]; None if it does not."""
        side, wanted = len(enhanced), luma(enhanced)
        y, x = np.mgrid[-MARGIN : side + MARGIN, -MARGIN : side + MARGIN].astype(float)
        field = self._read(x + left, y + top)
        if field is None:
            return None
        found = refine(wanted, luma(field.round().clip(0, 255).astype(np.uint8)))
        if found.correlation < LEAST_CORRELATION and _structure(wanted) > PLAIN:
            return None
        y, x = np.mgrid[:side, :side].astype(float)
        across, down = found.apply(x, y, side)
        return self._read(across + left, down + top)

    def _read(self, x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
        """Its pixels at places of the first phone's photo, bicubic; None where some are outside."""
        there = mapped(self.homography, np.column_stack([x.ravel(), y.ravel()]))
        limits = np.array([self.pixels.shape[1] - 1, self.pixels.shape[0] - 1])
        if (there < 0).any() or (there > limits).any():
            return None
        # A cut-out is enough, with what the splines of bicubic interpolation see.
        first = np.maximum(np.floor(there.min(axis=0)).astype(int) - 8, 0)
        last = np.ceil(there.max(axis=0)).astype(int) + 9
        cut = self.pixels[first[1] : last[1], first[0] : last[0]].astype(np.float32)
        places = (there - first).T[::-1].reshape(2, *x.shape)
        planes = [warp(cut[..., channel], places, order=3) for channel in range(3)]
        return np.stack(planes, axis=-1)


def _structure(plane: np.ndarray) -> float:
    """Deviation of what is between fine grain and slow changes of brightness."""
    finer, coarser = (gaussian(plane, sigma) for sigma in (1.5, 12))
    return float((finer - coarser).std())


def _enhanced(enhance: Enhance, pixels: np.ndarray) -> np.ndarray:
    return rgb_pixels(enhance(Image.fromarray(pixels)))


def _by_scene(folder: Path) -> dict[int | None, Path]:
    """The photos directly inside a folder by the numbers that their names end in."""
    if not folder.is_dir():
        raise DslrGanError(f"there is no folder {folder}; name the one with the photos.")
    found: dict[int | None, Path] = {}
    for file in sorted(folder.iterdir()):
        scene = scene_number(file.name)
        if scene is None or file.suffix.lower().lstrip(".") not in PHOTO_SUFFIXES:
            continue
        if scene in found:
            raise DslrGanError(
                f"{found[scene]} and {file} are both of scene {scene}; leave one of them."
            )
        found[scene] = file
    if not found:
        raise DslrGanError(
            f"{folder} holds no photos whose names end in the number of a scene, such as "
            "sony_07.jpg; rename them."
        )
    return found
