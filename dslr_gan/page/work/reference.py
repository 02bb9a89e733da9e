"""A DSLR photo of the same scene, laid over a kept result and compared with it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from dslr_gan.errors import DslrGanError, shown
from dslr_gan.metrics.over_strength import (
    STRENGTHS,
    psnr_over_strength,
    similarity_over_strength,
)
from dslr_gan.metrics.similarity import WINDOW
from dslr_gan.page.work.admission import LINE
from dslr_gan.page.work.jobs import Job, Step, steps_of
from dslr_gan.page.work.kept import Kept, find, uses
from dslr_gan.page.work.look import MAX_MEGAPIXELS, look
from dslr_gan.page.work.pictures import display_factor, save_picture
from dslr_gan.page.work.scores import rounded
from dslr_gan.photo import eight_bits, open_photo, photo_pixels
from dslr_gan.prepare.alignment import Alignment, align, mapped, scaling

MEASURED_MEGAPIXELS = 12.5
"""Larger photos are compared at a half, a third and so on of their size."""

ALIGNED_MEGAPIXELS = 6.0
"""Larger ones are aligned likewise: a whole pixel of theirs is a fraction of one there."""

STEPS = (
    "Reading the DSLR photo",
    "Looking for what both photos show",
    "Laying the DSLR photo over yours",
    "Measuring",
)

_aligned: dict[tuple[Any, ...], Alignment] = {}
"""The last alignments: a second phone's result is of the same photo."""
_lock = threading.Lock()
_REMEMBERED = 8


def compare(token: Any, session: str, reference: Path, *, alone: bool = True) -> Iterator[Step]:
    """Align a DSLR photo with a kept result, and measure photo and result against it.

    Args:
        token: Which result.
        session: Whose it is.
        reference: The DSLR photo: an upload, of any size and any framing of the same scene.
        alone: Whether a comparison that the session has in work is stopped.

    Yields:
        Dictionaries that JSON can hold, each with its ``state``: ``waiting`` (``position``,
        ``seconds``), ``aligning`` (``done``, ``steps``, ``says``), and ``done`` with ``picture``,
        the file of the DSLR photo as it lies over the other pictures, black where it shows
        nothing; ``polygon``, the corners of what both show, as parts of width and height;
        ``overlap``, ``zoom``, ``measured`` (width and height); and the scores over what both show:
        ``phone`` (``psnr``, ``ssim``, ``ms_ssim``) and ``enhanced``, lists over ``strengths``.

    Raises:
        DslrGanError: If the DSLR photo is no good, does not show the scene, or is too small or too
            blurred to be aligned; if the result is no longer kept; or if it was stopped.
    """
    kept = find(token, session)
    facts = look(reference)
    uses(session, reference)

    def work(job: Job) -> None:
        with LINE.place(session, facts["megapixels"]) as ticket:
            job.wait(LINE, ticket)
            _compare(job, kept, reference)

    return steps_of(session, "compare", work, alone=alone)


def _compare(job: Job, kept: Kept, reference: Path) -> None:
    def step(number: int) -> None:
        job.check()
        job.tell("aligning", done=number, steps=len(STEPS), says=STEPS[number])

    step(0)
    opened = photo_pixels(open_photo(reference, max_megapixels=MAX_MEGAPIXELS))
    dslr = Image.fromarray(eight_bits(opened.pixels))
    before, after = kept.pictures()
    step(1)
    alignment = _align(kept.photo, reference, before, dslr)
    step(2)
    height, width = before.shape[:2]
    laid_over, covered = _laid_over(dslr, alignment, (width, height))
    del dslr, opened
    picture = save_picture(laid_over, kept.folder / "reference.jpg")
    kept.reference = picture
    step(3)
    factor = display_factor(width, height, MEASURED_MEGAPIXELS)
    photo, result, target = (
        _reduced(part, factor) for part in (before, after, np.asarray(laid_over))
    )
    inside = _reduced(covered, factor) == 255
    if min(inside.shape) < WINDOW or not inside.any():
        raise DslrGanError(f"{shown(reference)} and the photo have too little in common.")
    ssim, ms_ssim = similarity_over_strength(photo, result, target, inside)
    scores = {
        "psnr": rounded(psnr_over_strength(photo, result, target, inside)),
        "ssim": rounded(ssim),
        "ms_ssim": rounded(ms_ssim),
    }
    job.check()
    job.tell(
        "done",
        picture=str(picture),
        polygon=_outline(alignment.homography, before.shape, _size_of(reference)),
        overlap=round(alignment.overlap, 3),
        zoom=round(alignment.zoom, 3),
        measured=list(inside.shape[::-1]),
        strengths=list(STRENGTHS),
        phone={name: values[0] for name, values in scores.items()},
        enhanced=scores,
    )


def _size_of(reference: Path) -> tuple[int, int]:
    facts = look(reference)
    return facts["height"], facts["width"]


def _reduced(pixels: np.ndarray, factor: int) -> np.ndarray:
    return pixels if factor == 1 else np.asarray(Image.fromarray(pixels).reduce(factor))


def _align(photo: Path, reference: Path, before: np.ndarray, dslr: Image.Image) -> Alignment:
    """Align the photo as it is shown; an error message says whose fault it is."""
    key = tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in (photo, reference))
    with _lock:
        known = _aligned.get(key)
    if known is not None:
        return known
    height, width = before.shape[:2]
    factor = display_factor(width, height, ALIGNED_MEGAPIXELS)
    larger = display_factor(*dslr.size, 4 * ALIGNED_MEGAPIXELS)
    try:
        found = align(_reduced(before, factor), _reduced(np.asarray(dslr), larger))
    except DslrGanError as error:
        raise DslrGanError(
            f"{shown(reference)} cannot be laid over your photo: {error} Give a sharp photo of "
            "the same scene from the same place."
        ) from error
    homography = np.linalg.inv(scaling(1 / larger)) @ found.homography @ scaling(1 / factor)
    whole = Alignment(
        homography / homography[2, 2],
        found.matches,
        found.inliers,
        found.residual * factor,
        found.overlap,
        found.zoom * larger / factor,
    )
    with _lock:
        while len(_aligned) >= _REMEMBERED:
            del _aligned[next(iter(_aligned))]
        _aligned[key] = whole
    return whole


def _laid_over(
    dslr: Image.Image, alignment: Alignment, size: tuple[int, int]
) -> tuple[Image.Image, np.ndarray]:
    """The DSLR photo on the phone photo's pixels, and where it is: ``(H, W)`` uint8, 0 or 255."""
    scale = min(1.0, 1 / alignment.zoom)  # antialiased: it has more pixels
    small = max(1, int(dslr.width * scale)), max(1, int(dslr.height * scale))
    if scale < 1:
        box = (0, 0, small[0] / scale, small[1] / scale)
        dslr = dslr.resize(small, Image.Resampling.LANCZOS, box)
    homography = scaling(scale) @ alignment.homography
    # Pillow counts from the edge of the first pixel, the alignment from its middle.
    edges = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    homography = edges @ homography @ np.linalg.inv(edges)
    rest = tuple((homography / homography[2, 2]).ravel()[:8])
    how = Image.Transform.PERSPECTIVE
    picture = dslr.transform(size, how, rest, Image.Resampling.BICUBIC)
    everywhere = Image.new("L", dslr.size, 255)
    covered = everywhere.transform(size, how, rest, Image.Resampling.NEAREST)
    # Two pixels from its border bicubic interpolation knows all that it needs.
    return picture, np.asarray(covered.filter(ImageFilter.MinFilter(5)))


def _outline(
    homography: np.ndarray, phone: tuple[int, ...], dslr: tuple[int, int]
) -> list[list[float]]:
    """Corners of what both photos show, in parts of the phone photo's width and height."""
    height, width = dslr
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float) - 0.5
    there = mapped(np.linalg.inv(homography), corners)
    polygon = [tuple(point) for point in (there + 0.5) / (phone[1], phone[0])]
    for axis in (0, 1):
        polygon = _cut(polygon, axis, 0.0, 1.0)
        polygon = _cut(polygon, axis, 1.0, -1.0)
    return [[round(float(x), 5), round(float(y), 5)] for x, y in polygon]


def _cut(polygon: list[Any], axis: int, limit: float, sign: float) -> list[Any]:
    """What of a convex polygon lies on one side of a line across an axis."""
    kept: list[Any] = []
    for first, second in zip(polygon, [*polygon[1:], *polygon[:1]], strict=True):
        inside = [(point[axis] - limit) * sign >= 0 for point in (first, second)]
        if inside[0]:
            kept.append(first)
        if inside[0] != inside[1]:
            share = (limit - first[axis]) / (second[axis] - first[axis])
            kept.append(tuple(a + share * (b - a) for a, b in zip(first, second, strict=True)))
    return kept
