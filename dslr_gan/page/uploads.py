"""The page's files on the server: uploads are checked, results get folders and are removed."""

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import skimage.data
from gradio.utils import get_upload_folder

from dslr_gan.errors import DslrGanError

KEEP_SECONDS = 6 * 3600
"""How long uploads and results stay on the server for someone who has the page open."""

OWN_FOLDER = "dslr_gan_page"
"""Name of the folder for uploads where none is named: Gradio's is shared by all its programs."""

LONGEST_MESSAGE = 600
"""Letters of an error message; of a longer one the middle is left out."""

EXAMPLES = ("coffee.png", "astronaut.png", "rocket.jpg", "motorcycle_left.png", "chelsea.png")
"""Photos inside the scikit-image wheel: showing them needs no network."""

EXAMPLE_FOLDER = Path(skimage.data.__file__).parent


def uploaded(value: Any, what: str) -> Path:
    """Give the path of an upload, which comes as the client sent it, without preprocessing.

    Gradio vouches only for what declares itself a file of its own, so the folder is checked here:
    nobody is to read other files of the server.

    Raises:
        DslrGanError: If there is no upload, or its file is not one of the page's.
    """
    folders = (Path(get_upload_folder()), EXAMPLE_FOLDER)
    try:
        path = Path(str(value.get("path") or "") if isinstance(value, dict) else "").resolve()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, links in a circle
        path = Path()
    if not any(path.is_relative_to(folder.resolve()) for folder in folders):
        raise DslrGanError(f"There is no {what} yet; upload one first.")
    return path


def own_upload_folder() -> None:
    """Give this page a folder for uploads of its own, unless ``GRADIO_TEMP_DIR`` names one."""
    os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir()) / OWN_FOLDER))


def fresh_folder() -> Path:
    """Make a new folder for one result, and remove what is older than ``KEEP_SECONDS``.

    Gradio removes what it has handed out; the result of a cancelled run is known here only, and
    what a process before this one or a broken upload left behind to nobody.
    """
    uploads = Path(get_upload_folder())
    results = uploads / "dslr_gan"
    _remove_old(results)
    if uploads.name == OWN_FOLDER:  # others may belong to other programs, too
        _remove_old(uploads)
    folder = results / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder


def _remove_old(folder: Path) -> None:
    oldest = time.time() - KEEP_SECONDS
    for old in folder.glob("*"):
        with suppress(OSError):
            if old.name != "dslr_gan" and old.stat().st_mtime < oldest:
                if old.is_dir():
                    shutil.rmtree(old)
                else:
                    old.unlink()


@contextmanager
def removed_at_errors() -> Iterator[Path]:
    """Give a fresh folder that is gone again if anything goes wrong."""
    folder = fresh_folder()
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def remove_upload(file: Path) -> None:
    """Remove an uploaded file, and the folder that Gradio made for it; examples stay."""
    folder = Path(get_upload_folder()).resolve()
    if file.resolve().is_relative_to(folder):
        with suppress(OSError):
            file.unlink()
            file.parent.rmdir()


def message_of(error: DslrGanError) -> str:
    """Give an error's message, with an upload's name instead of its path on the server.

    It is one line of a length that can be read, whatever a request had in a value's place.
    """
    message = re.sub(re.escape(get_upload_folder()) + r"\S*/", "", str(error))
    message = "".join(letter if letter.isprintable() else " " for letter in message)
    if len(message) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2
        message = f"{message[:half]} … {message[-half:]}"
    return message
