"""Opening photos: every file ends as a decoded picture or as one error message."""

import io
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from dslr_gan.errors import DslrGanError, reason, shown
from dslr_gan.photo.beside.colours import name_colours
from dslr_gan.photo.beside.facts import CARRIED, DAMAGED_SECOND_XMP, Carried, Found
from dslr_gan.photo.beside.jpeg import lacks_pixels
from dslr_gan.photo.beside.png import lacks_rows
from dslr_gan.photo.beside.scan import plain_copies, scan, scan_opened
from dslr_gan.photo.beside.xmp import joined
from dslr_gan.photo.decoding.bmp import Bmp, decode_bmp, picture_of, rare_bmp
from dslr_gan.photo.decoding.facts import (
    as_tiff_means,
    bits_of,
    frames_of,
    is_fine_avif,
    is_lossless_webp,
)
from dslr_gan.photo.decoding.libraries import quiet_tiff, register_heif
from dslr_gan.photo.decoding.refusals import RARE_PACKINGS, TIFF_STARTS, raw_message, refusal
from dslr_gan.photo.formats import RAW_SUFFIXES, READABLE, suffix_of
from dslr_gan.photo.metadata import DNG_VERSION, gathered_exif
from dslr_gan.photo.photo import add_note, no_memory, photo_of
from dslr_gan.photo.sixteen_bit import load_deep
from dslr_gan.photo.tiff import find_pixels

MAX_MEGAPIXELS = 250.0
"""The largest photo that is opened unless another limit is given."""


def open_photo(
    source: str | bytes | os.PathLike[str] | os.PathLike[bytes] | BinaryIO,
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> Image.Image:
    """Open a photo and decode it completely, the first frame where it has several.

    Args:
        source: A file's path as ``open`` takes it, or an open binary file.
        max_megapixels: The largest photo to open, in millions of pixels; read off the header,
            before any pixel is decoded.

    Returns:
        The picture as it is stored (not yet turned upright), in Pillow's mode; 16 bits per
        channel in colour are kept beside it (``dslr_gan.photo.photo.Photo``). ``notes`` lists what
        of the file is not in it. Beside Pillow's own keys its ``info`` may hold ``lossless`` (of a
        WebP, or of an AVIF that lost next to nothing) and ``exif`` (of a TIFF).

    Raises:
        DslrGanError: If there is no such file, or it is a folder, empty, damaged, cut off,
            too large for the limit or for memory, or not a photo. The message names the file.
    """
    _check_limit(max_megapixels)
    if isinstance(source, str | bytes | os.PathLike):
        path = as_path(source)
        with _open_file(path) as stream:
            return _decode(stream, shown(path), max_megapixels)
    name = shown(getattr(source, "name", None) or "The photo")
    return _decode(_checked_stream(source, name), name, max_megapixels)


def as_path(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Path:
    """A path in any of the forms that ``open`` takes.

    Raises:
        TypeError: If it is none.
    """
    return Path(os.fsdecode(path))


def _checked_stream(source: BinaryIO, name: str) -> BinaryIO:
    """Refuse what cannot be read bytes from."""
    if not hasattr(source, "read"):
        raise TypeError(
            f"A photo is opened by its path or as an open binary file, got a "
            f"{type(source).__name__}."
        )
    if getattr(source, "closed", False):
        raise DslrGanError(f"{name} is closed; open it again, or give its path.")
    if isinstance(source, io.TextIOBase):
        raise DslrGanError(f"{name} is open as a text; open it as bytes, with the mode 'rb'.")
    try:
        if hasattr(source, "seekable") and source.seekable():
            return source
        return io.BytesIO(source.read())
    except (OSError, ValueError, TypeError) as error:
        raise DslrGanError(f"{name} cannot be read ({reason(error)}); give its path.") from error


@contextmanager
def open_photo_in_parts(
    source: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> Iterator[Image.Image]:
    """Open a photo for a while, in which the pixels of an uncompressed TIFF stay in its file.

    Args:
        source: A file's path.
        max_megapixels: As in :func:`open_photo`.

    Yields:
        What ``open_photo`` returns, or a photo for ``photo_pixels`` whose pixels Pillow does not
        have (``dslr_gan.photo.tiff``): it can be used inside the ``with`` only.

    Raises:
        DslrGanError: As :func:`open_photo`.
    """
    _check_limit(max_megapixels)
    path = as_path(source)
    with _open_file(path) as stream:
        yield _decode(stream, shown(path), max_megapixels, in_file=True)


def _check_limit(max_megapixels: float) -> None:
    if not max_megapixels > 0:
        raise DslrGanError(f"max_megapixels must be above 0, got {max_megapixels}.")


def _open_file(path: Path) -> BinaryIO:
    """Open what is a plain file, and refuse everything else."""
    name = shown(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DslrGanError(f"{name} does not exist; check the path.") from error
    except (OSError, ValueError) as error:
        raise DslrGanError(
            f"{name} cannot be read ({reason(error)}); check the path and its permissions."
        ) from error
    kind = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
    raise DslrGanError(f"{name} is {kind}, not a photo; give a photo file.")


def _decode(
    stream: BinaryIO, name: str, max_megapixels: float, in_file: bool = False
) -> Image.Image:
    """Decode the first frame of an open file, with an error message for every failure."""
    stream.seek(0)
    if not stream.read(1):
        raise DslrGanError(f"{name} is empty; copy it again from where it came.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF and the like
            found = scan(stream)
            try:
                photo = _read(stream, name, max_megapixels, in_file)
            except DslrGanError:
                raise
            except Exception:  # something odd beside the pixels must not cost them
                plain = _read_plain(stream, name, max_megapixels, found)
                if plain is None:
                    raise
                photo = plain
            _add_found(photo, found)
            return photo
    except DslrGanError:
        raise
    except MemoryError as error:
        raise DslrGanError(f"There is not enough memory to open {name}.") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        heif = "HEIF" in Image.OPEN
        raise DslrGanError(refusal(name, stream, error, heif=heif)) from error


def _read(stream: BinaryIO, name: str, max_megapixels: float, in_file: bool) -> Image.Image:
    """Identify and decode a file; Pillow's own errors are raised as they are."""
    if bmp := rare_bmp(stream):
        return _read_bmp(bmp, stream, name, max_megapixels)
    photo = _identify(stream)
    _check_kind(photo, name, max_megapixels)
    try:
        return _load(photo, stream, in_file)
    except MemoryError as error:
        raise DslrGanError(no_memory(name, photo.size)) from error
    except OSError as error:
        packing = photo.info.get("compression")
        if photo.format == "TIFF" and packing in RARE_PACKINGS:
            raise OSError(f"Unsupported TIFF packed as {packing}") from error
        raise
    except Image.DecompressionBombError as error:
        raise DslrGanError(_too_large(name, photo.size, max_megapixels)) from error


def _read_bmp(bmp: Bmp, stream: BinaryIO, name: str, max_megapixels: float) -> Image.Image:
    """Decode a BMP that Pillow would refuse or misread."""
    _check_size(bmp.size, name, max_megapixels)
    if bmp.picture_inside:
        photo = _read(io.BytesIO(picture_of(bmp, stream)), name, max_megapixels, in_file=False)
        inside = photo.copy()  # without the JPEG that it came from
        inside.format = "BMP"
        return inside
    try:
        photo, depth = decode_bmp(bmp, stream)
    except MemoryError as error:
        raise DslrGanError(no_memory(name, bmp.size)) from error
    if depth > 8:
        add_note(photo.info, _shallower(depth))
    return photo


def _read_plain(
    stream: BinaryIO, name: str, max_megapixels: float, found: Found
) -> Image.Image | None:
    """Decode the picture alone of a file that Pillow refuses; None where it refuses that, too."""
    for plain, lacks in plain_copies(stream):
        try:
            photo = _read(plain, name, max_megapixels, in_file=False)
        except DslrGanError:
            raise
        except Exception:  # something else is odd, or it is the pixels that are damaged
            continue
        if lacks:
            found.note(lacks)
        return photo
    return None


def _add_found(photo: Image.Image, found: Found) -> None:
    """Add to a photo what its file has beside the pixels and Pillow does not give."""
    info = photo.info
    scan_opened(photo, found)
    for key, content in (("exif", found.exif), ("xmp", found.xmp), ("icc_profile", found.icc)):
        if content and not info.get(key):
            info[key] = content
    if found.extended_xmp and isinstance(info.get("xmp"), bytes):
        whole = joined(info["xmp"], found.extended_xmp)
        if whole is None:
            found.note(DAMAGED_SECOND_XMP)
        info["xmp"] = whole or info["xmp"]
    elif found.extended_xmp:  # whose first part is lost; it is a packet of its own
        info["xmp"] = found.extended_xmp
    name_colours(photo, found)
    for sentence in found.notes:
        add_note(info, sentence)
    if found.carried != Carried():
        info[CARRIED] = found.carried


def _identify(stream: BinaryIO) -> ImageFile.ImageFile:
    """Read a file's header: what ``Image.open`` does, without its own limit of the size.

    That limit is one number for the whole process, and below what phones make today.
    """
    Image.init()
    register_heif()
    stream.seek(0)
    start = stream.read(16)
    if start[:4] in TIFF_STARTS:
        quiet_tiff()
    for kind in READABLE:
        factory, accept = Image.OPEN.get(kind, (None, None))
        try:
            # An answer in words says that this Pillow was built without the format.
            if factory is None or (accept and accept(start) is not True):
                continue
            stream.seek(0)
            return factory(stream, "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
    raise UnidentifiedImageError


def _check_kind(photo: ImageFile.ImageFile, name: str, max_megapixels: float) -> None:
    """Refuse, before any pixel is decoded, what is too large or only looks like a photo."""
    _check_size(photo.size, name, max_megapixels)
    raw = suffix_of(name) in RAW_SUFFIXES or DNG_VERSION in getattr(photo, "tag_v2", ())
    if photo.format == "TIFF" and raw:  # Pillow would give the small preview inside it
        raise DslrGanError(raw_message(name))


def _load(photo: ImageFile.ImageFile, stream: BinaryIO, in_file: bool) -> Image.Image:
    """Decode what was identified, and note what of the file is left behind."""
    frames, bits = frames_of(photo), bits_of(photo, stream)
    found = find_pixels(photo, stream) if in_file else None
    deep = None if found else load_deep(photo, lambda: _identify(stream))
    if found:
        photo_of(photo).pixels_in_file = found
    elif deep is None:
        photo.load()
    result = photo if deep is None else deep
    if photo.format == "PNG" and _may_lack_rows(result, stream):
        raise OSError("rows of pixels are missing")
    if photo.format in ("JPEG", "MPO") and _may_lack_pixels(result, stream):
        raise OSError("pixels are missing")
    if result.mode in ("P", "PA") and result.palette is None:
        raise OSError("its palette is missing")
    if frames > 1:
        what = "pictures" if photo.format in ("MPO", "HEIF") else "frames"
        what = "pages" if photo.format == "TIFF" else what
        add_note(result.info, f"It has {frames} {what}; only the first is enhanced.")
    if bits > 8 and deep is None and not found and not photo.mode.startswith(("I", "F")):
        add_note(result.info, _shallower(bits))
    if photo.format == "WEBP":
        result.info["lossless"] = is_lossless_webp(stream)
    if photo.format == "AVIF":
        result.info["lossless"] = is_fine_avif(photo, stream)
    if photo.format == "TIFF":
        result = as_tiff_means(photo, result, bits)
        exif, whole = gathered_exif(photo)
        if exif:
            result.info["exif"] = exif  # its tags may be out of reach once the file is closed
        if not whole:
            add_note(result.info, "Some of its EXIF is damaged and was left out.")
    return result


def _may_lack_rows(photo: Image.Image, stream: BinaryIO) -> bool:
    """Whether pixels of a PNG are missing, which is looked into where they seem to be."""
    # Rows that are not there come out of 0. Of an interlaced one the last pass is every other row.
    rows = [
        photo.crop((0, y, photo.width, y + 1))
        for y in range(max(0, photo.height - 2), photo.height)
    ]
    if all(np.asarray(row).any() for row in rows):
        return False
    return lacks_rows(stream, stream.seek(0, os.SEEK_END))


def _may_lack_pixels(photo: Image.Image, stream: BinaryIO) -> bool:
    """Whether pixels of a JPEG are missing, which is looked into where the last one is gray."""
    last = photo.getpixel((photo.width - 1, photo.height - 1))
    values = last if isinstance(last, tuple) else (last,)
    if not all(isinstance(value, int) and 126 <= value <= 129 for value in values):
        return False
    stream.seek(0)
    return lacks_pixels(stream.read())


def _shallower(bits: int) -> str:
    return f"It has {bits} bits per channel; the result has 8 bits."


def _check_size(size: tuple[int, int], name: str, max_megapixels: float) -> None:
    if size[0] * size[1] > max_megapixels * 1e6:
        raise DslrGanError(_too_large(name, size, max_megapixels))


def _too_large(name: str, size: tuple[int, int], max_megapixels: float) -> str:
    return (
        f"{name} is too large: it has {size[0]}x{size[1]} pixels and the limit is "
        f"{max_megapixels:g} megapixels; make it smaller first, or raise the "
        "limit (on a shell with --max-megapixels)."
    )
