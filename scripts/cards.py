"""Measure a bundled model and write what was found into its card.

    python -m scripts.cards iphone --pairs dped/iphone --called "DPED iPhone test pairs" \
        --photos photos
    python -m scripts.cards sony --pairs dped/sony --called "DPED Sony test pairs"
    python -m scripts.cards sony  # the times and pictures alone

Every metric over the pairs with its interval, with --photos also as the model is used (the whole
photo enhanced, the patch cut out), the time and memory of photos of two sizes beside
SRCNN's, and pictures of what goes wrong, before and after, on photos of scikit-image.
Scores that are measured anew stand alone: ``scripts.card_text`` puts the published networks beside
them again.
"""

import argparse
import dataclasses
import io
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import skimage.data
import torch
from PIL import Image
from tqdm import tqdm

from benchmarks.common import LARGE, SMALL, FileToFile, in_turn, ratio, whole, write_photo
from benchmarks.memory import peak_megabytes
from dslr_gan import DslrGanError, PhotoEnhancer
from dslr_gan.evaluation.phones import open_phones
from dslr_gan.evaluation.scores import METRICS, MetricScores, Scores
from dslr_gan.evaluation.showcase import show_before_and_after
from dslr_gan.evaluation.table import PhoneScores
from dslr_gan.files import from_home
from dslr_gan.models.baselines import SRCNN
from dslr_gan.models.phones import PHONES
from dslr_gan.models.registry import load_network
from hub_card import THIS_MODEL, Picture, Score

ROUNDS = 3


class Failure(NamedTuple):
    """Something that goes wrong, and where it is seen."""

    photo: str
    """Name of a photo in ``skimage.data``."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom."""
    shows: str


FAILURES: dict[str, list[Failure]] = {
    "iphone": [
        Failure(
            "camera",
            (180, 60, 480, 260),
            "A sky that was light gray comes out white: bright photos are brightened, too.",
        ),
        Failure(
            "coffee",
            (300, 0, 600, 200),
            "Red-brown wood comes out orange, and what shone on it is white.",
        ),
    ],
    "sony": [
        Failure(
            "coffee",
            (300, 0, 600, 200),
            "Red-brown wood turns orange, and its grain is smoothed as if it were noise.",
        ),
    ],
}


def card_scores(result: PhoneScores, pairs: str) -> list[Score]:
    """What was measured, in the card's words.

    Args:
        result: Scores of a single model.
        pairs: What the card calls the pairs.
    """
    alone = _rows(pairs, result.scores, {"input photo": result.scores.input,
                                         THIS_MODEL: result.scores.model})  # fmt: skip
    if result.as_used is None:
        return alone
    patch, photo = result.as_used.models.values()
    methods = {
        "input photo": result.as_used.input,
        THIS_MODEL: photo,
        "the same, given the patch alone": patch,
    }
    return alone + _rows(f"{pairs}, as used (whole photos)", result.as_used, methods)


def _rows(pairs: str, scores: Scores, methods: dict[str, MetricScores]) -> list[Score]:
    if scores.dslr is not None:
        methods["the target itself"] = scores.dslr
    return [
        Score(
            method=name,
            dataset=pairs,
            pairs=scores.pairs,
            metric=METRICS[metric].title,
            value=estimate.value,
            ci95=estimate.ci95,
        )
        for name, method in methods.items()
        for metric, estimate in method.estimates.items()
        if estimate.value is not None
    ]


def speed(phone: str, enhancer: PhotoEnhancer) -> list[str]:
    """Lines on the time of photos of two sizes, measured here and now."""
    machine = f"{torch.get_num_threads()} cores ({platform.machine()}, float32)"
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for size in (SMALL, LARGE):
            photo = Path(folder) / f"{size[0]}.jpg"
            write_photo(photo, *size)
            taken = in_turn({"file": FileToFile(enhancer, photo)}, ROUNDS)
            seconds = statistics.median(taken["file"])
            peak = peak_megabytes(size, method=phone)
            lines.append(
                f"A JPEG of {size[0]}x{size[1]} takes {seconds:.2f} s from file to file on "
                f"{machine}, and {peak:.0f} MB at the peak of the process."
            )
        photo = Path(folder) / f"{SMALL[0]}.jpg"
        networks = {"SRCNN": PhotoEnhancer(SRCNN()), "ours": enhancer}
        alone = in_turn({name: whole(network, photo) for name, network in networks.items()}, ROUNDS)
    lines.append(
        f"The network alone takes {statistics.median(alone['ours']):.2f} s for a picture of "
        f"{SMALL[0]}x{SMALL[1]}; SRCNN takes {ratio(alone, 'SRCNN', 'ours'):.1f} "
        "times as long in the same run (Dong et al. 2014)."
    )
    return lines


def before_and_after(enhancer: PhotoEnhancer, failure: Failure) -> bytes:
    """A JPEG of a crop at 100 %: as it was on the left, enhanced on the right."""
    photo = Image.fromarray(getattr(skimage.data, failure.photo)()).convert("RGB")
    both = [np.asarray(picture.crop(failure.box)) for picture in (photo, enhancer.enhance(photo))]
    file = io.BytesIO()
    Image.fromarray(np.hstack(both)).save(file, "JPEG", quality=90)
    return file.getvalue()


def main() -> None:
    """Measure, and save the model again with what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("phone", choices=PHONES)
    parser.add_argument(
        "--pairs",
        type=from_home,
        help="pairs that the model never saw; without them the scores stay as they are",
    )
    parser.add_argument(
        "--photos", type=from_home, help="folder of the whole photos, to score it as used, too"
    )
    parser.add_argument("--called", help="what the card calls them")
    options = parser.parse_args()
    if bool(options.pairs) != bool(options.called) or (options.photos and not options.pairs):
        parser.error("--pairs and --called belong together, and --photos to them.")
    folder = PHONES[options.phone].folder
    network = load_network(folder)
    assert network.facts is not None
    enhancer = PhotoEnhancer(network)
    scores = network.facts.scores
    if options.pairs:
        (pairs,) = open_phones([options.pairs], photos=[options.photos] if options.photos else [])
        with tqdm(unit="pair") as bar:
            measured = pairs.score({options.phone: enhancer}, progress=lambda *_: bar.update())
        scores = card_scores(measured, options.called)
    failures = {f"failure-{failure.photo}.jpg": failure for failure in FAILURES[options.phone]}
    network.pictures = {
        file: before_and_after(enhancer, failure) for file, failure in failures.items()
    }
    network.facts = dataclasses.replace(
        network.facts,
        scores=scores,
        speed=speed(options.phone, enhancer),
        before_after=None,  # made anew below
        pictures=[Picture(file=file, shows=failure.shows) for file, failure in failures.items()],
    )
    show_before_and_after(network)
    network.save_pretrained(folder, repo_id=options.phone)


if __name__ == "__main__":
    try:
        main()
    except DslrGanError as error:
        sys.exit(f"scripts.cards: {error}")
