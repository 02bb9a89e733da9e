r"""Train a generator on pairs of phone and DSLR pictures, on one process or many.

    accelerate launch train_accelerate.py --pairs dped/iphone --output_dir runs/iphone \
        --preset shipped

The GAN of Prakash and Phumbhra 2020: each step first trains the discriminator on DSLR and enhanced
patches, then the generator by content, texture and colour losses. The finished generator is in
OUTPUT_DIR/generator, the best one by validation in OUTPUT_DIR/best, and OUTPUT_DIR/results is a
folder for people, with a page to open.
"""

# ruff: noqa: E402
from dslr_gan.training.keeping.signals import end_quietly

if __name__ == "__main__":
    end_quietly()  # at Ctrl-C during the imports below: Python would show a traceback

from dslr_gan.training.arguments import check_settings, parse_arguments

if __name__ == "__main__":
    # --help and a mistyped flag are answered here, before the imports below take their seconds.
    parse_arguments(description=__doc__)

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from tqdm.auto import tqdm

from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.scores import Scores
from dslr_gan.files import open_closed_streams
from dslr_gan.training.batches import Batch, worker_failure
from dslr_gan.training.keeping.collapse import NORM
from dslr_gan.training.keeping.pictures import check_pictures
from dslr_gan.training.keeping.signals import (
    HOW_TO_GO_ON,
    Stopped,
    StopRequest,
    end_with_the_launcher,
    forget_workers,
    raise_at_interrupts,
)
from dslr_gan.training.launching import (
    check_right_to_push,
    end_with,
    file_advice,
    memory_advice,
    on_main,
    processes_told,
    push_generator,
)
from dslr_gan.training.losses import (
    discriminator_loss,
    generator_losses,
    reduce_losses,
    step_means,
)
from dslr_gan.training.optimizers import go_on_from, take_step, update_average
from dslr_gan.training.run import (
    Run,
    kept_elsewhere,
    kept_on_the_way_out,
    set_up,
    write_checkpoint,
)
from dslr_gan.training.validation import (
    enhance_photos,
    gradient_norms,
    sample_rows,
    score_pairs,
    score_values,
)

logger = logging.getLogger("train_accelerate")

RECORDED_EVERY = 50


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trainer. A mistake ends in one error message and exit status 1."""
    open_closed_streams()
    end_with_the_launcher()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("accelerate", "datasets", "httpx", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of homes it cannot write to
    settings = parse_arguments(arguments, __doc__)
    try:
        raise_at_interrupts()
        check_settings(settings)
        run_training(set_up(settings))
    except DslrGanError as error:
        end_with(str(error))
    # PyTorch raises a RuntimeError wherever the trainer is when a worker dies or memory runs out.
    except (RuntimeError, MemoryError) as error:
        message = worker_failure(error) or memory_advice(error, settings)
        if message is None:
            raise
        end_with(message)
    except OSError as error:
        end_with(file_advice(error))
    except Stopped as stopped:
        logger.info("%s", stopped)
        sys.exit(stopped.status)
    except KeyboardInterrupt:  # before the first step or after the last
        logger.info("interrupted; %s.", HOW_TO_GO_ON)
        sys.exit(130)
    finally:
        forget_workers()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def run_training(run: Run) -> Run:
    """Train to the last step, with a progress bar, then save, and push where asked.

    Raises:
        DslrGanError: If the run cannot go on; its checkpoints and best generator stay.
        Stopped: After a signal such as SIGTERM or Ctrl-C, with a checkpoint written.
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
        kept_on_the_way_out(run),
    ):
        for losses in train(run, stop):
            if losses:
                shown = {name: f"{loss:.4f}" for name, loss in losses.items()}
                bar.set_postfix(shown, refresh=False)
            bar.update()
    finish(run)
    return run


# The loop ---------------------------------------------------------------------------------


def train(run: Run, stop: StopRequest) -> Iterator[dict[str, float]]:
    """Train to the last step, and give the losses of each step when it is done.

    On a GPU they stay there until they are looked at, every few steps: nothing is given for the
    steps between, so that the processor need not wait for the GPU.

    Raises:
        DslrGanError: If a loss is not finite, or the training has collapsed.
        Stopped: Where a signal asked for it, with a checkpoint written.
    """
    accelerator, settings, state = run.accelerator, run.settings, run.state
    generator, discriminator = run.generator, run.discriminator
    schedule, output = settings.schedule, settings.output
    trained = [network for network in (generator, discriminator) if network is not None]
    batches: list[dict[str, Tensor]] = []  # what was measured of each batch of a step
    unseen: list[dict[str, Tensor]] = []  # and of each step that nobody has looked at

    for batch in run.data.batches(accelerator, first_step=state.step):
        with accelerator.accumulate(*trained):
            enhanced = generator(batch.phone, batch.context(run.network))
            losses: dict[str, Tensor] = {}
            norms: dict[str, Tensor] = {}
            # The discriminator learns first, on the same patches.
            if discriminator is not None:
                losses |= discriminator_step(run, enhanced.detach(), batch.dslr, norms)
            # Then the generator, against the discriminator as it is now.
            terms = generator_terms(run, enhanced, batch.dslr)
            accelerator.backward(settings.losses.total(terms))
            if accelerator.sync_gradients:
                norms[NORM] = accelerator.clip_grad_norm_(
                    generator.parameters(), schedule.max_grad_norm
                )
                run.between_steps = False
            take_step(accelerator, run.optimizer, norms.get(NORM))
            run.optimizer.zero_grad()
            batches.append(losses | {name: term.detach() for name, term in terms.items()})
        if not accelerator.sync_gradients:
            continue  # more batches belong to this step

        state.step += 1
        unseen.append(step_means(batches) | norms)
        batches.clear()
        seen: list[dict[str, float]] = []
        stop_signal = 0
        if run.looks(stop.signal is not None):
            seen, stop_signal = reduce_losses(accelerator, unseen, stop.signal or 0)
            unseen.clear()
            # Before a checkpoint could take in a weight that is not finite.
            for step, means in enumerate(seen, start=state.step - len(seen) + 1):
                state.guard.check_step(step, means)
        update_average(state.ema, run.network, schedule.ema_decay, state.step)
        run.between_steps = True
        if seen and (state.step % RECORDED_EVERY == 0 or state.step == 1):
            record(run, seen[-1])
        for rates in run.rates:
            rates.step()
        if run.due(output.validation_steps):
            validate(run, batch)
        if run.due(output.checkpointing_steps) and not stop_signal:
            write_checkpoint(run)
        if stop_signal:
            run.checkpoints.write(state)
            if state.step < schedule.max_train_steps:
                raise Stopped(stop_signal, state.step)
        yield seen[-1] if seen else {}
        if state.step == schedule.max_train_steps:
            return  # streams have no end of their own


def discriminator_step(
    run: Run, enhanced: Tensor, dslr: Tensor, norms: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Train the discriminator, and give its loss and the share of patches it was right about.

    The norm of its gradient is added to the others after the last batch of a step.
    """
    accelerator = run.accelerator
    assert run.discriminator is not None and run.discriminator_optimizer is not None
    # One pass over both halves: two would each wait for a gradient exchange.
    real, generated = run.discriminator(torch.cat([dslr, enhanced])).chunk(2)
    loss = discriminator_loss(real, generated)
    accelerator.backward(loss)
    name = f"discriminator_{NORM}"
    if accelerator.sync_gradients:
        gradients = (weight.grad for weight in run.discriminator.parameters())
        norms[name] = get_total_norm([grad for grad in gradients if grad is not None])
        run.between_steps = False
    take_step(accelerator, run.discriminator_optimizer, norms.get(name))
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
        for photo in enhance_photos(state.ema, run.photos, run.accelerator.device):
            run.logbook.show_photo(state.step, *photo)
        run.logbook.publish(scores.table())
    run.report(f"step {state.step}\n{scores.table()}")
    guard, before = state.guard, state.guard.state_dict()
    if state.step > 0 and guard.check_validation(
        state.step, scores.model.ms_ssim, scores.input.ms_ssim
    ):
        try:
            save_generator(run, run.settings.output.output_dir / "best", scores)
        except DslrGanError as error:  # a full disk is no reason to end
            guard.load_state_dict(before)
            run.report(f"{error} The training goes on.")
    return scores


# Before and after the loop ----------------------------------------------------------------


def begin(run: Run) -> None:
    """Resume from a checkpoint where asked, start the logbook, validate what is there."""
    accelerator, output, state = run.accelerator, run.settings.output, run.state
    run.report(f"{state.samples_per_step} pairs per step ({processes_told(accelerator)})")
    check_right_to_push(accelerator, run.settings.hub)
    check_pictures(run.data.sources, run.settings.pairs.resolution, accelerator)
    run.checkpoints.begin(
        output.resume_from_checkpoint, state, run.report, overwrite=output.overwrite_output_dir
    )
    for rates in run.rates:
        go_on_from(rates, state.step)
    run.logbook.start(state.step, {"commands": state.commands, "settings": run.settings.flat()})
    if state.step == 0:
        validate(run)


def finish(run: Run) -> None:
    """Save the generator with its facts, and push it where asked."""
    output, guard, hub = run.settings.output, run.state.guard, run.settings.hub
    scores = run.scores or validate(run)
    folder, best = output.output_dir / "generator", output.output_dir / "best"
    better = guard.best_step not in (None, run.state.step) and best.is_dir()
    save_generator(run, folder, scores, or_elsewhere=True)
    if run.accelerator.is_main_process:
        logger.info("the generator is in %s", folder)
        if better:
            logger.info("the one of step %s validated better: %s", guard.best_step, best)
        logger.info("how it went: %s", run.logbook.folder / "index.html")
    if hub.push_to_hub:
        run.report(push_generator(run.accelerator, best if better else folder, hub))
    run.accelerator.wait_for_everyone()
    run.logbook.end()


def save_generator(run: Run, folder: Path, scores: Scores, *, or_elsewhere: bool = False) -> None:
    """Save the averaged generator with its card, on the main process.

    Args:
        run: Has it.
        folder: Where to.
        scores: Its validation.
        or_elsewhere: Whether it is kept in another place where it cannot be written to ``folder``.

    Raises:
        DslrGanError: If it cannot be written.
    """

    def save() -> None:
        state, repository = run.state, run.settings.hub.hub_model_id
        run.card.describe(run.settings, state, run.data, scores, run.vgg, run.logbook.folder)
        try:
            state.ema.save_pretrained(folder, repo_id=repository)
        except DslrGanError as error:
            if or_elsewhere:
                raise DslrGanError(f"{error} {kept_elsewhere(run, folder.name)}") from error
            raise

    on_main(run.accelerator, save)


if __name__ == "__main__":
    try:
        main()
    finally:
        end_quietly()  # at another Ctrl-C while Python itself ends
