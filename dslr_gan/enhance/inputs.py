"""Which photos the inputs mean: files, folders and patterns.

A photo keeps its place: ``day 1/cat.jpg`` of a photo ``holiday/day 1/cat.jpg`` that was found under
the given folder ``holiday``, ``cat.jpg`` of a file that was given itself. What a pattern such as
``holiday/*/cat.jpg`` matches keeps its place below ``holiday``.
"""

import fnmatch
import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dslr_gan.errors import shown
from dslr_gan.files import is_address, is_set_aside
from dslr_gan.photo import PHOTO_SUFFIXES


@dataclass(frozen=True)
class Photo:
    """A photo that was found."""

    path: Path
    """The file, as it can be opened."""
    place: Path
    """Its path below the folder or pattern it was found by; its name alone where it was given
    itself."""


@dataclass
class Found:
    """What the inputs mean."""

    photos: list[Photo] = field(default_factory=list)
    """Each once, in the order of the inputs; of a folder first its own photos by name, then its
    folders by name."""
    problems: list[str] = field(default_factory=list)
    """An error message for each input or folder that gave no photos."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """How many files in folders are not photos, by suffix in lower case with its dot, and how many
    folders hold thumbnails or deleted files, by name with a slash at its end."""


def find_photos(
    inputs: Iterable[str], *, recursive: bool = False, out: Path | None = None
) -> Found:
    """Find the photos that are meant by files, folders and patterns.

    In a folder a photo is a file with the suffix of one, not hidden; everything else there is
    passed over. A file that was given itself counts as a photo, whatever it is called. A
    pattern (``*``, ``?``, ``[a-z]``, ``**``) is one only where no file of that name exists, and
    so is each of its parts.

    Folders of thumbnails and deleted files, such as ``@eaDir``, are passed over and counted; one
    that was given by itself, or that a pattern names, is searched. Folders behind a link are
    searched, too, but no folder twice, so a circle of links ends.

    Args:
        inputs: Paths and patterns.
        recursive: Also search the folders inside folders; hidden ones are left alone.
        out: The folder for the results, which is not searched when it is inside one of the inputs.

    Returns:
        What was found, and an error message for whatever was not.
    """
    found, seen = Found(), set[Path]()

    def keep(photo: Photo) -> None:
        if (identity := absolute(photo.path)) not in seen:
            seen.add(identity)
            found.photos.append(photo)

    skip = {mark for mark in (mark_of(out),) if out and mark}
    inputs = list(inputs)
    parents = Counter(Path(given).parent for given in inputs)
    for given in inputs:
        if not given:
            found.problems.append("One input is empty; check what the shell made of it.")
            continue
        if is_address(given) and not os.path.lexists(given):
            found.problems.append(
                f"{shown(given)} is an address (URL); download the photo and give its file's path."
            )
            continue
        if not os.path.lexists(given) and glob.has_magic(given):
            photos = _matching(given, recursive, skip, found)
        elif parents[Path(given).parent] > 1 and _is_set_aside(Path(given), found):
            continue  # among others of its folder it is what a shell made of a pattern
        elif os.path.isdir(given):  # noqa: PTH112 - False, too, for a name no disk can hold
            photos = _inside(Path(given), recursive, skip, found)
        else:
            photos = [Photo(Path(given), Path(Path(given).name))]
        for photo in photos:
            keep(photo)
    return found


def _matching(pattern: str, recursive: bool, skip: set, found: Found) -> list[Photo]:
    """What a pattern matches, as if a shell had expanded it, without what is no photo."""
    base = _folder_before(pattern)
    parts = Path(pattern).parts[len(base.parts) :]
    problems = len(found.problems)
    if "**" in parts:
        photos = _matching_deep(base, parts, skip, found)
    else:
        photos = []
        for match in _expand(base, parts, found):
            if any(mark_of(folder) in skip for folder in (match, *match.parents)):
                continue
            place = match.relative_to(base)
            if ".." in place.parts:  # it is elsewhere, and so would its result be
                place = Path(match.name)
            if os.path.isdir(match):  # noqa: PTH112
                inside = _walk(match, recursive, skip, found)
                photos += [Photo(photo.path, place / photo.place) for photo in inside]
            elif not pattern.endswith(os.sep) and _is_photo(match, found):
                photos.append(Photo(match, place))
    if not photos and len(found.problems) == problems:
        found.problems.append(f"{shown(pattern)} matches no photos; check the pattern.")
    return photos


def _folder_before(pattern: str) -> Path:
    """The folder that a pattern starts in: its parts before the first wildcard.

    Brackets in the name of a folder that exists are no wildcard.
    """
    base = Path()
    for part in Path(pattern).parts:
        if glob.has_magic(part) and not os.path.lexists(base / part):
            break
        base /= part
    return base


def _expand(base: Path, parts: Sequence[str], found: Found) -> list[Path]:
    """What the parts of a pattern without ``**`` match below a folder, in order."""
    paths = [base]
    for part in parts:
        paths = [match for path in paths for match in _expand_part(path, part, found)]
    return paths


def _expand_part(folder: Path, part: str, found: Found) -> list[Path]:
    """What one part of a pattern matches in a folder; a name that exists there means itself."""
    if os.path.lexists(folder / part) or not glob.has_magic(part):
        return [folder / part] if os.path.lexists(folder / part) else []
    try:
        listed = os.listdir(folder)  # noqa: PTH208 - of names, not paths
    except PermissionError as error:
        found.problems.append(_unreadable(folder, error))
        return []
    except OSError:  # a file
        return []
    names = sorted(name for name in listed if part.startswith(".") or not name.startswith("."))
    # "Trip [2024]*" is meant literally where nothing matches it as a pattern.
    matches = fnmatch.filter(names, part) or fnmatch.filter(names, part.replace("[", "[[]"))
    return [folder / name for name in matches if not _is_set_aside(folder / name, found)]


def _matching_deep(base: Path, parts: Sequence[str], skip: set, found: Found) -> list[Photo]:
    """What a pattern with ``**`` matches; found by a walk, since links may form circles."""
    walked = Found()
    named = {part for part in parts if not glob.has_magic(part)}
    photos = _walk(base, True, skip, walked, named)
    found.problems += walked.problems
    found.passed_over.update({k: n for k, n in walked.passed_over.items() if k.endswith("/")})
    names = {part for photo in photos for part in photo.place.parts}
    wanted = tuple(glob.escape(part) if part in names else part for part in parts)
    return [photo for photo in photos if _fits(photo.place.parts, wanted)]


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":  # any number of folders, or all that is left
        rest = pattern[1:]
        return not rest or any(_fits(parts[start:], rest) for start in range(len(parts)))
    fits = bool(parts) and fnmatch.fnmatch(parts[0], pattern[0])
    return fits and _fits(parts[1:], pattern[1:])


def _inside(folder: Path, recursive: bool, skip: set, found: Found) -> list[Photo]:
    """The photos of a folder; that it holds none is added to the problems."""
    problems = len(found.problems)
    photos = _walk(folder, recursive, skip, found)
    if not photos and len(found.problems) == problems:
        where = "in it or in the folders inside it" if recursive else "directly inside"
        hint = "" if recursive else ", or add --recursive"
        found.problems.append(
            f"{shown(folder)} holds no photos; give a folder with photos {where}{hint}."
        )
    return photos


def _walk(
    folder: Path, recursive: bool, skip: set, found: Found, named: Set[str] = frozenset()
) -> list[Photo]:
    """The photos of a folder, in order; hidden ones and folders set aside only where ``named``."""
    photos: list[Photo] = []
    visited = set(skip) - {mark_of(folder)}
    # Links wait until the folders themselves have been searched, so that a photo is found at its
    # own place and not behind a link to it.
    waiting: list[tuple[Path, Path]] = [(folder, Path())]
    while waiting:
        links: list[tuple[Path, Path]] = []
        for start, place in waiting:
            _search(start, place, recursive, visited, photos, links, found, named)
        waiting = links
    return sorted(photos, key=lambda photo: _by_folder(photo.place))


def _search(
    start: Path,
    place: Path,
    recursive: bool,
    visited: set,
    photos: list[Photo],
    links: list[tuple[Path, Path]],
    found: Found,
    named: Set[str],
) -> None:
    """Search one folder and, if recursive, those inside it; collect links to folders for later."""
    waiting = [(start, place)]
    while waiting:
        folder, place = waiting.pop()
        try:
            mark = mark_of(folder)
            if mark and mark in visited:
                continue
            visited.add(mark)
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found.problems.append(_unreadable(folder, error))
            continue
        for entry in entries:
            if entry.name not in named and (
                (recursive and _is_set_aside(folder / entry.name, found))
                or entry.name.startswith(".")
            ):
                continue
            path, inner = folder / entry.name, place / entry.name
            if not _is_folder(entry):
                if _is_photo(path, found):
                    photos.append(Photo(path, inner))
            elif recursive:
                (links if entry.is_symlink() else waiting).append((path, inner))


def _unreadable(folder: Path, error: OSError) -> str:
    return f"{shown(folder)} cannot be read ({error.strerror}); check it and its permissions."


def _is_set_aside(path: Path, found: Found) -> bool:
    """Whether a path is a folder of thumbnails or deleted files; it is counted if so."""
    if not is_set_aside(path.name) or not os.path.isdir(path):  # noqa: PTH112
        return False
    found.passed_over[f"{path.name}/"] += 1
    return True


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_photo(path: Path, found: Found) -> bool:
    """Whether a file in a folder is meant as a photo; it is counted where it is not."""
    suffix = path.suffix.lower()
    # A pipe or a device is none; a link to nothing is a photo that is missing.
    if suffix.removeprefix(".") in PHOTO_SUFFIXES:
        try:
            if path.is_symlink() or path.is_file():
                return True
        except OSError:  # opening it will say why
            return True
    found.passed_over[suffix] += 1
    return False


def _by_folder(place: Path) -> tuple:
    """A key that sorts a folder's own files before its folders, and both by name."""
    return (*((1, part) for part in place.parts[:-1]), (0, place.name))


def absolute(path: Path) -> Path:
    """A path with the links of its folders resolved, and not its own.

    By realpath, which accepts a link to itself; ``Path.resolve`` raises.
    """
    return Path(os.path.realpath(path.parent)) / path.name


def mark_of(folder: Path | None) -> tuple[int, int] | None:
    """What identifies a folder, whatever it is called; None where it does not exist."""
    if folder is None:
        return None
    with suppress(OSError, ValueError):
        status = folder.stat()
        return status.st_dev, status.st_ino
    return None
