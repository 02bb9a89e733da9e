"""Pairs of phone and DSLR pictures: found, described, and cut into training samples.

A *pairs folder* has one sub-folder of phone pictures and one called ``canon`` with the same file
names. DPED (Ignatov et al. 2017) nests two of them: ``training_data`` and ``test_data/patches``.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import datasets
import numpy as np
import pyarrow as pa
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from dslr_gan.data.decode import Rows, check_room, pair_tensors, read_pair, undecoded
from dslr_gan.errors import DslrGanError
from dslr_gan.models.context import summarize
from dslr_gan.photo import PHOTO_SUFFIXES, to_tensor
from hub_card import Source

__all__ = [
    "BatchNumbers", "PairsFolder", "PatchPairs", "Provenance", "Rows", "cut_sample", "file_rows",
    "find_pairs", "has_test_pairs", "load_pairs", "pair_tensors", "provenance", "provenance_json",
    "read_pair", "split_folder", "undecoded",
]  # fmt: skip

TARGETS = "canon"
SOURCE_FILE = "source.json"

KEPT_BYTES = 2**30
"""Up to this much of decoded pictures is kept in memory, in each process that reads them."""

DPED_PHONES = ("iphone", "sony", "blackberry")
DPED_TERMS = "free for research; the owners name no licence for anything more"
DPED_URL = "http://people.ee.ethz.ch/~ihnatova/"


class PairsFolder(NamedTuple):
    """The two sub-folders of a pairs folder and the file names they share."""

    phone: Path
    """Folder of phone pictures."""
    dslr: Path
    """Folder of DSLR pictures."""
    names: list[str]
    """File names that lie in both, sorted, numbers by their value."""


@dataclass(frozen=True)
class Provenance:
    """Where pairs come from, for the card of what learns from them."""

    data: Source
    """The pictures."""
    teachers: list[Source]
    """Networks whose results are the targets."""


def find_pairs(folder: str | Path) -> PairsFolder:
    """Look into a pairs folder.

    Args:
        folder: Holds one sub-folder of phone pictures, any name, and one called ``canon``.

    Returns:
        Its two sub-folders and the shared file names.

    Raises:
        DslrGanError: If the folder or a sub-folder is missing, there are several phone folders,
            no pictures, or a picture without its counterpart.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DslrGanError(f"there is no folder {folder}; name one with pairs of pictures.")
    dslr = folder / TARGETS
    others = sorted(
        entry
        for entry in folder.iterdir()
        if entry.is_dir() and entry.name != TARGETS and not entry.name.startswith(".")
    )
    if not dslr.is_dir() or len(others) != 1:
        found = ", ".join(entry.name for entry in sorted(folder.iterdir()) if entry.is_dir())
        raise DslrGanError(
            f"{folder} must hold one sub-folder of phone pictures and one called {TARGETS}, "
            f"found: {found or 'no sub-folder'}."
        )
    phone = others[0]
    names, targets = _picture_names(phone), _picture_names(dslr)
    if not names and not targets:
        raise DslrGanError(f"{folder} holds no pictures; name a folder with pairs.")
    alone = names ^ targets
    if alone:
        raise DslrGanError(
            f"{len(alone)} pictures below {folder} have no counterpart, such as "
            f"{min(alone)}; {phone.name} and {TARGETS} must hold the same file names."
        )
    return PairsFolder(phone, dslr, sorted(names, key=_natural))


def load_pairs(folder: str | Path, split: str = "train") -> datasets.Dataset:
    """Open a folder of pairs, DPED's layout or a plain pairs folder, as a dataset.

    Args:
        folder: DPED's ``.../dped/iphone`` with ``training_data`` and ``test_data/patches``, or a
            plain pairs folder, which has the split ``train`` only.
        split: ``"train"`` or ``"test"``.

    Returns:
        Columns ``phone`` and ``dslr``, both Pillow images when read.

    Raises:
        DslrGanError: As :func:`find_pairs`, or if the folder has no such split.
    """
    return file_rows(find_pairs(split_folder(folder, split)))


def file_rows(pairs: PairsFolder) -> datasets.Dataset:
    """Make a dataset of the pictures of a pairs folder, by their paths; no file is opened.

    Returns:
        Columns ``phone`` and ``dslr``, both Pillow images when read.
    """
    # Built from Arrow's own columns: encoding 160 000 pairs one by one takes seconds.
    columns = {}
    for column, side in (("phone", pairs.phone), ("dslr", pairs.dslr)):
        paths = pa.array([os.path.join(side, name) for name in pairs.names], pa.string())  # noqa: PTH118
        nothing = pa.nulls(len(paths), pa.binary())
        columns[column] = pa.StructArray.from_arrays([nothing, paths], ["bytes", "path"])
    features = datasets.Features(dict.fromkeys(columns, datasets.Image()))
    return datasets.Dataset(
        datasets.table.InMemoryTable.from_pydict(columns), datasets.DatasetInfo(features=features)
    )


def split_folder(folder: str | Path, split: str) -> Path:
    """Give the pairs folder of a split; see :func:`load_pairs`."""
    folder = Path(folder)
    inside = {"train": folder / "training_data", "test": folder / "test_data" / "patches"}
    if inside["train"].is_dir() or inside[split].is_dir():
        return inside[split]
    if split != "train":
        raise DslrGanError(
            f"{folder} has no test pairs; DPED's layout keeps them in test_data/patches."
        )
    return folder


def has_test_pairs(folder: str | Path) -> bool:
    """Whether a folder of pairs brings its own test pairs, in DPED's layout."""
    return (Path(folder) / "test_data" / "patches").is_dir()


def provenance(folder: str | Path, count: int | None = None) -> Provenance:
    """Tell where a folder's pairs come from.

    Args:
        folder: DPED's layout, or what ``prepare`` wrote (it leaves ``source.json`` there).
        count: How many training pairs it has; ``None`` to look, in a folder of files.

    Returns:
        What is known; for any other folder its name and how many pairs it has.

    Raises:
        DslrGanError: If ``source.json`` cannot be read.
    """
    folder = Path(folder)
    if count is None:
        count = len(find_pairs(split_folder(folder, "train")).names)
    file = folder / SOURCE_FILE
    if file.is_file():
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
            return Provenance(
                Source(**known["data"]), [Source(**teacher) for teacher in known["teachers"]]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DslrGanError(f"{file} is damaged ({error}); run prepare again.") from error
    if (folder / "training_data").is_dir() and folder.name in DPED_PHONES:
        source = Source(
            name=f"DPED patches, {folder.name} against Canon 70D",
            gave=f"{count} pairs",
            terms=DPED_TERMS,
            url=DPED_URL,
            dataset_id=None,
        )
        return Provenance(source, [])
    source = Source(name=folder.name, gave=f"{count} pairs", terms=None, url=None, dataset_id=None)
    return Provenance(source, [])


def provenance_json(known: Provenance) -> str:
    """The text of ``source.json``, which :func:`provenance` reads back."""
    return json.dumps(asdict(known), indent=2, ensure_ascii=False) + "\n"


class PatchPairs(Dataset):
    """Training samples from one or several sources of pairs, without end, the same for a seed.

    Samples are numbered through all epochs: sample ``n`` is the ``n % len``-th of epoch
    ``n // len``, so that a number is all it takes to go on where a run stopped. An epoch has as
    many samples as all sources have pairs, up to rounding. A source's share of them is its weight;
    with no weights given every pair comes once. From epoch to epoch a source is gone through whole
    before pairs of it are dealt again; within an epoch all samples are shuffled. Order, crop, flip
    and quarter turns depend on seed and number alone, never on workers, processes, or what was
    read before.

    Args:
        sources: Datasets with the columns ``phone`` and ``dslr``.
        weights: Share of each source, any positive scale; ``None`` for the sources' own sizes.
        size: Side of the square patches in pixels.
        seed: Any whole number from 0.
        with_summary: Whether samples have a ``summary``, which only networks with context need
            and which takes longer than all the rest of a sample whose pictures are decoded.

    Raises:
        DslrGanError: If there is no pair, or a weight is not positive.
    """

    def __init__(
        self,
        sources: Sequence[Rows],
        weights: Sequence[float] | None = None,
        *,
        size: int = 100,
        seed: int = 0,
        with_summary: bool = True,
    ) -> None:
        lengths = [len(source) for source in sources]
        if not lengths or min(lengths) < 1:
            raise DslrGanError("there are no pairs to train on; name a folder with pairs.")
        if weights is not None and not all(0 < weight < math.inf for weight in weights):
            raise DslrGanError(f"the weights of sources must be above 0, got {list(weights)}.")
        self.sources = list(sources)
        self.size = size
        self.seed = seed
        self.with_summary = with_summary
        self._counts = _shares(lengths, weights if weights is not None else lengths)
        self._kept: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        self._room = KEPT_BYTES
        self._epoch, self._layout = -1, np.empty((0, 2), dtype=np.int64)

    def __len__(self) -> int:
        """Samples per epoch."""
        return sum(self._counts)

    def locate(self, number: int) -> tuple[int, int]:
        """Say which pair a sample comes from: the place of its source, and the row in it."""
        epoch, index = divmod(number, len(self))
        if epoch != self._epoch:
            self._epoch, self._layout = epoch, self._lay_out(epoch)
        place, row = self._layout[index]
        return int(place), int(row)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """Cut one sample.

        Args:
            number: From 0, without an upper end.

        Returns:
            What :func:`cut_sample` gives.

        Raises:
            DslrGanError: As :func:`read_pair`, or if the pictures are smaller than a patch.
        """
        phone, dslr = self._pair(*self.locate(number))
        return cut_sample(phone, dslr, self.size, [self.seed, number], self.with_summary)

    def _pair(self, place: int, row: int) -> tuple[np.ndarray, np.ndarray]:
        """A pair's pixels, decoded once while there is room to keep them."""
        kept = self._kept.get((place, row))
        if kept is not None:
            return kept
        phone, dslr = read_pair(self.sources[place], row)
        check_room(phone, self.size, f"pair {row}")
        self._room -= phone.nbytes + dslr.nbytes
        if self._room >= 0:
            self._kept[place, row] = phone, dslr
        return phone, dslr

    def _lay_out(self, epoch: int) -> np.ndarray:
        """Rows of (source, row) in the order of an epoch."""
        parts = []
        for place, (source, count) in enumerate(zip(self.sources, self._counts, strict=True)):
            rows = _rounds(len(source), epoch * count, count, [self.seed, place])
            parts.append(np.stack([np.full(count, place), rows], axis=1))
        layout = np.concatenate(parts)
        np.random.default_rng([self.seed, epoch]).shuffle(layout)
        return layout


class BatchNumbers(Sampler[list[int]]):
    """Which samples each batch of a process holds, from any step of the training on.

    Every step takes the next ``batch_size * processes`` numbers, each process its own part.

    Args:
        first: Batch to start with, counted from 0.
        last: Batch to stop before.
        batch_size: Samples per batch of one process.
        process: This process's number.
        processes: How many there are.
    """

    def __init__(
        self, first: int, last: int, batch_size: int, process: int = 0, processes: int = 1
    ) -> None:
        self.batches = range(first, last)
        self.batch_size = batch_size
        self.process = process
        self.processes = processes

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            start = (batch * self.processes + self.process) * self.batch_size
            yield list(range(start, start + self.batch_size))

    def __len__(self) -> int:
        return len(self.batches)


def cut_sample(
    phone: np.ndarray, dslr: np.ndarray, size: int, seed: Sequence[int], with_summary: bool
) -> dict[str, Tensor]:
    """Cut a training sample out of a pair, flipped and turned at random.

    Args:
        phone: ``(H, W, 3)`` uint8, no side shorter than ``size``.
        dslr: The same shape.
        size: Side of the square patches in pixels.
        seed: Decides the corner, the flip and the quarter turns.
        with_summary: Whether to describe the whole phone picture too.

    Returns:
        ``phone`` and ``dslr``, each ``(3, size, size)`` in [0, 1], and where asked ``summary``,
        ``(9, 32, 32)``: :func:`summarize` of the whole phone picture that the patch was cut from.
    """
    rng = np.random.default_rng(seed)
    top, left = (int(rng.integers(side - size + 1)) for side in phone.shape[:2])
    flip, turns = bool(rng.integers(2)), int(rng.integers(4))

    def turned(picture: np.ndarray) -> Tensor:
        return to_tensor(np.rot90(picture[:, ::-1] if flip else picture, turns))[0]

    window = slice(top, top + size), slice(left, left + size)
    sample = {"phone": turned(phone[window]), "dslr": turned(dslr[window])}
    if with_summary:
        sample["summary"] = summarize(turned(phone)[None])[0]
    return sample


def _picture_names(folder: Path) -> set[str]:
    # A path object for each of 160 000 files would take longer than the listing itself.
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if _is_picture(entry.name)}


def _is_picture(name: str) -> bool:
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and suffix.lower() in PHOTO_SUFFIXES and not name.startswith(".")


def _natural(name: str) -> tuple[int, int, str]:
    stem = name.rpartition(".")[0]
    return (0, int(stem), name) if stem.isdecimal() else (1, 0, name)


def _shares(lengths: Sequence[int], weights: Sequence[float]) -> list[int]:
    """How many samples of an epoch each source gives, at least one."""
    total, weight = sum(lengths), sum(weights)
    return [max(1, round(total * share / weight)) for share in weights]


def _rounds(length: int, start: int, count: int, seed: Sequence[int]) -> np.ndarray:
    """Positions ``start`` to ``start + count`` of an endless walk that shuffles each round."""
    first, last = start // length, (start + count - 1) // length
    walk = np.concatenate(
        [
            np.random.default_rng([*seed, turn]).permutation(length)
            for turn in range(first, last + 1)
        ]
    )
    return walk[start - first * length :][:count]
