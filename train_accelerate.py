r"""Train a generator on pairs of phone and DSLR pictures, on one process or many.

    accelerate launch train_accelerate.py --pairs dped/iphone --output_dir runs/iphone \
        --preset shipped

The GAN of Prakash and Phumbhra 2020: each step shows the discriminator DSLR and enhanced patches,
then moves the generator by content, texture and colour losses. The finished generator lies in
OUTPUT_DIR/generator, the one that validated best in OUTPUT_DIR/best, and OUTPUT_DIR/results is a
folder for people, with a page to open.
"""

import argparse
import copy
import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import (
    GradientAccumulationPlugin,
    ProjectConfiguration,
    broadcast_object_list,
    gather_object,
    set_seed,
)
from filelock import FileLock, Timeout
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import Scores, measure, pair_tensors, summarise
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.models.discriminator import Discriminator
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.models.registry import load_network, make_network
from dslr_gan.photo import to_pixels, to_tensor
from dslr_gan.training.arguments import (
    FREE_FLAGS,
    check_arguments,
    loss_weights,
    parse_arguments,
    rate_factor,
    trackers,
)
from dslr_gan.training.batches import open_feed
from dslr_gan.training.card import facts_of_run, read_card_facts, score_facts
from dslr_gan.training.checkpoints import Checkpoints, read_state, step_of
from dslr_gan.training.collapse import CollapseGuard
from dslr_gan.training.logbook import Records, command_line
from dslr_gan.training.losses import discriminator_loss, generator_losses
from dslr_gan.training.optimizers import make_optimizer
from dslr_gan.training.signals import StopRequest
from hub_card import ModelFacts

logger = logging.getLogger("train_accelerate")

EMA_FILE = "ema.safetensors"
SHOWN_PAIRS = 4
RECORDED_EVERY = 50


class Stopped(Exception):
    """The run was told to stop by a signal, and has left a checkpoint."""

    def __init__(self, number: int, step: int) -> None:
        name = signal.Signals(number).name
        super().__init__(
            f"stopped by {name} after step {step}; go on with --resume_from_checkpoint latest."
        )
        self.status = 128 + number


class OtherSettings(DslrGanError):
    """A checkpoint is of another run than the one that was asked for."""


class Batch(NamedTuple):
    """A batch where the networks are: ``(N, 3, H, W)`` each, and the summaries of the photos."""

    phone: Tensor
    dslr: Tensor
    summary: Tensor | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trainer; a mistake ends in one sentence and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("accelerate", "datasets", "httpx", "httpx2", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    args = parse_arguments(arguments, __doc__)
    try:
        check_arguments(args)
        Trainer(args).run()
    except DslrGanError as error:
        # A loader's worker hands its traceback on as the message; its last line is the sentence.
        sys.exit(f"train_accelerate: {str(error).strip().rpartition('DslrGanError: ')[2]}")
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
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


class Trainer:
    """One run: everything it needs, and the loop."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.weights = loss_weights(args)
        set_seed(args.seed)
        self.card_facts = read_card_facts(args.card) if args.card else {}
        self.ancestor: ModelFacts | None = None
        network = self._make_network()
        self.feed = open_feed(args, with_summary=network.uses_context)
        self.vgg = self._open_vgg()
        self.accelerator = Accelerator(
            mixed_precision=args.mixed_precision,
            log_with=trackers(args) or None,
            project_config=ProjectConfiguration(str(args.output_dir)),
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=args.gradient_accumulation_steps, sync_with_dataloader=False
            ),
        )
        self.device = self.accelerator.device
        self.ema = copy.deepcopy(network).to(self.device).eval().requires_grad_(False)
        self.ema.stored_as = getattr(torch, self.args.stored_as)
        self.generator, self.optimizer = self._prepare(network, args.optimizer, args.learning_rate)
        self.discriminator = None
        if self.weights.texture:
            self.discriminator, self.discriminator_optimizer = self._prepare(
                Discriminator(), "adam", args.discriminator_learning_rate
            )
        if self.vgg is not None:
            # Half precision where it is asked for; nothing to learn, nothing to exchange.
            self.vgg = self.accelerator.prepare_model(self.vgg, evaluation_mode=True)
        self.commands = [command_line()]
        self.checkpoints = Checkpoints(args.output_dir, args.checkpoints_total_limit)
        self.guard = CollapseGuard(args.collapse_steps)
        self.step = 0
        self.scores: Scores | None = None
        self.told = 0  # the number of the signal that some process got
        self._seen: list[dict[str, Tensor]] = []

    # What a run is made of ----------------------------------------------------------------

    def _make_network(self) -> Pretrained:
        if not self.args.init_from:
            return make_network(self.args.architecture)
        network = load_network(self.args.init_from).train()
        self.ancestor, network.facts, network.origin = network.facts, None, None
        return network

    def _open_vgg(self) -> VGGFeatures | None:
        if not self.weights.content:
            return None
        if self.args.vgg_weights is not None:
            return VGGFeatures.from_file(self.args.vgg_weights)
        return VGGFeatures.from_hub()

    def _prepare(self, network: torch.nn.Module, optimizer: str, rate: float) -> tuple[Any, Any]:
        """A network and its optimizer, ready for this machine."""
        if self.args.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.args.compile:
            network.compile()
        moves = make_optimizer(optimizer, network.parameters(), rate, self.device)
        return self.accelerator.prepare(network, moves)

    @property
    def network(self) -> Pretrained:
        """The generator without what wraps it for several processes."""
        return self.accelerator.unwrap_model(self.generator)

    # The loop -----------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the last step, then save, and push where asked.

        Raises:
            DslrGanError: If the run cannot go on; its checkpoints and best generator stay.
            Stopped: After SIGTERM or Ctrl-C, with a checkpoint written.
        """
        self._begin()
        with (
            StopRequest(self._say) as stop,
            tqdm(
                total=self.args.max_train_steps,
                initial=self.step,
                desc="training",
                disable=not self.accelerator.is_local_main_process,
            ) as bar,
        ):
            for raw in self.batches() if self.step < self.args.max_train_steps else ():
                batch = self.on_device(raw)
                losses = self.advance(batch, stop)
                if losses is not None:
                    bar.update()
                    self._after_step(batch, losses, bar)
                    if self.step == self.args.max_train_steps:
                        break
        self.finish()

    def _begin(self) -> None:
        """Go on from a checkpoint where asked, open the records, validate what is there."""
        args, accelerator = self.args, self.accelerator
        self._claim_folder()
        # Some launchers start fewer processes than they were told to, and say nothing.
        processes = f"processes: {accelerator.num_processes}, on {self.device.type}"
        self._say(f"{self._samples(1)} pairs per step ({processes})")
        if args.resume_from_checkpoint:
            self.resume(args.resume_from_checkpoint)
        later = [each for each in self.checkpoints.all() if step_of(each) > self.step]
        if later:
            raise DslrGanError(
                f"{args.output_dir} has checkpoints of later steps, such as {later[-1].name}, that "
                "would mix with this run; add --resume_from_checkpoint latest, or name another "
                "--output_dir."
            )
        run = {"commands": self.commands, "settings": vars(args)}
        self.records = Records(args.output_dir, accelerator, run)
        self.records.start(self.step)
        if accelerator.is_main_process:
            self.checkpoints.tidy()
        if self.step == 0:
            self.validate()

    def _claim_folder(self) -> None:
        """Refuse to write where another run does: one that a killed launcher left, for example."""
        folder = self.args.output_dir
        claimed = [True]
        if self.accelerator.is_main_process:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                # Held until this process ends, however it does.
                self._lock = FileLock(folder / ".lock")
                self._lock.acquire(timeout=0)
            except Timeout:
                claimed = [False]
        if not broadcast_object_list(claimed)[0]:
            raise DslrGanError(
                f"another run is at work in {folder}; wait for its end or stop it, or name another "
                "--output_dir."
            )

    def advance(self, batch: Batch, stop: StopRequest | None = None) -> dict[str, float] | None:
        """Train on one batch; where that ends a step, give the step's losses.

        Raises:
            DslrGanError: If a loss is not finite.
        """
        with self.accelerator.accumulate(*self._trained()):
            self._seen.append(self.train_on(batch))
        if not self.accelerator.sync_gradients:
            return None
        self.step += 1
        losses = self._agree(stop)
        # Before the average or a checkpoint could take over a weight that is no number.
        self.guard.check_step(self.step, losses)
        self._update_average()
        return losses

    def _after_step(self, batch: Batch, losses: dict[str, float], bar: tqdm) -> None:
        """Record, validate and save when it is time to, and stop where that was asked for."""
        if self.step % RECORDED_EVERY == 0 or self.step == 1:
            self._record(losses, bar)
        last = self.step == self.args.max_train_steps
        if last or self.step % self.args.validation_steps == 0:
            self.validate(batch)
        if last or self.told or self.step % self.args.checkpointing_steps == 0:
            self.save_checkpoint()
        if self.told and not last:
            raise Stopped(self.told, self.step)

    def _agree(self, stop: StopRequest | None) -> dict[str, float]:
        """The step's losses over all its batches and processes; notes a signal that any got.

        One exchange and one wait for the device, so that all processes decide alike.
        """
        names = list(self._seen[0])
        values = torch.stack([torch.stack(list(each.values())) for each in self._seen]).mean(dim=0)
        told = stop.signal if stop is not None and stop.signal is not None else 0
        mine = torch.cat([values, values.new_tensor([float(told)])])
        everyone = self.accelerator.gather(mine[None])
        self._seen.clear()
        self.told = int(everyone[:, -1].max())
        return dict(zip(names, everyone[:, :-1].mean(dim=0).tolist(), strict=True))

    def _trained(self) -> list[torch.nn.Module]:
        return [each for each in (self.generator, self.discriminator) if each is not None]

    def batches(self) -> DataLoader:
        """The batches of this process, from the step on that comes next."""
        accelerator = self.accelerator
        return self.feed.batches(
            self.step,
            accelerator.process_index,
            accelerator.num_processes,
            pin=self.device.type == "cuda",
        )

    def on_device(self, raw: dict[str, Tensor]) -> Batch:
        """A loader's batch, where and how the networks want it."""
        order = torch.channels_last if self.args.channels_last else torch.preserve_format
        phone, dslr = (
            raw[name].to(self.device, non_blocking=True, memory_format=order)
            for name in ("phone", "dslr")
        )
        summary = raw["summary"].to(self.device) if self.feed.with_summary else None
        return Batch(phone, dslr, summary)

    def train_on(self, batch: Batch) -> dict[str, Tensor]:
        """One forward and backward pass of both networks; returns what is worth recording.

        The discriminator moves once in each step, before the generator and on the same patches.
        """
        enhanced = self.enhance(self.generator, batch)
        record: dict[str, Tensor] = {}
        if self.discriminator is not None:
            record |= self.discriminator_step(enhanced.detach(), batch.dslr)
        return record | self.generator_step(enhanced, batch.dslr)

    def enhance(self, generator: torch.nn.Module, batch: Batch) -> Tensor:
        """A generator on a batch of patches, each with the context of its own picture."""
        context = None if batch.summary is None else self.network.context(batch.summary)
        return generator(batch.phone, context)

    def discriminator_step(self, enhanced: Tensor, dslr: Tensor) -> dict[str, Tensor]:
        """Move the discriminator; its accuracy is recorded beside its loss."""
        assert self.discriminator is not None
        self._set_rate(self.discriminator_optimizer, self.args.discriminator_learning_rate)
        # One pass over both halves: two would each wait for a gradient exchange.
        logits = self.discriminator(torch.cat([dslr, enhanced]))
        real, generated = logits.chunk(2)
        loss = discriminator_loss(real, generated)
        self.accelerator.backward(loss)
        self.discriminator_optimizer.step()
        self.discriminator_optimizer.zero_grad()
        right = torch.cat([real > 0, generated < 0]).float().mean()
        return {"discriminator": loss.detach(), "discriminator_accuracy": right}

    def generator_step(self, enhanced: Tensor, dslr: Tensor) -> dict[str, Tensor]:
        """Move the generator; the discriminator is frozen and only asked."""
        terms = self._terms(enhanced, dslr)
        self._set_rate(self.optimizer, self.args.learning_rate)
        self.accelerator.backward(self.weights.total(terms))
        if self.accelerator.sync_gradients:
            self.accelerator.clip_grad_norm_(self.generator.parameters(), self.args.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {name: term.detach() for name, term in terms.items()}

    def _terms(self, enhanced: Tensor, dslr: Tensor) -> dict[str, Tensor]:
        logits = None
        if self.discriminator is not None:
            # Without its wrapper: nothing of it is to be exchanged between processes here.
            judge = self.accelerator.unwrap_model(self.discriminator).requires_grad_(False)
            logits = judge(enhanced)
            judge.requires_grad_(True)
        return generator_losses(enhanced, dslr, self.weights, logits=logits, vgg=self.vgg)

    def _set_rate(self, optimizer: torch.optim.Optimizer, base: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = base * rate_factor(self.args, self.step)

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on the average follows closely, or it would remember the first random weights.
        decay = min(self.args.ema_decay, self.step / (self.step + 9))
        average: list[Tensor] = list(self.ema.parameters())
        torch._foreach_lerp_(average, list(self.network.parameters()), 1 - decay)

    # Validation and records ---------------------------------------------------------------

    def validate(self, batch: Batch | None = None) -> Scores:
        """Score the averaged generator on pairs it does not train on, and keep it if it is best.

        Args:
            batch: To measure the gradient of each term of the loss on.

        Raises:
            DslrGanError: If the training has collapsed.
        """
        scores = self.scores = self._score_all()
        norms = self._gradient_norms(batch) if batch is not None else {}
        values = {
            f"validation/{side}/{name}": value
            for side, each in (("input", scores.input), ("model", scores.model))
            for name, value in each.means.items()
            if value is not None
        }
        values |= {f"gradient/{name}": norm for name, norm in norms.items()}
        self.records.write(self.step, values)
        if self.accelerator.is_main_process:
            self.records.draw_samples(self.step, self._sample_rows())
            self.records.publish(scores.table())
            tqdm.write(f"step {self.step}\n{scores.table()}", file=sys.stderr)
        if self.step > 0 and self.guard.check_validation(
            self.step, scores.model.ms_ssim, scores.input.ms_ssim
        ):
            self._save(self.args.output_dir / "best", scores)
        return scores

    def _score_all(self) -> Scores:
        accelerator, pairs = self.accelerator, self.feed.validation
        own = range(accelerator.process_index, len(pairs), accelerator.num_processes)
        # By index, so that nothing depends on the number of processes.
        rows = sorted(gather_object([(index, *self._score(index)) for index in own]))
        inputs, results = (np.array([row[side] for row in rows]) for side in (1, 2))
        differ = np.isfinite(inputs[:, 0])
        return Scores(len(rows), summarise(inputs, differ), {"model": summarise(results, differ)})

    @torch.inference_mode()
    def _score(self, index: int) -> tuple[list[float], list[float]]:
        """Scores of the phone picture and of the 8-bit result against the DSLR picture."""
        phone, dslr = (each.to(self.device) for each in pair_tensors(self.feed.validation, index))
        result = to_tensor(to_pixels(self.ema(phone))).to(self.device)
        return measure(phone, dslr), measure(result, dslr)

    @torch.inference_mode()
    def _sample_rows(self) -> list[list[np.ndarray]]:
        """Phone, enhanced and DSLR side by side, a pair a row; pairs from all over."""
        rows, pairs = [], self.feed.validation
        for index in np.linspace(0, len(pairs) - 1, min(SHOWN_PAIRS, len(pairs))).astype(int):
            phone, dslr = pair_tensors(pairs, int(index))
            enhanced = self.ema(phone.to(self.device))
            rows.append([to_pixels(each) for each in (phone, enhanced, dslr)])
        return rows

    def _gradient_norms(self, batch: Batch) -> dict[str, float]:
        """Norm of each weighted term's gradient at the generator's last layer."""
        network = self.network
        # A compiled graph is gone after one backward pass, and here each term has its own.
        with torch.compiler.set_stance("force_eager"):
            terms = self._terms(self.enhance(network, batch), batch.dslr)
        return {
            name: torch.autograd.grad(
                getattr(self.weights, name) * term, network.last_layer.weight, retain_graph=True
            )[0]
            .norm()
            .item()
            for name, term in terms.items()
        }

    def _record(self, losses: dict[str, float], bar: tqdm) -> None:
        values = {f"train/{name}": value for name, value in losses.items()}
        values["train/learning_rate"] = self.optimizer.param_groups[0]["lr"]
        if self.discriminator is not None:
            rate = self.discriminator_optimizer.param_groups[0]["lr"]
            values["train/discriminator_learning_rate"] = rate
        self.records.write(self.step, values)
        bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})

    def _say(self, sentence: str) -> None:
        if self.accelerator.is_main_process:
            tqdm.write(sentence, file=sys.stderr)

    # Checkpoints --------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        """Write everything the run needs to go on."""
        state = {
            "step": self.step,
            "samples": self._samples(),
            "settings": self._settings(),
            "commands": self.commands,
            "guard": self.guard.state(),
        }
        self.checkpoints.write(
            self.accelerator,
            self.step,
            state,
            lambda folder: save_file(self.ema.state_dict(), folder / EMA_FILE),
        )

    def resume(self, wanted: str) -> None:
        """Go on from a checkpoint: a folder, or ``latest`` for the latest that can be used.

        One that is damaged is refused with a sentence and set aside, and the one before it is
        tried. One of other settings ends it: those before it are of the same run.

        Raises:
            DslrGanError: If none can be used.
        """
        latest = wanted == "latest"
        candidates = self.checkpoints.all()[::-1] if latest else [Path(wanted)]
        if not candidates:
            self._say(f"there is no checkpoint in {self.args.output_dir}; starting anew")
        refused: list[Path] = []
        for folder in candidates:
            try:
                self._go_on_from(folder)
            except OtherSettings:
                raise
            except DslrGanError as error:
                if folder == candidates[-1]:
                    raise
                self._say(str(error))
                refused.append(folder)
            else:
                break
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self.checkpoints.set_aside(refused)
        self.accelerator.wait_for_everyone()

    def _go_on_from(self, folder: Path) -> None:
        state = read_state(folder)
        self._check_settings(folder, state)
        try:
            self.accelerator.load_state(str(folder))
            self.ema.load_state_dict(load_file(folder / EMA_FILE))
        except Exception as error:  # of another version, which can raise nearly anything
            raise DslrGanError(
                f"the checkpoint {folder} cannot be loaded by these versions "
                f"({type(error).__name__}); use those that wrote it."
            ) from error
        self.guard.restore(state["guard"])
        self.step = state["step"]
        self.commands = [*state["commands"], *self.commands]
        self._say(f"going on from {folder}")

    def _check_settings(self, folder: Path, state: dict[str, Any]) -> None:
        now = self._settings()
        changed = [
            f"--{name} {old} -> {now.get(name)}"
            for name, old in state["settings"].items()
            if now.get(name) != old
        ]
        if changed or state["samples"] != self._samples(state["step"]):
            raise OtherSettings(
                f"the checkpoint {folder} was made with other settings "
                f"({', '.join(changed) or 'pairs per step'}); use those, or another --output_dir."
            )

    def _samples(self, step: int | None = None) -> int:
        """Samples seen up to a step: what the data position follows from."""
        args = self.args
        per_step = args.train_batch_size * args.gradient_accumulation_steps
        return (self.step if step is None else step) * per_step * self.accelerator.num_processes

    def _settings(self) -> dict[str, Any]:
        known = {name: value for name, value in vars(self.args).items() if name not in FREE_FLAGS}
        known |= self.feed.settings(self.accelerator.num_processes)
        return json.loads(json.dumps(known, default=str))

    # The end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """Save the generator with its facts, and push it where asked."""
        scores = self.scores or self.validate()
        folder = self.args.output_dir / "generator"
        self._save(folder, scores)
        if self.accelerator.is_main_process:
            logger.info("the generator lies in %s", folder)
            if self.guard.best_step not in (None, self.step):
                best = self.args.output_dir / "best"
                logger.info("the one of step %s validated better: %s", self.guard.best_step, best)
            logger.info("how it went: %s", self.records.folder / "index.html")
            if self.args.push_to_hub:
                logger.info("pushed: %s", self.ema.push_to_hub(self.args.hub_model_id))
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()

    def _save(self, folder: Path, scores: Scores) -> None:
        """Save the averaged generator with its card, on the main process."""
        if self.accelerator.is_main_process:
            self.ema.facts = self._facts(scores)
            self.ema.save_pretrained(folder, repo_id=self.args.hub_model_id)
        self.accelerator.wait_for_everyone()

    def _facts(self, scores: Scores) -> ModelFacts:
        pairs = "/".join(Path(self.feed.validation_name).parts[-2:])
        run = {
            "title": f"dslr_gan {self.args.output_dir.resolve().name}",
            "steps": self.step,
            "batch_size": self._samples(1),
            "losses": self.weights.active(),
            "seed": self.args.seed,
        }
        return facts_of_run(
            self.ema,
            run,
            commands=self.commands,
            provenance=self.feed.provenance,
            scores=score_facts(scores, f"validation pairs of {pairs}"),
            vgg=self.vgg,
            ancestor=self.ancestor,
            given=self.card_facts,
        )


if __name__ == "__main__":
    main()
