"""Pairs in DPED's layout, and the real trainer in this process or in its own, for its tests."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import skimage.data
import torch
from accelerate.state import AcceleratorState
from PIL import Image

import train_accelerate
from dslr_gan.training.arguments import parse_arguments
from tests.support.paths import ROOT

SHORT = ["--content_weight", "0", "--train_batch_size", "2", "--resolution", "32", "--ema_decay",
         "0.5", "--lr_warmup_steps", "1"]  # fmt: skip
"""Flags that keep a run short; the adversarial and the colour term stay on."""


def make_dped(folder: Path, train: int = 10, test: int = 3, side: int = 48) -> Path:
    """Real pictures as DSLR patches, darker and greener copies of them as phone patches."""
    photo = skimage.data.coffee()
    rng = np.random.default_rng(0)
    for part, count in (("training_data", train), ("test_data/patches", test)):
        for name in ("iphone", "canon"):
            (folder / part / name).mkdir(parents=True)
        for index in range(count):
            top, left = (int(rng.integers(length - side)) for length in photo.shape[:2])
            dslr = photo[top : top + side, left : left + side]
            phone = (dslr * [0.7, 0.8, 0.65]).astype(np.uint8)
            Image.fromarray(dslr).save(folder / part / "canon" / f"{index}.png")
            Image.fromarray(phone).save(folder / part / "iphone" / f"{index}.png")
    return folder


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


def launcher(processes: int) -> list[str]:
    """What stands between python and the script; nothing for one process."""
    # `accelerate launch --cpu --num_processes 2` would silently run one process.
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return several if processes > 1 else []


def train(
    arguments: Sequence[object],
    *,
    processes: int = 1,
    environment: Mapping[str, str] = os.environ,
) -> subprocess.CompletedProcess:
    """Run train_accelerate.py on the CPU and wait for its end."""
    command = [sys.executable, *launcher(processes), "train_accelerate.py"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env={**environment, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@contextlib.contextmanager
def _as_in_a_process():
    """The CPU with one thread, and nothing left of the run before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    AcceleratorState._reset_state(reset_partial_state=True)
    with mock.patch.dict(os.environ, {"ACCELERATE_USE_CPU": "true"}):
        yield
    torch.set_num_threads(threads)


def train_here(arguments: Sequence[object]) -> subprocess.CompletedProcess:
    """Run train_accelerate.py in this process: much faster where a process shows nothing more."""
    words = ["train_accelerate.py", *map(str, arguments)]
    stderr, status = io.StringIO(), 0
    with (
        _as_in_a_process(),
        mock.patch.object(sys, "argv", words),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            train_accelerate.main()
        except SystemExit as end:
            # As Python does it: a text is printed, and the status is 1.
            status = end.code if isinstance(end.code, int) else 1
            stderr.write("" if isinstance(end.code, int) else f"{end.code}\n")
    return subprocess.CompletedProcess(words, status, "", stderr.getvalue())


def set_up_here(arguments: Sequence[object]) -> train_accelerate.Run:
    """A run that is set up in this process and has not begun."""
    with _as_in_a_process():
        return train_accelerate.set_up(parse_arguments([str(word) for word in arguments]))
