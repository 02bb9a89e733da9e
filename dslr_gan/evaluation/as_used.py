"""Models scored as they are used: the whole photo is enhanced, and the patch is cut out of it.

A patch alone cannot show how bright and how warm the photo is as a whole, and a model that is given
whole photos knows. Scores of patches alone therefore say little of what a person gets.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from dslr_gan.data.decode import Rows
from dslr_gan.data.places import Place, Places, pair_names
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import Model, check_models, read_row, run_model
from dslr_gan.evaluation.judge import Judge, summarise_pairs
from dslr_gan.evaluation.scores import NOISE, Scores
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.photo import open_photo, rgb_pixels

ALONE, AS_USED = "patch alone", "whole photo"
"""What the two ways of enhancing are called, behind a model's name."""

APART = 16.0
"""Levels of 255 by which a patch may differ from its place in the photo, on average. DPED's patches
were compressed once more and differ by up to 8; a patch of another place differs by more."""


def evaluate_as_used(
    models: Mapping[str, Model],
    rows: Rows,
    places: Places,
    photos: str | Path,
    *,
    vgg: VGGFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score models on the pairs whose photo is known: on the patch alone, and on the whole photo.

    One photo is in memory at a time, with one result.

    Args:
        models: By name; each is given whole photos, too.
        rows: What :func:`open_rows` gives; those without a place are left out.
        places: Where the patches lie in the photos.
        photos: The folder of the whole photos.
        vgg: Adds the VGG-16 distance.
        progress: Called with (pairs done, pairs in all) after each pair.

    Returns:
        Every metric over the pairs that have a place: for the phone's patches, for each model
        ``NAME, patch alone`` and ``NAME, whole photo``, for the DSLR's.

    Raises:
        DslrGanError: If no pair has a place, a photo is missing or another one than the patch was
            cut from, or as :func:`evaluate`.
    """
    found = score_rows_as_used(models, rows, places, photos, vgg=vgg, progress=progress)
    return summarise_pairs(found)


def score_rows_as_used(
    models: Mapping[str, Model],
    rows: Rows,
    places: Places,
    photos: str | Path,
    *,
    vgg: VGGFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[dict[str, float]]]:
    """Score models pair by pair; see :func:`evaluate_as_used`.

    Returns:
        For each method, in the order of the rows that have a place, each metric by name.
    """
    check_models(models)
    by_photo = _by_photo(rows, places, Path(photos))
    pairs = sum(map(len, by_photo.values()))
    measured: dict[int, dict[str, dict[str, float]]] = {}
    for photo, located in by_photo.items():
        for row, scores in _score_photo(models, rows, Path(photos) / photo, located, vgg).items():
            measured[row] = scores
            if progress is not None:
                progress(len(measured), pairs)
    methods = next(iter(measured.values()))
    return {name: [measured[row][name] for row in sorted(measured)] for name in methods}


def _by_photo(rows: Rows, places: Places, photos: Path) -> dict[str, dict[int, Place]]:
    """Photo -> row -> place; every photo is looked for before the first is enhanced."""
    if not photos.is_dir():
        raise DslrGanError(f"there is no folder {photos}; name the one with the whole photos.")
    found: dict[str, dict[int, Place]] = {}
    for row, name in enumerate(pair_names(rows)):
        place = places.by_pair.get(name)
        if place is not None:
            found.setdefault(place.photo, {})[row] = place
    if not found:
        raise DslrGanError(
            f"{places.file} has no place of any of the {len(rows)} pairs; score other pairs, or "
            "leave the photos out."
        )
    missing = [photo for photo in found if not (photos / photo).is_file()]
    if missing:
        raise DslrGanError(
            f"{photos} lacks {len(missing)} of the {len(found)} photos that the pairs were cut "
            f"from, such as {missing[0]}; name the folder that has them."
        )
    return found


def _score_photo(
    models: Mapping[str, Model],
    rows: Rows,
    file: Path,
    located: Mapping[int, Place],
    vgg: VGGFeatures | None,
) -> dict[int, dict[str, dict[str, float]]]:
    """Row -> method -> metric of the pairs that were cut from one photo."""
    photo = rgb_pixels(open_photo(file))
    measured: dict[int, dict[str, dict[str, float]]] = {}
    judges: dict[int, tuple[Judge, tuple[slice, slice]]] = {}
    for row, place in located.items():
        name, phone, dslr = read_row(rows, row)
        window = _window(photo, phone, place, f"{file}: the patch {name}")
        judge = Judge(phone, dslr, vgg)
        judges[row] = judge, window
        measured[row] = {"input": judge.score(phone)}
        for label, model in models.items():
            alone = run_model(model, phone, label, name)
            measured[row][f"{label}, {ALONE}"] = judge.score(alone)
            measured[row][f"{label}, {AS_USED}"] = {}  # in its place among the rows
        measured[row]["dslr"] = {NOISE: judge.noise(dslr)}
    for label, model in models.items():
        enhanced = run_model(model, photo, label, file.name)
        for row, (judge, window) in judges.items():
            measured[row][f"{label}, {AS_USED}"] = judge.score(enhanced[window])
    return measured


def _window(photo: np.ndarray, phone: np.ndarray, place: Place, called: str) -> tuple[slice, slice]:
    """The rows and columns of a patch in its photo, which must show the same."""
    height, width = phone.shape[:2]
    window = slice(place.top, place.top + height), slice(place.left, place.left + width)
    cut = photo[window]
    if cut.shape != phone.shape:
        raise DslrGanError(
            f"{called} does not fit in at {place.left}, {place.top} of "
            f"{photo.shape[1]}x{photo.shape[0]} pixels; check the place and the photo."
        )
    apart = float(np.abs(cut.astype(np.int16) - phone).mean())
    if apart > APART:
        raise DslrGanError(
            f"{called} differs from what is at {place.left}, {place.top} by {apart:.0f} levels on "
            "average, as if it were cut from another photo; check the folder of photos."
        )
    return window
