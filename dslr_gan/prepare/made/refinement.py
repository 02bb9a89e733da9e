"""Where a patch of one photo lies in another, by an affine map that corrects a homography.

Paper: Evangelidis and Psarakis 2008, "Parametric Image Alignment Using Enhanced Correlation
Coefficient Maximization", section 4: the map that maximises the correlation of the two, by steps
that each solve a linear system. Our own code.
"""

from typing import NamedTuple

import numpy as np
from skimage.filters import gaussian
from skimage.transform import warp

STEPS = 9
"""After so many steps at most the map no longer moves by what could be seen."""

BLUR = 1.0
"""Sigma in pixels of the blur before the search: gradients of noise lead nowhere."""

UNIT = 50.0
"""Pixels that count as one in the linear part, so that all six parameters are of one size."""


class Refinement(NamedTuple):
    """How a patch is to be moved."""

    correlation: float
    """Of the two blurred patches at the best map, -1 to 1; 0 where one is constant."""
    map: np.ndarray
    """``(6,)``: shift of x and what it gains with x and y over 50 pixels, then the same of y."""

    def apply(self, x: np.ndarray, y: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Where pixels (x, y) of a patch with that side are to be read, in its own frame."""
        across, down = (x - (side - 1) / 2) / UNIT, (y - (side - 1) / 2) / UNIT
        shift = self.map
        return (
            x + shift[0] + shift[1] * across + shift[2] * down,
            y + shift[3] + shift[4] * across + shift[5] * down,
        )


def refine(patch: np.ndarray, field: np.ndarray) -> Refinement:
    """Find the affine map by which a field correlates best with a patch.

    Args:
        patch: Luma ``(N, N)``, any scale.
        field: Luma ``(N + 2 M, N + 2 M)``: the other photo where the patch is thought to lie, and
            M pixels around it. No pixel is looked for farther than M - 2 pixels away.

    Returns:
        The best of the maps that were tried, the identity among them.
    """
    side, margin = len(patch), (len(field) - len(patch)) // 2
    wanted = _centred(gaussian(patch.astype(np.float64), BLUR))
    blurred = gaussian(field.astype(np.float64), BLUR)
    slopes = np.gradient(blurred)
    y, x = np.mgrid[:side, :side].astype(float)
    ones = np.stack(
        [np.ones(side * side), *((axis.ravel() - (side - 1) / 2) / UNIT for axis in (x, y))]
    )
    best = tried = Refinement(-2.0, np.zeros(6))
    for _ in range(STEPS + 1):
        across, down = tried.apply(x, y, side)
        if max(np.abs(across - x).max(), np.abs(down - y).max()) > margin - 2:
            break
        places = np.stack([down + margin, across + margin])
        found = _centred(warp(blurred, places, order=1))
        norm = np.sqrt((found @ found) * (wanted @ wanted))
        tried = tried._replace(correlation=float(found @ wanted / norm) if norm > 1e-9 else 0.0)
        if tried.correlation > best.correlation:
            best = tried
        down_slope, across_slope = (warp(slope, places, order=1).ravel() for slope in slopes)
        step = _step(np.concatenate([across_slope * ones, down_slope * ones]), found, wanted)
        if step is None:
            break
        tried = tried._replace(map=tried.map + step)
    return best


def _step(slopes: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """The next step, equations 13 to 18; None where the patch has too little structure."""
    slopes = slopes - slopes.mean(axis=1, keepdims=True)
    try:
        inverse = np.linalg.inv(slopes @ slopes.T)
    except np.linalg.LinAlgError:
        return None
    of_found, of_wanted = slopes @ found, slopes @ wanted
    above = found @ found - of_found @ inverse @ of_found
    below = wanted @ found - of_wanted @ inverse @ of_found
    factor = above / below if below > 0 else 1.0
    return inverse @ (slopes @ (factor * wanted - found))


def _centred(plane: np.ndarray) -> np.ndarray:
    return (plane - plane.mean()).ravel()
