"""Saving photos: whole files with all that the format holds, and a note where it holds less."""

import functools
import io
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin

from dslr_gan.errors import DslrGanError, reason, shown
from dslr_gan.photo.beside.facts import CARRIED, Carried
from dslr_gan.photo.beside.options import jpeg_options, left_out, png_chunks
from dslr_gan.photo.beside.scan import IPTC_TAG
from dslr_gan.photo.beside.xmp import with_history
from dslr_gan.photo.decoding.libraries import register_heif
from dslr_gan.photo.formats import PhotoFormat, find_format, not_held
from dslr_gan.photo.icc import convert_inks
from dslr_gan.photo.metadata import (
    HISTORY,
    XMP,
    exif_block,
    quantization,
    resolution,
    subsampling,
    without_orientation,
    writable_tags,
)
from dslr_gan.photo.photo import (
    as_gray16,
    check_photo,
    low_bytes,
    no_memory,
    pixels_in_file,
    plain_mode,
)
from dslr_gan.photo.pixels import PhotoPixels, photo_pixels
from dslr_gan.photo.reading import as_path
from dslr_gan.photo.sixteen_bit import eight_bits, write_deep
from dslr_gan.photo.tiff import begin_tiff
from dslr_gan.photo.writers import (
    InMemoryWriter,
    PhotoWriter,
    TiffWriter,
    photo_from_pixels,
    writing_errors,
    written_like,
)

QUALITY = 95
"""Of lossy WebP and AVIF files, and of JPEGs whose source's quality is unknown."""

LEAST_QUALITY = 90
"""Of JPEGs whose source was worse: enhanced detail is not to be lost again."""

HEIC_QUALITY = 90
"""On libheif's own scale, on which cameras are near 80."""


def copy_photo(
    source: str | Path, destination: str | Path, *, like: str | Path | None = None
) -> None:
    """Copy a photo's file byte for byte: what a strength of 0 means for a lossy format.

    The copy is whole or not there; missing folders are made.

    Args:
        source: The photo.
        destination: The copy.
        like: As in :func:`save_photo`.

    Raises:
        DslrGanError: If the source cannot be read or the destination cannot be written.
    """
    try:
        with written_like(Path(destination), like) as unfinished:
            shutil.copyfile(source, unfinished)
    except OSError as error:
        raise DslrGanError(
            f"{shown(source)} cannot be copied to {shown(destination)} ({reason(error)}); "
            "check both folders and their room."
        ) from error


def save_photo(
    photo: Image.Image,
    destination: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    *,
    format: str | None = None,
    like: str | Path | None = None,
) -> list[str]:
    """Write a photo with its EXIF, XMP, profile and resolution, as a whole file or none.

    A JPEG gets the quantisation tables of the JPEG it came from, made finer where they are
    coarser than those of quality 90, and its chroma subsampling; quality 95 and 4:4:4 where these
    are unknown. WebP is lossless where the source was, else of quality 95; AVIF has quality 95,
    or 100 where its source spends as many bits; HEIC has 90 (in libheif's way of counting) and
    4:2:0; every other format is lossless, TIFF uncompressed (compressed ones lose EXIF in Pillow).

    Args:
        photo: What ``PhotoEnhancer.enhance`` or ``photo_from_pixels`` returned, or any picture.
        destination: The file; it is replaced where it exists, missing folders are made.
        format: A name such as ``"png"``; the suffix of ``destination`` decides where None.
        like: A file whose permissions and modification time this one gets.

    Returns:
        Sentences on what the photo has and the file does not: 16 bits, metadata. Mostly none.

    Raises:
        DslrGanError: If the format is unknown or cannot hold the photo (alpha in a JPEG, say),
            or the file cannot be written.
    """
    destination = as_path(destination)
    name = shown(destination)
    kind = find_format(destination.suffix if format is None else format)
    check_photo(photo)
    if pixels_in_file(photo) is not None:
        source = photo_pixels(photo)
        photo = photo_from_pixels(source, source.pixels)
    plain = _plain(photo)
    # The profile of a CMYK or LAB photo describes colours that are no longer there.
    profile = b"" if photo.mode in ("CMYK", "LAB") else photo.info.get("icc_profile") or b""
    low = low_bytes(photo)
    lost: list[str] = []
    gray = plain.mode == "I;16" and "I;16" not in kind.modes
    if gray or (low is not None and not kind.deep):
        plain = _shallow(plain)
        lost.append(f"{kind.name} is written with 8 bits per channel; the photo had 16.")
    _check_holds(kind, plain.mode, profile, name)
    options = {"icc_profile": profile, **_metadata(photo, kind, lost), **_quality(photo, kind)}
    try:
        with writing_errors(name, kind), written_like(destination, like) as unfinished:
            if low is not None and kind.deep:
                with unfinished.open("wb") as stream:
                    write_deep(stream, plain, low, format=kind.name, **options)
            else:
                register_heif()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Pillow looks into damaged EXIF
                    plain.save(unfinished, kind.name, **options)
    except MemoryError as error:
        raise DslrGanError(no_memory(name, photo.size)) from error
    return lost


@contextmanager
def write_photo_in_parts(
    source: PhotoPixels,
    destination: str | Path,
    *,
    format: str | None = None,
    like: str | Path | None = None,
) -> Iterator[tuple[PhotoWriter, list[str]]]:
    """Write a photo while its pixels are made: a TIFF part by part, all other formats at the end.

    The file has what :func:`save_photo` gives it, and is whole or not there: it appears when the
    ``with`` ends, and not at all when it ends with an exception.

    Args:
        source: What ``photo_pixels`` made of the photo.
        destination: The file; it is replaced where it exists, missing folders are made.
        format: A name such as ``"png"``; the suffix of ``destination`` decides where None.
        like: As in :func:`save_photo`.

    Yields:
        What takes the pixels, and the list that ``save_photo`` returns, complete at the end.

    Raises:
        DslrGanError: As :func:`save_photo`.
    """
    destination = as_path(destination)
    name = shown(destination)
    kind = find_format(destination.suffix if format is None else format)
    profile = source.info.get("icc_profile") or b""
    # Before any work is done. 16-bit gray comes back with 8 bits where need be.
    held = "L" if source.mode == "I;16" and "I;16" not in kind.modes else source.mode
    _check_holds(kind, held, profile, name)
    lost: list[str] = []
    # Gray with alpha in 16 bits becomes RGBA there, which save_photo sees to.
    if kind.name != "TIFF" or (source.mode, source.dtype) == ("LA", np.uint16):
        writer = InMemoryWriter(source)
        yield writer, lost
        lost += save_photo(writer.photo(), destination, format=kind.name, like=like)
        return
    empty = Image.new(source.mode, (1, 1))
    empty.info.update(source.info)
    options = {"icc_profile": profile, **_metadata(empty, kind, lost)}
    channels = len(source.mode.removesuffix(";16"))
    bits = 8 * np.dtype(source.dtype).itemsize
    head = io.BytesIO()
    with ExitStack() as whole:
        with writing_errors(name, kind):
            begin_tiff(head, (source.width, source.height), channels, bits, **options)
            unfinished = whole.enter_context(written_like(destination, like))
            stream = unfinished.open("wb")
            whole.callback(_close_quietly, stream)
            stream.write(head.getbuffer())
        # What goes wrong in here is not the file's fault, and stays what it is.
        yield TiffWriter(source, stream, head.tell(), name), lost
        with writing_errors(name, kind):
            stream.close()
            whole.close()


def _close_quietly(stream: BinaryIO) -> None:
    """Close a file that is not wanted any more, whose last bytes may find no room."""
    with suppress(OSError):
        stream.close()


def _plain(photo: Image.Image) -> Image.Image:
    """The photo in one of the five modes that files are written in."""
    if photo.mode == "CMYK":
        return convert_inks(photo)
    photo, mode = as_gray16(photo), plain_mode(photo)
    return photo if photo.mode == mode else photo.convert(mode)


def _shallow(photo: Image.Image) -> Image.Image:
    """A photo of 16-bit gray with 8 bits, which in colour the high bytes are already."""
    if photo.mode != "I;16":
        return photo
    result = Image.fromarray(eight_bits(np.asarray(photo)))
    result.info = photo.info
    return result


def _check_holds(kind: PhotoFormat, mode: str, profile: bytes, name: str) -> None:
    """Refuse to lose alpha or the meaning of colours where nobody asked for it."""
    if lost := not_held(kind, mode, profile):
        raise DslrGanError(
            f"{name} cannot be written: {kind.name} does not hold {lost}, which this photo "
            "has; choose another format, such as --format png."
        )


def _metadata(photo: Image.Image, kind: PhotoFormat, lost: list[str]) -> dict[str, Any]:
    """Save options for EXIF, XMP and resolution. What does not fit is reported in ``lost``."""
    exif, xmp = exif_block(photo) or b"", photo.info.get("xmp")
    if not isinstance(xmp, bytes):
        xmp = b""
    carried = photo.info.get(CARRIED)
    if not isinstance(carried, Carried):
        carried = Carried()
    if not kind.metadata and (exif or xmp):
        lost.append(f"{kind.name} holds no EXIF and no XMP; they were left out.")
    lost += left_out(carried, kind.name)
    if kind.metadata and HISTORY in photo.info:
        xmp = with_history(xmp, *photo.info[HISTORY])
    if kind.name == "JPEG":
        return _resolution(photo, kind) | jpeg_options(exif, xmp, carried, lost)
    options = _resolution(photo, kind)
    if kind.name == "TIFF":
        options["exif"] = _tiff_tags(exif, xmp, lost)
        if carried.iptc:
            options["exif"][IPTC_TAG] = carried.iptc
    elif kind.name == "JPEG2000" and carried.comments:
        options["comment"] = carried.comments[0]
    elif kind.metadata:
        if exif or kind.name != "HEIF":  # where none at all is no empty block
            options["exif"] = without_orientation(exif) if kind.name == "AVIF" else exif
        if kind.name == "PNG":
            options |= _png_options(photo, xmp, carried)
        elif xmp:
            options["xmp"] = xmp
    return options


def _resolution(photo: Image.Image, kind: PhotoFormat) -> dict[str, Any]:
    dpi = resolution(photo.info.get("dpi"))
    return {"dpi": dpi} if dpi and kind.name != "HEIF" else {}


def _png_options(photo: Image.Image, xmp: bytes, carried: Carried) -> dict[str, Any]:
    """Save options of a PNG: its chunks of text and colours, in the form that its writer takes."""
    chunks, replaced = png_chunks(photo.info.get("icc_profile") or b"", xmp, carried)
    options: dict[str, Any] = {"icc_profile": b""} if replaced else {}
    if low_bytes(photo) is not None:
        return options | {"chunks": chunks}
    options["pnginfo"] = PngImagePlugin.PngInfo()
    for name, content in chunks:
        options["pnginfo"].add(name, content)
    return options


def _tiff_tags(exif: bytes, xmp: bytes, lost: list[str]) -> dict[int, Any]:
    """The tags of a TIFF, among them XMP. What is broken is reported in ``lost``."""
    found = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is sorted out here
            found.load(exif)
            tags, whole = writable_tags(found)
    except Exception:  # Pillow raises nearly anything on broken EXIF
        tags, whole = {}, False
    if not whole:
        lost.append("Some of its EXIF is damaged and was left out.")
    if xmp:
        tags[XMP] = xmp
    return tags


def _quality(photo: Image.Image, kind: PhotoFormat) -> dict[str, Any]:
    """Pillow's save options that decide how much is lost, if anything."""
    match kind.name:
        case "JPEG":
            options: dict[str, Any] = {"subsampling": subsampling(photo) or 0}
            if tables := quantization(photo):
                return options | {"qtables": _finer(tables)}
            return options | {"quality": QUALITY}
        case "WEBP" if photo.info.get("lossless"):
            return {"lossless": True, "exact": True}
        case "WEBP":
            return {"quality": QUALITY}
        case "AVIF" if photo.info.get("lossless"):
            return {"quality": 100, "subsampling": "4:4:4"}
        case "AVIF":
            return {"quality": QUALITY, "subsampling": "4:4:4"}
        case "HEIF":
            # Phones decode 4:2:0 alone; Pillow's plugin would otherwise keep marks of the source.
            return {"quality": HEIC_QUALITY, "chroma": 420}
    return {}


def _finer(tables: list[list[int]]) -> list[list[int]]:
    """A JPEG's own tables, at least as fine as those of the least quality."""
    standard = _standard_tables(LEAST_QUALITY)
    return [
        [min(own, limit, 255) for own, limit in zip(table, standard[min(i, 1)], strict=True)]
        for i, table in enumerate(tables)
    ]


@functools.cache
def _standard_tables(quality: int) -> list[list[int]]:
    """Tables for luma and chroma (ITU-T T.81, annex K), as the library scales them."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    file.seek(0)
    found = JpegImagePlugin.JpegImageFile(file).quantization
    return [list(found[0]), list(found[1])]
