"""Facts in, model card out."""

import re
from pathlib import Path
from typing import Any

import jinja2
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from hub_card.facts import THIS_MODEL, ModelFacts, Score

TEMPLATE = Path(__file__).parent / "template.md"
"""The card's Markdown with its places to fill in."""


_COARSE = ("psnr", "colour", "noise")
"""Metrics of which two digits say enough."""


def render(facts: ModelFacts, repository: str | None) -> ModelCard:
    """Write the model card of one generator.

    Args:
        facts: What is known about it.
        repository: Its id on the Hub, which the card's examples load; None for a generator
            that lies in a folder.

    Returns:
        The card: ``str(card)`` is the whole README.md, ``card.data`` its metadata.

    Raises:
        ValueError: If the template uses a fact that does not exist.
    """
    return ModelCard(fill(TEMPLATE.read_text(encoding="utf-8"), facts, repository))


def fill(template: str, facts: ModelFacts, repository: str | None) -> str:
    """Fill in a card template; a name in it that does not exist is an error, None is *unknown*.

    Args:
        template: Jinja text; it sees ``card_data``, ``facts``, ``repository`` and
            ``score_tables``.
        facts: As for ``render``.
        repository: As for ``render``.

    Returns:
        The card's text.

    Raises:
        ValueError: If the template uses a name or a fact that does not exist.
    """
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: "unknown" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    try:
        return environment.from_string(template).render(
            card_data=card_data(facts).to_yaml(),
            facts=facts,
            repository=repository,
            score_tables=_score_tables(facts.scores or []),
        )
    except jinja2.UndefinedError as error:
        raise ValueError(f"The card template asks for what is not a fact: {error}.") from error


def card_data(facts: ModelFacts) -> ModelCardData:
    """Metadata of the card, as the Hub reads it from the head of README.md."""
    sources = [*(facts.data or []), *(facts.teachers or [])]
    tags = ["image-enhancement", "photo-enhancement", "dslr"]
    if facts.losses is None or facts.losses.get("texture"):  # the loss of the discriminator
        tags.append("gan")
    if any("dped" in source.name.lower() for source in sources):
        tags.append("dped")
    results = [_result(score) for score in facts.scores or [] if score.method == THIS_MODEL]
    return ModelCardData(
        # "unknown" and "other" are both words of the Hub's own list of licences.
        license="unknown" if facts.licence_name is None else "other",
        license_name=facts.licence_name,
        license_link=facts.licence_link,
        library_name="dslr_gan",
        pipeline_tag="image-to-image",
        tags=tags,
        datasets=[source.dataset_id for source in sources if source.dataset_id] or None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        model_name=facts.title if results else None,
        eval_results=results or None,
    )


def _result(score: Score) -> EvalResult:
    """The same score in the words of the Hub's ``model-index``."""
    details = {"pairs": score.pairs, "ci95": list(score.ci95) if score.ci95 else None}
    return EvalResult(
        task_type="image-to-image",
        task_name="Photo enhancement",
        dataset_type=_identifier(score.dataset),
        dataset_name=score.dataset,
        metric_type=_identifier(score.metric).replace("-", "_"),
        metric_name=score.metric,
        metric_value=score.value,
        metric_args={name: value for name, value in details.items() if value is not None} or None,
    )


def _identifier(words: str) -> str:
    """Words as an identifier that the Hub accepts: ``MS-SSIM`` -> ``ms-ssim``."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _score_tables(scores: list[Score]) -> list[dict[str, Any]]:
    """Group scores into one table per set of pairs: a row per method, a column per metric."""
    tables: dict[str, dict[str, Any]] = {}
    for score in scores:
        table = tables.setdefault(
            score.dataset, {"dataset": score.dataset, "metrics": [], "rows": {}}
        )
        if score.metric not in table["metrics"]:
            table["metrics"].append(score.metric)
        row = table["rows"].setdefault((score.method, score.pairs), {})
        if score.metric in row:
            raise ValueError(
                f"{score.method!r} has two values of {score.metric} on {score.dataset!r}; keep one."
            )
        row[score.metric] = _score_text(score)
    return list(tables.values())


def _score_text(score: Score) -> str:
    """A score as people read it: similarities with four digits, all that is larger with two."""
    words = score.metric.lower()
    digits = 2 if any(name in words for name in _COARSE) else 4
    text = f"{score.value:.{digits}f}"
    if score.ci95 is not None:
        text += f" ({score.ci95[0]:.{digits}f} to {score.ci95[1]:.{digits}f})"
    return text


def _cell(value: Any) -> str:
    """Text that stays inside one cell of a Markdown table."""
    text = "unknown" if value is None else str(value)
    return " ".join(text.split()).replace("|", "\\|")
