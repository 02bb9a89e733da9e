"""A process forked from one with an enhancer computes, and computes the same."""

import subprocess
import sys
import types

import pytest
import torch

from dslr_gan.enhance.running import forking
from dslr_gan.errors import DslrGanError
from tests.support.paths import ROOT

FORKS = """
import hashlib, os, signal, threading
import numpy as np, torch
from PIL import Image
from dslr_gan import PhotoEnhancer

torch.set_num_threads(3)  # of which the sums differ from those of one thread
enhancer = PhotoEnhancer.from_pretrained("iphone", tile=96)
pixels = np.random.default_rng(0).integers(0, 256, (97, 400, 3), dtype=np.uint8)

def digest():
    return hashlib.md5(enhancer.enhance(Image.fromarray(pixels)).tobytes()).hexdigest()

def fork(deeper):
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0, "the child failed or hung"
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    if digest() != expected or torch.get_num_threads() != 3:
        os._exit(1)
    if deeper:
        fork(False)
    os._exit(0)

expected = digest()
fork(True)
thread = threading.Thread(target=lambda: (digest(), fork(False)))
thread.start()
thread.join()
assert digest() == expected
"""


def test_a_forked_process_gives_the_same_bits():
    """From the main thread, from another one, and from a fork."""
    done = subprocess.run([sys.executable, "-c", FORKS], cwd=ROOT, capture_output=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, b"")


POOLS = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from PIL import Image
from torch.utils.data import DataLoader
from dslr_gan import PhotoEnhancer

enhancer = PhotoEnhancer.from_pretrained("iphone")
photo = Image.linear_gradient("L").convert("RGB")

def digest(number):
    return hash(enhancer.enhance(photo).tobytes())

class Photos(list):
    __getitem__ = lambda self, number: digest(number)

context = multiprocessing.get_context("fork")
with ProcessPoolExecutor(2, mp_context=context) as pool:
    found = set(pool.map(digest, range(3)))
with context.Pool(2) as pool:
    found |= set(pool.map(digest, range(3)))
loader = DataLoader(Photos([0, 0]), num_workers=2, multiprocessing_context="fork", batch_size=None)
found |= {int(value) for value in loader}
assert found == {digest(0)}, found
"""


@pytest.mark.slow
def test_pools_and_loaders_that_fork():
    done = subprocess.run([sys.executable, "-c", POOLS], cwd=ROOT, timeout=300)
    assert done.returncode == 0


def test_where_threads_cannot_be_ended_a_child_gets_one(monkeypatch):
    hooks = {}
    monkeypatch.setattr(forking, "_enders", lambda: [lambda kind: -1])
    monkeypatch.setattr(forking.os, "register_at_fork", lambda **given: hooks.update(given))
    threads = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    forking.compute_after_forks.__wrapped__()
    hooks["after_in_child"]()
    assert threads == [], "nothing was forked yet"
    hooks["before"]()
    hooks["after_in_child"]()
    assert threads == [1]


def test_a_gpu_does_not_survive_a_fork_and_that_is_said(monkeypatch):
    cuda = types.SimpleNamespace(_is_in_bad_fork=lambda: True)
    monkeypatch.setattr(torch, "cuda", cuda)
    forking.check_not_forked(torch.device("cpu"))
    with pytest.raises(DslrGanError, match="load the model after the fork"):
        forking.check_not_forked(torch.device("cuda:0"))
