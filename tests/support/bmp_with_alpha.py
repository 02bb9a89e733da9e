"""A BMP with transparency, which Pillow reads and does not write."""

import struct
from pathlib import Path

from PIL import Image


def save_bmp_with_alpha(photo: Image.Image, file: Path) -> None:
    """Write an RGBA photo with a header of version 4, whose masks name an alpha channel."""
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels = photo.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes("raw", "BGRA")
    fields = struct.pack("<IiiHHIIiiII", 108, *photo.size, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    header = fields + masks + b"BGRs" + bytes(48)
    start = 14 + len(header)
    file.write_bytes(
        b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + pixels
    )
