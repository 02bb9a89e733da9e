"""A result that develops: finished tiles over the quick picture, while the network works."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from dslr_gan.page.work.pictures import save_picture
from dslr_gan.photo import eight_bits

EVERY_S = 0.7
"""How often a new picture is made: each is sent to the browser."""

SHARE = 0.1
"""Of the time at most goes into making them: those of larger photos come less often."""

SIDE = 1280
"""Their longest side in pixels, that of a window: what is finished is sharper than the rest."""

QUALITY = 85


class Developing:
    """Follows the steps of ``photo_run.enhance_photo`` for one request."""

    def __init__(self) -> None:
        self._quick: dict[str, Path] = {}
        self._next = time.monotonic() + EVERY_S

    def picture(self, step: dict[str, Any]) -> str | None:
        """Give the file of a new picture of what is finished, where it is time for one.

        Args:
            step: The latest one. At ``preview`` its ``after`` is a quick picture, in the
                folder in which the network's result grows.
        """
        state, phone = step["state"], step.get("phone")
        if state == "preview":
            self._quick[str(phone)] = Path(step["after"])
        quick = self._quick.get(str(phone))
        is_due = time.monotonic() >= self._next
        if state != "enhancing" or quick is None or not is_due or step["done"] == step["tiles"]:
            return None
        began = time.monotonic()
        file = quick.with_name(f"tiles_{step['done']}.jpg")
        try:
            levels = np.load(quick.with_name("levels.npy"), mmap_mode="r")
            height, width = levels.shape[:2]
            part = min(1.0, SIDE / max(height, width))
            size = max(1, round(part * width)), max(1, round(part * height))
            with Image.open(quick) as opened:
                whole = opened.convert("RGB").resize(size, Image.Resampling.BICUBIC)
            save_picture(finished_over(whole, levels), file, QUALITY)
        except (OSError, ValueError):  # it was stopped, or the network runs elsewhere
            return None
        now = time.monotonic()
        self._next = now + max(EVERY_S, (now - began) / SHARE)
        return str(file)


def finished_over(quick: Image.Image, levels: np.ndarray) -> Image.Image:
    """Lay what is finished over the quick picture.

    Args:
        quick: The whole result, small.
        levels: The result ``(H, W, 3)``, uint8 or uint16, zero where no tile is finished. (Where a
            finished one is black, too, the quick picture is as good.)
    """
    factor = max(1, round(levels.shape[1] / quick.width))
    small = np.empty((-(-levels.shape[0] // factor), -(-levels.shape[1] // factor), 3), np.uint8)
    for top in range(0, len(small), 128):
        part = eight_bits(np.asarray(levels[top * factor : (top + 128) * factor]))
        small[top : top + 128] = np.asarray(Image.fromarray(part).reduce(factor))
    tiles = Image.fromarray(small).resize(quick.size, Image.Resampling.BILINEAR)
    known: np.ndarray = np.where(small.any(axis=2), 255, 0).astype(np.uint8)
    # A pixel beside an unfinished tile has some of its zeros: it would draw a dark line.
    inside = Image.fromarray(known).filter(ImageFilter.MinFilter(3))
    mask = inside.resize(quick.size, Image.Resampling.NEAREST)
    return Image.composite(tiles, quick, mask)
