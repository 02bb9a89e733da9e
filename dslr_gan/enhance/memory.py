"""What happens when memory runs out, and how freed memory is kept for the next layer."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dslr_gan.errors import DslrGanError
from dslr_gan.photo.photo import no_memory
from dslr_gan.photo.pixels import PhotoPixels

KEPT = 2**25 - 2**13
"""Bytes of the block by whose release glibc learns to keep memory: just below 32 MiB, its limit."""


@contextmanager
def memory_error_message(canvas: PhotoPixels) -> Iterator[None]:
    """Say in a sentence that memory ran out, wherever it did."""
    try:
        yield
    except MemoryError as error:
        raise DslrGanError(no_memory("a photo", (canvas.width, canvas.height))) from error


def lacks_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch's or Python's means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The latter is how oneDNN, which convolves on processors, says that it got no memory.
    return any(words in str(error) for words in ("can't allocate memory", "create a primitive"))


def keep_freed_memory() -> None:
    """Let each layer have the memory that the one before gave back, not new pages from the system.

    glibc takes blocks of over 128 KiB from the system one by one, until one is freed: from then on
    it keeps blocks of up to that size, and twice as much in all (``mallopt(3)``, dynamic mmap
    threshold; at most 32 MiB). New pages for every layer were a tenth to a third of a photo's
    time. Other allocators take no notice, and the block is never touched.
    """
    torch.empty(KEPT, dtype=torch.uint8)
