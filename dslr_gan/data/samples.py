"""Training samples by number, cut from pairs of pictures: the same for a seed, anywhere."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from dslr_gan.data.contexts import PhotoContexts, turned
from dslr_gan.data.decode import Rows, check_room, read_pair
from dslr_gan.data.places import pair_names
from dslr_gan.errors import DslrGanError
from dslr_gan.models.context import summarize
from dslr_gan.photo import to_tensor

KEPT_BYTES = 2**30
"""Up to this much of decoded pictures is kept in memory, in each process that reads them."""


class PatchPairs(Dataset):
    """Training samples from one or several datasets of pairs, without end, the same for a seed.

    Samples are numbered through all epochs: sample ``n`` is the ``n % len``-th of epoch
    ``n // len``, so that a number is all it takes to go on where a run stopped. An epoch has as
    many samples as all datasets have pairs, up to rounding. A dataset's share of them is its
    weight; with no weights given every pair comes once. From epoch to epoch a dataset is used up
    before pairs of it are drawn again; within an epoch all samples are shuffled. Order, crop, flip
    and quarter turns depend on seed and number alone, never on workers, processes, or what was read
    before.

    Args:
        datasets: Pairs by number, with the columns ``phone`` and ``dslr``.
        weights: Share of each dataset, any positive scale; ``None`` for the datasets' own sizes.
        size: Side of the square patches in pixels.
        seed: Any whole number from 0.
        with_summary: Whether samples have a ``summary``, which only networks with context need
            and which takes longer than all the rest of a sample whose pictures are decoded.
        contexts: For each dataset the photos that its patches were cut from, or ``None`` where
            they are unknown: then each picture is its own context.

    Raises:
        DslrGanError: If there is no pair, or a weight is not positive.
    """

    def __init__(
        self,
        datasets: Sequence[Rows],
        weights: Sequence[float] | None = None,
        *,
        size: int = 100,
        seed: int = 0,
        with_summary: bool = True,
        contexts: Sequence[PhotoContexts | None] | None = None,
    ) -> None:
        lengths = [len(rows) for rows in datasets]
        if not lengths or min(lengths) < 1:
            raise DslrGanError("there are no pairs to train on; name a folder with pairs.")
        if weights is not None and not all(0 < weight < math.inf for weight in weights):
            raise DslrGanError(f"the weights of datasets must be above 0, got {list(weights)}.")
        self.datasets = list(datasets)
        self.size = size
        self.seed = seed
        self.with_summary = with_summary
        self.contexts = list(contexts) if contexts is not None else [None] * len(lengths)
        self._names = [
            pair_names(rows) if known is not None else []
            for rows, known in zip(datasets, self.contexts, strict=True)
        ]
        self._counts = _shares(lengths, weights if weights is not None else lengths)
        self._kept: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        self._room = KEPT_BYTES
        self._epoch, self._layout = -1, np.empty((0, 2), dtype=np.int64)

    def __len__(self) -> int:
        """Samples per epoch."""
        return sum(self._counts)

    def locate(self, number: int) -> tuple[int, int]:
        """Say which pair a sample comes from: the number of its dataset, and the row in it."""
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
        place, row = self.locate(number)
        phone, dslr = self._pair(place, row)
        contexts = self.contexts[place] if self.with_summary else None
        around = None
        if contexts is not None:
            around = contexts, self._names[place][row]
        return cut_sample(phone, dslr, self.size, [self.seed, number], self.with_summary, around)

    def _pair(self, place: int, row: int) -> tuple[np.ndarray, np.ndarray]:
        """A pair's pixels, decoded once while there is room to keep them."""
        kept = self._kept.get((place, row))
        if kept is not None:
            return kept
        phone, dslr = read_pair(self.datasets[place], row)
        check_room(phone, self.size, f"pair {row}", lambda: self.datasets[place][row])
        self._room -= phone.nbytes + dslr.nbytes
        if self._room >= 0:
            self._kept[place, row] = phone, dslr
        return phone, dslr

    def _lay_out(self, epoch: int) -> np.ndarray:
        """Rows of (dataset, row) in the order of an epoch."""
        parts = []
        for place, (dataset, count) in enumerate(zip(self.datasets, self._counts, strict=True)):
            rows = _rounds(len(dataset), epoch * count, count, [self.seed, place])
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
    phone: np.ndarray,
    dslr: np.ndarray,
    size: int,
    seed: Sequence[int],
    with_summary: bool,
    around: tuple[PhotoContexts, str] | None = None,
) -> dict[str, Tensor]:
    """Cut a training sample out of a pair, flipped and turned at random.

    Args:
        phone: ``(H, W, 3)`` uint8, no side shorter than ``size``.
        dslr: The same shape.
        size: Side of the square patches in pixels.
        seed: Decides the corner, the flip and the quarter turns.
        with_summary: Whether to describe the whole phone picture too.
        around: The photos that pairs were cut from, and the name of this pair; ``None`` where
            the phone picture is the whole photo.

    Returns:
        ``phone`` and ``dslr``, each ``(3, size, size)`` in [0, 1], and where asked ``summary``,
        ``(9, 32, 32)``: :func:`summarize` of the whole phone picture that the patch was cut from,
        or of what :meth:`PhotoContexts.summary` takes of the photo around it.
    """
    rng = np.random.default_rng(seed)
    top, left = (int(rng.integers(side - size + 1)) for side in phone.shape[:2])
    flip, turns = bool(rng.integers(2)), int(rng.integers(4))

    window = slice(top, top + size), slice(left, left + size)
    sample = {
        side: to_tensor(turned(picture[window], flip, turns))[0]
        for side, picture in (("phone", phone), ("dslr", dslr))
    }
    if with_summary and around is not None:
        contexts, name = around
        sample["summary"] = contexts.summary(name, phone, rng, flip, turns)
    elif with_summary:
        sample["summary"] = summarize(to_tensor(turned(phone, flip, turns)))[0]
    return sample


def _shares(lengths: Sequence[int], weights: Sequence[float]) -> list[int]:
    """How many samples of an epoch each dataset gives, at least one."""
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
