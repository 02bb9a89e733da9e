"""The boxes of a HEIC or AVIF, and the chunks of a WebP: colours, videos, gain maps, signatures.

ISO/IEC 14496-12 (boxes), 23008-12 (HEIF), 23091-2 alias H.273 (the numbers of colours); RFC 9649.
"""

import re
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from dslr_gan.photo.beside.facts import DEPTH, GAIN_MAP, SIGNED, VIDEO, Found, printable

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_LARGEST = 16 << 20
_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)
"""The entry of EXIF among the items, of which two versions are in use."""
_NCLX = re.compile(rb"colrnclx(.{6})", re.DOTALL)
"""What names colours by the numbers of their primaries, transfer function and matrix."""
_NOT_SAID = 2
_LIGHTS = frozenset((1, 2, *range(4, 13), 22))
_TRANSFERS = frozenset((1, 2, *range(4, 19)))
_MATRICES = frozenset((0, 1, 2, *range(4, 10), 12, 13))
MATRICES_OF_FEWER_COLOURS = _MATRICES - {0}
"""Those that a picture can have whose colours are stored with fewer pixels (4:2:0, 4:2:2)."""
"""The numbers that libheif and libavif take."""
_DEPTH_MARKS = (b"urn:mpeg:hevc:2015:auxid:2\0", b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth")
_PICTURE_CHUNKS = (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")


def scan_boxes(stream: BinaryIO, end: int) -> Found:
    """Read what a HEIC or AVIF has beside its pixels and what its decoder gives."""
    found = Found()
    for name, start, size in boxes(stream, end):
        if name == b"mpvd":
            found.note(VIDEO)
        elif name == b"uuid" and size >= 16:
            stream.seek(start)
            if stream.read(16) == _C2PA:
                found.note(SIGNED)
        elif name == b"meta":
            stream.seek(start)
            _scan_meta(stream.read(min(size, _LARGEST)), found)
    return found


def boxes(stream: BinaryIO, end: int, position: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and size of the content of each box of a file, or of a part of it."""
    while position + 8 <= end:
        stream.seek(position)
        size, name = struct.unpack(">I4s", stream.read(8))
        head = 8
        if size == 1:
            large = stream.read(8)
            if len(large) < 8:
                return
            (size,) = struct.unpack(">Q", large)
            head = 16
        if size == 0:
            size = end - position
        if size < head:
            return
        yield name, position + head, min(size, end - position) - head
        position += size


def _scan_meta(meta: bytes, found: Found) -> None:
    place = meta.find(b"colrnclx")
    if 0 <= place <= len(meta) - 12:
        found.coding = struct.unpack_from(">HH", meta, place + 8)
    if b"infe" in meta and b"tmap" in meta or b"hdrgainmap" in meta:
        found.note(GAIN_MAP)
    if any(mark in meta for mark in _DEPTH_MARKS):
        found.note(DEPTH)
    if b"aux:portraiteffectsmatte" in meta or b"aux:semantic" in meta:
        found.note("Its masks of people and sky were left out.")


def in_known_colours(
    stream: BinaryIO, end: int, known_matrices: frozenset[int] = _MATRICES
) -> tuple[bytes, bool]:
    """The same HEIC or AVIF without numbers of colours that decoders refuse.

    Returns:
        The file, and whether the way from its values to red, green and blue (its matrix) is one
        of those that were not known.
    """
    matrices: list[int] = []

    def known(match: re.Match[bytes]) -> bytes:
        lights, transfer, matrix = struct.unpack(">HHH", match[1])
        matrices.append(matrix)
        lights = lights if lights in _LIGHTS else _NOT_SAID
        transfer = transfer if transfer in _TRANSFERS else _NOT_SAID
        matrix = matrix if matrix in known_matrices else _NOT_SAID
        return b"colrnclx" + struct.pack(">HHH", lights, transfer, matrix)

    data = _in_meta(stream, end, lambda meta: _NCLX.sub(known, meta))
    return data, any(matrix not in known_matrices for matrix in matrices)


def without_exif(stream: BinaryIO, end: int) -> bytes:
    """The same HEIC or AVIF with its EXIF called by a name that no decoder looks for."""
    return _in_meta(stream, end, lambda meta: _EXIF_ITEM.sub(rb"\1free", meta))


def _in_meta(stream: BinaryIO, end: int, change: Callable[[bytes], bytes]) -> bytes:
    """The same file with its boxes of facts changed to others of the same size."""
    stream.seek(0)
    data = bytearray(stream.read())
    for name, start, size in boxes(stream, end):
        if name == b"meta":
            data[start : start + size] = change(bytes(data[start : start + size]))
    return bytes(data)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the chunks of a WebP, to where it breaks off."""
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        content = data[position + 8 : position + 8 + size]
        if len(content) < size:
            return
        yield name, content
        position += 8 + size + size % 2


def scan_webp(data: bytes) -> Found:
    """Read what a WebP has beside its pixels."""
    found = Found()
    if b"ftyp" in data[8 + struct.unpack_from("<I", data, 4)[0] :][:32]:
        found.note(VIDEO)
    for name, content in _chunks(data):
        if name == b"C2PA":
            found.note(SIGNED)
        elif name == b"EXIF":
            found.exif = found.exif or content
        elif name == b"XMP ":
            found.xmp = found.xmp or content
        elif name == b"ICCP":
            found.icc = found.icc or content
        elif name not in (*_PICTURE_CHUNKS, b"VP8X"):
            shown = printable(name).strip()
            found.note(f"Its chunk {shown} was left out.")
    return found


def plain_webp(data: bytes) -> bytes:
    """The same WebP with nothing but its picture, for which nothing else can be wrong."""
    body = b"WEBP"
    for name, content in _chunks(data):
        if name == b"VP8X" and len(content) >= 10:
            # Neither a profile nor EXIF nor XMP is announced.
            content = bytes([content[0] & ~0x2C & 0xFF]) + content[1:10]
        elif name not in _PICTURE_CHUNKS:
            continue
        body += name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body
