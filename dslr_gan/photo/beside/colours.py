"""Colours that a file names without an ICC profile: the profile that means the same.

PNG, third edition, sections 4.3 and 11.3.2: cICP goes before iCCP, then sRGB, then gAMA and
cHRM. The numbers of primaries and transfer functions are those of ITU-T H.273, tables 2 and 3. As
in browsers, the transfer functions of video (BT.709 and its kin) are taken for that of sRGB.
Adaptation to the white of profiles is Bradford's (ICC.1:2010, annex E).
"""

import struct
from dataclasses import replace

import numpy as np
from PIL import Image

from dslr_gan.photo.beside.facts import Found
from dslr_gan.photo.photo import add_note

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
_SRGB = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, tuple[float, ...]] = {
    1: _SRGB,
    2: _SRGB,  # not said
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""x and y of white, red, green and blue."""

_GAMMAS: dict[int, float] = {
    **dict.fromkeys((1, 2, 6, 7, 11, 12, 13, 14, 15), 0.0),
    **{4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6},
}
"""Exponents from values to light; 0 is the curve of sRGB."""

HDR = {16: "PQ", 18: "HLG"}

_NAME = "colours named by the file"

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])


def name_colours(photo: Image.Image, found: Found) -> None:
    """Give a photo the profile of its colours, where its file names them in another way.

    Args:
        photo: As it was read; its ``info`` is changed.
        found: What its file has beside the pixels.
    """
    is_png = photo.format == "PNG"
    if photo.info.get("icc_profile") and not (is_png and found.coding):
        found.carried = replace(found.carried, colours=())
        return
    meaning = _meaning(found)
    if isinstance(meaning, str):
        add_note(photo.info, meaning)
        found.carried = replace(found.carried, profile=photo.info.get("icc_profile") or b"")
        return
    photo.info.pop("icc_profile", None)
    primaries, gamma = meaning
    is_gray = photo.mode.startswith(("I", "1", "L"))
    is_srgb = gamma == 0 and (is_gray or np.allclose(primaries, _SRGB, atol=0.003))
    profile = b"" if is_srgb else make_profile(primaries, gamma, is_gray)
    if profile:
        photo.info["icc_profile"] = profile
    found.carried = replace(found.carried, profile=profile)


def _meaning(found: Found) -> tuple[tuple[float, ...], float] | str:
    """Primaries and exponent of a file's colours, or a sentence on why they have none."""
    if found.coding:
        lights, transfer = found.coding
        if transfer in HDR:
            return (
                f"Its colours are HDR ({HDR[transfer]}); they were enhanced as if they were not, "
                "and only a PNG's result still says that they are."
            )
        if lights not in _PRIMARIES or transfer not in _GAMMAS:
            return (
                f"Its colours have the numbers {lights} and {transfer}, which this program "
                "does not know; they were taken for sRGB."
            )
        return _PRIMARIES[lights], _GAMMAS[transfer]
    if found.says_srgb:
        return _SRGB, 0.0
    primaries = found.chromaticities
    if not primaries or not _is_possible(primaries):
        primaries = _SRGB
    # 1 / 2.2 is what encoders of sRGB write, whose curve is nearly that.
    is_usual = abs(found.gamma - 0.45455) < 0.01 and np.allclose(primaries, _SRGB, atol=0.003)
    if is_usual or not 0.1 <= found.gamma <= 10:
        return primaries, 0.0
    return primaries, 1 / found.gamma


def _is_possible(chromaticities: tuple[float, ...]) -> bool:
    """Whether these can be the colours of lights."""
    if min(chromaticities[1::2]) <= 0:
        return False
    matrix = np.stack([_xyz(*chromaticities[i : i + 2]) for i in (2, 4, 6)], axis=1)
    if abs(np.linalg.det(matrix)) < 1e-3:
        return False
    return bool((np.linalg.solve(matrix, _xyz(*chromaticities[:2])) > 0).all())


def _xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def make_profile(chromaticities: tuple[float, ...], gamma: float, is_gray: bool = False) -> bytes:
    """An ICC profile (version 4.3) of primaries and one curve.

    Args:
        chromaticities: x and y of white, red, green and blue.
        gamma: Exponent from values to light; 0 for the curve of sRGB.
        is_gray: Whether it is for photos without colours, which have no primaries.
    """
    curve = b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _fixed(gamma)
    if gamma == 0:
        numbers = _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + numbers
    tags = {b"desc": _text(_NAME), b"cprt": _text("no copyright")}
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + _fixed(*_D50)
    if is_gray:
        tags[b"kTRC"] = curve
    else:
        white = _xyz(*chromaticities[:2])
        matrix = np.stack([_xyz(*chromaticities[i : i + 2]) for i in (2, 4, 6)], axis=1)
        matrix = matrix * np.linalg.solve(matrix, white)
        cones = (_BRADFORD @ _D50) / (_BRADFORD @ white)
        adapt = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD
        tags[b"chad"] = b"sf32\0\0\0\0" + _fixed(*adapt.ravel())
        for name, column in zip((b"r", b"g", b"b"), (adapt @ matrix).T, strict=True):
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


def _text(words: str) -> bytes:
    letters = words.encode("utf-16-be")
    head = struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(letters), 28)
    return b"mluc\0\0\0\0" + head + letters
