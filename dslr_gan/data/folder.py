"""A folder of pairs: one sub-folder of phone pictures, one called ``canon``, same file names.

DPED (Ignatov et al. 2017) nests two of them: ``training_data`` and ``test_data/patches``.
"""

import os
from pathlib import Path
from typing import NamedTuple

import datasets
import pyarrow as pa

from dslr_gan.errors import DslrGanError, shown
from dslr_gan.files import is_set_aside
from dslr_gan.photo import PHOTO_SUFFIXES

TARGETS = "canon"


class PairsFolder(NamedTuple):
    """The two sub-folders of a pairs folder and the file names they share."""

    phone: Path
    """Folder of phone pictures."""
    dslr: Path
    """Folder of DSLR pictures."""
    names: list[str]
    """File names that are in both, sorted, numbers by their value."""


def find_pairs(folder: str | Path) -> PairsFolder:
    """Find the pairs of a pairs folder.

    Args:
        folder: Holds one sub-folder of phone pictures, any name, and one called ``canon``.

    Returns:
        Its two sub-folders and the shared file names.

    Raises:
        DslrGanError: If the folder or a sub-folder is missing, there are several phone folders,
            no pictures, or a picture without its counterpart.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DslrGanError(f"there is no folder {folder}; name one with pairs of pictures.")
    dslr = folder / TARGETS
    others = sorted(
        entry
        for entry in folder.iterdir()
        if entry.is_dir() and entry.name != TARGETS and not _is_passed_over(entry.name)
    )
    if not dslr.is_dir() or len(others) != 1:
        found = ", ".join(entry.name for entry in sorted(folder.iterdir()) if entry.is_dir())
        raise DslrGanError(
            f"{folder} must hold one sub-folder of phone pictures and one called {TARGETS}, "
            f"found: {found or 'no sub-folder'}."
        )
    phone = others[0]
    names, targets = _picture_names(phone), _picture_names(dslr)
    if not names and not targets:
        raise DslrGanError(f"{folder} holds no pictures; name a folder with pairs.")
    alone = names ^ targets
    if alone:
        raise DslrGanError(
            f"{len(alone)} pictures below {folder} have no counterpart, such as "
            f"{min(alone)}; {phone.name} and {TARGETS} must hold the same file names."
        )
    return PairsFolder(phone, dslr, sorted(names, key=_natural))


def file_rows(pairs: PairsFolder) -> datasets.Dataset:
    """Make a dataset of the pictures of a pairs folder, by their paths; no file is opened.

    Returns:
        Columns ``phone`` and ``dslr``, both Pillow images when read.

    Raises:
        DslrGanError: If a name is no UTF-8, which the columns cannot hold.
    """
    # Built from Arrow's own columns: encoding 160 000 pairs one by one takes seconds.
    columns = {}
    for column, side in (("phone", pairs.phone), ("dslr", pairs.dslr)):
        files = [os.path.join(side, name) for name in pairs.names]  # noqa: PTH118
        try:
            paths = pa.array(files, pa.string())
        except UnicodeEncodeError as error:
            odd = next(file for file in files if not _is_utf8(file))
            raise DslrGanError(
                f"the name of {shown(odd)} holds bytes that are no UTF-8; rename it."
            ) from error
        nothing = pa.nulls(len(paths), pa.binary())
        columns[column] = pa.StructArray.from_arrays([nothing, paths], ["bytes", "path"])
    features = datasets.Features(dict.fromkeys(columns, datasets.Image()))
    return datasets.Dataset(
        datasets.table.InMemoryTable.from_pydict(columns), datasets.DatasetInfo(features=features)
    )


def split_folder(folder: str | Path, split: str) -> Path:
    """Find the pairs folder of a split.

    Args:
        folder: DPED's ``.../dped/iphone`` with ``training_data`` and ``test_data/patches``, or a
            plain pairs folder, which has the split ``train`` only.
        split: ``"train"`` or ``"test"``.

    Returns:
        A folder for :func:`find_pairs`; whether it is there is not checked in DPED's layout.

    Raises:
        DslrGanError: If the folder has no such split.
    """
    folder = Path(folder)
    inside = {"train": folder / "training_data", "test": folder / "test_data" / "patches"}
    if inside["train"].is_dir() or inside[split].is_dir():
        return inside[split]
    if split != "train":
        raise DslrGanError(
            f"{folder} has no test pairs; DPED's layout keeps them in test_data/patches."
        )
    return folder


def has_test_pairs(folder: str | Path) -> bool:
    """Whether a folder of pairs brings its own test pairs, in DPED's layout."""
    return (Path(folder) / "test_data" / "patches").is_dir()


def _is_passed_over(name: str) -> bool:
    """Whether a folder is hidden, or one that a file server or a desktop made."""
    return name.startswith(".") or is_set_aside(name)


def _picture_names(folder: Path) -> set[str]:
    # A path object for each of 160 000 files would take longer than the listing itself.
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if _is_picture(entry.name)}


def _is_picture(name: str) -> bool:
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and suffix.lower() in PHOTO_SUFFIXES and not name.startswith(".")


def _is_utf8(file: str) -> bool:
    try:
        file.encode()
    except UnicodeEncodeError:
        return False
    return True


def _natural(name: str) -> tuple[int, int, str]:
    stem = name.rpartition(".")[0]
    return (0, int(stem), name) if stem.isdecimal() else (1, 0, name)
