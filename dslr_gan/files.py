"""Whole files only: what is written lies beside its destination until it is complete."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(destination: str | Path) -> Iterator[Path]:
    """Give a path beside ``destination`` to write to, and rename it into place at the end.

    A reader sees the old file or the new one, never half of one. Missing parent folders are
    made. When the block raises, nothing is left behind.

    Args:
        destination: The file to write; it is replaced where it exists.

    Yields:
        A path in the same folder, with the same suffix, that does not exist yet.

    Raises:
        OSError: If the folder cannot be made or written to.
    """
    destination = Path(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    # Not the destination's own stem, which may fill the file system's limit already.
    unfinished = destination.with_name(f".unfinished-{secrets.token_hex(4)}{destination.suffix}")
    try:
        yield unfinished
        unfinished.replace(destination)
    finally:
        unfinished.unlink(missing_ok=True)
