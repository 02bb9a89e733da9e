"""What a photo's file says beside its pixels: EXIF, XMP, resolution, how its JPEG was made."""

import io
import re
import struct
import warnings
from typing import Any

from PIL import Image, JpegImagePlugin, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from dslr_gan.photo.beside.facts import CARRIED, DAMAGED_EXIF
from dslr_gan.photo.beside.scan import C2PA_TAG
from dslr_gan.photo.beside.xmp import without_parts

ORIENTATION = 0x0112
_EXIF_FOLDER = 0x8769
_FOLDERS = (_EXIF_FOLDER, 0x8825)  # the second holds the GPS position
_SIZE = (0x0100, 0x0101)
_EXIF_SIZE = (0xA002, 0xA003)
_THUMBNAIL, _THUMBNAIL_SIZE = 0x0201, 0x0202
XMP = 0x02BC
DNG_VERSION = 0xC612

# What a TIFF says of its own pixels and bytes, other pages and layers; untrue of any other file.
TIFF_STRUCTURE = (
    frozenset(
        (
            *range(254, 260),
            262,
            266,
            273,
            *range(277, 282),
            284,
            297,
            317,
            320,
            *range(322, 326),
            330,
        )
    )
    .union((*range(338, 342), 347, 513, 514, *range(529, 533), XMP, 33723, 34377, 34675, 37724))
    .union((C2PA_TAG,))
)
_INTEROPERABILITY = 0xA005  # a place in the file, which only the EXIF folder may name

# How the descriptions begin in which programs of science keep the shape of a stack of pages.
_OF_STACKS = ('{"shape"', "ImageJ=", "<?xml")
_DESCRIPTION = 270

HISTORY = "dslr_gan_history"
"""The key of an image's ``info`` with program and parameters for XMP's history, if any."""


def kept_info(
    photo: Image.Image, orientation: int, size: tuple[int, int]
) -> tuple[dict[str, Any], list[str]]:
    """What of the file's metadata is true of the upright result, its profile apart, and what not.

    Args:
        photo: The photo as it is stored.
        orientation: Of its EXIF, 1 to 8.
        size: Width and height of the upright result.

    Returns:
        Entries of ``info``, and sentences on what was left out.
    """
    info: dict[str, Any] = {}
    lost: list[str] = []
    sideways = orientation >= 5
    if exif := exif_block(photo):
        if upright := _upright_exif(exif, size):
            info["exif"] = upright
        elif not _says_nothing(exif):
            lost.append(DAMAGED_EXIF)
    if isinstance(xmp := photo.info.get("xmp"), bytes) and xmp.strip(b"\0 \r\n\t"):
        true, said = without_parts(xmp)
        lost += said
        if true:
            info["xmp"] = _upright_xmp(true, size)
    info |= {key: photo.info[key] for key in (CARRIED, HISTORY) if key in photo.info}
    if dpi := resolution(photo.info.get("dpi")):
        info["dpi"] = dpi[::-1] if sideways else dpi
    chroma = subsampling(photo)
    if chroma is not None:
        # 4:2:2 halves one direction only, the other one after a quarter turn: keep all of it.
        info["subsampling"] = 0 if sideways and chroma == 1 else chroma
    if tables := quantization(photo):
        info["quantization"] = [_turned(table) for table in tables] if sideways else tables
    if "lossless" in photo.info:
        info["lossless"] = bool(photo.info["lossless"])
    return info, lost


def orientation_of(photo: Image.Image) -> int:
    """Orientation of EXIF, 1 to 8, or of XMP where EXIF has none, or 1 where neither has."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            orientation = photo.getexif().get(ORIENTATION, 1)
    except Exception:  # Pillow raises nearly anything on broken EXIF
        return 1
    return orientation if orientation in range(1, 9) else 1


def exif_block(photo: Image.Image) -> bytes | None:
    """The photo's EXIF block as bytes, or None."""
    block = photo.info.get("exif")
    if isinstance(block, bytes) and block:
        return block
    return gathered_exif(photo)[0]


def gathered_exif(photo: Image.Image) -> tuple[bytes | None, bool]:
    """An EXIF block made of all the tags of a photo that can be written, and whether all can."""
    try:
        tags, whole = writable_tags(photo.getexif())
        kept = Image.Exif()
        for tag, value in tags.items():
            if tag in _FOLDERS:
                kept.get_ifd(tag).update(value)
            else:
                kept[tag] = value
        made = kept.tobytes()
    except Exception:  # Pillow raises nearly anything on broken EXIF
        return None, False
    return (made if made != Image.Exif().tobytes() else None), whole


def writable_tags(exif: Image.Exif) -> tuple[dict[int, Any], bool]:
    """The tags that a file of another structure can be given.

    Args:
        exif: As Pillow read it; broken tags raise only when they are looked at or written.

    Returns:
        Values by tag, those of the EXIF and GPS folders as dictionaries, empty folders left out;
        and whether no tag had to be left out because it is broken.
    """
    tags: dict[int, Any] = {}
    whole = True
    for tag in exif:
        if tag in TIFF_STRUCTURE or tag == _INTEROPERABILITY:
            continue
        try:
            if tag in _FOLDERS:
                folder = {
                    inner: _in_own_letters(inner, v) for inner, v in exif.get_ifd(tag).items()
                }
                value: Any = {inner: v for inner, v in folder.items() if _is_writable(inner, v)}
                whole = whole and len(value) == len(folder)
                if not value:
                    continue
            else:
                value = _in_own_letters(tag, exif[tag])
        except Exception:  # Pillow raises nearly anything on broken EXIF
            whole = False
            continue
        if tag == _DESCRIPTION and str(exif[tag]).startswith(_OF_STACKS):
            continue
        if _is_writable(tag, value):
            tags[tag] = value
        else:
            whole = False
    return tags, whole


def _is_writable(tag: int, value: Any) -> bool:
    folder = ImageFileDirectory_v2(prefix=b"II")
    try:
        folder[tag] = value
        folder.save(io.BytesIO())
    except Exception:  # Pillow raises nearly anything on broken EXIF
        return False
    return True


def _in_own_letters(tag: int, value: Any) -> Any:
    """A text as the bytes that the file has: Pillow reads them as Latin-1 and writes ASCII."""
    is_text = isinstance(value, str) and TiffTags.lookup(tag).type == TiffTags.ASCII
    if not is_text or value.isascii():
        return value
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:  # not from a file
        return value.encode()


def _upright_exif(exif: bytes, size: tuple[int, int]) -> bytes | None:
    """The same EXIF block with orientation 1, the new size, and no thumbnail of the old photo.

    The values are changed in place and everything else stays byte for byte, since makers'
    notes hold offsets of their own. None where the block is broken.
    """
    data = bytearray(_tiff_of(exif))
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        return None
    (offset,) = struct.unpack_from(order + "I", data, 4)
    entries, end = _entries(data, order, offset)
    if not entries:
        return None
    if ORIENTATION in entries:
        struct.pack_into(order + "HHIHH", data, entries[ORIENTATION], ORIENTATION, 3, 1, 1, 0)
    _write_size(data, order, entries, _SIZE, size)
    if _EXIF_FOLDER in entries:
        (offset,) = struct.unpack_from(order + "I", data, entries[_EXIF_FOLDER] + 8)
        _write_size(data, order, _entries(data, order, offset)[0], _EXIF_SIZE, size)
    if end + 4 <= len(data):
        (offset,) = struct.unpack_from(order + "I", data, end)
        struct.pack_into(order + "I", data, end, 0)
        _remove_thumbnail(data, order, offset)
    return b"Exif\0\0" + bytes(data)


def _tiff_of(exif: bytes) -> bytes:
    """A block of EXIF without the name that it begins with."""
    while exif.startswith(b"Exif\0\0"):  # twice, where a writer of PNGs put it there, too
        exif = exif[6:]
    return exif


def _says_nothing(exif: bytes) -> bool:
    """Whether a block of EXIF has no tags, as editors leave it behind that removed them all."""
    data = _tiff_of(exif)
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return not data.strip(b"\0")
    (offset,) = struct.unpack_from(order + "I", data, 4)
    return not data[8:].strip(b"\0") or data[offset : offset + 2] == b"\0\0"


def without_orientation(exif: bytes) -> bytes:
    """The same block without the tag of orientation, everything outside its folder in its place.

    For AVIF: a block with that tag is written anew by Pillow, which moves what makers' notes
    point to.
    """
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None or len(exif) < start + 8:
        return exif
    data = bytearray(exif[start:])
    (folder,) = struct.unpack_from(order + "I", data, 4)
    entries, end = _entries(data, order, folder)
    place = entries.get(ORIENTATION)
    if place is None or end + 4 > len(data):
        return exif
    data[place : end + 4] = data[place + 12 : end + 4] + bytes(12)
    (count,) = struct.unpack_from(order + "H", data, folder)
    struct.pack_into(order + "H", data, folder, count - 1)
    return exif[:start] + bytes(data) if count > 1 else b""


def _write_size(
    data: bytearray,
    order: str,
    entries: dict[int, int],
    tags: tuple[int, int],
    size: tuple[int, int],
) -> None:
    for tag, side in zip(tags, size, strict=True):
        if tag in entries:
            struct.pack_into(order + "HHII", data, entries[tag], tag, 4, 1, side)


def _remove_thumbnail(data: bytearray, order: str, folder: int) -> None:
    """Blank the picture that a folder of EXIF points to, and cut it off where it is the end."""
    entries, _ = _entries(data, order, folder)
    if not folder or _THUMBNAIL not in entries or _THUMBNAIL_SIZE not in entries:
        return
    start, length = (
        struct.unpack_from(order + "I", data, entries[tag] + 8)[0]
        for tag in (_THUMBNAIL, _THUMBNAIL_SIZE)
    )
    # Only what is a JPEG: a broken offset may point at something else.
    if data[start : start + 2] != b"\xff\xd8":
        return
    if start + length >= len(data):
        del data[start:]
    else:
        data[start : start + length] = bytes(length)


def _entries(data: bytearray, order: str, folder: int) -> tuple[dict[int, int], int]:
    """Where each tag's entry of a TIFF folder is, and where the folder ends."""
    if folder + 2 > len(data):
        return {}, len(data)
    (count,) = struct.unpack_from(order + "H", data, folder)
    end = folder + 2 + 12 * count
    positions = range(folder + 2, min(end, len(data) - 11), 12)
    return {struct.unpack_from(order + "H", data, place)[0]: place for place in positions}, end


def _upright_xmp(xmp: bytes, size: tuple[int, int]) -> bytes:
    """The same XMP with orientation 1 and the new size."""
    begin = rb"""(?:\s*=\s*["']|\s*>)"""
    tiff, exif = _prefix(xmp, b"tiff"), _prefix(xmp, b"exif")
    xmp = re.sub(rb"(%b:Orientation%b)[0-9]" % (tiff, begin), rb"\g<1>1", xmp)
    names = (
        rb"%b:ImageWidth|%b:PixelXDimension" % (tiff, exif),
        rb"%b:ImageLength|%b:PixelYDimension" % (tiff, exif),
    )
    for name, side in zip(names, size, strict=True):
        xmp = re.sub(rb"((?:%b)%b)[0-9]+" % (name, begin), rb"\g<1>%d" % side, xmp)
    return xmp


def _prefix(xmp: bytes, usual: bytes) -> bytes:
    """A pattern of the prefixes that a packet gives one of Adobe's namespaces."""
    space = rb"""xmlns:([\w.-]+)\s*=\s*["']http://ns\.adobe\.com/%b/1\.0/["']""" % usual
    found = {usual, *re.findall(space, xmp)}
    return b"(?:" + b"|".join(re.escape(prefix) for prefix in sorted(found)) + b")"


def resolution(dpi: Any) -> tuple[float, float] | None:
    """Dots per inch, where they are two numbers that any format can store."""
    try:
        across, down = (float(number) for number in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 65535 and 0 < down < 65535 else None


def subsampling(photo: Image.Image) -> int | None:
    """How a JPEG stores its chroma: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0, None if unknown."""
    known = photo.info.get("subsampling")
    if known is None and isinstance(photo, JpegImagePlugin.JpegImageFile):
        known = JpegImagePlugin.get_sampling(photo)
    return known if known in (0, 1, 2) else None


def quantization(photo: Image.Image) -> list[list[int]] | None:
    """The tables by which a JPEG rounds its coefficients, luma first, or None if unknown."""
    known = photo.info.get("quantization")
    if known is None and isinstance(photo, JpegImagePlugin.JpegImageFile):
        found = photo.quantization
        # A printer's JPEG has other channels; theirs mean nothing to RGB.
        if photo.mode in ("L", "RGB") and sorted(found) == list(range(len(found))):
            known = [list(found[number]) for number in sorted(found)]
    whole = known and all(len(table) == 64 and min(table) > 0 for table in known)
    return known if whole else None


def _turned(table: list[int]) -> list[int]:
    """A quantisation table of a photo that was turned by 90 degrees: rows become columns."""
    return [table[8 * column + row] for row in range(8) for column in range(8)]
