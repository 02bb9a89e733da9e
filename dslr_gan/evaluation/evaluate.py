"""Evaluation: how close models bring phone photos to the DSLR photos of the same scene.

What is scored is the 8-bit sRGB picture that a user gets; ``evaluation/scores.py`` says
what is averaged over which pairs.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dslr_gan.data.decode import Rows, read_pair
from dslr_gan.data.folder import has_test_pairs, split_folder
from dslr_gan.data.pairs import COLUMNS, open_pairs
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.figure import Panel, draw, spread
from dslr_gan.evaluation.scores import MAIN, NOISE, MetricScores, Scores, average, median, summarise
from dslr_gan.metrics.flip import flip
from dslr_gan.metrics.noise_and_colour import (
    blurred_lab,
    colour_difference,
    flattest_blocks,
    noise_level,
)
from dslr_gan.metrics.similarity import WINDOW, ms_ssim, psnr, ssim
from dslr_gan.metrics.vgg import VGGFeatures, content_loss
from dslr_gan.photo import eight_bits, photo_pixels, to_tensor

Model = PhotoEnhancer | Callable[[Image.Image], Image.Image]
"""What can be scored: an enhancer, or any function from a photo to one of the same size."""

RESERVED = ("input", "dslr")
"""Names in the tables that no model may have."""


def open_rows(pairs: str | Path, *, columns: tuple[str, str] = COLUMNS) -> Rows:
    """Open the pairs to score.

    Args:
        pairs: Whatever :func:`open_pairs` opens; of pairs that come with test pairs, such as
            DPED's folder, those are taken.
        columns: What a dataset calls its phone and DSLR pictures.

    Returns:
        Rows with ``phone`` and ``dslr``, read when they are needed.

    Raises:
        DslrGanError: As :func:`open_pairs`.
    """
    if has_test_pairs(pairs):  # without a look at the training pairs, which may not be there
        pairs = split_folder(pairs, "test")
    source = open_pairs(pairs, columns=columns)
    return source.train if source.test is None else source.test


def evaluate(
    model: Model | Mapping[str, Model],
    pairs: "str | Path | Rows",
    *,
    vgg: VGGFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score models on pairs of a phone photo and a DSLR photo.

    Args:
        model: An enhancer (at full strength), a function from a photo to one of the same size,
            or several of them by name. They are given the photo upright, in sRGB and 8 bits.
        pairs: What :func:`open_rows` takes or gives; both sides at least 11 pixels.
        vgg: Adds the VGG-16 distance.
        progress: Called with (pairs done, pairs in all) after each pair.

    Returns:
        Every metric over the pairs, for the phone photos themselves and for each model.

    Raises:
        DslrGanError: If the pairs cannot be opened, a file cannot be read, two pictures differ in
            size, a model's result does, or no model is given.
    """
    models = dict(model) if isinstance(model, Mapping) else {"model": model}
    if not models or any(name in models for name in RESERVED):
        raise DslrGanError(
            f"Give at least one model to evaluate, none of them called {' or '.join(RESERVED)}."
        )
    rows = open_rows(pairs) if isinstance(pairs, str | Path) else pairs
    values: dict[str, list[dict[str, float]]] = {name: [] for name in ("input", *models, "dslr")}
    for row in range(len(rows)):
        name, phone, dslr = read_row(rows, row)
        judge = _Judge(phone, dslr, vgg)
        values["input"].append(judge.score(phone))
        for label, enhance in models.items():
            values[label].append(judge.score(run_model(enhance, phone, label, name)))
        values["dslr"].append({NOISE: judge.noise(dslr)})
        if progress is not None:
            progress(row + 1, len(rows))
    return _summarise(values)


def read_row(rows: Rows, row: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Read a pair, to be scored.

    Args:
        rows: The pairs.
        row: Which.

    Returns:
        What to call it, and the phone's and the DSLR's picture, ``(H, W, 3)`` uint8.

    Raises:
        DslrGanError: If a picture cannot be read, their sizes differ, or a side is below 11.
    """
    stored = rows[row]["phone"]
    path = stored.get("path") if isinstance(stored, Mapping) else None
    name = Path(path).name if path else f"pair {row}"
    try:
        phone, dslr = read_pair(rows, row)
    except DslrGanError as error:
        raise error if name in str(error) else DslrGanError(f"{name}: {error}") from error
    if min(phone.shape[:2]) < WINDOW:
        raise DslrGanError(
            f"{name} has {_size(phone)} pixels; SSIM needs at least {WINDOW}x{WINDOW}."
        )
    return name, phone, dslr


def pair_tensors(rows: Rows, row: int) -> tuple[Tensor, Tensor]:
    """Read a pair as tensors, to be validated on.

    Args:
        rows: The pairs; best undecoded, so that an error names the file.
        row: Which.

    Returns:
        Phone and DSLR picture, each ``(1, 3, H, W)`` in [0, 1].

    Raises:
        DslrGanError: As :func:`read_row`.
    """
    _, phone, dslr = read_row(rows, row)
    return to_tensor(phone), to_tensor(dslr)


def run_model(model: Model, phone: np.ndarray, label: str, name: str) -> np.ndarray:
    """Enhance a picture as a user would.

    Args:
        model: The model.
        phone: ``(H, W, 3)`` uint8.
        label: What to call the model in an error.
        name: What to call the picture in an error.

    Returns:
        What a viewer shows of the result: ``(H, W, 3)`` uint8.

    Raises:
        DslrGanError: If the result has another size.
    """
    photo = Image.fromarray(phone)
    result = model.enhance(photo) if isinstance(model, PhotoEnhancer) else model(photo)
    pixels = eight_bits(photo_pixels(result).pixels)
    if pixels.shape != phone.shape:
        raise DslrGanError(
            f"{label} made {_size(pixels)} pixels of {name}, which has {_size(phone)}; "
            "only a model that keeps the size can be scored."
        )
    return pixels


def figure(
    models: Mapping[str, Model], pairs: "str | Path | Rows", scores: Scores, count: int = 4
) -> Image.Image:
    """Draw the paper's figure: for some pairs each model's result, the DSLR's and the phone's.

    Args:
        models: The models, in the order of their panels.
        pairs: The pairs that were scored.
        scores: What :func:`evaluate` gave for them.
        count: How many pairs to show, a row each; at most all.

    Returns:
        An RGB picture. The pairs are evenly spaced in their order by the mean of the models' SSIM
        and not chosen by eye. Below each panel is its SSIM with the DSLR's.

    Raises:
        DslrGanError: If ``count`` is below 1, or as :func:`evaluate`.
    """
    if count < 1:
        raise DslrGanError(f"a figure shows at least 1 pair, got {count}.")
    rows = open_rows(pairs) if isinstance(pairs, str | Path) else pairs
    quality = np.mean([scores.ssims[name] for name in models], axis=0)
    drawn = []
    for row in spread(quality, count):
        name, phone, dslr = read_row(rows, row)
        panels = [
            Panel(run_model(model, phone, label, name), f"SSIM {scores.ssims[label][row]:.4f}")
            for label, model in models.items()
        ]
        panels.append(Panel(dslr, name))
        panels.append(Panel(phone, f"SSIM {scores.ssims['input'][row]:.4f}"))
        drawn.append(panels)
    note = (
        f"{len(drawn)} of {scores.pairs} pairs, evenly spaced in their order by the models' mean "
        "SSIM, the worst at the top. Below each panel its SSIM with the DSLR photo."
    )
    return draw(drawn, [*models, "DSLR photo", "phone photo"], note)


def measure(picture: Tensor, target: Tensor) -> list[float]:
    """Compute PSNR, SSIM, MS-SSIM of a picture: both ``(1, 3, H, W)`` in [0, 1], sides from 11."""
    with torch.inference_mode():
        return [float(metric(picture, target)) for metric in (psnr, ssim, ms_ssim)]


class _Judge:
    """A pair, and what every method's result on it is compared with, computed once."""

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


def _summarise(values: Mapping[str, list[dict[str, float]]]) -> Scores:
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


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
