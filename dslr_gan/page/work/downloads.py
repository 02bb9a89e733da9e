"""What a person takes home of a kept result: the photo at any strength, and a picture to share."""

import functools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dslr_gan.enhance.amounts import Amounts
from dslr_gan.enhance.photo_file import enhance_file
from dslr_gan.models.phones import PHONES
from dslr_gan.page.work.admission import quickly
from dslr_gan.page.work.kept import Kept, find
from dslr_gan.page.work.look import MAX_MEGAPIXELS
from dslr_gan.page.work.pictures import WEBP_SIDE, blended, parted, save_exactly, save_picture
from dslr_gan.page.work.scores import keep_parts

SHARED_SIDE = 1600
"""Longest side of each half of a picture to share, in pixels."""

DOWNLOADS = 6
"""So many of a result's downloads are kept, with different amounts."""


def download(
    token: Any, session: str, strength: Any = 1.0, colour: Any = 1.0, detail: Any = 1.0
) -> Path:
    """Write the enhanced photo as ``enhance_file`` does, without running the network.

    Args:
        token: Which result.
        session: Whose it is.
        strength: As in ``enhance_file``, from 0 to 1.
        colour: Likewise.
        detail: Likewise.

    Returns:
        The file: its name says model and amounts, its format, size, depth, EXIF and profile are
        the photo's.

    Raises:
        DslrGanError: If the result is no longer kept or an amount is out of range.
    """
    amounts, kept = Amounts(strength, colour, detail), find(token, session)
    folder = kept.folder / "downloads"
    wanted = folder / _key(amounts) / f"{_stem(kept, amounts)}{kept.photo.suffix}"
    with quickly(session):
        if made := list(wanted.parent.glob(f"{_escaped(wanted.stem)}.*")):
            return made[0]
        for old in sorted(folder.glob("*"), key=lambda each: each.stat().st_ctime)[: 1 - DOWNLOADS]:
            shutil.rmtree(old, ignore_errors=True)
        result = enhance_file(
            kept.enhancer,
            kept.photo,
            wanted,
            strength=amounts.strength,
            colour=amounts.colour,
            detail=amounts.detail,
            max_megapixels=MAX_MEGAPIXELS,
        )
        return result.file


def share_picture(
    token: Any,
    session: str,
    strength: Any = 1.0,
    colour: Any = 1.0,
    detail: Any = 1.0,
    *,
    before_label: str = "Before",
    after_label: str | None = None,
) -> Path:
    """Write the photo before and after into one JPEG, each labelled, without any metadata.

    Args:
        token: Which result.
        session: Whose it is.
        strength: Of the second half; as in :func:`download`.
        colour: Likewise.
        detail: Likewise.
        before_label: What stands on the first half.
        after_label: What stands on the second; phone and strength where None.

    Returns:
        The file. The halves are beside each other where the photo is upright, else on each other.

    Raises:
        DslrGanError: As :func:`download`.
    """
    amounts, kept = Amounts(strength, colour, detail), find(token, session)
    title = f"{PHONES[kept.phone].title} {amounts.strength:.0%}"
    labels = before_label, title if after_label is None else after_label
    file = kept.folder / f"{_key(amounts)}_shared" / f"{_stem(kept, amounts)}_before_after.jpg"
    with quickly(session):
        before, after = (_small(picture) for picture in (kept.before, kept.after))
        mixed = Image.fromarray(blended(np.asarray(before), np.asarray(after), amounts))
        return save_picture(_joined((before, mixed), labels), file, 92)


def layers(token: Any, session: str) -> dict[str, str]:
    """Write two more pictures, of which a browser mixes any amounts of colour and of detail.

    With the photo o, the result e, the layers L (``colour``) and D (``detail``), strength s and
    amounts c and d the picture is o (1 - s c) + L s (c - d) + e s d where c >= d, and else
    o (1 - s d) + D s (d - c) + e s c.

    Args:
        token: Which result.
        session: Whose it is.

    Returns:
        Their files, as large as the pictures that the browser has: ``colour`` is the photo with
        the low frequencies of its change, ``detail`` that with the high ones.

    Raises:
        DslrGanError: If the result is no longer kept.
    """
    kept = find(token, session)
    files = {name: kept.folder / f"layer_{name}.jpg" for name in ("colour", "detail")}
    with quickly(session):
        if not all(file.exists() for file in files.values()):
            before, after = kept.pictures()
            parts = parted(before, after)
            keep_parts(kept, before, after, *parts)
            for file, part in zip(files.values(), parts, strict=True):
                save_picture(part, file)
    return {name: str(file) for name, file in files.items()}


def exact(token: Any, session: str, photo_too: bool = False) -> dict[str, str]:
    """Write the result's very pixels for the browser, which so far has a JPEG of them.

    Args:
        token: Which result.
        session: Whose it is.
        photo_too: Whether the photo's are wanted, too, because the browser cannot read its file.

    Returns:
        Files of lossless pictures, as large as those that the browser has: ``after``, ``before``.

    Raises:
        DslrGanError: If the result is no longer kept.
    """
    kept = find(token, session)
    names = ("before", "after") if photo_too else ("after",)
    # WebP is smaller, and ends at this side.
    suffix = "webp" if max(kept.width, kept.height) <= WEBP_SIDE else "png"
    files = {name: kept.folder / f"exact_{name}.{suffix}" for name in names}
    with quickly(session):
        if not all(file.exists() for file in files.values()):
            pictures = dict(zip(("before", "after"), kept.pictures(), strict=True))
            for name, file in files.items():
                save_exactly(pictures[name], file)
    return {name: str(file) for name, file in files.items()}


@functools.cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _small(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        picture.draft("RGB", (SHARED_SIDE, SHARED_SIDE))
        picture.thumbnail((SHARED_SIDE, SHARED_SIDE), Image.Resampling.LANCZOS)
        return picture.convert("RGB")


def _joined(halves: tuple[Image.Image, Image.Image], labels: tuple[str, str]) -> Image.Image:
    width, height = halves[0].size
    upright = height > width
    gap = max(4, max(width, height) // 200)
    size = (2 * width + gap, height) if upright else (width, 2 * height + gap)
    whole = Image.new("RGB", size, "white")
    for number, (half, label) in enumerate(zip(halves, labels, strict=True)):
        labelled = _labelled(half, label)
        step = number * ((width if upright else height) + gap)
        whole.paste(labelled, (step, 0) if upright else (0, step))
    return whole


def _labelled(picture: Image.Image, label: str) -> Image.Image:
    """A picture with a label on a dark plate in its lower left corner."""
    result = picture.copy()
    draw = ImageDraw.Draw(result, "RGBA")
    font = _font(max(10, min(result.size) // 18))
    pad = font.size // 2
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    plate = 0, result.height - (bottom - top) - 2 * pad, right - left + 2 * pad, result.height
    draw.rectangle(plate, fill=(0, 0, 0, 170))
    draw.text((pad - left, plate[1] + pad - top), label, font=font, fill="white")
    return result


def _percent(amount: float) -> str:
    return f"{amount * 100:.4g}"


def _stem(kept: Kept, amounts: Amounts) -> str:
    """``walk_iphone_70``, and the other amounts where they are not 1."""
    name = kept.photo.stem.encode()[:120].decode(errors="ignore")  # with the rest it fits any disk
    stem = f"{name}_{kept.phone}_{_percent(amounts.strength)}"
    if (amounts.colour, amounts.detail) != (1, 1):
        parts = amounts.colour, amounts.detail
        stem += f"_colour_{_percent(parts[0])}_detail_{_percent(parts[1])}"
    return stem


def _key(amounts: Amounts) -> str:
    """The name of a folder of its own for what is made with some amounts."""
    return f"{amounts.strength!r}_{amounts.colour!r}_{amounts.detail!r}"


def _escaped(stem: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)
