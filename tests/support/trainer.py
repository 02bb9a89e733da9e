"""Pairs in DPED's layout and the real trainer as a subprocess, for whole-system tests."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

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
