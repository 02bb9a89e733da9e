"""Checkpoints: written whole or not at all, sealed, and checked before they are trusted.

A checkpoint is a folder ``checkpoint-STEP``: what ``Accelerator.save_state`` writes, the averaged
weights, and ``trainer_state.json``, which is written last and holds the size and SHA-256 of every
other file. The folder gets its name only once all of it is on the disk. A process that is killed
at any moment therefore leaves the checkpoints before, and at most a hidden folder that the next
run removes.

The run's own state is not registered with ``Accelerator.register_for_checkpointing``, which would
pickle it: a checkpoint holds nothing of ours but JSON and safetensors.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.training.collapse import CollapseGuard

_ROOM = 1 << 20  # a disk with fewer bytes left is full: a write that does not fit leaves some

STATE = "trainer_state.json"
EMA_FILE = "ema.safetensors"

_NAME = re.compile(r"checkpoint-(\d+)")
_HIDDEN = re.compile(r"\.checkpoint-\d+\.(unfinished|removed)")


class OtherSettings(DslrGanError):
    """A checkpoint was made with other settings than the run that is to be resumed from it."""


@dataclass
class RunState:
    """How far a run is: all that a checkpoint needs beside what Accelerate saves itself.

    Accelerate saves the networks, their optimizers and the random states.
    """

    ema: Pretrained
    """The averaged generator."""
    guard: CollapseGuard
    """What it has seen of the run."""
    samples_per_step: int
    """Over all batches and processes of a step."""
    settings: Mapping[str, Any]
    """Those that must be the same when the run is resumed; kept as JSON has them."""
    commands: list[str] = field(default_factory=list)
    """The commands of the run, first to last."""
    step: int = 0
    """Steps that are done."""

    def __post_init__(self) -> None:
        self.settings = json.loads(json.dumps(self.settings, default=str))

    @property
    def samples(self) -> int:
        """Samples that were trained on. The position in the data follows from it."""
        return self.step * self.samples_per_step

    def state_dict(self) -> dict[str, Any]:
        """The state: the tensors of ``ema`` by name, everything else as JSON."""
        return {
            "step": self.step,
            "samples": self.samples,
            "settings": dict(self.settings),
            "commands": list(self.commands),
            "guard": self.guard.state_dict(),
            "ema": self.ema.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave; the commands so far come before this run's.

        Raises:
            RuntimeError: If the averaged weights are not this generator's.
        """
        self.ema.load_state_dict(state["ema"])
        self.guard.load_state_dict(state["guard"])
        self.step = state["step"]
        self.commands = [*state["commands"], *self.commands]

    def check(self, checkpoint: Path, state: Mapping[str, Any]) -> None:
        """Compare the settings of a checkpoint with those of this run.

        Args:
            checkpoint: Named in the error message.
            state: What :meth:`state_dict` gave when it was written.

        Raises:
            OtherSettings: If they differ.
        """
        changed = [
            f"--{name} {old} -> {self.settings.get(name)}"
            for name, old in state["settings"].items()
            if self.settings.get(name) != old
        ]
        if changed or state["samples"] != state["step"] * self.samples_per_step:
            raise OtherSettings(
                f"the checkpoint {checkpoint} was made with other settings "
                f"({', '.join(changed) or 'pairs per step'}); use those, or another --output_dir."
            )


class Checkpoints:
    """The checkpoints of one run. Unless it says otherwise, call a method on every process.

    Args:
        accelerator: Has the networks, optimizers and random states, and knows the processes.
        folder: The run's output folder; need not exist yet.
        limit: How many to keep, at least 1; older ones are removed.
    """

    def __init__(self, accelerator: Accelerator, folder: Path, limit: int) -> None:
        self.accelerator = accelerator
        self.folder = folder
        self.limit = limit

    def all(self) -> list[Path]:
        """Those that are complete, oldest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted((path for path in found if _NAME.fullmatch(path.name)), key=step_of)

    def begin(self, wanted: str | None, state: RunState, report: Callable[[str], None]) -> None:
        """Claim the folder, resume where that is wanted, and clean up.

        Args:
            wanted: See :meth:`resume`; ``None`` for a run from the start.
            state: Of a run that has done no step.
            report: Called with messages for people.

        Raises:
            DslrGanError: If another run is at work in the folder, no checkpoint can be used, or
                there are checkpoints of later steps, which would mix with this run's.
        """
        self.claim_folder()
        if wanted:
            self.resume(wanted, state, report)
        later = [checkpoint for checkpoint in self.all() if step_of(checkpoint) > state.step]
        if later:
            raise DslrGanError(
                f"{self.folder} has checkpoints of later steps, such as {later[-1].name}, that "
                "would mix with this run; add --resume_from_checkpoint latest, or name another "
                "--output_dir."
            )
        if self.accelerator.is_main_process:
            self.tidy()

    def claim_folder(self) -> None:
        """Make the folder, and keep other runs out of it until this process ends.

        A run that a killed launcher left behind may still be at work in it, for example.

        Raises:
            DslrGanError: If another run is at work there.
        """
        claimed = [True]
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                # Held until this process ends, however it does.
                self._lock = FileLock(self.folder / ".lock")
                self._lock.acquire(timeout=0)
            except Timeout:
                claimed = [False]
        if not broadcast_object_list(claimed)[0]:
            raise DslrGanError(
                f"another run is at work in {self.folder}; wait for its end or stop it, or name "
                "another --output_dir."
            )

    def write(self, state: RunState) -> None:
        """Write the checkpoint of a step.

        Raises:
            DslrGanError: If it cannot be written, as on a full disk. Nothing of it is left then,
                and those before it stay.
        """
        unfinished = self.folder / f".checkpoint-{state.step}.unfinished"
        try:
            self._write(state, unfinished)
        # PyTorch has a RuntimeError for a file that it could not write.
        except (OSError, RuntimeError, SafetensorError) as error:
            message = self._failure(state.step, error)
            shutil.rmtree(unfinished, ignore_errors=True)
            if message is None:
                raise
            raise DslrGanError(message) from error

    def _failure(self, step: int, error: Exception) -> str | None:
        """Why a checkpoint could not be written, for people; None for what is no fault of files."""
        number = error.errno if isinstance(error, OSError) else None
        full = number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
        # Before the unfinished one is removed: it is what fills the disk.
        if not full and shutil.disk_usage(self.folder).free > _ROOM:
            if isinstance(error, RuntimeError) and "inline_container" not in str(error):
                return None
            cause, advice = reason(error), "check the disk"
        else:
            cause = f"no space left on the disk of {self.folder}"
            advice = "make room, or keep fewer (--checkpoints_total_limit)"
        kept = "the checkpoints before it are whole" if self.all() else "there is none before it"
        return (
            f"the checkpoint of step {step} could not be written ({cause}); {kept}: {advice}, and "
            "go on with --resume_from_checkpoint latest."
        )

    def _write(self, state: RunState, unfinished: Path) -> None:
        final = self.folder / f"checkpoint-{state.step}"
        accelerator = self.accelerator
        if accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.wait_for_everyone()
        # On every process: each has random states of its own.
        accelerator.save_state(str(unfinished))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            values = state.state_dict()
            save_file(values.pop("ema"), unfinished / EMA_FILE)
            _seal(unfinished, values)
            self._remove(final)
            unfinished.rename(final)
            _flush(self.folder)
            others = [checkpoint for checkpoint in self.all() if checkpoint != final]
            for old in others[: -self.limit + 1 or None]:
                self._remove(old)
        accelerator.wait_for_everyone()

    def resume(self, wanted: str, state: RunState, report: Callable[[str], None]) -> None:
        """Load a checkpoint into the accelerator and the state.

        One that is damaged is reported and set aside, and the one before it is tried. One of other
        settings ends the attempt: those before it are of the same run.

        Args:
            wanted: A folder, or ``latest`` for the latest that can be used, if there is one.
            state: Of a run that has done no step.
            report: Called with messages for people.

        Raises:
            DslrGanError: If none can be used.
        """
        candidates = self.all()[::-1] if wanted == "latest" else [Path(wanted)]
        if not candidates:
            report(f"there is no checkpoint in {self.folder}; starting anew")
        refused: list[Path] = []
        for checkpoint in candidates:
            try:
                self._load(checkpoint, state)
            except OtherSettings:
                raise
            except DslrGanError as error:
                if checkpoint == candidates[-1]:
                    raise
                report(str(error))
                refused.append(checkpoint)
            else:
                report(f"going on from {checkpoint}")
                break
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self.set_aside(refused)
        self.accelerator.wait_for_everyone()

    def tidy(self) -> None:
        """Remove what a killed process left half-written or half-removed; on one process."""
        for path in self.folder.iterdir():
            if _HIDDEN.fullmatch(path.name):
                shutil.rmtree(path)

    def set_aside(self, checkpoints: list[Path]) -> None:
        """Rename checkpoints that were refused, so that no run tries them again; on one process."""
        for checkpoint in checkpoints:
            aside = self.folder / f"refused-{checkpoint.name}"
            shutil.rmtree(aside, ignore_errors=True)
            checkpoint.rename(aside)

    def _load(self, checkpoint: Path, state: RunState) -> None:
        values = read_state(checkpoint)
        state.check(checkpoint, values)
        try:
            self.accelerator.load_state(str(checkpoint))
            state.load_state_dict({**values, "ema": load_file(checkpoint / EMA_FILE)})
        except Exception as error:  # of another version, which can raise nearly anything
            raise DslrGanError(
                f"the checkpoint {checkpoint} cannot be loaded by these versions "
                f"({type(error).__name__}); use those that wrote it."
            ) from error

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
    """Read the JSON of a checkpoint, after checking every one of its files.

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
    """Write the state with the sizes and hashes of all other files, and flush them all."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    seals = {str(path.relative_to(folder)): _seal_of(path) for path in files}
    text = json.dumps({**state, "files": seals}, indent=2)
    (folder / STATE).write_text(text + "\n", encoding="utf-8")
    for path in [*files, folder / STATE, folder]:
        _flush(path)


def _seal_of(file: Path) -> list[int | str]:
    return [file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()]


def _flush(path: Path) -> None:
    """Have the system put a file or folder on the disk, in case the power fails."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
