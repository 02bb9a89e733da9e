"""The paper's figure of five panels: for some pairs, each method's result, in a row.

Prakash and Phumbhra 2020 show SRCNN, VDSR, their own result, the DSLR's photo and the phone's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PANEL = 240
"""Longest side of a panel in pixels, about; small patches are enlarged by whole factors."""

GAP = 12
TEXT = 15
LINE = 22
INK, PAPER, FAINT = "#111111", "#ffffff", "#555555"


class Panel(NamedTuple):
    """One picture of a row."""

    pixels: np.ndarray
    """``(H, W, 3)`` uint8."""
    caption: str
    """The text below it; may be empty."""


def spread(quality: Sequence[float], count: int) -> list[int]:
    """Choose pairs evenly spaced in their order by quality.

    Args:
        quality: A score of each pair, higher is better.
        count: How many to choose, from 1; at most all are chosen.

    Returns:
        Their numbers, worst first: the middles of ``count`` parts of equal size, so that neither
        the very worst nor the very best represents its part.
    """
    order = np.argsort(np.asarray(quality), kind="stable")
    count = min(count, len(order))
    return [int(order[int((part + 0.5) * len(order) / count)]) for part in range(count)]


def draw(rows: Sequence[Sequence[Panel]], titles: Sequence[str], note: str) -> Image.Image:
    """Lay panels out in rows under their titles, a line of text below all.

    Args:
        rows: The panels, as many in each row as there are titles; those of a row of one size.
        titles: The headings of the columns; too long ones are cut to the column's width.
        note: The line, wrapped where the figure is narrower.

    Returns:
        An RGB picture, to be looked at pixel by pixel: nothing in it need be scaled again.
    """
    font = ImageFont.load_default(TEXT)
    sizes = [_panel_size(row[0].pixels) for row in rows]
    width = max(size[0] for size in sizes)
    across = GAP + len(titles) * (width + GAP)
    lines = _wrap(note, font, across - 2 * GAP)
    below = LINE if any(panel.caption for row in rows for panel in row) else 0
    down = GAP + LINE + sum(size[1] + below + GAP for size in sizes) + LINE * len(lines) + GAP
    canvas = Image.new("RGB", (across, down), PAPER)
    pen = ImageDraw.Draw(canvas)
    lefts = [GAP + column * (width + GAP) for column in range(len(titles))]
    for left, title in zip(lefts, titles, strict=True):
        pen.text((left, GAP), _cut(title, font, width), INK, font)
    top = GAP + LINE
    for row, size in zip(rows, sizes, strict=True):
        for left, panel in zip(lefts, row, strict=True):
            canvas.paste(_scaled(panel.pixels, size), (left, top))
            pen.text((left, top + size[1] + 2), _cut(panel.caption, font, width), FAINT, font)
        top += size[1] + below + GAP
    for line in lines:
        pen.text((GAP, top), line, FAINT, font)
        top += LINE
    return canvas


def _panel_size(pixels: np.ndarray) -> tuple[int, int]:
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= PANEL:
        return width * (PANEL // longest), height * (PANEL // longest)
    return max(1, round(width * PANEL / longest)), max(1, round(height * PANEL / longest))


def _scaled(pixels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    # Enlarged by whole factors each pixel stays a square: nothing is made smoother than it is.
    smaller = size[0] < pixels.shape[1]
    resampling = Image.Resampling.LANCZOS if smaller else Image.Resampling.NEAREST
    return Image.fromarray(pixels).resize(size, resampling)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of a text as fits, with dots for the rest."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text.rstrip()}..."


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]
