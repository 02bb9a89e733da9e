"""Signals are noted, not obeyed, until the step is done."""

import multiprocessing
import os
import signal
import time

import pytest

from dslr_gan.training.stopping import StopRequest, leave_signals_to_the_trainer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_once_and_the_old_handlers_come_back(number):
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    said = []
    with StopRequest(said.append) as stop:
        assert stop.signal is None
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == number
    assert said == [f"{number.name}: stopping after this step, with a checkpoint"]
    assert {each: signal.getsignal(each) for each in before} == before


def wait_for_the_end(ready):
    leave_signals_to_the_trainer(0)
    ready.set()
    time.sleep(0.3)
    os._exit(7)


def test_a_worker_outlives_a_signal_to_the_group():
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    worker = context.Process(target=wait_for_the_end, args=(ready,))
    worker.start()
    assert ready.wait(20)
    for each in (signal.SIGTERM, signal.SIGINT):
        os.kill(worker.pid, each)
    worker.join(20)
    assert worker.exitcode == 7
