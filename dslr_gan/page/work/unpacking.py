"""The photos of a zip file, whatever is in it: hostile names, bombs, locked and broken entries."""

import os
import stat
import struct
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dslr_gan.errors import DslrGanError, reason, shown
from dslr_gan.files import is_set_aside
from dslr_gan.page.work.look import MAX_FILE_MB
from dslr_gan.photo import PHOTO_SUFFIXES, RAW_SUFFIXES

MAX_PHOTOS = 500
"""So many photos are taken at once."""

MAX_UNPACKED_MB = 2000
"""So much a person's zip files may hold unpacked."""

MAX_ENTRIES = 2000
"""So many entries all zips together may have: photos, folders, and what lies beside photos."""

MAX_LIST_BYTES = 4_000_000
"""Of a zip's list of its entries, which is read as a whole."""

_END = b"PK\x05\x06"
_FAR_END = b"PK\x06\x07"
"""Begins the pointer of zip64, which stands before the end."""
_PIECE = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file that was handed in, by itself or in a zip."""

    place: PurePosixPath
    """Its name, below the folders of its zip."""
    file: Path | None
    """Where it is; None where it is no photo, or was not unpacked."""
    reason: str = ""
    """Why it is not."""
    left_out: bool = False
    """Whether nobody can have meant it as a photo."""


def is_zip(file: Path) -> bool:
    """Whether a file begins as a zip does, whatever it is called."""
    try:
        with file.open("rb") as stream:
            return stream.read(4) in (b"PK\x03\x04", _END)
    except OSError:  # who opens it as a photo says what is wrong
        return False


class Room:
    """What may still be unpacked: photos, entries and bytes, of all zips together."""

    def __init__(self) -> None:
        self.entries = MAX_ENTRIES
        self.photos = MAX_PHOTOS
        self.bytes = MAX_UNPACKED_MB * 1_000_000


def unpack(archive: Path, folder: Path, room: Room) -> Iterator[Entry]:
    """Unpack the photos of a zip, each into a file whose name is ours.

    Args:
        archive: The zip.
        folder: Where to; it exists.
        room: What may be unpacked; it is used up.

    Yields:
        Each entry but folders and what computers put beside photos (``__MACOSX``, ``.DS_Store``).

    Raises:
        DslrGanError: If the zip itself cannot be read.
    """
    _check_list(archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            room.entries -= len(opened.infolist())
            if room.entries < 0:
                raise _too_many(archive)
            for number, info in enumerate(opened.infolist()):
                place = _place(_name(info))
                if info.is_dir() or _is_beside(place):
                    continue
                if wrong := _no_photo(info, place):
                    yield Entry(place, None, wrong, left_out=True)
                    continue
                room.photos -= 1
                file = folder / f"{number}{place.suffix.lower()}"
                try:
                    _check_entry(info, room)
                    _extract(opened, info, file, room)
                except DslrGanError as error:
                    file.unlink(missing_ok=True)
                    yield Entry(place, None, str(error))
                else:
                    yield Entry(place, file)
    except DslrGanError:
        raise
    except Exception as error:  # zipfile raises nearly anything on broken archives
        raise DslrGanError(
            f"{shown(archive.name)} is damaged or no zip ({reason(error)}); make it anew."
        ) from error


def _check_list(archive: Path) -> None:
    """Refuse, before it is read, a list of entries that would fill the memory."""
    size = archive.stat().st_size
    with archive.open("rb") as stream:
        stream.seek(max(0, size - 65_557))
        tail = stream.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + 22:
        raise DslrGanError(f"{shown(archive.name)} is cut off; upload it again.")
    entries, listed = struct.unpack("<HI", tail[place + 10 : place + 16])
    if place >= 20 and tail[place - 20 : place - 16] == _FAR_END:
        entries, listed = _far_end(archive, *struct.unpack("<Q", tail[place - 12 : place - 4]))
    if entries > MAX_ENTRIES or listed > MAX_LIST_BYTES:
        raise _too_many(archive)


def _far_end(archive: Path, place: int) -> tuple[int, int]:
    """How many entries a zip of the format's larger variant has, and the bytes of their list."""
    if place < archive.stat().st_size:
        with archive.open("rb") as stream:
            stream.seek(place)
            record = stream.read(56)
        if len(record) == 56 and record.startswith(b"PK\x06\x06"):
            entries, listed = struct.unpack("<QQ", record[32:48])
            return entries, listed
    raise DslrGanError(f"{shown(archive.name)} is damaged or no zip; make it anew.")


def _too_many(archive: Path) -> DslrGanError:
    return DslrGanError(
        f"{shown(archive.name)} holds too many files; the page takes {MAX_PHOTOS} photos at once."
    )


def _name(info: zipfile.ZipInfo) -> str:
    """An entry's name; older programs write it in UTF-8 or Windows' letters and do not say so."""
    if info.flag_bits & 0x800:
        return info.filename
    raw = info.filename.encode("cp437", errors="replace")
    with suppress(UnicodeDecodeError):
        return raw.decode("utf-8")
    return info.filename


def _place(name: str) -> PurePosixPath:
    """A name without what would lead anywhere else, or no disk could hold."""
    parts = []
    for part in name.replace("\\", "/").split("/"):
        plain = "".join(
            letter for letter in part if letter.isprintable() and letter not in ':*?"<>|'
        )
        plain = plain.strip(" ") if plain.strip(". ") else ""
        if plain:
            stem, dot, suffix = plain.rpartition(".")
            short = (stem if dot else plain).encode()[:120].decode(errors="ignore")
            parts.append(short + dot + suffix[:20] if dot else short)
    return PurePosixPath(*(parts or ["unnamed"]))


def _is_beside(place: PurePosixPath) -> bool:
    return any(part.startswith(".") or is_set_aside(part) for part in place.parts) or (
        place.name.lower() in ("thumbs.db", "desktop.ini")
    )


def _no_photo(info: zipfile.ZipInfo, place: PurePosixPath) -> str:
    """Why an entry cannot be meant as a photo; empty where it can."""
    suffix = place.suffix.lower().removeprefix(".")
    if stat.S_ISLNK(info.external_attr >> 16):
        return "It is a link, not a photo."
    if suffix == "zip":
        return "A zip inside a zip is not unpacked; unpack it and upload it by itself."
    if suffix in RAW_SUFFIXES:
        return "It is a raw file of a camera; develop it into a TIFF or JPEG first."
    return "" if suffix in PHOTO_SUFFIXES else "It is no photo."


def _check_entry(info: zipfile.ZipInfo, room: Room) -> None:
    if info.flag_bits & 1:
        raise DslrGanError("It is locked with a password; make a zip without one.")
    if room.photos < 0:
        raise DslrGanError(f"The page takes {MAX_PHOTOS} photos at once; upload it later.")
    if info.file_size > MAX_FILE_MB * 1e6:
        raise DslrGanError(f"It has more than {MAX_FILE_MB} MB; make it smaller.")


def _extract(opened: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path, room: Room) -> None:
    """Write an entry to a file, counting what really comes, whatever its header says."""
    left = int(MAX_FILE_MB * 1e6)
    try:
        with opened.open(info) as source, file.open("wb") as target:
            while piece := source.read(_PIECE):
                left -= len(piece)
                room.bytes -= len(piece)
                if left < 0:
                    raise DslrGanError(f"It has more than {MAX_FILE_MB} MB; make it smaller.")
                if room.bytes < 0:
                    raise DslrGanError(
                        f"Unpacked there are more than {MAX_UNPACKED_MB} MB; upload it later."
                    )
                target.write(piece)
    except DslrGanError:
        raise
    except Exception as error:  # zipfile and its decompressors raise nearly anything
        raise DslrGanError(f"It is damaged in the zip ({reason(error)}).") from error
    with suppress(ValueError, OverflowError, OSError):
        taken = time.mktime((*info.date_time, 0, 0, -1))
        os.utime(file, (taken, taken))
