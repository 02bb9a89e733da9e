"""What a photo's header says: cheap enough to be read of every upload, before anybody waits."""

import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from dslr_gan.errors import DslrGanError, shown
from dslr_gan.models.phones import camera_of
from dslr_gan.page.work.admission import quickly
from dslr_gan.photo import open_photo
from dslr_gan.photo.formats import READABLE
from dslr_gan.photo.metadata import orientation_of
from dslr_gan.photo.reading import register_heif

MAX_MEGAPIXELS = 120.0
"""The largest photo that the page takes; what it holds in memory grows with it."""

MAX_FILE_MB = 100
"""The largest file that the page takes."""


def look(photo: Path) -> dict[str, Any]:
    """Read the header of an upload; no pixel is decoded.

    Args:
        photo: Its file.

    Returns:
        ``width`` and ``height`` as displayed, ``megapixels``, ``format`` (Pillow's name),
        ``camera`` by the EXIF ("" where it does not tell), ``phone`` of the catalogue by its maker
        or None, and ``says``, a sentence on that choice or None.

    Raises:
        DslrGanError: If it is not a photo, empty, or larger than the page takes.
    """
    try:
        if photo.stat().st_size > MAX_FILE_MB * 1e6:
            raise _too_large(photo, f"more than {MAX_FILE_MB} MB", f"{MAX_FILE_MB} MB")
        register_heif()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF and of large photos
            with Image.open(photo, formats=READABLE) as header:
                camera, orientation = camera_of(header), orientation_of(header)
                width, height = header.size[::-1] if orientation >= 5 else header.size
                kind = header.format or ""
    except DslrGanError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(photo, "too many") from error
    except Exception:  # Pillow raises nearly anything on damaged files; this says what is wrong
        with quickly(""), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = open_photo(photo, max_megapixels=MAX_MEGAPIXELS)
        camera, kind = camera_of(opened), opened.format or ""
        turned = orientation_of(opened) >= 5
        width, height = opened.size[::-1] if turned else opened.size
    megapixels = width * height / 1e6
    if megapixels > MAX_MEGAPIXELS:
        raise _too_many_pixels(photo, f"{megapixels:.0f}")
    phone = camera.phone
    return {
        "width": width,
        "height": height,
        "megapixels": round(megapixels, 2),
        "format": kind,
        "camera": str(camera),
        "phone": phone.name if phone else None,
        "says": f"The {phone.title} model, by the photo's EXIF: {camera}." if phone else None,
    }


def _too_many_pixels(photo: Path, megapixels: str) -> DslrGanError:
    return _too_large(photo, f"{megapixels} megapixels", f"{MAX_MEGAPIXELS:.0f} megapixels")


def _too_large(photo: Path, size: str, limit: str) -> DslrGanError:
    return DslrGanError(
        f"{shown(photo)} has {size}, and this page takes {limit} at most; make it smaller, or "
        "enhance it on your own computer: python -m dslr_gan enhance."
    )
