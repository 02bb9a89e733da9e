"""Signals are noted, not obeyed, until the step is done."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dslr_gan.training.keeping.signals import StopRequest, forget_workers, leave_the_group
from tests.support.paths import ROOT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_is_noted_once_and_the_old_handlers_come_back(number):
    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    said = []
    with StopRequest(said.append) as stop:
        assert stop.signal is None
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == number
    assert said == [f"{number.name}: stopping after this step, with a checkpoint"]
    assert {name: signal.getsignal(name) for name in before} == before


def test_a_hangup_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with StopRequest(lambda _: None) as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.signal is None
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


class Slow(torch.utils.data.Dataset):
    """Of one sample, which takes long."""

    def __init__(self, ready):
        self.ready = ready

    def __len__(self):
        return 1

    def __getitem__(self, row):
        self.ready.set()
        time.sleep(20)


def trainer_with_a_worker(ready, outcome):
    """A process group of its own that gets a signal, as by Ctrl-C in a terminal."""
    os.setpgid(0, 0)
    with StopRequest(lambda _: None) as stop:
        loader = torch.utils.data.DataLoader(
            Slow(ready),
            num_workers=1,
            worker_init_fn=leave_the_group,
            multiprocessing_context="fork",
        )
        batches = iter(loader)
        (worker,) = multiprocessing.active_children()
        assert ready.wait(20)
        os.killpg(0, signal.SIGINT)
        time.sleep(0.3)
        os.kill(worker.pid, signal.SIGUSR1)  # as a queue's notice to every process
        time.sleep(0.1)
        alive = worker.is_alive() and stop.signal == signal.SIGINT
        worker.terminate()
        worker.join(20)
        outcome.put((alive, worker.exitcode))
        forget_workers()
        del batches


def test_a_worker_outlives_a_signal_to_the_group_and_ends_when_the_trainer_says():
    context = multiprocessing.get_context("fork")
    ready, outcome = context.Event(), context.Queue()
    trainer = context.Process(target=trainer_with_a_worker, args=(ready, outcome))
    trainer.start()
    # As a success: PyTorch raises an error in the trainer for a worker that a signal has killed.
    assert outcome.get(timeout=60) == (True, 0)
    trainer.join(20)


def test_workers_are_forgotten():
    before = signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        forget_workers()
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc here")
def test_ctrl_c_during_the_imports_shows_no_traceback(tmp_path):
    command = [sys.executable, "train_accelerate.py", "--pairs", "a", "--output_dir", tmp_path]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as trainer:
        while "libtorch" not in Path(f"/proc/{trainer.pid}/maps").read_text():
            assert trainer.poll() is None
            time.sleep(0.01)
        trainer.send_signal(signal.SIGINT)
        _, said = trainer.communicate(timeout=60)
    assert (trainer.returncode, said) == (130, "")


AT_ITS_END = """
import atexit, os, runpy, signal, sys
atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.argv = ["train_accelerate.py", "--pairs", "/nowhere", "--output_dir", sys.argv[1]]
runpy.run_path("train_accelerate.py", run_name="__main__")
"""


@pytest.mark.slow
def test_ctrl_c_while_python_ends_shows_no_traceback(tmp_path):
    command = [sys.executable, "-c", AT_ITS_END, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 130
    assert "there is no folder /nowhere" in done.stderr and done.stderr.count("\n") == 1
