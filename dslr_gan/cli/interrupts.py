"""How a command ends early: by Ctrl-C, by SIGTERM, or with its terminal (SIGHUP)."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from dslr_gan.files import discard_unfinished

STATUS = 130
"""The exit status after an interrupt, as shells expect it of Ctrl-C."""

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""By name, since no system has all of them."""

ONE_INTERRUPT_S = 0.2
"""Signals within this time are one interrupt: launchers and service managers send several."""

_active: list[bool] = []
"""Not empty while :func:`interruptible` is in force."""

_leftovers: list[Callable[[], object]] = []
"""What :func:`removed_at_the_latest` was given."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first signal into a ``KeyboardInterrupt``, which cleans up; a second ends at once.

    The second one does not wait for a tile or a file: what is unfinished is removed, and the
    process is gone, with status 130. A signal that is ignored, as SIGHUP is under ``nohup``, stays
    so. Within such a block another one changes nothing.
    """
    if _active or threading.current_thread() is not threading.main_thread():
        yield
        return
    parent, first = os.getpid(), 0.0

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if os.getpid() != parent:  # a fork has none of the work, and leaves the files alone
            os._exit(128 + number)
        if not first:
            first = time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - first > ONE_INTERRUPT_S:
            _end_at_once()

    before = {}
    for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, interrupt)
    _active.append(True)
    try:
        yield
    finally:
        _active.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def removed_at_the_latest(remove: Callable[[], object]) -> Iterator[None]:
    """Call ``remove`` at the end of the block, however it ends: even by a second interrupt."""
    _leftovers.append(remove)
    try:
        yield
    finally:
        _leftovers.remove(remove)
        remove()


def end_process(status: int) -> NoReturn:
    """End this process with a status, inside of :func:`interruptible`.

    After an interrupt Python's own clean-up is left out: another Ctrl-C would abort it.
    """
    if status == STATUS:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


def _end_at_once() -> None:
    """End this process without waiting for its threads, which may compute for long."""
    discard_unfinished()
    for remove in reversed(_leftovers):
        with suppress(OSError):
            remove()
    with suppress(OSError, ValueError, AttributeError):
        # On a line of its own, below what may be a progress bar.
        sys.stderr.write("\ndslr_gan: interrupted twice; every file that was written is whole.\n")
        sys.stderr.flush()
    os._exit(STATUS)
