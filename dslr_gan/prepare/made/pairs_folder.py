"""A folder with pairs made from photos: patches, targets, places, and where they come from.

The folder is whole or not there.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from dslr_gan.data.folder import TARGETS
from dslr_gan.data.places import Place, scene_number, write_places
from dslr_gan.data.provenance import SOURCE_FILE, Provenance, provenance_json
from dslr_gan.errors import DslrGanError, reason
from dslr_gan.files import folder_written_whole, written_whole
from dslr_gan.photo import open_photo, rgb_pixels
from hub_card import Source

PHONE = "phone"

Progress = Callable[[int, int], None]


class MadePair(NamedTuple):
    """A patch of a photo and its target."""

    name: str
    """File name of both, without suffix."""
    phone: np.ndarray
    """``(H, W, 3)`` uint8."""
    target: np.ndarray
    """The same shape."""
    corner: tuple[int, int] | None = None
    """Row and column of its upper left pixel in the photo, where the target fits the photo as a
    whole; ``None`` where the target is of this piece alone, which then is its own context."""


def write_pairs(
    photos: Sequence[Path],
    out: Path,
    patches: Callable[[int, np.ndarray, str], Iterator[MadePair]],
    source: Source | None,
    teachers: list[Source],
    progress: Progress | None,
    nothing: str = "no photo is as large as one patch; take smaller patches.",
) -> int:
    """Write all pairs beside ``out`` and rename the folder into place when it is complete.

    Args:
        photos: Photo files.
        out: The folder to write; must not exist, or be empty.
        patches: Makes the pairs of a photo from its position, its pixels and its name.
        source: What the card says of the photos, but for their number, which is counted.
        teachers: What it says of what made the targets.
        progress: Called with (photos done, photos in all).
        nothing: The error message where no pair comes of any photo.

    Returns:
        How many pairs were written.

    Raises:
        DslrGanError: If a photo cannot be read, no pair comes of them, or ``out`` is taken.
    """
    _check_out(photos, out)
    with _whole_folder(out) as unfinished:
        (unfinished / PHONE).mkdir()
        (unfinished / TARGETS).mkdir()
        count = 0
        places: dict[str, Place | int] = {}
        for position, file in enumerate(photos):
            scene = scene_number(file.name)
            for pair in patches(position, rgb_pixels(open_photo(file)), file.stem):
                _save(unfinished / PHONE / f"{pair.name}.png", pair.phone)
                _save(unfinished / TARGETS / f"{pair.name}.png", pair.target)
                count += 1
                if pair.corner is not None:
                    top, left = pair.corner
                    places[pair.name] = Place(file.name, left, top)
                elif scene is not None:
                    places[pair.name] = scene
            if progress is not None:
                progress(position + 1, len(photos))
        if count == 0:
            raise DslrGanError(nothing)
        source = source or Source(name="photos", gave="", terms=None, url=None, dataset_id=None)
        source = dataclasses.replace(source, gave=f"{count} pairs from {len(photos)} photos")
        with written_whole(unfinished / SOURCE_FILE) as path:
            path.write_text(provenance_json(Provenance(source, teachers)), encoding="utf-8")
        write_places(unfinished, places)
    return count


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out`` to write to; it becomes ``out`` at the end, or nothing does."""
    new_folders = [folder for folder in out.parents if not folder.exists()]
    try:
        with folder_written_whole(out) as unfinished:
            yield unfinished
    except OSError as error:
        raise DslrGanError(
            f"cannot write the pairs to {out} ({reason(error)}); name another folder."
        ) from error
    finally:
        for folder in new_folders:  # from the inside out; one that holds the pairs stays
            with suppress(OSError):
                folder.rmdir()


def _check_out(photos: Sequence[Path], out: Path) -> None:
    if not photos:
        raise DslrGanError("there are no photos to prepare; name files or folders with photos.")
    stems = [photo.stem for photo in photos]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice is not None:
        raise DslrGanError(f"two photos are called {twice}; rename one, their pairs would mix.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DslrGanError(f"{out} exists already; name a new folder, nothing is overwritten.")


def _save(file: Path, pixels: np.ndarray) -> None:
    # Light compression: written once, read in every epoch.
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, compress_level=1)


def grid_corners(shape: tuple[int, ...], side: int) -> list[tuple[int, int]]:
    """Row and column of the upper left pixel of the whole squares of a grid, in reading order."""
    height, width = shape[:2]
    return [
        (top, left)
        for top in range(0, height - side + 1, side)
        for left in range(0, width - side + 1, side)
    ]
