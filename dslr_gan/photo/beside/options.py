"""What is carried over, in the form that a file of each format takes it."""

from collections.abc import Iterator
from typing import Any

from dslr_gan.photo.beside.facts import Carried, Chunk, printable
from dslr_gan.photo.beside.jpeg import (
    LONGEST,
    XMP_START,
    exif_segments,
    extended_segments,
    iptc_segments,
    segment,
)
from dslr_gan.photo.beside.png import XMP_KEYWORD, iptc_chunk
from dslr_gan.photo.beside.profiles import is_made
from dslr_gan.photo.beside.xmp import divided


def left_out(carried: Carried, format: str) -> Iterator[str]:
    """Say what stays true of a photo and has no place in a file.

    Args:
        carried: Of the photo.
        format: Pillow's name of the file's format.

    Yields:
        Whole sentences.
    """
    if carried.text and format != "PNG":
        names = dict.fromkeys(content.partition(b"\0")[0] for _, content in carried.text)
        shown_names = ", ".join(printable(name)[:30] for name in list(names)[:3])
        more = ", ..." if len(names) > 3 else ""
        lines = " ".join(f"{shown_names}{more}".split())
        yield f"Its text ({lines}) was left out: {format} holds none."
    if carried.comments and format not in ("JPEG", "PNG", "JPEG2000"):
        yield f"Its comment was left out: {format} is written without."
    if carried.iptc and format not in ("JPEG", "PNG", "TIFF"):
        yield f"Its IPTC was left out: {format} holds none."


def jpeg_options(exif: bytes, xmp: bytes, carried: Carried, lost: list[str]) -> dict[str, Any]:
    """Pillow's save options of a JPEG, where what is long takes several segments.

    Args:
        exif: The EXIF block.
        xmp: The XMP packet.
        carried: Of the photo.
        lost: Gets a sentence on what does not fit.
    """
    extra = exif_segments(exif[LONGEST:])
    if carried.iptc:
        extra += iptc_segments(carried.iptc)
    extra += b"".join(segment(0xFE, comment) for comment in carried.comments)
    room = LONGEST - len(XMP_START)
    if len(xmp) > room:
        parts = divided(xmp, room)
        if parts is None:
            lost.append("Its XMP is larger than a JPEG can hold and was left out.")
        xmp, extended, digest = parts or (b"", b"", b"")
        extra += extended_segments(extended, digest)
    options = {"exif": exif[:LONGEST], "comment": b"", "extra": extra}
    return options | ({"xmp": xmp} if xmp else {})


def png_chunks(profile: bytes, xmp: bytes, carried: Carried) -> tuple[list[Chunk], bool]:
    """The chunks of a PNG that are carried over.

    Args:
        profile: The photo's ICC profile.
        xmp: The XMP packet.
        carried: Of the photo.

    Returns:
        The chunks, those of colours first, and whether these say what the profile says.
    """
    chunks: list[Chunk] = []
    replaced = False
    if carried.colours and profile == carried.profile:
        # The file says in its own way what colours it has, which every viewer takes as it did.
        chunks += carried.colours
        replaced = is_made(profile)
    chunks += carried.text
    for comment in carried.comments:
        text = comment.rstrip(b"\0").decode("utf-8", "replace").encode()
        chunks.append((b"iTXt", b"Comment\0\0\0\0\0" + text))
    if carried.iptc:
        chunks.append(iptc_chunk(carried.iptc))
    if xmp:
        text = xmp.decode("utf-8", "replace").encode()
        chunks.append((b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + text))
    return chunks, replaced
