"""The collapse guard stops a run that can only get worse, and says where its best model is.

Two things end a GAN's training for good. A loss becomes NaN or infinite; or the discriminator is
right (or wrong) every time, its gradient has no information for the generator, and the pictures
fall apart. The validation separates the second from a discriminator that is merely strong: the
run has collapsed only when the generator's pictures are further from the DSLR's than the phone
photos themselves.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from dslr_gan.errors import DslrGanError

WON, LOST = 0.995, 0.005
"""Accuracies from which a discriminator counts as always right, or always wrong."""


@dataclass
class CollapseGuard:
    """Watches the losses, the discriminator's accuracy and the validation of one run.

    Its fields are the state that a checkpoint keeps. Scores are MS-SSIM, higher is better.
    """

    patience: int
    """Steps in a row with a discriminator that is always right (or wrong) before it counts."""
    decided: int = 0
    """How many such steps there are so far."""
    best_score: float | None = None
    """The best validation so far, ``None`` before the first."""
    best_step: int | None = None
    """After which step that was."""

    def state_dict(self) -> dict[str, float | int | None]:
        """What :meth:`load_state_dict` takes, as JSON; the patience is the new run's own."""
        kept = asdict(self)
        del kept["patience"]
        return kept

    def load_state_dict(self, state: Mapping[str, float | int | None]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        for name, value in state.items():
            setattr(self, name, value)

    def check_step(self, step: int, losses: Mapping[str, float]) -> None:
        """Look at a step's losses, and at ``discriminator_accuracy`` (0 to 1) where it is there.

        Raises:
            DslrGanError: If a loss is NaN or infinite.
        """
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            raise DslrGanError(
                f"the {bad[0]} loss became {losses[bad[0]]} in step {step}; go on with "
                f"--resume_from_checkpoint latest and a lower --learning_rate. {self._best()}"
            )
        accuracy = losses.get("discriminator_accuracy")
        if accuracy is not None:
            self.decided = self.decided + 1 if accuracy >= WON or accuracy <= LOST else 0

    def check_validation(self, step: int, score: float, of_input: float) -> bool:
        """Look at a validation, and say whether it is the best so far.

        Args:
            step: After which step it was made.
            score: Of the generator.
            of_input: Of the phone photos themselves.

        Raises:
            DslrGanError: If the run has collapsed.
        """
        if self.decided >= self.patience and score < of_input:
            raise DslrGanError(
                f"the training has collapsed: for {self.decided} steps the discriminator was "
                f"always right or always wrong, and after step {step} the validation "
                f"(MS-SSIM {score:.4f}) is below that of the phone photos themselves "
                f"({of_input:.4f}). {self._best()} Start again with a lower --texture_weight or "
                "--discriminator_learning_rate."
            )
        if self.best_score is not None and score <= self.best_score:
            return False
        self.best_score, self.best_step = score, step
        return True

    def _best(self) -> str:
        if self.best_step is None:
            return "There was no validation yet, so no generator was kept."
        return f"The best generator, of step {self.best_step}, is in the output folder's best."
