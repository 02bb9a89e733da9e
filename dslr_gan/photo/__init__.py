"""Photos: from a file to pixels for the network, and back with everything a photo carries.

``open_photo`` decodes a file, ``photo_pixels`` gives its pixels upright and in sRGB,
``photo_from_pixels`` (or an ``InMemoryWriter``, part by part) makes a photo of other pixels, and
``save_photo`` writes it. ``open_photo_in_parts`` and ``write_photo_in_parts`` do the same without
holding the photo in memory, where the format allows: an uncompressed TIFF is read, and every TIFF
is written, a part at a time.
``notes`` says what did not survive: frames and pages after the first, printing colours, bits
beyond what a format holds. Motion videos, depth maps and gain maps beside a photo are dropped.
"""

from dslr_gan.photo.formats import (
    BECOMES,
    FORMATS,
    PHOTO_SUFFIXES,
    RAW_SUFFIXES,
    PhotoFormat,
    find_format,
)
from dslr_gan.photo.metadata import notes
from dslr_gan.photo.pixels import (
    InMemoryWriter,
    PhotoPixels,
    PhotoWriter,
    photo_from_pixels,
    photo_pixels,
)
from dslr_gan.photo.reading import MAX_MEGAPIXELS, open_photo, open_photo_in_parts
from dslr_gan.photo.tensors import eight_bits, to_pixels, to_tensor
from dslr_gan.photo.writing import (
    QUALITY,
    copy_photo,
    format_note,
    format_to_write,
    is_own_format,
    save_photo,
    write_photo_in_parts,
)

__all__ = [
    "BECOMES",
    "FORMATS",
    "MAX_MEGAPIXELS",
    "PHOTO_SUFFIXES",
    "QUALITY",
    "RAW_SUFFIXES",
    "PhotoPixels",
    "PhotoWriter",
    "PhotoFormat",
    "InMemoryWriter",
    "copy_photo",
    "eight_bits",
    "find_format",
    "format_note",
    "format_to_write",
    "photo_from_pixels",
    "is_own_format",
    "notes",
    "open_photo",
    "open_photo_in_parts",
    "write_photo_in_parts",
    "save_photo",
    "photo_pixels",
    "to_pixels",
    "to_tensor",
]
