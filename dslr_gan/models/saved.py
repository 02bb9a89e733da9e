"""Reading a saved network's files, which may be a stranger's: nothing is trusted unseen.

Settings are read first. The weights that they ask for are counted before any is made, and compared
with what the file says that it holds before any is read. Of what lies beside them only regular
files are read, never what a link leads to.
"""

import inspect
import io
import json
import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from dslr_gan.errors import HubError, InputError, brief, reason
from dslr_gan.hub import CONFIG, FACTS, SMALL_FILE, WEIGHTS, Origin, read_small_file
from hub_card import ModelFacts, read_facts

logger = logging.getLogger(__name__)

MOST_WEIGHTS = 100_000_000
"""The largest network that is loaded; DPED's has 400 thousand weights."""

_HEADER_ROOM = 1_000_000
"""Bytes that a safetensors file may have beside its weights."""

_POINTER = b"version https://git-lfs.github.com/spec/"
"""How the files begin that git has in place of large ones where it has no Git LFS."""

_MOST_OF_A_PICTURE = 20_000_000
"""A larger file is not taken for one that belongs to a card."""

_FORMATS = {".jpg": "JPEG", ".png": "PNG"}

_FLOATS = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
"""The types that weights may be stored in, and their bytes."""


class SavedConfig(NamedTuple):
    """The contents of a saved network's ``config.json``."""

    file: Path
    architecture: str
    """The name of the network's class, whether or not there is such a class."""
    settings: dict[str, Any]
    """Keyword arguments of the class."""
    place: str
    """What to call the file in a message."""


def read_config(origin: Origin) -> SavedConfig:
    """Read which network a folder has, and its settings.

    Args:
        origin: Whose folder has ``config.json``.

    Returns:
        The contents of the file.

    Raises:
        InputError: If the file is missing, too large, damaged, or names no class.
    """
    file, place = origin.folder / CONFIG, origin.place(CONFIG)
    if not file.is_file():
        raise InputError(
            f"there is no {place}; a saved network has {CONFIG} and {WEIGHTS} side by side."
        )
    try:
        config = json.loads(_read_small(file), object_pairs_hook=_each_once)
    except OSError as error:
        raise _unreadable(place, error) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is not JSON ({reason(error)}); save it again.") from error
    settings = dict(config) if isinstance(config, dict) else {}
    architecture = settings.pop("architecture", None)
    if not isinstance(architecture, str):
        raise InputError(f"{place} does not say which network it describes; name another folder.")
    return SavedConfig(file, architecture, settings, place)


def _unreadable(place: str, error: OSError) -> InputError:
    return InputError(f"{place} cannot be read ({reason(error)}); check its permissions.")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these names and values; of a name that comes twice nobody knows which holds."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"it says {brief(name)} twice")
        found[name] = value
    return found


def _read_small(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(SMALL_FILE + 1)
    if len(content) > SMALL_FILE:
        raise ValueError(f"it has more than {SMALL_FILE:,} bytes")
    return content.decode("utf-8")


def read_weights(
    file: Path, place: str | None = None, shapes: Mapping[str, torch.Size] | None = None
) -> dict[str, Tensor]:
    """Read a safetensors file.

    Args:
        file: The file.
        place: What to call it in a message; None for its path.
        shapes: What it must hold, by name; looked at before anything is read. None for anything.

    Returns:
        Its tensors by name, on the CPU, of a floating type.

    Raises:
        InputError: If it is missing, damaged, not safetensors, or holds something else.
    """
    place = place or str(file)
    if not file.is_file():
        raise InputError(
            f"there is no {place}; weights are read from safetensors files only, never a pickle."
        )
    try:
        with file.open("rb"):  # safetensors says of whatever it cannot open that it is not there
            pass
    except OSError as error:
        raise _unreadable(place, error) from error
    try:
        with safe_open(file, "pt") as opened:
            parts = {key: opened.get_slice(key) for key in opened.keys()}  # noqa: SIM118
            kinds = {key: part.get_dtype() for key, part in parts.items()}
            found = {key: torch.Size(part.get_shape()) for key, part in parts.items()}
            del parts
        if shapes is not None:
            check_shapes(found, shapes, place)
        for key, kind in kinds.items():
            if kind not in _FLOATS:
                raise InputError(
                    f"{place}: weight {brief(key)} is stored as {kind}; weights are read as "
                    f"{', '.join(_FLOATS)} only."
                )
        return load_file(file)
    except (SafetensorError, OSError, OverflowError) as error:
        if _is_pointer(file):
            raise InputError(
                f"{place} is a pointer of Git LFS in place of the file; run `git lfs pull` in its "
                "folder, or name the repository as owner/name."
            ) from error
        raise InputError(
            f"{place} is no whole safetensors file ({reason(error)}); fetch or save it again."
        ) from error


def _is_pointer(file: Path) -> bool:
    """Whether a clone made by git has the address of the file only."""
    with suppress(OSError), file.open("rb") as stream:
        return stream.read(len(_POINTER)) == _POINTER
    return False


def check_shapes(
    found: Mapping[str, Tensor | torch.Size], wanted: Mapping[str, torch.Size], name: str
) -> None:
    """Refuse weights that are missing, surplus or misshapen.

    Args:
        found: The weights by name, or their shapes.
        wanted: The shapes that they must have.
        name: What to call them in a message.

    Raises:
        InputError: If they are others.
    """
    for problem, keys in (
        ("lacks", wanted.keys() - found.keys()),
        ("has the surplus", found.keys() - wanted.keys()),
    ):
        if keys:
            raise InputError(
                f"{name} {problem} weights {_some(keys)}; it was not saved from this network, "
                f"or its {CONFIG} is another's."
            )
    for key, value in found.items():
        shape = value.shape if isinstance(value, Tensor) else value
        if shape != wanted[key]:
            raise InputError(
                f"{name}: weight {key} has shape {tuple(shape)}, but the network has "
                f"{tuple(wanted[key])}; its {CONFIG} is another's."
            )


def shapes_of(config: SavedConfig, network: type[nn.Module]) -> dict[str, torch.Size]:
    """The shapes of the weights that settings ask for, without making any.

    Raises:
        InputError: If the settings are another class's, out of range, or ask for more than
            :data:`MOST_WEIGHTS`.
    """
    if config.architecture != network.__name__:
        raise InputError(
            f"{config.place} does not describe a {network.__name__}; name another folder."
        )
    surplus = config.settings.keys() - inspect.signature(network).parameters.keys()
    if surplus:
        raise InputError(
            f"{config.place} has settings that this version does not know: {_some(surplus)}; "
            "update."
        )
    try:
        with torch.device("meta"):
            made = network(**config.settings)
    except InputError as error:
        raise InputError(f"{config.place}: {error}") from error
    shapes = {key: value.shape for key, value in made.state_dict().items()}
    count = sum(shape.numel() for shape in shapes.values())
    if count > MOST_WEIGHTS:
        raise InputError(
            f"{config.place} describes a network of {count:,} weights; at most {MOST_WEIGHTS:,} "
            "are loaded."
        )
    return shapes


def sizes_of(shapes: Mapping[str, torch.Size]) -> range:
    """How many bytes a file with weights of these shapes may have."""
    count = sum(shape.numel() for shape in shapes.values())
    return range(min(_FLOATS.values()) * count, max(_FLOATS.values()) * count + _HEADER_ROOM + 1)


def read_facts_of(origin: Origin, title: str) -> ModelFacts | None:
    """The facts as far as they can be read: they are for people, and no network fails for them."""
    if FACTS not in origin.files:
        return None
    place = origin.place(FACTS)
    try:
        facts, problems = read_facts(_read_small(origin.files[FACTS]), title)
    except (ValueError, OSError) as error:
        logger.warning("%s is left out (%s)", place, reason(error))
        return None
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        logger.warning("%s: %s%s", place, "; ".join(problems[:3]), more)
    return facts


def _some(names: AbstractSet[str]) -> str:
    first = ", ".join(brief(name) for name in sorted(names)[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3} more"


# The pictures beside it ------------------------------------------------------------------------


def read_pictures(folder: Path, facts: ModelFacts | None) -> dict[str, bytes]:
    """Read the pictures that facts name, as far as they lie in a folder.

    Args:
        folder: Of a saved network.
        facts: Its facts.

    Returns:
        The content of each file by its name. What is no picture is left out with a warning.
    """
    names = [picture.file for picture in facts.all_pictures] if facts else []
    return {
        name: content
        for name, content in read_beside(folder, names).items()
        if _is_picture(content, name, str(folder))
    }


def read_beside(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Read files of a folder, as far as they are there, regular, and not too large."""
    found = {}
    for name in names:
        file = folder / name
        try:
            if file.is_symlink() or not file.is_file():
                continue
            if file.stat().st_size > _MOST_OF_A_PICTURE:
                logger.warning("%s is too large for a card and left out", file)
                continue
            found[name] = file.read_bytes()
        except OSError as error:
            logger.warning("%s cannot be read (%s) and is left out", file, error.strerror)
    return found


def fetch_pictures(
    origin: Origin | None, facts: ModelFacts, here: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Fetch the pictures that facts name and that are not here, where they are on the Hub.

    Args:
        origin: Where the network came from.
        facts: Its facts.
        here: The pictures that are here already.

    Returns:
        The content of each file by its name. What cannot be fetched is left out with a warning.
    """
    if origin is None or origin.repository is None or origin.commit is None:
        return {}
    repository, found = origin.repository, {}
    for picture in facts.all_pictures:
        if picture.file in here:
            continue
        try:
            content = read_small_file(repository, picture.file, origin.commit, _MOST_OF_A_PICTURE)
        except HubError as error:
            logger.warning(
                "%s of %s could not be fetched (%s); the card is without it",
                picture.file, repository, error.cause,
            )  # fmt: skip
            continue
        if _is_picture(content, picture.file, repository):
            found[picture.file] = content
    return found


def _is_picture(content: bytes, name: str, where: str) -> bool:
    """Whether a file is a picture of the kind that its name says."""
    try:
        with Image.open(io.BytesIO(content), formats=[_FORMATS[Path(name).suffix]]) as picture:
            picture.verify()
    except Exception:  # Pillow raises nearly anything on what is no picture
        logger.warning("%s of %s is no picture and is left out", name, where)
        return False
    return True
