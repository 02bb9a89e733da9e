"""What a run learns from and what it is validated on, and batches of it from any step on."""

import argparse
from dataclasses import dataclass

from torch.utils.data import DataLoader

from dslr_gan.data.decode import Rows
from dslr_gan.data.pairs import PairSource, open_pairs
from dslr_gan.data.provenance import Provenance
from dslr_gan.data.samples import BatchNumbers, PatchPairs
from dslr_gan.data.splits import fold, hold_out, sample_rows
from dslr_gan.data.streaming import StreamedPairs
from dslr_gan.training.arguments import pairs_flags
from dslr_gan.training.signals import leave_the_group

HELD_OUT = 0.1
"""Share of the pairs that validates where no source brings test pairs."""


@dataclass(frozen=True)
class Feed:
    """The data of one run."""

    args: argparse.Namespace
    """The flags."""
    sources: list[PairSource]
    """What is trained on, in the order of the flags."""
    weights: list[float] | None
    """Share of each source, ``None`` for their own sizes."""
    validation: Rows
    """Pairs that are not trained on."""
    validation_name: str
    """What the card calls them."""
    with_summary: bool
    """Whether the network wants a summary of each sample's whole picture."""

    @property
    def provenance(self) -> list[Provenance]:
        """Where the pairs come from, source by source."""
        return [source.provenance for source in self.sources]

    def settings(self, processes: int) -> dict[str, object]:
        """What must be the same for a run that goes on."""
        settings: dict[str, object] = {
            "pairs": [source.fingerprint for source in self.sources],
            "weights of pairs": self.weights,
        }
        if self.args.streaming:  # each process reads a part of its own
            settings["number of processes"] = processes
        return settings

    def batches(self, step: int, process: int, processes: int, *, pin: bool) -> DataLoader:
        """Batches of one process from a step on; for streams without an end.

        Args:
            step: Steps that are done.
            process: This process's number.
            processes: How many there are.
            pin: Whether to keep batches where a GPU copies them from fastest.
        """
        args = self.args
        workers = args.dataloader_num_workers
        common = {
            "num_workers": workers,
            "pin_memory": pin,
            "worker_init_fn": leave_the_group if workers else None,
        }
        done = step * args.gradient_accumulation_steps
        if args.streaming:
            samples = StreamedPairs(
                [source.train for source in self.sources],
                self.weights,
                size=args.resolution,
                seed=args.seed,
                first=done * args.train_batch_size,
                process=process,
                processes=processes,
                with_summary=self.with_summary,
            )
            return DataLoader(samples, batch_size=args.train_batch_size, **common)
        order = BatchNumbers(
            done,
            args.max_train_steps * args.gradient_accumulation_steps,
            args.train_batch_size,
            process,
            processes,
        )
        return DataLoader(self.samples(), batch_sampler=order, **common)

    def samples(self) -> PatchPairs:
        """The training samples by number; see :class:`PatchPairs`."""
        return PatchPairs(
            [source.train for source in self.sources],
            self.weights,
            size=self.args.resolution,
            seed=self.args.seed,
            with_summary=self.with_summary,
        )


def open_feed(args: argparse.Namespace, *, with_summary: bool) -> Feed:
    """Open all pairs that the flags name.

    Raises:
        DslrGanError: As :func:`open_pairs`; or if there is nothing to validate on.
    """
    flags = pairs_flags(args)
    columns = tuple(args.columns)
    sources = [open_pairs(flag.name, streaming=args.streaming, columns=columns) for flag in flags]
    if args.fold is not None:
        sources[0] = fold(sources[0], *args.fold)
        judge, validation = sources[0], sources[0].test
    elif args.validation_pairs is not None:
        judge = open_pairs(args.validation_pairs, columns=columns)
        validation = judge.test if judge.test is not None else judge.train
    else:
        place = next((at for at, source in enumerate(sources) if source.test is not None), 0)
        if sources[place].test is None:
            sources[0] = hold_out(sources[0], HELD_OUT, args.seed)
        judge, validation = sources[place], sources[place].test
    return Feed(
        args=args,
        sources=sources,
        weights=[flag.weight for flag in flags if flag.weight is not None] or None,
        validation=sample_rows(validation, args.max_validation_pairs, args.seed),
        validation_name=judge.name,
        with_summary=with_summary,
    )
