"""The model card's facts that a training run knows, and those that a person adds."""

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dslr_gan.data.provenance import Provenance
from dslr_gan.errors import DslrGanError, reason
from dslr_gan.evaluation.evaluate import MetricScores, Scores
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.training.logbook import library_versions
from hub_card import THIS_MODEL, ModelFacts, Score, Source, unknown_facts

_LICENCE = ("licence_name", "licence_text", "licence_link")
_TITLES = {"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}


def read_card_facts(file: Path) -> dict[str, Any]:
    """Read the facts that a person adds to the card.

    Raises:
        DslrGanError: If the file is missing, no JSON object, or a fact is not known or of the
            wrong kind.
    """
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        blank = dataclasses.asdict(unknown_facts(""))
        checked = ModelFacts.from_json(json.dumps(blank | given))
    except (OSError, ValueError, TypeError) as error:
        raise DslrGanError(f"--card {file} cannot be used: {reason(error)}.") from error
    return {name: getattr(checked, name) for name in given if given[name] is not None}


def facts_of_run(
    network: Pretrained,
    run: dict[str, Any],
    *,
    commands: Sequence[str],
    provenance: Sequence[Provenance],
    scores: list[Score],
    vgg: VGGFeatures | None,
    ancestor: ModelFacts | None,
    given: dict[str, Any],
) -> ModelFacts:
    """Put together what the card of a trained network says.

    Args:
        network: Knows its settings and size.
        run: Facts by name that the trainer knows itself: title, steps, batch_size, losses, seed.
        commands: The commands of the run, first to last.
        provenance: Of each source of pairs.
        scores: From :func:`score_facts`.
        vgg: The judge of the content loss, where there was one.
        ancestor: Facts of the network that the run started from; its steps count, too.
        given: What a person added; wins over what the run knows, but for commands, which add up.

    Returns:
        All facts; those that nobody knows are None.
    """

    def inherited(fact: str) -> list[Any]:
        return list(getattr(ancestor, fact, None) or [])

    facts: dict[str, Any] = {name: getattr(ancestor, name, None) for name in _LICENCE} | run
    facts |= {
        "architecture": ", ".join(f"{name} {value}" for name, value in network.config.items())
        or type(network).__name__,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "data": _once([*inherited("data"), *(each.data for each in provenance)]),
        "teachers": _teachers(inherited("teachers"), provenance, vgg),
        "commands": _once([*inherited("commands"), *given.get("commands", []), *commands]),
        "versions": library_versions(),
        "scores": scores,
        "date": time.strftime("%Y-%m-%d"),
    }
    if ancestor is not None:  # unknown with it, and else the steps of both
        known = ancestor.steps is not None
        facts["steps"] = ancestor.steps + run["steps"] if known else None
    facts |= {name: fact for name, fact in given.items() if name != "commands"}
    return dataclasses.replace(unknown_facts(""), **facts)


def score_facts(scores: Scores, pairs: str) -> list[Score]:
    """A validation as scores for the card.

    Args:
        scores: The validation.
        pairs: What the card calls the pairs.
    """

    def rows(method: str, measured: MetricScores) -> list[Score]:
        return [
            Score(
                method=method,
                dataset=pairs,
                pairs=scores.pairs,
                metric=_TITLES[metric],
                value=value,
                ci95=measured.ci95[metric],
            )
            for metric, value in measured.means.items()
            if value is not None
        ]

    return rows("input photo", scores.input) + rows(THIS_MODEL, scores.model)


def _teachers(
    inherited: list[Source], provenance: Sequence[Provenance], vgg: VGGFeatures | None
) -> list[Source]:
    """Networks of the ancestor and of the sources, and VGG where it judged; each once."""
    found = [*inherited, *(teacher for each in provenance for teacher in each.teachers)]
    if vgg is not None:
        found.append(
            Source(
                name=f"VGG-16, {vgg.source}",
                gave="features of the content loss",
                terms=None,
                url="https://huggingface.co/timm/vgg16.tv_in1k",
                dataset_id=None,
            )
        )
    return _once(found)


def _once(found: list[Any]) -> list[Any]:
    """Each of them, where it comes first."""
    return list(dict.fromkeys(found))
