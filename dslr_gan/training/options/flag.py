"""One flag: a field of a dataclass with its default, its help, its limits and its constancy."""

from dataclasses import MISSING, field
from typing import Any


def flag(
    default: Any = MISSING,
    help: str | None = None,
    *,
    least: float | None = None,
    positive: bool = False,
    free: bool = False,
    secret: bool = False,
    alias: str | None = None,
    **options: Any,
) -> Any:
    """A field that is a flag.

    Args:
        default: Without one the flag must be given; ``False`` makes a switch.
        help: For ``--help``.
        least: The smallest value that is taken; infinity and NaN are refused too.
        positive: Whether it must be a finite number above 0.
        free: Whether it may change between a checkpoint and the run that is resumed from it.
        secret: Whether its value is for nobody's eyes: no file and no message of a run has it.
        alias: Another name by which it may be given.
        options: Further arguments of :meth:`argparse.ArgumentParser.add_argument`.
    """
    if default is MISSING:
        options["required"] = True
    elif default is False:
        options["action"] = "store_true"
    else:
        options["default"] = default
        if isinstance(default, int | float):
            options["type"] = type(default)
    limits = {"least": least, "positive": positive, "free": free, "secret": secret}
    names = {"alias": alias, "options": {"help": help, **options}}
    return field(default=default, repr=not secret, metadata=limits | names)
