"""Optimizers (Adam, SOAP), the schedule of their learning rates, the average of the weights."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dslr_gan.errors import DslrGanError
from dslr_gan.training.options.groups import OPTIMIZERS, Network, Schedule


def make_optimizer(
    name: str,
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    device: torch.device | str = "cpu",
) -> torch.optim.Optimizer:
    """Make an optimizer without weight decay.

    Args:
        name: ``"adam"``, as in DPED, or ``"soap"`` (Vyas et al. 2024, *SOAP: Improving and
            Stabilizing Shampoo using Adam*): Adam in a basis that turns with the gradients' own
            covariance. A student that imitates a network gets as far in a tenth of the steps
            (``docs/experiments.md``). Its first step changes no weight.
        parameters: What it updates.
        learning_rate: The rate.
        device: Where they will be when they are updated.

    Returns:
        The optimizer.

    Raises:
        DslrGanError: If the device lacks the decompositions that SOAP needs.
        ValueError: If there is no optimizer of that name.
    """
    if name == "adam":
        return torch.optim.Adam(parameters, learning_rate)
    if name == "soap":
        # Takes a second to import, which --help and runs by Adam do without.
        from pytorch_optimizer import SOAP

        _check_decompositions(torch.device(device))
        return SOAP(parameters, learning_rate, weight_decay=0.0)
    raise ValueError(f"optimizer must be one of {OPTIMIZERS}, got {name!r}")


def prepare(
    accelerator: Accelerator, network: nn.Module, settings: Network, optimizer: str, rate: float
) -> tuple[Any, Any]:
    """Make a network and its optimizer ready for this machine.

    Args:
        accelerator: Knows the machine.
        network: The network.
        settings: How it is to be computed.
        optimizer: A name, see :func:`make_optimizer`.
        rate: Its learning rate.

    Returns:
        Both, wrapped by Accelerate.
    """
    if settings.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if settings.compile:
        network.compile()
    made = make_optimizer(optimizer, network.parameters(), rate, accelerator.device)
    return accelerator.prepare(network, made)


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


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all weights that an optimizer updates."""
    for group in optimizer.param_groups:
        group["lr"] = rate


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
