"""Scores over pairs: means with their intervals, per method, as text and as JSON.

SSIM and MS-SSIM average over all pairs. PSNR averages over the pairs whose two pictures differ,
for every method alike, since it is infinite where they do not; a pair that a model reproduces
exactly is left out of that model's PSNR for the same reason, and counted. Noise amplification is
the median over the pairs whose phone picture has noise to amplify.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

RESAMPLES = 2000
"""How often the pairs are drawn again, with replacement, for a confidence interval."""

_DRAWN_AT_ONCE = 2**22


@dataclass(frozen=True)
class Metric:
    """One metric: what it is called and how it is read."""

    title: str
    """What people call it."""
    unit: str
    """Its unit; empty for a pure number."""
    better: str
    """``higher``, ``lower``, or ``as the DSLR's``."""
    digits: int
    """Decimals worth printing."""
    says: str
    """What it is, for readers of tables."""

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def direction(self) -> str:
        """Which values are the better ones, in words."""
        return f"{self.better} is better" if self.better in ("higher", "lower") else "best as DSLR"


NOISE = "noise_amplification"

MAIN = ("psnr", "ssim", "ms_ssim")
"""The three that the trainer validates with, in the order of :func:`summarise`'s columns."""

METRICS: dict[str, Metric] = {
    "psnr": Metric(
        "PSNR", "dB", "higher", 2, "Peak signal-to-noise ratio, over the pairs that differ."
    ),
    "ssim": Metric(
        "SSIM",
        "",
        "higher",
        4,
        "Structural similarity of Wang et al. 2004 on RGB: Gaussian window 11, sigma 1.5.",
    ),
    "ms_ssim": Metric(
        "MS-SSIM",
        "",
        "higher",
        4,
        "Multi-scale structural similarity of Wang et al. 2003, as DPED and PIRM 2018 compute it; "
        "their papers call it SSIM.",
    ),
    "flip": Metric(
        "FLIP",
        "",
        "lower",
        4,
        "The difference an eye sees when the two pictures alternate (Andersson et al. 2020; no "
        "trained weights), mean over the pixels at 67 pixels per degree.",
    ),
    "vgg16_distance": Metric(
        "VGG-16 distance",
        "",
        "lower",
        4,
        "Mean squared distance of VGG-16 features at relu2_2 and relu3_3, summed: the content "
        "loss. It is not LPIPS.",
    ),
    "colour_shift": Metric(
        "colour shift",
        "CIEDE2000",
        "lower",
        2,
        "Mean colour difference CIEDE2000 to the DSLR picture, both blurred (sigma 3).",
    ),
    NOISE: Metric(
        "noise amplification",
        "",
        "as the DSLR's",
        2,
        "Standard deviation of luma minus its Gaussian blur (sigma 1.5) over the flattest tenth of "
        "the phone picture's 16x16 blocks, as a multiple of the phone picture's own. The median "
        "over the pairs: the mean would depend on the few whose flattest blocks are nearly free of "
        "noise. The DSLR's ratio is the yardstick, since what the phone blurred is no noise.",
    ),
}
"""All that can be measured, by name, in the order of the tables."""


@dataclass(frozen=True)
class Estimate:
    """A metric's value over pairs."""

    value: float | None
    """The mean (of noise amplification, the median); None over no pair."""
    ci95: tuple[float, float] | None
    """Ends of its 95 % confidence interval, by a bootstrap over the pairs."""
    pairs: int
    """Over how many pairs."""


@dataclass(frozen=True)
class MetricScores:
    """How one method did."""

    estimates: dict[str, Estimate]
    """What was measured, by the names of :data:`METRICS`."""

    @property
    def ssim(self) -> float:
        """At most 1."""
        return self._always("ssim")

    @property
    def ms_ssim(self) -> float:
        """From 0 to 1."""
        return self._always("ms_ssim")

    @property
    def psnr_pairs(self) -> int:
        """Over how many pairs ``psnr`` is."""
        return self.estimates["psnr"].pairs

    @property
    def means(self) -> dict[str, float | None]:
        """Each metric's value by its name."""
        return {name: estimate.value for name, estimate in self.estimates.items()}

    @property
    def ci95(self) -> dict[str, tuple[float, float] | None]:
        """Each metric's interval by its name."""
        return {name: estimate.ci95 for name, estimate in self.estimates.items()}

    def _always(self, metric: str) -> float:
        value = self.estimates[metric].value
        if value is None:
            raise ValueError(f"{metric} was measured over no pair.")
        return value


@dataclass(frozen=True)
class Scores:
    """How models did on pairs, beside the phone photos as they are."""

    pairs: int
    """How many pairs were scored."""

    input: MetricScores
    """The phone photos themselves."""

    models: dict[str, MetricScores]
    """Each model by its name, at least one."""

    dslr: MetricScores | None = None
    """The DSLR photos themselves: the noise that a perfect result would show."""

    ssims: dict[str, list[float]] = field(default_factory=dict, repr=False, compare=False)
    """SSIM pair by pair, of the input and of each model; empty where nobody kept them."""

    @property
    def model(self) -> MetricScores:
        """The first model, which is the only one where one was given."""
        return next(iter(self.models.values()))

    @property
    def methods(self) -> dict[str, MetricScores]:
        """All that was scored: ``input``, the models, and ``dslr`` where that was measured."""
        last = {"dslr": self.dslr} if self.dslr else {}
        return {"input": self.input, **self.models, **last}

    @property
    def metrics(self) -> dict[str, Metric]:
        """What was measured of the input and the models, in the order of the tables."""
        return {name: metric for name, metric in METRICS.items() if name in self.input.estimates}

    def to_json(self) -> str:
        """Write the scores as JSON text: :meth:`as_object`."""
        return json.dumps(self.as_object(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def as_object(self) -> dict[str, Any]:
        """Give the scores as plain data for JSON, ``pairs``, ``input`` and ``model`` first.

        ``input``, ``model`` and ``models`` hold the three main metrics as plain numbers, a PSNR
        over no pairs as null; ``psnr_pairs`` and ``ci95`` go with them. ``methods`` holds every
        metric of every method with interval and number of pairs, ``metrics`` says what they are.
        """
        scored = {"input": self.input, **self.models}

        def main(scores: MetricScores) -> dict[str, float | None]:
            return {name: scores.means[name] for name in MAIN}

        return {
            "pairs": self.pairs,
            "input": main(self.input),
            "model": main(self.model),
            "models": {name: main(method) for name, method in self.models.items()},
            "psnr_pairs": {name: method.psnr_pairs for name, method in scored.items()},
            "ci95": {
                name: {metric: method.ci95[metric] for metric in MAIN}
                for name, method in scored.items()
            },
            "methods": {
                name: {metric: asdict(estimate) for metric, estimate in method.estimates.items()}
                for name, method in self.methods.items()
            },
            "metrics": {name: asdict(metric) for name, metric in self.metrics.items()},
        }

    def table(self) -> str:
        """Write the scores as Markdown tables for a terminal; in brackets the 95 % intervals.

        The three main metrics first, then the others where there are any.
        """
        rest = [name for name in self.metrics if name not in MAIN]
        parts = [self._part([name for name in MAIN if name in self.metrics])]
        parts += [self._part(rest)] if rest else []
        return "\n".join(parts) + "".join(f"{note}\n" for note in self.notes())

    def _part(self, metrics: list[str]) -> str:
        headings = [f"{METRICS[name].heading}, {METRICS[name].direction}" for name in metrics]
        rows = [["", "pairs", *headings]]
        for name, method in self.methods.items():
            if method.estimates.keys() & set(metrics):
                rows.append([name, str(self.pairs), *(shown(method, metric) for metric in metrics)])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        rows.insert(1, ["-" * width for width in widths])
        lines = [
            "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |\n"
            for row in rows
        ]
        return "".join(lines)

    def notes(self) -> Iterator[str]:
        """Say over how many pairs a metric is, where that is not over all of them."""
        reasons = {
            "psnr": "without a finite one",
            NOISE: "whose phone picture has no noise there, or no 16x16 block",
        }
        for metric, reason in reasons.items():
            with_it = {
                name: method.estimates[metric].pairs
                for name, method in self.methods.items()
                if metric in method.estimates
            }
            for count in sorted(set(with_it.values()) - {self.pairs}):
                names = ", ".join(name for name, pairs in with_it.items() if pairs == count)
                title = METRICS[metric].title
                yield (
                    f"{title[0].upper()}{title[1:]} over {count} pairs, {self.pairs - count} "
                    f"{reason}: {names}."
                )


def shown(scores: MetricScores, metric: str) -> str:
    """Print a value and its interval, such as ``22.39 [21.70, 23.04]``."""
    estimate = scores.estimates.get(metric)
    if estimate is None:
        return ""
    if estimate.value is None or estimate.ci95 is None:
        return "none"
    value, low, high = (
        f"{number:.{METRICS[metric].digits}f}" for number in (estimate.value, *estimate.ci95)
    )
    return f"{value} [{low}, {high}]"


def summarise(rows: np.ndarray, differ: np.ndarray) -> MetricScores:
    """Average the three main metrics over the pairs, with confidence intervals.

    Args:
        rows: ``(pairs, 3)``: PSNR, SSIM, MS-SSIM of each pair.
        differ: ``(pairs,)``: whether the phone picture and its target differ.

    Returns:
        The means; PSNR only over pairs that differ and where it is finite.
    """
    columns = dict(zip(MAIN, rows.T, strict=True))
    columns["psnr"] = columns["psnr"][differ & np.isfinite(columns["psnr"])]
    return MetricScores({name: average(column) for name, column in columns.items()})


def average(values: np.ndarray) -> Estimate:
    """Give the mean over pairs, ``(pairs,)``, with its interval."""
    return _estimate(values, np.mean)


def median(values: np.ndarray) -> Estimate:
    """Give the median over pairs, ``(pairs,)``, with its interval."""
    return _estimate(values, np.median)


def _estimate(values: np.ndarray, statistic: Callable[..., np.ndarray]) -> Estimate:
    """The same pairs are drawn for the same number of pairs, so that methods compare."""
    count = len(values)
    if count == 0:
        return Estimate(None, None, 0)
    rng = np.random.default_rng(0)
    rows = max(1, _DRAWN_AT_ONCE // count)
    resampled = []
    for first in range(0, RESAMPLES, rows):
        drawn = rng.integers(count, size=(min(rows, RESAMPLES - first), count))
        resampled.append(statistic(values[drawn], axis=1))
    low, high = np.quantile(np.concatenate(resampled), [0.025, 0.975])
    return Estimate(float(statistic(values)), (float(low), float(high)), count)
