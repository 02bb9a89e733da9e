"""What moves the weights: Adam, or SOAP."""

from collections.abc import Iterable

import torch
from torch import nn

OPTIMIZERS = ("adam", "soap")


def make_optimizer(
    name: str, parameters: Iterable[nn.Parameter], learning_rate: float
) -> torch.optim.Optimizer:
    """Make an optimizer without weight decay.

    Args:
        name: ``"adam"``, as in DPED, or ``"soap"`` (Vyas et al. 2024, *SOAP: Improving and
            Stabilizing Shampoo using Adam*): Adam in a basis that turns with the gradients' own
            covariance. A student that imitates a network gets as far in a tenth of the steps
            (``docs/experiments.md``). Its first step only looks.
        parameters: What it moves.
        learning_rate: The rate.

    Returns:
        The optimizer.

    Raises:
        ValueError: If there is no optimizer of that name.
    """
    if name == "adam":
        return torch.optim.Adam(parameters, learning_rate)
    if name == "soap":
        # Takes a second to import, and most runs and all of --help do without.
        from pytorch_optimizer import SOAP

        return SOAP(parameters, learning_rate, weight_decay=0.0)
    raise ValueError(f"optimizer must be one of {OPTIMIZERS}, got {name!r}")
