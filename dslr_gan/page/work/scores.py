"""The page's numbers: how much a photo is changed, over the strength, and where."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dslr_gan.enhance.amounts import Amounts
from dslr_gan.errors import DslrGanError
from dslr_gan.metrics.over_strength import STRENGTHS, local_ssim, similarity_over_strength
from dslr_gan.metrics.similarity import WINDOW
from dslr_gan.page.work.admission import quickly
from dslr_gan.page.work.kept import find
from dslr_gan.page.work.pictures import blended

DEFINITION = (
    "SSIM of Wang et al. 2004: Gaussian window of 11 pixels, sigma 1.5, mean over red, green and "
    "blue of the 8-bit sRGB pictures; MS-SSIM of Wang et al. 2003 over five scales."
)

MAP_SIDE = 1024
"""Longest side of a map in pixels."""

_LOW = (214, 40, 120)
"""The colour that is laid over what is not similar: rare in photos."""


def change_table(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """How much a photo is changed, over the strength: 1 is not at all.

    Args:
        before: The photo, ``(H, W, 3)`` uint8.
        after: The result of full strength, likewise.

    Returns:
        ``strengths``, ``ssim`` and ``ms_ssim``, lists of 21; None for the latter two where a side
        is shorter than the window of 11 pixels.
    """
    if min(before.shape[:2]) < WINDOW:
        return {"strengths": list(STRENGTHS), "ssim": None, "ms_ssim": None}
    ssim, ms_ssim = similarity_over_strength(before, after)
    return {"strengths": list(STRENGTHS), "ssim": rounded(ssim), "ms_ssim": rounded(ms_ssim)}


def change_scores(token: Any, session: str, colour: Any = 1.0, detail: Any = 1.0) -> dict[str, Any]:
    """The table of a kept result for other amounts of colour and detail.

    Args:
        token: Which result.
        session: Whose it is.
        colour: From 0 to 1.
        detail: Likewise.

    Returns:
        As :func:`change_table`.

    Raises:
        DslrGanError: If the result is no longer kept or an amount is out of range.
    """
    amounts, kept = Amounts(1.0, colour, detail), find(token, session)
    with quickly(session):
        before, after = kept.pictures()
        return change_table(before, blended(before, after, amounts))


def similarity_map(token: Any, session: str, strength: Any = 1.0, against: str = "input") -> Path:
    """Draw where a result differs: a picture to lay over it, transparent where SSIM is 1.

    Args:
        token: Which result.
        session: Whose it is.
        strength: Of the result, from 0 to 1.
        against: What it is compared with: ``input`` or ``reference``.

    Returns:
        A PNG with transparency, at most ``MAP_SIDE`` pixels a side, of the picture's proportions.

    Raises:
        DslrGanError: If the result is no longer kept, there is no reference yet, or the photo is
            too small for it.
    """
    amounts, kept = Amounts(strength), find(token, session)
    if against not in ("input", "reference"):
        raise DslrGanError(f"A map is against input or reference, not {against!r}.")
    if against == "reference" and kept.reference is None:
        raise DslrGanError("There is no DSLR photo to compare with yet; give one first.")
    file = kept.folder / f"map_{against}.png"
    with quickly(session):
        before, after = kept.pictures()
        target = before if against == "input" else _pixels(kept.reference)
        if min(before.shape[:2]) < 2 * WINDOW:
            raise DslrGanError(f"A map needs a photo of at least {2 * WINDOW} pixels a side.")
        height, width = before.shape[:2]
        stride = max(1, -(-max(height, width) // MAP_SIDE))
        similar = local_ssim(target, blended(before, after, amounts), stride)
        alpha = np.clip((1 - similar) * 255, 0, 255).astype(np.uint8)
        picture = Image.new("RGBA", alpha.shape[::-1], (*_LOW, 0))
        picture.putalpha(Image.fromarray(alpha))
        # The windows at the border lie inside: the map is as much smaller as half of one.
        whole = Image.new("RGBA", (-(-width // stride), -(-height // stride)), (*_LOW, 0))
        margin = WINDOW // 2 // stride
        whole.paste(picture, (margin, margin))
        whole.save(file, compress_level=1)
    return file


def rounded(values: list[float]) -> list[float]:
    """Scores with as many digits as are sent."""
    return [round(value, 5) for value in values]


def _pixels(file: Path | None) -> np.ndarray:
    assert file is not None
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))
