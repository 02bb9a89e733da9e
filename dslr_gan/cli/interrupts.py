"""How a command ends early: by Ctrl-C, by SIGTERM or the like, or with its terminal (SIGHUP)."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

STATUS = 130
"""The exit status after an interrupt, as shells expect it of Ctrl-C."""

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""By name, since no system has all of them. Batch systems announce an end by the last three."""

ONE_INTERRUPT_S = 0.2
"""Signals within this time are one interrupt: launchers and service managers send several."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

_active: list[bool] = []
"""Not empty while :func:`interruptible` is in force."""

_came: list[float] = []
"""When the first signal came, in seconds of the monotonic clock, once one has come."""

_before: dict[int, Any] = {}
"""What the signals did before, by number."""

_leftovers: list[Callable[[], object]] = []
"""What :func:`removed_at_the_latest` was given."""


def end_quietly() -> None:
    """End this process at once at the first signal, until :func:`interruptible` is in force.

    For the imports of a process that has not begun its work, where Python would show a traceback,
    and for one whose work is lost by no end.
    """
    for number in _heeded():
        signal.signal(number, lambda *_: os._exit(STATUS))


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
    parent = os.getpid()
    _came.clear()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != parent:  # a fork has none of the work, and leaves the files alone
            os._exit(128 + number)
        if not _came:
            _came.append(time.monotonic())
            if _is_importing(frame):
                _remove_unfinished()
                os._exit(STATUS)
            raise KeyboardInterrupt
        if time.monotonic() - _came[0] > ONE_INTERRUPT_S:
            _end_at_once()

    for number in _heeded():
        _before[number] = signal.signal(number, interrupt)
    _active.append(True)
    try:
        yield
    finally:
        _active.clear()
        while _before:
            signal.signal(*_before.popitem())


def interrupted() -> bool:
    """Whether a signal has come in the block of :func:`interruptible` that is in force, or last."""
    return bool(_came)


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

    After an interrupt Python's own clean-up is left out: another Ctrl-C would abort it. Otherwise a
    signal during that clean-up ends it, and changes nothing: the work is done. What threads that
    were left behind are writing, such as one whose server hangs, is removed.
    """
    for number in list(_before):
        signal.signal(number, lambda *_: os._exit(status))
    _remove_unfinished()
    if status == STATUS:
        # The locks of this process's workers: what watches over them would print a warning.
        give_back = getattr(sys.modules.get("multiprocessing.util"), "_run_finalizers", None)
        if give_back is not None:
            give_back(0)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    _before.clear()  # so the handlers stay
    sys.exit(status)


def _heeded() -> list[int]:
    """The signals that are not ignored."""
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    return [each for each in numbers if signal.getsignal(each) not in (signal.SIG_IGN, None)]


def _is_importing(frame: FrameType | None) -> bool:
    """Whether what runs is an import, of PyTorch for example, whose C++ parts an error aborts."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib"):
            return True
        if code.co_filename.startswith(_PACKAGE) and code.co_name != "<module>":
            return False
        frame = frame.f_back
    return False


def _remove_unfinished() -> None:
    files = sys.modules.get("dslr_gan.files")  # an interrupt may come before it is here
    if discard := getattr(files, "discard_unfinished", None):
        discard()
    for remove in reversed(_leftovers):
        with suppress(OSError):
            remove()


def _end_at_once() -> None:
    """End this process without waiting for its threads, which may compute for long."""
    _remove_unfinished()
    with suppress(OSError, ValueError, AttributeError):
        # On a line of its own, below what may be a progress bar.
        sys.stderr.write("\ndslr_gan: interrupted twice; every file that was written is whole.\n")
        sys.stderr.flush()
    os._exit(STATUS)
