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

from dslr_gan import __main__
from dslr_gan.cli.interrupts import SIGNALS, interrupted, interruptible, removed_at_the_latest
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


def test_an_error_that_a_library_made_of_an_interrupt_is_one(monkeypatch, capsys):
    def imported(_):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt as error:
            raise ImportError("multiarray failed to import") from error

    monkeypatch.setattr(__main__, "_run", imported)
    assert __main__.main([]) == 130 and interrupted()
    assert capsys.readouterr().err == (
        "dslr_gan: interrupted; every file that was written is whole.\n"
    )


EARLY_AND_LATE = """
import atexit, os, signal, sys
from dslr_gan.cli.interrupts import end_process, end_quietly, interruptible

def interrupt(): os.kill(os.getpid(), signal.SIGINT)

end_quietly()
if sys.argv[1] == "early":
    interrupt()
atexit.register(interrupt)
with interruptible():
    end_process(1)
"""


@pytest.mark.parametrize(("when", "status"), [("early", 130), ("late", 1)])
def test_before_and_after_its_work_a_process_ends_quietly(when, status):
    command = [sys.executable, "-c", EARLY_AND_LATE, when]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


WITH_LOCKS = """
import multiprocessing
from dslr_gan.cli.interrupts import end_process, interruptible

locks = [multiprocessing.get_context("spawn").Lock() for _ in range(3)]
with interruptible():
    end_process(130)
"""


def test_locks_for_other_processes_leave_no_warning():
    command = [sys.executable, "-c", WITH_LOCKS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


LEFT_BEHIND = """
import sys, threading
from pathlib import Path
from dslr_gan.cli.interrupts import end_process, interruptible
from dslr_gan.files import written_whole

def work():
    with written_whole(Path(sys.argv[1]) / "model.safetensors") as unfinished:
        unfinished.write_bytes(b"half")
        begun.set()
        threading.Event().wait(60)

begun = threading.Event()
with interruptible():
    threading.Thread(target=work, daemon=True).start()
    begun.wait()
    end_process(int(sys.argv[2]))
"""


@pytest.mark.parametrize("status", ["1", "130"])
def test_what_a_thread_left_behind_was_writing_is_removed(status, tmp_path):
    command = [sys.executable, "-c", LEFT_BEHIND, tmp_path, status]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == int(status) and names(tmp_path) == []


WHILE_IMPORTING = """
from dslr_gan.cli.interrupts import interruptible, removed_at_the_latest
with interruptible(), removed_at_the_latest(lambda: print("removed", flush=True)):
    import half
"""


def test_an_import_ends_at_once_without_an_error_inside_of_it(tmp_path):
    # An error inside of PyTorch's import aborts its C++ parts.
    (tmp_path / "half.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "except BaseException:\n    print('raised', flush=True)\nprint('went on', flush=True)\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.append({str(tmp_path)!r})\n{WHILE_IMPORTING}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "removed\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["models", "export", "app.py"])
def test_an_interrupt_during_the_imports_is_no_traceback(command, tmp_path):
    words = ["--out", tmp_path / "a.onnx"] if command == "export" else []
    program = () if command == "app.py" else ("-m", "dslr_gan")
    for delay_s in (0.1, 0.2, 0.4, 0.8, 1.6):
        process = start(command, *words, program=program)
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        # Before our first import Python answers itself (1, -2), after the last the work is done.
        is_early = "from dslr_gan.cli.interrupts import" in errors
        assert is_early or "dslr_gan" not in errors.replace("dslr_gan: interrupted; every", "")
        assert process.returncode in (130, 0, 1, -2)
    assert not list(tmp_path.glob(".unfinished*"))


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
