"""Contexts for training samples from the whole photos that their patches were cut from.

A network that uses context is given whole photos, and learns from patches. Whoever shows it nothing
but the patch as its own context teaches it to guess a photo's colours from a hundredth of it. So
where a patch's photo is known, the context is the whole photo's half of the time, the patch's own
often enough that small pictures are enhanced as before, and sometimes that of a piece in between,
so that crops of photos are no surprise either.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor

from dslr_gan.data.places import Place, places_file, read_places
from dslr_gan.errors import DslrGanError
from dslr_gan.models.context import summarize
from dslr_gan.photo import open_photo, rgb_pixels, to_tensor

ALONE = 0.3
"""Share of the samples of known place whose context is their own patch, if nobody says another."""

WHOLE = 5 / 7
"""Share of the others whose context is the whole photo. The rest see a square of any size around
the patch, the logarithm of its side being uniform."""

KEPT_PHOTOS = 32
"""So many decoded photos are kept in memory, in each process that reads them."""


class PhotoContexts:
    """Summaries of the photos around patches whose place is known.

    Args:
        folders: Where the whole photos are; the first that has one of a name counts.
        places: Where each patch lies, by its pair's name.
        alone: Share of the samples whose own patch is their context all the same.

    Raises:
        DslrGanError: If a photo is missing.
    """

    def __init__(
        self,
        folders: Sequence[str | Path],
        places: Mapping[str, Place],
        alone: float = ALONE,
    ) -> None:
        self.places = dict(places)
        self.alone = alone
        names = sorted({place.photo for place in places.values()})
        self.files: dict[str, Path] = {}
        for folder in reversed(folders):
            self.files |= {
                name: Path(folder) / name for name in names if (Path(folder) / name).is_file()
            }
        missing = [name for name in names if name not in self.files]
        if missing:
            raise DslrGanError(
                f"{len(missing)} of the {len(names)} photos that the pairs were cut from are not "
                f"in {' or '.join(map(str, folders))}, such as {missing[0]}; name the folder that "
                "has them."
            )
        lines = [f"{name} {file.stat().st_size}" for name, file in sorted(self.files.items())]
        if alone != ALONE:  # runs from before there was a choice can be resumed
            lines.append(f"alone {alone}")
        self.fingerprint = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        self._photo = lru_cache(KEPT_PHOTOS)(self._open)
        self._whole = lru_cache(8 * len(names))(self._summarize_whole)

    def summary(
        self, name: str, patch: np.ndarray, rng: np.random.Generator, flip: bool, turns: int
    ) -> Tensor:
        """Summarise what a training sample's network is to know of its photo.

        Args:
            name: The pair's.
            patch: The pair's phone picture, ``(H, W, 3)`` uint8, not yet flipped or turned.
            rng: Decides how much of the photo counts.
            flip: Whether the sample is flipped; so is what is summarised.
            turns: Its quarter turns, likewise.

        Returns:
            ``(9, 32, 32)``, see :func:`summarize`: of the patch itself where the place is unknown.

        Raises:
            DslrGanError: If the photo cannot be read, or the place is not in it.
        """
        share, size, down, across = rng.random(4)
        place = self.places.get(name)
        if place is None or share < self.alone:
            return _summarize(patch, flip, turns)
        if share < self.alone + (1 - self.alone) * WHOLE:
            return self._whole(place.photo, flip, turns)
        photo = self._photo(place.photo)
        height, width = patch.shape[:2]
        shorter = min(photo.shape[:2])
        if place.top + height > photo.shape[0] or place.left + width > photo.shape[1]:
            raise DslrGanError(
                f"{name} lies outside {self.files[place.photo]}; check the folder of photos."
            )
        side = round(max(height, width) * (shorter / max(height, width)) ** size)
        top = _start(place.top, height, side, photo.shape[0], down)
        left = _start(place.left, width, side, photo.shape[1], across)
        return _summarize(photo[top : top + side, left : left + side], flip, turns)

    def _open(self, name: str) -> np.ndarray:
        return rgb_pixels(open_photo(self.files[name]))

    def _summarize_whole(self, name: str, flip: bool, turns: int) -> Tensor:
        return _summarize(self._photo(name), flip, turns)


def find_contexts(
    pairs: str | Path, folders: Sequence[str | Path], alone: float = ALONE
) -> PhotoContexts | None:
    """The photos that a folder's pairs were cut from; None where no place in a photo is known.

    Args:
        pairs: A folder, or what else names pairs.
        folders: Where the whole photos are.
        alone: As for :class:`PhotoContexts`.

    Raises:
        DslrGanError: As :func:`read_places` and :class:`PhotoContexts`.
    """
    if places_file(pairs) is None:
        return None
    places = read_places(pairs).by_pair
    return PhotoContexts(folders, places, alone) if places else None


def _start(place: int, length: int, side: int, limit: int, where: float) -> int:
    """Where a window of some side begins that holds a patch and lies within the photo."""
    first = max(place + length - side, 0)
    last = max(min(place, limit - side), first)
    return first + int(where * (last - first + 1))


def turned(picture: np.ndarray, flip: bool, turns: int) -> np.ndarray:
    """A picture ``(H, W, 3)`` flipped from left to right, if it is to be, then turned."""
    return np.rot90(picture[:, ::-1] if flip else picture, turns)


def _summarize(picture: np.ndarray, flip: bool, turns: int) -> Tensor:
    return summarize(to_tensor(turned(picture, flip, turns)))[0]
