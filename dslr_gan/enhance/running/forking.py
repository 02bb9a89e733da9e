"""What PyTorch needs around a fork, as of gunicorn's ``--preload`` or ``multiprocessing``.

PyTorch on Linux divides its work among the threads of GNU's OpenMP, which keeps them for the next
time. A fork copies the thread that forks and no other; in the child OpenMP still counts on the
others, and waits for them for ever at the first work that is divided. So these threads are ended
right before a fork. Parent and child start new ones, as many as before, when they next compute: the
number of threads decides how sums are rounded, and so the child's results are the parent's to the
bit.
"""

import ctypes
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from dslr_gan.errors import DslrGanError

_SOFT_PAUSE = 1
"""OpenMP's ``omp_pause_soft``: threads end, settings stay."""

_LIBRARY = re.compile(r"/\S*/libgomp[^/\s]*\.so[^/\s]*")


@cache
def compute_after_forks() -> None:
    """Let processes that are forked from this one, from now on, compute as this one does."""
    if not hasattr(os, "register_at_fork"):
        return
    end_threads = _enders()
    ended = True

    def before() -> None:
        nonlocal ended
        results = [end(_SOFT_PAUSE) for end in end_threads]
        ended = not any(results)

    def in_child() -> None:
        if not ended:
            torch.set_num_threads(1)  # divides nothing, and so waits for nobody

    os.register_at_fork(before=before, after_in_child=in_child)


def check_not_forked(device: torch.device) -> None:
    """Refuse a GPU in a process that was forked after another had begun to use the GPU.

    Raises:
        DslrGanError: If that is so.
    """
    forked_too_late = getattr(torch.cuda, "_is_in_bad_fork", bool)
    if device.type == "cuda" and forked_too_late():
        raise DslrGanError(
            "A GPU cannot be used in a process that was forked from one that uses it; load the "
            'model after the fork, or start processes by the method "spawn".'
        )


def _enders() -> list[Callable[[int], int]]:
    """A function of each GNU OpenMP in this process that ends the threads of whoever calls it.

    There may be several: wheels bring copies of their own. Other OpenMPs see to forks themselves.
    """
    found: list[Callable[[int], int]] = []
    with suppress(OSError):  # there is no /proc but on Linux
        maps = Path("/proc/self/maps").read_text(errors="surrogateescape")
        for library in sorted(set(_LIBRARY.findall(maps))):
            # Before GCC 9 it had no such function; then each child gets one thread.
            end = getattr(ctypes.CDLL(library), "omp_pause_resource_all", lambda kind: -1)
            found.append(end)
    return found
