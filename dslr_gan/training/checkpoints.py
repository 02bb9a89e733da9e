"""Checkpoints: written whole or not at all, sealed, and checked before they are trusted.

A checkpoint is a folder ``checkpoint-STEP``: what ``Accelerator.save_state`` writes, the averaged
weights, and ``trainer_state.json``, which is written last and holds the size and SHA-256 of every
other file. The folder gets its name only once all of it is on the disk; so a process that is
killed at any moment leaves the checkpoints before, and at most a hidden folder that the next run
removes.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from dslr_gan.errors import DslrGanError

STATE = "trainer_state.json"

_NAME = re.compile(r"checkpoint-(\d+)")
_HIDDEN = re.compile(r"\.checkpoint-\d+\.(unfinished|removed)")


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: The run's output folder; need not exist yet.
        limit: How many to keep, at least 1; older ones are removed.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit

    def all(self) -> list[Path]:
        """Those that are complete, oldest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted((path for path in found if _NAME.fullmatch(path.name)), key=step_of)

    def write(
        self,
        accelerator: Accelerator,
        step: int,
        state: Mapping[str, Any],
        add: Callable[[Path], None],
    ) -> None:
        """Write the checkpoint of a step; to be called on every process.

        Args:
            accelerator: Knows the networks, optimizers and random states.
            step: Names the folder.
            state: What else the run needs, as JSON; must not hold ``files``.
            add: Called on the main process with the folder, to put further files there.
        """
        final = self.folder / f"checkpoint-{step}"
        unfinished = self.folder / f".checkpoint-{step}.unfinished"
        if accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.wait_for_everyone()
        # On every process: each has random states of its own.
        accelerator.save_state(str(unfinished))
        if accelerator.is_main_process:
            add(unfinished)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            _seal(unfinished, state)
            self._remove(final)
            unfinished.rename(final)
            _flush(self.folder)
            for old in [each for each in self.all() if each != final][: -self.limit + 1 or None]:
                self._remove(old)
        accelerator.wait_for_everyone()

    def tidy(self) -> None:
        """Remove what a killed process left half-written or half-removed."""
        for each in self.folder.iterdir():
            if _HIDDEN.fullmatch(each.name):
                shutil.rmtree(each)

    def set_aside(self, checkpoints: list[Path]) -> None:
        """Rename checkpoints that were refused, so that the run does not stumble over them."""
        for each in checkpoints:
            aside = self.folder / f"refused-{each.name}"
            shutil.rmtree(aside, ignore_errors=True)
            each.rename(aside)

    def _remove(self, checkpoint: Path) -> None:
        """Remove a checkpoint so that no moment shows it with files missing."""
        if checkpoint.exists():
            removed = self.folder / f".{checkpoint.name}.removed"
            shutil.rmtree(removed, ignore_errors=True)
            checkpoint.rename(removed)
            shutil.rmtree(removed)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written, from its folder's name."""
    return int(checkpoint.name.rpartition("-")[2])


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read what :meth:`Checkpoints.write` was given, after checking every file of a checkpoint.

    Raises:
        DslrGanError: If the folder is no checkpoint, or a file of it is missing, cut short or
            changed.
    """
    try:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        files = dict(state.pop("files"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DslrGanError(f"{checkpoint} holds no complete checkpoint.") from error
    for name, seal in files.items():
        try:
            intact = _seal_of(checkpoint / name) == seal
        except OSError:
            intact = False
        if not intact:
            raise DslrGanError(
                f"the checkpoint {checkpoint} is damaged: {name} is missing or not as it was "
                "written."
            )
    return state


def _seal(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state with the sizes and hashes of all other files, everything on the disk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    seals = {str(path.relative_to(folder)): _seal_of(path) for path in files}
    text = json.dumps({**state, "files": seals}, indent=2)
    (folder / STATE).write_text(text + "\n", encoding="utf-8")
    for path in [*files, folder / STATE, folder]:
        _flush(path)


def _seal_of(file: Path) -> list[int | str]:
    return [file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()]


def _flush(path: Path) -> None:
    """Have the system put a file or folder on the disk, for the day the power fails."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
