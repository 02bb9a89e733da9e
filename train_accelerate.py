r"""Train a generator on pairs of phone and DSLR pictures, on one process or many.

    accelerate launch train_accelerate.py --pairs dped/iphone --output_dir runs/iphone \
        --preset shipped

The GAN of Prakash and Phumbhra 2020: each step first trains the discriminator on DSLR and enhanced
patches, then the generator by content, texture and colour losses. The finished generator is in
OUTPUT_DIR/generator, the best one by validation in OUTPUT_DIR/best, and OUTPUT_DIR/results is a
folder for people, with a page to open.
"""

# ruff: noqa: E402
from dslr_gan.training.arguments import Settings, check_settings, parse_arguments

if __name__ == "__main__":
    # --help and a mistyped flag are answered here, before the imports below take their seconds.
    parse_arguments(description=__doc__)

import copy
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor, nn
from tqdm.auto import tqdm

from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import Scores
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.models.discriminator import Discriminator
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.models.registry import load_network, make_network
from dslr_gan.training.batches import Batch, TrainingData, open_training_data, worker_failure
from dslr_gan.training.card import RunCard, read_card_facts
from dslr_gan.training.checkpoints import Checkpoints, RunState
from dslr_gan.training.collapse import CollapseGuard
from dslr_gan.training.launching import check_right_to_push, make_accelerator, push_generator
from dslr_gan.training.logbook import Logbook, command_line, find_trackers
from dslr_gan.training.losses import discriminator_loss, generator_losses, open_vgg, reduce_losses
from dslr_gan.training.optimizers import prepare, rate_factor, set_rate, update_average
from dslr_gan.training.signals import Stopped, StopRequest, forget_workers
from dslr_gan.training.validation import gradient_norms, sample_rows, score_pairs, score_values

logger = logging.getLogger("train_accelerate")

RECORDED_EVERY = 50


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
    scores: Scores | None = None

    @property
    def network(self) -> Pretrained:
        """The generator without what wraps it for several processes."""
        return self.accelerator.unwrap_model(self.generator)

    def due(self, every: int) -> bool:
        """Whether it is time for what is done every so many steps, and after the last."""
        step, last = self.state.step, self.settings.schedule.max_train_steps
        return step % every == 0 or step == last

    def report(self, message: str) -> None:
        """Print a message for people, once for all processes."""
        if self.accelerator.is_main_process:
            tqdm.write(message, file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trainer. A mistake ends in one error message and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("accelerate", "datasets", "httpx", "httpx2", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = parse_arguments(arguments, __doc__)
    try:
        check_settings(settings)
        run_training(set_up(settings))
    except DslrGanError as error:
        sys.exit(f"train_accelerate: {error}")
    except RuntimeError as error:  # PyTorch raises it wherever the trainer is when a worker dies
        message = worker_failure(error)
        if message is None:
            raise
        sys.exit(f"train_accelerate: {message}")
    except OSError as error:
        sys.exit(
            f"train_accelerate: {error.filename or 'a file'}: {error.strerror or error}; "
            "check the path, its permissions and the space on the disk."
        )
    except Stopped as stopped:
        logger.info("%s", stopped)
        sys.exit(stopped.status)
    except KeyboardInterrupt:  # before the first step or after the last
        logger.info("interrupted; go on with --resume_from_checkpoint latest.")
        sys.exit(130)
    finally:
        forget_workers()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def run_training(run: Run) -> Run:
    """Train to the last step, with a progress bar, then save, and push where asked.

    Raises:
        DslrGanError: If the run cannot go on; its checkpoints and best generator stay.
        Stopped: After SIGTERM or Ctrl-C, with a checkpoint written.
    """
    begin(run)
    with (
        StopRequest(run.report) as stop,
        tqdm(
            total=run.settings.schedule.max_train_steps,
            initial=run.state.step,
            desc="training",
            disable=not run.accelerator.is_local_main_process,
        ) as bar,
    ):
        for losses in train(run, stop):
            bar.set_postfix({name: f"{loss:.4f}" for name, loss in losses.items()}, refresh=False)
            bar.update()
    finish(run)
    return run


# The loop ---------------------------------------------------------------------------------


def train(run: Run, stop: StopRequest) -> Iterator[dict[str, float]]:
    """Train to the last step, and give the losses of each step when it is done.

    Raises:
        DslrGanError: If a loss is not finite, or the training has collapsed.
        Stopped: Where a signal asked for it, with a checkpoint written.
    """
    accelerator, settings, state = run.accelerator, run.settings, run.state
    generator, discriminator = run.generator, run.discriminator
    schedule, output = settings.schedule, settings.output
    trained = [network for network in (generator, discriminator) if network is not None]
    step_losses: list[dict[str, Tensor]] = []  # of each batch of a step

    for batch in run.data.batches(accelerator, first_step=state.step):
        rate = rate_factor(schedule, state.step)
        with accelerator.accumulate(*trained):
            enhanced = generator(batch.phone, batch.context(run.network))
            losses: dict[str, Tensor] = {}
            # The discriminator learns first, on the same patches.
            if discriminator is not None:
                losses |= discriminator_step(run, enhanced.detach(), batch.dslr, rate)
            # Then the generator, against the discriminator as it is now.
            terms = generator_terms(run, enhanced, batch.dslr)
            set_rate(run.optimizer, schedule.learning_rate * rate)
            accelerator.backward(settings.losses.total(terms))
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(generator.parameters(), schedule.max_grad_norm)
            run.optimizer.step()
            run.optimizer.zero_grad()
            step_losses.append(losses | {name: term.detach() for name, term in terms.items()})
        if not accelerator.sync_gradients:
            continue  # more batches belong to this step

        state.step += 1
        step_means, stop_signal = reduce_losses(accelerator, step_losses, stop.signal or 0)
        step_losses.clear()
        # Before the average or a checkpoint could take in a weight that is not finite.
        state.guard.check_step(state.step, step_means)
        update_average(state.ema, run.network, schedule.ema_decay, state.step)
        if state.step % RECORDED_EVERY == 0 or state.step == 1:
            record(run, step_means)
        if run.due(output.validation_steps):
            validate(run, batch)
        if run.due(output.checkpointing_steps) or stop_signal:
            run.checkpoints.write(state)
        if stop_signal and state.step < schedule.max_train_steps:
            raise Stopped(stop_signal, state.step)
        yield step_means
        if state.step == schedule.max_train_steps:
            return  # streams have no end of their own


def discriminator_step(run: Run, enhanced: Tensor, dslr: Tensor, rate: float) -> dict[str, Tensor]:
    """Train the discriminator, and give its loss and the share of patches it was right about."""
    assert run.discriminator is not None and run.discriminator_optimizer is not None
    # One pass over both halves: two would each wait for a gradient exchange.
    real, generated = run.discriminator(torch.cat([dslr, enhanced])).chunk(2)
    loss = discriminator_loss(real, generated)
    set_rate(run.discriminator_optimizer, run.settings.schedule.discriminator_learning_rate * rate)
    run.accelerator.backward(loss)
    run.discriminator_optimizer.step()
    run.discriminator_optimizer.zero_grad()
    right = torch.cat([real > 0, generated < 0]).float().mean()
    return {"discriminator": loss.detach(), "discriminator_accuracy": right}


def generator_terms(run: Run, enhanced: Tensor, dslr: Tensor) -> dict[str, Tensor]:
    """The terms of the generator's loss, computed with the discriminator frozen."""
    logits = None
    if run.discriminator is not None:
        # Without its wrapper: nothing of it is to be exchanged between processes here.
        judge = run.accelerator.unwrap_model(run.discriminator).requires_grad_(False)
        logits = judge(enhanced)
        judge.requires_grad_(True)
    return generator_losses(enhanced, dslr, run.settings.losses, logits=logits, vgg=run.vgg)


def record(run: Run, losses: dict[str, float]) -> None:
    """Write a step's losses and rates to the logbook."""
    values = {f"train/{name}": value for name, value in losses.items()}
    values["train/learning_rate"] = run.optimizer.param_groups[0]["lr"]
    if run.discriminator_optimizer is not None:
        rate = run.discriminator_optimizer.param_groups[0]["lr"]
        values["train/discriminator_learning_rate"] = rate
    run.logbook.write(run.state.step, values)


def validate(run: Run, batch: Batch | None = None) -> Scores:
    """Score the averaged generator on pairs it is not trained on, and save it if it is the best.

    Args:
        run: The run; its ``scores`` are replaced.
        batch: To measure the gradient of each term of the loss on.

    Raises:
        DslrGanError: If the training has collapsed.
    """
    state, network, pairs = run.state, run.network, run.data.validation
    scores = run.scores = score_pairs(state.ema, pairs, run.accelerator)
    values = score_values(scores)
    if batch is not None:
        # A compiled graph is gone after one backward pass, and here each term has its own.
        with torch.compiler.set_stance("force_eager"):
            enhanced = network(batch.phone, batch.context(network))
            terms = generator_terms(run, enhanced, batch.dslr)
        values |= gradient_norms(network, terms, run.settings.losses)
    run.logbook.write(state.step, values)
    if run.accelerator.is_main_process:
        samples = sample_rows(state.ema, pairs, run.accelerator.device)
        run.logbook.draw_samples(state.step, samples)
        run.logbook.publish(scores.table())
    run.report(f"step {state.step}\n{scores.table()}")
    if state.step > 0 and state.guard.check_validation(
        state.step, scores.model.ms_ssim, scores.input.ms_ssim
    ):
        save_generator(run, run.settings.output.output_dir / "best", scores)
    return scores


# Before and after the loop ----------------------------------------------------------------


def set_up(settings: Settings) -> Run:
    """Open the pairs and make or load the networks, on the devices that Accelerate gives.

    Raises:
        DslrGanError: If something that the settings name cannot be used here.
    """
    schedule, output = settings.schedule, settings.output
    if settings.network.mixed_precision == "fp16" and not torch.cuda.is_available():
        raise DslrGanError("--mixed_precision fp16 needs a GPU; take bf16 or no.")
    trackers = find_trackers(output.report_to)
    set_seed(settings.pairs.seed)
    card = RunCard(read_card_facts(output.card) if output.card else {})
    if settings.network.init_from:
        network = load_network(settings.network.init_from).train()
        card.start_from(network)
    else:
        network = make_network(settings.network.architecture)
    data = open_training_data(settings, with_summary=network.uses_context)
    vgg = open_vgg(settings.network.vgg_weights) if settings.losses.content else None
    accelerator = make_accelerator(settings, trackers)
    ema = copy.deepcopy(network).to(accelerator.device).eval().requires_grad_(False)
    ema.stored_as = getattr(torch, output.stored_as)
    generator, optimizer = prepare(
        accelerator, network, settings.network, schedule.optimizer, schedule.learning_rate
    )
    discriminator = discriminator_optimizer = None
    if settings.losses.texture:
        rate = schedule.discriminator_learning_rate
        discriminator, discriminator_optimizer = prepare(
            accelerator, Discriminator(), settings.network, "adam", rate
        )
    if vgg is not None:
        # Half precision where it is asked for; nothing to learn, nothing to exchange.
        vgg = accelerator.prepare_model(vgg, evaluation_mode=True)
    processes = accelerator.num_processes
    batches = processes * schedule.gradient_accumulation_steps
    state = RunState(
        ema=ema,
        guard=CollapseGuard(output.collapse_steps),
        samples_per_step=batches * schedule.train_batch_size,
        settings=settings.flat(free=False) | data.fixed_settings(processes),
        commands=[command_line()],
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
        logbook=Logbook(output.output_dir, accelerator),
        card=card,
    )


def begin(run: Run) -> None:
    """Resume from a checkpoint where asked, start the logbook, validate what is there."""
    accelerator, output, state = run.accelerator, run.settings.output, run.state
    # Some launchers start fewer processes than they were asked to, without a message.
    processes = f"processes: {accelerator.num_processes}, on {accelerator.device.type}"
    run.report(f"{state.samples_per_step} pairs per step ({processes})")
    run.checkpoints.begin(output.resume_from_checkpoint, state, run.report)
    check_right_to_push(accelerator, run.settings.hub)
    run.logbook.start(state.step, {"commands": state.commands, "settings": run.settings.flat()})
    if state.step == 0:
        validate(run)


def finish(run: Run) -> None:
    """Save the generator with its facts, and push it where asked."""
    output, guard, hub = run.settings.output, run.state.guard, run.settings.hub
    scores = run.scores or validate(run)
    folder, best = output.output_dir / "generator", output.output_dir / "best"
    better = guard.best_step not in (None, run.state.step) and best.is_dir()
    save_generator(run, folder, scores)
    if run.accelerator.is_main_process:
        logger.info("the generator is in %s", folder)
        if better:
            logger.info("the one of step %s validated better: %s", guard.best_step, best)
        logger.info("how it went: %s", run.logbook.folder / "index.html")
    if hub.push_to_hub:
        run.report(push_generator(run.accelerator, best if better else folder, hub))
    run.accelerator.wait_for_everyone()
    run.accelerator.end_training()


def save_generator(run: Run, folder: Path, scores: Scores) -> None:
    """Save the averaged generator with its card, on the main process."""
    if run.accelerator.is_main_process:
        state, repository = run.state, run.settings.hub.hub_model_id
        run.card.describe(run.settings, state, run.data, scores, run.vgg, run.logbook.folder)
        state.ema.save_pretrained(folder, repo_id=repository)
    run.accelerator.wait_for_everyone()


if __name__ == "__main__":
    main()
