"""The paper's figure of pairs that were scored: which are shown, and what stands below them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dslr_gan.data.decode import Rows
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import Model, open_rows, read_row, run_model
from dslr_gan.evaluation.figure import Panel, draw, spread
from dslr_gan.evaluation.scores import Scores


@dataclass(frozen=True)
class ScoredPairs:
    """The pairs of one phone, with what was scored on them."""

    phone: str
    """Whose photos they are; named in the figure where there are several."""
    models: Mapping[str, Model]
    """Each by its name."""
    rows: Rows
    """The pairs."""
    scores: Scores
    """What :func:`evaluate` gave."""


def figure(
    models: Mapping[str, Model], pairs: "str | Path | Rows", scores: Scores, count: int = 4
) -> Image.Image:
    """Draw the paper's figure: for some pairs each model's result, the DSLR's and the phone's.

    Args:
        models: The models, in the order of their panels.
        pairs: The pairs that were scored.
        scores: What :func:`evaluate` gave for them.
        count: How many pairs to show, a row each; at most all.

    Returns:
        An RGB picture. The pairs are evenly spaced in their order by the mean of the models' SSIM
        and not chosen by eye. Below each panel is its SSIM with the DSLR's.

    Raises:
        DslrGanError: If ``count`` is below 1, or as :func:`evaluate`.
    """
    rows = open_rows(pairs) if isinstance(pairs, str | Path) else pairs
    return figure_of_phones([ScoredPairs("phone", models, rows, scores)], count)


def figure_of_phones(phones: Sequence[ScoredPairs], count: int = 4) -> Image.Image:
    """Draw the paper's figure for several phones, one below the other.

    Args:
        phones: What was scored, phone by phone.
        count: How many pairs of each to show.

    Returns:
        As :func:`figure`; a phone without one of the models has white panels there.

    Raises:
        DslrGanError: As :func:`figure`.
    """
    if count < 1:
        raise DslrGanError(f"a figure shows at least 1 pair, got {count}.")
    titles = list(dict.fromkeys(label for each in phones for label in each.models))
    drawn = [
        _panels(each, row, titles, each.phone if len(phones) > 1 else "")
        for each in phones
        for row in _shown(each, count)
    ]
    pairs = " and ".join(
        f"{len(_shown(each, count))} of {each.scores.pairs} "
        f"{f'{each.phone} ' if len(phones) > 1 else ''}pairs"
        for each in phones
    )
    note = (
        f"{pairs}, evenly spaced in their order by the models' mean SSIM, the worst at the top. "
        "Below each panel its SSIM with the DSLR photo."
    )
    return draw(drawn, [*titles, "DSLR photo", "phone photo"], note)


def _shown(pairs: ScoredPairs, count: int) -> list[int]:
    return spread(np.mean([pairs.scores.ssims[name] for name in pairs.models], axis=0), count)


def _panels(pairs: ScoredPairs, row: int, titles: Sequence[str], phone: str) -> list[Panel]:
    """The panels of one pair: the models', the DSLR's, the phone's."""
    name, photo, dslr = read_row(pairs.rows, row)

    def caption(method: str) -> str:
        return f"SSIM {pairs.scores.ssims[method][row]:.4f}"

    results = [
        Panel(run_model(pairs.models[label], photo, label, name), caption(label))
        if label in pairs.models
        else Panel(np.full_like(photo, 255), "")
        for label in titles
    ]
    return [*results, Panel(dslr, f"{phone} {name}".strip()), Panel(photo, caption("input"))]
