"""What the page says of its models: the same facts as on their cards."""

from pathlib import Path
from typing import Any

from huggingface_hub.constants import ENDPOINT
from jinja2 import Environment, StrictUndefined

from dslr_gan.models.phones import PHONES, Phone
from dslr_gan.page.uploads import KEEP_SECONDS
from hub_card import THIS_MODEL, ModelFacts, Score

_TEMPLATE = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).from_string(Path(__file__).with_name("about.html").read_text(encoding="utf-8"))


def about(source_of: dict[str, str]) -> str:
    """Give the text about the models as HTML.

    Args:
        source_of: By phone, where its weights were loaded from.
    """
    models = [
        _model(phone, source_of.get(phone.name, "not loaded yet"))
        for phone in PHONES.values()
        if (phone.folder / "facts.json").is_file()
    ]
    return _TEMPLATE.render(models=models, hours=KEEP_SECONDS // 3600)


def _model(phone: Phone, source: str) -> dict[str, Any]:
    facts = ModelFacts.from_json((phone.folder / "facts.json").read_text(encoding="utf-8"))
    return {
        "title": f"The {phone.title} model",
        "facts": facts,
        "source": source,
        "card": f"{ENDPOINT}/{phone.repository}" if phone.repository else None,
        "sources": [*(facts.data or []), *(facts.teachers or [])],
        "tables": _tables(facts.scores or []),
    }


def _tables(scores: list[Score]) -> list[dict[str, Any]]:
    """Group scores into one table per set of pairs: a row per method, a column per metric."""
    tables = []
    for dataset in dict.fromkeys(score.dataset for score in scores):
        here = [score for score in scores if score.dataset == dataset]
        metrics = list(dict.fromkeys(score.metric for score in here))
        rows = []
        for method in dict.fromkeys(score.method for score in here):
            cells = {score.metric: _cell(score) for score in here if score.method == method}
            title = "This model" if method == THIS_MODEL else method
            rows.append({"method": title, "scores": [cells.get(metric) for metric in metrics]})
        pairs = max(score.pairs or 0 for score in here)
        tables.append({"dataset": dataset, "pairs": pairs, "metrics": metrics, "rows": rows})
    return tables


def _cell(score: Score) -> dict[str, str]:
    digits = 4 if score.metric.endswith("SSIM") or score.metric == "FLIP" else 2
    interval = f"[{score.ci95[0]:.{digits}f}, {score.ci95[1]:.{digits}f}]" if score.ci95 else ""
    return {"value": f"{score.value:.{digits}f}", "interval": interval}
