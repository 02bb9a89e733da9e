"""The trainer's flags: what there is, what the presets mean, and what cannot work."""

import argparse
import dataclasses
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate.tracking import get_available_trackers
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.models.registry import ARCHITECTURES
from dslr_gan.training.losses import LossWeights
from dslr_gan.training.optimizers import OPTIMIZERS

SCHEDULES = ("cosine", "linear", "constant")
NO_TRACKER = "none"

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

FREE_FLAGS = frozenset(
    {
        "learning_rate",
        "discriminator_learning_rate",
        "output_dir",
        "max_train_steps",
        "checkpointing_steps",
        "checkpoints_total_limit",
        "validation_steps",
        "max_validation_pairs",
        "collapse_steps",
        "resume_from_checkpoint",
        "push_to_hub",
        "hub_model_id",
        "report_to",
        "stored_as",
        "card",
        "dataloader_num_workers",
        "train_batch_size",
        "gradient_accumulation_steps",
        "mixed_precision",
        "compile",
        "channels_last",
        "pairs",
        "validation_pairs",
        "vgg_weights",
        "preset",
    }
)
"""Flags that may change between a checkpoint and the run that goes on from it."""


class PairsFlag(NamedTuple):
    """One ``--pairs``, taken apart."""

    name: str
    """Folder or Hub id."""
    weight: float | None
    """Its share of the samples, ``None`` where none was given."""


def parse_arguments(
    arguments: Sequence[str] | None, description: str | None = None
) -> argparse.Namespace:
    """Read the flags; a preset changes the defaults, a flag that is given wins."""
    parser = argparse.ArgumentParser(
        prog="train_accelerate.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for add_group in (_add_data, _add_network, _add_optimisation, _add_losses, _add_records):
        add_group(parser)
    preset = parser.parse_args(arguments).preset
    if preset:
        parser.set_defaults(**PRESETS[preset])
    return parser.parse_args(arguments)


def _add_data(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("data").add_argument
    add(
        "--pairs",
        action="append",
        required=True,
        metavar="PAIRS[=WEIGHT]",
        help="a DPED folder such as dped/iphone, a pairs folder, what `prepare` wrote, or a Hub "
        "dataset owner/name; repeat it for several, with the share of each",
    )
    add(
        "--validation_pairs",
        metavar="PAIRS",
        help="pairs to validate on (default: the test pairs that come with --pairs, else a tenth "
        "of the pairs, which then are not trained on)",
    )
    add(
        "--fold",
        type=_fold,
        metavar="K/N",
        help="cross-validation: join all pairs of the first --pairs, validate on the K-th of N "
        "parts of them and train on the others",
    )
    add("--columns", nargs=2, default=("phone", "dslr"), metavar=("PHONE", "DSLR"),
        help="columns of a dataset that hold the two pictures (default: phone dslr)")  # fmt: skip
    add("--streaming", action="store_true", help="read --pairs as streams, without a local copy")
    add("--resolution", type=int, default=100, help="side of the patches in pixels (100)")
    add("--dataloader_num_workers", type=int, default=0)
    add("--seed", type=int, default=0)


def _fold(text: str) -> tuple[int, int]:
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) >= 2:
        return int(number), int(count)
    raise argparse.ArgumentTypeError(f"{text!r} is not K/N, such as 1/5 to 5/5")


def _add_network(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("network").add_argument
    add(
        "--preset",
        choices=PRESETS,
        help="defaults for the other flags: the paper's recipe or that of the bundled models",
    )
    add("--architecture", choices=ARCHITECTURES, default="default")
    add(
        "--init_from",
        metavar="MODEL",
        help="start from a network's weights: a folder or a Hub id; its architecture counts",
    )
    add("--compile", action="store_true", help="torch.compile both networks")
    add("--channels_last", action="store_true", help="keep the channels innermost in memory")
    add(
        "--mixed_precision",
        choices=("no", "fp16", "bf16"),
        help="default: what `accelerate config` says",
    )


def _add_optimisation(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("optimisation").add_argument
    add("--max_train_steps", type=int, default=3000)
    add("--train_batch_size", type=int, default=16, help="pairs per process and step (16)")
    add("--gradient_accumulation_steps", type=int, default=1)
    add("--optimizer", choices=OPTIMIZERS, default="adam",
        help="what moves the generator; the discriminator is moved by Adam (adam)")  # fmt: skip
    add("--learning_rate", type=float, default=1e-3)
    add("--discriminator_learning_rate", type=float, default=1e-4)
    add("--lr_scheduler", choices=SCHEDULES, default="cosine",
        help="how both rates fall to a hundredth, or stay (cosine)")  # fmt: skip
    add("--lr_warmup_steps", type=int, default=100)
    add("--max_grad_norm", type=float, default=1.0)
    add("--ema_decay", type=float, default=0.998, help="0 keeps no average of the weights (0.998)")


def _add_losses(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("losses", "weights of the terms; 0 leaves a term out")
    for field in dataclasses.fields(LossWeights):
        name = f"--{field.name}_weight"
        add.add_argument(name, type=float, default=field.default, help=f"default: {field.default}")
    add.add_argument(
        "--vgg_weights",
        type=Path,
        metavar="FILE",
        help="VGG-16 as safetensors (default: read from the Hub)",
    )


def _add_records(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("output").add_argument
    add("--output_dir", type=Path, required=True)
    add("--validation_steps", type=int, default=500)
    add("--max_validation_pairs", type=int, default=400, metavar="N",
        help="score at most that many pairs, the same each time (400)")  # fmt: skip
    add("--checkpointing_steps", type=int, default=500)
    add("--checkpoints_total_limit", type=int, default=2)
    add("--resume_from_checkpoint", metavar="latest|DIR")
    add(
        "--collapse_steps",
        type=int,
        default=500,
        help="stop when the discriminator was always right (or wrong) for that many steps and "
        "the validation is worse than the phone photos themselves (500)",
    )
    add(
        "--report_to",
        metavar="TRACKER",
        help="an Accelerate tracker, several with commas, or none (default: tensorboard)",
    )
    add(
        "--stored_as",
        choices=("float32", "float16"),
        default="float32",
        help="what the saved generator's numbers are rounded to; float16 halves the file",
    )
    add(
        "--card",
        type=Path,
        metavar="FILE",
        help="JSON with facts for the model card that the run cannot know: title, phone, camera, "
        "limits, licence_name, licence_text, licence_link, commands that came before",
    )
    add("--push_to_hub", action="store_true")
    add("--hub_model_id", metavar="OWNER/NAME")


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is written.

    Raises:
        DslrGanError: With what to change.
    """
    least: dict[str, float] = dict.fromkeys(
        (
            "max_train_steps",
            "train_batch_size",
            "gradient_accumulation_steps",
            "validation_steps",
            "max_validation_pairs",
            "checkpointing_steps",
            "checkpoints_total_limit",
            "collapse_steps",
        ),
        1,
    )
    least |= dict.fromkeys(("seed", "lr_warmup_steps", "dataloader_num_workers", "ema_decay"), 0)
    least |= {f"{field.name}_weight": 0 for field in dataclasses.fields(LossWeights)}
    least |= {"resolution": 32}
    for name, value in least.items():
        if not value <= getattr(args, name) < math.inf:
            raise DslrGanError(f"--{name} must be at least {value}, got {getattr(args, name)}.")
    for name in ("learning_rate", "discriminator_learning_rate", "max_grad_norm"):
        if not 0 < getattr(args, name) < math.inf:
            raise DslrGanError(f"--{name} must be above 0, got {getattr(args, name)}.")
    if args.ema_decay >= 1:
        raise DslrGanError(f"--ema_decay must be below 1, got {args.ema_decay}.")
    if not loss_weights(args).active():
        raise DslrGanError("every loss has weight 0; give at least one a weight.")
    if args.mixed_precision == "fp16" and not torch.cuda.is_available():
        raise DslrGanError("--mixed_precision fp16 needs a GPU; take bf16 or no.")
    if args.optimizer == "soap" and find_spec("pytorch_optimizer") is None:
        raise DslrGanError(
            "--optimizer soap is not installed here; pip install pytorch-optimizer, or take adam."
        )
    _check_names(args)


def _check_names(args: argparse.Namespace) -> None:
    """Refuse folders, repositories and trackers that cannot be used."""
    if args.push_to_hub and not args.hub_model_id:
        raise DslrGanError("--push_to_hub needs --hub_model_id OWNER/NAME.")
    if args.hub_model_id is not None:
        try:
            validate_repo_id(args.hub_model_id)
        except HFValidationError as error:
            raise DslrGanError(f"--hub_model_id: {reason(error)}.") from error
    trackers(args)
    if args.fold is not None and args.validation_pairs is not None:
        raise DslrGanError("--fold says what to validate on; leave out --validation_pairs.")
    if args.output_dir.exists() and not args.output_dir.is_dir():
        raise DslrGanError(f"--output_dir {args.output_dir} is a file; name a folder.")
    for pairs in pairs_flags(args):
        folder = Path(pairs.name)
        if folder.exists() and folder.resolve() == args.output_dir.resolve():
            raise DslrGanError(f"--output_dir {args.output_dir} is a pairs folder; name another.")


def trackers(args: argparse.Namespace) -> list[str]:
    """Names of the trackers to report to; TensorBoard where none is named and it is installed.

    Raises:
        DslrGanError: If one that was named is not installed.
    """
    available = [tracker.value for tracker in get_available_trackers()]
    if args.report_to is None:
        return [name for name in available if name == "tensorboard"]
    wanted = [name for name in args.report_to.split(",") if name and name != NO_TRACKER]
    for name in wanted:
        if name not in available:
            raise DslrGanError(
                f"--report_to {name} is not installed here; available: "
                f"{', '.join([*available, NO_TRACKER])}."
            )
    return wanted


def loss_weights(args: argparse.Namespace) -> LossWeights:
    """The loss weights that the flags ask for."""
    names = [field.name for field in dataclasses.fields(LossWeights)]
    return LossWeights(**{name: getattr(args, f"{name}_weight") for name in names})


def pairs_flags(args: argparse.Namespace) -> list[PairsFlag]:
    """The sources of pairs with their weights, of which all or none are given.

    Raises:
        DslrGanError: If a weight is no number, or some sources have one and others have none.
    """
    found = [_parse_pairs(text) for text in args.pairs]
    if len({each.weight is None for each in found}) > 1:
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


def rate_factor(args: argparse.Namespace, step: int) -> float:
    """What both learning rates are multiplied with in a step, a function of the step alone.

    Args:
        args: ``lr_scheduler``, ``lr_warmup_steps`` and ``max_train_steps`` count.
        step: Steps that are done, from 0.

    Returns:
        From 0 to 1: a straight warm-up, times a cosine or a straight line from 1 down to a
        hundredth at the last step, or times 1.
    """
    warm = min(1.0, (step + 1) / max(1, args.lr_warmup_steps))
    done = step / args.max_train_steps
    left = {
        "cosine": 0.5 * (1 + math.cos(math.pi * done)),
        "linear": 1 - done,
        "constant": 1.0,
    }[args.lr_scheduler]
    return warm * (0.01 + 0.99 * left)
