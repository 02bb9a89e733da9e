"""Optimizers (Adam, SOAP), the schedule of their learning rates, the average of the weights."""

import math
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from dslr_gan.errors import DslrGanError
from dslr_gan.training.arguments import Settings
from dslr_gan.training.options.groups import OPTIMIZERS, Schedule


class AdamSettings(NamedTuple):
    """What Adam may be told besides its rate; the defaults are its inventors'."""

    beta1: float = 0.9
    """How much of the gradient's average stays from step to step."""
    beta2: float = 0.999
    """The same of its square's."""
    weight_decay: float = 0.0
    """How fast weights shrink by themselves, per rate (AdamW); 0 for none."""


def make_optimizer(
    name: str,
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    device: torch.device | str = "cpu",
    *,
    adam: AdamSettings | None = None,
) -> torch.optim.Optimizer:
    """Make an optimizer.

    Args:
        name: ``"adam"``, as in DPED, or ``"soap"`` (Vyas et al. 2024, *SOAP: Improving and
            Stabilizing Shampoo using Adam*): Adam in a basis that turns with the gradients' own
            covariance. A student that imitates a network gets as far in a tenth of the steps
            (``docs/experiments.md``). Its first step changes no weight.
        parameters: What it updates.
        learning_rate: The rate.
        device: Where they will be when they are updated.
        adam: Of Adam; without weight decay by default, as SOAP always.

    Returns:
        The optimizer.

    Raises:
        DslrGanError: If the device lacks the decompositions that SOAP needs.
        ValueError: If there is no optimizer of that name.
    """
    if name == "adam":
        settings = adam or AdamSettings()
        # Its steps on a GPU are one kernel, which itself sees whether the gradient is finite.
        fused = True if torch.device(device).type == "cuda" else None
        kind = torch.optim.AdamW if settings.weight_decay else torch.optim.Adam
        return kind(
            parameters,
            learning_rate,
            betas=(settings.beta1, settings.beta2),
            weight_decay=settings.weight_decay,
            fused=fused,
        )
    if name == "soap":
        # Takes a second to import, which --help and runs by Adam do without.
        from pytorch_optimizer import SOAP

        _check_decompositions(torch.device(device))
        return SOAP(parameters, learning_rate, weight_decay=0.0)
    raise ValueError(f"optimizer must be one of {OPTIMIZERS}, got {name!r}")


def prepare(
    accelerator: Accelerator,
    network: nn.Module,
    settings: Settings,
    optimizer: str,
    rate: float,
) -> tuple[Any, Any, LambdaLR]:
    """Make a network, its optimizer and its schedule ready for this machine.

    Args:
        accelerator: Knows the machine.
        network: The network.
        settings: How it is to be computed, and how its rate changes.
        optimizer: A name, see :func:`make_optimizer`.
        rate: Its highest learning rate.

    Returns:
        Network and optimizer, wrapped by Accelerate, and the schedule, to be stepped after each
        step of the training.
    """
    schedule = settings.schedule
    if settings.network.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if settings.network.compile:
        network.compile()
    adam = AdamSettings(schedule.adam_beta1, schedule.adam_beta2, schedule.adam_weight_decay)
    made = make_optimizer(optimizer, network.parameters(), rate, accelerator.device, adam=adam)
    rates = LambdaLR(made, lambda step: rate_factor(schedule, step))
    # It is said where the very first gradient is not finite, and takes no step.
    warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
    return *accelerator.prepare(network, made), rates


def go_on_from(rates: LambdaLR, step: int) -> None:
    """Let a schedule go on after some steps, by its own rates, not by those of a checkpoint.

    The schedule's length and height may have been changed when the run was resumed.
    """
    rates.last_epoch = step
    groups = zip(rates.optimizer.param_groups, rates.base_lrs, rates.lr_lambdas, strict=True)
    for group, highest, factor in groups:
        group["lr"] = highest * factor(step)


def take_step(accelerator: Accelerator, optimizer: Any, norm: Tensor | None) -> None:
    """Let an optimizer take its step, unless its gradient is not finite: that moves nothing.

    On a GPU nobody waits for the norm where the optimizer is a fused one, which looks at it there.

    Args:
        accelerator: Has the scaler of fp16, which leaves out such steps by itself.
        optimizer: Wrapped by Accelerate, which leaves out those of unfinished batches.
        norm: Of the gradient, ``()``; None where more batches belong to the step.
    """
    if norm is not None and accelerator.scaler is None:
        inner = optimizer.optimizer
        if inner.defaults.get("fused"):
            inner.grad_scale, inner.found_inf = None, (~norm.isfinite()).to(torch.float32)
        elif not norm.isfinite():
            return
    optimizer.step()


def rate_factor(schedule: Schedule, step: int) -> float:
    """What both learning rates are multiplied with in a step, a function of the step alone.

    Args:
        schedule: ``lr_scheduler``, ``lr_warmup_steps`` and ``max_train_steps`` count.
        step: Steps that are done, from 0.

    Returns:
        From 0 to 1: a linear warm-up, times a cosine or a straight line from 1 down to a
        hundredth at the last step, or times 1.
    """
    warm = min(1.0, (step + 1) / max(1, schedule.lr_warmup_steps))
    done = step / schedule.max_train_steps
    left = {
        "cosine": 0.5 * (1 + math.cos(math.pi * done)),
        "linear": 1 - done,
        "constant": 1.0,
    }[schedule.lr_scheduler]
    return warm * (0.01 + 0.99 * left)


@torch.no_grad()
def update_average(ema: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move averaged weights towards a network's.

    Args:
        ema: The same network with averaged weights, which are changed.
        network: The network.
        decay: How much of the average stays, at most.
        step: How many steps are done, from 1.
    """
    # Early on the average follows closely, or it would remember the first random weights.
    decay = min(decay, step / (step + 9))
    average: list[Tensor] = list(ema.parameters())
    torch._foreach_lerp_(average, list(network.parameters()), 1 - decay)


def _check_decompositions(device: torch.device) -> None:
    """Refuse a device on which the second step would fail."""
    try:
        torch.linalg.qr(torch.linalg.eigh(torch.eye(2, device=device)).eigenvectors)
    except (NotImplementedError, RuntimeError) as error:
        raise DslrGanError(
            f"--optimizer soap needs what PyTorch cannot do on {device.type}; add --cpu to "
            "accelerate launch, or take --optimizer adam."
        ) from error
