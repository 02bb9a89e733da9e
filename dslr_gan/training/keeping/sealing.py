"""Seals: a checkpoint's own list of its files, by which it is known to be whole and unchanged."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from dslr_gan.errors import DslrGanError

STATE = "trainer_state.json"
"""The file that is written last: the state of the run, and size and hash of every other file."""


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read the JSON of a checkpoint, after checking every one of its files.

    Raises:
        DslrGanError: If the folder is no checkpoint, or a file of it is missing, cut short or
            changed.
    """
    try:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        files = dict(state.pop("files"))
        if not (isinstance(state["step"], int) and state["step"] >= 0):
            raise ValueError("the number of its step is none")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DslrGanError(f"{checkpoint} holds no complete checkpoint.") from error
    for name, seal in files.items():
        file = checkpoint / name
        try:  # a device or a pipe would have no end
            intact = file.is_file() and _seal_of(file) == seal
        except (OSError, ValueError):
            intact = False
        if not intact:
            raise DslrGanError(
                f"the checkpoint {checkpoint} is damaged: {name} is missing or not as it was "
                "written."
            )
    if spoiled := not_finite(checkpoint):
        raise DslrGanError(
            f"the checkpoint {checkpoint} holds numbers that are not finite ({spoiled}); name an "
            "older one: --resume_from_checkpoint DIR."
        )
    return state


def not_finite(checkpoint: Path) -> str:
    """The weight of a checkpoint that is not finite, and its file; empty where all are."""
    for file in sorted(checkpoint.glob("*.safetensors")):
        for name, weight in load_file(file).items():
            if not torch.isfinite(weight).all():
                return f"{name} in {file.name}"
    return ""


def seal(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state with the sizes and hashes of all other files, and flush them all.

    Args:
        folder: Of the checkpoint, all of whose other files are there.
        state: As JSON has it.

    Raises:
        OSError: If a file cannot be written.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    seals = {str(path.relative_to(folder)): _seal_of(path) for path in files}
    text = json.dumps({**state, "files": seals}, indent=2)
    (folder / STATE).write_text(text + "\n", encoding="utf-8")
    # Of the libraries that wrote these files some let nobody else read them.
    mode = (folder / STATE).stat().st_mode
    for path in [*files, folder / STATE]:
        path.chmod(mode)
        flush(path)
    flush(folder)


def _seal_of(file: Path) -> list[int | str]:
    return [file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()]


def flush(path: Path) -> None:
    """Have the system put a file or folder on the disk, in case the power fails."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
