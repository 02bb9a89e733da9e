"""The chunks of a PNG: texts, colours and signatures; and the same PNG without odd ones.

PNG, third edition: section 5 (chunks), 11.3.2 (colours), 11.3.3 (texts).
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from dslr_gan.photo.beside.facts import (
    BEHIND,
    DAMAGED_EXIF,
    DAMAGED_PROFILE,
    DAMAGED_XMP,
    SIGNED,
    Chunk,
    Found,
    printable,
)
from dslr_gan.photo.beside.jpeg import XMP_START, iptc_resource, read_iptc

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"
_PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_LARGEST = 64 << 20
"""Bytes that one chunk's content may be, packed or unpacked: more is no text or profile."""
_MANY = 1 << 20
"""Bytes of a text above which programs refuse to unpack it: it is carried unpacked."""
_SMALLEST_TRAILER = 64
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_COLOURS = {b"gAMA": 4, b"cHRM": 32, b"cICP": 4, b"sRGB": 1}
"""Chunks that name colours, and how long they are."""
_NO_LOSS = frozenset(
    (
        *(b"tIME", b"bKGD", b"sBIT", b"hIST", b"sPLT", b"oFFs", b"pCAL", b"sCAL", b"sTER"),
        *(b"acTL", b"fcTL", b"fdAT", b"caBX", b"iDOT", b"CgBI", b"vpAg", b"orNT"),
    )
)
"""Chunks about how the file was made or is to be shown, and those that are noted otherwise."""
_PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
"""First column and row, and steps between them, of each pass of an interlaced PNG."""
_READ = frozenset((*_TEXTS, *_COLOURS, b"iCCP", b"eXIf", b"tRNS", b"pHYs"))


@dataclass(frozen=True)
class _Place:
    """Where a chunk is."""

    name: bytes
    start: int
    """Of its content."""
    size: int


def _places(stream: BinaryIO, end: int) -> Iterator[_Place]:
    """All chunks, to the last or to where the file breaks off."""
    position = len(SIGNATURE)
    seen_pixels = False
    while position + 8 <= end:
        stream.seek(position)
        size, name = struct.unpack(">I4s", stream.read(8))
        whole = name.isalpha() and position + 12 + size <= end
        if not whole and (seen_pixels or name == b"IDAT"):
            if name == b"IDAT":  # cut off: its decoder says so
                yield _Place(name, position + 8, max(0, end - position - 12))
            elif name != b"IEND":
                yield _Place(b"", position, 0)
            return
        if not whole:  # go on at the pixels, where there are any
            stream.seek(position)
            found = stream.read(_LARGEST).find(b"IDAT")
            if found < 4:
                return
            yield _Place(b"", position, 0)
            position += found - 4
            continue
        seen_pixels = seen_pixels or name == b"IDAT"
        yield _Place(name, position + 8, size)
        if name == b"IEND":
            return
        position += 12 + size


def _content(stream: BinaryIO, place: _Place) -> bytes | None:
    """A chunk's content; None where its checksum says that it is damaged, or it is too large."""
    if place.size > _LARGEST:
        return None
    stream.seek(place.start)
    content = stream.read(place.size)
    (checksum,) = struct.unpack(">I", stream.read(4))
    return content if zlib.crc32(content, zlib.crc32(place.name)) == checksum else None


def scan_png(stream: BinaryIO, end: int) -> Found:
    """Read what a PNG has beside its pixels."""
    found = Found()
    texts: list[Chunk] = []
    colours: list[Chunk] = []
    for place in _places(stream, end):
        if place.name in _PICTURE:
            if place.name == b"IEND":
                stream.seek(place.start + 4)
                trailer = stream.read(_LARGEST)
                if trailer.strip(b"\0\r\n ") and len(trailer) >= _SMALLEST_TRAILER:
                    found.note(BEHIND)
            continue
        if place.name == b"caBX":
            found.note(SIGNED)
        if place.name not in _READ:
            if not place.name:
                found.note("A part of the file beside its pixels is damaged and was left out.")
            elif place.name not in _NO_LOSS:
                shown = printable(place.name)
                found.note(f"Its chunk {shown} was left out.")
            continue
        content = _content(stream, place)
        if content is None:
            found.note(f"Its chunk {place.name.decode()} is damaged and was left out.")
        elif place.name in _TEXTS:
            _scan_text(place.name, content, found, texts)
        else:
            _scan_fact(place.name, content, found)
            if place.name in _COLOURS and len(content) == _COLOURS[place.name]:
                colours.append((place.name, content))
    found.carried = replace(found.carried, text=tuple(texts), colours=tuple(colours))
    return found


def _scan_fact(name: bytes, content: bytes, found: Found) -> None:
    """Take what a chunk says of colours, or its EXIF."""
    if name == b"iCCP" and not found.icc:
        packed = content.partition(b"\0")[2]
        found.icc = _unpacked(packed[1:]) or b""
        if not found.icc:
            found.note(DAMAGED_PROFILE)
    elif name == b"eXIf":
        # Some writers put before it what a JPEG has there.
        found.exif = content = content.removeprefix(b"Exif\0\0")
        if content[:4] not in (b"II*\0", b"MM\0*") and content.strip(b"\0"):
            found.note(DAMAGED_EXIF)
    elif name == b"sRGB" and len(content) == 1:
        found.says_srgb = True
    elif name == b"gAMA" and len(content) == 4:
        found.gamma = struct.unpack(">I", content)[0] / 100_000
    elif name == b"cHRM" and len(content) == 32:
        found.chromaticities = tuple(part / 100_000 for part in struct.unpack(">8I", content))
    elif name == b"cICP" and len(content) == 4:
        found.coding = content[0], content[1]
        if content[3] == 0:
            found.note("Its values are in the narrow range of video; they were taken for full.")


def _scan_text(name: bytes, content: bytes, found: Found, texts: list[Chunk]) -> None:
    """Take a text: XMP, or one that is carried over."""
    keyword, _, rest = content.partition(b"\0")
    shown = printable(keyword)
    text: bytes | None = rest
    prefix = b""
    if name == b"zTXt":
        text = _unpacked(rest[1:]) if rest[:1] == b"\0" else None
    elif name == b"iTXt":
        packed, parts = rest[:2], rest[2:].split(b"\0", 2)
        text = None
        if packed in (b"\0\0", b"\1\0") and len(parts) == 3:
            prefix = b"\0\0" + parts[0] + b"\0" + parts[1] + b"\0"
            text = _unpacked(parts[2]) if packed[0] else parts[2]
    if text is not None and (raw := keyword.lower()).startswith(b"raw profile type"):
        _scan_raw(raw.removeprefix(b"raw profile type").strip(), text, found)
    elif keyword == XMP_KEYWORD and name == b"iTXt":
        found.xmp = text or b""
        if not text:
            found.note(DAMAGED_XMP)
    elif text is None or not 0 < len(keyword) < 80 or b"\0" not in content:
        found.note(f"Its text {shown!r} is damaged or too large and was left out.")
    elif name == b"tEXt" or len(text) <= _MANY:
        texts.append((name, content))
    elif name == b"zTXt":
        texts.append((b"tEXt", keyword + b"\0" + text))
    else:
        texts.append((b"iTXt", keyword + b"\0" + prefix + text))


def _scan_raw(kind: bytes, text: bytes, found: Found) -> None:
    """Take what is in a text as hexadecimal digits, as ImageMagick and exiv2 write it."""
    # A name, the count of bytes, and the digits; the name may have several words.
    match = re.match(rb"\s*[^\n]*\n\s*\d+\s*\n([0-9a-fA-F\s]*)$", text)
    digits = b"".join(match[1].split()) if match else b""
    if not digits or len(digits) % 2:
        found.note(f"Its profile {printable(kind)[:9]!r} is damaged and was left out.")
        return
    content = bytes.fromhex(digits.decode("ascii"))
    if content.startswith(XMP_START) or kind == b"xmp":
        found.xmp = found.xmp or content.removeprefix(XMP_START)
    elif kind in (b"exif", b"app1"):
        found.exif = found.exif or content.removeprefix(b"Exif\0\0")
    elif kind == b"iptc":
        found.carried = replace(found.carried, iptc=read_iptc(content) or b"")
    elif kind in (b"icc", b"icm"):
        found.icc = found.icc or content


def iptc_chunk(records: bytes) -> Chunk:
    """IPTC's records as a text, in the form that ImageMagick and exiv2 read."""
    resource = iptc_resource(records)
    digits = resource.hex()
    lines = [digits[start : start + 72] for start in range(0, len(digits), 72)]
    text = f"\niptc\n{len(resource):8}\n" + "\n".join(lines) + "\n"
    return b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(text.encode())


def _unpacked(packed: bytes) -> bytes | None:
    """What is packed by zlib; None where it is damaged or too large."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, _LARGEST)
    except zlib.error:
        return None
    return text if unpacker.eof and not unpacker.unconsumed_tail else None


def lacks_rows(stream: BinaryIO, end: int) -> bool:
    """Whether the packed pixels of a PNG end before its last row, which no decoder complains of."""
    stream.seek(16)
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", stream.read(13))
    pixel = bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    needed = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            needed += rows * (1 + -(-columns * pixel // 8))
    unpacker, found = zlib.decompressobj(), 0
    for place in _places(stream, end):
        if place.name == b"IDAT":
            stream.seek(place.start)
            packed = stream.read(place.size)
            while packed and found < needed and not unpacker.eof:
                found += len(unpacker.decompress(packed, 1 << 20))
                packed = unpacker.unconsumed_tail
    return found + len(unpacker.flush()) < needed


def plain_png(stream: BinaryIO, end: int) -> bytes:
    """The same PNG with nothing but its picture, for which nothing else can be wrong."""
    parts = [SIGNATURE]
    for place in _places(stream, end):
        whole = place.name in _PICTURE
        if place.name == b"tRNS" or (place.name == b"pHYs" and place.size == 9):
            whole = _content(stream, place) is not None
        if whole:
            stream.seek(place.start - 8)
            part = stream.read(place.size + 12)
            if struct.unpack(">I", part[:4])[0] != place.size:  # cut off, perhaps behind the pixels
                part = _chunk(place.name, part[8:])
            parts.append(part)
    if parts[-1][4:8] == b"IDAT":
        parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
