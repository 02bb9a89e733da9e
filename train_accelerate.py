r"""Train a generator on pairs of phone and DSLR pictures, on one process or many.

    accelerate launch train_accelerate.py --pairs dped/iphone --output_dir runs/iphone \
        --preset shipped

The GAN of Prakash and Phumbhra 2020: each step shows the discriminator DSLR and enhanced patches,
then moves the generator by content, texture and colour losses. The finished generator lies in
OUTPUT_DIR/generator.
"""

import argparse
import copy
import dataclasses
import hashlib
import json
import logging
import math
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import GradientAccumulationPlugin, gather_object, set_seed
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from dslr_gan.data import (
    BatchNumbers,
    PatchPairs,
    find_pairs,
    has_test_pairs,
    load_pairs,
    pair_tensors,
    provenance,
    split_folder,
    undecoded,
)
from dslr_gan.discriminator import Discriminator
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation import MetricScores, Scores, measure, summarise
from dslr_gan.files import written_whole
from dslr_gan.generator import Generator
from dslr_gan.image import to_pixels, to_tensor
from dslr_gan.losses import LossWeights, discriminator_loss, generator_losses
from dslr_gan.pretrained import first_line
from dslr_gan.vgg import VGGFeatures
from hub_card import THIS_MODEL, ModelFacts, Score, Source, unknown_facts

log = logging.getLogger("train_accelerate")

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": {"downscale": 1},
    "dped": {
        "channels": 64,
        "downscale": 1,
        "norm": "instance",
        "end_kernel": 9,
        "residual": False,
    },
    "detail": {
        "blocks": 4,
        "dilations": [1, 1, 2, 4],
        "end_kernel": 5,
        "coarse_channels": 32,
        "context_channels": 32,
    },
}

PRESETS: dict[str, dict[str, Any]] = {
    # The paper's own weights, iterations and batch; DPED's learning rate. The fall of the rate
    # along a cosine is ours.
    "paper": {
        "architecture": "paper",
        "max_train_steps": 30_000,
        "train_batch_size": 30,
        "learning_rate": 5e-4,
        "lr_warmup_steps": 0,
        "ema_decay": 0.0,
    },
    # What the bundled models are made with. It departs from the paper: without VGG-16 weights
    # there is no content term, and against the paper's confessed flaws (noise, excessive colour)
    # the distances that the models are judged by stand in for the adversarial term.
    "shipped": {
        "architecture": "detail",
        "max_train_steps": 3000,
        "learning_rate": 1.5e-3,
        "content_weight": 0.0,
        "texture_weight": 0.0,
        "color_weight": 0.0,
        "l1_weight": 1.0,
        "ssim_weight": 0.3,
        "ms_ssim_weight": 0.3,
    },
}

# Flags that may change between a checkpoint and the run that goes on from it.
FREE_FLAGS = frozenset(
    {
        "learning_rate",
        "discriminator_learning_rate",
        "output_dir",
        "max_train_steps",
        "checkpointing_steps",
        "checkpoints_total_limit",
        "validation_steps",
        "resume_from_checkpoint",
        "push_to_hub",
        "hub_model_id",
        "report_to",
        "card",
        "dataloader_num_workers",
        "train_batch_size",
        "gradient_accumulation_steps",
        "mixed_precision",
        "pairs",
        "validation_pairs",
        "vgg_weights",
        "preset",
    }
)

TRAINER_STATE = "trainer_state.json"
EMA_FILE = "ema.safetensors"
SHOWN_PAIRS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trainer; a mistake ends in one sentence and exit status 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("accelerate", "datasets", "httpx", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    args = parse_arguments(arguments)
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
    except KeyboardInterrupt:
        sys.exit("train_accelerate: interrupted; go on with --resume_from_checkpoint latest.")
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the flags; a preset changes the defaults, a flag that is given wins."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--pairs",
        action="append",
        required=True,
        metavar="DIR[=WEIGHT]",
        help="a DPED folder such as dped/iphone, or a pairs folder; repeat it for several, "
        "with the share of each",
    )
    add(
        "--validation_pairs",
        metavar="DIR",
        help="pairs to validate on (default: the DPED folder's test_data, else a tenth of the "
        "pairs, which then are not trained on)",
    )
    add("--output_dir", type=Path, required=True)
    add(
        "--preset",
        choices=PRESETS,
        help="defaults for the flags below: the paper's recipe or that of the bundled models",
    )
    add("--architecture", choices=ARCHITECTURES, default="default")
    add("--max_train_steps", type=int, default=3000)
    add("--train_batch_size", type=int, default=16, help="pairs per process and step")
    add("--gradient_accumulation_steps", type=int, default=1)
    add("--resolution", type=int, default=100, help="side of the patches in pixels")
    add("--learning_rate", type=float, default=1e-3)
    add("--discriminator_learning_rate", type=float, default=1e-4)
    add("--lr_warmup_steps", type=int, default=100)
    add("--max_grad_norm", type=float, default=1.0)
    add("--ema_decay", type=float, default=0.998, help="0 keeps no average of the weights")
    for field in dataclasses.fields(LossWeights):
        add(f"--{field.name}_weight", type=float, default=field.default)
    add(
        "--vgg_weights",
        type=Path,
        metavar="FILE",
        help="VGG-16 as safetensors (default: read from the Hub)",
    )
    add("--seed", type=int, default=0)
    add(
        "--mixed_precision",
        choices=("no", "fp16", "bf16"),
        help="default: what `accelerate config` says",
    )
    add("--dataloader_num_workers", type=int, default=0)
    add("--validation_steps", type=int, default=500)
    add("--checkpointing_steps", type=int, default=500)
    add("--checkpoints_total_limit", type=int, default=2)
    add("--resume_from_checkpoint", metavar="latest|DIR")
    add(
        "--init_from",
        metavar="MODEL",
        help="start from a generator's weights: a folder or a Hub id; its architecture counts",
    )
    add("--report_to", metavar="TRACKER", help="an Accelerate tracker, such as tensorboard")
    add(
        "--card",
        type=Path,
        metavar="FILE",
        help="JSON with facts for the model card that the run cannot know: title, phone, camera, "
        "limits, licence_name, licence_text, licence_link, commands that came before",
    )
    add("--push_to_hub", action="store_true")
    add("--hub_model_id", metavar="OWNER/NAME")
    preset = parser.parse_args(arguments).preset
    if preset:
        parser.set_defaults(**PRESETS[preset])
    return parser.parse_args(arguments)


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is written.

    Raises:
        DslrGanError: With what to change.
    """
    least: dict[str, float] = dict.fromkeys(
        (
            "max_train_steps",
            "train_batch_size",
            "gradient_accumulation_steps",
            "validation_steps",
            "checkpointing_steps",
            "checkpoints_total_limit",
        ),
        1,
    )
    least |= dict.fromkeys(("seed", "lr_warmup_steps", "dataloader_num_workers", "ema_decay"), 0)
    least |= {f"{field.name}_weight": 0 for field in dataclasses.fields(LossWeights)}
    least |= {"resolution": 32}
    for name, value in least.items():
        if not value <= getattr(args, name) < math.inf:
            raise DslrGanError(f"--{name} must be at least {value}, got {getattr(args, name)}.")
    for name in ("learning_rate", "discriminator_learning_rate", "max_grad_norm"):
        if not 0 < getattr(args, name) < math.inf:
            raise DslrGanError(f"--{name} must be above 0, got {getattr(args, name)}.")
    if args.ema_decay >= 1:
        raise DslrGanError(f"--ema_decay must be below 1, got {args.ema_decay}.")
    if not loss_weights(args).active():
        raise DslrGanError("every loss has weight 0; give at least one a weight.")
    if args.mixed_precision == "fp16" and not torch.cuda.is_available():
        raise DslrGanError("--mixed_precision fp16 needs a GPU; take bf16 or no.")
    check_names(args)


def check_names(args: argparse.Namespace) -> None:
    """Refuse folders, repositories and trackers that cannot be used."""
    if args.push_to_hub and not args.hub_model_id:
        raise DslrGanError("--push_to_hub needs --hub_model_id OWNER/NAME.")
    if args.hub_model_id is not None:
        try:
            validate_repo_id(args.hub_model_id)
        except HFValidationError as error:
            raise DslrGanError(f"--hub_model_id: {first_line(error)}.") from error
    trackers = [tracker.value for tracker in get_available_trackers()]
    if args.report_to is not None and args.report_to not in trackers:
        raise DslrGanError(
            f"--report_to {args.report_to} is not installed here; available: "
            f"{', '.join(trackers) or 'none'}."
        )
    if args.output_dir.exists() and not args.output_dir.is_dir():
        raise DslrGanError(f"--output_dir {args.output_dir} is a file; name a folder.")
    for folder in [parse_source(text)[0] for text in args.pairs]:
        if folder.exists() and folder.resolve() == args.output_dir.resolve():
            raise DslrGanError(f"--output_dir {args.output_dir} is a pairs folder; name another.")


def loss_weights(args: argparse.Namespace) -> LossWeights:
    """The loss weights that the flags ask for."""
    names = [field.name for field in dataclasses.fields(LossWeights)]
    return LossWeights(**{name: getattr(args, f"{name}_weight") for name in names})


class Trainer:
    """One run: everything it needs, and the loop."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.weights = loss_weights(args)
        set_seed(args.seed)
        self.sources = [parse_source(text) for text in args.pairs]
        self.provenance = [provenance(folder) for folder, _ in self.sources]
        self.card_facts = read_card_facts(args.card) if args.card else {}
        self.data, self.validation = self._open_data()
        self.vgg = self._open_vgg()
        self.ancestor: ModelFacts | None = None
        network = self._make_generator()
        self.commands = [command_line()]
        self.accelerator = Accelerator(
            mixed_precision=args.mixed_precision,
            log_with=args.report_to,
            project_dir=args.output_dir,
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=args.gradient_accumulation_steps, sync_with_dataloader=False
            ),
        )
        self.device = self.accelerator.device
        self.ema = copy.deepcopy(network).to(self.device).eval().requires_grad_(False)
        adam = torch.optim.Adam(network.parameters(), args.learning_rate)
        self.generator, self.optimizer = self.accelerator.prepare(network, adam)
        self.discriminator = None
        if self.weights.texture:
            discriminator = Discriminator()
            adam = torch.optim.Adam(discriminator.parameters(), args.discriminator_learning_rate)
            self.discriminator, self.discriminator_optimizer = self.accelerator.prepare(
                discriminator, adam
            )
        if self.vgg is not None:
            self.vgg.to(self.device)
        self.step = 0
        self.scores: Scores | None = None

    # What a run is made of ----------------------------------------------------------------

    def _open_data(self) -> tuple[PatchPairs, Any]:
        trained = [undecoded(load_pairs(folder)) for folder, _ in self.sources]
        weights = [weight for _, weight in self.sources]
        given = [weight for weight in weights if weight is not None]
        if given and len(given) < len(weights):
            raise DslrGanError("give every --pairs a weight (DIR=WEIGHT), or none of them.")
        folder = self.args.validation_pairs
        with_tests = [folder for folder, _ in self.sources if has_test_pairs(folder)]
        if folder is not None:
            validation = load_pairs(folder, "test" if has_test_pairs(folder) else "train")
        elif with_tests:
            validation = load_pairs(with_tests[0], "test")
        else:
            if len(trained[0]) < 2:
                raise DslrGanError(
                    f"{self.sources[0][0]} has a single pair, and none to validate on; "
                    "name some with --validation_pairs."
                )
            parts = trained[0].train_test_split(test_size=0.1, seed=self.args.seed)
            trained[0], validation = parts["train"], parts["test"]
            first = self.provenance[0]
            gave = f"{len(trained[0])} pairs; {len(validation)} more validate"
            counted = dataclasses.replace(first.data, gave=gave)
            self.provenance[0] = dataclasses.replace(first, data=counted)
        data = PatchPairs(trained, given or None, size=self.args.resolution, seed=self.args.seed)
        return data, undecoded(validation)

    def _open_vgg(self) -> VGGFeatures | None:
        if not self.weights.content:
            return None
        if self.args.vgg_weights is not None:
            return VGGFeatures.from_file(self.args.vgg_weights)
        return VGGFeatures.from_hub()

    def _make_generator(self) -> Generator:
        if self.args.init_from:
            generator = Generator.from_pretrained(self.args.init_from).train()
            self.ancestor, generator.facts = generator.facts, None
            generator.origin = None
            return generator
        return Generator(**ARCHITECTURES[self.args.architecture])

    # The loop -----------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the last step, then save, and push where asked."""
        args, accelerator = self.args, self.accelerator
        if args.resume_from_checkpoint:
            self.resume(args.resume_from_checkpoint)
        later = [each for each in checkpoints(args.output_dir) if checkpoint_step(each) > self.step]
        if later:
            raise DslrGanError(
                f"{args.output_dir} has checkpoints of later steps, such as {later[-1].name}, that "
                "would mix with this run; add --resume_from_checkpoint latest, or name another "
                "--output_dir."
            )
        self._start_records()
        if self.step == 0:
            self.validate()
        with tqdm(
            total=args.max_train_steps,
            initial=self.step,
            desc="training",
            disable=not accelerator.is_local_main_process,
        ) as bar:
            for batch in self._batches():
                with accelerator.accumulate(*self._trained()):
                    losses = self.train_on(batch)
                if accelerator.sync_gradients:
                    self._finish_step(batch, losses, bar)
        self.finish()

    def _finish_step(self, batch: dict[str, Tensor], losses: dict[str, float], bar: tqdm) -> None:
        self.step += 1
        bar.update()
        self._update_average()
        self._record(losses, bar)
        last = self.step == self.args.max_train_steps
        if last or self.step % self.args.validation_steps == 0:
            self.validate(batch)
        if last or self.step % self.args.checkpointing_steps == 0:
            self.save_checkpoint()

    def _trained(self) -> list[torch.nn.Module]:
        return (
            [self.generator] if self.discriminator is None else [self.generator, self.discriminator]
        )

    def _batches(self) -> DataLoader:
        args, accelerator = self.args, self.accelerator
        order = BatchNumbers(
            self.step * args.gradient_accumulation_steps,
            args.max_train_steps * args.gradient_accumulation_steps,
            args.train_batch_size,
            accelerator.process_index,
            accelerator.num_processes,
        )
        return DataLoader(
            self.data,
            batch_sampler=order,
            num_workers=args.dataloader_num_workers,
            pin_memory=self.device.type == "cuda",
        )

    def train_on(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One forward and backward pass of both networks; returns what is worth recording."""
        enhanced, dslr = self.enhance(batch), batch["dslr"].to(self.device)
        record: dict[str, float] = {}
        if self.discriminator is not None:
            record |= self.discriminator_step(enhanced.detach(), dslr)
        return record | self.generator_step(enhanced, dslr)

    def enhance(self, batch: dict[str, Tensor]) -> Tensor:
        """The generator on a batch of patches, each with the context of its own picture."""
        phone = batch["phone"].to(self.device)
        network = self.accelerator.unwrap_model(self.generator)
        context = None
        if network.uses_context:
            context = network.context(batch["summary"].to(self.device))
        return self.generator(phone, context)

    def discriminator_step(self, enhanced: Tensor, dslr: Tensor) -> dict[str, float]:
        """Move the discriminator once per generator step; its accuracy is recorded."""
        assert self.discriminator is not None
        self._set_rate(self.discriminator_optimizer, self.args.discriminator_learning_rate)
        # One pass over both halves: two would each wait for a gradient exchange.
        logits = self.discriminator(torch.cat([dslr, enhanced]))
        real, generated = logits.chunk(2)
        loss = discriminator_loss(real, generated)
        self._check_finite({"discriminator": loss})
        self.accelerator.backward(loss)
        self.discriminator_optimizer.step()
        self.discriminator_optimizer.zero_grad()
        right = torch.cat([real > 0, generated < 0]).float().mean()
        return {"discriminator": loss.item(), "discriminator_accuracy": right.item()}

    def generator_step(self, enhanced: Tensor, dslr: Tensor) -> dict[str, float]:
        """Move the generator; the discriminator is frozen and only asked."""
        terms = self._terms(enhanced, dslr)
        self._check_finite(terms)
        self._set_rate(self.optimizer, self.args.learning_rate)
        self.accelerator.backward(self.weights.total(terms))
        if self.accelerator.sync_gradients:
            self.accelerator.clip_grad_norm_(self.generator.parameters(), self.args.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {name: term.item() for name, term in terms.items()}

    def _terms(self, enhanced: Tensor, dslr: Tensor) -> dict[str, Tensor]:
        logits = None
        if self.discriminator is not None:
            # Without its wrapper: nothing of it is to be exchanged between processes here.
            judge = self.accelerator.unwrap_model(self.discriminator).requires_grad_(False)
            logits = judge(enhanced)
            judge.requires_grad_(True)
        return generator_losses(enhanced, dslr, self.weights, logits=logits, vgg=self.vgg)

    def _check_finite(self, terms: dict[str, Tensor]) -> None:
        bad = [name for name, term in terms.items() if not torch.isfinite(term)]
        if bad:
            raise DslrGanError(
                f"the {bad[0]} loss became {terms[bad[0]].item()} after step {self.step}; go on "
                "with --resume_from_checkpoint latest and a lower --learning_rate."
            )

    def _set_rate(self, optimizer: torch.optim.Optimizer, base: float) -> None:
        """Warm-up, then half a cosine down to a hundredth: a function of the step alone."""
        warm = min(1.0, (self.step + 1) / max(1, self.args.lr_warmup_steps))
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / self.args.max_train_steps))
        for group in optimizer.param_groups:
            group["lr"] = base * warm * (0.01 + 0.99 * cosine)

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on the average follows closely, or it would remember the first random weights.
        decay = min(self.args.ema_decay, self.step / (self.step + 9))
        own = self.accelerator.unwrap_model(self.generator).parameters()
        for average, parameter in zip(self.ema.parameters(), own, strict=True):
            average.lerp_(parameter, 1 - decay)

    # Validation and records ---------------------------------------------------------------

    def validate(self, batch: dict[str, Tensor] | None = None) -> Scores:
        """Score the averaged generator on pairs it does not train on, and draw some of them."""
        accelerator = self.accelerator
        own = range(accelerator.process_index, len(self.validation), accelerator.num_processes)
        # By index, so that nothing depends on the number of processes.
        rows = sorted(gather_object([(index, *self._score(index)) for index in own]))
        inputs, results = (np.array([row[side] for row in rows]) for side in (1, 2))
        differ = np.isfinite(inputs[:, 0])
        self.scores = Scores(
            len(rows), summarise(inputs, differ), {"model": summarise(results, differ)}
        )
        norms = self._gradient_norms(batch) if batch is not None else {}
        if accelerator.is_main_process:
            self._draw_samples()
            values = {
                f"validation/{side}/{name}": value
                for side, scores in (("input", self.scores.input), ("model", self.scores.model))
                for name, value in scores.means.items()
                if value is not None
            }
            self._write_log(values | {f"gradient/{name}": norm for name, norm in norms.items()})
            tqdm.write(f"step {self.step}\n{self.scores.table()}", file=sys.stderr)
        return self.scores

    @torch.inference_mode()
    def _score(self, index: int) -> tuple[list[float], list[float]]:
        """Scores of the phone picture and of the 8-bit result against the DSLR picture."""
        phone, dslr = (picture.to(self.device) for picture in pair_tensors(self.validation, index))
        result = to_tensor(to_pixels(self.ema(phone))).to(self.device)
        return measure(phone, dslr), measure(result, dslr)

    @torch.inference_mode()
    def _draw_samples(self) -> None:
        """Phone, enhanced and DSLR side by side, a pair a row."""
        rows = []
        for index in range(min(SHOWN_PAIRS, len(self.validation))):
            phone, dslr = pair_tensors(self.validation, index)
            enhanced = self.ema(phone.to(self.device)).cpu()
            rows.append(np.hstack([to_pixels(each) for each in (phone, enhanced, dslr)]))
        width = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
        with written_whole(self.args.output_dir / f"samples/step_{self.step:06d}.png") as path:
            Image.fromarray(np.vstack(rows)).save(path)

    def _gradient_norms(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Norm of each weighted term's gradient at the generator's last layer."""
        network = self.accelerator.unwrap_model(self.generator)
        phone, dslr = batch["phone"].to(self.device), batch["dslr"].to(self.device)
        context = (
            network.context(batch["summary"].to(self.device)) if network.uses_context else None
        )
        terms = self._terms(network(phone, context), dslr)
        return {
            name: torch.autograd.grad(
                getattr(self.weights, name) * term, network.tail.weight, retain_graph=True
            )[0]
            .norm()
            .item()
            for name, term in terms.items()
        }

    def _start_records(self) -> None:
        if self.accelerator.is_main_process:
            try:
                self.args.output_dir.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DslrGanError(
                    f"cannot write to {self.args.output_dir} ({error.strerror})."
                ) from error
        self.accelerator.wait_for_everyone()
        if self.args.report_to:
            self.accelerator.init_trackers("dslr_gan")

    def _record(self, losses: dict[str, float], bar: tqdm) -> None:
        if self.step % 50 == 0 or self.step == 1:
            rate = self.optimizer.param_groups[0]["lr"]
            if self.accelerator.is_main_process:
                values = {f"train/{name}": value for name, value in losses.items()}
                self._write_log(values | {"train/learning_rate": rate})
            bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})

    def _write_log(self, values: dict[str, float]) -> None:
        with (self.args.output_dir / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, **values}) + "\n")
        self.accelerator.log(values, step=self.step)

    # Checkpoints --------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        """Write everything the run needs to go on, beside its place, then rename it."""
        accelerator, folder = self.accelerator, self.args.output_dir
        final = folder / f"checkpoint-{self.step}"
        unfinished = folder / f".checkpoint-{self.step}.unfinished"
        if accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.wait_for_everyone()
        # On every process: each has random states of its own.
        accelerator.save_state(str(unfinished))
        if accelerator.is_main_process:
            save_file(self.ema.state_dict(), unfinished / EMA_FILE)
            state = {
                "step": self.step,
                "samples": self._samples(),
                "settings": self._settings(),
                "commands": self.commands,
            }
            (unfinished / TRAINER_STATE).write_text(json.dumps(state, indent=2))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            shutil.rmtree(final, ignore_errors=True)
            unfinished.rename(final)
            others = [each for each in checkpoints(folder) if each != final]
            for old in others[: max(0, len(others) + 1 - self.args.checkpoints_total_limit)]:
                shutil.rmtree(old)
        accelerator.wait_for_everyone()

    def resume(self, wanted: str) -> None:
        """Go on from a checkpoint: ``latest``, or a folder.

        Raises:
            DslrGanError: If the folder holds no checkpoint of this very configuration.
        """
        if wanted == "latest":
            found = checkpoints(self.args.output_dir)
            if not found:
                if self.accelerator.is_main_process:
                    log.info("there is no checkpoint in %s; starting anew", self.args.output_dir)
                return
            folder = found[-1]
        else:
            folder = Path(wanted)
        state = self._read_state(folder)
        self.step = state["step"]
        self.commands = [*state["commands"], *self.commands]
        try:
            self.accelerator.load_state(str(folder))
            self.ema.load_state_dict(load_file(folder / EMA_FILE))
        except Exception as error:  # unpickling damaged bytes raises nearly anything
            raise DslrGanError(
                f"the checkpoint {folder} is damaged or of another configuration "
                f"({type(error).__name__}); resume from another one."
            ) from error
        if self.accelerator.is_main_process:
            log.info("going on from %s", folder)

    def _read_state(self, folder: Path) -> dict[str, Any]:
        try:
            state = json.loads((folder / TRAINER_STATE).read_text())
            step, samples, settings = (state[key] for key in ("step", "samples", "settings"))
            state["commands"] = list(state["commands"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DslrGanError(
                f"{folder} holds no complete checkpoint; name another, or latest."
            ) from error
        now = self._settings()
        changed = [
            f"--{name} {old} -> {now.get(name)}"
            for name, old in settings.items()
            if now.get(name) != old
        ]
        if changed or samples != self._samples(step):
            raise DslrGanError(
                f"the checkpoint {folder} was made with other settings "
                f"({', '.join(changed) or 'pairs per step'}); use those, or another output_dir."
            )
        return state

    def _samples(self, step: int | None = None) -> int:
        """Samples seen up to a step: what the data position follows from."""
        args = self.args
        per_step = args.train_batch_size * args.gradient_accumulation_steps
        return (self.step if step is None else step) * per_step * self.accelerator.num_processes

    def _settings(self) -> dict[str, Any]:
        known = {name: value for name, value in vars(self.args).items() if name not in FREE_FLAGS}
        known["weights of pairs"] = [weight for _, weight in self.sources]
        known["pairs"] = [fingerprint(folder) for folder, _ in self.sources]
        return json.loads(json.dumps(known, default=str))

    # The end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """Save the generator with its facts, and push it where asked."""
        final = self.scores or self.validate()
        if self.accelerator.is_main_process:
            self.ema.facts = self._facts(final)
            folder = self.args.output_dir / "generator"
            self.ema.save_pretrained(folder, repository=self.args.hub_model_id)
            log.info("the generator lies in %s", folder)
            if self.args.push_to_hub:
                log.info("pushed: %s", self.ema.push_to_hub(self.args.hub_model_id))
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()

    def _facts(self, final: Scores) -> ModelFacts:
        args = self.args
        known = {name: fact for name, fact in self.card_facts.items() if name != "commands"}
        settings = ", ".join(f"{name} {value}" for name, value in self.ema.config.items())
        libraries = ("torch", "accelerate", "datasets", "numpy", "pillow")
        facts = {
            "title": f"dslr_gan {args.output_dir.resolve().name}",
            "architecture": settings,
            "parameters": sum(parameter.numel() for parameter in self.ema.parameters()),
            "data": [*self._ancestors("data"), *(each.data for each in self.provenance)],
            "teachers": self._teachers(),
            "steps": self.step,
            "batch_size": self._samples(1),
            "losses": self.weights.active(),
            "seed": args.seed,
            "commands": [
                *self._ancestors("commands"),
                *self.card_facts.get("commands", []),
                *self.commands,
            ],
            "versions": {name: version(name) for name in libraries},
            "scores": self._score_facts(final),
            "date": time.strftime("%Y-%m-%d"),
        }
        licence = {
            name: getattr(self.ancestor, name, None)
            for name in ("licence_name", "licence_text", "licence_link")
        }
        merged: dict[str, Any] = {**licence, **facts, **known}
        return dataclasses.replace(unknown_facts(""), **merged)

    def _ancestors(self, fact: str) -> list[Any]:
        """What the card of the network this one started from lists."""
        return list(getattr(self.ancestor, fact, None) or [])

    def _teachers(self) -> list[Source]:
        """Networks of the sources, of the ancestor, and VGG where it judged; each once."""
        found = self._ancestors("teachers")
        found += [teacher for each in self.provenance for teacher in each.teachers]
        if self.vgg is not None:
            found.append(
                Source(
                    name=f"VGG-16, {self.vgg.source}",
                    gave="features of the content loss",
                    terms=None,
                    url="https://huggingface.co/timm/vgg16.tv_in1k",
                    dataset_id=None,
                )
            )
        return [each for index, each in enumerate(found) if each not in found[:index]]

    def _score_facts(self, final: Scores) -> list[Score]:
        titles = {"psnr": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}

        def facts(method: str, scores: MetricScores) -> list[Score]:
            return [
                Score(
                    method=method,
                    dataset=f"validation pairs of {self._validation_name()}",
                    pairs=final.pairs,
                    metric=titles[metric],
                    value=value,
                    ci95=scores.ci95[metric],
                )
                for metric, value in scores.means.items()
                if value is not None
            ]

        return facts("input photo", final.input) + facts(THIS_MODEL, final.model)

    def _validation_name(self) -> str:
        with_tests = [folder for folder, _ in self.sources if has_test_pairs(folder)]
        folder = self.args.validation_pairs or (with_tests or [self.sources[0][0]])[0]
        return "/".join(Path(folder).parts[-2:])


def parse_source(text: str) -> tuple[Path, float | None]:
    """Split ``DIR=WEIGHT``; a folder whose own name holds an equals sign is taken whole."""
    folder, equals, weight = text.rpartition("=")
    if not equals or Path(text).is_dir():
        return Path(text), None
    try:
        return Path(folder), float(weight)
    except ValueError as error:
        raise DslrGanError(
            f"--pairs {text}: the weight after = must be a number, got {weight!r}."
        ) from error


def fingerprint(folder: Path) -> str:
    """Tell one set of training pairs from another, wherever it lies: names and sizes of files."""
    pairs = find_pairs(split_folder(folder, "train"))
    files = [(name, (pairs.phone / name).stat().st_size) for name in pairs.names]
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]


def checkpoints(folder: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    found = folder.glob("checkpoint-*") if folder.is_dir() else ()
    return sorted(
        (path for path in found if re.fullmatch(r"checkpoint-\d+", path.name)), key=checkpoint_step
    )


def checkpoint_step(checkpoint: Path) -> int:
    """The step after which a checkpoint was written, from its folder's name."""
    return int(checkpoint.name.rpartition("-")[2])


def read_card_facts(file: Path) -> dict[str, Any]:
    """Read the facts that a person adds to the card.

    Raises:
        DslrGanError: If the file is missing, no JSON object, or a fact is not known or of the
            wrong kind.
    """
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        blank = dataclasses.asdict(unknown_facts(""))
        checked = ModelFacts.from_json(json.dumps(blank | given))
    except (OSError, ValueError, TypeError) as error:
        raise DslrGanError(f"--card {file} cannot be used: {first_line(error)}.") from error
    return {name: getattr(checked, name) for name in given if given[name] is not None}


def command_line() -> str:
    """The command that started this run, for the card."""
    processes = os.environ.get("WORLD_SIZE", "1")
    on_cpu = not torch.cuda.is_available()
    if processes != "1" and on_cpu:  # accelerate launch would run a single process
        launcher = f"ACCELERATE_USE_CPU=true torchrun --nproc_per_node {processes}"
    else:
        launcher = f"accelerate launch --num_processes {processes}" + (" --cpu" if on_cpu else "")
    return f"{launcher} train_accelerate.py {shlex.join(sys.argv[1:])}"


if __name__ == "__main__":
    main()
