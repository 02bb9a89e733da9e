"""A command ends in order at the first signal, and at once at the second."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from PIL import Image
from skimage import data

from dslr_gan.cli.interrupts import SIGNALS, interruptible, removed_at_the_latest
from tests.support.command_line import names, start
from tests.support.paths import ROOT

HERE = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]


@pytest.mark.parametrize("number", HERE)
def test_every_signal_is_an_interrupt_and_the_old_handlers_come_back(number):
    before = {each: signal.getsignal(each) for each in HERE}
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), number)
        time.sleep(1)
    assert {each: signal.getsignal(each) for each in HERE} == before


def test_two_at_once_are_one_interrupt():
    ended = []
    with pytest.raises(KeyboardInterrupt), interruptible():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)  # as systemd does
            time.sleep(0.01)
            ended.append("in order")
    assert ended == ["in order"]


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_within_another_block_nothing_is_changed():
    with interruptible():
        handlers = [signal.getsignal(number) for number in HERE]
        with interruptible():
            assert [signal.getsignal(number) for number in HERE] == handlers
        assert [signal.getsignal(number) for number in HERE] == handlers


def test_in_another_thread_nothing_is_changed():
    ended = []

    def work():
        with interruptible():
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]


TWICE = """
import os, signal, sys, threading, time
from dslr_gan.cli.interrupts import interruptible, removed_at_the_latest
from dslr_gan.files import written_whole

def work():
    with written_whole(sys.argv[1] + "/a.tif") as unfinished:
        unfinished.write_bytes(b"half")
        begun.set()
        time.sleep(60)

begun = threading.Event()
os.mkdir(sys.argv[1] + "/new")
with interruptible(), removed_at_the_latest(lambda: os.rmdir(sys.argv[1] + "/new")):
    thread = threading.Thread(target=work)
    thread.start()
    try:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    finally:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)
        thread.join()
"""


def test_the_second_ends_at_once_and_leaves_nothing(tmp_path):
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", TWICE, tmp_path], cwd=ROOT, capture_output=True, text=True
    )
    assert time.monotonic() - started < 40
    assert done.returncode == 130
    assert done.stderr == "\ndslr_gan: interrupted twice; every file that was written is whole.\n"
    assert names(tmp_path) == []


def test_what_is_to_be_removed_is_removed_at_the_end():
    removed = []
    with removed_at_the_latest(lambda: removed.append(1)):
        assert removed == []
    assert removed == [1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "times"), [(signal.SIGHUP, 1), (signal.SIGINT, 2), (signal.SIGTERM, 2)]
)
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_an_enhancing_command_leaves_whole_files_only(number, times, suffix, model, tmp_path):
    (tmp_path / "in").mkdir()
    photo = Image.fromarray(data.chelsea()).resize((2000, 1500))
    for name in "abc":
        photo.save(tmp_path / f"in/{name}{suffix}")
    out = tmp_path / "new" / "out"
    process = start(
        *("enhance", tmp_path / "in", "--out", out, "--model", model, "--tile", "32"),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not list(out.glob(".unfinished*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.3)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in errors
    assert "Traceback" not in errors and "terminate" not in errors
    assert not list(tmp_path.rglob(".unfinished*"))
