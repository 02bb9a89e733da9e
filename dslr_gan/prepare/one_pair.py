"""The work on one pair of photos: from two files to one file with the pair's patches.

The file is written whole and named after all that it depends on, so that patches that are there
need not be cut again.
"""

import hashlib
import io
import json
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole
from dslr_gan.photo import open_photo, rgb_pixels
from dslr_gan.prepare.alignment import Alignment, align
from dslr_gan.prepare.matching import PhotoPair
from dslr_gan.prepare.patches import LOW, Patch, cut_patches

VERSION = 1
"""Of what such a file holds; raise it when the same photos would give something else."""

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
class CutSettings:
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
                raise DslrGanError(f"{flag} must be between {least} and {most}, got {value}.")


@dataclass(frozen=True)
class PairOutcome:
    """What came of a pair of photos, for the report."""

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


class PairPatches(NamedTuple):
    """What a file of a pair holds."""

    patches: pa.Table
    """Kept patches, then the worst of those rejected for low correlation: PNG files in the columns
    ``phone`` and ``dslr``, their place, their correlation, and whether they are ``kept``."""
    outcome: PairOutcome
    """What came of the pair."""


def patches_file_name(pair: PhotoPair, settings: CutSettings) -> str:
    """A file name that changes with the photos (size and time of change) and the settings."""
    known: list[Any] = [VERSION, pair.name, asdict(settings)]
    for file in (pair.phone, pair.dslr):
        known.append(os.path.realpath(file))
        with suppress(OSError):  # whoever opens it says what is wrong with it
            status = file.stat()
            known += [status.st_size, status.st_mtime_ns]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32] + ".parquet"


def cut_pair(pair: PhotoPair, file: Path, settings: CutSettings) -> PairOutcome:
    """Align a pair and cut it into patches.

    Args:
        pair: The photos.
        file: Where to write the patches. A pair that gives none has a file too, with the reason,
            but not one whose photos cannot be read: next time they might.
        settings: How to cut.

    Returns:
        What came of the pair.

    Raises:
        OSError: If the file cannot be written.
    """
    started = time.process_time()
    try:
        phone, dslr = (rgb_pixels(open_photo(file)) for file in (pair.phone, pair.dslr))
    except DslrGanError as error:
        return PairOutcome(pair.name, reason=str(error), unreadable=True)
    alignment, patches, reason = _align_and_cut(phone, dslr, settings)
    kept = [patch for patch in patches if patch.rejected is None]
    counts = Counter(patch.rejected for patch in patches if patch.rejected is not None)
    outcome = PairOutcome(
        pair.name,
        **({} if alignment is None else _numbers(alignment)),
        kept=len(kept),
        rejected=dict(sorted(counts.items())),
        reason=reason,
        seconds=round(time.process_time() - started, 2),
    )
    low = [patch for patch in patches if patch.rejected == LOW]
    low.sort(key=lambda patch: patch.correlation)
    _write(file, kept, low[:SHOWN], outcome)
    return outcome


def read_patches(file: Path) -> PairPatches | None:
    """Read a file that :func:`cut_pair` wrote.

    Returns:
        None where there is none, or it is damaged.
    """
    try:
        table = pq.read_table(file)
        return PairPatches(table, PairOutcome(**json.loads(table.schema.metadata[b"outcome"])))
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return None


def _align_and_cut(
    phone: np.ndarray, dslr: np.ndarray, settings: CutSettings
) -> tuple[Alignment | None, list[Patch], str | None]:
    """The alignment, every patch, and why none is kept where that is so."""
    try:
        alignment = align(phone, dslr)
    except DslrGanError as error:
        return None, [], str(error)
    try:
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
        return alignment, [], str(error)
    if not patches:
        return alignment, [], "what both photos show is smaller than one patch."
    if all(patch.rejected is not None for patch in patches):
        return alignment, patches, "no patch of what both photos show correlates well enough."
    return alignment, patches, None


def _write(file: Path, kept: list[Patch], rejected: list[Patch], outcome: PairOutcome) -> None:
    patches = [*kept, *rejected]
    columns: dict[str, list[Any]] = {
        "phone": [_png(patch.phone) for patch in patches],
        "dslr": [_png(patch.dslr) for patch in patches],
        "top": [patch.top for patch in patches],
        "left": [patch.left for patch in patches],
        "correlation": [patch.correlation for patch in patches],
        "kept": [patch.rejected is None for patch in patches],
    }
    schema = _SCHEMA.with_metadata({"outcome": json.dumps(asdict(outcome))})
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


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()


def begin_worker() -> None:
    """Begin a process of the pool: leave Ctrl-C to the parent, and end with it, even killed.

    It is here because a new process imports the module of what it is to call, and all that this
    module imports.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
