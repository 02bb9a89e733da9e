"""What moves the weights: Adam, or SOAP."""

from collections.abc import Iterable

import torch
from torch import nn

from dslr_gan.errors import DslrGanError

OPTIMIZERS = ("adam", "soap")


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
            (``docs/experiments.md``). Its first step only looks.
        parameters: What it moves.
        learning_rate: The rate.
        device: Where they will be when they are moved.

    Returns:
        The optimizer.

    Raises:
        DslrGanError: If the device has not the decompositions that SOAP needs.
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


def _check_decompositions(device: torch.device) -> None:
    """Refuse a device on which the second step would fail."""
    try:
        torch.linalg.qr(torch.linalg.eigh(torch.eye(2, device=device)).eigenvectors)
    except (NotImplementedError, RuntimeError) as error:
        raise DslrGanError(
            f"--optimizer soap needs what PyTorch cannot do on {device.type}; add --cpu to "
            "accelerate launch, or take --optimizer adam."
        ) from error
