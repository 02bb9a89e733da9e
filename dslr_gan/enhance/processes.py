"""One command on several processes: each takes its share of the work, the first reports for all.

``accelerate launch`` and ``torchrun`` start the processes and describe each by the environment
variables RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. The processes do not
communicate until the end, when each sends its results to the first through the launcher's
key-value store. A process group, such as ``accelerate.PartialState`` opens, would time out
meanwhile: one share may take hours longer than another.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from dslr_gan.errors import DslrGanError, reason

T = TypeVar("T")

_MEET_WITHIN = timedelta(minutes=10)
"""Machines of a cluster may start minutes apart."""

_LOOK_EVERY_S = 0.2

_PIECE = 1 << 20
"""Bytes of one value in the store, which takes no more than 8 MiB at once."""


@dataclass(frozen=True)
class Share:
    """Which of several processes this one is."""

    rank: int = 0
    """Number of this process among all, from 0."""
    local_rank: int = 0
    """Number of this process on its machine, from 0: the GPU that it uses."""
    world: int = 1
    """How many processes there are on all machines."""

    @property
    def is_first(self) -> bool:
        """Whether this process reports for all."""
        return self.rank == 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Share":
        """Read the launcher's variables; without a launcher there is one process.

        Raises:
            DslrGanError: If the variables contradict each other or are not numbers.
        """
        try:
            world = int(environment.get("WORLD_SIZE", "1"))
            rank = int(environment.get("RANK", "0"))
            local_rank = int(environment.get("LOCAL_RANK", "0"))
        except ValueError:
            world = rank = local_rank = -1
        if not (0 <= rank < world and local_rank >= 0):
            raise DslrGanError(
                "RANK, LOCAL_RANK and WORLD_SIZE in the environment are not those of a launcher; "
                "start through accelerate launch or torchrun, or unset them."
            )
        if world > 1 and not (environment.get("MASTER_ADDR") and environment.get("MASTER_PORT")):
            raise DslrGanError(
                f"WORLD_SIZE is {world}, but MASTER_ADDR or MASTER_PORT is not set; start through "
                "accelerate launch or torchrun, or unset it."
            )
        return cls(rank, local_rank, world)

    def of(self, work: Sequence[T]) -> list[T]:
        """This process's share of work that all processes list in the same order."""
        return list(work[self.rank :: self.world])

    def gather(self, value: Any) -> list[Any] | None:
        """Collect the results of all processes in the first one.

        Args:
            value: Anything that JSON can hold.

        Returns:
            In the first process the values of all, by rank, once the last has come; ``None`` in
            the others, which need not wait.

        Raises:
            DslrGanError: If the processes cannot reach each other.
        """
        if self.world == 1:
            return [value]
        from torch.distributed import rendezvous

        try:
            store, _, _ = next(rendezvous("env://", self.rank, self.world, timeout=_MEET_WITHIN))
            text = json.dumps(value).encode()
            pieces = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
            for number, piece in enumerate(pieces):
                store.set(f"dslr_gan/{self.rank}/{number}", piece)
            store.set(f"dslr_gan/{self.rank}", str(len(pieces)))  # last: now all of it is there
            if not self.is_first:
                return None
            return [self._receive(store, rank) for rank in range(self.world)]
        except (OSError, RuntimeError, ValueError) as error:
            raise DslrGanError(
                f"the processes cannot reach each other ({reason(error)}); check MASTER_ADDR and "
                "MASTER_PORT. What was written stays."
            ) from error

    def _receive(self, store: Any, rank: int) -> Any:
        """Receive one process's value, by polling, which an interrupt can end."""
        key = f"dslr_gan/{rank}"
        while not store.check([key]):
            time.sleep(_LOOK_EVERY_S)
        pieces = range(int(store.get(key)))
        return json.loads(b"".join(store.get(f"{key}/{number}") for number in pieces))
