"""The trainer's settings, and the flags that they are read from.

The flags themselves are in ``training/options``. Importing this module does not import PyTorch, so
that ``--help`` answers at once.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from dslr_gan.errors import DslrGanError, holds_secret, reason, shown, without_secrets
from dslr_gan.files import check_place, path_from_home
from dslr_gan.training.options.config import with_config
from dslr_gan.training.options.groups import LossWeights, Network, Output, Pairs, Schedule
from dslr_gan.training.options.hub import Hub, check_hub
from dslr_gan.training.options.presets import PRESETS


class PairsFlag(NamedTuple):
    """One ``--pairs``, taken apart."""

    name: str
    """Folder or Hub id."""
    weight: float | None
    """Its share of the samples, ``None`` where none was given."""


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
        """Values by the names of the flags, as checkpoints and ``run.json`` keep them: no secret.

        Args:
            free: Whether to include those that may change when a run is resumed.
        """
        values = {
            name: getattr(getattr(self, group), flag.name)
            for group, name, flag in _flags()
            if (free or not flag.metadata["free"]) and not flag.metadata["secret"]
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


class _Parser(argparse.ArgumentParser):
    """A parser whose messages hold no access token that was given by mistake."""

    def error(self, message: str) -> NoReturn:
        super().error(without_secrets(message))


def make_parser(description: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the flags."""
    parser = _Parser(
        "train_accelerate.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a shortened --config would be overlooked
    )
    groups = {group: parser.add_argument_group(*words) for group, (_, *words) in _GROUPS.items()}
    for group, name, flag in _flags():
        names = filter(None, (f"--{name}", flag.metadata["alias"]))
        groups[group].add_argument(*names, **flag.metadata["options"])
    parser.add_argument(
        "--config",
        type=path_from_home,
        metavar="FILE.yaml",
        help="more flags, as names and values in YAML; those of the command line win",
    )
    return parser


def parse_arguments(
    arguments: Sequence[str] | None = None, description: str | None = None
) -> Settings:
    """Read the flags. A preset changes the defaults, a file comes next; a flag that is given wins.

    Args:
        arguments: Those of the command line by default.
        description: What ``--help`` says first.

    Raises:
        SystemExit: After ``--help``, or with an error message where a flag is not understood.
    """
    parser = make_parser(description)
    arguments = with_config(parser, sys.argv[1:] if arguments is None else list(arguments))
    _check_given(parser, arguments)
    preset = parser.parse_args(arguments).preset
    if preset:
        parser.set_defaults(**PRESETS[preset])
    values = vars(parser.parse_args(arguments))
    del values["config"]
    for name in ("pairs", "columns", "photos", "leave_out_scenes", "validation_images"):
        values[name] = tuple(values[name])
    groups: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    for group, name, flag in _flags():
        groups[group][flag.name] = values[name]
    return Settings(**{group: _GROUPS[group][0](**chosen) for group, chosen in groups.items()})


def _check_given(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Refuse values that mean something else than was meant: "" is no path, and no folder."""
    for before, word in zip(["", *words], words, strict=False):
        if not word or (word.startswith("--") and word.endswith("=")):
            name = (word or before).rstrip("=")
            parser.error(f"the value of {name} is empty; check what the shell made of it")
        if "\0" in word:
            parser.error(f"the value of {before or word} holds a null character")


def check_settings(settings: Settings) -> None:
    """Refuse what cannot work before anything is written.

    Raises:
        DslrGanError: With what to change.
    """
    values = settings.flat()
    for _, name, flag in _flags():
        least, value = flag.metadata["least"], values.get(name)  # a secret is not there
        if value is None:
            continue
        if holds_secret(" ".join(map(str, value if isinstance(value, tuple | list) else [value]))):
            raise DslrGanError(
                f"--{name} holds an access token or a password, which the run's files would show; "
                "set HF_TOKEN instead."
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise DslrGanError(f"--{name} must be a finite number, got {value}.")
        if least is not None and value < least:
            raise DslrGanError(f"--{name} must be at least {least}, got {value}.")
        if flag.metadata["positive"] and value <= 0:
            raise DslrGanError(f"--{name} must be above 0, got {value}.")
    if settings.pairs.seed >= 1 << 32:  # what NumPy takes
        raise DslrGanError(f"--seed must be below {1 << 32}, got {settings.pairs.seed}.")
    for name in ("ema_decay", "adam_beta1", "adam_beta2"):
        if values[name] >= 1:
            raise DslrGanError(f"--{name} must be below 1, got {values[name]}.")
    if values["patch_contexts"] > 1:
        raise DslrGanError(
            f"--patch_contexts is a share, at most 1, got {values['patch_contexts']}."
        )
    if not settings.losses.active():
        raise DslrGanError("every loss has weight 0; give at least one a weight.")
    if settings.schedule.optimizer == "soap" and find_spec("pytorch_optimizer") is None:
        raise DslrGanError(
            "--optimizer soap is not installed here; pip install pytorch-optimizer, or take adam."
        )
    _check_names(settings)


def _check_names(settings: Settings) -> None:
    """Refuse folders and repositories that cannot be used."""
    check_hub(settings.hub)
    pairs, output = settings.pairs, settings.output
    if pairs.fold is not None and pairs.validation_pairs is not None:
        raise DslrGanError("--fold says what to validate on; leave out --validation_pairs.")
    if pairs.fold is None and pairs.fold_by != "pair":
        raise DslrGanError("--fold_by says how --fold divides; give --fold K/N, too.")
    if output.output_dir.exists() and not output.output_dir.is_dir():
        raise DslrGanError(f"--output_dir {output.output_dir} is a file; name a folder.")
    project = output.tracker_project_name
    if project in ("", ".", "..") or Path(project).name != project:  # TensorBoard's folder
        raise DslrGanError(
            f"--tracker_project_name must be a name without slashes, got {project!r}."
        )
    for name, folder in (("output_dir", output.output_dir), ("logging_dir", output.logging_dir)):
        if folder is None:
            continue
        try:
            check_place(folder / "file")
        except (OSError, ValueError) as error:
            raise DslrGanError(
                f"--{name} {shown(folder)} cannot be written to ({reason(error)}); name another "
                "folder, or check its permissions."
            ) from error
    given = [source.name for source in pairs_flags(pairs.pairs)]
    for folder in map(Path, filter(None, [*given, pairs.validation_pairs])):
        # What a run leaves there would be taken for pictures the next time.
        if folder.is_dir() and output.output_dir.resolve().is_relative_to(folder.resolve()):
            raise DslrGanError(
                f"--output_dir {output.output_dir} is the pairs folder {folder}, or inside of it; "
                "name another."
            )


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
