"""Colours that a file names without an ICC profile: the profile that means the same.

PNG, third edition, sections 4.3 and 11.3.2: cICP goes before iCCP, then sRGB, then gAMA and
cHRM. The numbers of primaries and transfer functions are those of ITU-T H.273, tables 2 and 3. As
in browsers, the transfer functions of video (BT.709 and its kin) are taken for that of sRGB.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from dslr_gan.photo.beside.facts import Found
from dslr_gan.photo.beside.profiles import make_profile, xyz
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

_ADOBE = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_ADOBE_GAMMA = 563 / 256
_TIFF_GAMMA = 2.2
"""Of a TIFF that names its primaries and no curve (TIFF 6.0, section 20)."""
_WHITE, _ENDS, _CURVES, _BITS = 318, 319, 301, 258
_LONGEST_TABLE = 4096

HDR = {16: "PQ", 18: "HLG"}


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
    if not found.carried.colours and (profile := _of_tags(photo, found)):
        photo.info["icc_profile"] = profile
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


def _of_tags(photo: Image.Image, found: Found) -> bytes:
    """The profile that the tags of EXIF or of a TIFF mean; empty where they mean none, or sRGB."""
    is_gray = photo.mode.startswith(("I", "L"))
    if not (is_gray or photo.mode.startswith("RGB")) or found.coding:
        return b""
    tags = getattr(photo, "tag_v2", {}) if photo.format == "TIFF" else {}
    try:
        ends = tuple(float(each) for name in (_WHITE, _ENDS) for each in tags.get(name, ()))
    except (TypeError, ValueError, ArithmeticError):
        ends = ()
    has_ends = len(ends) == 8 and _is_possible(ends) and not np.allclose(ends, _SRGB, atol=0.003)
    lights = ends if has_ends else _SRGB
    if _CURVES in tags:
        if tables := _tables(tags, is_gray):
            return make_profile(lights, 0, is_gray, tables)
        found.note("Its tags TransferFunction mean no curve; they were taken for that of sRGB.")
    if is_gray:
        return b""
    if has_ends:
        return make_profile(ends, 0.0 if _CURVES in tags else _TIFF_GAMMA)
    if _interoperability(photo) == "R03":
        found.note(
            "Its EXIF says that its colours are Adobe RGB; they were enhanced as such, and the "
            "result has that profile."
        )
        return make_profile(_ADOBE, _ADOBE_GAMMA)
    return b""


def _tables(tags: Any, is_gray: bool) -> list[np.ndarray]:
    """The light of each channel's values, as a TIFF's tags have it; none where they are odd."""
    try:
        values = np.array(tags[_CURVES], np.int64)
        count = 1 << int(tags[_BITS][0])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return []
    if values.size not in (count, 3 * count) or (is_gray and values.size != count):
        return []
    tables = values.reshape(-1, count)
    rising = (np.diff(tables) >= 0).all() and (tables[:, -1] - tables[:, 0] > 1 << 15).all()
    if not rising or tables.min() < 0 or tables.max() > 65535:
        return []
    kept = np.rint(np.linspace(0, count - 1, min(count, _LONGEST_TABLE))).astype(int)
    return [table[kept].astype(np.uint16) for table in tables] * (3 // len(tables))


def _interoperability(photo: Image.Image) -> str:
    """The mark by which EXIF names colours: R98 for sRGB, R03 for Adobe RGB (DCF 2.0)."""
    try:
        exif = photo.getexif()
        if exif.get_ifd(0x8769).get(0xA001) == 1:  # sRGB
            return ""
        return str(exif.get_ifd(0xA005).get(1, "")).strip("\0 ")
    except Exception:  # Pillow raises nearly anything on broken EXIF
        return ""


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
    matrix = np.stack([xyz(*chromaticities[i : i + 2]) for i in (2, 4, 6)], axis=1)
    if abs(np.linalg.det(matrix)) < 1e-3:
        return False
    return bool((np.linalg.solve(matrix, xyz(*chromaticities[:2])) > 0).all())
