"""Facts in, model card out."""

import re
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import jinja2
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from hub_card import markdown
from hub_card.facts import THIS_MODEL, ModelFacts, Score
from hub_card.marker import marked

TEMPLATE = Path(__file__).parent / "template.md"
"""The card's Markdown with its places to fill in."""
ABOUT = Path(__file__).parent / "about.md"
"""The same for a page about the model."""

LICENCE = "LICENSE"
"""The file with the terms, beside the card."""

_HUB_ID = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*")


class _Metric(NamedTuple):
    """How a metric is written and read."""

    digits: int
    better: str
    """What follows its name, such as an arrow to where it is better."""


_METRICS = {
    "psnr": _Metric(2, " (dB) ↑"),
    "ssim": _Metric(4, " ↑"),
    "ms-ssim": _Metric(4, " ↑"),
    "flip": _Metric(4, " ↓"),
    "colour shift": _Metric(2, " ↓"),
    "noise amplification": _Metric(2, " (as the target's)"),
}


def render(facts: ModelFacts, repository: str | None, *, space: str | None = None) -> ModelCard:
    """Write the model card of one generator.

    Args:
        facts: What is known about it.
        repository: What the card's examples load: its id on the Hub, or the name of a bundled
            one; None for a generator that lies in a folder.
        space: Hub id of the Space that runs the package, from which it can be installed, too.

    Returns:
        The card: ``str(card)`` is the whole README.md, ``card.data`` its metadata.

    Raises:
        ValueError: If the template uses a fact that does not exist.
    """
    text = fill(TEMPLATE.read_text(encoding="utf-8"), facts, repository, space)
    return ModelCard(marked(text))


def about(facts: ModelFacts) -> str:
    """What people should know of a generator, as Markdown: scores, data, limits, terms, sources.

    The text of the facts is escaped; it has no pictures and no HTML.

    Args:
        facts: What is known about it.
    """
    return fill(ABOUT.read_text(encoding="utf-8"), facts, None)


def fill(template: str, facts: ModelFacts, repository: str | None, space: str | None = None) -> str:
    """Fill in a card template; a name in it that does not exist is an error, None is *unknown*.

    Args:
        template: Jinja text; it sees ``card_data``, ``facts``, ``model``, ``space`` and
            ``score_tables``, and the filters ``text``, ``link`` and ``code``.
        facts: As for ``render``.
        repository: As for ``render``.
        space: As for ``render``.

    Returns:
        The card's text.

    Raises:
        ValueError: If the template uses a name or a fact that does not exist.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        autoescape=False,  # Markdown: the filters escape
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: "unknown" if value is None else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "text": markdown.text,
        "link": markdown.link,
        "code": markdown.code_block,
    }
    try:
        return environment.from_string(template).render(
            card_data=card_data(facts).to_yaml(),
            facts=facts,
            model=repository or "path/to/this/folder",
            space=space,
            score_tables=_score_tables(facts.scores or []),
            licence_link=_licence_link(facts),
        )
    except jinja2.UndefinedError as error:
        raise ValueError(f"The card template asks for what is not a fact: {error}.") from error


def licence_file(facts: ModelFacts) -> str | None:
    """The text of the file LICENSE: the terms of the weights and of what they learned from.

    Returns:
        None where nobody knows the terms, or the facts link to them.
    """
    if facts.licence_text is None or _licence_link(facts) != LICENCE:
        return None
    lines = [f"Terms of the weights of {facts.title} ({facts.licence_name or 'no name'})", ""]
    lines += [facts.licence_text, ""]
    sources = [*(facts.data or []), *(facts.teachers or [])]
    if sources:
        lines += ["What they learned from, and its terms:", ""]
    for source in sources:
        address = f" <{source.url}>" if source.url else ""
        lines.append(f"- {source.name}{address}: {source.terms or 'terms unknown'}")
    return "\n".join(lines).rstrip() + "\n"


def summary(facts: ModelFacts) -> str:
    """Title, steps and scores on one line, as for the message of a commit."""
    parts = [] if facts.steps is None else [f"step {facts.steps}"]
    own = [score for score in facts.scores or [] if score.method == THIS_MODEL]
    shown = [score for score in own if score.metric.lower() in ("psnr", "ssim", "ms-ssim")]
    parts += [f"{score.metric} {score.value:.{_metric(score).digits}f}" for score in shown]
    if shown and shown[0].pairs is not None:
        parts.append(f"on {shown[0].pairs} pairs")
    title = " ".join(facts.title.split())[:100] or "A network"
    return f"{title}: {', '.join(parts)}" if parts else title


def _licence_link(facts: ModelFacts) -> str | None:
    """Where the terms can be read: a web address, or the file beside the card."""
    if facts.licence_link is not None and markdown.is_web_address(facts.licence_link):
        return facts.licence_link
    return LICENCE if facts.licence_text is not None else None


def card_data(facts: ModelFacts) -> ModelCardData:
    """Metadata of the card, as the Hub reads it from the head of README.md."""
    sources = [*(facts.data or []), *(facts.teachers or [])]
    tags = ["image-enhancement", "photo-enhancement", "dslr"]
    if facts.losses is None or facts.losses.get("texture"):  # the loss of the discriminator
        tags.append("gan")
    if any("dped" in source.name.lower() for source in sources):
        tags.append("dped")
    results = [_result(score) for score in facts.scores or [] if score.method == THIS_MODEL]
    base = facts.base_model if _is_hub_id(facts.base_model) else None
    datasets = [name for name in (source.dataset_id for source in sources) if _is_hub_id(name)]
    known = facts.licence_name is not None
    data = ModelCardData(
        # "unknown" and "other" are both words of the Hub's own list of licences.
        license="other" if known else "unknown",
        license_name=facts.licence_name,
        license_link=_licence_link(facts) if known else None,
        library_name="dslr_gan",
        pipeline_tag="image-to-image",
        tags=tags,
        base_model=base,
        datasets=list(dict.fromkeys(datasets)) or None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        model_name=facts.title if results else None,
        eval_results=results or None,
    )
    if base is not None:
        data["base_model_relation"] = "finetune"
    return data


def _is_hub_id(name: str | None) -> TypeGuard[str]:
    return name is not None and _HUB_ID.fullmatch(name) is not None


def _result(score: Score) -> EvalResult:
    """The same score in the words of the Hub's ``model-index``, rounded as the card shows it."""
    digits = _metric(score).digits
    interval = [round(end, digits) for end in score.ci95] if score.ci95 else None
    details = {"pairs": score.pairs, "ci95": interval}
    return EvalResult(
        task_type="image-to-image",
        task_name="Photo enhancement",
        dataset_type=_identifier(score.dataset),
        dataset_name=score.dataset,
        metric_type=_identifier(score.metric).replace("-", "_"),
        metric_name=score.metric,
        metric_value=round(score.value, digits),
        metric_args={name: value for name, value in details.items() if value is not None} or None,
    )


def _metric(score: Score) -> _Metric:
    return _METRICS.get(score.metric.lower(), _Metric(4, ""))


def _identifier(words: str) -> str:
    """Words as an identifier that the Hub accepts: ``MS-SSIM`` -> ``ms-ssim``."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "unnamed"


def _score_tables(scores: list[Score]) -> list[dict[str, Any]]:
    """Group scores into one table per set of pairs: a row per method, a column per metric."""
    tables: dict[str, dict[str, Any]] = {}
    for score in scores:
        table = tables.setdefault(
            score.dataset, {"dataset": score.dataset, "metrics": {}, "rows": {}}
        )
        table["metrics"][score.metric] = markdown.text(score.metric) + _metric(score).better
        row = table["rows"].setdefault((score.method, score.pairs), {})
        if score.metric in row:
            raise ValueError(
                f"{score.method!r} has two values of {score.metric} on {score.dataset!r}; keep one."
            )
        row[score.metric] = _score_text(score)
    return list(tables.values())


def _score_text(score: Score) -> str:
    """A score as people read it: similarities with four digits, all that is larger with two."""
    digits = _metric(score).digits
    shown = f"{score.value:.{digits}f}"
    if score.ci95 is not None:
        shown += f" ({score.ci95[0]:.{digits}f} to {score.ci95[1]:.{digits}f})"
    return shown
