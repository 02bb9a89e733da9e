"""A photo as Pillow holds it: the facts beside its pixels, and the modes it comes back in."""

import weakref
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.photo.tiff import PixelsInFile

NOTES = "dslr_gan_notes"
"""The key of an image's ``info`` with the sentences that :func:`notes` returns, if any."""

GRAY_MODES = ("L", "LA", "I;16")
"""Those of the five modes that have no colour."""


# Facts beside the pixels -----------------------------------------------------------------------


@dataclass
class Photo:
    """What is known of the pixels of one Pillow image that Pillow itself does not hold.

    It belongs to that very image, and is forgotten with it. Whatever Pillow makes of the image
    (``copy``, ``crop``, ``resize``, ``transpose``, a pickle) has other pixels and no ``Photo``: it
    has 8 bits per channel, and is right. Changes of ``info`` do not touch it, so metadata can be
    removed from a photo, or handed on to another one, with all bits kept.
    """

    low_bytes: Image.Image | None = None
    """The low bytes of 16 bits per colour channel, where the Pillow image has the high ones."""
    pixels_in_file: PixelsInFile | None = None
    """Where an open file has the pixels, where they are not decoded."""


_PHOTOS: dict[int, Photo] = {}
"""By the id of an image that is alive: Pillow's images cannot be hashed."""


def photo_of(image: Image.Image) -> Photo:
    """What is known of an image's pixels, to be read and to be changed."""
    key = id(image)
    if key not in _PHOTOS:
        _PHOTOS[key] = Photo()
        weakref.finalize(image, _PHOTOS.pop, key, None)
    return _PHOTOS[key]


def low_bytes(image: Image.Image) -> Image.Image | None:
    """The low bytes of a photo with 16 bits per colour channel, or None where it has none."""
    low = _PHOTOS.get(id(image), Photo()).low_bytes
    # An image that was changed in place has them no more.
    fits = low is not None and (low.size, low.mode) == (image.size, image.mode)
    return low if fits else None


def pixels_in_file(image: Image.Image) -> PixelsInFile | None:
    """Where a file has the photo's pixels, if they are not in memory, or None."""
    # An image that was decoded after all, or changed, has nothing left to decode.
    found = _PHOTOS.get(id(image), Photo()).pixels_in_file
    return found if getattr(image, "tile", None) else None


class HasInfo(Protocol):
    """A Pillow image, or a ``PhotoPixels``."""

    @property
    def info(self) -> dict[Any, Any]:
        """What is known of it."""


def notes(photo: HasInfo) -> list[str]:
    """Sentences on what of the file is not in this photo, such as frames after the first.

    Args:
        photo: What ``open_photo`` or ``PhotoEnhancer.enhance`` returned, its ``PhotoPixels``, or
            any Pillow image. What Pillow made of a photo has the notes of that photo.

    Returns:
        Whole sentences without the photo's name; most photos have none.
    """
    return list(photo.info.get(NOTES, ()))


def add_note(info: dict[Any, Any], note: str) -> None:
    """Add a sentence to a photo's ``info``, once."""
    if note not in info.get(NOTES, ()):
        info[NOTES] = (*info.get(NOTES, ()), note)


# Modes -----------------------------------------------------------------------------------------


def check_photo(photo: Image.Image) -> None:
    """Refuse what is no Pillow image, has no pixels, or cannot be decoded.

    Raises:
        DslrGanError: If it is one of these.
    """
    if not isinstance(photo, Image.Image):
        kind = type(photo).__name__
        raise DslrGanError(f"A photo must be a PIL image, got {kind}; open it with PIL first.")
    if photo.width * photo.height == 0:
        raise DslrGanError("The photo has no pixels; give one of at least 1x1.")
    if pixels_in_file(photo) is not None:
        return
    try:
        photo.load()
    except MemoryError as error:
        raise DslrGanError(no_memory("the photo", photo.size)) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise DslrGanError(
            f"The photo cannot be decoded ({reason(error)}); give an undamaged one."
        ) from error


def no_memory(name: str, size: tuple[int, int]) -> str:
    """The error message for a photo that does not fit into this machine's memory."""
    width, height = size
    return (
        f"There is not enough memory for {name} of {width}x{height} pixels, which takes about "
        f"{-(-8 * width * height // 1_000_000)} MB; close other programs or make it smaller first."
    )


def plain_mode(photo: Image.Image) -> str:
    """Which of the modes RGB, RGBA, L, LA and I;16 a photo becomes.

    Raises:
        DslrGanError: If it holds floating-point values.
    """
    mode = photo.mode
    if mode == "F":
        raise DslrGanError(
            "The photo holds floating-point values, whose range is unknown; save it as "
            "8-bit or 16-bit first."
        )
    if mode.startswith("I"):
        return "I;16"
    if mode == "CMYK":
        return "RGB"
    if mode in ("1", "L", "LA", "La"):
        return "LA" if photo.has_transparency_data else "L"
    return "RGBA" if photo.has_transparency_data else "RGB"


def as_gray16(photo: Image.Image) -> Image.Image:
    """A photo of any of the modes I, I;16B and their like in mode I;16, and others as they are.

    A photo whose pixels stay in its file is left alone, too.

    By way of numpy, since Pillow's own conversion of I;16B clips at 255.

    Raises:
        DslrGanError: If it holds values outside of 16 bits.
    """
    if photo.mode == "I;16" or not photo.mode.startswith("I") or pixels_in_file(photo) is not None:
        return photo
    values = np.asarray(photo)
    if values.min() < 0 or values.max() > 65535:
        raise DslrGanError(
            "The photo holds values of more than 16 bits; save it as 8-bit or 16-bit first."
        )
    gray = Image.fromarray(values.astype(np.uint16))
    gray.info = photo.info.copy()
    return gray
