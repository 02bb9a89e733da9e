"""FLIP: a difference as an eye would see it, without trained weights."""

import flip_evaluator
import numpy as np


def flip(picture: np.ndarray, target: np.ndarray) -> float:
    """Give the mean of LDR-FLIP: the difference seen when the two pictures alternate in place.

    It models contrast sensitivity, colour and edges at 67 pixels per degree of the visual field,
    a monitor at arm's length. The computation is its authors' own.

    Args:
        picture: ``(H, W, 3)``, uint8 sRGB.
        target: What it should look like, the same shape.

    Returns:
        The mean over the pixels, from 0 (identical pictures) to 1; lower is better.

    Raises:
        ValueError: If the shapes differ or are not ``(H, W, 3)``.

    References:
        Andersson et al. 2020, "FLIP: A Difference Evaluator for Alternating Images".
    """
    if picture.shape != target.shape or picture.ndim != 3 or picture.shape[2] != 3:
        # The library itself would read beyond the smaller one.
        raise ValueError(
            f"picture and target must have one shape (H, W, 3), got {picture.shape} and "
            f"{target.shape}."
        )
    reference, test = (
        np.ascontiguousarray(pixels, dtype=np.float32) / 255 for pixels in (target, picture)
    )
    _, mean, _ = flip_evaluator.evaluate(reference, test, "LDR", applyMagma=False)
    return float(mean)
