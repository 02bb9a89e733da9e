"""The libraries that Pillow decodes with: HEIC is added, and what they would print is kept back."""

import ctypes
import functools
import logging
from contextlib import suppress
from pathlib import Path

from PIL import Image


@functools.cache
def quiet_tiff() -> None:
    """Keep lines on TIFFs off standard error, those of libtiff and of Pillow's own log.

    What matters of them is raised anyway. The decoders of fax and JPEG speak through the same two
    functions. Where Pillow's copy of libtiff is not found, its lines stay.
    """
    # Python prints what a program without any logging logs as an error; who logs still gets it.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    home = Path(Image.__file__).parent
    folders = home.parent / "pillow.libs", home / ".dylibs"
    for file in (file for folder in folders for file in folder.glob("libtiff*")):
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(file))
            for function in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
                function(None)


def register_heif() -> None:
    """Teach Pillow HEIC, which without pillow-heif gets an error message of its own."""
    if "HEIF" not in Image.OPEN:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            return
        register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
