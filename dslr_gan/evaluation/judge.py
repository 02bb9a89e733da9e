"""A judge measures every method's result on a pair, and sums up over the pairs."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from dslr_gan.evaluation.scores import MAIN, NOISE, MetricScores, Scores, average, median, summarise
from dslr_gan.metrics.flip import flip
from dslr_gan.metrics.noise_and_colour import (
    blurred_lab,
    colour_difference,
    flattest_blocks,
    noise_level,
)
from dslr_gan.metrics.similarity import ms_ssim, psnr, ssim
from dslr_gan.metrics.vgg import VGGFeatures, content_loss
from dslr_gan.photo import to_tensor


def measure(picture: Tensor, target: Tensor) -> list[float]:
    """Compute PSNR, SSIM, MS-SSIM of a picture: both ``(1, 3, H, W)`` in [0, 1], sides from 11."""
    with torch.inference_mode():
        return [float(metric(picture, target)) for metric in (psnr, ssim, ms_ssim)]


class Judge:
    """A pair, and what every method's result on it is compared with, computed once.

    Args:
        phone: The phone's picture ``(H, W, 3)``, uint8.
        dslr: The DSLR's, the same shape.
        vgg: Adds the VGG-16 distance.
    """

    def __init__(self, phone: np.ndarray, dslr: np.ndarray, vgg: VGGFeatures | None) -> None:
        self.dslr = dslr
        self.target = to_tensor(dslr)
        self.colours = blurred_lab(dslr)
        self.blocks = flattest_blocks(phone)
        self.vgg = vgg

    def score(self, pixels: np.ndarray) -> dict[str, float]:
        """Every metric of a picture; the level of its noise, yet to be compared."""
        picture = to_tensor(pixels)
        scores = dict(zip(MAIN, measure(picture, self.target), strict=True))
        scores["flip"] = flip(pixels, self.dslr)
        if self.vgg is not None:
            with torch.inference_mode():
                scores["vgg16_distance"] = float(content_loss(self.vgg, picture, self.target))
        scores["colour_shift"] = colour_difference(blurred_lab(pixels), self.colours)
        scores[NOISE] = self.noise(pixels)
        return scores

    def noise(self, pixels: np.ndarray) -> float:
        """The level of noise where the phone's picture is flattest."""
        return noise_level(pixels, self.blocks)


def summarise_pairs(values: Mapping[str, list[dict[str, float]]]) -> Scores:
    """Average what a :class:`Judge` measured of every method over the pairs.

    Args:
        values: The measurements, pair by pair, of ``input``, of each model, and of ``dslr``.

    Returns:
        Means and intervals.
    """
    columns = {
        name: {metric: np.array([row[metric] for row in rows]) for metric in rows[0]}
        for name, rows in values.items()
    }
    before = columns["input"]
    # Infinite for the input: the two pictures are the same, and no method's PSNR counts there.
    differ = np.isfinite(before["psnr"])
    noisy = before[NOISE] > 0  # False for NaN, too: there was no block to look at
    scores = {}
    for name, column in columns.items():
        estimates = {}
        if name != "dslr":
            main = np.stack([column[metric] for metric in MAIN], axis=1)
            estimates = dict(summarise(main, differ).estimates)
        estimates |= {
            metric: average(column[metric]) for metric in column if metric not in (*MAIN, NOISE)
        }
        estimates[NOISE] = median(column[NOISE][noisy] / before[NOISE][noisy])
        scores[name] = MetricScores(estimates)
    ssims = {name: columns[name]["ssim"].tolist() for name in columns if name != "dslr"}
    return Scores(len(differ), scores.pop("input"), scores, scores.pop("dslr"), ssims)
