"""Photos with much beside their pixels, and BMPs of rarer layouts: every one is made here."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.support.photo_helpers import encoded, with_exif
from tests.support.zoo import P3, scene

XMP = (
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
    "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    "<rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/' {}>"
    "<dc:rights>me</dc:rights>{}</rdf:Description></rdf:RDF></x:xmpmeta>"
)
XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_START = b"http://ns.adobe.com/xmp/extension/\0"
MOTION = "xmlns:c='http://ns.google.com/photos/1.0/camera/' c:MotionPhoto='1'"
RECORD = b"\x1c\x02\x78\0\x05abcde"
RESOURCES = b"8BIM\4\4\0\0" + struct.pack(">I", len(RECORD)) + RECORD
P3_NUMBERS = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(99)


# Parts of files --------------------------------------------------------------------------------


def chunk(name: bytes, data: bytes, checksum: int | None = None) -> bytes:
    """Of a PNG."""
    crc = zlib.crc32(name + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


def png(*chunks: bytes, photo: Image.Image | None = None) -> bytes:
    """A PNG with chunks before its pixels."""
    data = encoded(photo or scene(), "PNG").getvalue()
    place = data.index(b"IDAT") - 4
    return data[:place] + b"".join(chunks) + data[place:]


def raw_profile(kind: str, content: bytes) -> bytes:
    """A chunk with a profile as hexadecimal digits, as ImageMagick writes it."""
    digits = content.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    text = f"\n{kind}\n{len(content):8}\n{lines}\n".encode()
    return chunk(b"zTXt", f"Raw profile type {kind}\0\0".encode() + zlib.compress(text))


def segment(kind: int, content: bytes) -> bytes:
    """Of a JPEG."""
    return struct.pack(">BBH", 255, kind, len(content) + 2) + content


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A JPEG with segments at its beginning."""
    data = encoded(scene(), "JPEG", quality=95).getvalue()
    return data[:2] + b"".join(segment(*each) for each in segments) + data[2:]


def xmp_segment(xmp: str) -> tuple[int, bytes]:
    """The segment of a JPEG's XMP."""
    return 0xE1, XMP_START + xmp.encode()


def exif_segments(block: bytes) -> list[tuple[int, bytes]]:
    """As many segments as a long EXIF block takes, each with its name before it."""
    pieces = [block[i : i + 65527] for i in range(6, len(block), 65527)]
    return [(0xE1, b"Exif\0\0" + piece) for piece in pieces]


def webp_chunk(name: bytes, content: bytes) -> bytes:
    """Of a WebP."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def box(name: bytes, content: bytes) -> bytes:
    """Of a HEIC, AVIF or JPEG 2000."""
    return struct.pack(">I", len(content) + 8) + name + content


def gif_extension(name: bytes, content: bytes) -> bytes:
    """An application's, of a GIF."""
    parts = (content[i : i + 255] for i in range(0, len(content), 255))
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    return b"!\xff\x0b" + name + blocks + b"\0"


# Whole files -----------------------------------------------------------------------------------


def gif(*extensions: bytes) -> bytes:
    """A GIF with extensions before its picture."""
    data = encoded(scene().quantize(64), "GIF").getvalue()
    place = 13 + (6 << (data[10] & 7))
    return data[:place] + b"".join(extensions) + data[place:]


def jpeg2000(profile: bytes = b"", *more: bytes) -> bytes:
    """A JPEG 2000 with a profile, and with boxes behind its pixels."""
    data = encoded(scene(), "JPEG2000").getvalue()
    head, colours = data.index(b"jp2h") - 4, data.index(b"colr") - 4
    (all_of_it,) = struct.unpack_from(">I", data, head)
    (size,) = struct.unpack_from(">I", data, colours)
    if profile:
        named = box(b"colr", b"\2\0\0" + profile)
        longer = struct.pack(">I", all_of_it - size + len(named))
        data = data[:head] + longer + data[head + 4 : colours] + named + data[colours + size :]
    return data + b"".join(more)


def bmp(rows: np.ndarray, bits: int, palette: bytes = b"", **options) -> bytes:
    """A BMP of rows from the top, ``(H, bytes)`` uint8.

    ``header`` is its size, ``packing`` its number, ``masks`` what follows a header of 40 bytes,
    ``width`` that of the picture, ``top_down`` how the rows lie, ``more`` what ends the header.
    """
    header, packing = options.get("header", 40), options.get("packing", 0)
    top_down, width = options.get("top_down", False), options.get("width", scene().width)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    data = options.get("data") or (rows if top_down else rows[::-1]).tobytes()
    height = -len(rows) if top_down else len(rows)
    if header == 12:
        fields = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        numbers = (packing, len(data), 2835, 2835, len(palette) // 4, 0)
        fields = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, *numbers)
        fields += options.get("masks", b"") + options.get("more", b"")
        fields = fields.ljust(header, b"\0") if header > 16 else fields[:16]
    start = 14 + len(fields) + len(palette)
    sizes = struct.pack("<IHHI", start + len(data), 0, 0, start)
    return b"BM" + sizes + fields + palette + data


def indexed(bits: int, colours: int) -> tuple[Image.Image, np.ndarray, bytes]:
    """The scene of so many colours, its packed rows, and its palette for a BMP."""
    photo = scene().quantize(colours)
    palette = np.array(photo.getpalette()[: 3 * colours]).reshape(-1, 3)[:, ::-1]
    levels = np.pad(np.asarray(photo), ((0, 0), (0, -photo.width % (8 // bits))))
    groups = levels.reshape(len(levels), -1, 8 // bits)
    shifts = np.arange(8 - bits, -1, -bits)
    packed = (groups << shifts).sum(axis=2).astype(np.uint8)
    return photo, packed, np.pad(palette, ((0, 0), (0, 1))).astype(np.uint8).tobytes()


def masked(sizes: tuple[int, ...], bits: int) -> tuple[np.ndarray, bytes]:
    """Rows of a BMP whose red, green and blue have so many bits, from low to high; its masks."""
    pixels = np.asarray(scene()).astype(np.uint64)
    total, place, masks = np.zeros(pixels.shape[:2], np.uint64), 0, []
    for channel, size in enumerate(sizes):
        levels = pixels[..., channel] * ((1 << size) - 1) // 255
        total |= levels << np.uint64(place)
        masks.append(((1 << size) - 1) << place)
        place += size
    kind = {16: "<u2", 32: "<u4"}[bits]
    rows = total.astype(kind).view(np.uint8).reshape(len(total), -1)
    return rows, struct.pack(f"<{len(masks)}I", *masks)


def run_lengths(photo: Image.Image, bits: int) -> bytes:
    """RLE8 or RLE4 of a photo's palette numbers: runs of one in even rows, as they are in odd."""
    data = b""
    for number, row in enumerate(np.asarray(photo)[::-1]):
        if number % 2:
            packed = row if bits == 8 else np.pad(row, (0, len(row) % 2)).reshape(-1, 2) @ (16, 1)
            content = packed.astype(np.uint8).tobytes()
            data += bytes([0, len(row)]) + content + bytes(len(content) % 2)
        else:
            data += b"".join(bytes([1, level << 4 if bits == 4 else level]) for level in row)
        data += b"\0\0"
    return data + b"\0\1"


def avif_in(primaries: int, transfer: int) -> bytes:
    """An AVIF that names its colours by their numbers alone."""
    data = bytearray(encoded(scene(), "AVIF", quality=95).getvalue())
    place = data.index(b"nclx") + 4
    data[place : place + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(data)


def files() -> dict[str, bytes]:
    """One file or more for each kind of thing that a photo can have beside its pixels."""
    packet = XMP.format("", "").encode()
    extended = EXTENDED_START + b"A" * 32 + struct.pack(">II", len(packet), 0) + packet
    named = "xmlns:n='http://ns.adobe.com/xmp/note/' n:HasExtendedXMP='" + "A" * 32 + "'"
    long_exif = with_exif(6) + bytes(80_000)
    made = {
        "PNG of texts": png(
            chunk(b"tEXt", b"parameters\0a cat"),
            chunk(b"iTXt", b"Title\0\1\0en\0Titel\0" + zlib.compress(b"caf\xc3\xa9")),
            chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"hello")),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet),
        ),
        "PNG of colours": png(
            chunk(b"cICP", bytes([12, 13, 0, 1])),
            chunk(b"gAMA", struct.pack(">I", 45455)),
            chunk(
                b"cHRM",
                struct.pack(">8I", *P3_NUMBERS),
            ),
        ),
        "PNG of profile, EXIF and signature": png(
            chunk(b"iCCP", b"P3\0\0" + zlib.compress(P3)),
            chunk(b"eXIf", with_exif(6)[6:]),
            chunk(b"caBX", b"jumb"),
        ),
        "PNG of raw profiles": png(
            raw_profile("APP1", with_exif(3)),
            raw_profile("iptc", RESOURCES),
            raw_profile("xmp", packet),
            raw_profile("icc", P3),
        ),
        "JPEG of XMP in two parts": jpeg(xmp_segment(XMP.format(named, "")), (0xE1, extended)),
        "JPEG of IPTC and comments": jpeg(
            (0xED, b"Photoshop 3.0\0" + RESOURCES), (0xFE, b"hello"), (0xFE, b"again")
        ),
        "JPEG of C2PA and gain map": jpeg(
            (0xEB, b"JP\0\1\0\0\0\1\0\0\0\x28jumb" + bytes(32)),
            (0xE2, b"urn:iso:std:iso:ts:21496:-1\0"),
            (0xE2, b"ICC_PROFILE\0\1\1" + P3),
        ),
        "JPEG of long EXIF": jpeg(
            (0xE1, long_exif[:65533]), (0xE1, b"Exif\0\0" + long_exif[65533:])
        ),
        "motion photo": jpeg((0xE1, with_exif(6)), xmp_segment(XMP.format(MOTION, ""))) + VIDEO,
        "MPO with XMP": encoded(
            scene(), "MPO", xmp=packet, save_all=True, append_images=[scene()]
        ).getvalue(),
        "WebP of all": encoded(
            scene(), "WEBP", quality=95, exif=with_exif(6), xmp=packet, icc_profile=P3
        ).getvalue(),
        "HEIC of all": encoded(
            scene(), "HEIF", exif=with_exif(6), xmp=packet, icc_profile=P3
        ).getvalue()
        + box(b"mpvd", VIDEO),
        "AVIF of nclx": avif_in(12, 13),
        "GIF of all": gif(
            gif_extension(b"ICCRGBG1012", P3),
            b"!\xff\x0bXMP DataXMP" + packet + b"\1" + bytes(range(255, -1, -1)) + b"\0",
            b"!\xfe\5hello\0",
        ),
        "JPEG 2000 of all": jpeg2000(
            P3,
            box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + packet),
            box(b"uuid", b"JpgTiffExif->JP2" + with_exif(6)[6:]),
        ),
        "PPM with a comment": b"P6\n# caption\n61 43\n255\n" + np.asarray(scene()).tobytes(),
    }
    tiff = Image.Exif()
    tiff.load(with_exif(6))
    tiff[33723], tiff[700] = RECORD, packet
    made["TIFF of all"] = encoded(scene(), "TIFF", exif=tiff, icc_profile=P3).getvalue()
    return made | bmps()


def bmps() -> dict[str, bytes]:
    """BMPs that Pillow refuses, or reads wrongly, or reads."""
    made = {}
    for bits, colours in ((1, 2), (2, 4), (4, 2), (4, 16), (8, 2), (8, 200)):
        _, rows, palette = indexed(bits, colours)
        made[f"BMP of {bits} bits, {colours} colours"] = bmp(rows, bits, palette)
    for bits in (4, 8):
        photo, rows, palette = indexed(bits, 16)
        options = {"packing": {8: 1, 4: 2}[bits], "data": run_lengths(photo, bits)}
        made[f"BMP, RLE{bits}"] = bmp(rows, bits, palette, **options)
    for sizes, bits in (((5, 5, 5), 16), ((5, 6, 5), 16), ((4, 4, 4), 16), ((10, 10, 10), 32)):
        rows, masks = masked(sizes, bits)
        made[f"BMP of {sizes}"] = bmp(rows, bits, packing=3, masks=masks)
    rows = np.asarray(scene())[..., ::-1].reshape(scene().height, -1)
    for header in (12, 16, 20, 64, 124):
        made[f"BMP with a header of {header}"] = bmp(rows, 24, header=header)
    made["BMP, top down"] = bmp(rows, 24, top_down=True)
    inside = encoded(scene(), "PNG").getvalue()
    made["BMP of a PNG"] = bmp(rows, 0, packing=5, data=inside)
    plain = bytearray(bmp(rows, 24, header=124))
    plain[70:74], plain[126:134] = b"DEBM", struct.pack("<II", len(plain) - 14, len(P3))
    made["BMP in Display P3"] = bytes(plain) + P3
    return made


def opened(data: bytes) -> Image.Image:
    """By Pillow, as any other program sees it."""
    return Image.open(io.BytesIO(data))
