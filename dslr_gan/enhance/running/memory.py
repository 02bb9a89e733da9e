"""Lack of memory: how it is recognised and reported, and how freed memory is kept for reuse."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dslr_gan.errors import DslrGanError
from dslr_gan.photo.photo import no_memory
from dslr_gan.photo.pixels import PhotoPixels

KEPT = 2**25 - 2**13
"""Bytes of the block whose release makes glibc keep memory: just below 32 MiB, its limit."""

_NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "could not create a primitive",  # oneDNN, which computes convolutions on processors
)
"""What errors of PyTorch's say when memory runs out, in lower case."""


@contextmanager
def memory_error_message(pixels: PhotoPixels) -> Iterator[None]:
    """Turn a ``MemoryError`` anywhere inside into an error message for people."""
    try:
        yield
    except MemoryError as error:
        raise DslrGanError(no_memory("a photo", (pixels.width, pixels.height))) from error


def lacks_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch's or Python's means that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)


def keep_freed_memory() -> None:
    """Let each layer reuse the memory that the previous one freed instead of new pages.

    glibc takes blocks of over 128 KiB from the system one by one, until one is freed: from then on
    it keeps blocks of up to that size, and twice as much in all (``mallopt(3)``, dynamic mmap
    threshold; at most 32 MiB). New pages for every layer took a tenth to a third of a photo's
    time. Other allocators are not affected, and the block is never written to.
    """
    torch.empty(KEPT, dtype=torch.uint8)
