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
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.training.keeping.collapse import TrainingFailed
from dslr_gan.training.keeping.pictures import LISTING
from dslr_gan.training.keeping.sealing import flush, not_finite, read_state, seal
from dslr_gan.training.keeping.signals import HOW_TO_GO_ON
from dslr_gan.training.keeping.state import OtherSettings, RunState

_ROOM = 1 << 20  # a disk with fewer bytes left is full: a write that does not fit leaves some

EMA_FILE = "ema.safetensors"

_NAME = re.compile(r"checkpoint-(\d+)")
_HIDDEN = re.compile(r"\.checkpoint-\d+\.(unfinished|removed)")


REFUSED = "refused-"
"""How the names of checkpoints begin that were set aside."""

FINISHED = ("generator", "best")
"""What a run leaves for people, and no other run may overwrite unasked."""


class NotWritten(DslrGanError):
    """A checkpoint could not be written, as on a full disk; the run itself is well.

    Args:
        step: After which it was to be written.
        cause: Why it was not.
        advice: What stays, and what to do.
    """

    def __init__(self, step: int, cause: str, advice: str) -> None:
        told = f"the checkpoint of step {step} could not be written ({cause}); {advice}"
        super().__init__(f"{told}, and {HOW_TO_GO_ON}.")
        self.notice = f"{told}. The training goes on, and tries again at the next."


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

    def begin(
        self,
        wanted: str | None,
        state: RunState,
        report: Callable[[str], None],
        *,
        overwrite: bool = False,
    ) -> None:
        """Claim the folder, resume where that is wanted, and clean up.

        Args:
            wanted: See :meth:`resume`; ``None`` for a run from the start.
            state: Of a run that has done no step.
            report: Called with messages for people.
            overwrite: Whether a run from the start may take the place of an earlier one: its
                checkpoints are removed, its generator once there is another.

        Raises:
            DslrGanError: If another run is at work in the folder, no checkpoint can be used, or
                this run would overwrite what an earlier one left.
        """
        self.claim_folder()
        resumed = self.resume(wanted, state, report) if wanted else None
        own = resumed is not None and resumed.parent.resolve() == self.folder.resolve()
        later = [checkpoint for checkpoint in self.all() if step_of(checkpoint) > state.step]
        left = [name for name in FINISHED if (self.folder / name).exists()]
        if (later or left) and not (own or overwrite):
            what = f"the checkpoint {later[-1].name}" if later else f"a finished {left[0]}"
            go_on = "go on with that run (--resume_from_checkpoint latest), " if later else ""
            raise DslrGanError(
                f"{self.folder} has {what} of an earlier run, which this one would overwrite; "
                f"{go_on}name another --output_dir, or give it up (--overwrite_output_dir)."
            )
        if self.accelerator.is_main_process:
            if own:  # an older one was named: later ones would be taken for this run's
                self.set_aside(later)
                for checkpoint in later:
                    report(f"{checkpoint.name} is set aside: {REFUSED}{checkpoint.name}")
            for checkpoint in later if not own else ():
                self._remove(checkpoint)
            self.tidy()
            state.listing.write(self.folder / LISTING)
        self.accelerator.wait_for_everyone()

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
            NotWritten: If it cannot be written, as on a full disk; on every process. Nothing of it
                is left then, and those before it stay.
            TrainingFailed: If the weights are not finite.
        """
        accelerator = self.accelerator
        unfinished = self.folder / f".checkpoint-{state.step}.unfinished"
        if accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.wait_for_everyone()
        # On every process: each has random states of its own.
        self._agree(state.step, unfinished, lambda: accelerator.save_state(str(unfinished)))
        finish = partial(self._finish, state, unfinished)
        self._agree(state.step, unfinished, finish if accelerator.is_main_process else None)

    def _agree(self, step: int, unfinished: Path, act: Callable[[], object] | None) -> None:
        """Do a part of the writing; where it fails on one process, all of them give up."""
        cause: tuple[str, str] | None = None
        failed: TrainingFailed | None = None
        try:
            if act is not None:
                act()
        except TrainingFailed as error:
            failed = error
        # PyTorch has a RuntimeError for a file that it could not write.
        except (OSError, RuntimeError, SafetensorError) as error:
            cause = self._cause(error)
            if cause is None:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
        outcomes = gather_object([(cause, failed)])
        if not any(why or bad for why, bad in outcomes):
            return
        if self.accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        for _, bad in outcomes:
            if bad is not None:
                raise bad
        raise NotWritten(step, *next(why for why, _ in outcomes if why))

    def _cause(self, error: Exception) -> tuple[str, str] | None:
        """Why a checkpoint could not be written, and advice; None for what is no fault of files."""
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
        return cause, f"{kept}: {advice}"

    def _finish(self, state: RunState, unfinished: Path) -> None:
        """Complete a checkpoint, give it its name, and remove those that are too old."""
        final = self.folder / f"checkpoint-{state.step}"
        values = state.state_dict()
        save_file(values.pop("ema"), unfinished / EMA_FILE)
        if spoiled := not_finite(unfinished):
            raise TrainingFailed(
                f"after step {state.step} the weights are not finite ({spoiled}), and no "
                "checkpoint is written; go on from the one before with a lower --learning_rate."
            )
        seal(unfinished, values)
        self._remove(final)
        unfinished.rename(final)
        flush(self.folder)
        others = [checkpoint for checkpoint in self.all() if checkpoint != final]
        for old in others[: -self.limit + 1 or None]:
            self._remove(old)

    def resume(self, wanted: str, state: RunState, report: Callable[[str], None]) -> Path | None:
        """Load a checkpoint into the accelerator and the state.

        One that is damaged is reported and set aside, and the one before it is tried. One of other
        settings ends the attempt: those before it are of the same run.

        Args:
            wanted: A folder, or ``latest`` for the latest that can be used, if there is one.
            state: Of a run that has done no step.
            report: Called with messages for people.

        Returns:
            The checkpoint that was loaded; None where there is none.

        Raises:
            DslrGanError: If none can be used.
        """
        candidates = self.all()[::-1] if wanted == "latest" else [Path(wanted)]
        if not candidates:
            report(f"there is no checkpoint in {self.folder}; starting anew")
        refused: list[Path] = []
        used: Path | None = None
        for checkpoint in candidates:
            try:
                changed = self._load(checkpoint, state)
            except OtherSettings:
                raise
            except DslrGanError as error:
                if checkpoint == candidates[-1]:
                    raise
                report(str(error))
                refused.append(checkpoint)
            else:
                report(f"going on from {checkpoint}")
                if changed:
                    report(f"the pairs are not as they were then: {changed}")
                used = checkpoint
                break
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self.set_aside(refused)
        self.accelerator.wait_for_everyone()
        return used

    def tidy(self) -> None:
        """Remove what a killed process left half-written or half-removed; on one process."""
        for path in self.folder.iterdir():
            if _HIDDEN.fullmatch(path.name):
                shutil.rmtree(path)

    def set_aside(self, checkpoints: list[Path]) -> None:
        """Rename checkpoints that are not gone on from, so that no run does; on one process."""
        for checkpoint in checkpoints:
            aside = self.folder / f"{REFUSED}{checkpoint.name}"
            shutil.rmtree(aside, ignore_errors=True)
            checkpoint.rename(aside)

    def _load(self, checkpoint: Path, state: RunState) -> str:
        """Load a checkpoint; what is different of the pairs is given back."""
        values = read_state(checkpoint)
        try:
            changed = state.check(checkpoint, values)
            self.accelerator.load_state(str(checkpoint))
            state.load_state_dict({**values, "ema": load_file(checkpoint / EMA_FILE)})
        except DslrGanError:
            raise
        except Exception as error:  # of another version, which can raise nearly anything
            raise DslrGanError(
                f"the checkpoint {checkpoint} cannot be loaded by these versions "
                f"({type(error).__name__}); use those that wrote it."
            ) from error
        return changed

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
