"""Who may compute when: one line of people, one at a time, and never more memory than for that.

The page has one model and one memory, however many people there are. What runs the network waits in
``LINE``, which is fair between sessions and bounded: beyond its limit a message says when to come
back. What computes for a second or so, such as a download, waits in ``QUICK``. Each of the two
works on one photo at a time, and what it freed goes back to the system before the next one begins:
so the memory is that of two photos.
"""

import ctypes
import heapq
import importlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dslr_gan.errors import DslrGanError

MAX_WAITING = 40
"""People in line; the last of them waits a few minutes where all photos have 12 megapixels."""

FIRST_GUESS = 0.4
"""Seconds per megapixel, as long as none was measured: 12 megapixels took 4.5 s on two cores."""

LOOK_EVERY_S = 1.0
"""How often someone in line hears of the place."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(order=True)
class Ticket:
    """A place in a line. Of two the smaller one comes first."""

    turn: int
    number: int
    session: str = field(compare=False)
    megapixels: float = field(compare=False)
    """How much work it is: of all photos and models."""
    ready: threading.Event = field(compare=False, default_factory=threading.Event)
    began: float = field(compare=False, default=0.0)


class Line:
    """A line that is served one at a time, in turns between sessions: first come, first served.

    A session's second ticket is served after everybody's first one, its third after everybody's
    second, so that nobody waits behind a hundred photos of another person.

    Args:
        limit: How many may wait.
    """

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._serving: Ticket | None = None
        self._numbers = itertools.count()
        self._turn = 0
        self._last: dict[str, int] = {}
        self._rate = FIRST_GUESS

    @contextmanager
    def place(self, session: str, megapixels: float, *, again: bool = False) -> Iterator[Ticket]:
        """Take a place in the line; when it is left, the next one is served.

        Args:
            session: Whose it is.
            megapixels: How much work there is to do.
            again: Whether it goes on with something that was let in already.

        Yields:
            The ticket, whose ``ready`` is set when its turn has come.

        Raises:
            DslrGanError: If too many are waiting.
        """
        with self._lock:
            if len(self._waiting) >= self.limit and not again:
                minutes = max(1, round(self._seconds(self._waiting) / 60))
                raise DslrGanError(
                    f"{len(self._waiting)} people are waiting already; come back in about "
                    f"{minutes} minute{'s' * (minutes > 1)}."
                )
            turn = max(self._turn, self._last.get(session, 0)) + 1
            self._last[session] = turn
            ticket = Ticket(turn, next(self._numbers), session, megapixels)
            heapq.heappush(self._waiting, ticket)
            self._serve()
        try:
            yield ticket
        finally:
            if ticket.ready.is_set():
                give_back_freed_memory()
            with self._lock:
                self._leave(ticket)

    def ahead(self, ticket: Ticket) -> tuple[int, float]:
        """The ticket's place, 1 being served next, and about how many seconds it will wait."""
        with self._lock:
            before = [other for other in self._waiting if other < ticket]
            return len(before) + 1, self._seconds(before)

    def state(self) -> tuple[int, bool, float]:
        """How many wait, whether one is served, and how many seconds a newcomer would wait."""
        with self._lock:
            return len(self._waiting), self._serving is not None, self._seconds(self._waiting)

    def _seconds(self, tickets: list[Ticket]) -> float:
        total = sum(ticket.megapixels for ticket in tickets) * self._rate
        if self._serving is not None:
            taken = time.monotonic() - self._serving.began
            total += max(0.0, self._serving.megapixels * self._rate - taken)
        return round(total, 1)

    def _serve(self) -> None:
        if self._serving is None and self._waiting:
            self._serving = heapq.heappop(self._waiting)
            self._turn = self._serving.turn
            # Of who is not ahead of the others nothing need be known.
            self._last = {who: turn for who, turn in self._last.items() if turn > self._turn}
            self._serving.began = time.monotonic()
            self._serving.ready.set()

    def _leave(self, ticket: Ticket) -> None:
        if self._serving is not ticket:
            self._waiting = [other for other in self._waiting if other is not ticket]
            heapq.heapify(self._waiting)
            return
        if ticket.megapixels >= 1:  # of tiny ones most of the time is not the network's
            measured = (time.monotonic() - ticket.began) / ticket.megapixels
            self._rate += 0.3 * (measured - self._rate)
        self._serving = None
        self._serve()


def give_back_freed_memory() -> None:
    """Return to the system what was allocated and freed again, where glibc allocates.

    Everybody's work is done in a thread of its own. glibc gives threads heaps of their own, up to
    eight for each core, and lets each keep much of what is freed in it (``keep_freed_memory``): it
    is in nobody's use, but the next one's work, in another heap, cannot have it. It was 130 MB for
    each photo of 12 megapixels. The work's own layers still reuse each other's memory.
    """
    if _trim is not None:
        _trim(0)


try:
    _trim: Any = ctypes.CDLL(None).malloc_trim  # see its manual page
except (OSError, AttributeError, TypeError):
    _trim = None  # other allocators return large blocks at once

LINE = Line()
QUICK = Line()


def queue_state() -> dict[str, Any]:
    """How long the line is: ``waiting``, ``running``, ``seconds`` for a newcomer, ``limit``."""
    waiting, running, seconds = LINE.state()
    return {"waiting": waiting, "running": running, "seconds": seconds, "limit": LINE.limit}


@contextmanager
def quickly(session: str) -> Iterator[None]:
    """Compute for a second or so, when the others are done with that.

    Raises:
        DslrGanError: If too many are waiting.
    """
    with QUICK.place(session, 0) as ticket:
        ticket.ready.wait()
        yield


LENT = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
"""Whether GPUs are lent here, call by call, as on Spaces with ZeroGPU, whose package ``spaces``
reads the same variable. The main process has no GPU then, although PyTorch says there that it has.
"""

spaces: Any = importlib.import_module("spaces") if LENT else None


def on_gpu(function: Function) -> Function:
    """Let a function borrow a GPU, where they are lent."""
    if not LENT:
        return function
    decorated: Function = spaces.GPU(function)
    return decorated
