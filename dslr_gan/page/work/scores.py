"""The page's numbers: how much a photo is changed, over the strength, and where."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dslr_gan.enhance.amounts import Amounts
from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole
from dslr_gan.metrics.over_strength import (
    STRENGTHS,
    local_ssim,
    parts_of_change,
    similarity_of_parts,
    similarity_over_strength,
)
from dslr_gan.metrics.similarity import SCALE_WEIGHTS, WINDOW, Rows, ssim_in_strips
from dslr_gan.page.work.admission import quickly
from dslr_gan.page.work.kept import Kept, find
from dslr_gan.page.work.look import MAX_MEGAPIXELS
from dslr_gan.page.work.pictures import blended, parted
from dslr_gan.photo import PhotoPixels, eight_bits, open_photo_in_parts, photo_pixels

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
        As :func:`change_table`, of every second strength.

    Raises:
        DslrGanError: If the result is no longer kept or an amount is out of range.
    """
    amounts, kept = Amounts(1.0, colour, detail), find(token, session)
    strengths = STRENGTHS[::2]
    # As a browser mixes them: what there is more of comes from its layer.
    name = "colour" if amounts.colour >= amounts.detail else "detail"
    if not (files := _parts_of(kept, name)):
        with quickly(session):
            before, after = kept.pictures()
            if min(before.shape[:2]) < WINDOW:
                return {"strengths": list(strengths), "ssim": None, "ms_ssim": None}
            keep_parts(kept, before, after, *parted(before, after))
            files = _parts_of(kept, name)
    # What is in the files has one size whatever the photo's, so nobody waits for anybody here.
    scales = [np.load(file, mmap_mode="r") for file in files]
    less, more = sorted((amounts.colour, amounts.detail))
    ssim, ms_ssim = map(rounded, similarity_of_parts(scales, more - less, less, strengths))
    return {"strengths": list(strengths), "ssim": ssim, "ms_ssim": ms_ssim}


def keep_parts(
    kept: Kept, before: np.ndarray, after: np.ndarray, colour: np.ndarray, detail: np.ndarray
) -> None:
    """Keep what the scores of any amounts of colour and detail are made of.

    Args:
        kept: The result.
        before: Its pictures, ``(H, W, 3)`` uint8.
        after: Likewise.
        colour: The photo with the low frequencies of the change alone, likewise.
        detail: The photo with the others alone, likewise.
    """
    for name, part in (("colour", colour), ("detail", detail)):
        if min(before.shape[:2]) < WINDOW or _parts_of(kept, name):
            continue
        for scale, terms in enumerate(parts_of_change(before, after, part)):
            with (
                written_whole(kept.folder / f"parts_{name}_{scale}.npy") as unfinished,
                unfinished.open("wb") as stream,
            ):
                np.save(stream, terms)


def _parts_of(kept: Kept, name: str) -> list[Path]:
    """Files of the scales, the finest first; none where they are not all there."""
    scales = range(len(SCALE_WEIGHTS))
    files = [kept.folder / f"parts_{name}_{scale}.npy" for scale in scales]
    return files if all(file.exists() for file in files) else []


def file_ssim(
    first: Path, second: Path
) -> tuple[float | None, tuple[tuple[int, int], tuple[int, int]]]:
    """SSIM of two photos as browsers show them: upright, sRGB, 8 bits per channel.

    They are read some rows at a time: memory has what Pillow holds of the two and no copies.

    Args:
        first: A photo's file.
        second: Likewise.

    Returns:
        The score, None where the sizes differ or a side is shorter than the window of 11 pixels;
        and width and height of both.

    Raises:
        DslrGanError: If one of them is no good.
    """
    with (
        open_photo_in_parts(first, max_megapixels=MAX_MEGAPIXELS) as one,
        open_photo_in_parts(second, max_megapixels=MAX_MEGAPIXELS) as other,
    ):
        before, after = photo_pixels(one), photo_pixels(other)
        sizes = (before.width, before.height), (after.width, after.height)
        if sizes[0] != sizes[1] or min(sizes[0]) < WINDOW:
            return None, sizes
        return round(ssim_in_strips(_rows(before), _rows(after), *sizes[0]), 6), sizes


def _rows(pixels: PhotoPixels) -> Rows:
    whole = slice(0, pixels.width)
    # A copy, because Pillow's pixels are not writable.
    return lambda top, bottom: np.array(eight_bits(pixels.read(slice(top, bottom), whole)))


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
