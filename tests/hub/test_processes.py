"""Programs of their own that pull: at once, killed in the middle, and on disks that are full.

They import no PyTorch: fetching needs none.
"""

import signal
import subprocess
import sys
import time

import pytest

from tests.hub.test_faults import STORAGE, XET_TOKEN, is_whole, xet_hangs
from tests.support.hub_faults import hang, slowly
from tests.support.hub_server import HubServer, hub_environment
from tests.support.paths import ROOT
from tests.support.trainer import SHORT, make_dped, train

pytestmark = pytest.mark.slow

WEIGHTS = bytes(range(256)) * 400
PROGRAM = """
import logging, sys
from dslr_gan.errors import DslrGanError
from dslr_gan.hub import fetch
try:
    found = fetch("me/m", timeout=float(sys.argv[1]))
except DslrGanError as error:
    sys.exit(str(error))
print(found.files["model.safetensors"].read_bytes() == bytes(range(256)) * 400, found.answered)
"""


@pytest.fixture(params=["lfs", "xet"])
def hub(request):
    with HubServer(xet=request.param == "xet") as server:
        server.add_file("me/m", "config.json", b"{}")
        server.add_file("me/m", "model.safetensors", WEIGHTS)
        yield server


def start(hub, home, timeout=20.0):
    environment = hub_environment(hub, home) | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(timeout)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out.strip(), err.strip()


def test_programs_that_pull_at_once_download_once(hub, tmp_path):
    several = [start(hub, tmp_path) for _ in range(3)]
    assert [ended(each) for each in several] == [(0, "True True", "")] * 3
    assert is_whole(tmp_path)
    if hub.xet is None:
        assert sum(each.sent == len(WEIGHTS) for each in hub.requests) == 1


def test_what_a_killed_one_left_is_put_away_by_the_next(hub, tmp_path):
    if hub.xet is None:
        hub.faults.add(STORAGE, slowly(9000, 0.3), times=1)
    else:
        hub.faults.add(XET_TOKEN, hang, times=1)
    killed = start(hub, tmp_path)
    for _ in range(300):
        if list(tmp_path.rglob(".unfinished-*")) and any(
            each.path.endswith("model.safetensors") for each in hub.requests
        ):
            break
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert list(tmp_path.rglob(".unfinished-*"))
    assert ended(start(hub, tmp_path)) == (0, "True True", "")
    assert is_whole(tmp_path)


def test_a_silent_storage_ends_the_program_in_words_and_in_time(hub, tmp_path):
    hub.faults.add(STORAGE, hang)
    xet_hangs(hub)
    began = time.monotonic()
    code, out, err = ended(start(hub, tmp_path, timeout=2.0))
    assert (code, out) == (1, "") and "did not answer within 2 seconds" in err.splitlines()[-1]
    assert "Traceback" not in err and time.monotonic() - began < 20
    assert is_whole(tmp_path)


def test_two_processes_whose_push_fails_say_so_once(hub, tmp_path):
    """They may push before the first step, and not any more after the last."""
    hub.fail_at("POST .*/commit/.*", 403)
    pairs, out = make_dped(tmp_path / "dped/iphone", train=4, test=1), tmp_path / "out"
    steps = ["--max_train_steps", 1, "--validation_steps", 1, "--checkpointing_steps", 1]
    where = ["--push_to_hub", "--hub_model_id", "me/x"]
    ended = train(
        ["--pairs", pairs, "--output_dir", out, *steps, *SHORT, *where],
        processes=2,
        environment=hub_environment(hub, tmp_path / "home"),
    )
    assert ended.returncode not in (0, None)
    command = f"python -m dslr_gan push {out / 'generator'} --repo me/x"
    # The launcher ends with a report of its own, which has a traceback of its own files.
    assert 'train_accelerate.py", line' not in ended.stderr
    assert ended.stderr.count("the Hub does not take me/x") == 1
    assert ended.stderr.count(command) == 1
    assert (out / "generator/model.safetensors").is_file() and is_whole(out)


PUSH = """
from dslr_gan.hub import Target, push
files = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 400}
push(files, Target(repo_id="me/x", timeout_s=20.0), message="One")
"""


def start_push(hub, home):
    environment = hub_environment(hub, home) | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", PUSH],
        env=environment | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_push_that_was_killed_leaves_nothing_half_there_and_can_be_done_again(hub, tmp_path):
    hub.hang_at("POST .*/commit/.*")
    killed = start_push(hub, tmp_path)
    for _ in range(400):
        if any("/commit/" in each.path for each in hub.requests):
            break
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    found = hub.repositories["me/x"]
    assert list(found.files("main")) == [".gitattributes"]
    hub.hanging = ""
    several = [start_push(hub, tmp_path) for _ in range(2)]
    assert [ended(each)[0] for each in several] == [0, 0]
    assert found.files("main")["model.safetensors"].content == WEIGHTS


def test_an_interrupt_ends_it_at_once(hub, tmp_path):
    hub.faults.add(STORAGE, hang)
    xet_hangs(hub)
    process = start(hub, tmp_path, timeout=60)
    for _ in range(300):
        if any(each.path.endswith("model.safetensors") for each in hub.requests):
            break
        time.sleep(0.05)
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert time.monotonic() - began < 5 and code in (130, -signal.SIGINT)
    assert err.endswith("KeyboardInterrupt") and "Fatal" not in err


@pytest.fixture
def disk(tmp_path):
    """Makes a small disk of its own, which may be made read-only."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True
        )
        if done.returncode:
            pytest.skip("disks can be mounted by root only")
        return place

    yield mount
    subprocess.run(["umount", str(place)], capture_output=True)


def test_a_full_disk_is_called_one_and_takes_no_half_file(hub, disk):
    home = disk("size=64k")
    code, out, err = ended(start(hub, home))
    assert (code, out) == (1, "")
    assert "there is no space left on the disk of the cache), and there is no local copy" in err
    assert "make room" in err and is_whole(home)


def test_a_read_only_cache_serves_what_is_in_it(hub, disk):
    home = disk("size=4m")
    assert ended(start(hub, home))[:2] == (0, "True True")
    subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
    assert ended(start(hub, home))[:2] == (0, "True True")
    hub.add_file("me/m", "model.safetensors", WEIGHTS[::-1])
    code, out, err = ended(start(hub, home))
    assert (code, out) == (0, "True False")
    assert "the cache cannot be written" in err and "using the local copy of me/m" in err
