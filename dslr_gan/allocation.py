"""Keeping freed memory for the next tile: a third of the time on a CPU is otherwise lost to it.

The network's values of one layer take tens of megabytes. The C library hands such a piece back to
the system when it is freed and asks for a new one at the next layer, which the system must first
fill with zeros, page by page. Told to keep them, it reuses them.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of ``mallopt``'s settings in glibc's ``malloc.h``."""

_LARGEST = 2**29
"""Bytes up to which a piece is kept; more than any layer of a tile takes."""


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory inside, and give it back to the system at the end.

    The settings are the process's own and stay; they decide what is kept between two pieces of
    work, never how much one can have. Where the C library is not glibc, nothing happens.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _LARGEST)
    library.mallopt(_TRIM_THRESHOLD, _LARGEST)
    # A second thread's own region is too small for such pieces: all share one.
    library.mallopt(_ARENA_MAX, 1)
    try:
        yield
    finally:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    known = all(hasattr(library, name) for name in ("gnu_get_libc_version", "mallopt"))
    return library if known else None
