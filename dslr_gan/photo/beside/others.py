"""What GIF, BMP, JPEG 2000 and PPM have beside their pixels: colours, XMP, EXIF, comments.

GIF89a, section 26, with ICC's and Adobe's application extensions; Microsoft's BITMAPV4HEADER and
BITMAPV5HEADER; ISO/IEC 15444-1, annex I.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from dslr_gan.photo.beside.boxes import boxes
from dslr_gan.photo.beside.facts import SIGNED, Carried, Found
from dslr_gan.photo.beside.jpeg import read_iptc
from dslr_gan.photo.beside.profiles import make_profile

_LARGEST = 64 << 20
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF = b"JpgTiffExif->JP2"
_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_PHOTOSHOP = bytes.fromhex("2c4c010085040b90a03ef5a1a5bf7ab7")
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_KNOWN_COLOURS = (12, 16, 17, 18)
"""Numbers of CMYK, sRGB, gray and sYCC, as its decoder takes them."""
_MAKERS = (b"Created by OpenJPEG", b"Kakadu", b"Created by GIMP", b"CREATOR:")


def scan_jpeg2000(stream: BinaryIO, end: int) -> Found:
    """Read what a JPEG 2000 has beside its pixels."""
    found = Found()
    for name, start, size in boxes(stream, end):
        if name == b"jp2h":
            for inner, place, length in boxes(stream, start + size, start):
                if inner == b"colr" and length > 3:
                    stream.seek(place)
                    _scan_colours(stream.read(min(length, _LARGEST)), found)
        elif name == b"uuid" and 16 <= size <= _LARGEST:
            stream.seek(start)
            kind, content = stream.read(16), stream.read(size - 16)
            if kind == _XMP:
                found.xmp = content
            elif kind == _EXIF:
                found.exif = content
            elif kind == _IPTC:
                found.carried = replace(found.carried, iptc=content)
            elif kind == _PHOTOSHOP:
                found.carried = replace(found.carried, iptc=read_iptc(content) or b"")
            elif kind == _C2PA:
                found.note(SIGNED)
        elif name == b"jumb":
            found.note(SIGNED)
    return found


def _scan_colours(content: bytes, found: Found) -> None:
    method = content[0]
    if method in (2, 3) and not found.icc:
        found.icc = content[3:]
    elif method == 1 and len(content) >= 7:
        (number,) = struct.unpack_from(">I", content, 3)
        if number not in _KNOWN_COLOURS:
            found.note(
                f"Its colours have the number {number}, which this program does not know; they "
                "were taken for sRGB."
            )


def comments_of(comment: bytes) -> tuple[bytes, ...]:
    """A file's comment, unless it only names the program that wrote it."""
    return (comment,) if comment.strip() and not comment.strip().startswith(_MAKERS) else ()


def scan_pnm(start: bytes) -> Found:
    """Read the comments of a PBM, PGM or PPM out of its first bytes."""
    head = re.match(rb"P[1-6](?:\s+|\s*#[^\n]*\n)*(?:\d+(?:\s+|\s*#[^\n]*\n)*){1,3}", start)
    lines = re.findall(rb"#([^\n]*)\n", head[0]) if head else []
    found = [part for line in lines for part in comments_of(line.strip())]
    return Found(carried=Carried(comments=tuple(found)))


def scan_bmp(start: bytes, stream: BinaryIO) -> Found:
    """Read the colours that a BMP names."""
    found = Found()
    (header,) = struct.unpack_from("<I", start, 14)
    if header < 108 or len(start) < 122:
        return found
    kind = start[70:74][::-1]
    if kind == b"\0\0\0\0":
        ends = np.array(struct.unpack_from("<9i", start, 74)) / 2**30
        gammas = np.array(struct.unpack_from("<3I", start, 110)) / 65536
        profile = _calibrated(ends.reshape(3, 3), gammas)
        if profile:
            found.icc = profile
    elif kind == b"MBED" and header >= 124 and len(start) >= 138:
        offset, size = struct.unpack_from("<II", start, 126)
        stream.seek(14 + offset)
        found.icc = stream.read(min(size, _LARGEST))
    elif kind == b"LINK":
        found.note("Its colour profile is another file; its colours were taken for sRGB.")
    return found


def _calibrated(ends: np.ndarray, gammas: np.ndarray) -> bytes:
    """The profile of a BMP's end points and exponents; empty where they mean nothing."""
    sums = ends.sum(axis=1)
    if (sums <= 0).any() or (gammas < 0.5).any() or (gammas > 4).any():
        return b""  # most writers leave zeros here
    xy = ends[:, :2] / sums[:, None]
    white = ends.sum(axis=0)
    if (xy[:, 1] <= 0).any() or white.min() <= 0 or abs(np.linalg.det(ends)) < 1e-3:
        return b""
    white_xy = white[:2] / white.sum()
    return make_profile((*white_xy, *xy.ravel()), float(gammas.mean()))


def scan_gif(data: bytes) -> Found:
    """Read the profile and the XMP of a GIF."""
    found = Found()
    for name, content, start in _extensions(data):
        if name == b"ICCRGBG1012" and not found.icc:
            found.icc = content
        elif name == b"XMP DataXMP" and not found.xmp:
            # It is not cut into blocks; what follows it leads every reader to its end.
            end = data.find(b"\x01\xff\xfe\xfd", start)
            found.xmp = data[start : end if end >= 0 else start]
    return found


def _extensions(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Name, content and start of the extensions that applications made."""
    position = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while position + 2 < len(data):
        if data[position] == 0x2C and position + 10 < len(data):
            flags = data[position + 9]
            position += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            _, position = _blocks(data, position)
        elif data[position] == 0x21 and data[position + 1] == 0xFF:
            name = data[position + 3 : position + 3 + data[position + 2]]
            start = position + 3 + data[position + 2]
            content, position = _blocks(data, start)
            yield name, content, start
        elif data[position] == 0x21:
            _, position = _blocks(data, position + 2)
        else:
            return


def _blocks(data: bytes, position: int) -> tuple[bytes, int]:
    """The content of a row of blocks, and where it ends."""
    parts = []
    while position < len(data) and data[position]:
        parts.append(data[position + 1 : position + 1 + data[position]])
        position += 1 + data[position]
    return b"".join(parts), position + 1
