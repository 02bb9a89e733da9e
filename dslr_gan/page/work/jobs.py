"""Work in a thread of its own, told step by step, that ends soon after nobody wants it any more.

Gradio drops a generator whose page was left, between two of its steps or in the middle of one. Were
the work done in the generator, whatever it holds would be held until then.
"""

import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from gradio.context import LocalContext

from dslr_gan.errors import DslrGanError
from dslr_gan.page.work.admission import LOOK_EVERY_S, Line, Ticket

Step = dict[str, Any]

CANCELLED = "This was cancelled; start it again if you want it."

logger = logging.getLogger(__name__)


def is_cancelled() -> bool:
    """Whether the page's call that this thread works for was cancelled, or its page was left.

    Gradio then forgets the call, but cannot end the thread, which has to ask. Outside of a call
    nothing is ever cancelled.
    """
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:
        return False
    # What gradio.Progress does to find out for whom a bar moves.
    events = [event for job in blocks._queue.active_jobs if job is not None for event in job]
    return not any(event.alive for event in events if event._id == event_id)


class Job:
    """One person's work, while it is done.

    Args:
        session: Whose it is.
        kind: What it is; a session's new job ends its former one of the same kind.
    """

    def __init__(self, session: str, kind: str) -> None:
        self.session, self.kind = session, kind
        self.steps: queue.Queue[Step | BaseException | None] = queue.Queue()
        self._stopped = threading.Event()

    def tell(self, state: str, **facts: Any) -> None:
        """Hand on a step."""
        self.steps.put({"state": state, **facts})

    def stop(self) -> None:
        """Let it end at its next tile."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether nobody wants it any more."""
        return self._stopped.is_set() or is_cancelled()

    def check(self) -> None:
        """Go on only if it is still wanted.

        Raises:
            DslrGanError: If it is not.
        """
        if self.is_stopped:
            raise DslrGanError(CANCELLED)

    def wait(self, line: Line, ticket: Ticket) -> None:
        """Wait for a ticket's turn, and tell of the place meanwhile.

        Raises:
            DslrGanError: If it is not wanted any more.
        """
        while not ticket.ready.is_set():
            position, seconds = line.ahead(ticket)
            self.tell("waiting", position=position, seconds=seconds)
            for _ in range(5):
                self.check()
                if ticket.ready.wait(LOOK_EVERY_S / 5):
                    break
        self.check()


_jobs: dict[tuple[str, str], Job] = {}
_lock = threading.Lock()


def stop(session: str, kind: str | None = None) -> None:
    """Stop what is done for a session: all of it, or one kind."""
    with _lock:
        for (owner, what), job in _jobs.items():
            if owner == session and kind in (None, what):
                job.stop()


def steps_of(
    session: str, kind: str, work: Callable[[Job], None], *, alone: bool = True
) -> Iterator[Step]:
    """Do work in a thread of its own and give its steps.

    Args:
        session: For whom.
        kind: What it is, such as ``photo``.
        work: What is to be done; it calls :meth:`Job.tell` and, between tiles, :meth:`Job.check`.
        alone: Whether a former job of that kind of the session ends.

    Yields:
        What the work tells.

    Raises:
        DslrGanError: What the work raised.
    """
    job = Job(session, kind)

    def run() -> None:
        try:
            work(job)
            job.steps.put(None)
        except BaseException as error:
            job.steps.put(error)

    if alone:
        with _lock:
            if former := _jobs.get((session, kind)):
                former.stop()
            _jobs[session, kind] = job
    context = contextvars.copy_context()  # by which is_cancelled knows whose work it is
    threading.Thread(target=context.run, args=(run,), name=f"page-{kind}", daemon=True).start()
    try:
        while (step := job.steps.get()) is not None:
            if isinstance(step, BaseException):
                raise step
            yield step
    finally:
        job.stop()
        with _lock:
            if _jobs.get((session, kind)) is job:
                del _jobs[session, kind]
