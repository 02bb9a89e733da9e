"""Progress bars of the commands."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from tqdm import tqdm

from dslr_gan.cli.common import complain
from dslr_gan.errors import shown

if TYPE_CHECKING:
    from dslr_gan.enhance.planning import Job


class _Stderr:
    """Standard error for a bar, whose steps must not fail where a terminal or a disk does."""

    def write(self, text: str) -> None:
        """Write what can be written."""
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


STDERR = cast(TextIO, _Stderr())
"""The ``file`` of a bar."""


class _NoLock:
    """The lock of a bar that is used under a lock already."""

    def acquire(self, *_: object, **__: object) -> bool:
        """Do nothing."""
        return True

    def release(self) -> None:
        """Do nothing."""

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


class Bar(tqdm):
    """A bar without tqdm's own lock and monitor.

    An interrupt or an error while tqdm writes would leave its lock closed, and the other threads
    would wait for it for ever.
    """

    monitor_interval = 0


Bar.set_lock(_NoLock())


class PhotosBar:
    """A progress bar that several workers move, with messages on lines above it."""

    LAYOUT = "{percentage:3.0f}% |{bar}| {n:.1f} of {total} photos [{elapsed}<{remaining}] {desc}"

    def __init__(self, photos: int, *, silent: bool) -> None:
        self._lock = threading.Lock()
        self._moving: dict[Job, float] = {}
        self._finished = 0
        self._bar = Bar(
            total=photos,
            delay=1,
            bar_format=self.LAYOUT,
            disable=silent,
            file=STDERR,
            miniters=0,
        )
        self._silent = silent

    def __enter__(self) -> "PhotosBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, job: "Job", done: int, tiles: int) -> None:
        """Show that part of one photo is done; the last hundredth is for saving it."""
        with self._lock:
            self._moving[job] = 0.99 * done / tiles
            self._bar.set_description_str(shown(job.source.name), refresh=False)
            self._move()

    def finish(self, job: "Job") -> None:
        """Show that one photo is finished, whether it failed or not."""
        with self._lock:
            self._moving.pop(job, None)
            self._finished += 1
            self._move()

    def complain(self, message: str) -> None:
        """Write a message on a line of its own."""
        with self._lock:
            if not self._silent and self._bar.last_print_t >= self._bar.start_t + self._bar.delay:
                self._bar.clear()  # it has been shown
            complain(message)

    def _move(self) -> None:
        self._bar.update(self._finished + sum(self._moving.values()) - self._bar.n)


@contextmanager
def progress_bar(total: int, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar; yields the function that moves it."""
    with tqdm(total=total, delay=1, unit=unit, desc="preparing", file=STDERR) as bar:

        def advance(done: int, _: int) -> None:
            bar.update(done - bar.n)

        yield advance
