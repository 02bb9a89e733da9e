"""Validation: the averaged generator on pairs that it is not trained on, and its gradients."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from PIL import Image
from torch import Tensor

from dslr_gan.data.decode import Rows
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.evaluation.evaluate import pair_tensors
from dslr_gan.evaluation.judge import measure
from dslr_gan.evaluation.scores import Scores, summarise
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.photo import open_photo, to_pixels, to_tensor
from dslr_gan.training.options.groups import LossWeights

SHOWN_PAIRS = 4


def score_pairs(generator: Pretrained, pairs: Rows, accelerator: Accelerator) -> Scores:
    """Score a generator on pairs, which the processes share; to be called on all of them.

    Args:
        generator: In evaluation mode, on the accelerator's device.
        pairs: The pairs.
        accelerator: Knows the processes.

    Returns:
        PSNR, SSIM and MS-SSIM of the phone pictures and of the 8-bit results, against the DSLR
        pictures; the same for any number of processes, and on each of them.

    Raises:
        DslrGanError: As :func:`pair_tensors`.
    """
    own = range(accelerator.process_index, len(pairs), accelerator.num_processes)
    scored = [(row, *_score(generator, pairs, row, accelerator.device)) for row in own]
    # By row, so that nothing depends on the number of processes.
    rows = sorted(gather_object(scored))
    inputs, results = (np.array([row[side] for row in rows]) for side in (1, 2))
    differ = np.isfinite(inputs[:, 0])
    return Scores(len(rows), summarise(inputs, differ), {"model": summarise(results, differ)})


@torch.inference_mode()
def _score(
    generator: Pretrained, pairs: Rows, row: int, device: torch.device
) -> tuple[list[float], list[float]]:
    """Scores of the phone picture and of the 8-bit result against the DSLR picture."""
    phone, dslr = (picture.to(device) for picture in pair_tensors(pairs, row))
    result = to_tensor(to_pixels(generator(phone))).to(device)
    return measure(phone, dslr), measure(result, dslr)


def score_values(scores: Scores) -> dict[str, float]:
    """A validation as numbers for the log, such as ``validation/model/psnr``."""
    return {
        f"validation/{side}/{name}": value
        for side, measured in (("input", scores.input), ("model", scores.model))
        for name, value in measured.means.items()
        if value is not None
    }


@torch.inference_mode()
def sample_rows(generator: Pretrained, pairs: Rows, device: torch.device) -> list[list[np.ndarray]]:
    """Phone, enhanced and DSLR picture side by side, of pairs evenly spread over all.

    Args:
        generator: In evaluation mode.
        pairs: The pairs.
        device: Of the generator.

    Returns:
        At most :data:`SHOWN_PAIRS` rows of three pictures ``(H, W, 3)`` uint8.
    """
    rows = []
    for row in np.linspace(0, len(pairs) - 1, min(SHOWN_PAIRS, len(pairs))).astype(int):
        phone, dslr = pair_tensors(pairs, int(row))
        enhanced = generator(phone.to(device))
        rows.append([to_pixels(picture) for picture in (phone, enhanced, dslr)])
    return rows


def open_photos(files: Sequence[Path]) -> dict[str, Image.Image]:
    """Open the whole photos of ``--validation_images``.

    Returns:
        Each by what the logbook is to call it: its file's name, as far as a file system takes it,
        with a number where two are alike.

    Raises:
        DslrGanError: If one cannot be read.
    """
    photos: dict[str, Image.Image] = {}
    for file in files:
        stem = re.sub(r"[^\w.-]", "_", file.stem)
        name = stem if stem not in photos else f"{stem}_{len(photos)}"
        photos[name] = open_photo(file)
    return photos


def enhance_photos(
    generator: Pretrained, photos: Mapping[str, Image.Image], device: torch.device
) -> Iterator[tuple[str, Image.Image, Image.Image]]:
    """Enhance whole photos as a user would: a name, the photo, the result of each.

    Args:
        generator: It is copied, and stays as it is.
        photos: By name.
        device: Where to compute.
    """
    if photos:
        enhancer = PhotoEnhancer(copy.deepcopy(generator), device=device)
        for name, photo in photos.items():
            yield name, photo, enhancer.enhance(photo)


def gradient_norms(
    generator: Pretrained, terms: dict[str, Tensor], weights: LossWeights
) -> dict[str, float]:
    """Norm of each weighted term's gradient at the generator's last layer.

    Args:
        generator: Which the terms were computed with, without a wrapper or compilation.
        terms: Scalars ``()`` by the names of the weights.
        weights: Of the terms.
    """
    return {
        f"gradient/{name}": torch.autograd.grad(
            getattr(weights, name) * term, generator.last_layer.weight, retain_graph=True
        )[0]
        .norm()
        .item()
        for name, term in terms.items()
    }
