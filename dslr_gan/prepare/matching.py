"""Which phone photo belongs to which DSLR photo: by file name, or by a table."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.photo import PHOTO_SUFFIXES, RAW_SUFFIXES

PHONE, DSLR = "phone", "dslr"


class PhotoPair(NamedTuple):
    """Two photos of one scene, not yet looked at."""

    name: str
    """The phone photo's path below its folder, without suffix, with ``/``; unique in a list."""
    phone: Path
    """The phone photo."""
    dslr: Path
    """The DSLR photo."""


def pairs_by_name(phone: Path, dslr: Path) -> list[PhotoPair]:
    """Match the photos directly inside two folders by file name, suffix apart.

    Args:
        phone: Folder with the phone photos.
        dslr: Folder with the DSLR photos; the suffixes may differ.

    Returns:
        The pairs, sorted by name.

    Raises:
        DslrGanError: If a folder is missing or holds no photos, two photos of a folder differ in
            their suffix only, or a photo has no counterpart.
    """
    phones, dslrs = _by_stem(phone), _by_stem(dslr)
    alone = sorted(phones.keys() ^ dslrs.keys())
    if alone:
        file = phones.get(alone[0]) or dslrs[alone[0]]
        noun = "photo has" if len(alone) == 1 else "photos have"
        raise DslrGanError(
            f"{len(alone)} {noun} no counterpart in the other folder, such as {file}; give both "
            "one name, move what has no partner away, or name the pairs in a table (--csv)."
        )
    return [PhotoPair(stem, phones[stem], dslrs[stem]) for stem in sorted(phones)]


def pairs_by_table(table: Path, phone: Path, dslr: Path) -> list[PhotoPair]:
    """Read the pairs from a CSV file.

    Args:
        table: UTF-8, its first line naming the columns; those called ``phone`` and ``dslr`` hold
            paths relative to the folders, any others are passed over.
        phone: Folder with the phone photos.
        dslr: Folder with the DSLR photos.

    Returns:
        The pairs, sorted by name.

    Raises:
        DslrGanError: If the table cannot be read, lacks a column, a cell or any line, names a file
            that does not exist, or names a photo twice.
    """
    for folder in (phone, dslr):
        _check_folder(folder)
    pairs: dict[str, PhotoPair] = {}
    taken: set[Path] = set()
    missing: list[Path] = []
    for number, row in _rows(table):
        for column in (PHONE, DSLR):
            if not (row[column] or "").strip():
                raise DslrGanError(f"line {number} of {table} names no {column} photo.")
        pair = PhotoPair(
            Path(row[PHONE].strip()).with_suffix("").as_posix(),
            phone / row[PHONE].strip(),
            dslr / row[DSLR].strip(),
        )
        # One DSLR photo in two pairs could be learned from and tested on.
        again = {pair.phone, pair.dslr} & taken
        if again or pair.name in pairs:
            twice = min(again) if again else pair.phone
            raise DslrGanError(
                f"line {number} of {table} names {twice} (or one of its name) a second time; each "
                "photo belongs to one pair."
            )
        pairs[pair.name] = pair
        taken |= {pair.phone, pair.dslr}
        missing += [file for file in (pair.phone, pair.dslr) if not file.is_file()]
    if missing:
        noun = "a photo that does" if len(missing) == 1 else f"{len(missing)} photos that do"
        raise DslrGanError(
            f"{table} names {noun} not exist, such as {missing[0]}; paths are relative to the "
            "folders."
        )
    if not pairs:
        raise DslrGanError(f"{table} names no pairs; give it one line for each.")
    return [pairs[name] for name in sorted(pairs)]


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """Lines of a table with their numbers; both columns are there, a cell may be None."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows = [(reader.line_num, row) for row in reader]
            columns: Sequence[str] = reader.fieldnames or ()
    except UnicodeDecodeError as error:
        raise DslrGanError(f"{table} is not UTF-8 text; save it as CSV in UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise DslrGanError(
            f"{table} cannot be read as a table ({reason(error)}); check it."
        ) from error
    absent = [column for column in (PHONE, DSLR) if column not in columns]
    if absent:
        found = ", ".join(map(str, columns)) or "nothing"
        raise DslrGanError(
            f"{table} has no column called {absent[0]}; its first line must name the columns "
            f"{PHONE} and {DSLR}, separated by a comma, found: {found}."
        )
    return rows


def _by_stem(folder: Path) -> dict[str, Path]:
    """The photos directly inside a folder by their name without suffix."""
    _check_folder(folder)
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        suffix = file.suffix.lower().lstrip(".")
        # Raw files among them, so that they get their own error message when they are opened.
        known = suffix in PHOTO_SUFFIXES or suffix in RAW_SUFFIXES
        if not known or file.name.startswith(".") or file.is_dir():
            continue
        other = found.setdefault(file.stem, file)
        if other is not file:
            raise DslrGanError(
                f"{other} and {file} are of one name; leave one of them, or name the pairs in a "
                "table (--csv)."
            )
    if not found:
        raise DslrGanError(f"{folder} holds no photos; give a folder with photos directly inside.")
    return found


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DslrGanError(f"there is no folder {folder}; name the one with the photos.")
