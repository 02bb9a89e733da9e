"""Where the patches of a pairs folder lie in the photos they were cut from: ``photos.json``.

The file lies in the folder that ``--pairs`` names, beside ``training_data`` and ``test_data`` in
DPED's layout. It maps a pair's file name, without its suffix, to a place, or to a scene alone::

    {"6": {"photo": "iphone_00.jpg", "left": 161, "top": 751}, "9": 26}

The scene of a place is the number that its photo's name ends in. Pairs that it leaves out are of
unknown photos.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import datasets
import pyarrow.compute

from dslr_gan.data.decode import Rows
from dslr_gan.errors import DslrGanError, reason
from dslr_gan.files import written_whole

PLACES_FILE = "photos.json"

_NUMBER = re.compile(r"(\d+)$")


class Place(NamedTuple):
    """Where a patch lies in a whole photo."""

    photo: str
    """File name of the photo, without a folder."""
    left: int
    """Columns to the left of the patch, from 0, in the photo as a viewer shows it."""
    top: int
    """Rows above it, from 0."""


@dataclass(frozen=True)
class Places:
    """What is known of the photos that pairs were cut from."""

    file: Path
    """Where it is said, for messages."""
    by_pair: dict[str, Place] = field(default_factory=dict)
    """Places by the pairs' names; those of known scene alone are missing."""
    scenes: dict[str, int] = field(default_factory=dict)
    """Scenes by the pairs' names."""


def places_file(pairs: str | Path) -> Path | None:
    """The file of places that belongs to pairs, or None where there is none.

    Args:
        pairs: A folder as ``open_pairs`` takes it, or a part of one in DPED's layout.
    """
    folder = Path(pairs)
    around = {"training_data": folder.parent, "patches": folder.parent.parent}
    for place in (folder, around.get(folder.name, folder)):
        if (place / PLACES_FILE).is_file():
            return place / PLACES_FILE
    return None


def read_places(pairs: str | Path) -> Places:
    """Read what is known of the photos that pairs were cut from.

    Args:
        pairs: As for :func:`places_file`.

    Raises:
        DslrGanError: If there is no such file, or it is not as the head of this module says.
    """
    file = places_file(pairs)
    if file is None:
        raise DslrGanError(
            f"{pairs} has no {PLACES_FILE}, which says what photos its pairs were cut from; name "
            "pairs that have one."
        )
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DslrGanError(f"{file} cannot be read as JSON ({reason(error)}).") from error
    if not isinstance(entries, dict):
        raise DslrGanError(f"{file} must hold an object: the pairs' names and their places.")
    found = Places(file)
    for name, entry in entries.items():
        place, scene = _entry(entry)
        if place is None and scene is None:
            raise DslrGanError(
                f'{file}: {name} must have a place, such as {{"photo": "iphone_00.jpg", "left": '
                f'161, "top": 751}}, or the number of a scene, got {json.dumps(entry)[:80]}.'
            )
        if place is not None:
            found.by_pair[name] = place
        if scene is not None:
            found.scenes[name] = scene
    return found


def write_places(folder: Path, places: Mapping[str, Place | int]) -> None:
    """Write what :func:`read_places` reads; nothing where nothing is known.

    Args:
        folder: Of the pairs.
        places: By the pairs' names the place, or the number of the scene alone.

    Raises:
        OSError: If it cannot be written.
    """
    if not places:
        return
    entries = {
        name: place if isinstance(place, int) else place._asdict() for name, place in places.items()
    }
    with written_whole(folder / PLACES_FILE) as path:
        path.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def pair_names(rows: Rows) -> list[str]:
    """The pairs' file names without suffix, by which places are found; empty where one has none."""
    if isinstance(rows, datasets.Dataset):
        arrow = rows.with_format("arrow")
        paths = pyarrow.compute.struct_field(arrow["phone"][:], "path").to_pylist()
    else:
        pictures = (row["phone"] for row in rows)
        paths = [each.get("path") if isinstance(each, Mapping) else None for each in pictures]
    return [Path(path).stem if path else "" for path in paths]


def rows_of_scenes(rows: Rows, places: Places, scenes: set[int]) -> list[int]:
    """Which rows show one of the scenes; those of unknown scenes do not."""
    return [row for row, name in enumerate(pair_names(rows)) if places.scenes.get(name) in scenes]


def scene_number(photo: str) -> int | None:
    """The number that a photo's name ends in, suffix apart: its scene. None where it has none."""
    number = _NUMBER.search(Path(photo).stem)
    return int(number[1]) if number else None


def _entry(entry: Any) -> tuple[Place | None, int | None]:
    if _is_count(entry):
        return None, entry
    if not isinstance(entry, dict):
        return None, None
    photo, left, top = (entry.get(name) for name in Place._fields)
    if not (isinstance(photo, str) and photo == Path(photo).name != ""):
        return None, None
    if not (_is_count(left) and _is_count(top)):
        return None, None
    return Place(photo, left, top), scene_number(photo)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
