"""What ``enhance`` reports: lines, the summary, and the JSON of ``--report``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dslr_gan.enhance.batch import Outcome
    from dslr_gan.enhance.inputs import Found


def as_json(outcome: "Outcome") -> dict[str, Any]:
    """Give the entry of ``--report`` for one photo."""
    return {
        "source": str(outcome.source),
        "destination": str(outcome.destination),
        "state": outcome.state,
        "seconds": round(outcome.seconds, 3),
        "model": outcome.model,
        "error": outcome.error,
        "notes": list(outcome.notes),
    }


def count_photos(count: int) -> str:
    """Give a number of photos in words: ``1 photo``, ``2 photos``."""
    return f"{count} photo" if count == 1 else f"{count} photos"


def passed_over_lines(found: "Found") -> Iterator[str]:
    """What to say of files in folders that were not taken for photos."""
    from dslr_gan.enhance.inputs import raw_apart

    raw, others = raw_apart(found.passed_over)
    if raw:
        yield (
            f"Passed over, since they are raw files of cameras: {raw}; develop them into TIFF or "
            "JPEG first, for example with darktable or RawTherapee."
        )
    if others:
        yield f"Passed over, since they are no photos: {others}."
