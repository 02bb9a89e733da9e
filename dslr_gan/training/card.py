"""The model card's facts that a training run knows, and those that a person adds."""

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dslr_gan.data.provenance import Provenance
from dslr_gan.errors import DslrGanError, reason
from dslr_gan.evaluation.scores import MetricScores, Scores
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.models.pretrained import ATTACHMENTS, Pretrained
from dslr_gan.training.arguments import Settings
from dslr_gan.training.batches import TrainingData
from dslr_gan.training.keeping.state import RunState
from dslr_gan.training.logbook import library_versions
from hub_card import THIS_MODEL, ModelFacts, Picture, Score, Source, unknown_facts

CURVES, SAMPLES = "curves.png", "samples.png"

_LICENCE = ("licence_name", "licence_text", "licence_link")
_TITLES = {"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}


@dataclass
class RunCard:
    """What the card says besides what the run itself knows."""

    given: dict[str, Any] = field(default_factory=dict)
    """Facts that a person added, by name."""
    ancestor: ModelFacts | None = None
    """Facts of the network that the run started from."""
    base_model: str | None = None
    """Hub id of that network; None where it is not from there."""

    def start_from(self, network: Pretrained) -> None:
        """Note what a run starts from; what is known of it is then here, not in the network."""
        self.ancestor, origin = network.facts, network.origin
        self.base_model = origin.repository if origin is not None else None
        network.facts, network.origin, network.pictures = None, None, {}

    def describe(
        self,
        settings: Settings,
        state: RunState,
        data: TrainingData,
        scores: Scores,
        vgg: VGGFeatures | None,
        logbook: Path,
    ) -> None:
        """Give the averaged network its facts, and the files that belong to its card.

        Args:
            settings: See :meth:`facts`; so are the next four.
            state: Has the network.
            data: Of the run.
            scores: Of the network.
            vgg: Of the content loss.
            logbook: The run's folder of results.
        """
        state.ema.facts = self.facts(settings, state, data, scores, vgg)
        state.ema.pictures, state.ema.attachments = files_of(logbook)

    def facts(
        self,
        settings: Settings,
        state: RunState,
        data: TrainingData,
        scores: Scores,
        vgg: VGGFeatures | None,
    ) -> ModelFacts:
        """Put together what the card of a trained network says.

        Args:
            settings: Of the run.
            state: How far it is.
            data: What it trains and validates on.
            scores: Its latest validation.
            vgg: What the content loss compares with, where it is computed.

        Returns:
            All facts; those that nobody knows are None. What a person gave wins over what the run
            knows, but for commands, which add up; so do the steps of the network it started from.
        """
        network, ancestor = state.ema, self.ancestor
        pairs = "/".join(Path(data.validation_name).parts[-2:])
        facts: dict[str, Any] = {name: getattr(ancestor, name, None) for name in _LICENCE}
        facts |= {
            "title": f"dslr_gan {settings.output.output_dir.resolve().name}",
            "steps": state.step,
            "batch_size": state.samples_per_step,
            "losses": settings.losses.active(),
            "seed": settings.pairs.seed,
            "architecture": ", ".join(f"{name} {value}" for name, value in network.config.items())
            or type(network).__name__,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "data": _once([*self._inherited("data"), *(source.data for source in data.provenance)]),
            "teachers": _teachers(self._inherited("teachers"), data.provenance, vgg),
            "commands": _once(
                [*self._inherited("commands"), *self.given.get("commands", []), *state.commands]
            ),
            "versions": library_versions(),
            "scores": score_facts(scores, f"validation pairs of {pairs}"),
            "date": time.strftime("%Y-%m-%d"),
            "base_model": self.base_model,
            "training_pictures": [
                Picture(file=CURVES, shows="Losses and validation over the steps."),
                Picture(
                    file=SAMPLES,
                    shows=f"Validation pairs at step {state.step}: the phone's "
                    "picture, the result, the DSLR's picture.",
                ),
            ],
        }
        if ancestor is not None:  # unknown with it, and else the steps of both
            facts["steps"] = None if ancestor.steps is None else ancestor.steps + state.step
        facts |= {name: fact for name, fact in self.given.items() if name != "commands"}
        return dataclasses.replace(unknown_facts(""), **facts)

    def _inherited(self, fact: str) -> list[Any]:
        return list(getattr(self.ancestor, fact, None) or [])


def files_of(logbook: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The pictures of how a run went, for its card, and its arguments, as far as they are there.

    Args:
        logbook: The run's folder of results.

    Returns:
        Their contents by the names that they have beside a saved network.
    """
    samples = sorted(logbook.glob("samples/step_*.png"))[-1:]
    pictures = {CURVES: logbook / CURVES, SAMPLES: samples[-1] if samples else logbook / SAMPLES}
    run = {name: logbook / name for name in ATTACHMENTS}
    return _contents(pictures), _contents(run)


def _contents(files: dict[str, Path]) -> dict[str, bytes]:
    return {name: file.read_bytes() for name, file in files.items() if file.is_file()}


def read_card_facts(file: Path) -> dict[str, Any]:
    """Read the facts that a person adds to the card.

    Raises:
        DslrGanError: If the file is missing, no JSON object, or a fact is not known or of the
            wrong kind.
    """
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            raise TypeError("it must hold an object with facts")
        blank = dataclasses.asdict(unknown_facts(""))
        checked = ModelFacts.from_json(json.dumps(blank | given))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DslrGanError(f"--card {file} cannot be used: {reason(error)}.") from error
    return {name: getattr(checked, name) for name in given if given[name] is not None}


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
    """Networks of the ancestor and of the sources, and VGG where it was used; each once."""
    found = [*inherited, *(teacher for source in provenance for teacher in source.teachers)]
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
