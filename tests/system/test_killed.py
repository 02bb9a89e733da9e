"""Killed at random moments or stopped by a signal, a resumed run ends in the same bits."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.support.trainer import ENVIRONMENT, ROOT, SHORT, launcher, make_dped, train, train_here

STEPS = 24


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return make_dped(tmp_path_factory.mktemp("dped") / "iphone")


@pytest.fixture(scope="module")
def uninterrupted(pairs, tmp_path_factory):
    """The weights that a run of one or of two processes ends in when nothing happens to it."""
    ends = {}

    def end(processes):
        if processes not in ends:
            out = tmp_path_factory.mktemp("uninterrupted")
            result = finish([*flags(pairs, out), "--checkpointing_steps", STEPS], processes)
            assert result.returncode == 0, result.stderr
            ends[processes] = weights(out)
        return ends[processes]

    return end


def finish(arguments, processes):
    """Let a run come to its end: in this process where one is enough."""
    if processes == 1:
        return train_here(arguments)
    return train(arguments, processes=processes)


def flags(pairs, out):
    return ["--pairs", pairs, "--output_dir", out, "--max_train_steps", STEPS, *SHORT,
            "--checkpointing_steps", 2, "--validation_steps", 12, "--resume_from_checkpoint",
            "latest", "--dataloader_num_workers", 1]  # fmt: skip


def weights(out):
    return load_file(out / "generator/model.safetensors")


def start(arguments, processes):
    """The trainer and whatever it starts, in a process group of their own."""
    return subprocess.Popen(
        [sys.executable, *launcher(processes), "train_accelerate.py", *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def latest(out):
    """The step that the newest folder of a checkpoint names, whole or not."""
    found = [re.search(r"checkpoint-(\d+)", path.name) for path in out.glob("*checkpoint-*")]
    found += [re.search(r"checkpoint-(\d+)", path.name) for path in out.glob(".checkpoint-*")]
    return max((int(match[1]) for match in found if match), default=0)


def wait_for_progress(process, out, before):
    deadline = time.monotonic() + 240
    while latest(out) <= before:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, "the trainer makes no progress"
        time.sleep(0.01)


def kill_all(process):
    """Kill -9 of a process and all that it started, torchrun's workers among them."""
    root = psutil.Process(process.pid)
    for started in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            started.kill()
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "kills"), [(1, 1), (1, 3), (2, 2)])
def test_killed_at_random_moments_it_ends_in_the_same_bits(
    processes, kills, pairs, uninterrupted, tmp_path
):
    expected = uninterrupted(processes)
    moments = random.Random()  # new moments in every run of the tests
    for _ in range(kills):
        before = latest(tmp_path)
        process = start(flags(pairs, tmp_path), processes)
        wait_for_progress(process, tmp_path, before)
        time.sleep(moments.uniform(0, 0.4))
        kill_all(process)
    last = finish(flags(pairs, tmp_path), processes)
    assert last.returncode == 0, last.stderr
    assert "going on from" in last.stderr or "starting anew" in last.stderr
    found = weights(tmp_path)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not list(tmp_path.glob(".checkpoint-*")), "what was half-written is gone"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "processes", "group"),
    [(signal.SIGTERM, 1, True), (signal.SIGINT, 1, True), (signal.SIGTERM, 2, False)],
)
def test_stopped_by_a_signal_it_leaves_a_checkpoint_and_goes_on_from_it(
    number, processes, group, pairs, uninterrupted, tmp_path
):
    process = start([*flags(pairs, tmp_path), "--checkpointing_steps", 5], processes)
    wait_for_progress(process, tmp_path, 0)
    (os.killpg if group else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert f"{number.name}: stopping after this step" in said
    if processes == 1:  # torchrun adds words and a status of its own
        assert process.returncode == 128 + number and "Traceback" not in said
    (step,) = re.findall(rf"stopped by {number.name} after step (\d+)", said)[:1]
    assert (tmp_path / f"checkpoint-{step}").is_dir()
    assert int(step) < STEPS, "it stopped before its end"
    result = finish(flags(pairs, tmp_path), processes)
    assert result.returncode == 0, result.stderr
    assert f"checkpoint-{step}" in result.stderr
    found, expected = weights(tmp_path), uninterrupted(processes)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's end")
def test_processes_whose_launcher_was_killed_end_with_a_checkpoint(pairs, tmp_path):
    steps = ["--max_train_steps", 10_000, "--checkpointing_steps", 5]
    process = start([*flags(pairs, tmp_path), *steps], 2)
    workers = []
    try:
        wait_for_progress(process, tmp_path, 0)
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        process.kill()
        ended, alive = psutil.wait_procs(workers, timeout=60)
        assert len(ended) == 2 and not alive
        assert list(tmp_path.glob("checkpoint-*"))
    finally:
        for each in workers:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.communicate()
