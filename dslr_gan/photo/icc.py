"""Colour spaces: from an ICC profile to sRGB and back, in floating point where that is possible.

A profile of three primaries and their curves (Display P3, Adobe RGB, ProPhoto and nearly every
other that a photo carries) is plain arithmetic, done here: Pillow's colour management works on
8 bits, too coarse for a difference of two conversions and for 16-bit photos. Profiles made of
tables go through it all the same. ICC.1:2010, sections 8.3, 10.5 and 10.15.
"""

import functools
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

Transform = Callable[[np.ndarray], np.ndarray]
"""Float32 pixels in [0, 1], ``(H, W)`` of gray or ``(H, W, 3)``, to others of another space."""

SRGB_TO_XYZ = np.array(
    [
        [0.4360657, 0.3851515, 0.1430784],
        [0.2224932, 0.7168870, 0.0606169],
        [0.0139160, 0.0970764, 0.7140961],
    ]
)
"""The primaries of sRGB, one column each, adapted to the white of profiles (D50)."""


@dataclass(frozen=True)
class Space:
    """The colour space that a profile describes, seen from sRGB."""

    mode: str
    """Pillow's mode of its pixels: L or RGB."""
    to_srgb: Transform
    """Colours outside sRGB are clipped."""
    from_srgb: Transform | None
    """None where the profile only leads away from its colours, as some scanners' do."""
    deep: bool
    """Whether both ways are good for 16 bits."""

    @functools.cached_property
    def is_srgb(self) -> bool:
        """Whether colours all over the space are the same in sRGB, up to two levels of 256."""
        steps = np.linspace(0, 1, 9, dtype=np.float32)
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        if self.mode == "L":
            colours = np.linspace(0, 1, 256, dtype=np.float32)[None]
        seen = self.to_srgb(colours)
        expected = colours if self.mode == "RGB" else colours[..., None]
        return bool(np.abs(seen - expected).max() * 255 <= 2)


def open_profile(profile: Any) -> ImageCms.ImageCmsProfile | None:
    """Read an ICC profile, or give None where there is none or it is broken."""
    if not profile or not isinstance(profile, bytes):
        return None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        opened.profile.xcolor_space.strip()  # whose letters may be none
        return opened
    except (OSError, TypeError, ValueError):
        return None


@functools.lru_cache(maxsize=8)
def read_space(profile: bytes | None, mode: str) -> Space | None:
    """The colour space of a photo.

    Args:
        profile: The bytes of an ICC profile.
        mode: RGB, RGBA, L, LA or I;16; gray photos may have a gray profile or one of RGB.

    Returns:
        The space; None where there is no profile that is whole and fits the mode.
    """
    opened = open_profile(profile)
    if profile is None or opened is None:
        return None
    kind = opened.profile.xcolor_space.strip()
    if kind not in (("RGB",) if mode in ("RGB", "RGBA") else ("GRAY", "RGB")):
        return None
    return _read_curves(profile, kind) or _read_tables(opened, "L" if kind == "GRAY" else "RGB")


# Primaries and curves ------------------------------------------------------------------------

_STEPS = 65536


class _Curve:
    """How one channel's values stand for light, as tables in both directions.

    The way back is tabled over the square root of light, since nearly all curves are close to a
    square: over light itself the steps in the shadows would be too coarse.
    """

    def __init__(self, light: np.ndarray) -> None:
        values = np.linspace(0, 1, _STEPS)
        roots = np.linspace(0, 1, _STEPS)
        self._light = light.astype(np.float32)
        self._value = np.interp(roots**2, light, values).astype(np.float32)

    def to_light(self, values: np.ndarray) -> np.ndarray:
        return self._light[_steps(values)]

    def to_values(self, light: np.ndarray) -> np.ndarray:
        return self._value[_steps(np.sqrt(np.maximum(light, 0)))]


def _steps(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, 0, 1) * (_STEPS - 1) + 0.5).astype(np.uint16)


@functools.cache
def _srgb_curve() -> _Curve:
    values = np.linspace(0, 1, _STEPS)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return _Curve(light)


def _read_curves(profile: bytes, kind: str) -> Space | None:
    """The space of a profile that is primaries and curves, or None where it is anything else."""
    tags = _tags(profile)
    if profile[20:24] != b"XYZ " or any(tag[:3] in (b"A2B", b"D2B") for tag in tags):
        return None
    names = [b"kTRC"] if kind == "GRAY" else [b"rTRC", b"gTRC", b"bTRC"]
    curves = [curve for name in names if (curve := _read_curve(tags.get(name, b"")))]
    if len(curves) < len(names):
        return None
    if kind == "GRAY":
        return _gray_space(curves[0])
    columns = [_read_colour(tags.get(name, b"")) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    if any(column is None for column in columns):
        return None
    to_xyz = np.stack([column for column in columns if column is not None], axis=1)
    if abs(np.linalg.det(to_xyz)) < 1e-4:
        return None
    return _colour_space(to_xyz, curves)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The contents of an ICC profile, without what is outside of it."""
    if len(profile) < 132:
        return {}
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for position in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        name, offset, size = struct.unpack_from(">4sII", profile, position)
        if offset + size <= len(profile):
            tags[name] = profile[offset : offset + size]
    return tags


def _read_colour(tag: bytes) -> np.ndarray | None:
    if tag[:4] != b"XYZ " or len(tag) < 20:
        return None
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _read_curve(tag: bytes) -> _Curve | None:
    """A tone curve, or None where it is broken or does not rise, so that no way leads back."""
    try:
        light = _curve_light(tag)
    except (struct.error, ValueError, ZeroDivisionError):
        return None
    if light is None or not np.isfinite(light).all() or (np.diff(light) < 0).any():
        return None
    return _Curve(light) if light[-1] - light[0] > 0.5 else None


def _curve_light(tag: bytes) -> np.ndarray | None:
    """Light of every value, ``(65536,)``, as a curve's tag has it."""
    values = np.linspace(0, 1, _STEPS)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return values
        if count == 1:
            return values ** (struct.unpack_from(">H", tag, 12)[0] / 256)
        points = np.frombuffer(tag, ">u2", count, 12) / 65535
        return np.interp(values, np.linspace(0, 1, count), points)
    if tag[:4] != b"para":
        return None
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        return None
    count = (1, 3, 4, 5, 7)[kind]
    given = [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)]
    gamma, a, b, c, d, e, f = given + [0.0] * (7 - count)
    if kind == 0:
        return values**gamma
    if kind in (1, 2):  # what is c there is added to both pieces
        c, d, e, f = 0.0, -b / a, c, c
    with np.errstate(invalid="ignore"):
        power = np.maximum(a * values + b, 0) ** gamma + e
    return np.clip(np.where(values >= d, power, c * values + f), 0, 1)


def _colour_space(to_xyz: np.ndarray, curves: list[_Curve]) -> Space:
    forward = (np.linalg.inv(SRGB_TO_XYZ) @ to_xyz).astype(np.float32)
    back = np.linalg.inv(forward).astype(np.float32)
    srgb = _srgb_curve()

    def to_srgb(pixels: np.ndarray) -> np.ndarray:
        return srgb.to_values(_lights(curves, pixels) @ forward.T)

    def from_srgb(pixels: np.ndarray) -> np.ndarray:
        light = srgb.to_light(pixels) @ back.T
        channels = [curve.to_values(light[..., i]) for i, curve in enumerate(curves)]
        return np.stack(channels, axis=-1)

    return Space("RGB", to_srgb, from_srgb, deep=True)


def _lights(curves: list[_Curve], pixels: np.ndarray) -> np.ndarray:
    return np.stack([curve.to_light(pixels[..., i]) for i, curve in enumerate(curves)], axis=-1)


def _gray_space(curve: _Curve) -> Space:
    srgb = _srgb_curve()
    luminance = SRGB_TO_XYZ[1].astype(np.float32)

    def to_srgb(pixels: np.ndarray) -> np.ndarray:
        return np.repeat(srgb.to_values(curve.to_light(pixels))[..., None], 3, axis=2)

    def from_srgb(pixels: np.ndarray) -> np.ndarray:
        return curve.to_values(srgb.to_light(pixels) @ luminance)

    return Space("L", to_srgb, from_srgb, deep=True)


# Tables --------------------------------------------------------------------------------------


def _read_tables(profile: ImageCms.ImageCmsProfile, mode: str) -> Space | None:
    """The space of any profile that Pillow's colour management takes, by way of 8 bits."""
    srgb = ImageCms.createProfile("sRGB")
    to_srgb = _transform(profile, srgb, mode, "RGB")
    if to_srgb is None:
        return None
    return Space(mode, to_srgb, _transform(srgb, profile, "RGB", mode), deep=False)


def _transform(source: Any, target: Any, source_mode: str, target_mode: str) -> Transform | None:
    """A conversion between two profiles, or None where they do not allow it."""
    try:
        transform = ImageCms.buildTransform(
            source,
            target,
            source_mode,
            target_mode,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except ImageCms.PyCMSError:
        return None

    def convert(pixels: np.ndarray) -> np.ndarray:
        levels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
        converted = ImageCms.applyTransform(Image.fromarray(levels), transform)
        return np.asarray(converted).astype(np.float32) / 255

    return convert


# Printing colours ----------------------------------------------------------------------------


def convert_inks(photo: Image.Image) -> Image.Image:
    """CMYK as sRGB, through the photo's profile where it has a usable one."""
    profile = open_profile(photo.info.get("icc_profile"))
    if profile is not None and profile.profile.xcolor_space.strip() == "CMYK":
        try:
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(
                photo,
                profile,
                srgb,
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                "RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            if converted is not None:
                return converted
        except ImageCms.PyCMSError:
            pass
    return photo.convert("RGB")
