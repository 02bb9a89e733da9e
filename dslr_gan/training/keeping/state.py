"""How far a run is, and whether a checkpoint of another may be gone on from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dslr_gan.errors import DslrGanError
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.training.keeping.collapse import CollapseGuard
from dslr_gan.training.keeping.pictures import LISTING, Listing


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
    listing: Listing = field(default_factory=Listing)
    """The files of the pairs, where they are known."""
    accepts_other_pairs: bool = False
    """Whether a checkpoint that was made with other pairs is good, too."""

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

    def check(self, checkpoint: Path, state: Mapping[str, Any]) -> str:
        """Compare the settings of a checkpoint with those of this run.

        Args:
            checkpoint: Named in the error message.
            state: What :meth:`state_dict` gave when it was written.

        Returns:
            What is different of the pairs and was accepted; may be empty.

        Raises:
            OtherSettings: If they differ.
        """
        settings = state["settings"]
        pairs = self.listing.changes(checkpoint.parent / LISTING)
        others = settings.get("pairs") != self.settings.get("pairs")
        if others and not self.accepts_other_pairs:
            raise OtherSettings(
                f"the checkpoint {checkpoint} was made with other pairs"
                f"{f' ({pairs})' if pairs else ''}; bring those back, accept these with "
                "--accept_changed_pairs, or name another --output_dir."
            )
        changed = [
            f"--{name} {old} -> {self.settings.get(name)}"
            for name, old in settings.items()
            if name != "pairs" and self.settings.get(name) != old
        ]
        if changed or state["samples"] != state["step"] * self.samples_per_step:
            raise OtherSettings(
                f"the checkpoint {checkpoint} was made with other settings "
                f"({', '.join(changed) or 'pairs per step'}); use those, or another --output_dir."
            )
        return pairs
