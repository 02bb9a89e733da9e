"""Memory does not grow with the number of people."""

import multiprocessing
import threading
from contextlib import closing

import psutil
import pytest

from benchmarks.page import peak_of
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.work.photo_run import enhance_photo
from tests.support.app_server import save_phone_photo

PEOPLE = 8


def peaks_above_idle(photo):
    """MB that one person's photos take, one after another, and then those of several at once."""
    process = psutil.Process()

    def one(session):
        with closing(enhance_photo(photo, ["iphone"], session)) as steps:
            assert [step["state"] for step in steps][-1] == "done"

    enhancer_for("iphone")
    one("first")  # loads what is loaded once
    memory = process.memory_info()
    idle = (memory.rss - memory.shared) / 1e6
    with peak_of(process) as alone:
        one("alone")
        one("alone")
    people = [threading.Thread(target=one, args=(f"{number}",)) for number in range(PEOPLE)]
    with peak_of(process) as together:
        for person in people:
            person.start()
        for person in people:
            person.join()
    return alone() - idle, together() - idle


@pytest.mark.slow
def test_memory_does_not_grow_with_people(uploads):
    (uploads / "0b").mkdir()
    photo = save_phone_photo(uploads / "0b/walk.jpg", 1600, 1200)
    with multiprocessing.get_context("spawn").Pool(1) as fresh:  # nobody else's memory in it
        alone, together = fresh.apply(peaks_above_idle, (photo,))
    assert alone > 50  # it was measured at all: a tile alone takes more
    assert together < 1.7 * alone, f"{PEOPLE} at once took {together:.0f} MB, one {alone:.0f} MB"
