"""The segments of a JPEG: comments, IPTC, extended XMP; and the same JPEG without odd ones.

ITU-T T.81, annex B; Adobe's XMP specification, part 3, section 1.1.3; CIPA DC-007 for MPF.
"""

import hashlib
import io
import re
import struct
from collections.abc import Iterator

from PIL import Image

from dslr_gan.photo.beside.facts import (
    BEHIND,
    DAMAGED_IPTC,
    DAMAGED_SECOND_XMP,
    GAIN_MAP,
    SIGNED,
    VIDEO,
    Carried,
    Found,
    printable,
)

XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_START = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC = 0x0404
_EXIF = b"Exif\0\0"
_ICC = b"ICC_PROFILE\0"
_GAIN_MAP_START = b"urn:iso:std:iso:ts:21496:-1"
LONGEST = 65533
"""Bytes of a segment's content."""

_NO_LOSS = (
    *(b"JFIF\0", b"JFXX\0", _EXIF, XMP_START, EXTENDED_START, _ICC, b"FPXR\0", b"Ducky"),
    *(_GAIN_MAP_START, b"JP", _PHOTOSHOP, b"Adobe", b"AROT"),
)
"""Beginnings of segments that are kept, noted by themselves, or about how the file was made."""
_RESOURCES = {0x040A: "copyright mark", 0x040B: "web address"}
_PATHS = range(2000, 2999)
_SMALLEST_TRAILER = 64
_CAMERA_TRAILER = 1024
"""Bytes up to which what Samsung puts behind every picture is no sound or picture."""

_PICTURE = frozenset((0xDB, 0xC4, 0xCC, 0xDD, *range(0xC0, 0xD0)))
_NEXT = re.compile(rb"\xff[\xdb\xc0-\xc4\xdd\xda\xe0-\xef\xfe]")
_VIDEO = re.compile(rb"ftyp(?:mp4|isom|iso[0-9]|qt  |avc1|3gp|hvc1|M4V)|MotionPhoto_Data")

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""Of a segment, not of the packed pixels."""
_END = b"\xff\xd9"

Segment = tuple[int, bytes]
"""Marker, and content without its length; that of the marker SOS is the rest of the file."""


def segments(data: bytes, position: int = 2, tries: int = 200) -> Iterator[Segment]:
    """The segments before the pixels, those that are broken left out, then SOS with the rest."""
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            again = _resumed(data, position, tries)
            if again < 0:
                return
            position = again
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0xDA:
            yield marker, data[position:]
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:
            position += 2
            continue
        (size,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + size
        if size < 2 or end + 2 > len(data) or data[end] != 0xFF:
            again = _resumed(data, position + 2, tries)
            if again < 0:
                return
            position = again
            continue
        yield marker, data[position + 4 : end]
        position = end


def _resumed(data: bytes, position: int, tries: int) -> int:
    """Where segments go on behind a broken one: from there they lead to the pixels. Or -1."""
    for count, match in enumerate(_NEXT.finditer(data, position, position + (1 << 20))):
        if count >= tries:
            break
        found = list(segments(data, match.start(), tries=0))
        if found and found[-1][0] == 0xDA and any(marker in _PICTURE for marker, _ in found[:-1]):
            return match.start()
    return -1


def scan_jpeg(data: bytes) -> Found:
    """Read what a JPEG has beside its pixels."""
    found = Found()
    comments: list[bytes] = []
    resources, lists_more = b"", False
    profile: dict[int, tuple[bytes, int]] = {}
    extended: dict[tuple[bytes, int], dict[int, bytes]] = {}
    for marker, content in segments(data):
        if marker == 0xFE:
            comments.append(content)
        elif marker == 0xE1 and content.startswith(_EXIF):
            found.exif = found.exif + content[6:] if found.exif else content
        elif marker == 0xE1 and content.startswith(XMP_START):
            if found.xmp and content[len(XMP_START) :] != found.xmp:
                found.note("It has several packets of XMP; only the first was kept.")
            found.xmp = found.xmp or content[len(XMP_START) :]
        elif marker == 0xE1 and content.startswith(EXTENDED_START):
            head = content[len(EXTENDED_START) :][:40]
            if len(head) == 40:
                guid, (size, offset) = head[:32], struct.unpack(">II", head[32:])
                extended.setdefault((guid, size), {})[offset] = content[len(EXTENDED_START) + 40 :]
        elif marker == 0xE2 and content.startswith(_ICC) and len(content) > 14:
            profile[content[12]] = content[14:], content[13]
        elif marker == 0xE2 and content.startswith(_GAIN_MAP_START):
            found.note(GAIN_MAP)
        elif marker == 0xEB and b"jumb" in content[:24]:
            found.note(SIGNED)
        elif marker == 0xED and content.startswith(_PHOTOSHOP):
            resources += content[len(_PHOTOSHOP) :]
        elif marker == 0xE2 and content.startswith(b"MPF\0"):
            lists_more = True
        elif marker in (0xC2, 0xCA) and lacks_scans(data):
            found.note("Its file ends before its last scans; fine detail is missing.")
        elif marker == 0xDA:
            _scan_trailer(content, found, lists_more)
        elif 0xE0 <= marker <= 0xEF:
            _scan_other(marker, content, found)
    if profile and sorted(profile) == list(range(1, profile[min(profile)][1] + 1)):
        found.icc = b"".join(profile[number][0] for number in sorted(profile))
    found.extended_xmp = _joined(extended, found.xmp)
    if extended and not found.extended_xmp:
        found.note(DAMAGED_SECOND_XMP)
    iptc = read_iptc(resources)
    numbers = [number for number, _, _ in _resources(resources)]
    kinds = [name for number, name in _RESOURCES.items() if number in numbers]
    kinds += ["paths"] * any(number in _PATHS for number in numbers)
    if kinds:
        found.note(f"What Photoshop noted in it ({', '.join(kinds)}) was left out.")
    if iptc is None:
        found.note(DAMAGED_IPTC)
    found.carried = Carried(comments=tuple(comments), iptc=iptc or b"")
    return found


def _scan_trailer(rest: bytes, found: Found, lists_more: bool) -> None:
    """Look behind the end of the picture for a video, or whatever else is there."""
    end = rest.find(b"\xff\xd9")
    if end < 0:
        return
    trailer = rest[end + 2 :]
    content = trailer.strip(b"\0\xff\r\n ")
    is_usual = content.endswith(b"SEFT") and len(content) <= _CAMERA_TRAILER
    if _VIDEO.search(trailer):
        found.note(VIDEO)
    # Further pictures that the file lists are noted by their number.
    elif content and len(trailer) >= _SMALLEST_TRAILER and not lists_more and not is_usual:
        found.note(BEHIND)


def _scan_other(marker: int, content: bytes, found: Found) -> None:
    """Say what a segment of another program held."""
    if content.startswith(b"FLIR\0"):
        found.note("Its thermal picture (FLIR) was left out.")
    elif content.strip(b"\0") and not content.startswith(_NO_LOSS):
        name = printable(content[:24].partition(b"\0")[0]).strip()
        shown = f" ({name})" if len(name) > 2 else ""
        found.note(f"Its segment APP{marker - 0xE0}{shown} of another program was left out.")


def _joined(parts: dict[tuple[bytes, int], dict[int, bytes]], xmp: bytes) -> bytes:
    """The extended XMP that the XMP names, or the only one; empty where it has gaps."""
    for (guid, size), pieces in parts.items():
        whole = b"".join(pieces[offset] for offset in sorted(pieces))
        ends = [offset + len(pieces[offset]) for offset in sorted(pieces)]
        if len(whole) == size == ends[-1] and (guid in xmp or len(parts) == 1):
            return whole
    return b""


def read_iptc(resources: bytes) -> bytes | None:
    """IPTC's records out of Photoshop's resources; empty where none, None where damaged."""
    records, behind = b"", 0
    for number, content, end in _resources(resources):
        behind = end
        if number == _IPTC:
            records += content
    lost = not records and b"8BIM\x04\x04" in resources[behind:]
    return None if lost else records


def _resources(resources: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Number, content and end of Photoshop's resources, to the first that is damaged."""
    position = 0
    while position + 12 <= len(resources):
        if resources[position : position + 4] not in (b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa"):
            break
        (number,) = struct.unpack_from(">H", resources, position + 4)
        name = 1 + resources[position + 6]
        start = position + 6 + name + name % 2
        if start + 4 > len(resources):
            break
        (size,) = struct.unpack_from(">I", resources, start)
        content = resources[start + 4 : start + 4 + size]
        if len(content) < size:
            break
        position = start + 4 + size + size % 2
        yield number, content, position


def segment(marker: int, content: bytes) -> bytes:
    """A segment as the file has it."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def iptc_resource(records: bytes) -> bytes:
    """IPTC's records as one of Photoshop's resources."""
    resource = b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(records)) + records
    return resource + bytes(len(records) % 2)


def iptc_segments(records: bytes) -> bytes:
    """Photoshop's resources with IPTC's records, in as many segments as they take."""
    resource = iptc_resource(records)
    room = LONGEST - len(_PHOTOSHOP)
    pieces = [resource[start : start + room] for start in range(0, len(resource), room)]
    return b"".join(segment(0xED, _PHOTOSHOP + piece) for piece in pieces)


def plain_jpeg(data: bytes) -> bytes:
    """The same JPEG with nothing but its picture, for which nothing else can be wrong."""
    parts = [data[:2]]
    for marker, content in segments(data):
        is_kind = (marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 14) or (
            marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12
        )
        if marker == 0xDA:
            parts.append(content)
            if content.find(b"\xff\xd9") < 0:
                return _with_end(b"".join(parts))
        elif marker in _PICTURE or is_kind:
            parts.append(segment(marker, content))
    return b"".join(parts)


def _with_end(data: bytes) -> bytes:
    """A JPEG without its end marker gets one, if no pixel is missing.

    Of a progressive one whole scans may be missing, which nothing tells.
    """
    is_progressive = any(marker in (0xC2, 0xCA) for marker, _ in segments(data))
    return data if is_progressive or _end_matters(data) is not False else data + _END


def lacks_pixels(data: bytes) -> bool:
    """Whether a JPEG's end comes before its last pixel: its decoder makes the others gray."""
    start = next((len(data) - len(rest) for marker, rest in segments(data) if marker == 0xDA), -1)
    end = data.find(_END, start)
    return 0 <= start < end and _end_matters(data[:end]) is True


def lacks_scans(data: bytes) -> bool:
    """Whether a progressive JPEG ends before its last scans, which make its pixels fine.

    A whole one has each coefficient of each component down to its last bit.
    """
    missing: set[tuple[int, int]] = set()
    position = 2
    while found := _MARKER.search(data, position):
        marker, size = data[found.start() + 1], int.from_bytes(data[found.end() :][:2])
        content = data[found.end() + 2 : found.end() + max(size, 2)]
        position = found.end() + max(size, 2)
        if marker in (0xC2, 0xCA):
            missing = {(part, number) for part in content[6::3] for number in range(64)}
        elif marker == 0xDA and content[-1:] and not content[-1] & 0x0F:
            first, last = content[-3:-1]
            parts = content[1:-3:2]
            missing -= {(part, number) for part in parts for number in range(first, last + 1)}
        elif marker == 0xD9:
            break
    return bool(missing)


def _end_matters(data: bytes) -> bool | None:
    """Whether the pixels depend on what follows a JPEG's data; None where it cannot be decoded."""
    pixels = []
    for end in (_END, b"\x55\xaa" * 512 + _END):
        try:
            with Image.open(io.BytesIO(data + end), formats=["JPEG"]) as photo:
                pixels.append(hashlib.blake2b(photo.tobytes()).digest())
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return None
    return pixels[0] != pixels[1]


def extended_segments(xmp: bytes, digest: bytes) -> bytes:
    """The second part of a long XMP, in as many segments as it takes."""
    room = LONGEST - len(EXTENDED_START) - 40
    parts = []
    for start in range(0, len(xmp), room):
        head = EXTENDED_START + digest + struct.pack(">II", len(xmp), start)
        parts.append(segment(0xE1, head + xmp[start : start + room]))
    return b"".join(parts)


def exif_segments(rest: bytes) -> bytes:
    """What of an EXIF block does not fit into the first segment, in more of them."""
    room = LONGEST - len(_EXIF)
    pieces = (rest[start : start + room] for start in range(0, len(rest), room))
    return b"".join(segment(0xE1, _EXIF + piece) for piece in pieces)
