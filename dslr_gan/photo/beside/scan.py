"""What a photo's file has beside its pixels, whatever its format."""

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from PIL import Image

from dslr_gan.photo.beside.boxes import (
    MATRICES_OF_FEWER_COLOURS,
    in_known_colours,
    plain_webp,
    scan_boxes,
    scan_webp,
    without_exif,
)
from dslr_gan.photo.beside.facts import (
    DAMAGED_PART,
    SIGNED,
    UNKNOWN_MATRIX,
    Carried,
    Found,
)
from dslr_gan.photo.beside.jpeg import plain_jpeg, read_iptc, scan_jpeg
from dslr_gan.photo.beside.others import (
    comments_of,
    scan_bmp,
    scan_gif,
    scan_jpeg2000,
    scan_pnm,
)
from dslr_gan.photo.beside.png import SIGNATURE, plain_png, scan_png

IPTC_TAG, _PHOTOSHOP_TAG, C2PA_TAG = 33723, 34377, 52545

_ODD = (ValueError, IndexError, MemoryError, ArithmeticError, struct.error)


def scan(stream: BinaryIO) -> Found:
    """Read what a file has beside its pixels; it never fails, and leaves out what is damaged.

    Args:
        stream: An open file that can be sought in.
    """
    end = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    start = stream.read(12)
    try:
        if start.startswith(SIGNATURE):
            return scan_png(stream, end)
        if start.startswith(b"\xff\xd8\xff"):
            stream.seek(0)
            return scan_jpeg(stream.read())
        if start[:4] == b"RIFF" and start[8:] == b"WEBP":
            stream.seek(0)
            return scan_webp(stream.read())
        if start[4:8] == b"ftyp":
            return scan_boxes(stream, end)
        if start[4:8] == b"jP  ":
            return scan_jpeg2000(stream, end)
        stream.seek(0)
        if start.startswith(b"GIF8"):
            return scan_gif(stream.read())
        if start.startswith(b"BM"):
            return scan_bmp(stream.read(138), stream)
        if start[:1] == b"P" and start[1:2] in b"123456":
            return scan_pnm(stream.read(4096))
    except _ODD:  # of a file made to hurt
        pass
    return Found()


def scan_opened(photo: Image.Image, found: Found) -> None:
    """Add what Pillow knows of a TIFF, a GIF or a JPEG 2000."""
    if photo.format == "TIFF":
        tags: Any = getattr(photo, "tag_v2", {})
        if C2PA_TAG in tags:
            found.note(SIGNED)
        resources = tags.get(_PHOTOSHOP_TAG)
        iptc = _as_bytes(tags.get(IPTC_TAG))
        if not iptc and isinstance(resources, bytes):
            iptc = read_iptc(resources) or b""
        found.carried = Carried(iptc=iptc)
    elif photo.format in ("GIF", "JPEG2000") and isinstance(photo.info.get("comment"), bytes):
        comments = comments_of(photo.info["comment"])
        found.carried = replace(found.carried, comments=comments)


def _as_bytes(value: Any) -> bytes:
    """IPTC's records as bytes, which old programs counted in groups of four."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
        return b"".join(part.to_bytes(4, "little") for part in value if 0 <= part < 2**32)
    return b""


def plain_copies(stream: BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    """The same file without what may be odd beside its picture, in memory.

    For a photo that Pillow refuses: what is odd beside the pixels must not cost them.

    Yields:
        Copies, those that leave out the least first, with a note on what each lacks; empty where
        it is noted otherwise. None for formats of which there is no copy.
    """
    end = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    start = stream.read(12)
    if start.startswith(SIGNATURE):
        yield io.BytesIO(plain_png(stream, end)), ""  # each of its chunks is noted
    elif start.startswith(b"\xff\xd8\xff"):
        stream.seek(0)
        yield io.BytesIO(plain_jpeg(stream.read())), DAMAGED_PART
    elif start[:4] == b"RIFF" and start[8:] == b"WEBP":
        stream.seek(0)
        yield io.BytesIO(plain_webp(stream.read())), DAMAGED_PART
    elif start[4:8] == b"ftyp":
        data, odd_matrix = in_known_colours(stream, end)
        colours = io.BytesIO(data)
        yield colours, UNKNOWN_MATRIX if odd_matrix else ""
        yield io.BytesIO(without_exif(colours, end)), DAMAGED_PART
        data, odd_matrix = in_known_colours(colours, end, MATRICES_OF_FEWER_COLOURS)
        if odd_matrix:
            yield io.BytesIO(data), UNKNOWN_MATRIX
