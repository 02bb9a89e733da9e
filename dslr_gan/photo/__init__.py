"""Photos: from a file to pixels for the network, and back with everything a photo carries.

``open_photo`` decodes a file, ``photo_pixels`` gives its pixels upright and in sRGB,
``photo_from_pixels`` (or an ``InMemoryWriter``, part by part) makes a photo of other pixels, and
``save_photo`` writes it. ``open_photo_in_parts`` and ``write_photo_in_parts`` do the same without
holding the photo in memory, where the format allows: an uncompressed TIFF is read, and every TIFF
is written, a part at a time.
``notes`` says what did not survive: frames and pages after the first, printing colours, bits
beyond what a format holds; motion videos, depth maps and gain maps beside a photo.
"""

from typing import TYPE_CHECKING, Any

from dslr_gan.photo.formats import (
    BECOMES,
    FORMATS,
    PHOTO_SUFFIXES,
    RAW_SUFFIXES,
    PhotoFormat,
    find_format,
    format_note,
    format_to_write,
    is_own_format,
)
from dslr_gan.photo.photo import notes
from dslr_gan.photo.pixels import PhotoPixels, photo_pixels, rgb_pixels
from dslr_gan.photo.reading import MAX_MEGAPIXELS, open_photo, open_photo_in_parts
from dslr_gan.photo.sixteen_bit import eight_bits
from dslr_gan.photo.writers import InMemoryWriter, PhotoWriter, photo_from_pixels
from dslr_gan.photo.writing import (
    QUALITY,
    copy_photo,
    save_photo,
    write_photo_in_parts,
)

if TYPE_CHECKING:
    from dslr_gan.photo.tensors import to_pixels, to_tensor

__all__ = [
    "BECOMES",
    "FORMATS",
    "MAX_MEGAPIXELS",
    "PHOTO_SUFFIXES",
    "QUALITY",
    "RAW_SUFFIXES",
    "InMemoryWriter",
    "PhotoFormat",
    "PhotoPixels",
    "PhotoWriter",
    "copy_photo",
    "eight_bits",
    "find_format",
    "format_note",
    "format_to_write",
    "is_own_format",
    "notes",
    "open_photo",
    "open_photo_in_parts",
    "photo_from_pixels",
    "photo_pixels",
    "rgb_pixels",
    "save_photo",
    "to_pixels",
    "to_tensor",
    "write_photo_in_parts",
]


def __getattr__(name: str) -> Any:
    # Only these need PyTorch, which nobody waits for who opens a photo or asks for --help.
    if name not in ("to_pixels", "to_tensor"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dslr_gan.photo import tensors

    return getattr(tensors, name)
