"""Scores: how close models bring phone photos to the DSLR photos of the same scene.

What is scored is the 8-bit sRGB picture that a user gets. SSIM and MS-SSIM average over all
pairs. PSNR averages over the pairs whose two pictures differ, for every method alike, since it
is infinite where they do not; a pair that a model reproduces exactly is left out of that
model's PSNR for the same reason, and counted.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dslr_gan.data import find_pairs
from dslr_gan.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.image import eight_bits, open_photo, to_canvas, to_tensor
from dslr_gan.metrics import WINDOW, ms_ssim, psnr, ssim

Model = PhotoEnhancer | Callable[[Image.Image], Image.Image]
"""What can be scored: an enhancer, or any function from a photo to one of the same size."""

METRICS = {"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim}

RESAMPLES = 2000
"""How often the pairs are drawn again, with replacement, for a confidence interval."""


@dataclass(frozen=True)
class MetricScores:
    """How one method did: means over the pairs, higher is better."""

    psnr: float | None
    """Decibels; None where no pair was left to average over."""

    ssim: float
    """At most 1."""

    ms_ssim: float
    """From 0 to 1."""

    psnr_pairs: int
    """Over how many pairs ``psnr`` is."""

    ci95: dict[str, tuple[float, float] | None]
    """Ends of the 95 % confidence interval of each mean, by a bootstrap over the pairs."""

    @property
    def means(self) -> dict[str, float | None]:
        """The three means by name."""
        return {"psnr": self.psnr, "ssim": self.ssim, "ms_ssim": self.ms_ssim}


@dataclass(frozen=True)
class Scores:
    """How models did on a folder of pairs, beside the phone photos as they are."""

    pairs: int
    """How many pairs were scored."""

    input: MetricScores
    """The phone photos themselves."""

    models: dict[str, MetricScores]
    """Each model by its name, at least one."""

    @property
    def model(self) -> MetricScores:
        """The first model, which is the only one where one was given."""
        return next(iter(self.models.values()))

    def to_json(self) -> str:
        """Write the scores as JSON text, ``pairs``, ``input`` and ``model`` first.

        ``psnr_pairs`` and ``ci95`` list the input and every model; a PSNR over no pairs is null.
        """
        methods = {"input": self.input, **self.models}
        scores = {
            "pairs": self.pairs,
            "input": self.input.means,
            "model": self.model.means,
            "models": {name: each.means for name, each in self.models.items()},
            "psnr_pairs": {name: each.psnr_pairs for name, each in methods.items()},
            "ci95": {name: each.ci95 for name, each in methods.items()},
        }
        return json.dumps(scores, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def table(self) -> str:
        """Write the scores as a Markdown table; in brackets the 95 % confidence intervals."""
        rows = [["", "pairs", "PSNR (dB)", "SSIM", "MS-SSIM"]]
        for name, each in {"input": self.input, **self.models}.items():
            shown = [_shown(each, metric) for metric in METRICS]
            rows.append([name, str(self.pairs), *shown])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        rows.insert(1, ["-" * width for width in widths])
        lines = [
            "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
            for row in rows
        ]
        return "\n".join([*lines, *self._notes()]) + "\n"

    def _notes(self) -> Iterator[str]:
        """Say over how many pairs a PSNR is, where that is not over all of them."""
        methods = {"input": self.input, **self.models}
        for count in sorted({each.psnr_pairs for each in methods.values()} - {self.pairs}):
            names = ", ".join(name for name, each in methods.items() if each.psnr_pairs == count)
            rest = self.pairs - count
            yield f"PSNR over {count} pairs, {rest} without a finite one: {names}."


def evaluate(
    model: Model | Mapping[str, Model],
    pairs: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score models on pairs of a phone photo and a DSLR photo.

    Args:
        model: An enhancer (at full strength), a function from a photo to one of the same size,
            or several of them by name.
        pairs: A folder with one sub-folder of phone photos, any name, and one called ``canon``
            with the same file names; both sides at least 11 pixels.
        progress: Called with (pairs done, pairs in all) after each pair.

    Returns:
        The means over the pairs, for the phone photos themselves and for each model.

    Raises:
        DslrGanError: If the folder is not laid out like that, a file cannot be read, two
            pictures differ in size, a model's result does, or no model is given.
    """
    models = dict(model) if isinstance(model, Mapping) else {"model": model}
    if not models or "input" in models:
        raise DslrGanError("Give at least one model to evaluate, none of them called input.")
    found = find_pairs(pairs)
    values: dict[str, list[list[float]]] = {name: [] for name in ("input", *models)}
    for done, name in enumerate(found.names, start=1):
        photo, target = open_photo(found.phone / name), _picture(open_photo(found.dslr / name))
        before = _picture(photo)
        _check_sizes(before, target, found.phone / name, found.dslr / name)
        values["input"].append(measure(before, target))
        for each, enhance in models.items():
            after = _picture(_run(enhance, photo))
            if after.shape != before.shape:
                raise DslrGanError(
                    f"{each} made {_size(after)} pixels of {name}, which has {_size(before)}; "
                    "only a model that keeps the size can be scored."
                )
            values[each].append(measure(after, target))
        if progress is not None:
            progress(done, len(found.names))
    # Infinite for the input: the two pictures are the same, and no method's PSNR counts there.
    differ = np.isfinite(np.array(values["input"])[:, 0])
    scores = {name: summarise(np.array(rows), differ) for name, rows in values.items()}
    return Scores(len(found.names), scores.pop("input"), scores)


def _run(model: Model, photo: Image.Image) -> Image.Image:
    return model.enhance(photo) if isinstance(model, PhotoEnhancer) else model(photo)


def _picture(photo: Image.Image) -> Tensor:
    """What a viewer shows: upright, sRGB, 8 bits, as ``(1, 3, H, W)`` in [0, 1]."""
    return to_tensor(eight_bits(to_canvas(photo).pixels))


def measure(picture: Tensor, target: Tensor) -> list[float]:
    """Give PSNR, SSIM, MS-SSIM of a picture: both ``(1, 3, H, W)`` in [0, 1], sides from 11."""
    with torch.inference_mode():
        return [float(metric(picture, target)) for metric in METRICS.values()]


def summarise(rows: np.ndarray, differ: np.ndarray) -> MetricScores:
    """Average what :func:`measure` gave for each pair, with confidence intervals.

    Args:
        rows: ``(pairs, 3)``.
        differ: ``(pairs,)``: whether the phone picture and its target differ.

    Returns:
        The means; PSNR only over pairs that differ and where it is finite.
    """
    counted = rows[differ & np.isfinite(rows[:, 0]), 0]
    columns = {"psnr": counted, "ssim": rows[:, 1], "ms_ssim": rows[:, 2]}
    return MetricScores(
        psnr=float(counted.mean()) if len(counted) else None,
        ssim=float(rows[:, 1].mean()),
        ms_ssim=float(rows[:, 2].mean()),
        psnr_pairs=len(counted),
        ci95={name: _interval(column) for name, column in columns.items()},
    )


def _interval(values: np.ndarray) -> tuple[float, float] | None:
    """The 95 % interval of the mean; the same draw for the same number of pairs."""
    if len(values) == 0:
        return None
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _check_sizes(first: Tensor, second: Tensor, first_file: Path, second_file: Path) -> None:
    if first.shape != second.shape:
        raise DslrGanError(
            f"{first_file} has {_size(first)} pixels and {second_file} has {_size(second)}; "
            "cut both pictures of a pair to one size."
        )
    if min(first.shape[-2:]) < WINDOW:
        raise DslrGanError(
            f"{first_file} has {_size(first)} pixels; SSIM needs at least {WINDOW}x{WINDOW}."
        )


def _size(picture: Tensor) -> str:
    return f"{picture.shape[-1]}x{picture.shape[-2]}"


def _shown(scores: MetricScores, metric: str) -> str:
    """A mean and its interval, such as ``22.39 [21.70, 23.04]``."""
    mean, interval = scores.means[metric], scores.ci95[metric]
    if mean is None or interval is None:
        return "none"
    digits = 2 if metric == "psnr" else 4
    return f"{mean:.{digits}f} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
