"""File formats of photos: which are read, which are written, and what each can hold."""

from dataclasses import dataclass

from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.photo.icc import read_space
from dslr_gan.photo.photo import plain_mode


@dataclass(frozen=True)
class PhotoFormat:
    """A file format that photos are written in."""

    name: str
    """Pillow's name for it."""
    suffixes: tuple[str, ...]
    """File suffixes, lower case, without the dot. A new file gets the first."""
    modes: tuple[str, ...]
    """The modes it holds without loss of alpha or of 16-bit gray."""
    profile: bool = True
    """Whether it can carry an ICC colour profile."""
    deep: bool = False
    """Whether it holds 16 bits per channel."""
    metadata: bool = True
    """Whether it can carry EXIF and XMP."""


EIGHT = ("L", "LA", "RGB", "RGBA")
SIXTEEN = (*EIGHT, "I;16")

FORMATS = (
    PhotoFormat("JPEG", ("jpg", "jpeg", "jpe", "jfif", "mpo"), ("L", "RGB")),
    PhotoFormat("PNG", ("png",), SIXTEEN, deep=True),
    PhotoFormat("WEBP", ("webp",), EIGHT),
    PhotoFormat("TIFF", ("tif", "tiff"), SIXTEEN, deep=True),
    PhotoFormat("HEIF", ("heic", "heif", "hif"), EIGHT),
    PhotoFormat("AVIF", ("avif",), EIGHT),
    PhotoFormat("JPEG2000", ("jp2", "j2k"), SIXTEEN, profile=False, metadata=False),
    PhotoFormat("BMP", ("bmp", "dib"), ("L", "RGB"), profile=False, metadata=False),
    PhotoFormat("PPM", ("ppm", "pgm", "pnm"), ("L", "RGB", "I;16"), profile=False, metadata=False),
)

READABLE = (
    *("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"),
    *("JPEG2000", "BMP", "DIB", "PPM", "GIF"),
)
"""Pillow's names of what is read. MPO counts as JPEG."""

BECOMES = {"GIF": "PNG"}
"""What a photo comes back in whose own format is only read: 256 colours hold no enhanced photo."""

KNOWN = "JPEG, PNG, WebP, TIFF, HEIC, AVIF, JPEG 2000, BMP, PPM and GIF"

PHOTO_SUFFIXES = frozenset(suffix for kind in FORMATS for suffix in kind.suffixes).union(("gif",))
"""Suffixes of what someone means by the photos of a folder."""

RAW_SUFFIXES = frozenset(
    (
        *("3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "k25"),
        *("kdc", "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl"),
        *("sr2", "srf", "srw", "x3f"),
    )
)
"""Suffixes of the raw files of cameras, which are refused with an error message."""


def find_format(name: str) -> PhotoFormat:
    """Find the format that a name means.

    Args:
        name: ``"png"``, ``"jpg"``, ``".tiff"`` or Pillow's own name, in any case.

    Raises:
        DslrGanError: If photos are not written in a format of that name.
    """
    wanted = name.lower().removeprefix(".")
    for kind in FORMATS:
        if wanted in kind.suffixes or wanted == kind.name.lower():
            return kind
    known = ", ".join(kind.suffixes[0] for kind in FORMATS)
    shown = f"in the format {wanted!r}" if wanted else "without a format"
    raise DslrGanError(
        f"Photos cannot be written {shown}; choose one of {known}, for example with --format png."
    )


def format_to_write(photo: Image.Image) -> PhotoFormat:
    """The format that a photo of this file comes back in: its own where that is possible.

    A GIF has too few colours to hold an enhanced photo, so it becomes a PNG, as does what its
    own format cannot hold or is unknown.

    Args:
        photo: What ``open_photo`` returned.
    """
    name = photo.format or ""
    try:
        kind = find_format(BECOMES.get(name, name))
    except DslrGanError:
        return find_format("png")
    profile = b"" if photo.mode in ("CMYK", "LAB") else photo.info.get("icc_profile") or b""
    fits = not not_held(kind, plain_mode(photo), profile)
    return kind if fits else find_format("png")


def format_note(photo: Image.Image, kind: PhotoFormat) -> str | None:
    """Say that a photo comes back in another format than its file had.

    Args:
        photo: What ``open_photo`` returned.
        kind: The format its result is written in.

    Returns:
        A sentence; None where the format stays, or the photo came from no file.
    """
    if photo.format is None or is_own_format(photo, kind):
        return None
    return (
        f"{photo.format} does not hold what an enhanced photo needs; the result is a {kind.name}."
    )


def is_own_format(photo: Image.Image, kind: PhotoFormat) -> bool:
    """Whether a format is the one that a photo's file had. MPO counts as JPEG."""
    try:
        return find_format(photo.format or "") == kind
    except DslrGanError:  # photos are not written in it
        return False


def not_held(kind: PhotoFormat, mode: str, profile: bytes) -> str:
    """What of a photo a format cannot hold, in a word or two; empty where it holds all.

    Args:
        kind: The format.
        mode: Of the photo: one of those in ``PhotoFormat.modes``.
        profile: The photo's ICC profile; may be empty.
    """
    if mode not in kind.modes:
        return "transparency"
    if kind.profile:
        return ""
    space = read_space(profile, mode)
    return "" if space is None or space.is_srgb else "a colour profile"


def suffix_of(name: str) -> str:
    """The suffix of a name as it is shown, in lower case and without the dot."""
    return name.lower().rstrip("'\"").rpartition(".")[2]
