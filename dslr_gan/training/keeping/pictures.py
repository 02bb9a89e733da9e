"""The pictures of a run: all of them are read before its first step, and what changed is told."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import datasets
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from tqdm.auto import tqdm

from dslr_gan.data.decode import Rows, check_room, read_pair
from dslr_gan.data.pairs import PairSource
from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole

LISTING = "pairs.txt"
"""The file in a run's folder that lists the pictures it is trained on, with their sizes."""

NAMED = 3
"""So many pictures are named in a message; the others are counted."""


@dataclass(frozen=True)
class Listing:
    """Which files the pairs are, with their sizes in bytes."""

    lines: list[str] = field(default_factory=list)
    """A line of a name, a space and a size for each; none where the pairs are no files."""

    def write(self, file: Path) -> None:
        """Write it, to be compared with later; not where it is empty.

        Raises:
            OSError: If the file cannot be written.
        """
        if self.lines:
            with written_whole(file) as unfinished:
                unfinished.write_text("".join(f"{line}\n" for line in self.lines), "utf-8")

    def changes(self, file: Path) -> str:
        """What is different from what a file lists, in words; empty where nothing is known to be.

        Args:
            file: What :meth:`write` wrote, if it is there.
        """
        try:
            before = _sizes(file.read_text("utf-8").splitlines())
        except (OSError, ValueError):
            return ""
        now = _sizes(self.lines)
        kinds = {
            "removed": sorted(before.keys() - now.keys()),
            "added": sorted(now.keys() - before.keys()),
            "changed": sorted(
                name for name in before.keys() & now.keys() if before[name] != now[name]
            ),
        }
        return ", ".join(
            f"{len(names)} pictures {kind}, such as {names[0]}" if len(names) > 1
            else f"{names[0]} {kind}"
            for kind, names in kinds.items() if names
        )  # fmt: skip


def listing_of(sources: Sequence[PairSource]) -> Listing:
    """The files of all sources, each source's own under its number."""
    return Listing(
        [f"{number}/{line}" for number, source in enumerate(sources) for line in source.files]
    )


def check_pictures(sources: Sequence[PairSource], size: int, accelerator: Accelerator) -> None:
    """Read every pair that is trained on once, so that a damaged one stops no run half-way.

    The processes share the work. Streams are not read.

    Args:
        sources: The pairs.
        size: Side of the patches that are cut out of them.
        accelerator: Connects the processes.

    Raises:
        DslrGanError: On every process, with the first of the pairs that cannot be used.
    """
    own = [
        (source.train, row)
        for source in sources
        if not isinstance(source.train, datasets.IterableDataset)
        for row in range(accelerator.process_index, len(source.train), accelerator.num_processes)
    ]
    faults = [
        fault
        for part in gather_object([list(_faults(own, size, accelerator.is_main_process))])
        for fault in part
    ]
    if faults:
        more = f" And {len(faults) - NAMED} more." if len(faults) > NAMED else ""
        raise DslrGanError(
            f"{len(faults)} of the pairs cannot be trained on; repair or remove them. "
            f"{' '.join(faults[:NAMED])}{more}"
        )


def _faults(pairs: Sequence[tuple[Rows, int]], size: int, shown: bool) -> Iterator[str]:
    def fault(pair: tuple[Rows, int]) -> str | None:
        rows, row = pair
        try:
            phone, _ = read_pair(rows, row)
            check_room(phone, size, f"pair {row}", lambda: rows[row])
        except DslrGanError as error:
            return str(error)
        return None

    with (
        ThreadPoolExecutor(torch.get_num_threads()) as threads,
        tqdm(total=len(pairs), desc="reading pairs", delay=2, disable=not shown) as bar,
    ):
        for found in threads.map(fault, pairs):
            bar.update()
            if found is not None:
                yield found


def _sizes(lines: Sequence[str]) -> dict[str, str]:
    return {name: size for name, _, size in (line.rpartition(" ") for line in lines)}
