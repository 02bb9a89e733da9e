"""A photo file in, a photo file out: what page, batch, pipe and scripts do with a photo."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dslr_gan import __version__
from dslr_gan.enhance.amounts import Amounts
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.enhance.naming import choose_format, fitting_name
from dslr_gan.errors import DslrGanError, shown
from dslr_gan.models.phones import Camera, camera_of
from dslr_gan.photo import (
    MAX_MEGAPIXELS,
    copy_photo,
    format_note,
    is_own_format,
    open_photo_in_parts,
)
from dslr_gan.photo.metadata import HISTORY, orientation_of
from dslr_gan.photo.reading import as_path


@dataclass(frozen=True)
class Result:
    """One enhanced photo file and what is known about it."""

    file: Path
    """Where the result is. Its suffix differs from the one asked for where that would name
    another format than the file has."""
    format: str
    """Pillow's name of its format, such as ``JPEG``."""
    width: int
    """Pixels, as displayed."""
    height: int
    """Pixels, as displayed."""
    model: str
    """Where the weights came from: ``PhotoEnhancer.source``."""
    camera: Camera
    """What the photo's EXIF says of its camera; ``models.phones.camera_hint`` compares it with
    the one a model learned from."""
    copied: bool
    """Whether the source was copied byte by byte: strength 0, same format."""
    notes: tuple[str, ...]
    """What the photo has and the result does not, such as further frames; mostly empty."""
    seconds: float
    """From opening the source to the finished result."""


def enhance_file(
    enhancer: PhotoEnhancer | Callable[[Camera], PhotoEnhancer],
    source: str | bytes | os.PathLike[str],
    destination: str | bytes | os.PathLike[str],
    *,
    strength: float = 1.0,
    colour: float = 1.0,
    detail: float = 1.0,
    format: str | None = None,
    overwrite: bool = True,
    max_megapixels: float = MAX_MEGAPIXELS,
    history: bool = True,
    preserve: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Enhance a photo file into another file.

    The result has the displayed size, metadata, colour profile, transparency and bit depth of the
    source. It is written beside its destination and renamed into place, so it is whole or not
    there. Pixels of an uncompressed TIFF are read, and those of any TIFF written, part by part;
    with other formats memory holds the photo and its result.

    The format is the one that ``format`` names, or the one that the destination's suffix means
    where it is not the source's. Otherwise the source's own format stays; where that cannot hold
    the result (GIF, BMP with transparency), it becomes a PNG with a note. The suffix of the result
    never means another format than the file has: ``Result.file`` says how it is called.

    Args:
        enhancer: The enhancer, or a function that chooses one by the photo's camera.
        source: The photo.
        destination: The file for the result; missing folders are made.
        strength: From 0, the photo as it is, to 1, all that the model does. With 0 and the same
            format the source is copied, since encoding a lossy file again would lose detail.
        colour: From 0 to 1: how much of the change's low frequencies is taken.
        detail: From 0 to 1: how much of its high frequencies, as in :meth:`PhotoEnhancer.enhance`.
        format: A name such as ``"png"``.
        overwrite: Whether a file that exists at the destination is replaced.
        max_megapixels: The largest photo that is opened, in millions of pixels.
        history: Whether an entry of XMP's history says what made the result, in formats that hold
            XMP: program, version, model, its source and commit, amounts.
        preserve: Whether the result gets the photo's permissions and modification time, as
            ``cp -p`` gives a copy.
        progress: Called with (tiles done, tiles in all) after each tile.

    Returns:
        Where the result is and what is known about it.

    Raises:
        DslrGanError: If the source cannot be read, the format is unknown or, having been asked
            for, cannot hold the photo, the destination exists and is to stay or cannot be
            written, or as in :meth:`PhotoEnhancer.enhance`.
    """
    started = time.perf_counter()
    amounts = Amounts(strength, colour, detail)
    source, destination = as_path(source), as_path(destination)
    with open_photo_in_parts(source, max_megapixels=max_megapixels) as photo:
        camera = camera_of(photo)
        chosen = enhancer if isinstance(enhancer, PhotoEnhancer) else enhancer(camera)
        kind, asked = choose_format(photo, source, destination, format)
        file = fitting_name(destination, kind)
        if not overwrite and os.path.lexists(file):
            raise DslrGanError(
                f"{shown(file)} exists already; add --overwrite (in a program overwrite=True) to "
                "replace it, or name another file."
            )
        copied = amounts.is_nothing and is_own_format(photo, kind)
        notes: list[str] = []
        like = source if preserve else None
        if copied:
            copy_photo(source, file, like=like)
        else:
            if history:
                photo.info[HISTORY] = (f"dslr_gan {__version__}", describe(chosen, amounts))
            notes = chosen.enhance_to_file(
                photo, file, amounts, format=kind.name, like=like, progress=progress
            )
            if not asked and (changed := format_note(photo, kind)):
                notes.append(changed)
        upright = photo.size[::-1] if orientation_of(photo) >= 5 else photo.size
    seconds = time.perf_counter() - started
    unique = tuple(dict.fromkeys(notes))
    return Result(file, kind.name, *upright, chosen.source, camera, copied, unique, seconds)


def describe(enhancer: PhotoEnhancer, amounts: Amounts) -> str:
    """What made a result, for its XMP: model, its source and commit, strength.

    Of a folder or file only its name is told: where it lies is nobody's business.
    """
    source = enhancer.source
    for kind in ("folder ", "file "):
        if source.startswith(kind):
            source = kind + Path(source.removeprefix(kind)).resolve().name
    network = enhancer.generator
    facts = getattr(network, "facts", None)
    origin = getattr(network, "origin", None)
    name = (facts.title if facts else "") or type(network).__name__
    parts = [f"model {name}", f"from {source}", str(amounts)]
    if origin is not None and origin.commit:
        parts.insert(2, f"commit {origin.commit}")
    return "; ".join(parts)
