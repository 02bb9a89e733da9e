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

NORM = "gradient_norm"
"""How the name of a gradient's norm ends, beside the losses of a step."""

MAX_STUCK = 50
"""Steps on end whose gradients are not finite, from which a run is given up."""

WON, LOST = 0.995, 0.005
"""Accuracies from which a discriminator counts as always right, or always wrong."""


class TrainingFailed(DslrGanError):
    """The weights as they are now are worth nothing: a checkpoint of them would replace better."""


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
    stuck: int = 0
    """How many steps there were on end so far whose gradients were not finite."""

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

        A norm of a gradient that is not finite has moved nothing (:func:`take_step`); only many
        steps of them in a row are too many.

        Raises:
            TrainingFailed: If a loss is NaN or infinite, or gradients were for too long.
        """
        norms = {name: value for name, value in losses.items() if name.endswith(NORM)}
        bad = [name for name in losses.keys() - norms if not math.isfinite(losses[name])]
        if bad:
            raise TrainingFailed(
                f"the {bad[0]} loss became {losses[bad[0]]} in step {step}; go on with "
                f"--resume_from_checkpoint latest and a lower --learning_rate. {self._best()}"
            )
        still = not all(math.isfinite(value) for value in norms.values())
        self.stuck = self.stuck + 1 if still else 0
        if self.stuck >= MAX_STUCK:
            raise TrainingFailed(
                f"the gradient was not finite in {self.stuck} steps on end, up to step {step}, and "
                f"moved nothing in them; lower --learning_rate, or leave out --mixed_precision. "
                f"{self._best()}"
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
            TrainingFailed: If the run has collapsed.
        """
        if self.decided >= self.patience and score < of_input:
            raise TrainingFailed(
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
