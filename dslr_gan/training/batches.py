"""What a run trains and validates on, and batches of it from any step on."""

import math
import multiprocessing
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from dslr_gan.data.contexts import PhotoContexts, find_contexts
from dslr_gan.data.decode import Rows
from dslr_gan.data.pairs import PairSource, open_pairs
from dslr_gan.data.places import PLACES_FILE, places_file, read_places
from dslr_gan.data.provenance import Provenance
from dslr_gan.data.samples import BatchNumbers, PatchPairs
from dslr_gan.data.splits import fold, hold_out, leave_out, limit, sample_rows
from dslr_gan.data.streaming import StreamedPairs
from dslr_gan.errors import DslrGanError
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.training.arguments import Settings, pairs_flags
from dslr_gan.training.keeping.signals import leave_the_group

# In the texts of PyTorch's and the system's errors about a loader's workers.
_NO_SHARED_MEMORY = ("shared memory", "Bus error", "from file </torch_", "to file </torch_")
_NO_MORE_FILES = ("Too many open files", "ancdata")
_NO_MEMORY = ("killed by signal: Killed", "Cannot allocate memory", "not enough memory")

HELD_OUT = 0.1
"""Share of the pairs that validates where no source brings test pairs."""


class Batch(NamedTuple):
    """A batch on the device of the networks."""

    phone: Tensor
    """``(N, 3, H, W)`` in [0, 1]."""
    dslr: Tensor
    """The same shape."""
    summary: Tensor | None
    """``(N, 9, 32, 32)``: of the whole photos, ``None`` where the network uses no context."""

    def context(self, network: Pretrained) -> Tensor | None:
        """What a network needs to know of the photos that the patches were cut from."""
        return None if self.summary is None else network.context(self.summary)


@dataclass(frozen=True)
class TrainingData:
    """The data of one run."""

    settings: Settings
    """Of the run."""
    sources: list[PairSource]
    """What is trained on, in the order of the flags."""
    weights: list[float] | None
    """Share of each source, ``None`` for their own sizes."""
    validation: Rows
    """Pairs that are not trained on."""
    validation_name: str
    """What the card calls them."""
    with_summary: bool
    """Whether the network needs a summary of each sample's whole picture."""
    contexts: list[PhotoContexts | None] | None = None
    """The photos that each source's patches were cut from, where these are to be their contexts."""

    @property
    def provenance(self) -> list[Provenance]:
        """Where the pairs come from, source by source."""
        return [source.provenance for source in self.sources]

    def fixed_settings(self, processes: int) -> dict[str, object]:
        """What must be the same in a run that is resumed."""
        fixed: dict[str, object] = {
            "pairs": [source.fingerprint for source in self.sources],
            "weights of pairs": self.weights,
            "photos": [
                None if known is None else known.fingerprint for known in self.contexts or ()
            ],
        }
        if self.settings.pairs.streaming:  # each process reads a part of its own
            fixed["number of processes"] = processes
        return fixed

    def batches(self, accelerator: Accelerator, first_step: int) -> Iterator[Batch]:
        """Give the batches of this process from a step on; those of streams have no end.

        Args:
            accelerator: Knows the device and the processes.
            first_step: How many steps are done.

        Raises:
            DslrGanError: If a pair cannot be used, or a loader's worker cannot go on.
        """
        if first_step >= self.settings.schedule.max_train_steps:
            return
        loader = self.load(
            first_step,
            accelerator.process_index,
            accelerator.num_processes,
            pin=accelerator.device.type == "cuda",
        )
        order = self.settings.network.channels_last
        for raw in explained(loader):
            yield on_device(raw, accelerator.device, channels_last=order)

    def load(self, first_step: int, process: int, processes: int, *, pin: bool) -> DataLoader:
        """Load what the batches of one process are made of.

        Args:
            first_step: How many steps are done.
            process: This process's number.
            processes: How many there are.
            pin: Whether to keep batches where a GPU copies them from fastest.

        Returns:
            A loader of what :func:`on_device` takes.
        """
        pairs, schedule = self.settings.pairs, self.settings.schedule
        workers = pairs.dataloader_num_workers
        common: dict[str, Any] = {
            "num_workers": workers,
            "pin_memory": pin,
            "worker_init_fn": leave_the_group if workers else None,
        }
        done = first_step * schedule.gradient_accumulation_steps
        if pairs.streaming:
            samples = StreamedPairs(
                [source.train for source in self.sources],
                self.weights,
                size=pairs.resolution,
                seed=pairs.seed,
                first=done * schedule.train_batch_size,
                process=process,
                processes=processes,
                with_summary=self.with_summary,
            )
            return DataLoader(samples, batch_size=schedule.train_batch_size, **common)
        order = BatchNumbers(
            done,
            schedule.max_train_steps * schedule.gradient_accumulation_steps,
            schedule.train_batch_size,
            process,
            processes,
        )
        return DataLoader(self.samples(), batch_sampler=order, **common)

    def of_epochs(self, per_step: int) -> "TrainingData":
        """The same data for as many steps as ``--num_train_epochs`` asks for, where it does.

        Args:
            per_step: Samples of a step, over all its batches and processes.

        Raises:
            DslrGanError: If the pairs are streams, whose rounds have no known length.
        """
        epochs = self.settings.schedule.num_train_epochs
        if epochs is None:
            return self
        if self.settings.pairs.streaming:
            raise DslrGanError(
                "nobody knows how long a round over a stream is; give --max_train_steps instead of "
                "--num_train_epochs."
            )
        steps = max(1, math.ceil(epochs * len(self.samples()) / per_step))
        schedule = replace(self.settings.schedule, max_train_steps=steps)
        return replace(self, settings=replace(self.settings, schedule=schedule))

    def samples(self) -> PatchPairs:
        """The training samples by number; see :class:`PatchPairs`."""
        return PatchPairs(
            [source.train for source in self.sources],
            self.weights,
            size=self.settings.pairs.resolution,
            seed=self.settings.pairs.seed,
            with_summary=self.with_summary,
            contexts=self.contexts,
        )


def open_training_data(settings: Settings, *, with_summary: bool) -> TrainingData:
    """Open all pairs that the settings name.

    Raises:
        DslrGanError: As :func:`open_pairs`; or if there is nothing to validate on.
    """
    pairs = settings.pairs
    flags = pairs_flags(pairs.pairs)
    sources = [
        open_pairs(flag.name, streaming=pairs.streaming, columns=pairs.columns) for flag in flags
    ]
    if pairs.streaming and (pairs.photos or pairs.leave_out_scenes):
        raise DslrGanError(
            "--photos and --leave_out_scenes need pairs by number; leave --streaming out."
        )
    contexts = (
        [find_contexts(flag.name, pairs.photos, pairs.patch_contexts) for flag in flags]
        if pairs.photos
        else None
    )
    if contexts is not None and not any(contexts):
        raise DslrGanError(
            f"none of the --pairs has a {PLACES_FILE} with places of patches in photos; leave "
            "--photos out."
        )
    if pairs.fold is not None:
        scenes = read_places(flags[0].name).scenes if pairs.fold_by == "scene" else None
        sources[0] = fold(sources[0], *pairs.fold, scenes)
        judge, validation = sources[0], sources[0].test
    elif pairs.validation_pairs is not None:
        judge = open_pairs(pairs.validation_pairs, columns=pairs.columns)
        validation = judge.test if judge.test is not None else judge.train
    else:
        place = next((at for at, source in enumerate(sources) if source.test is not None), 0)
        if sources[place].test is None:
            sources[0] = hold_out(sources[0], HELD_OUT, pairs.seed)
        judge, validation = sources[place], sources[place].test
    if pairs.leave_out_scenes:
        sources = [
            leave_out(source, read_places(flag.name), set(pairs.leave_out_scenes))
            if places_file(flag.name)
            else source
            for source, flag in zip(sources, flags, strict=True)
        ]
    if pairs.max_train_samples is not None:
        sources = [limit(source, pairs.max_train_samples, pairs.seed) for source in sources]
    return TrainingData(
        settings=settings,
        sources=sources,
        weights=[flag.weight for flag in flags if flag.weight is not None] or None,
        validation=sample_rows(validation, settings.output.max_validation_pairs, pairs.seed),
        validation_name=judge.name,
        with_summary=with_summary,
        contexts=contexts,
    )


def explained(loader: DataLoader) -> Iterator[dict[str, Tensor]]:
    """What a loader gives; what stops one of its workers is an error message for people.

    Raises:
        DslrGanError: If a worker raised one, or ran out of shared memory, memory or open files.
    """
    batches: Iterator[dict[str, Tensor]] | None = None
    while True:
        try:
            if batches is None:
                # Where even locks find no room, a loader left half made prints a traceback.
                [multiprocessing.Queue() for _ in range(2 + loader.num_workers)]
                batches = iter(loader)
            raw = next(batches)
        except StopIteration:
            return
        except (DslrGanError, OSError, RuntimeError, MemoryError) as error:
            message = worker_failure(error)
            # Before there is a worker its locks are made, which are in shared memory, too.
            if batches is None and isinstance(error, OSError):
                message = _no_shared_memory()
            if message is None:
                raise
            raise DslrGanError(message) from None
        yield raw


def worker_failure(error: Exception) -> str | None:
    """What an error says of a loader's worker, for people; None where it is about none.

    Args:
        error: Raised by a loader, or by PyTorch anywhere when it hears that a worker has died.
    """
    told = f"{error}\n{error.__cause__ or ''}".strip()
    # A worker's traceback is part of the text; the error itself is its end, and may have lines.
    raised = re.split(r"\n(?:\w+\.)*\w*Error: ", told)[-1] if "DataLoader worker" in told else told
    if isinstance(error, DslrGanError):
        return raised if raised != told else str(error)
    if any(words in told for words in _NO_SHARED_MEMORY):
        return _no_shared_memory()
    if any(words in told for words in _NO_MORE_FILES):
        return (
            "a loader's worker ran out of open files; allow more (ulimit -n 4096), or give "
            "--dataloader_num_workers 0."
        )
    if "DataLoader worker" not in told:
        return None
    if isinstance(error, MemoryError) or any(words in told for words in _NO_MEMORY):
        return (
            "a loader's worker was killed or found no memory; give fewer "
            "--dataloader_num_workers, or a smaller --train_batch_size."
        )
    if isinstance(error, OSError):
        return f"a loader's worker could not go on ({raised}); check the files of the pairs."
    return None


def _no_shared_memory() -> str:
    return (
        f"the loader's workers ran out of shared memory (/dev/shm{_size_of('/dev/shm')}); make it "
        "larger (docker run --shm-size=1g), or give --dataloader_num_workers 0."
    )


def _size_of(folder: str) -> str:
    try:
        return f" has {shutil.disk_usage(folder).total >> 20} MB"
    except OSError:
        return ""


def on_device(raw: dict[str, Tensor], device: torch.device, *, channels_last: bool) -> Batch:
    """Put a loader's batch where and how the networks need it.

    Args:
        raw: ``phone`` and ``dslr``, ``(N, 3, H, W)`` each, and ``summary`` where it is needed.
        device: Of the networks.
        channels_last: Whether the channels are innermost in memory.
    """
    order = torch.channels_last if channels_last else torch.preserve_format
    phone, dslr = (
        raw[name].to(device, non_blocking=True, memory_format=order) for name in ("phone", "dslr")
    )
    summary = raw["summary"].to(device) if "summary" in raw else None
    return Batch(phone, dslr, summary)
