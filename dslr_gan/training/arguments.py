"""The trainer's settings: one typed, frozen dataclass, and the flags that it is read from.

Each field below is a flag: its default, its help, its limits and whether it may change when a run
is resumed are said once, beside its name. Importing this module does not import PyTorch, so that
``--help`` answers at once.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dslr_gan.errors import DslrGanError
from dslr_gan.files import from_home, path_from_home
from dslr_gan.training.options.flag import flag as _flag
from dslr_gan.training.options.hub import Hub, check_hub

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURES = ("default", "paper", "dped", "detail", "light", "swift", "srcnn", "vdsr")
"""The names of :data:`dslr_gan.models.registry.ARCHITECTURES`, which imports PyTorch."""
OPTIMIZERS = ("adam", "soap")
SCHEDULES = ("cosine", "linear", "constant")

PRESETS: dict[str, dict[str, Any]] = {
    # The paper's own weights, iterations and batch; DPED's learning rate. The fall of the rate
    # along a cosine is ours.
    "paper": {
        "architecture": "paper",
        "max_train_steps": 30_000,
        "train_batch_size": 30,
        "learning_rate": 5e-4,
        "lr_warmup_steps": 0,
        "ema_decay": 0.0,
        "validation_steps": 1000,
        "checkpointing_steps": 1000,
    },
    # What the bundled models are made with. It departs from the paper: without VGG-16 weights
    # there is no content term, and against the paper's confessed flaws (noise, excessive colour)
    # the distances that the models are judged by stand in for the adversarial term.
    "shipped": {
        "architecture": "light",
        "max_train_steps": 7000,
        "optimizer": "soap",
        "learning_rate": 3e-3,
        "ema_decay": 0.999,
        "content_weight": 0.0,
        "texture_weight": 0.0,
        "color_weight": 0.0,
        "l1_weight": 1.0,
        "ssim_weight": 0.5,
        "ms_ssim_weight": 0.3,
        "stored_as": "float16",
    },
}


class PairsFlag(NamedTuple):
    """One ``--pairs``, taken apart."""

    name: str
    """Folder or Hub id."""
    weight: float | None
    """Its share of the samples, ``None`` where none was given."""


def _fold(text: str) -> tuple[int, int]:
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) >= 2:
        return int(number), int(count)
    raise argparse.ArgumentTypeError(f"{text!r} is not K/N, such as 1/5 to 5/5")


@dataclass(frozen=True)
class Pairs:
    """What is trained and validated on, and how it is read."""

    pairs: tuple[str, ...] = _flag(
        help="a DPED folder such as dped/iphone, a pairs folder, what `prepare` wrote, or a Hub "
        "dataset owner/name; repeat it for several, with the share of each",
        type=from_home, action="append", metavar="PAIRS[=WEIGHT]", free=True,
    )  # fmt: skip
    validation_pairs: str | None = _flag(
        None,
        "pairs to validate on (default: the test pairs that come with --pairs, else a tenth "
        "of the pairs, which then are not trained on)",
        type=from_home, metavar="PAIRS", free=True,
    )  # fmt: skip
    fold: tuple[int, int] | None = _flag(
        None, "cross-validation: join all pairs of the first --pairs, validate on the K-th of N "
        "parts of them and train on the others",
        type=_fold, metavar="K/N",
    )  # fmt: skip
    columns: tuple[str, str] = _flag(
        ("phone", "dslr"), "columns of a dataset that hold the two pictures (default: phone dslr)",
        nargs=2, metavar=("PHONE", "DSLR"),
    )  # fmt: skip
    streaming: bool = _flag(False, "read --pairs as streams, without a local copy")
    resolution: int = _flag(100, "side of the patches in pixels (100)", least=32)
    dataloader_num_workers: int = _flag(0, "processes that read ahead (0)", least=0, free=True)
    seed: int = _flag(0, "decides the first weights and every sample (0)", least=0)


@dataclass(frozen=True)
class Network:
    """Which network is trained, and how it is computed."""

    preset: str | None = _flag(
        None, "defaults for the other flags: the paper's recipe or that of the bundled models",
        choices=tuple(PRESETS), free=True,
    )  # fmt: skip
    architecture: str = _flag("default", "of the generator (default)", choices=ARCHITECTURES)
    init_from: str | None = _flag(
        None, "start from a network's weights: a folder or a Hub id; its architecture counts",
        type=from_home, metavar="MODEL",
    )  # fmt: skip
    compile: bool = _flag(False, "torch.compile both networks", free=True)
    channels_last: bool = _flag(False, "keep the channels innermost in memory", free=True)
    mixed_precision: str | None = _flag(
        None, "default: what `accelerate config` says",
        choices=("no", "fp16", "bf16"), free=True,
    )  # fmt: skip
    vgg_weights: Path | None = _flag(
        None, "VGG-16 of the content loss, as safetensors (default: read from the Hub)",
        type=path_from_home, metavar="FILE", free=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """How long and how fast the networks learn."""

    max_train_steps: int = _flag(3000, "steps in all (3000)", least=1, free=True)
    train_batch_size: int = _flag(16, "pairs per process and step (16)", least=1, free=True)
    gradient_accumulation_steps: int = _flag(1, "batches in a step (1)", least=1, free=True)
    optimizer: str = _flag(
        "adam", "the generator's optimizer; the discriminator's is Adam (adam)", choices=OPTIMIZERS
    )
    learning_rate: float = _flag(1e-3, "of the generator (0.001)", positive=True, free=True)
    discriminator_learning_rate: float = _flag(1e-4, "its own (0.0001)", positive=True, free=True)
    lr_scheduler: str = _flag(
        "cosine", "how both rates fall to a hundredth, or stay (cosine)", choices=SCHEDULES
    )
    lr_warmup_steps: int = _flag(100, "steps in which both rates rise (100)", least=0)
    max_grad_norm: float = _flag(1.0, "clips the generator's gradient (1)", positive=True)
    ema_decay: float = _flag(0.998, "0 keeps no average of the weights (0.998)", least=0)


def _weight(default: float, help: str) -> Any:
    return _flag(default, f"{help} ({default})", least=0)


@dataclass(frozen=True)
class LossWeights:
    """What each term counts. A term with weight 0 is not computed."""

    content: float = _weight(1.0, "VGG-16 distance; the paper's alpha")
    texture: float = _weight(0.3, "adversarial term")
    color: float = _weight(0.2, "distance of the blurred pictures")
    total_variation: float = _weight(0.0, "roughness of the result: against amplified noise")
    l1: float = _weight(0.0, "mean absolute distance")
    ssim: float = _weight(0.0, "1 - SSIM")
    ms_ssim: float = _weight(0.0, "1 - MS-SSIM")

    def total(self, terms: dict[str, "Tensor"]) -> "Tensor":
        """Weighted sum ``()`` of terms ``()``, by the names of the fields."""
        import torch

        return torch.stack([getattr(self, name) * term for name, term in terms.items()]).sum()

    def active(self) -> dict[str, float]:
        """The terms that count, with their weights."""
        values = {term.name: getattr(self, term.name) for term in fields(self)}
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True)
class Output:
    """What is written, when, and where to."""

    output_dir: Path = _flag(help="the run's folder", type=path_from_home, free=True)
    validation_steps: int = _flag(500, "from one to the next (500)", least=1, free=True)
    max_validation_pairs: int = _flag(
        400, "score at most that many pairs, the same each time (400)",
        least=1, free=True, metavar="N",
    )  # fmt: skip
    checkpointing_steps: int = _flag(500, "from one to the next (500)", least=1, free=True)
    checkpoints_total_limit: int = _flag(2, "how many are kept (2)", least=1, free=True)
    resume_from_checkpoint: str | None = _flag(
        None, "go on from a checkpoint; latest starts anew where there is none",
        type=from_home, metavar="latest|DIR", free=True,
    )  # fmt: skip
    collapse_steps: int = _flag(
        500,
        "stop when the discriminator was always right (or wrong) for that many steps and "
        "the validation is worse than the phone photos themselves (500)",
        least=1, free=True,
    )  # fmt: skip
    report_to: str | None = _flag(
        None, "an Accelerate tracker, several with commas, or none (default: tensorboard)",
        metavar="TRACKER", free=True,
    )  # fmt: skip
    stored_as: str = _flag(
        "float32", "what the saved generator's numbers are rounded to; float16 halves the file",
        choices=("float32", "float16"), free=True,
    )  # fmt: skip
    card: Path | None = _flag(
        None,
        "JSON with facts for the model card that the run cannot know: title, phone, camera, "
        "limits, licence_name, licence_text, licence_link, commands that came before",
        type=path_from_home, metavar="FILE", free=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Everything that was asked of a run."""

    pairs: Pairs
    network: Network
    schedule: Schedule
    losses: LossWeights
    output: Output
    hub: Hub

    def flat(self, *, free: bool = True) -> dict[str, Any]:
        """Values by the names of the flags, as checkpoints and ``run.json`` keep them.

        Args:
            free: Whether to include those that may change when a run is resumed.
        """
        values = {
            name: getattr(getattr(self, group), flag.name)
            for group, name, flag in _flags()
            if free or not flag.metadata["free"]
        }
        return values | ({"pairs": list(self.pairs.pairs)} if free else {})


_GROUPS: dict[str, tuple[Any, str, str | None]] = {
    "pairs": (Pairs, "data", None),
    "network": (Network, "network", None),
    "schedule": (Schedule, "optimisation", None),
    "losses": (LossWeights, "losses", "weights of the terms; 0 leaves a term out"),
    "output": (Output, "output", None),
    "hub": (Hub, "Hugging Face Hub", None),
}
"""Group in the settings -> its dataclass, and its title and description in ``--help``."""


def _flags() -> Iterator[tuple[str, str, Field[Any]]]:
    """Every flag there is: its group, its name without dashes, its field."""
    for group, (kind, _, _) in _GROUPS.items():
        for flag in fields(kind):
            yield group, f"{flag.name}_weight" if kind is LossWeights else flag.name, flag


def make_parser(description: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the flags."""
    parser = argparse.ArgumentParser(
        "train_accelerate.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    groups = {group: parser.add_argument_group(*words) for group, (_, *words) in _GROUPS.items()}
    for group, name, flag in _flags():
        groups[group].add_argument(f"--{name}", **flag.metadata["options"])
    return parser


def parse_arguments(
    arguments: Sequence[str] | None = None, description: str | None = None
) -> Settings:
    """Read the flags. A preset changes the defaults; a flag that is given wins.

    Args:
        arguments: Those of the command line by default.
        description: What ``--help`` says first.

    Raises:
        SystemExit: After ``--help``, or with an error message where a flag is not understood.
    """
    parser = make_parser(description)
    preset = parser.parse_args(arguments).preset
    if preset:
        parser.set_defaults(**PRESETS[preset])
    values = vars(parser.parse_args(arguments))
    for name in ("pairs", "columns"):
        values[name] = tuple(values[name])
    groups: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    for group, name, flag in _flags():
        groups[group][flag.name] = values[name]
    return Settings(**{group: _GROUPS[group][0](**chosen) for group, chosen in groups.items()})


def check_settings(settings: Settings) -> None:
    """Refuse what cannot work before anything is written.

    Raises:
        DslrGanError: With what to change.
    """
    values = settings.flat()
    for _, name, flag in _flags():
        least, value = flag.metadata["least"], values[name]
        if least is not None and not least <= value < math.inf:
            raise DslrGanError(f"--{name} must be at least {least}, got {value}.")
        if flag.metadata["positive"] and not 0 < value < math.inf:
            raise DslrGanError(f"--{name} must be above 0, got {value}.")
    if settings.schedule.ema_decay >= 1:
        raise DslrGanError(f"--ema_decay must be below 1, got {settings.schedule.ema_decay}.")
    if not settings.losses.active():
        raise DslrGanError("every loss has weight 0; give at least one a weight.")
    if settings.schedule.optimizer == "soap" and find_spec("pytorch_optimizer") is None:
        raise DslrGanError(
            "--optimizer soap is not installed here; pip install pytorch-optimizer, or take adam."
        )
    _check_names(settings)


def _check_names(settings: Settings) -> None:
    """Refuse folders and repositories that cannot be used."""
    pairs, output = settings.pairs, settings.output
    check_hub(settings.hub)
    if pairs.fold is not None and pairs.validation_pairs is not None:
        raise DslrGanError("--fold says what to validate on; leave out --validation_pairs.")
    if output.output_dir.exists() and not output.output_dir.is_dir():
        raise DslrGanError(f"--output_dir {output.output_dir} is a file; name a folder.")
    for source in pairs_flags(pairs.pairs):
        folder = Path(source.name)
        if folder.exists() and folder.resolve() == output.output_dir.resolve():
            raise DslrGanError(f"--output_dir {output.output_dir} is a pairs folder; name another.")


def pairs_flags(pairs: Sequence[str]) -> list[PairsFlag]:
    """Every ``--pairs`` with its weight. All have one, or none has.

    Raises:
        DslrGanError: If a weight is no number, or some have one and others have none.
    """
    found = [_parse_pairs(text) for text in pairs]
    if len({source.weight is None for source in found}) > 1:
        raise DslrGanError("give every --pairs a weight (PAIRS=WEIGHT), or none of them.")
    return found


def _parse_pairs(text: str) -> PairsFlag:
    """Split ``PAIRS=WEIGHT``; a folder whose own name holds an equals sign is taken whole."""
    name, equals, weight = text.rpartition("=")
    if not equals or Path(text).is_dir():
        return PairsFlag(text, None)
    try:
        return PairsFlag(name, float(weight))
    except ValueError as error:
        raise DslrGanError(
            f"--pairs {text}: the weight after = must be a number, got {weight!r}."
        ) from error
