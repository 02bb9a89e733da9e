"""The work on one pair of photos: from two files to one file with its patches and facts.

Such a *piece* is written whole and named after all that it depends on, so that a piece that is
there need not be made again.
"""

import hashlib
import io
import json
import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole
from dslr_gan.photo import eight_bits, open_photo, photo_pixels
from dslr_gan.prepare.alignment import Alignment, align
from dslr_gan.prepare.matching import PhotoPair
from dslr_gan.prepare.patches import LOW, Patch, cut_patches

VERSION = 1
"""Of what a piece holds; raise it when the same photos would give something else."""

SHOWN = 12
"""So many of a pair's worst rejected patches are kept for the report."""

_SCHEMA = pa.schema(
    {
        "phone": pa.binary(),
        "dslr": pa.binary(),
        "top": pa.int32(),
        "left": pa.int32(),
        "correlation": pa.float32(),
        "kept": pa.bool_(),
    }
)


@dataclass(frozen=True)
class Settings:
    """How patches are cut; as in :func:`dslr_gan.prepare.patches.cut_patches`."""

    patch: int = 100
    """Side of the patches in pixels."""
    stride: int = 100
    """From one patch to the next, in pixels."""
    min_ncc: float = 0.9
    """Least normalised cross-correlation of a patch that is kept."""
    max_shift: int = 5
    """How many pixels a patch may be moved to where it correlates best."""

    def __post_init__(self) -> None:
        """Refuse what means nothing, with the command's name for it."""
        for flag, value, least, most in (
            ("--patch", self.patch, 16, 10_000),
            ("--stride", self.stride, 1, 10_000),
            ("--min-ncc", self.min_ncc, -1, 1),
            ("--max-shift", self.max_shift, 0, 50),
        ):
            if not least <= value <= most:
                raise DslrGanError(f"{flag} must lie between {least} and {most}, got {value}.")


@dataclass(frozen=True)
class Facts:
    """What became of a pair of photos, for the report."""

    name: str
    """The pair's name."""
    matches: int | None = None
    """As in :class:`Alignment`, like those below; None where it failed."""
    inliers: int | None = None
    residual: float | None = None
    overlap: float | None = None
    zoom: float | None = None
    kept: int = 0
    """How many patches."""
    rejected: dict[str, int] = field(default_factory=dict)
    """How many patches for which reason."""
    reason: str | None = None
    """Why the pair gave nothing; None where it gave patches."""
    unreadable: bool = False
    """Whether that is because a photo could not be read."""
    seconds: float = 0.0
    """Processor time that reading, aligning and cutting took."""


def piece_name(pair: PhotoPair, settings: Settings) -> str:
    """A file name that changes with the photos (size and time of change) and the settings."""
    known: list[Any] = [VERSION, pair.name, asdict(settings)]
    for file in (pair.phone, pair.dslr):
        known.append(os.path.realpath(file))
        with suppress(OSError):  # whoever opens it says what is wrong with it
            status = file.stat()
            known += [status.st_size, status.st_mtime_ns]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32] + ".parquet"


def make_piece(pair: PhotoPair, file: Path, settings: Settings) -> Facts:
    """Align a pair and cut it into patches.

    Args:
        pair: The photos.
        file: Where to write the piece. A pair that gives nothing has one too, with the reason,
            but not one whose photos cannot be read: next time they might.
        settings: How to cut.

    Returns:
        What became of the pair.

    Raises:
        OSError: If the piece cannot be written.
    """
    started = time.process_time()
    try:
        phone, dslr = _pixels(pair.phone), _pixels(pair.dslr)
    except DslrGanError as error:
        return Facts(pair.name, reason=str(error), unreadable=True)
    alignment = None
    patches: list[Patch] = []
    reason = None
    try:
        alignment = align(phone, dslr)
        patches = list(
            cut_patches(
                phone,
                dslr,
                alignment,
                size=settings.patch,
                stride=settings.stride,
                min_ncc=settings.min_ncc,
                max_shift=settings.max_shift,
            )
        )
    except DslrGanError as error:
        reason = str(error)
    kept = [patch for patch in patches if patch.rejected is None]
    counts = Counter(patch.rejected for patch in patches if patch.rejected is not None)
    if reason is None and not kept:
        reason = "no patch of what both photos show correlates well enough."
        if not patches:
            reason = "what both photos show is smaller than one patch."
    facts = Facts(
        pair.name,
        **({} if alignment is None else _numbers(alignment)),
        kept=len(kept),
        rejected=dict(sorted(counts.items())),
        reason=reason,
        seconds=round(time.process_time() - started, 2),
    )
    low = sorted((each for each in patches if each.rejected == LOW), key=lambda p: p.correlation)
    _write(file, kept, low[:SHOWN], facts)
    return facts


def read_piece(file: Path) -> tuple[pa.Table, Facts] | None:
    """Read a piece: its patches, PNG files in ``phone`` and ``dslr``, and its facts.

    Returns:
        None where there is none, or it is damaged.
    """
    try:
        table = pq.read_table(file)
        return table, Facts(**json.loads(table.schema.metadata[b"facts"]))
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, kept: list[Patch], rejected: list[Patch], facts: Facts) -> None:
    patches = [*kept, *rejected]
    columns: dict[str, list[Any]] = {
        "phone": [_png(patch.phone) for patch in patches],
        "dslr": [_png(patch.dslr) for patch in patches],
        "top": [patch.top for patch in patches],
        "left": [patch.left for patch in patches],
        "correlation": [patch.correlation for patch in patches],
        "kept": [patch.rejected is None for patch in patches],
    }
    schema = _SCHEMA.with_metadata({"facts": json.dumps(asdict(facts))})
    with written_whole(file) as path:
        pq.write_table(pa.table(columns, schema=schema), path, compression="none")


def _numbers(alignment: Alignment) -> dict[str, Any]:
    """An alignment's numbers, rounded to what they are worth."""
    return {
        "matches": alignment.matches,
        "inliers": alignment.inliers,
        "residual": round(alignment.residual, 3),
        "overlap": round(alignment.overlap, 4),
        "zoom": round(alignment.zoom, 4),
    }


def _pixels(file: Path) -> np.ndarray:
    """A photo's upright sRGB pixels with 8 bits, ``(H, W, 3)``."""
    return eight_bits(photo_pixels(open_photo(file)).pixels)


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()
