"""Training samples from streams of pairs, which are read in order and have no random access."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import datasets
import fsspec.asyn
import numpy as np
import torch.utils.data
from datasets.distributed import split_dataset_by_node
from torch import Tensor

from dslr_gan.data.decode import check_room, decode_pair
from dslr_gan.data.samples import cut_sample
from dslr_gan.errors import DslrGanError, reason

BUFFER = 1000
"""So many undecoded pairs of each stream are held back and mixed."""

_BATCH = 16  # rows read at once
_BLOCK = 4096  # sample numbers whose streams are drawn at once


class StreamedPairs(torch.utils.data.IterableDataset):
    """Training samples from one or several streams of pairs, without end, the same for a seed.

    The samples of all processes are numbered through: the ``k``-th of a process has the number
    ``k * processes + process``. Which stream a sample comes from, its crop, its flip and its
    quarter turns depend on the seed and that number alone; which pair of the stream it is, on the
    seed, the process and how many processes there are.

    Each epoch of a stream gives every pair once, over all processes together, its shards and then
    its pairs within a buffer shuffled anew. Where the number of shards is a multiple of
    ``processes`` a process reads its own shards only, the same ones in every epoch; otherwise every
    process reads the whole stream and keeps one pair in so many. A process whose part is smaller
    (shards of different sizes, or a remainder) begins its next epoch sooner; no pair is left out.

    At the end of each epoch over parquet files the library rests five seconds, for its threads: a
    stream is for what is too large to be opened by number.

    To go on after ``first`` samples the pairs before them are read again, undecoded: those of the
    current epoch, and one whole epoch more where it is not the first, to learn how long one is.

    Args:
        streams: Pairs with the columns ``phone`` and ``dslr``, undecoded.
        weights: Share of each stream, any positive scale; ``None`` for equal ones, since nobody
            knows how long a stream is.
        size: Side of the square patches in pixels.
        seed: Any whole number from 0.
        process: This process's number.
        processes: How many there are.
        first: How many samples this process has had already.
        buffer: How many pairs of a stream are held back and mixed, from 1.
        with_summary: Whether samples have a ``summary``, which only networks with context need.

    Raises:
        DslrGanError: If there is no stream, or a weight is not positive.
    """

    def __init__(
        self,
        streams: Sequence[datasets.IterableDataset],
        weights: Sequence[float] | None = None,
        *,
        size: int = 100,
        seed: int = 0,
        process: int = 0,
        processes: int = 1,
        first: int = 0,
        buffer: int = BUFFER,
        with_summary: bool = True,
    ) -> None:
        super().__init__()
        if not streams:
            raise DslrGanError("there are no pairs to train on; name a dataset with pairs.")
        shares = [1.0] * len(streams) if weights is None else list(weights)
        if not all(0 < share < math.inf for share in shares):
            raise DslrGanError(f"the weights of streams must be above 0, got {shares}.")
        self.streams = list(streams)
        self.shares = np.array(shares) / sum(shares)
        self.size = size
        self.seed = seed
        self.process = process
        self.processes = processes
        self.first = first
        self.buffer = buffer
        self.with_summary = with_summary

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Give samples from the ``first`` on, each what :func:`cut_sample` gives.

        Raises:
            DslrGanError: If several workers of a loader want to read the same stream, it breaks
                off or has no pair for this process, or a pair cannot be used.
        """
        worker = torch.utils.data.get_worker_info()
        if worker is not None and worker.num_workers > 1:
            raise DslrGanError(
                f"a stream is read by one worker of a process, not by {worker.num_workers}; "
                "give --dataloader_num_workers 0 or 1."
            )
        if worker is not None:
            fsspec.asyn.reset_lock()  # held by a thread that a forked worker does not have
        past = np.zeros(len(self.streams), dtype=np.int64)
        for places in self._places(0, self.first):
            past += np.bincount(places, minlength=len(past))
        walks = [
            self._walk(place, int(skipped)) for place, skipped in enumerate(past)
        ]  # each opens its stream when its first pair is asked for
        number = self.first * self.processes + self.process
        for places in self._places(self.first, None):
            for place in places:
                phone, dslr = next(walks[place])
                yield cut_sample(phone, dslr, self.size, [self.seed, number], self.with_summary)
                number += self.processes

    def _places(self, first: int, last: int | None) -> Iterator[np.ndarray]:
        """Which stream each of this process's samples comes from, from one up to another."""
        start = first * self.processes + self.process
        stop = math.inf if last is None else last * self.processes
        while start < stop:
            block, offset = divmod(start, _BLOCK)
            drawn = np.random.default_rng([self.seed, block]).choice(
                len(self.shares), _BLOCK, p=self.shares
            )
            end = _BLOCK if stop == math.inf else min(_BLOCK, int(stop) - block * _BLOCK)
            places = drawn[offset : end : self.processes]
            yield places
            start += len(places) * self.processes

    def _walk(self, place: int, skipped: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The decoded pairs of one stream for this process, epoch after epoch."""
        stream = self._part(self.streams[place], place)
        epoch = 0
        while True:
            stream.set_epoch(epoch)
            length = 0
            for row in _unbroken(stream, place):
                length += 1
                if skipped > 0:
                    skipped -= 1
                    continue
                name = f"pair {length} of epoch {epoch}"
                phone, dslr = decode_pair(row, name)
                check_room(phone, self.size, name, partial(dict, row))
                yield phone, dslr
            if length == 0:
                raise DslrGanError(
                    f"stream {place + 1} of the pairs has none for process {self.process} of "
                    f"{self.processes}; use fewer processes, or more pairs."
                )
            # Every epoch of a process is equally long, so that whole ones need no reading.
            epoch += 1 + skipped // length
            skipped %= length

    def _part(self, stream: Any, place: int) -> Any:
        """This process's part of a stream, shuffled.

        Sharing out the shards comes before the shuffling, so that a process has the same ones in
        every epoch; sharing out the pairs comes after it, so that all processes count alike.
        """
        own_shards = stream.num_shards % self.processes == 0
        if own_shards:
            stream = stream.shard(self.processes, self.process, contiguous=False)
        generator = np.random.default_rng([self.seed, place])
        stream = stream.shuffle(generator=generator, buffer_size=self.buffer)
        if not own_shards:
            stream = split_dataset_by_node(
                stream, self.process, self.processes, strategy="examples"
            )
        return stream


def _unbroken(stream: Any, place: int) -> Iterator[Mapping[str, Any]]:
    """The rows of a stream; whatever breaks it off is a DslrGanError.

    By batches, because row by row the library draws another order in a loader's worker.
    """
    batches = stream.iter(batch_size=_BATCH)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:  # damaged files and networks raise nearly anything
            raise DslrGanError(
                f"stream {place + 1} of the pairs broke off ({reason(error)}); check its files and "
                "the network, then go on with --resume_from_checkpoint latest."
            ) from error
        columns = ("phone", "dslr")
        for pair in zip(*(batch[column] for column in columns), strict=True):
            yield dict(zip(columns, pair, strict=True))
