"""A photo as Pillow holds it: the facts beside its pixels, and the modes it comes back in."""

import weakref
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.photo.tiff import PixelsInFile

KEY = "dslr_gan"
"""The key of a Pillow image's ``info`` under which its :class:`Photo` is kept."""

GRAY_MODES = ("L", "LA", "I;16")
"""Those of the five modes that have no colour."""


# Facts beside the pixels -----------------------------------------------------------------------


@dataclass
class Photo:
    """What is known of a photo beside the pixels that Pillow holds.

    It travels with the Pillow image under one key of its ``info``, :data:`KEY`. Pillow hands
    ``info`` on to every image that it makes of another one (``copy``, ``crop``, ``resize``,
    ``transpose``): the notes hold for that one, too. The other fields are about the pixels of one
    image. They count for that image alone and are dropped with it: a photo that was resized
    has 8 bits per channel, is right, and keeps no large photo in memory.
    """

    notes: tuple[str, ...] = ()
    """Whole sentences on what of its file is not in the photo."""
    low_bytes: Image.Image | None = field(default=None, repr=False, compare=False)
    """The low bytes of 16 bits per colour channel, where the Pillow image has the high ones."""
    pixels_in_file: PixelsInFile | None = field(default=None, repr=False, compare=False)
    """Where an open file has the pixels, where they are not decoded."""
    image: weakref.ref[Image.Image] | None = field(default=None, repr=False, compare=False)
    """The one image that ``low_bytes`` and ``pixels_in_file`` belong to."""

    def __reduce__(self) -> tuple[type["Photo"], tuple[tuple[str, ...]]]:
        """Pickled and deep copies are other images, which only the notes hold for."""
        return Photo, (self.notes,)

    def forget_pixels(self) -> None:
        """Drop what belonged to the image's own pixels."""
        self.low_bytes = self.pixels_in_file = None


class HasInfo(Protocol):
    """A Pillow image, or a ``PhotoPixels``."""

    @property
    def info(self) -> dict[Any, Any]:
        """What is known of it."""


def notes(photo: HasInfo) -> list[str]:
    """Sentences on what of the file is not in this photo, such as frames after the first.

    Args:
        photo: What ``open_photo`` or ``PhotoEnhancer.enhance`` returned, its ``PhotoPixels``, or
            any Pillow image.

    Returns:
        Whole sentences without the photo's name; most photos have none.
    """
    found = photo.info.get(KEY)
    return list(found.notes) if isinstance(found, Photo) else []


def add_note(info: dict[Any, Any], note: str) -> None:
    """Add a sentence to a photo's ``info``, once."""
    found = info.get(KEY)
    if not isinstance(found, Photo):
        found = info[KEY] = Photo()
    if note not in found.notes:
        found.notes = (*found.notes, note)


def low_bytes(image: Image.Image) -> Image.Image | None:
    """The low bytes of a photo with 16 bits per colour channel; None where it has none."""
    low = _own(image).low_bytes
    fits = low is not None and (low.size, low.mode) == (image.size, image.mode)
    return low if fits else None


def put_low_bytes(image: Image.Image, low: Image.Image) -> None:
    """Make a photo of 8 bits per channel one of 16: ``image`` keeps the high bytes."""
    _kept(image).low_bytes = low


def pixels_in_file(image: Image.Image) -> PixelsInFile | None:
    """Where a file has the photo's pixels, if they are not in memory; None for any other photo."""
    # An image that was decoded after all, or changed, has nothing left to decode.
    return _own(image).pixels_in_file if getattr(image, "tile", None) else None


def put_pixels_in_file(image: Image.Image, found: PixelsInFile) -> None:
    """Leave a photo's pixels in its file, from where they are read when they are wanted."""
    _kept(image).pixels_in_file = found


def _own(image: Image.Image) -> Photo:
    """The facts on an image's own pixels; those of another one do not count."""
    found = image.info.get(KEY)
    if isinstance(found, Photo) and found.image is not None and found.image() is image:
        return found
    return Photo(tuple(notes(image)), image=weakref.ref(image))


def _kept(image: Image.Image) -> Photo:
    """The same, kept in the image's ``info`` as long as the image lives."""
    own = _own(image)
    if image.info.get(KEY) is not own:
        image.info[KEY] = own
        # Images made of this one may live longer, and have the same object in their info.
        weakref.finalize(image, own.forget_pixels)
    return own


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
    """A photo of any of the modes I, I;16B and their like in mode I;16; others as they are.

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
