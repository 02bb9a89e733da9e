"""The error messages on files that nothing here reads: raw, rare, damaged, or no photo at all."""

import os
import re
from typing import BinaryIO

from PIL import UnidentifiedImageError

from dslr_gan.errors import reason
from dslr_gan.photo.beside.jpeg import segments
from dslr_gan.photo.formats import KNOWN, PHOTO_SUFFIXES, RAW_SUFFIXES, suffix_of

RAW_STARTS = (
    b"FUJIFILMCCD-RAW",  # Fujifilm
    b"FOVb",  # Sigma
    b"IIRO",  # Olympus
    b"IIRS",
    b"MMOR",
    b"IIU\0",  # Panasonic, Leica
    b"\0MRM",  # Minolta
    b"II\x1a\0\0\0HEAPCCDR",  # Canon, old
)
"""How raw files begin that are no TIFF, whatever their name."""

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Little- and big-endian, small and large."""

RARE_PACKINGS = ("webp", "tiff_sgilog", "tiff_sgilog24", "tiff_thunderscan", "tiff_raw_16")
"""Pillow's names of compressions that few copies of libtiff can undo."""

_BEGINNINGS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG"),
    "WebP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "GIF": re.compile(rb"GIF8[79]a"),
    "BMP": re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  \r\n|\xff\x4f\xff\x51"),
}
"""How files begin that can only be damaged when nothing reads them."""

_OTHERS = {
    re.compile(rb"....ftyp(?:mp4|isom|iso[2-9]|qt  |avc1|3g|M4V|MSNV|dash)", re.DOTALL): (
        "a video; give a photo, such as a picture taken out of it"
    ),
    re.compile(rb"\s*<(?:!doctype )?html", re.IGNORECASE): "a web page; download the photo itself",
    re.compile(rb"version https://git-lfs"): (
        "a pointer of Git LFS in place of the photo; run `git lfs pull` in its folder"
    ),
    re.compile(rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf"): "an archive; give the photos in it",
    re.compile(rb"%PDF-"): "a PDF; give a photo, such as a picture taken out of it",
}
"""What is no photo, by how it begins, and what to do."""

_FRAMES = {
    **dict.fromkeys((0xC3, 0xCB), "lossless"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical"),
}
"""What of ITU-T T.81 no photo program reads, by the marker of the frame."""


def raw_message(name: str) -> str:
    """The error message for a raw file."""
    return (
        f"{name} is a raw file of a camera; develop it into a TIFF or JPEG first, for example "
        "with darktable or RawTherapee."
    )


def refusal(name: str, stream: BinaryIO, error: Exception, *, heif: bool) -> str:
    """The error message for a file that cannot be read.

    Args:
        name: Of the file, as it is shown.
        stream: The open file.
        error: What was raised; ``UnidentifiedImageError`` where no decoder took it.
        heif: Whether HEIC can be read here.
    """
    stream.seek(0)
    start = stream.read(32)
    unknown = isinstance(error, UnidentifiedImageError)
    is_raw = suffix_of(name) in RAW_SUFFIXES or start.startswith(RAW_STARTS)
    if unknown and (is_raw or start[4:12] == b"ftypcrx "):
        return raw_message(name)
    if kind := _rare_kind(stream, start, error):
        return (
            f"{name} is of a rare kind that this program does not read ({kind}); open it in "
            "another program and save it as PNG first."
        )
    if not unknown:
        return f"{name} is damaged or cut off ({reason(error)}); copy it again from where it came."
    for beginning, words in _OTHERS.items():
        if beginning.match(start):
            return f"{name} is {words}."
    if start[4:8] == b"ftyp" and not heif:
        return f"{name} may be a HEIC photo, which needs pillow-heif; pip install pillow-heif."
    known = next((kind for kind, beginning in _BEGINNINGS.items() if beginning.match(start)), None)
    if known:
        return (
            f"{name} begins as a {known} and is damaged or cut off; "
            "copy it again from where it came."
        )
    if start[4:8] == b"ftyp" or start[:4] in TIFF_STARTS:
        return (
            f"{name} is damaged, or of a kind that this program does not read; "
            "open it in another program and save it as JPEG or PNG first."
        )
    # The first bytes of a photo's file were lost, as on a memory card that failed.
    lost = not any(start) or start.startswith(b"\xff\xd8")
    if lost and suffix_of(name) in PHOTO_SUFFIXES:
        return (
            f"{name} is damaged: its beginning is not that of a photo; "
            "copy it again from where it came."
        )
    return f"{name} is not a photo this program can read; give one of {KNOWN}."


def _rare_kind(stream: BinaryIO, start: bytes, error: Exception) -> str | None:
    """What is rare about a file that is whole, or None where nothing is known of that."""
    if said := re.match(r"Unsupported ((?:BMP|TIFF) .*)", str(error)):
        return said[1]
    if start.startswith(b"\x89PNG") and start[12:16] == b"CgBI":
        return "a PNG of an iPhone's app"
    if start.startswith(b"\xff\xd8\xff"):
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        for marker, content in segments(stream.read(min(size, 1 << 20))):
            if marker in _FRAMES and content:
                return f"a {_FRAMES[marker]} JPEG"
            if marker in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA) and content[:1] == b"\x0c":
                return "a JPEG of 12 bits per channel"
    return None
