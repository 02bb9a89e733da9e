"""One run: what it works with, made from the settings."""

import copy
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from PIL import Image
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from tqdm.auto import tqdm

from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.scores import Scores
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.models.discriminator import Discriminator
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.models.registry import load, make_network
from dslr_gan.training.arguments import Settings
from dslr_gan.training.batches import TrainingData, open_training_data
from dslr_gan.training.card import RunCard, read_card_facts
from dslr_gan.training.keeping.checkpoints import Checkpoints, NotWritten, step_of
from dslr_gan.training.keeping.collapse import CollapseGuard, TrainingFailed
from dslr_gan.training.keeping.pictures import listing_of
from dslr_gan.training.keeping.signals import HOW_TO_GO_ON, Stopped
from dslr_gan.training.keeping.state import RunState
from dslr_gan.training.launching import make_accelerator
from dslr_gan.training.logbook import Logbook, command_line, find_trackers
from dslr_gan.training.losses import open_vgg
from dslr_gan.training.optimizers import prepare
from dslr_gan.training.validation import open_photos

LOOKED_EVERY = 10
"""Steps after which a GPU is asked for the losses, of which each question makes it wait."""


@dataclass
class Run:
    """What a run works with; :func:`set_up` makes it."""

    settings: Settings
    accelerator: Accelerator
    data: TrainingData
    generator: nn.Module
    optimizer: torch.optim.Optimizer
    discriminator: nn.Module | None
    discriminator_optimizer: torch.optim.Optimizer | None
    vgg: VGGFeatures | None
    state: RunState
    checkpoints: Checkpoints
    logbook: Logbook
    card: RunCard
    photos: dict[str, Image.Image]
    """Whole photos that each validation enhances, by what they are called."""
    rates: list[LambdaLR]
    """The schedules of the learning rates, the generator's first."""
    scores: Scores | None = None
    between_steps: bool = True
    """Whether all that is trained has taken the same number of steps."""

    @property
    def network(self) -> Pretrained:
        """The generator without what wraps it for several processes."""
        return self.accelerator.unwrap_model(self.generator)

    def due(self, every: int) -> bool:
        """Whether it is time for what is done every so many steps, and after the last."""
        step, last = self.state.step, self.settings.schedule.max_train_steps
        return step % every == 0 or step == last

    def looks(self, stopped: bool) -> bool:
        """Whether the losses since the last look are looked at after this step.

        Args:
            stopped: Whether this process was told to stop. One of several tells the others then.
        """
        output, step = self.settings.output, self.state.step
        every = 1 if self.accelerator.device.type == "cpu" else LOOKED_EVERY
        alone = self.accelerator.num_processes == 1
        return (
            self.due(every)
            or step == 1
            or self.due(output.validation_steps)
            or self.due(output.checkpointing_steps)
            or (stopped and alone)
        )

    def report(self, message: str) -> None:
        """Print a message for people, once for all processes."""
        if self.accelerator.is_main_process:
            tqdm.write(message, file=sys.stderr)


def set_up(settings: Settings) -> Run:
    """Open the pairs and make or load the networks, on the devices that Accelerate gives.

    Raises:
        DslrGanError: If something that the settings name cannot be used here.
    """
    schedule, output = settings.schedule, settings.output
    if settings.network.allow_tf32:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    trackers = find_trackers(output.report_to)
    set_seed(settings.pairs.seed)
    card = RunCard(read_card_facts(output.card) if output.card else {})
    if settings.network.init_from:
        network = load(settings.network.init_from).network.train()
        card.start_from(network)
    else:
        network = make_network(settings.network.architecture)
    data = open_training_data(settings, with_summary=network.uses_context)
    vgg = open_vgg(settings.network.vgg_weights) if settings.losses.content else None
    accelerator = make_accelerator(settings, trackers)
    per_step = (
        accelerator.num_processes * schedule.gradient_accumulation_steps * schedule.train_batch_size
    )
    data = data.of_epochs(per_step)
    settings, schedule = data.settings, data.settings.schedule
    ema = copy.deepcopy(network).to(accelerator.device).eval().requires_grad_(False)
    ema.stored_as = getattr(torch, output.stored_as)
    generator, optimizer, falling = prepare(
        accelerator, network, settings, schedule.optimizer, schedule.learning_rate
    )
    rates = [falling]
    discriminator = discriminator_optimizer = None
    if settings.losses.texture:
        rate = schedule.discriminator_learning_rate
        discriminator, discriminator_optimizer, falling = prepare(
            accelerator, Discriminator(), settings, "adam", rate
        )
        rates.append(falling)
    if vgg is not None:
        # Half precision where it is asked for; nothing to learn, nothing to exchange.
        vgg = accelerator.prepare_model(vgg, evaluation_mode=True)
    state = RunState(
        ema=ema,
        guard=CollapseGuard(output.collapse_steps),
        samples_per_step=per_step,
        settings=settings.flat(free=False) | data.fixed_settings(accelerator.num_processes),
        commands=[command_line()],
        listing=listing_of(data.sources),
        accepts_other_pairs=output.accept_changed_pairs,
    )
    return Run(
        settings=settings,
        accelerator=accelerator,
        data=data,
        generator=generator,
        optimizer=optimizer,
        discriminator=discriminator,
        discriminator_optimizer=discriminator_optimizer,
        vgg=vgg,
        state=state,
        checkpoints=Checkpoints(accelerator, output.output_dir, output.checkpoints_total_limit),
        logbook=Logbook(output.output_dir, accelerator, output.tracker_project_name),
        photos=open_photos(output.validation_images),
        card=card,
        rates=rates,
    )


def write_checkpoint(run: Run) -> None:
    """Write the checkpoint of a step; where there is no room for it the training goes on."""
    try:
        run.checkpoints.write(run.state)
    except NotWritten as error:
        run.report(error.notice)


@contextmanager
def kept_on_the_way_out(run: Run) -> Iterator[None]:
    """Leave a checkpoint of the last whole step, whatever ends the run between two steps.

    Of several processes only one knows of its error, and the others wait for it somewhere else:
    then the last checkpoint of all is what stays.
    """
    try:
        yield
    except (Stopped, TrainingFailed, NotWritten):
        raise
    except Exception:
        state, written = run.state, run.checkpoints.all()
        done = step_of(written[-1]) if written else 0
        if run.between_steps and run.accelerator.num_processes == 1 and state.step > done:
            try:
                run.checkpoints.write(state)
                run.report(f"there is a checkpoint of step {state.step}, {HOW_TO_GO_ON}.")
            except DslrGanError as error:
                run.report(str(error))
        raise


def kept_elsewhere(run: Run, name: str) -> str:
    """Keep a finished generator that cannot be written to the run's folder, as on a full disk.

    Returns:
        What was done about it, or is to be done: a sentence.
    """
    go_on = f"Put that right, and {HOW_TO_GO_ON}"
    written = run.checkpoints.all()
    if written and step_of(written[-1]) == run.state.step:
        return f"{go_on}: nothing is trained again."
    folder = Path(tempfile.mkdtemp(prefix="dslr_gan-"))
    try:
        run.state.ema.save_pretrained(folder / name)
    except DslrGanError:
        shutil.rmtree(folder, ignore_errors=True)
        return f"{go_on}."
    return f"It is in {folder / name} instead; move it before the system clears that folder."
