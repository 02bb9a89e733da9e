"""File formats of photos: which are read, which are written, and what each can hold."""

from dataclasses import dataclass

from dslr_gan.errors import DslrGanError


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


def suffix_of(name: str) -> str:
    """The suffix of a name as it is shown, in lower case and without the dot."""
    return name.lower().rstrip("'\"").rpartition(".")[2]
