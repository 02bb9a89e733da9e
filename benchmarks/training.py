"""Speed of training: the trainer's loop against a bare one, and the paper's recipe projected.

    python -m benchmarks.training --report docs/benchmark_training.md

All of it is the paper's step: patches of 100x100, generator and discriminator at full resolution,
content, texture and colour losses (VGG-16 with random weights: they do not matter to its speed).
Within one run, in turns, the median of the rounds:

- *trainer*: steps of ``train_accelerate.train``: the loop that trains, with its loader, its checks,
  averages and the exchange between processes;
- *trainer, one batch*: the same on a batch that stays, so without data loading;
- *bare loop*: the same networks, losses, optimizers and batches in plain PyTorch, nothing else.

The loader alone is timed afterwards, on batches in a row. With a GPU also the trainer in bf16, and
compiled. The projection is the time of 30 000 steps at batch 30; the paper took 19 hours on a
GTX 1050 Ti.
"""

import argparse
import os
import platform
import resource
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import skimage.data
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from PIL import Image
from safetensors.torch import save_file

from dslr_gan.files import path_from_home, written_whole
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.models.discriminator import Discriminator
from dslr_gan.models.registry import make_network
from dslr_gan.training.arguments import parse_arguments
from dslr_gan.training.batches import Batch
from dslr_gan.training.keeping.signals import StopRequest
from dslr_gan.training.losses import discriminator_loss, generator_losses
from train_accelerate import Run, set_up, train

PAPER_STEPS = 30_000
PAIRS = 256
IN_STOCK, LOADED = 10, 100
"""Batches of the loader that do not count, and that do."""


def make_pairs(folder: Path) -> Path:
    """A DPED folder of real patches, JPEG as DPED's own."""
    photo = skimage.data.astronaut()
    rng = np.random.default_rng(0)
    for part, count in (("training_data", PAIRS), ("test_data/patches", 2)):
        for name, gain in (("iphone", 0.8), ("canon", 1.0)):
            (folder / part / name).mkdir(parents=True)
            corners = np.random.default_rng(1).integers(412, size=(count, 2))
            for index, (top, left) in enumerate(corners):
                patch = photo[top : top + 100, left : left + 100]
                patch = patch * gain + rng.normal(0, 2, patch.shape)
                picture = Image.fromarray(patch.clip(0, 255).astype(np.uint8))
                picture.save(folder / part / name / f"{index}.jpg", quality=95)
    return folder


def trainer(folder: Path, pairs: Path, options: argparse.Namespace, *flags: str) -> Run:
    """The paper's recipe on this machine."""
    words = ["--preset", "paper", "--pairs", str(pairs), "--output_dir", str(folder / "run"),
             "--vgg_weights", str(folder / "vgg.safetensors"), "--report_to", "none",
             "--dataloader_num_workers", str(options.workers), "--train_batch_size",
             str(options.batch), "--architecture", options.architecture, *flags]  # fmt: skip
    AcceleratorState._reset_state(reset_partial_state=True)  # the precision of the one before
    run = set_up(parse_arguments(words))
    run.logbook.start(0, {"commands": [], "settings": {}})
    return run


def loop_of(run: Run) -> Callable[[], None]:
    """The trainer's own step, its batches from its loader."""
    steps = train(run, StopRequest(void))
    return lambda: void(next(steps))


def loop_without_loading(run: Run) -> Callable[[], None]:
    """The trainer's own step on one batch again and again."""
    run.data = OneBatch(next(run.data.batches(run.accelerator, 0)))
    return loop_of(run)


class OneBatch:
    """What the loop needs of the training data: one batch again and again."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def batches(self, accelerator: Accelerator, first_step: int) -> Iterator[Batch]:
        """Give it without an end."""
        return repeat(self.batch)


def pictures_per_second(run: Run) -> float:
    """How many pictures the loader delivers when nobody trains on them."""
    batches = iter(run.data.load(0, 0, 1, pin=run.accelerator.device.type == "cuda"))
    for _ in range(IN_STOCK):  # what its workers had ready
        next(batches)
    started = time.perf_counter()
    for _ in range(LOADED):
        next(batches)
    return 2 * run.settings.schedule.train_batch_size * LOADED / (time.perf_counter() - started)


def bare_loop(run: Run, architecture: str, vgg_file: Path) -> Callable[[], None]:
    """The same in plain PyTorch: what a person writes who needs none of what the trainer adds."""
    device, weights = run.accelerator.device, run.settings.losses
    schedule = run.settings.schedule
    generator, discriminator = make_network(architecture).to(device), Discriminator().to(device)
    vgg = VGGFeatures.from_file(vgg_file).to(device)
    generator_optimizer = torch.optim.Adam(generator.parameters(), schedule.learning_rate)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), 1e-4)
    loader = run.data.load(0, 0, 1, pin=device.type == "cuda")
    batches: Iterator[dict[str, torch.Tensor]] = iter(loader)

    def step() -> None:
        batch = next(batches)
        phone, dslr = (batch[name].to(device, non_blocking=True) for name in ("phone", "dslr"))
        enhanced = generator(phone)
        real, generated = discriminator(torch.cat([dslr, enhanced.detach()])).chunk(2)
        discriminator_loss(real, generated).backward()
        discriminator_optimizer.step()
        discriminator_optimizer.zero_grad()
        discriminator.requires_grad_(False)
        terms = generator_losses(enhanced, dslr, weights, logits=discriminator(enhanced), vgg=vgg)
        discriminator.requires_grad_(True)
        weights.total(terms).backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), schedule.max_grad_norm)
        generator_optimizer.step()
        generator_optimizer.zero_grad()

    return step


def void(_: object) -> None:
    """Drop a value."""


def steps_per_second(
    loops: dict[str, Callable[[], None]], rounds: int, steps: int, device: torch.device
) -> dict[str, list[float]]:
    """Steps per second of each loop in each round; the loops take turns."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    rates: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 1):
        for name, step in loops.items():
            wait()
            started = time.perf_counter()
            for _ in range(steps):
                step()
            wait()
            if turn > 0:  # the first round warms up
                rates[name].append(steps / (time.perf_counter() - started))
    return rates


def report(options: argparse.Namespace) -> str:
    """Measure everything; the report as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = make_pairs(folder / "dped/iphone")
        save_file(VGGFeatures().state_dict(), folder / "vgg.safetensors")
        run = trainer(folder, pairs, options)
        loops = {
            "trainer": loop_of(run),
            "trainer, one batch": loop_without_loading(trainer(folder, pairs, options)),
            "bare loop": bare_loop(run, options.architecture, folder / "vgg.safetensors"),
        }
        if options.faster or run.accelerator.device.type == "cuda":
            for label, flags in FASTER.items():
                loops[label] = loop_of(trainer(folder, pairs, options, *flags))
        rates = steps_per_second(loops, options.rounds, options.steps, run.accelerator.device)
        loaded = pictures_per_second(trainer(folder, pairs, options))
        return describe(rates, loaded, run, options)


FASTER = {
    "trainer, bf16": ("--mixed_precision", "bf16"),
    "trainer, bf16, channels last": ("--mixed_precision", "bf16", "--channels_last"),
    "trainer, bf16, compiled": ("--mixed_precision", "bf16", "--compile"),
}


def describe(
    rates: dict[str, list[float]], loaded: float, run: Run, options: argparse.Namespace
) -> str:
    """Write the report."""
    if run.accelerator.device.type == "cuda":
        machine = torch.cuda.get_device_name()
        memory = f"{torch.cuda.max_memory_allocated() / 2**20:.0f} MB on the GPU"
    else:
        threads = torch.get_num_threads()
        machine = f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads"
        memory = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    lines = [
        f"{machine}; torch {torch.__version__}; batch {options.batch}, architecture "
        f"{options.architecture}, {options.workers} loader workers; {options.rounds} rounds of "
        f"{options.steps} steps; peak memory {memory}, all loops together.",
        "",
        f"| loop | steps per second | {PAPER_STEPS} steps take |",
        "|---|---|---|",
    ]
    for name, values in rates.items():
        middle = statistics.median(values)
        hours = PAPER_STEPS / middle / 3600
        taken = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
        lines.append(f"| {name} | {middle:.2f} [{min(values):.2f}, {max(values):.2f}] | {taken} |")
    for other, aim in (("bare loop", 0.95), ("trainer, one batch", 0.9)):
        ratios = [a / b for a, b in zip(rates["trainer"], rates[other], strict=True)]
        lines += ["", f"trainer over {other}: {statistics.median(ratios):.3f} "
                      f"[{min(ratios):.3f}, {max(ratios):.3f}], aim {aim}"]  # fmt: skip
    used = 2 * options.batch * statistics.median(rates["trainer"])
    lines += ["", f"The loader delivers {loaded:.0f} pictures per second, the trainer uses "
                  f"{used:.0f}."]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the report, and keep it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="per round and loop")
    parser.add_argument("--batch", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--architecture", default="full")
    parser.add_argument("--faster", action="store_true", help="bf16 and compiled on a CPU, too")
    parser.add_argument("--report", type=path_from_home, help="Markdown file to write it to")
    options = parser.parse_args()
    text = report(options)
    print(text)
    if options.report:
        command = f"python -m benchmarks.training {shlex.join(sys.argv[1:])}"
        with written_whole(options.report) as path:
            path.write_text(f"# Speed of training\n\nMade by `{command}`.\n\n{text}")


if __name__ == "__main__":
    main()
