"""Which format a result gets, and a file name that does not contradict it."""

import warnings
from pathlib import Path

from PIL import Image

from dslr_gan.photo import PHOTO_SUFFIXES, PhotoFormat, find_format, format_to_write
from dslr_gan.photo.decoding.libraries import register_heif
from dslr_gan.photo.formats import READABLE


def choose_format(
    photo: Image.Image, source: Path, destination: Path, wanted: str | None = None
) -> tuple[PhotoFormat, bool]:
    """Choose the format of a result.

    A format that was named decides. Otherwise a destination whose suffix means another format
    than the source's suffix asks for that one. In all other cases the photo's own format stays,
    which is decided by the content of its file, or becomes PNG where it cannot hold the result.

    Args:
        photo: What ``open_photo`` returned for the source.
        source: The photo's file.
        destination: The file that was named for the result.
        wanted: A name such as ``"png"``; None where no format was named.

    Returns:
        The format, and whether it was asked for by name or by suffix.

    Raises:
        DslrGanError: If photos are not written in the format that was asked for, or the photo
            holds floating-point values.
    """
    if wanted is not None:
        return find_format(wanted), True
    kept = format_to_write(photo)
    suffix = _photo_suffix(destination)
    is_unchanged = suffix in kept.suffixes or _means_same(suffix, _photo_suffix(source))
    if suffix and not is_unchanged:
        return find_format(suffix), True
    return kept, False


def fitting_name(destination: Path, kind: PhotoFormat) -> Path:
    """Correct a file name whose suffix means another format than the one in the file.

    A suffix that is not one of a photo, or a missing one, stays as it is.
    """
    suffix = _photo_suffix(destination)
    if not suffix or suffix in kind.suffixes:
        return destination
    return destination.with_suffix(f".{kind.suffixes[0]}")


def format_by_header(source: Path) -> PhotoFormat | None:
    """Tell the format that a photo's result keeps, without decoding any pixel.

    Returns:
        What :func:`choose_format` keeps for the photo; None where the header cannot be read.
    """
    register_heif()
    try:
        if not source.is_file():  # opening a pipe would wait for its other end
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF and of large photos
            with Image.open(source, formats=READABLE) as photo:
                return format_to_write(photo)
    except Exception:  # Pillow raises nearly anything on damaged files; opening will report it
        return None


def _photo_suffix(path: Path) -> str:
    """The suffix in lower case and without the dot; empty where it is not one of a photo."""
    suffix = path.suffix.lower().removeprefix(".")
    return suffix if suffix in PHOTO_SUFFIXES else ""


def _means_same(first: str, second: str) -> bool:
    """Whether two suffixes mean one format, such as ``jpg`` and ``jpeg``."""
    if first == second or "gif" in (first, second):  # photos are not written as GIF
        return first == second
    return bool(first and second) and find_format(first) == find_format(second)
