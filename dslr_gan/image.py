"""Photos: from a file to pixels for the network, and back with everything a photo carries.

A photo is more than its pixels: it has an orientation, EXIF, a colour profile, perhaps an
alpha channel, 16 bits, or no colour at all. ``to_canvas`` sets all of that aside and gives
plain upright sRGB pixels; ``from_canvas`` puts it back around other pixels of the same size.
``from_canvas(canvas, canvas.pixels)`` is the photo itself, upright, without any loss, except
where a photo of another kind (CMYK, LAB, HSV, YCbCr) became RGB for good.

What does not survive: frames and pages after the first; motion videos, depth maps and gain
maps beside the photo; the second byte of 16-bit *colour*, which Pillow does not read.
"""

import io
import re
import stat
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError

from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole

MAX_PIXELS = 178_956_970
"""The largest photo that is opened, in pixels: twice Pillow's mark of a decompression bomb."""

QUALITY = 95
"""Of JPEG, lossy WebP and AVIF files."""

# Formats: what is read, what is written, and what each can hold ------------------------------


@dataclass(frozen=True)
class PhotoFormat:
    """A file format that photos are written in."""

    name: str
    """Pillow's name for it."""
    suffixes: tuple[str, ...]
    """File suffixes, lower case, without the dot; a new file gets the first."""
    modes: tuple[str, ...]
    """The modes it holds without loss of alpha or depth."""
    profile: bool
    """Whether it can carry an ICC colour profile."""


FORMATS = (
    PhotoFormat("JPEG", ("jpg", "jpeg", "jpe", "jfif", "mpo"), ("L", "RGB"), True),
    PhotoFormat("PNG", ("png",), ("L", "LA", "RGB", "RGBA", "I;16"), True),
    PhotoFormat("WEBP", ("webp",), ("L", "LA", "RGB", "RGBA"), True),
    PhotoFormat("TIFF", ("tif", "tiff"), ("L", "LA", "RGB", "RGBA", "I;16"), True),
    PhotoFormat("AVIF", ("avif",), ("L", "LA", "RGB", "RGBA"), True),
    PhotoFormat("JPEG2000", ("jp2", "j2k"), ("L", "LA", "RGB", "RGBA", "I;16"), False),
    PhotoFormat("BMP", ("bmp", "dib"), ("L", "RGB"), False),
    PhotoFormat("PPM", ("ppm", "pgm", "pnm"), ("L", "RGB", "I;16"), False),
)

READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "BMP", "DIB", "PPM", "GIF")

PHOTO_SUFFIXES = frozenset(suffix for each in FORMATS for suffix in each.suffixes).union(
    ("gif", "heic", "heif")
)
"""Suffixes of what someone means by the photos of a folder; HEIC among them so that it gets
its own sentence instead of being passed over in silence."""

RAW_SUFFIXES = frozenset({"arw", "cr2", "cr3", "dng", "nef", "nrw", "orf", "pef", "raf", "rw2"})


def find_format(name: str) -> PhotoFormat:
    """Find the format that a name means.

    Args:
        name: ``"png"``, ``"jpg"``, ``".tiff"`` or Pillow's own name, in any case.

    Raises:
        DslrGanError: If photos are not written in a format of that name.
    """
    wanted = name.lower().removeprefix(".")
    for each in FORMATS:
        if wanted in each.suffixes or wanted == each.name.lower():
            return each
    known = ", ".join(each.suffixes[0] for each in FORMATS)
    shown = f"in the format {wanted!r}" if wanted else "without a format"
    raise DslrGanError(
        f"Photos cannot be written {shown}; choose one of {known}, for example with --format png."
    )


# Opening -------------------------------------------------------------------------------------


def open_photo(source: str | Path | BinaryIO) -> Image.Image:
    """Open a photo and decode it completely; of several frames, the first.

    Args:
        source: A file's path, or an open binary file.

    Returns:
        The picture as it is stored (not yet turned upright), in Pillow's mode. Beside Pillow's
        own keys its ``info`` may hold ``lossless`` (of a WebP) and ``exif`` (of a TIFF).

    Raises:
        DslrGanError: If there is no such file, or it is a folder, empty, damaged, cut off,
            larger than ``MAX_PIXELS``, or not a photo. The sentence names the file.
    """
    if not isinstance(source, str | Path):
        return _decode(source, str(getattr(source, "name", None) or "The photo"))
    path = Path(source)
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            with path.open("rb") as stream:
                return _decode(stream, str(path))
    except DslrGanError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DslrGanError(f"{path} does not exist; check the path.") from error
    except (OSError, ValueError) as error:
        raise DslrGanError(
            f"{path} cannot be read ({_reason(error)}); check the path and its permissions."
        ) from error
    kind = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
    raise DslrGanError(f"{path} is {kind}, not a photo; give a photo file.")


def _decode(stream: BinaryIO, name: str) -> Image.Image:
    """Decode the first frame of an open file; every failure is a sentence about ``name``."""
    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    stream.seek(0)
    if not stream.read(1):
        raise DslrGanError(f"{name} is empty; copy it again from where it came.")
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd EXIF and of large pictures; the limit here is MAX_PIXELS.
            warnings.simplefilter("ignore")
            photo = Image.open(stream, formats=READABLE)
            _check_kind(photo, name)
            photo.load()
            if photo.format == "WEBP":
                photo.info["lossless"] = _is_lossless_webp(stream)
            if photo.format == "TIFF" and (exif := _exif(photo)):
                photo.info["exif"] = exif  # its tags may be out of reach once the file is closed
    except DslrGanError:
        raise
    except Image.DecompressionBombError as error:
        raise DslrGanError(_too_large(name)) from error
    except UnidentifiedImageError as error:
        raise DslrGanError(_not_a_photo(name)) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise DslrGanError(
            f"{name} is damaged or cut off ({_reason(error)}); copy it again from where it came."
        ) from error
    return photo


def _check_kind(photo: Image.Image, name: str) -> None:
    """Refuse, before any pixel is decoded, what is too large or only looks like a photo."""
    if photo.width * photo.height > MAX_PIXELS:
        raise DslrGanError(_too_large(name))
    suffix = name.lower().rpartition(".")[2]
    raw = suffix in RAW_SUFFIXES or _DNG_VERSION in getattr(photo, "tag_v2", ())
    if photo.format == "TIFF" and raw:  # Pillow would give the small preview inside it
        raise DslrGanError(f"{name} is a raw file of a camera; export it as JPEG or TIFF first.")


def _is_lossless_webp(stream: BinaryIO) -> bool:
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


def _reason(error: BaseException) -> str:
    """A library's own words, short enough for the inside of a sentence."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:120]


def _too_large(name: str) -> str:
    limit = MAX_PIXELS // 1_000_000
    return f"{name} is too large: the limit is {limit} megapixels; make it smaller first."


def _not_a_photo(name: str) -> str:
    if name.lower().endswith((".heic", ".heif")):
        return f"{name} is a HEIC photo, which is not read yet; export it as JPEG first."
    known = "JPEG, PNG, WebP, TIFF, AVIF, JPEG 2000, BMP, PPM and GIF"
    return f"{name} is not a photo this program can read; give one of {known}."


# Photo to canvas and back --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Canvas:
    """A photo's pixels as the network wants them, and what it takes to go back."""

    pixels: np.ndarray
    """``(H, W, 3)``, sRGB, upright, read-only; uint16 for 16-bit grayscale, else uint8."""
    mode: str
    """Pillow's mode of the photo that comes back: RGB, RGBA, L, LA or I;16."""
    alpha: np.ndarray | None = None
    """``(H, W)`` uint8, set aside untouched; None where the photo has no alpha."""
    source: np.ndarray | None = None
    """The pixels in the photo's own colour space, uint8 ``(H, W, 3)`` or, of a gray profile,
    ``(H, W)``; None where that space is sRGB."""
    info: dict[str, Any] = field(default_factory=dict)
    """``info`` of the photo that comes back: EXIF, XMP, ICC profile, resolution."""


def to_canvas(photo: Image.Image) -> Canvas:
    """Turn a photo into upright sRGB pixels.

    A gray photo becomes three equal channels. Colours outside sRGB are clipped here and put
    back by ``from_canvas``. The profile of 16-bit grayscale is carried over, not applied.

    Args:
        photo: Any picture of Pillow's except floating-point ones, 1x1 or larger.

    Raises:
        DslrGanError: If it is not a Pillow image, has no pixels, cannot be decoded, or holds
            floating-point values or values of more than 16 bits.
    """
    _check_photo(photo)
    orientation = _orientation(photo)
    plain = _plain(photo)
    if orientation in _TURNS:
        plain = plain.transpose(_TURNS[orientation])
    info = _kept_info(photo, orientation, plain.size)
    alpha = np.asarray(plain.getchannel("A")) if plain.mode in ("LA", "RGBA") else None
    own = np.asarray(_without_alpha(plain))
    profile = photo.info.get("icc_profile")
    if plain.mode == "I;16":
        return Canvas(_three(own), plain.mode, info=info | _profile_info(profile))
    space = _read_space(profile, plain.mode)
    if space is None or space.is_srgb:
        kept = _profile_info(profile if space else None)
        return Canvas(_three(own), plain.mode, alpha, info=info | kept)
    own = _three(own) if space.mode == "RGB" else own
    pixels = _read_only(space.to_srgb(own))
    if space.from_srgb is None:  # sRGB from here on
        return Canvas(pixels, plain.mode, alpha, info=info)
    return Canvas(pixels, plain.mode, alpha, own, info | _profile_info(profile))


def from_canvas(canvas: Canvas, pixels: np.ndarray) -> Image.Image:
    """Make a photo of new pixels and everything else that the canvas's photo had.

    Args:
        canvas: What ``to_canvas`` made of the photo.
        pixels: The new pixels, sRGB, shape and dtype of ``canvas.pixels``.

    Returns:
        The photo in ``canvas.mode``, upright, its EXIF (orientation 1), ICC profile and
        resolution in ``info``. Channels of a gray photo are weighted as Pillow does (Rec. 601).

    Raises:
        ValueError: If shape or dtype differ from the canvas's.
    """
    wanted = canvas.pixels
    if pixels.shape != wanted.shape or pixels.dtype != wanted.dtype:
        raise ValueError(
            f"pixels must be {wanted.dtype} of shape {wanted.shape}, "
            f"got {pixels.dtype} of shape {pixels.shape}."
        )
    own = pixels if canvas.source is None else _own_colours(canvas, pixels)
    if canvas.mode in ("L", "LA", "I;16") and own.ndim == 3:
        own = _luma(own)
    if canvas.alpha is not None:
        own = np.dstack((own, canvas.alpha))
    photo = Image.fromarray(np.ascontiguousarray(own))
    photo.info.update(canvas.info)
    return photo


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """Pixels ``(H, W, 3)``, uint8 or uint16, as float32 ``(1, 3, H, W)`` in [0, 1]; a copy."""
    values = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    values /= np.iinfo(pixels.dtype).max
    return torch.from_numpy(values)[None]


def to_pixels(tensor: torch.Tensor, dtype: np.dtype | type = np.uint8) -> np.ndarray:
    """A tensor ``(1, 3, H, W)``, nominally in [0, 1], as pixels ``(H, W, 3)``.

    Args:
        tensor: Any floating dtype, any device; values outside [0, 1] are clamped.
        dtype: ``numpy.uint8`` or ``numpy.uint16``; values are rounded to its full range.
    """
    top = np.iinfo(dtype).max
    values = tensor.detach()[0].float().clamp(0, 1).mul(top).round()
    return values.permute(1, 2, 0).cpu().numpy().astype(dtype)


def eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Pixels of any shape, uint8 or uint16, as uint8: uint16 rounded, uint8 as it is."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _check_photo(photo: Image.Image) -> None:
    if not isinstance(photo, Image.Image):
        kind = type(photo).__name__
        raise DslrGanError(f"A photo must be a PIL image, got {kind}; open it with PIL first.")
    if photo.width * photo.height == 0:
        raise DslrGanError("The photo has no pixels; give one of at least 1x1.")
    try:
        photo.load()
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise DslrGanError(
            f"The photo cannot be decoded ({_reason(error)}); give an undamaged one."
        ) from error


# Modes ---------------------------------------------------------------------------------------

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _plain(photo: Image.Image) -> Image.Image:
    """The photo in the nearest of RGB, RGBA, L, LA and I;16, its alpha explicit."""
    mode = photo.mode
    if mode == "F":
        raise DslrGanError(
            "The photo holds floating-point values, whose range is unknown; save it as "
            "8-bit or 16-bit first."
        )
    if mode.startswith("I"):
        return _sixteen_bits(photo)
    if mode == "CMYK":
        return _from_cmyk(photo)
    if mode in ("1", "L", "LA", "La"):
        target = "LA" if photo.has_transparency_data else "L"
    else:
        target = "RGBA" if photo.has_transparency_data else "RGB"
    return photo if mode == target else photo.convert(target)


def _sixteen_bits(photo: Image.Image) -> Image.Image:
    """Any of the modes I, I;16B and their like as I;16; some 16-bit files are read as I.

    By way of numpy, since Pillow's own conversion of I;16B clips at 255.
    """
    if photo.mode == "I;16":
        return photo
    values = np.asarray(photo)
    if values.min() < 0 or values.max() > 65535:
        raise DslrGanError(
            "The photo holds values of more than 16 bits; save it as 8-bit or 16-bit first."
        )
    return Image.fromarray(values.astype(np.uint16))


def _from_cmyk(photo: Image.Image) -> Image.Image:
    """Printing colours as sRGB, through the photo's profile where it has a usable one."""
    profile = _open_profile(photo.info.get("icc_profile"))
    if profile is not None and profile.profile.xcolor_space.strip() == "CMYK":
        transform = _transform(profile, ImageCms.createProfile("sRGB"), "CMYK", "RGB")
        if transform is not None:
            return Image.fromarray(transform(np.asarray(photo)))
    return photo.convert("RGB")


def _without_alpha(plain: Image.Image) -> Image.Image:
    if plain.mode == "RGBA":
        return plain.convert("RGB")
    return plain.getchannel("L") if plain.mode == "LA" else plain


def _three(pixels: np.ndarray) -> np.ndarray:
    """``(H, W)`` as three equal channels; ``(H, W, 3)`` as it is."""
    if pixels.ndim == 3:
        return pixels
    return _read_only(np.repeat(pixels[..., None], 3, axis=2))


def _read_only(pixels: np.ndarray) -> np.ndarray:
    pixels.flags.writeable = False
    return pixels


def _luma(pixels: np.ndarray) -> np.ndarray:
    """Rec. 601 luma in Pillow's own integers, which give back a gray that was three times one.

    The weights sum to 65536, so even 65535 * 65536 + 32768 fits into 32 bits.
    """
    luma = np.empty(pixels.shape[:2], pixels.dtype)
    for rows in _strips(len(pixels)):
        red, green, blue = (pixels[rows, :, each].astype(np.uint32) for each in range(3))
        luma[rows] = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16
    return luma


def _strips(height: int, rows: int = 256) -> list[slice]:
    """Slices of rows, so that wider copies of the pixels stay small."""
    return [slice(top, top + rows) for top in range(0, height, rows)]


# Colour --------------------------------------------------------------------------------------

Transform = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Space:
    """The colour space that a profile describes, seen from sRGB."""

    mode: str
    """Pillow's mode of its pixels: L or RGB."""
    to_srgb: Transform
    from_srgb: Transform | None
    """None where the profile only leads away from its colours, as some scanners' do."""

    @property
    def is_srgb(self) -> bool:
        """Whether colours all over the space are the same in sRGB, up to rounding."""
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        red, green, blue = np.meshgrid(steps, steps, steps)
        colours = np.dstack([red.ravel(), green.ravel(), blue.ravel()])
        if self.mode == "L":
            colours = np.arange(256, dtype=np.uint8)[None]
        seen = self.to_srgb(colours).astype(int)
        return bool(np.abs(seen - _three(colours)).max() <= 2)


def _open_profile(profile: bytes | None) -> ImageCms.ImageCmsProfile | None:
    """Read an ICC profile; None where there is none or it is broken."""
    if not profile:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, TypeError, ValueError):
        return None


def _read_space(profile: bytes | None, mode: str) -> _Space | None:
    """The colour space of a photo; None where it has no profile that fits its mode."""
    opened = _open_profile(profile)
    kind = opened.profile.xcolor_space.strip() if opened else ""
    if opened is None or kind not in (("GRAY", "RGB") if mode in ("L", "LA") else ("RGB",)):
        return None
    own_mode = "L" if kind == "GRAY" else "RGB"
    srgb = ImageCms.createProfile("sRGB")
    to_srgb = _transform(opened, srgb, own_mode, "RGB")
    if to_srgb is None:
        return None
    return _Space(own_mode, to_srgb, _transform(srgb, opened, "RGB", own_mode))


def _transform(source: Any, target: Any, source_mode: str, target_mode: str) -> Transform | None:
    """A conversion of uint8 pixels between two profiles; None where they do not allow it."""
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
        shape = pixels.shape[:2] if target_mode == "L" else (*pixels.shape[:2], 3)
        converted = np.empty(shape, np.uint8)
        for rows in _strips(len(pixels)):
            strip = Image.fromarray(np.ascontiguousarray(pixels[rows]), source_mode)
            converted[rows] = np.asarray(ImageCms.applyTransform(strip, transform))
        return converted

    return convert


def _own_colours(canvas: Canvas, pixels: np.ndarray) -> np.ndarray:
    """New sRGB pixels in the photo's own colour space.

    What the way to sRGB cost each pixel (colours outside sRGB, rounding) is added again, so
    unchanged pixels come back exactly and vivid colours stay vivid.
    """
    space = _read_space(canvas.info["icc_profile"], canvas.mode)
    if space is None or space.from_srgb is None or canvas.source is None:
        raise ValueError("canvas must come from to_canvas: its profile leads nowhere.")
    own = np.empty_like(canvas.source)
    for rows in _strips(len(pixels)):
        cost = canvas.source[rows].astype(np.int16) - space.from_srgb(canvas.pixels[rows])
        own[rows] = np.clip(space.from_srgb(pixels[rows]) + cost, 0, 255)
    return own


def _profile_info(profile: bytes | None) -> dict[str, bytes]:
    return {"icc_profile": profile} if profile else {}


# Metadata ------------------------------------------------------------------------------------

_ORIENTATION = 0x0112
_EXIF_FOLDER = 0x8769
_FOLDERS = (_EXIF_FOLDER, 0x8825)  # the second holds the GPS position
_EXIF_SIZE = (0xA002, 0xA003)
_DNG_VERSION = 0xC612
_XMP = 0x02BC

# What a TIFF says of its own pixels and bytes; untrue of any other file.
_TIFF_STRUCTURE = frozenset(
    (*range(254, 260), 262, 266, 273, *range(277, 282), 284, 317, 320, *range(322, 326), 330)
).union((338, 339, 347, 513, 514, *range(529, 533), _XMP, 33723, 34377, 34675))

# XMP that speaks of other parts of the file (motion videos, depth and gain maps, the rest of a
# long XMP), none of which the result has; viewers would go looking for them.
_XMP_OF_PARTS = (b"Container:", b"GCamera:", b"GDepth:", b"hdrgm:", b"HDRGainMap", b"HasExtended")


def _orientation(photo: Image.Image) -> int:
    """EXIF orientation, 1 to 8; from XMP where EXIF has none; 1 where neither has."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            orientation = photo.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises nearly anything on broken EXIF
        return 1
    return orientation if isinstance(orientation, int) else 1


def _exif(photo: Image.Image) -> bytes | None:
    """The photo's EXIF block as bytes, or None."""
    block = photo.info.get("exif")
    if isinstance(block, bytes) and block:
        return block
    try:
        found = photo.getexif()
        kept = Image.Exif()
        for tag, value in found.items():
            if tag not in _TIFF_STRUCTURE and tag not in _FOLDERS:
                kept[tag] = value
        for folder in _FOLDERS:
            if values := found.get_ifd(folder):
                kept.get_ifd(folder).update(values)
        made = kept.tobytes()
        return made if made != Image.Exif().tobytes() else None
    except Exception:  # Pillow raises nearly anything on broken EXIF
        return None


def _upright_exif(exif: bytes, size: tuple[int, int]) -> bytes | None:
    """The same EXIF block with orientation 1, the new size, and no thumbnail of the old photo.

    The values are changed in place and everything else stays byte for byte, since makers'
    notes hold offsets of their own. None where the block is broken.
    """
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None or len(exif) < start + 8:
        return None
    data = bytearray(exif)
    (offset,) = struct.unpack_from(order + "I", data, start + 4)
    entries, end = _entries(data, order, start + offset)
    if not entries:
        return None
    if _ORIENTATION in entries:
        struct.pack_into(order + "HHIHH", data, entries[_ORIENTATION], _ORIENTATION, 3, 1, 1, 0)
    if _EXIF_FOLDER in entries:
        (offset,) = struct.unpack_from(order + "I", data, entries[_EXIF_FOLDER] + 8)
        inner, _ = _entries(data, order, start + offset)
        for tag, side in zip(_EXIF_SIZE, size, strict=True):
            if tag in inner:
                struct.pack_into(order + "HHII", data, inner[tag], tag, 4, 1, side)
    if end + 4 <= len(data):
        struct.pack_into(order + "I", data, end, 0)  # where the folder of the thumbnail was
    return b"Exif\0\0" + bytes(data[start:])


def _entries(data: bytearray, order: str, folder: int) -> tuple[dict[int, int], int]:
    """Where each tag's entry of a TIFF folder lies, and where the folder ends."""
    if folder + 2 > len(data):
        return {}, len(data)
    (count,) = struct.unpack_from(order + "H", data, folder)
    end = folder + 2 + 12 * count
    positions = range(folder + 2, min(end, len(data) - 11), 12)
    return {struct.unpack_from(order + "H", data, each)[0]: each for each in positions}, end


def _kept_info(photo: Image.Image, orientation: int, size: tuple[int, int]) -> dict[str, Any]:
    """What of the photo's ``info`` holds for the upright result, its profile apart."""
    info: dict[str, Any] = {}
    sideways = orientation >= 5
    if (exif := _exif(photo)) and (upright := _upright_exif(exif, size)):
        info["exif"] = upright
    if xmp := _upright_xmp(photo.info.get("xmp")):
        info["xmp"] = xmp
    if dpi := _resolution(photo.info.get("dpi")):
        info["dpi"] = dpi[::-1] if sideways else dpi
    subsampling = _subsampling(photo)
    if subsampling is not None:
        # 4:2:2 halves one direction only, the other one after a quarter turn: keep all of it.
        info["subsampling"] = 0 if sideways and subsampling == 1 else subsampling
    if "lossless" in photo.info:
        info["lossless"] = bool(photo.info["lossless"])
    return info


def _upright_xmp(xmp: Any) -> bytes | None:
    """The same XMP with orientation 1; None where it speaks of parts the result lacks."""
    if not isinstance(xmp, bytes) or any(part in xmp for part in _XMP_OF_PARTS):
        return None
    return re.sub(rb'(tiff:Orientation(?:="|>))[0-9]', rb"\g<1>1", xmp)


def _resolution(dpi: Any) -> tuple[float, float] | None:
    """Dots per inch, where they are two numbers that any format can store."""
    try:
        across, down = (float(each) for each in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 65535 and 0 < down < 65535 else None


def _subsampling(photo: Image.Image) -> int | None:
    """How a JPEG stores its chroma: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0; None if unknown."""
    known = photo.info.get("subsampling")
    if known is None and isinstance(photo, JpegImagePlugin.JpegImageFile):
        known = JpegImagePlugin.get_sampling(photo)
    return known if known in (0, 1, 2) else None


# Saving --------------------------------------------------------------------------------------


def save_photo(photo: Image.Image, destination: str | Path, *, format: str | None = None) -> None:
    """Write a photo with its EXIF, profile and resolution; the file is whole or not there.

    JPEG gets quality 95 and the chroma subsampling of the photo it came from, 4:4:4 where that
    is unknown. WebP is lossless where the source was, else of quality 95; AVIF has quality 95;
    every other format is lossless, TIFF uncompressed (compressed ones lose EXIF in Pillow). BMP,
    PPM and JPEG 2000 hold no EXIF.

    Args:
        photo: What ``PhotoEnhancer.enhance`` or ``from_canvas`` returned, or any picture.
        destination: The file; it is replaced where it exists, missing folders are made.
        format: A name such as ``"png"``; the suffix of ``destination`` decides where None.

    Raises:
        DslrGanError: If the format is unknown or cannot hold the photo (alpha in a JPEG, say),
            or the file cannot be written.
    """
    destination = Path(destination)
    kind = find_format(destination.suffix if format is None else format)
    _check_photo(photo)
    plain = _plain(photo)
    # The profile of a CMYK or LAB photo speaks of colours that are no longer there.
    profile = b"" if photo.mode in ("CMYK", "LAB") else photo.info.get("icc_profile") or b""
    _check_holds(kind, plain.mode, profile, destination)
    options = {"icc_profile": profile, **_metadata(photo, kind), **_quality(photo, kind)}
    try:
        with written_whole(destination) as unfinished:
            plain.save(unfinished, kind.name, **options)
    except Exception as error:  # Pillow's encoders raise nearly anything
        advice = f"{kind.name} may not hold it: choose another format, such as --format png"
        if isinstance(error, OSError) and error.errno:
            advice = "check that the folder can be written to and has room"
        raise DslrGanError(
            f"{destination} cannot be written ({_reason(error)}); {advice}."
        ) from error


def _check_holds(kind: PhotoFormat, mode: str, profile: bytes, destination: Path) -> None:
    """Refuse to lose alpha, depth or the meaning of colours without being told to."""
    lost = ""
    if mode not in kind.modes:
        lost = "16 bits" if mode == "I;16" else "transparency"
    elif not kind.profile:
        space = _read_space(profile, mode)
        lost = "" if space is None or space.is_srgb else "a colour profile"
    if lost:
        raise DslrGanError(
            f"{destination} cannot be written: {kind.name} does not hold {lost}, which this photo "
            "has; choose another format, such as --format png."
        )


def _metadata(photo: Image.Image, kind: PhotoFormat) -> dict[str, Any]:
    """Pillow's save options for EXIF, XMP and resolution."""
    options: dict[str, Any] = {}
    exif, xmp = _exif(photo), photo.info.get("xmp")
    if dpi := _resolution(photo.info.get("dpi")):
        options["dpi"] = dpi
    if kind.name == "TIFF":
        options["exif"] = _exif_with_xmp(exif, xmp)
    elif kind.name in ("JPEG", "PNG", "WEBP", "AVIF"):
        options["exif"] = exif or b""
        if isinstance(xmp, bytes) and kind.name == "PNG":
            options["pnginfo"] = PngImagePlugin.PngInfo()
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        elif isinstance(xmp, bytes):
            options["xmp"] = xmp
    return options


def _exif_with_xmp(exif: bytes | None, xmp: Any) -> Image.Exif:
    """The tags of a TIFF, which holds XMP as one of them."""
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    for tag in _TIFF_STRUCTURE.intersection(tags):
        del tags[tag]
    if isinstance(xmp, bytes):
        tags[_XMP] = xmp
    return tags


def _quality(photo: Image.Image, kind: PhotoFormat) -> dict[str, Any]:
    """Pillow's save options that decide how much is lost, if anything."""
    match kind.name:
        case "JPEG":
            return {"quality": QUALITY, "subsampling": _subsampling(photo) or 0}
        case "WEBP" if photo.info.get("lossless"):
            return {"lossless": True, "exact": True}
        case "WEBP":
            return {"quality": QUALITY}
        case "AVIF":
            return {"quality": QUALITY, "subsampling": "4:4:4"}
    return {}
