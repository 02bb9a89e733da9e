"""The record of finished results in a folder, so that a long batch can be resumed.

The record is a hidden file of JSON lines in the folder. A line says: this result, byte for byte,
was made of this photo, byte for byte, with these settings. Nothing depends on dates or paths, so
the folder can be moved, copied or continued on another machine; and a result that was edited, a
photo that was replaced, or other settings are noticed.
"""

import enum
import hashlib
import json
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dslr_gan.errors import DslrGanError, shown
from dslr_gan.photo import open_photo

NAME = ".dslr_gan"
"""Stem of the files that hold the record; the suffix is ``.jsonl``."""


_COARSE_NS = 2 * 10**9
"""How much earlier a memory card or a file server says that a file is which got a photo's time."""

_KEYS = ("name", "result", "photo", "settings")


class State(enum.Enum):
    """What is known of one result."""

    ABSENT = "absent"
    """It does not exist."""
    FINISHED = "finished"
    """It is what these settings make of this photo."""
    BY_DATE = "by date"
    """It is not recorded, but it is a whole photo and newer than its source."""
    OLDER = "older"
    """It is not recorded, and its source is newer: perhaps changed since, or just copied."""
    OTHER = "other"
    """It is something else: of another photo, of other settings, changed or broken."""


class Record:
    """The record of one folder of results.

    Args:
        folder: The folder; it need not exist before the first :meth:`add`.
        rank: Number of this process among several that write into the folder; each writes its own
            file and reads all of them.

    Raises:
        DslrGanError: If there is a record that cannot be read.
    """

    def __init__(self, folder: Path, rank: int = 0) -> None:
        self.folder = folder
        self.file = folder / (f"{NAME}-{rank}.jsonl" if rank else f"{NAME}.jsonl")
        self._lock = threading.Lock()
        self._known: dict[str, set[tuple[str, str, str]]] = {}
        try:
            for file in sorted(folder.glob(f"{NAME}*.jsonl")):
                self._read(file.read_bytes().splitlines())
        except OSError as error:
            raise DslrGanError(
                f"{shown(error.filename)} cannot be read ({error.strerror}); check its "
                "permissions or leave out --resume."
            ) from error

    def _read(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):  # cut off by an interrupt, or foreign
                entry = json.loads(line)
                entry = tuple(str(entry[key]) for key in _KEYS)
                self._known.setdefault(entry[0], set()).add(entry[1:])

    def state(self, source: Path, destination: Path, settings: str) -> State:
        """Whether the work on one photo is finished.

        Args:
            source: The photo.
            destination: Its result, below the folder.
            settings: What :meth:`add` was given when it was made.

        Raises:
            DslrGanError: If the photo cannot be read.
        """
        if not os.path.lexists(destination):
            return State.ABSENT
        with self._lock:
            known = self._known.get(self._name(destination), set()).copy()
        try:
            if known:
                is_known = (_digest(destination), _digest(source), settings) in known
                return State.FINISHED if is_known else State.OTHER
            made, taken = (file.stat().st_mtime_ns for file in (destination, source))
        except OSError as error:
            raise DslrGanError(
                f"{shown(error.filename)} cannot be read ({error.strerror}); check it and its "
                "permissions."
            ) from error
        try:
            open_photo(destination)
        except DslrGanError:
            return State.OTHER
        return State.BY_DATE if made + _COARSE_NS >= taken else State.OLDER

    def add(self, photo: str, destination: Path, settings: str) -> None:
        """Record that a result is finished.

        Args:
            photo: What :func:`digest_of` gave of the photo before the work on it: whoever replaces
                the photo meanwhile gets no result for finished that is of the old one.
            destination: Its result, below the folder.
            settings: All that the result depends on besides.

        Raises:
            DslrGanError: If the record cannot be written.
        """
        name = self._name(destination)
        try:
            entry = (_digest(destination), photo, settings)
            line = json.dumps(dict(zip(_KEYS, (name, *entry), strict=True)))
            with self._lock, self.file.open("ab") as stream:
                # On a line of its own, even after one that an interrupt has cut off.
                start = b"\n" if stream.tell() and not self._ends_whole() else b""
                stream.write(start + line.encode() + b"\n")
                self._known.setdefault(name, set()).add(entry)
        except OSError as error:
            raise DslrGanError(
                f"{shown(destination)} is finished, but {shown(self.file)} cannot be written "
                f"({error.strerror}); check that the folder can be written to and has room."
            ) from error

    def _ends_whole(self) -> bool:
        with self.file.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) == b"\n"

    def _name(self, destination: Path) -> str:
        return destination.relative_to(self.folder).as_posix()


def digest_of(photo: Path) -> str:
    """A digest of a photo's file; empty where it cannot be read, or is no file but a pipe."""
    with suppress(OSError):
        if photo.is_file():
            return _digest(photo)
    return ""


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
