"""Photos: from a file to pixels for the network, and back with everything a photo carries.

``open_photo`` decodes a file, ``to_canvas`` gives its pixels upright and in sRGB, ``from_canvas``
(or a ``PhotoPainting``, part by part) makes a photo of other pixels, ``save_photo`` writes it.
``opened_photo`` and ``painted_photo`` do the same without holding the photo in memory, where the
format allows: an uncompressed TIFF is read, and every TIFF is written, a part at a time.
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
from dslr_gan.photo.pixels import Canvas, Painting, PhotoPainting, from_canvas, to_canvas
from dslr_gan.photo.reading import MAX_MEGAPIXELS, open_photo, opened_photo
from dslr_gan.photo.tensors import eight_bits, to_pixels, to_tensor
from dslr_gan.photo.writing import (
    QUALITY,
    copy_photo,
    format_note,
    format_to_write,
    is_own_format,
    painted_photo,
    save_photo,
)

__all__ = [
    "BECOMES",
    "FORMATS",
    "MAX_MEGAPIXELS",
    "PHOTO_SUFFIXES",
    "QUALITY",
    "RAW_SUFFIXES",
    "Canvas",
    "Painting",
    "PhotoFormat",
    "PhotoPainting",
    "copy_photo",
    "eight_bits",
    "find_format",
    "format_note",
    "format_to_write",
    "from_canvas",
    "is_own_format",
    "notes",
    "open_photo",
    "opened_photo",
    "painted_photo",
    "save_photo",
    "to_canvas",
    "to_pixels",
    "to_tensor",
]
