"""Orderly stops: SIGTERM, SIGHUP, SIGUSR1 and Ctrl-C are noted, and acted upon between steps."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

_NOTICES = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGUSR1") if hasattr(signal, name))
"""What a closed terminal sends, and what a queue such as SLURM sends before the time is up."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, *_NOTICES)


_PARENT_DEATH_SIGNAL = 1
"""``PR_SET_PDEATHSIG`` of ``prctl``."""

HOW_TO_GO_ON = "go on with --resume_from_checkpoint latest"
"""What the messages of a run that has ended say, for their insides."""


class Stopped(Exception):
    """A signal stopped the run, which has left a checkpoint.

    Args:
        number: The signal.
        step: How many steps were done.
    """

    def __init__(self, number: int, step: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name} after step {step}; {HOW_TO_GO_ON}.")
        self.status = 128 + number


class StopRequest:
    """While it is entered, these signals do not end the process but are noted in it.

    One but Ctrl-C that is ignored, as SIGHUP under ``nohup``, stays ignored.

    A launcher passes Ctrl-C on to a process that got it from the terminal already, so a second
    signal means nothing. ``kill -9`` is for those who cannot wait.

    Args:
        report: Called with a message when the first signal comes.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.signal: signal.Signals | None = None
        self._report = report

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in _heeded()}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
            self._report(f"{self.signal.name}: stopping after this step, with a checkpoint")


def _heeded() -> list[signal.Signals]:
    """Those of the signals that are noted: none that is ignored, but for Ctrl-C."""
    return [
        number
        for number in SIGNALS
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
    ]


def end_with_the_launcher() -> None:
    """Have a process that torchrun started get SIGTERM when torchrun dies.

    Nobody else would end it: it would train on unseen, or wait for the others for half an hour.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def end_quietly() -> None:
    """End at once at Ctrl-C, until :func:`raise_at_interrupts`: for the imports of the trainer."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_at_interrupts() -> None:
    """Have Ctrl-C raise a ``KeyboardInterrupt`` again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


def leave_the_group(worker: int) -> None:
    """Let a data loader's worker outlive a signal to the trainer's group, such as Ctrl-C.

    The trainer still needs its batch to come to the end of a step, and ends its workers itself;
    they end by themselves when it is gone.
    """
    os.setpgid(0, 0)
    # A worker must not do what the trainer does on a signal. SIGTERM is PyTorch's already, in C: it
    # ends a worker without an error where the trainer ends it, and Python must not undo that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in _NOTICES:  # a queue sends its notice to every process
        signal.signal(number, signal.SIG_IGN)


def forget_workers() -> None:
    """Let the workers of data loaders end unheard, at the end of a run.

    PyTorch listens for their ends and raises an error for one that was killed, also while Python
    itself ends them on its way out.
    """
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
