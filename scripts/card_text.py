"""Bring a bundled model's card up to date without measuring the model again.

    python -m scripts.card_text iphone --pairs dped/iphone --published reference_models
    python -m scripts.card_text sony

The text comes from ``facts.json`` as it is, the photo before and after is made anew. With --pairs
the published networks are scored on the pairs of the card's scores, and stand beside the model.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

from tqdm import tqdm

from dslr_gan import PhotoEnhancer, evaluate
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import open_rows
from dslr_gan.evaluation.scores import METRICS
from dslr_gan.evaluation.showcase import show_before_and_after
from dslr_gan.files import written_whole
from dslr_gan.hub import WEIGHTS
from dslr_gan.models.phones import PHONES
from dslr_gan.models.registry import load_network, load_published
from hub_card import THIS_MODEL, ModelFacts, Score
from scripts.results import PUBLISHED, PUBLISHED_FOR

INPUT = "input photo"


def with_baselines(facts: ModelFacts, phone: str, pairs: str, published: Path) -> ModelFacts:
    """Facts with the scores of the published networks after those of the input.

    Args:
        facts: Their first scores of the model say what the pairs are called, and how many they are.
        phone: Whose photos they are.
        pairs: The same pairs.
        published: Folder of the networks.

    Raises:
        DslrGanError: If the pairs are others than those of the card's scores.
    """
    own = next(score for score in facts.scores or [] if score.method == THIS_MODEL)
    models = {name: PhotoEnhancer(load_published(published / file))
              for name, file in PUBLISHED_FOR[phone].items()}  # fmt: skip
    rows = open_rows(pairs)
    if len(rows) != own.pairs:
        raise DslrGanError(f"{pairs} has {len(rows)} pairs, the card's scores {own.pairs}.")
    with tqdm(total=len(rows), unit="pair") as bar:
        measured = evaluate(models, rows, progress=lambda *_: bar.update())
    ours = {
        score.metric: score
        for score in facts.scores or []
        if score.method == INPUT and score.dataset == own.dataset  # not the places in photos
    }
    for metric, estimate in measured.input.estimates.items():
        known = ours[METRICS[metric].title]
        if estimate.value is None or abs(estimate.value - known.value) > 1e-6:
            raise DslrGanError(
                f"{pairs} are not the pairs of the card's scores: their {known.metric} is "
                f"{estimate.value}, that of the card {known.value}."
            )
    baselines = [
        Score(
            method=name,
            dataset=own.dataset,
            pairs=own.pairs,
            metric=METRICS[metric].title,
            value=estimate.value,
            ci95=estimate.ci95,
        )
        for name, method in measured.models.items()
        for metric, estimate in method.estimates.items()
        if estimate.value is not None
    ]
    others = [score for score in facts.scores or [] if score.method not in PUBLISHED]
    first = [score for score in others if score.method == INPUT and score.dataset == own.dataset]
    rest = [score for score in others if score not in first]
    return dataclasses.replace(facts, scores=[*first, *baselines, *rest])


def main() -> None:
    """Write everything of the model but its weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("phone", choices=PHONES)
    parser.add_argument("--pairs", help="the pairs of the card's scores")
    parser.add_argument("--published", type=Path, help="folder of the published networks")
    options = parser.parse_args()
    if options.pairs and not options.published:
        parser.error("--pairs needs --published, whose networks are scored on them")
    folder = PHONES[options.phone].folder
    network = load_network(folder)
    assert network.facts is not None
    network.facts = dataclasses.replace(network.facts, before_after=None)
    if options.pairs:
        network.facts = with_baselines(
            network.facts, options.phone, options.pairs, options.published
        )
    show_before_and_after(network)
    for name, content in network.saved_files(repo_id=options.phone).items():
        if name != WEIGHTS:
            with written_whole(folder / name) as path:
                path.write_bytes(content)


if __name__ == "__main__":
    try:
        main()
    except DslrGanError as error:
        sys.exit(f"scripts.card_text: {error}")
