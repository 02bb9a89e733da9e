"""The example that a visitor sees finished before doing anything."""

import logging
import shutil
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import DEFAULT
from dslr_gan.page.uploads import EXAMPLE_FOLDER
from dslr_gan.page.work.kept import forget_session
from dslr_gan.page.work.photo_run import enhance_photo

FIRST = "rocket.jpg"

_SESSION = "first sight"

logger = logging.getLogger(__name__)


def first_sight() -> dict[str, Any] | None:
    """Enhance the first example, once, and keep its pictures as long as the page is up.

    Returns:
        What ``viewer.js`` shows: ``name``, ``title``, ``example``, ``size``, ``before`` and, by
        phone, ``phones``; files are paths. None where it cannot be enhanced: the page opens all
        the same, and says why to who tries.
    """
    try:
        *_, done = enhance_photo(EXAMPLE_FOLDER / FIRST, [DEFAULT.name], _SESSION)
    except DslrGanError as error:
        logger.warning("the page opens without an example: %s", error)
        return None
    folder = Path(get_upload_folder()) / "first_sight"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        part: shutil.copy(done[part], folder / f"{part}{Path(done[part]).suffix}")
        for part in ("before", "after")
    }
    forget_session(_SESSION)
    known = ("scores", "source", "width", "height", "notes", "hint", "seconds")
    return {
        "name": FIRST,
        "title": title_of(FIRST),
        "example": FIRST,
        "size": {"width": done["width"], "height": done["height"]},
        "before": str(kept["before"]),
        "phones": {
            DEFAULT.name: {name: done[name] for name in known} | {"after": str(kept["after"])}
        },
    }


def title_of(example: str) -> str:
    """Give a word for an example: what its file is called."""
    return Path(example).stem.split("_")[0]
