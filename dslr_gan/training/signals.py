"""Stopping in good order: SIGTERM and Ctrl-C are noted, and acted upon between two steps."""

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """While it is entered, SIGTERM and Ctrl-C do not end the process but are noted in it.

    A launcher passes Ctrl-C on to a process that the terminal told already, so a second signal
    means nothing; ``kill -9`` is for those who cannot wait.

    Args:
        say: Called with a sentence when the first signal comes.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.signal: signal.Signals | None = None
        self._say = say

    def __enter__(self) -> Self:
        self._before = {each: signal.signal(each, self._note) for each in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
            self._say(f"{self.signal.name}: stopping after this step, with a checkpoint")


def leave_the_group(worker: int) -> None:
    """Let a data loader's worker outlive a signal to the trainer's group, such as Ctrl-C.

    The trainer still needs its batch to come to the end of a step, and ends its workers itself;
    they end by themselves when it is gone.
    """
    os.setpgid(0, 0)
    for each in SIGNALS:  # what the trainer does on a signal is not the worker's to do
        signal.signal(each, signal.SIG_DFL)
