"""Whole files only: what is written lies beside its destination until it is complete."""

import errno
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows, where a file that is open cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

_UNFINISHED = re.compile(r"\.unfinished-[0-9a-f]{8}(\..*)?")

_FOLDER = ".folder"
"""The suffix of an unfinished folder."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

_SET_ASIDE = re.compile(
    r"@eaDir|@tmp|@Recycle|@Recently-Snapshot|#recycle|#snapshot|~snapshot|\.snapshots?|\.zfs"
    r"|\.recycle|\.@__thumb|@__thumb|\.thumb(nail)?s?|\.Trash(es|-.*)?|lost\+found|__MACOSX"
    r"|\$RECYCLE\.BIN|(?-i:RECYCLE[RD])|System Volume Information|FOUND\.\d{3}",
    re.IGNORECASE,
)
"""Folders that file servers and desktops fill with thumbnails, deleted files and older versions."""

_A_DAY = 24 * 3600
"""Seconds after which an unfinished file is old, where the disk knows no locks."""

_being_written: set[Path] = set()
"""The unfinished files and folders of this process."""

_ending: list[bool] = []
"""Not empty once this process is about to end: no other file is begun."""


@contextmanager
def written_whole(destination: str | Path) -> Iterator[Path]:
    """Give a path beside ``destination`` to write to, and rename it into place at the end.

    A reader sees the old file or the new one, never half of one. Missing parent folders are
    made. When the block raises, nothing is left behind. What a killed process left behind in the
    folder is removed; the unfinished files of a process that is alive are locked, and stay.

    Args:
        destination: The file to write; it is replaced where it exists.

    Yields:
        The path of an empty file in the same folder, with the same suffix.

    Raises:
        OSError: If the folder cannot be made or written to, or the disk has no room.
        FileNotFoundError: If the block wrote nothing.
    """
    destination = Path(destination)
    with _unfinished(destination, destination.suffix, _make_file) as (unfinished, opened):
        os.utime(unfinished, (0, 0))  # until something is written
        yield unfinished
        if unfinished.stat().st_mtime == 0 == unfinished.stat().st_size:
            raise FileNotFoundError(2, "Nothing was written", str(destination))
        try:
            _check_end(unfinished, opened)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(destination)) from error


@contextmanager
def folder_written_whole(destination: str | Path) -> Iterator[Path]:
    """Give a folder beside ``destination`` to fill, and rename it into place at the end.

    As :func:`written_whole` does for a file.

    Args:
        destination: The folder to write; must not exist, or be empty.

    Yields:
        The path of an empty folder in the same folder.

    Raises:
        OSError: If the folder cannot be made, or ``destination`` is not empty by then.
    """
    destination = Path(destination)
    with _unfinished(destination, _FOLDER, _make_folder) as (unfinished, _):
        yield unfinished
        if destination.is_dir():
            destination.rmdir()


def check_place(destination: str | Path) -> None:
    """See before the work whether a file could be written; nothing is made or changed.

    Raises:
        OSError: If its name is too long, or what is to be its folder is none, or may not be written
            to.
    """
    destination = Path(os.path.abspath(destination))  # noqa: PTH100
    folder = destination.parent
    try:
        os.lstat(destination)
    except OSError as error:  # what is in the way is named below
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def open_closed_streams() -> None:
    """Give a process that was started without an output, as by ``>&-``, one that goes nowhere.

    Otherwise a photo's file could get the number of an output, and what libraries in C print there
    would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def discard_unfinished() -> None:
    """Remove the unfinished files of this process, which is about to end without a clean-up."""
    _ending.append(True)
    for wait_s in (0, 0.1):  # for threads that were just making a file
        if _being_written:
            time.sleep(wait_s)
        for path in list(_being_written):
            with suppress(OSError):
                _remove(path)


def from_home(path: str) -> str:
    """A path as it was given, with a leading ``~`` or ``~name`` replaced by that home folder.

    Shells do so only at the beginning of a word: in ``--out=~/photos`` the tilde is left to the
    program.
    """
    return os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises at unknown names


def path_from_home(path: str) -> Path:
    """The same as a :class:`Path`: the type of an option that takes a path."""
    return Path(from_home(path))


def is_address(text: str) -> bool:
    """Whether a text that stands for a file is an address such as ``https://example.com/a.jpg``."""
    return _ADDRESS.match(text) is not None


def is_set_aside(name: str) -> bool:
    """Whether a folder's name is one of those that hold thumbnails, deleted files or old versions.

    File servers, disks and desktops make them by themselves: ``@eaDir``, ``$RECYCLE.BIN``,
    ``lost+found``, ``.Trash-1000``.
    """
    return _SET_ASIDE.fullmatch(name) is not None


@contextmanager
def _unfinished(
    destination: Path, suffix: str, make: Callable[[Path], int]
) -> Iterator[tuple[Path, int]]:
    """What is beside a destination, locked and open, until it is renamed or, on errors, removed."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(Path(os.path.realpath(destination.parent)))
    unfinished, lock = _locked(destination, suffix, make)
    try:
        yield unfinished, lock
        if fcntl is None:  # Windows renames nothing that is open
            _close(lock)
            lock = -1
        unfinished.replace(destination)
    finally:
        _close(lock)
        with suppress(OSError):  # it is not there any more, unless something went wrong
            _remove(unfinished)
        _being_written.discard(unfinished)


def _locked(destination: Path, suffix: str, make: Callable[[Path], int]) -> tuple[Path, int]:
    """Make what is unfinished beside a destination, and lock it for as long as it is open."""
    while True:
        # Not the destination's own stem, which may fill the file system's limit already.
        unfinished = destination.with_name(f".unfinished-{secrets.token_hex(4)}{suffix}")
        _being_written.add(unfinished)  # before it is there, so that it is never overlooked
        if _ending:
            raise InterruptedError(4, "This process is ending", str(destination))
        try:
            lock = make(unfinished)
        except OSError as error:
            _being_written.discard(unfinished)
            raise OSError(error.errno, error.strerror, str(destination)) from error
        if fcntl is None:
            return unfinished, lock
        with suppress(OSError):  # some network disks have no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_same(unfinished, lock):
            return unfinished, lock
        os.close(lock)  # another process removed it before it was locked
        _being_written.discard(unfinished)


def _make_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)


def _make_folder(path: Path) -> int:
    path.mkdir()
    return -1 if fcntl is None else os.open(path, os.O_RDONLY)


def _close(opened: int) -> None:
    if opened >= 0:
        os.close(opened)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with all that it holds."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _check_end(file: Path, opened: int) -> None:
    """Raise the error of a write that was cut short, in case the writer did not look.

    A full disk takes as much as it has room for, up to the end of a block, and says how much that
    was. Pillow's encoders do not ask. Behind such an end there is no room for another byte.
    """
    if not _is_same(file, opened):  # the writer made a file of its own
        return
    status = os.fstat(opened)
    os.lseek(opened, 0, os.SEEK_END)
    try:
        os.write(opened, b"\0")
    finally:
        os.ftruncate(opened, status.st_size)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@lru_cache(maxsize=1024)
def _remove_leftovers(folder: Path) -> None:
    """Remove what dead processes left unfinished in a folder; once in a process is enough."""
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if _UNFINISHED.fullmatch(entry.name)]:
            with suppress(OSError):  # it is gone by now, or another person's
                _remove_leftover(folder / name)


def _remove_leftover(path: Path) -> None:
    is_folder = path.is_dir() and not path.is_symlink()
    if is_folder and path.suffix != _FOLDER:  # no folder of ours
        return
    if fcntl is None:
        if _is_old(path):
            _remove(path)
        return
    how = os.O_RDONLY if is_folder else os.O_RDWR
    lock = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:  # some network disks have no locks
            if not _is_old(path):
                return
        if _is_same(path, lock):
            _remove(path)
    finally:
        os.close(lock)


def _is_old(path: Path) -> bool:
    status = path.stat()
    return max(status.st_mtime, status.st_ctime) < time.time() - _A_DAY


def _is_same(path: Path, opened: int) -> bool:
    """Whether a path still leads to what was opened."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(opened))
    return False
