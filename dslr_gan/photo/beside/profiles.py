"""ICC profiles made of primaries and curves.

ICC.1:2010; adaptation to the white of profiles is Bradford's (annex E).
"""

import struct
from collections.abc import Sequence

import numpy as np

_NAME = "colours named by the file"

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])


def xyz(x: float, y: float) -> np.ndarray:
    """A colour of luminance 1 in XYZ, by its chromaticity."""
    return np.array([x / y, 1.0, (1 - x - y) / y])


def make_profile(
    chromaticities: tuple[float, ...],
    gamma: float,
    is_gray: bool = False,
    tables: Sequence[np.ndarray] = (),
) -> bytes:
    """An ICC profile (version 4.3) of primaries and curves.

    Args:
        chromaticities: x and y of white, red, green and blue.
        gamma: Exponent from values to light; 0 for the curve of sRGB.
        is_gray: Whether it is for photos without colours, which have no primaries.
        tables: Instead of ``gamma``, for each channel the light of evenly spaced values, uint16.
    """
    curve = b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _fixed(gamma)
    if gamma == 0:
        numbers = _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + numbers
    curves = [_table(table) for table in tables] or [curve] * 3
    tags = {b"desc": _text(_NAME), b"cprt": _text("no copyright")}
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + _fixed(*_D50)
    if is_gray:
        tags[b"kTRC"] = curves[0]
    else:
        white = xyz(*chromaticities[:2])
        matrix = np.stack([xyz(*chromaticities[i : i + 2]) for i in (2, 4, 6)], axis=1)
        matrix = matrix * np.linalg.solve(matrix, white)
        cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
        adapt = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD
        tags[b"chad"] = b"sf32\0\0\0\0" + _fixed(*adapt.ravel())
        columns = (adapt @ matrix).T
        for name, column, curve in zip((b"r", b"g", b"b"), columns, curves, strict=True):
            tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(*column)
            tags[name + b"TRC"] = curve
    return _assembled(b"GRAY" if is_gray else b"RGB ", tags)


def _assembled(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        offset = 128 + 4 + 12 * len(tags) + len(body)
        table += struct.pack(">4sII", name, offset, len(content))
        body += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x04300000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _fixed(*_D50)
    return head.ljust(128, b"\0") + table + body


def is_made(profile: bytes) -> bool:
    """Whether a profile is one of :func:`make_profile`, which the file itself did not have."""
    return _NAME.encode("utf-16-be") in profile


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _table(values: np.ndarray) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + values.astype(">u2").tobytes()


def _text(words: str) -> bytes:
    letters = words.encode("utf-16-be")
    head = struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(letters), 28)
    return b"mluc\0\0\0\0" + head + letters
