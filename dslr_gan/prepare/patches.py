"""Patches that a phone photo and an aligned DSLR photo both show.

The patches are on a grid of the phone photo, whose pixels are cut and never changed: what a model
will see of a phone is what the phone wrote. The DSLR photo is resampled onto that grid, once, and
antialiased where it has more pixels, so that both sides of a pair have one resolution, as in the
paper's section IV and in DPED.

A homography takes no account of lens distortion, nor of depth where the cameras stood apart. DPED
therefore moves each patch by up to five pixels to where it correlates best and keeps it where the
normalised cross-correlation exceeds 0.9 (Ignatov et al. 2017, section 2). So it is here, to a
fraction of a pixel; DPED also turns its patches, which is not done here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from skimage.transform import ProjectiveTransform, warp

from dslr_gan.prepare.alignment import Alignment, best_shift, luma, mapped, resized, scaling

FLAT = 1 / 255
"""A patch whose luma deviates less from its mean is flat: its correlation is that of noise."""

LOW, FLAT_PATCH, EDGE = "correlation", "flat", "shift"


class Rectangle(NamedTuple):
    """Pixels ``[top:bottom, left:right]`` of a photo."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, eq=False)
class Patch:
    """One patch of both photos."""

    top: int
    """Its first row in the phone photo."""
    left: int
    """Its first column there."""
    phone: np.ndarray
    """The phone's pixels, ``(N, N, 3)`` uint8."""
    dslr: np.ndarray
    """What the DSLR photo shows there, likewise."""
    correlation: float
    """Normalised cross-correlation of the luma of the two, -1 to 1; 0 where one is constant."""
    shift: tuple[float, float]
    """How far (x, y), in phone pixels, the DSLR's side was moved from where the homography
    puts it."""
    rejected: str | None
    """None where it is kept, else why not: ``"correlation"``, ``"flat"``, or ``"shift"`` where it
    correlates best as far off as it may be moved, so that it belongs farther off still."""


def overlap_rectangle(
    homography: np.ndarray, phone: tuple[int, ...], dslr: tuple[int, ...], margin: float = 0.0
) -> Rectangle:
    """The largest upright rectangle of the phone photo that the DSLR photo covers.

    Args:
        homography: Phone to DSLR, without a horizon in the phone photo.
        phone: Height and width of the phone photo.
        dslr: Height and width of the DSLR photo.
        margin: So many DSLR pixels at its border do not count as covered.

    Returns:
        The rectangle; it may be empty. Where the photo has more than 500 rows its upper and lower
        edge are found to the 500th part of the height.
    """
    height, width = phone[:2]
    rows = np.unique(np.linspace(0, height - 1, min(height, 500)).round().astype(int))
    across, down = np.meshgrid(np.arange(width), rows)
    there = mapped(homography, np.column_stack([across.ravel(), down.ravel()]).astype(float))
    limits = np.array([dslr[1] - 1, dslr[0] - 1]) - margin
    # A hair's breadth of tolerance, or photos of one view would lose their border to rounding.
    inside = ((there >= margin - 0.05) & (there <= limits + 0.05)).all(axis=1).reshape(down.shape)
    # What is covered is convex: a rectangle is in it when its first and its last row are.
    covered = inside.any(axis=1)
    left = np.where(covered, inside.argmax(axis=1), width)
    right = np.where(covered, width - inside[:, ::-1].argmax(axis=1), 0)
    widths = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    heights = rows - rows[:, None] + 1
    areas = np.where((widths > 0) & (heights > 0), widths * heights, 0)
    first, last = np.unravel_index(areas.argmax(), areas.shape)
    if areas[first, last] == 0:
        return Rectangle(0, 0, 0, 0)
    edges = max(left[first], left[last]), min(right[first], right[last])
    return Rectangle(int(rows[first]), int(edges[0]), int(rows[last]) + 1, int(edges[1]))


def cut_patches(
    phone: np.ndarray,
    dslr: np.ndarray,
    alignment: Alignment,
    *,
    size: int = 100,
    stride: int | None = None,
    min_ncc: float = 0.9,
    max_shift: int = 5,
) -> Iterator[Patch]:
    """Cut what both photos show into patches, in reading order.

    Args:
        phone: The phone photo's pixels ``(H, W, 3)``, uint8.
        dslr: The DSLR photo's, likewise.
        alignment: What :func:`dslr_gan.prepare.alignment.align` found for the two.
        size: Side of the patches in pixels.
        stride: From one patch to the next, in pixels; ``None`` for the size, so that none overlap.
        min_ncc: Patches below this normalised cross-correlation are rejected.
        max_shift: How many pixels a patch may be moved to where it correlates best.

    Yields:
        Every patch of the grid, the rejected ones too.
    """
    stride = size if stride is None else stride
    scale = min(1.0, 1 / alignment.zoom)
    planes = [dslr[..., channel].astype(np.float32) for channel in range(3)]
    if scale < 1:
        planes = [resized(plane, scale) for plane in planes]
    target = np.dstack(planes)
    homography = scaling(scale) @ alignment.homography
    # Two more pixels, for what bicubic interpolation reaches.
    area = overlap_rectangle(homography, phone.shape, target.shape, margin=max_shift + 2)
    phone_luma = luma(phone)
    field = (
        warp(luma(target), ProjectiveTransform(homography), output_shape=phone.shape[:2], order=3)
        if max_shift
        else None
    )
    for top in range(area.top, area.bottom - size + 1, stride):
        for left in range(area.left, area.right - size + 1, stride):
            piece = phone_luma[top : top + size, left : left + size]
            shift = np.zeros(2) if field is None else _search(field, piece, top, left, max_shift)
            # The whole shift too: where it is right, nothing need be interpolated.
            candidates = []
            for x, y in dict.fromkeys((tuple(np.rint(shift)), tuple(shift))):
                there = _resample(target, homography, top + y, left + x, size)
                candidates.append((ncc(piece, luma(there)), (float(x), float(y)), there))
            correlation, moved, there = max(candidates, key=lambda candidate: candidate[0])
            rejected = None
            if min(piece.std(), luma(there).std()) < FLAT:
                rejected = FLAT_PATCH
            elif correlation < min_ncc:
                rejected = LOW
            elif max_shift and np.abs(shift).max() >= max_shift:
                rejected = EDGE
            cut = phone[top : top + size, left : left + size]
            yield Patch(top, left, cut, there, correlation, moved, rejected)


def ncc(first: np.ndarray, second: np.ndarray) -> float:
    """Normalised cross-correlation of two planes of one shape, -1 to 1; 0 if one is constant."""
    first, second = (
        plane.astype(np.float64) - plane.mean(dtype=np.float64) for plane in (first, second)
    )
    norm = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / norm) if norm > 1e-9 else 0.0


def _search(field: np.ndarray, piece: np.ndarray, top: int, left: int, reach: int) -> np.ndarray:
    """Where a piece of the phone correlates best with the field around it; (0, 0) at an edge."""
    rows = slice(top - reach, top + len(piece) + reach)
    columns = slice(left - reach, left + len(piece) + reach)
    around = field[max(rows.start, 0) : rows.stop, max(columns.start, 0) : columns.stop]
    if around.shape != (len(piece) + 2 * reach,) * 2:  # at the border of the phone photo
        padding = [
            (max(-cut.start, 0), max(cut.stop - side, 0))
            for cut, side in zip((rows, columns), field.shape, strict=True)
        ]
        around = np.pad(around, padding, mode="edge")
    return best_shift(around, piece)[0]


def _resample(
    target: np.ndarray, homography: np.ndarray, top: float, left: float, size: int
) -> np.ndarray:
    """The DSLR's pixels under a patch at a place of the phone photo, uint8; interpolated once."""
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)]) + (left, top)
    there = mapped(homography, corners)
    # A cut-out is enough, and spares a copy of the photo for every patch.
    first = np.maximum(np.floor(there.min(axis=0)).astype(int) - 3, 0)
    last = np.ceil(there.max(axis=0)).astype(int) + 4
    cut = target[first[1] : last[1], first[0] : last[0]]
    here, back = np.eye(3), np.eye(3)
    here[:2, 2], back[:2, 2] = (left, top), -first
    pixels = warp(
        cut,
        ProjectiveTransform(back @ homography @ here),
        output_shape=(size, size),
        order=3,
        mode="edge",
        preserve_range=True,
    )
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
