"""What is trained on, which network, how fast, on what loss, and what is written.

Each field is a flag: its default, its help, its limits and whether it may change when a run is
resumed are said once, beside its name.
"""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dslr_gan.files import from_home, path_from_home
from dslr_gan.training.options.flag import flag
from dslr_gan.training.options.presets import PRESETS

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURES = (
    *("default", "paper", "full", "dped", "detail", "light", "swift", "srcnn", "vdsr"),
)
"""The names of :data:`dslr_gan.models.registry.ARCHITECTURES`, which imports PyTorch."""
OPTIMIZERS = ("adam", "soap")
SCHEDULES = ("cosine", "linear", "constant")


def _fold(text: str) -> tuple[int, int]:
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) >= 2:
        return int(number), int(count)
    raise argparse.ArgumentTypeError(f"{text!r} is not K/N, such as 1/5 to 5/5")


@dataclass(frozen=True)
class Pairs:
    """What is trained and validated on, and how it is read."""

    pairs: tuple[str, ...] = flag(
        help="a DPED folder such as dped/iphone, a pairs folder, what `prepare` wrote, or a Hub "
        "dataset owner/name; repeat it for several, with the share of each",
        type=from_home, action="append", metavar="PAIRS[=WEIGHT]", free=True,
    )  # fmt: skip
    validation_pairs: str | None = flag(
        None,
        "pairs to validate on (default: the test pairs that come with --pairs, else a tenth "
        "of the pairs, which then are not trained on)",
        type=from_home, metavar="PAIRS", free=True,
    )  # fmt: skip
    fold: tuple[int, int] | None = flag(
        None, "cross-validation: join all pairs of the first --pairs, validate on the K-th of N "
        "parts of them and train on the others",
        type=_fold, metavar="K/N",
    )  # fmt: skip
    fold_by: str = flag(
        "pair", "what --fold keeps together: the pairs of one scene, as photos.json in the folder "
        "of the pairs says (pair)",
        choices=("pair", "scene"),
    )  # fmt: skip
    photos: tuple[str, ...] = flag(
        (), "folders with the whole photos that patches were cut from, as photos.json in the "
        "folder of the pairs says; they are the patches' contexts, as when the model is used",
        type=from_home, nargs="+", metavar="DIR", free=True,
    )  # fmt: skip
    patch_contexts: float = flag(
        0.3, "share of the patches of known place that are their own context all the same (0.3)",
        least=0, metavar="SHARE", free=True,  # part of what the photos are known by
    )  # fmt: skip
    leave_out_scenes: tuple[int, ...] = flag(
        (), "numbers of scenes, as photos.json has them, not to train on", type=int, nargs="+",
        metavar="N", free=True,
    )  # fmt: skip
    columns: tuple[str, str] = flag(
        ("phone", "dslr"), "columns of a dataset that hold the two pictures (default: phone dslr)",
        nargs=2, metavar=("PHONE", "DSLR"),
    )  # fmt: skip
    max_train_samples: int | None = flag(
        None, "train on at most that many pairs of each --pairs, the same each time",
        type=int, least=1, metavar="N",
    )  # fmt: skip
    streaming: bool = flag(False, "read --pairs as streams, without a local copy")
    resolution: int = flag(100, "side of the patches in pixels (100)", least=32)
    dataloader_num_workers: int = flag(0, "processes that read ahead (0)", least=0, free=True)
    seed: int = flag(0, "decides the first weights and every sample (0)", least=0)


@dataclass(frozen=True)
class Network:
    """Which network is trained, and how it is computed."""

    preset: str | None = flag(
        None, "defaults for the other flags: the paper's recipe or that of the bundled models",
        choices=tuple(PRESETS), free=True,
    )  # fmt: skip
    architecture: str = flag("default", "of the generator (default)", choices=ARCHITECTURES)
    init_from: str | None = flag(
        None, "start from a network's weights, whatever `evaluate --model` takes (iphone, a "
        "folder, a Hub id, a published file); its architecture counts",
        type=from_home, metavar="MODEL",
    )  # fmt: skip
    cpu: bool = flag(False, "train on the processor, GPUs there or not", free=True)
    allow_tf32: bool = flag(
        False, "let NVIDIA GPUs round to TF32, and try which convolutions are fastest", free=True
    )
    compile: bool = flag(False, "torch.compile both networks", free=True)
    channels_last: bool = flag(False, "keep the channels innermost in memory", free=True)
    mixed_precision: str | None = flag(
        None, "default: what `accelerate config` says",
        choices=("no", "fp16", "bf16"), free=True,
    )  # fmt: skip
    vgg_weights: Path | None = flag(
        None, "VGG-16 of the content loss, as safetensors (default: read from the Hub)",
        type=path_from_home, metavar="FILE", free=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """How long and how fast the networks learn."""

    max_train_steps: int = flag(3000, "steps in all (3000)", least=1, free=True)
    num_train_epochs: int | None = flag(
        None, "rounds over the pairs, instead of --max_train_steps",
        type=int, least=1, metavar="N", free=True,
    )  # fmt: skip
    train_batch_size: int = flag(16, "pairs per process and step (16)", least=1, free=True)
    gradient_accumulation_steps: int = flag(1, "batches in a step (1)", least=1, free=True)
    optimizer: str = flag(
        "adam", "the generator's optimizer; the discriminator's is Adam (adam)", choices=OPTIMIZERS
    )
    learning_rate: float = flag(1e-3, "of the generator (0.001)", positive=True, free=True)
    discriminator_learning_rate: float = flag(1e-4, "its own (0.0001)", positive=True, free=True)
    lr_scheduler: str = flag(
        "cosine", "how both rates fall to a hundredth, or stay (cosine)", choices=SCHEDULES
    )
    lr_warmup_steps: int = flag(100, "steps in which both rates rise (100)", least=0)
    adam_beta1: float = flag(0.9, "of Adam: how much of its average stays (0.9)", least=0)
    adam_beta2: float = flag(0.999, "the same of the squares (0.999)", least=0)
    adam_weight_decay: float = flag(0.0, "of Adam, decoupled as in AdamW (0)", least=0)
    max_grad_norm: float = flag(1.0, "clips the generator's gradient (1)", positive=True)
    ema_decay: float = flag(0.998, "0 keeps no average of the weights (0.998)", least=0)


def _weight(default: float, help: str) -> Any:
    return flag(default, f"{help} ({default})", least=0)


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

    output_dir: Path = flag(help="the run's folder", type=path_from_home, free=True)
    validation_steps: int = flag(500, "from one to the next (500)", least=1, free=True)
    max_validation_pairs: int = flag(
        400, "score at most that many pairs, the same each time (400)",
        least=1, free=True, metavar="N",
    )  # fmt: skip
    validation_images: tuple[Path, ...] = flag(
        (), "photos that each validation enhances as a whole, to be looked at",
        type=path_from_home, nargs="+", metavar="PHOTO", free=True,
    )  # fmt: skip
    checkpointing_steps: int = flag(500, "from one to the next (500)", least=1, free=True)
    checkpoints_total_limit: int = flag(2, "how many are kept (2)", least=1, free=True)
    resume_from_checkpoint: str | None = flag(
        None, "go on from a checkpoint; latest starts anew where there is none",
        type=from_home, metavar="latest|DIR", free=True,
    )  # fmt: skip
    overwrite_output_dir: bool = flag(
        False, "let a new run take the place of an earlier one in the run's folder", free=True
    )
    accept_changed_pairs: bool = flag(
        False, "go on from a checkpoint that was made with other pairs", free=True
    )
    collapse_steps: int = flag(
        500,
        "stop when the discriminator was always right (or wrong) for that many steps and "
        "the validation is worse than the phone photos themselves (500)",
        least=1, free=True,
    )  # fmt: skip
    report_to: str | None = flag(
        None, "an Accelerate tracker, several with commas, all, or none (default: tensorboard)",
        metavar="TRACKER", free=True,
    )  # fmt: skip
    logging_dir: Path | None = flag(
        None, "where trackers write their files (default: the run's folder)",
        type=path_from_home, metavar="DIR", free=True,
    )  # fmt: skip
    tracker_project_name: str = flag(
        "dslr_gan", "what trackers call the project (dslr_gan)", metavar="NAME", free=True
    )
    stored_as: str = flag(
        "float32", "what the saved generator's numbers are rounded to; float16 halves the file",
        choices=("float32", "float16"), free=True,
    )  # fmt: skip
    card: Path | None = flag(
        None,
        "JSON with facts for the model card that the run cannot know: title, phone, camera, "
        "limits, licence_name, licence_text, licence_link, commands that came before",
        type=path_from_home, metavar="FILE", free=True,
    )  # fmt: skip
