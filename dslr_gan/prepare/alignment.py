"""Alignment of a phone photo and a DSLR photo of one scene: SIFT, RANSAC, then correlation.

The paper's section IV matches SIFT keypoints and estimates a homography by RANSAC, as DPED does
(Ignatov et al. 2017, section 2). Keypoints of full-size photos take minutes, so they are found on
small copies; the homography they give is then sharpened, level by level up to the full size, by
the displacements of some two hundred pieces that :func:`align` looks up by correlation.

Points are (x, y) in pixels, the centre of the upper left pixel being (0, 0).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.feature import SIFT, corner_shi_tomasi, match_descriptors, match_template
from skimage.measure import ransac
from skimage.transform import ProjectiveTransform, warp

from dslr_gan.errors import DslrGanError
from dslr_gan.photo.pixels import luma as luma_of

COARSE_SIDE = 1024
"""Longer side of the copies that keypoints are looked for on, in pixels."""

KEYPOINTS = 3000
"""That many keypoints of the largest scales are described; those of the smallest are noise."""

MIN_SIDE = 64
"""A shorter photo is not aligned."""

MIN_CONTRAST = 8 / 255
"""A photo whose luma spans less, between its 1st and 99th percentile, is taken to be flat."""

MAX_RATIO = 0.8
"""Lowe's ratio test: the nearest descriptor's distance over the second nearest's, at most."""

COARSE_RESIDUAL = 3.0
"""Inliers of RANSAC are within so many pixels of the small copies: lens distortion has room."""

MIN_OVERLAP = 0.1
"""Least part of the phone photo that the DSLR photo must cover."""

ZOOM_LIMITS = (0.5, 8.0)
"""DSLR pixels per phone pixel, along a line: below, the DSLR photo has too little detail to be a
target; above, no pair of cameras is known."""

MAX_FORESHORTENING = 2.0
"""Largest ratio of the zooms at two corners of the phone photo: the cameras stood side by side."""

GRID = (16, 12)
"""Cells across and down the phone photo; each gives one piece to look up, where it has corners."""

PIECE = 32
"""Half the side of such a piece, in pixels."""

MIN_PIECES = 12
"""With fewer pieces found again the full-size photos do not confirm the homography."""

MIN_PIECE_CORRELATION = 0.7


@dataclass(frozen=True, eq=False)
class Alignment:
    """How a DSLR photo is aligned with a phone photo."""

    homography: np.ndarray
    """``(3, 3)`` float64, its last element 1: phone (x, y, 1) to DSLR (x, y, 1) times a factor."""
    matches: int
    """Keypoints of the phone photo with a counterpart in the DSLR photo."""
    inliers: int
    """Those of them that agree with the homography of the small copies."""
    residual: float
    """Median distance, in phone pixels, of the pieces that were looked up at full size from where
    the homography puts them. Lens distortion and parallax show here."""
    overlap: float
    """Part of the phone photo that the DSLR photo covers, from 0 to 1."""
    zoom: float
    """DSLR pixels per phone pixel, along a line, in the middle of what both show."""


def align(phone: np.ndarray, dslr: np.ndarray) -> Alignment:
    """Find the homography that takes a phone photo's points to a DSLR photo's.

    The same photos always give the same result.

    Args:
        phone: Upright sRGB pixels ``(H, W, 3)``, uint8.
        dslr: Likewise, of any other size and any rotation to the phone photo.

    Returns:
        The homography and how well it fits.

    Raises:
        DslrGanError: If a photo is flat or too small, too few keypoints match, or what they say is
            no view of two cameras side by side: mirrored, too oblique, another scale, hardly any
            overlap. The message says which.
    """
    for name, pixels in (("phone", phone), ("DSLR", dslr)):
        if min(pixels.shape[:2]) < MIN_SIDE:
            raise DslrGanError(
                f"the {name} photo is too small to be aligned: {pixels.shape[1]}x{pixels.shape[0]} "
                f"pixels, at least {MIN_SIDE}x{MIN_SIDE} are needed."
            )
    try:
        return _align(phone, dslr)
    except np.linalg.LinAlgError as error:
        raise DslrGanError(_ON_A_LINE) from error


_ON_A_LINE = "what matches is on one line or in one point, which determines no homography."


def _align(phone: np.ndarray, dslr: np.ndarray) -> Alignment:
    phone_luma, dslr_luma = luma(phone), luma(dslr)
    homography, matches, inliers = _coarse(phone_luma, dslr_luma)
    middle, _ = _check_plausible(homography, phone.shape, dslr.shape)
    residual = 0.0
    for scale in _levels(phone.shape):
        homography, residual = _refine(phone_luma, dslr_luma, homography, scale, middle)
    middle, overlap = _check_plausible(homography, phone.shape, dslr.shape)
    return Alignment(
        homography, matches, inliers, residual, overlap, float(_zoom(homography, middle)[0])
    )


def luma(pixels: np.ndarray) -> np.ndarray:
    """Rec. 601 luma of ``(H, W, 3)`` uint8 pixels, float32 ``(H, W)`` in [0, 1]."""
    return luma_of(pixels) / np.float32(255)


def resized(plane: np.ndarray, scale: float) -> np.ndarray:
    """A float32 plane ``(H, W)`` at another scale, antialiased.

    Points go where :func:`scaling` says; less than a pixel of the last row and column is cut.
    """
    height, width = plane.shape
    size = max(1, int(width * scale)), max(1, int(height * scale))
    box = (0, 0, size[0] / scale, size[1] / scale)
    return np.array(Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS, box))


def scaling(scale: float) -> np.ndarray:
    """Where :func:`resized` puts a point, as a homography ``(3, 3)``."""
    shift = (scale - 1) / 2  # pixel centres, not edges, are at whole numbers
    return np.array([[scale, 0, shift], [0, scale, shift], [0, 0, 1]])


def mapped(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points ``(N, 2)`` through a homography; those beyond its horizon come out wrong."""
    whole = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return whole[:, :2] / whole[:, 2:]


def _zoom(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Signed zoom at points: the root of the area that a unit square takes, negative if mirrored.

    The Jacobian of a homography has the determinant det(H) / w^3.
    """
    depth = points @ homography[2, :2] + homography[2, 2]
    area = np.linalg.det(homography) / depth**3
    return np.sign(area) * np.sqrt(np.abs(area))


# Keypoints -----------------------------------------------------------------------------------


def _coarse(phone: np.ndarray, dslr: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Homography between the full-size photos by keypoints of small copies."""
    found = []
    for name, plane in (("phone", phone), ("DSLR", dslr)):
        scale = min(1.0, COARSE_SIDE / max(plane.shape))
        points, descriptors = _keypoints(resized(plane, scale), name)
        found.append((scale, points, descriptors))
    (phone_scale, phone_points, first), (dslr_scale, dslr_points, second) = found
    matches = match_descriptors(first, second, max_ratio=MAX_RATIO, cross_check=True)
    if len(matches) < MIN_PIECES:
        raise DslrGanError(
            f"only {len(matches)} keypoints of the two photos match; they seem to show two scenes, "
            "or hardly anything in common."
        )
    source, target = phone_points[matches[:, 0]], dslr_points[matches[:, 1]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it finds nothing, which is reported below
        model, inside = ransac(
            (source, target),
            ProjectiveTransform,
            min_samples=4,
            residual_threshold=COARSE_RESIDUAL,
            max_trials=3000,
            stop_probability=0.999,
            rng=np.random.default_rng(0),
        )
    inliers = 0 if inside is None else int(inside.sum())
    # Brown and Lowe 2007, section 3.2: a right match explains more than chance would.
    if inliers <= 8 + 0.3 * len(matches):
        raise DslrGanError(
            f"only {inliers} of {len(matches)} matching keypoints agree on one view; the photos "
            "seem to show two scenes, or one from two places."
        )
    homography = np.linalg.inv(scaling(dslr_scale)) @ model.params @ scaling(phone_scale)
    return homography / homography[2, 2], len(matches), inliers


def _keypoints(plane: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Points (x, y) and SIFT descriptors, at most ``KEYPOINTS``."""
    low, high = np.percentile(plane, (1, 99))
    if high - low < MIN_CONTRAST:
        raise DslrGanError(f"the {name} photo is flat: there is nothing in it to align by.")
    # SIFT drops what has little contrast, measured against 1: dark photos are not to lose all.
    plane = np.clip((plane - low) / (high - low), 0, 1)
    detector = SIFT(upsampling=1)
    try:
        detector.detect(plane)
    except RuntimeError as error:  # it found none
        raise DslrGanError(f"the {name} photo has no keypoints to align by.") from error
    largest = np.argsort(-detector.sigmas, kind="stable")[:KEYPOINTS]
    for part in ("keypoints", "positions", "sigmas", "scales", "orientations", "octaves"):
        setattr(detector, part, getattr(detector, part)[np.sort(largest)])
    detector.extract(plane)
    return detector.positions[:, ::-1], detector.descriptors


def _check_plausible(
    homography: np.ndarray, phone: tuple[int, ...], dslr: tuple[int, ...]
) -> tuple[np.ndarray, float]:
    """Refuse what no two cameras side by side see; give the overlap's middle and its part."""
    height, width = phone[:2]
    if not np.isfinite(homography).all():
        raise DslrGanError(_ON_A_LINE)
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], float)
    depth = corners @ homography[2, :2] + homography[2, 2]
    zooms = _zoom(homography, corners)
    if (depth <= 0).any() or np.abs(zooms).max() > MAX_FORESHORTENING * np.abs(zooms).min():
        raise DslrGanError("the matching keypoints show a view too oblique to be a pair.")
    if (zooms < 0).any():
        raise DslrGanError(
            "the matching keypoints show a mirrored view; if a photo is mirrored, turn it back."
        )
    across, down = np.meshgrid(np.linspace(0, width - 1, 101), np.linspace(0, height - 1, 101))
    points = np.column_stack([across.ravel(), down.ravel()])
    there = mapped(homography, points)
    # To the pixels' edges: photos of one view do not lose their border to rounding.
    inside = ((there >= -0.5) & (there <= (dslr[1] - 0.5, dslr[0] - 0.5))).all(axis=1)
    overlap = float(inside.mean())
    if overlap < MIN_OVERLAP:
        raise DslrGanError(
            f"the photos overlap on {overlap:.0%} of the phone's, less than {MIN_OVERLAP:.0%}."
        )
    middle = points[inside].mean(axis=0, keepdims=True)
    zoom = _zoom(homography, middle)[0]
    if not ZOOM_LIMITS[0] <= zoom <= ZOOM_LIMITS[1]:
        raise DslrGanError(
            f"the DSLR photo has {zoom:.2f} pixels for one of the phone's; a pair has between "
            f"{ZOOM_LIMITS[0]} and {ZOOM_LIMITS[1]}."
        )
    return middle, overlap


# Pieces at full size -------------------------------------------------------------------------


def _levels(shape: tuple[int, ...]) -> list[float]:
    """Scales of the phone photo to refine at: each at most twice the one before, the last 1."""
    scale, levels = min(1.0, COARSE_SIDE / max(shape[:2])), []
    while 2 * scale < 1:
        scale *= 2
        levels.append(scale)
    return [*levels, 1.0]


def _refine(
    phone: np.ndarray, dslr: np.ndarray, homography: np.ndarray, scale: float, middle: np.ndarray
) -> tuple[np.ndarray, float]:
    """Fit the homography to pieces looked up at one scale; with the median residual in pixels.

    Twice, because the first time finds pieces far from the middle of where it looked.
    """
    into_phone = scaling(scale)
    # Both at the phone's resolution: an unblurred larger photo would alias.
    dslr_scale = min(1.0, scale / _zoom(homography, middle)[0])
    into_dslr = scaling(dslr_scale)
    small_phone = phone if scale == 1 else resized(phone, scale)
    small_dslr = dslr if dslr_scale == 1 else resized(dslr, dslr_scale)
    points = _textured(small_phone)
    for reach in (10, 4):
        level = into_dslr @ homography @ np.linalg.inv(into_phone)
        found, shifts = _look_up(small_phone, small_dslr, level, points, reach)
        if len(found) < MIN_PIECES:
            raise DslrGanError(
                f"only {len(found)} pieces of the phone photo are found again where the keypoints "
                "say; the photos seem to show two scenes, or one from two places."
            )
        level, residual = _fit(found, mapped(level, found + shifts), level)
        homography = np.linalg.inv(into_dslr) @ level @ into_phone
    return homography / homography[2, 2], residual / scale


def _textured(plane: np.ndarray) -> np.ndarray:
    """The best corner (x, y) of each cell of a grid, a piece's half side away from the border."""
    height, width = plane.shape
    scale = min(1.0, COARSE_SIDE / max(plane.shape))
    small = plane if scale == 1 else resized(plane, scale)
    strength = corner_shi_tomasi(small, sigma=2)
    margin = int(PIECE * scale) + 1
    across = np.linspace(margin, small.shape[1] - margin, GRID[0] + 1).astype(int)
    down = np.linspace(margin, small.shape[0] - margin, GRID[1] + 1).astype(int)
    points = []
    for top, bottom in zip(down[:-1], down[1:], strict=True):
        for left, right in zip(across[:-1], across[1:], strict=True):
            cell = strength[top:bottom, left:right]
            if cell.size and cell.max() > 0:
                row, column = np.unravel_index(cell.argmax(), cell.shape)
                points.append((left + column, top + row))
    whole = mapped(np.linalg.inv(scaling(scale)), np.array(points, float).reshape(-1, 2))
    limits = (width - 1 - PIECE, height - 1 - PIECE)
    return np.clip(np.rint(whole), PIECE, np.maximum(limits, PIECE))


def _look_up(
    phone: np.ndarray, dslr: np.ndarray, homography: np.ndarray, points: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points whose pieces are found again within reach, and how far off (x, y) they are."""
    height, width = phone.shape
    far = PIECE + reach
    flat = warp(dslr, ProjectiveTransform(homography), output_shape=phone.shape, order=1, cval=-1)
    found, shifts = [], []
    for x, y in points.astype(int):
        if not (far <= x < width - far and far <= y < height - far):
            continue
        field = flat[y - far : y + far + 1, x - far : x + far + 1]
        piece = phone[y - PIECE : y + PIECE + 1, x - PIECE : x + PIECE + 1]
        if field.min() < 0:  # beyond the DSLR photo
            continue
        shift, height_of_peak = best_shift(field, piece)
        if height_of_peak >= MIN_PIECE_CORRELATION and np.abs(shift).max() < reach - 0.5:
            found.append((x, y))
            shifts.append(shift)
    return np.array(found, float).reshape(-1, 2), np.array(shifts).reshape(-1, 2)


def best_shift(field: np.ndarray, piece: np.ndarray) -> tuple[np.ndarray, float]:
    """Where a piece correlates best with a field around it, to a fraction of a pixel.

    Args:
        field: ``(H + 2 r, W + 2 r)``, r the reach in pixels.
        piece: ``(H, W)``.

    Returns:
        The shift (x, y) from the middle of the field, within the reach, and the normalised
        cross-correlation at the best whole shift, -1 to 1; 0 where either is flat.
    """
    scores = match_template(field, piece)
    row, column = (int(place) for place in np.unravel_index(scores.argmax(), scores.shape))
    shift = np.array([column, row], float) - (scores.shape[0] - 1) / 2
    if 0 < row < scores.shape[0] - 1 and 0 < column < scores.shape[1] - 1:
        shift += _peak(scores[row - 1 : row + 2, column - 1 : column + 2])
    return shift, float(scores[row, column])


def _peak(near: np.ndarray) -> np.ndarray:
    """Where the paraboloid through 3x3 values peaks, (x, y) from the middle one; at most 1."""
    slope = np.array([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]], float) / 2
    across = near[1, 2] - 2 * near[1, 1] + near[1, 0]
    down = near[2, 1] - 2 * near[1, 1] + near[0, 1]
    # The mixed term: the peak over slanted edges is a slanted ridge.
    mixed = (near[2, 2] - near[2, 0] - near[0, 2] + near[0, 0]) / 4
    if across >= 0 or across * down - mixed**2 <= 1e-12:
        return np.zeros(2)
    return np.clip(-np.linalg.solve([[across, mixed], [mixed, down]], slope), -1, 1)


def _fit(source: np.ndarray, target: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, float]:
    """Least squares without the pieces that are far off; with the median distance of the rest."""
    kept = np.ones(len(source), bool)
    model = ProjectiveTransform(before)
    for _ in range(4):
        fitted = ProjectiveTransform.from_estimate(source[kept], target[kept])
        if not fitted:
            raise DslrGanError(_ON_A_LINE)
        model = fitted
        distances = model.residuals(source, target)
        kept = distances <= 3 * np.median(distances) + 0.1
    return model.params, float(np.median(distances[kept]))
