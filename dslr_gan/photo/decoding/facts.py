"""Facts of an opened file that Pillow does not tell: frames, bits, what its values mean."""

import os
import struct
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from dslr_gan.photo.photo import add_note


def as_tiff_means(photo: ImageFile.ImageFile, result: Image.Image, bits: int) -> Image.Image:
    """What Pillow leaves to its users: gray of 12 bits, white that is 0, unknown channels."""
    tags = getattr(photo, "tag_v2", {})
    extra = tags.get(277, 1) - len(result.getbands())
    if result.mode in ("L", "RGB") and extra > 0:
        what = "a channel" if extra == 1 else f"{extra} channels"
        add_note(result.info, f"It has {what} of unknown meaning, which the result has not.")
    inverted = tags.get(262) == 0 and result.mode.startswith("I;16")
    if not inverted and not (bits == 12 and result.mode.startswith("I;16")):
        return result
    values = np.array(result, np.uint16)
    if bits == 12:
        values = values * 16 + values // 256
    gray = Image.fromarray(~values if inverted else values)
    gray.info, gray.format = result.info, result.format
    return gray


def frames_of(photo: ImageFile.ImageFile) -> int:
    """How many frames, pages or pictures a file has."""
    try:
        return int(getattr(photo, "n_frames", 1))
    except Exception:  # Pillow raises nearly anything on frames that are damaged
        return 1


def bits_of(photo: ImageFile.ImageFile, stream: BinaryIO) -> int:
    """Bits per channel as the file holds them, 8 where that is not known."""
    if photo.format == "TIFF":
        tags = getattr(photo, "tag_v2", {})
        return max((depth for depth in tags.get(258, ()) if isinstance(depth, int)), default=8)
    if photo.format == "HEIF":
        return int(photo.info.get("bit_depth") or 8)
    stream.seek(0)
    start = stream.read(4096)
    if photo.format == "PNG":
        return start[24]
    if photo.format == "PPM":
        limit = photo.tile[0].args[1] if photo.tile and isinstance(photo.tile[0].args, tuple) else 0
        return 16 if isinstance(limit, int) and limit > 255 else 8
    # What says so, and how far behind its name: the pixi box, and the SIZ segment.
    name, offset = {"AVIF": (b"pixi", 9), "JPEG2000": (b"\xff\x4f\xff\x51", 42)}.get(
        photo.format or "", (b"", 0)
    )
    place = start.find(name) if name else -1
    if place < 0 or place + offset >= len(start):
        return 8
    depth = start[place + offset]
    return depth if photo.format == "AVIF" else (depth & 0x7F) + 1


_FINE = 5.5
"""Bits of an AVIF per pixel that only one of a quality near 100 has."""


def is_fine_avif(photo: ImageFile.ImageFile, stream: BinaryIO) -> bool:
    """Whether an AVIF was made to lose next to nothing, going by the room that it takes."""
    size = stream.seek(0, os.SEEK_END) * 8
    return size > _FINE * photo.width * photo.height * frames_of(photo)


def is_lossless_webp(stream: BinaryIO) -> bool:
    """Walk the chunks of a WebP file to its first picture: VP8L is lossless, VP8 is not."""
    position = 12
    while True:
        stream.seek(position)
        head = stream.read(8)
        if len(head) < 8:
            return False
        kind, size = struct.unpack("<4sI", head)
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        # The frame of an animation holds its picture's chunks after 16 bytes of its own.
        position += 24 if kind == b"ANMF" else 8 + size + size % 2
