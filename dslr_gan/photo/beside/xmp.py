"""XMP: only what is no longer true is dropped, the rest stays byte for byte.

ISO 16684-1; Adobe's XMP specification, part 3, section 1.1.3.1 (extended XMP). Expat finds where
things are, the packet is never written anew.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from dslr_gan.photo.beside.facts import DAMAGED_XMP, DEPTH, GAIN_MAP, VIDEO

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MM = "http://ns.adobe.com/xap/1.0/mm/"
_EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
_NOTE = "http://ns.adobe.com/xmp/note/"
_GOOGLE = "http://ns.google.com/photos/1.0/"
_PREFIXES = {
    "Container": f"{_GOOGLE}container/",
    "Item": f"{_GOOGLE}container/item/",
    "GCamera": f"{_GOOGLE}camera/",
    "GDepth": f"{_GOOGLE}depthmap/",
    "GImage": f"{_GOOGLE}image/",
    "GAudio": f"{_GOOGLE}audio/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "HDRGainMap": "http://ns.apple.com/HDRGainMap/1.0/",
    "xmpNote": _NOTE,
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": _MM,
    "rdf": _RDF,
}
"""What prefixes mean in a packet that does not say so."""

_PARTS: dict[str, str | None] = {
    f"{_GOOGLE}container/": None,
    f"{_GOOGLE}container/item/": None,
    f"{_GOOGLE}depthmap/": DEPTH,
    f"{_GOOGLE}focus/": DEPTH,
    f"{_GOOGLE}image/": "The picture of before its own blurring was left out.",
    f"{_GOOGLE}audio/": "Its sound was left out.",
    "http://ns.adobe.com/hdr-gain-map/1.0/": GAIN_MAP,
    "http://ns.apple.com/HDRGainMap/1.0/": GAIN_MAP,
    "http://ns.apple.com/pixeldatainfo/1.0/": None,
    "http://ns.apple.com/depthData/1.0/": DEPTH,
    _NOTE: None,
}
"""Namespaces about other parts of the file, none of which the result has; what to say of them."""

_SEMANTICS = ((b"MotionPhoto", VIDEO), (b"GainMap", GAIN_MAP), (b"Depth", DEPTH))
_ATTRIBUTE = re.compile(rb"""\s+([^\s=>/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_TAG_END = re.compile(rb"""(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_END_OF_RDF = re.compile(rb"</(?:[\w.-]+:)?RDF\s*>")


_WIDE = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
"""How packets of wider letters begin."""
_DECLARED = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([\w.-]+)["'][^>]*\?>""")


@dataclass
class _Element:
    """An element of a packet."""

    uri: str
    name: str
    depth: int
    start: int
    tag_end: int
    end: int
    spaces: dict[str, str]
    """Namespaces by prefix, as they are known inside."""
    parent: "_Element | None"


def _elements(xmp: bytes) -> list[_Element] | None:
    """All elements in the order of their start; None where the packet is not well-formed."""
    found: list[_Element] = []
    stack: list[_Element] = []
    parser = expat.ParserCreate()
    parser.ordered_attributes = True

    def start(tag: str, attributes: list[str]) -> None:
        parent = stack[-1] if stack else None
        spaces = dict(parent.spaces if parent else _PREFIXES)
        for name, value in zip(attributes[::2], attributes[1::2], strict=True):
            if name == "xmlns" or name.startswith("xmlns:"):
                spaces[name[6:]] = value
        prefix, _, name = tag.rpartition(":")
        place = parser.CurrentByteIndex
        match = _TAG_END.match(xmp, place)
        tag_end = match.end() if match else place
        uri = spaces.get(prefix, "")
        element = _Element(uri, name, len(stack), place, tag_end, tag_end, spaces, parent)
        found.append(element)
        stack.append(element)

    def end(tag: str) -> None:
        element = stack.pop()
        place = parser.CurrentByteIndex
        if xmp.startswith(b"</", place) and place >= element.tag_end:
            element.end = xmp.index(b">", place) + 1

    def refuse(*_: object) -> None:  # entities that grow without end
        raise ValueError("a DTD")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(xmp, True)
    except (expat.ExpatError, ValueError):
        return None
    return found


def _about_parts(uri: str, name: str) -> bool:
    is_video = name.startswith(("MotionPhoto", "MicroVideo", "OLivePhoto"))
    is_video = is_video or (name == "VideoLength" and "camera" in uri)
    is_thumbnail = uri == _PREFIXES["xmp"] and name == "Thumbnails"
    return is_video or is_thumbnail or uri in _PARTS or uri.startswith(f"{_GOOGLE}dd/")


def _cuts(xmp: bytes, elements: list[_Element]) -> Iterator[tuple[int, int, str, str]]:
    """Start, end, namespace and name of the properties that are about other parts of the file."""
    behind = 0
    for element in elements:
        if element.start < behind:
            continue
        if _about_parts(element.uri, element.name):
            behind = element.end
            yield element.start, element.end, element.uri, element.name
            continue
        for match in _ATTRIBUTE.finditer(xmp, element.start, element.tag_end):
            prefix, _, name = match[1].decode("utf-8", "replace").rpartition(":")
            uri = element.spaces.get(prefix, "") if prefix != "xmlns" else ""
            if prefix != "xmlns" and _about_parts(uri, name):
                yield match.start(), match.end(), uri, name


def without_parts(xmp: bytes) -> tuple[bytes, list[str]]:
    """The same XMP without what it says of other parts of the file, such as a video.

    Returns:
        The packet, empty where it is damaged, and sentences on what the result has not.
    """
    xmp = _as_utf8(xmp)
    if not re.sub(rb"<\?.*?\?>|\s", b"", xmp):  # a packet of nothing
        return b"", []
    elements = _elements(xmp)
    if elements is None:
        return b"", [DAMAGED_XMP]
    notes: list[str] = []
    kept, behind = b"", 0
    for start, end, uri, name in _cuts(xmp, elements):
        kept += xmp[behind:start]
        behind = end
        if name.startswith(("MotionPhoto", "MicroVideo", "OLivePhoto")):
            notes.append(VIDEO)
        elif uri.startswith(f"{_GOOGLE}dd/"):
            notes.append(DEPTH)
        elif said := _PARTS.get(uri):
            notes.append(said)
        elif uri == _PREFIXES["Container"]:
            notes += [said for word, said in _SEMANTICS if word in xmp[start:end]]
    if not behind:
        return xmp, []
    kept += xmp[behind:]
    for match in list(re.finditer(rb"""\s+xmlns:([\w.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""", kept)):
        uri = (match[2] or match[3] or b"").decode("utf-8", "replace")
        is_idle = re.search(rb"[\s<]" + re.escape(match[1]) + rb":", kept) is None
        if is_idle and (uri in _PARTS or uri.startswith(_GOOGLE)):
            kept = kept.replace(match[0], b"")
    return kept, list(dict.fromkeys(notes))


def _as_utf8(xmp: bytes) -> bytes:
    """A packet without what surrounds it, in the one encoding that files of photos share."""
    wide = next((name for start, name in _WIDE if xmp.startswith(start)), None)
    named = _DECLARED.match(xmp)
    encodings = (wide,) if wide else (named[1].decode(), "utf-8") if named else ("utf-8", "cp1252")
    for encoding in encodings:
        with suppress(UnicodeError, LookupError):
            xmp = xmp.decode(encoding).encode()
            break
    return _DECLARED.sub(b"", xmp.removeprefix(b"\xef\xbb\xbf")).strip(b"\0 \r\n\t")


def _descriptions(xmp: bytes) -> list[tuple[_Element, bytes]]:
    """The top-level descriptions, each with the namespaces that it takes from around it."""
    elements = _elements(xmp) or []
    found = []
    for element in elements:
        parent = element.parent
        if parent is None or (parent.uri, parent.name) != (_RDF, "RDF"):
            continue
        tag = xmp[element.start : element.tag_end]
        own = {match[1] for match in _ATTRIBUTE.finditer(tag)}
        lent = b""
        for prefix, uri in element.spaces.items():
            name = b"xmlns:" + prefix.encode()
            is_used = prefix and (prefix.encode() + b":") in xmp[element.start : element.end]
            if is_used and name not in own:
                lent += b" " + name + b"=" + quoteattr(uri).encode()
        named = re.match(rb"<[^\s/>]+", tag)
        place = element.start + (named.end() if named else 1)
        text = xmp[element.start : place] + lent + xmp[place : element.end]
        found.append((element, text))
    return found


def joined(xmp: bytes, extended: bytes) -> bytes | None:
    """XMP with the extended part that it names as part of it; None where that is damaged."""
    added = b"".join(text for _, text in _descriptions(_as_utf8(extended)))
    ends = list(_END_OF_RDF.finditer(xmp))
    if not added or not ends:
        return None
    whole = xmp[: ends[-1].start()] + added + xmp[ends[-1].start() :]
    # It is whole now, and names no second part.
    whole = re.sub(rb"""\s+[\w.-]+:HasExtendedXMP\s*=\s*("[^"]*"|'[^']*')""", b"", whole)
    whole = re.sub(rb"<([\w.-]+:HasExtendedXMP)\s*>[^<]*</\1\s*>", b"", whole)
    return whole if _elements(whole) is not None else None


def divided(xmp: bytes, room: int) -> tuple[bytes, bytes, bytes] | None:
    """XMP in two parts, of which the first fits into a segment of a JPEG.

    Returns:
        The first part, which names the second; the second; and its digest, 32 letters. None where
        the packet cannot be divided.
    """
    xmp = re.sub(rb"\s+(?=<\?xpacket end)", b"", xmp)
    ends = list(_END_OF_RDF.finditer(xmp))
    if not ends:
        return None
    end = ends[-1].start()
    head, tail = xmp[:end], xmp[end:]
    moved: list[bytes] = []
    # The name of the second part takes some room as well.
    for element, text in reversed(_descriptions(xmp)):
        if len(head) + len(tail) + 300 <= room:
            break
        head = head[: element.start] + head[element.end :]
        moved.insert(0, text)
    rdf = f"<rdf:RDF xmlns:rdf='{_RDF}'>".encode()
    extended = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + rdf + b"".join(moved)
    extended += b"</rdf:RDF></x:xmpmeta>"
    digest = hashlib.md5(extended, usedforsecurity=False).hexdigest().upper()
    named = f"<rdf:Description xmlns:rdf='{_RDF}' rdf:about='' xmlns:xmpNote='{_NOTE}' "
    named += f"xmpNote:HasExtendedXMP='{digest}'/>"
    first = head + named.encode() + tail
    return (first, extended, digest.encode()) if moved and len(first) <= room else None


def with_history(xmp: bytes, program: str, parameters: str) -> bytes:
    """XMP with one more entry in its history, of what made the result.

    Args:
        xmp: A packet, or nothing.
        program: Name and version.
        parameters: What it did, in words.

    Returns:
        The packet; unchanged where it is of a form that has no place for it.
    """
    entry = (
        f"<rdf:li xmlns:rdf='{_RDF}' xmlns:stEvt='{_EVENT}' stEvt:action='edited' "
        f"stEvt:softwareAgent={quoteattr(program)} stEvt:parameters={quoteattr(parameters)}/>"
    ).encode()
    new = f"<rdf:Description xmlns:rdf='{_RDF}' rdf:about='' xmlns:xmpMM='{_MM}'>".encode()
    new += b"<xmpMM:History><rdf:Seq>" + entry + b"</rdf:Seq></xmpMM:History></rdf:Description>"
    if not xmp:
        begin = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        rdf = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='{_RDF}'>".encode()
        return begin + rdf + new + b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    for element in _elements(xmp) or []:
        if (element.uri, element.name) == (_MM, "History"):
            seqs = list(re.finditer(rb"</(?:[\w.-]+:)?Seq\s*>", xmp[: element.end]))
            if seqs and seqs[-1].start() > element.start:
                place = seqs[-1].start()
                return xmp[:place] + entry + xmp[place:]
            xmp = xmp[: element.start] + xmp[element.end :]
            break
    ends = list(_END_OF_RDF.finditer(xmp))
    if not ends:
        return xmp
    changed = xmp[: ends[-1].start()] + new + xmp[ends[-1].start() :]
    return changed if _elements(changed) is not None else xmp
