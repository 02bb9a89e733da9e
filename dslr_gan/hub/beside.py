"""The pictures beside a saved network: read as what they are, and fetched when they are needed.

A folder may be a stranger's. Only regular files inside it are read, never what a link leads to,
and only those that are pictures.
"""

import io
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from dslr_gan.errors import HubError
from dslr_gan.hub.fetching import Origin
from dslr_gan.hub.sending import read_small_file
from hub_card import ModelFacts

logger = logging.getLogger(__name__)

MOST_BYTES = 20_000_000
"""A larger file is not taken for one that belongs to a card."""

_FORMATS = {".jpg": "JPEG", ".png": "PNG"}


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
            if file.stat().st_size > MOST_BYTES:
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
            content = read_small_file(repository, picture.file, origin.commit, MOST_BYTES)
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
