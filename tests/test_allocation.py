"""Memory that is kept while a photo is enhanced."""

import subprocess
import sys

import pytest

import dslr_gan.allocation
from dslr_gan.allocation import kept_memory

FAULTS = """
import resource, threading, torch
from contextlib import nullcontext
from dslr_gan.allocation import kept_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(12_000_000)  # 48 MB, more than glibc keeps of its own accord
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

def twice():
    faults()  # until pieces of the right size lie there
    faults()

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

faults()
with kept_memory():
    twice()
    thread = threading.Thread(target=twice)
    thread.start()
    thread.join()
    kept = resident()
print(kept - resident())
"""


@pytest.mark.skipif(dslr_gan.allocation._glibc() is None, reason="the C library is not glibc")
def test_pieces_are_used_again_and_given_back_at_the_end():
    run = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, _, inside, _, in_a_thread, given_back = map(int, run.stdout.split())
    assert before > 2000  # 20 pieces, of 48 MB in pages of 4 KB; less where pages are larger
    assert inside < before / 10 and in_a_thread < before / 10
    assert given_back > 40e6


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(dslr_gan.allocation.sys, "platform", "darwin")
    assert dslr_gan.allocation._glibc() is None
    with kept_memory():
        pass
