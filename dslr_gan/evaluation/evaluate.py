"""Evaluation: how close models bring phone photos to the DSLR photos of the same scene.

What is scored is the 8-bit sRGB picture that a user gets; ``evaluation/scores.py`` says
what is averaged over which pairs.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from dslr_gan.data.decode import Rows, read_pair
from dslr_gan.data.folder import has_test_pairs, split_folder
from dslr_gan.data.pairs import COLUMNS, open_pairs
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.judge import Judge, summarise_pairs
from dslr_gan.evaluation.scores import NOISE, Scores
from dslr_gan.metrics.similarity import WINDOW
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.photo import rgb_pixels, to_tensor

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
    rows = open_rows(pairs) if isinstance(pairs, str | Path) else pairs
    return summarise_pairs(score_rows(models, rows, vgg=vgg, progress=progress))


def score_rows(
    models: Mapping[str, Model],
    rows: Rows,
    *,
    vgg: VGGFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[dict[str, float]]]:
    """Score models pair by pair; see :func:`evaluate`.

    Returns:
        For ``input``, each model and ``dslr``, in the order of the rows, each metric by name.
    """
    check_models(models)
    values: dict[str, list[dict[str, float]]] = {name: [] for name in ("input", *models, "dslr")}
    for row in range(len(rows)):
        name, phone, dslr = read_row(rows, row)
        judge = Judge(phone, dslr, vgg)
        values["input"].append(judge.score(phone))
        for label, enhance in models.items():
            values[label].append(judge.score(run_model(enhance, phone, label, name)))
        values["dslr"].append({NOISE: judge.noise(dslr)})
        if progress is not None:
            progress(row + 1, len(rows))
    return values


def check_models(models: Mapping[str, Model]) -> None:
    """Refuse no model at all, and one that is called like a row of its own.

    Raises:
        DslrGanError: In these cases.
    """
    if not models or any(name in models for name in RESERVED):
        raise DslrGanError(
            f"Give at least one model to evaluate, none of them called {' or '.join(RESERVED)}."
        )


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
    pixels = rgb_pixels(result)
    if pixels.shape != phone.shape:
        raise DslrGanError(
            f"{label} made {_size(pixels)} pixels of {name}, which has {_size(phone)}; "
            "only a model that keeps the size can be scored."
        )
    return pixels


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
