"""Requests come to an end: what is waited for, what is tried again, what counts as silence."""

import threading
import time

import httpx2
import pytest
from huggingface_hub import errors, utils

from dslr_gan.hub import asking
from dslr_gan.hub.asking import Asker, Deadline, Tries, within
from dslr_gan.hub.messages import NotInTimeError


def answered(status, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = httpx2.Request("GET", "https://huggingface.co/api/models/me/m")
    try:
        utils.hf_raise_for_status(httpx2.Response(status, headers=headers, request=request))
    except errors.HfHubHTTPError as error:
        return error
    raise AssertionError(f"{status} is no error")


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self, patch):
        self.now = 0.0
        self.waits = []
        patch.setattr(time, "monotonic", lambda: self.now)
        patch.setattr(threading.Event, "wait", self.wait)

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_bytes_that_come_buy_time_and_a_trickle_does_not(clock):
    deadline = Deadline(10)
    for _ in range(100):  # 2 kB a second, for a hundred seconds
        clock.now += 1
        deadline.arrived(2000)
    assert deadline.remaining == 10
    for _ in range(19):  # half a kB a second
        clock.now += 1
        deadline.arrived(500)
    assert 0 < deadline.remaining < 1
    clock.now += 1
    with pytest.raises(NotInTimeError, match="within 10 seconds"):
        deadline.check()


def waited(clock, *failures):
    tries = Tries(Deadline(60))
    clock.waits.clear()
    try:
        for error in failures:
            tries.wait_after(error)
    except Exception as error:
        return clock.waits, error
    return clock.waits, None


def test_waits_grow_and_end(clock):
    busy = answered(503)
    assert waited(clock, busy, busy, busy) == ([0.5, 1, 2], None)
    assert waited(clock, busy, busy, busy, busy) == ([0.5, 1, 2], busy)


@pytest.mark.parametrize(
    "error",
    [
        *(answered(status) for status in (408, 416, 425, 429, 500, 502, 503, 504, 520, 599)),
        httpx2.ConnectError("refused"),
        httpx2.ReadError("reset"),
        httpx2.ConnectTimeout("slow"),
        httpx2.RemoteProtocolError("cut"),
    ],
    ids=str,
)
def test_what_passes_is_tried_again(error, clock):
    assert waited(clock, error) == ([0.5], None)


@pytest.mark.parametrize(
    "error",
    [
        *(answered(status) for status in (400, 401, 403, 404, 410, 451, 501, 505, 511)),
        httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] expired"),
        httpx2.DecodingError("garbage"),
        httpx2.UnsupportedProtocol("ftp"),
        OSError(28, "No space left on device"),
    ],
    ids=str,
)
def test_what_stays_is_not(error, clock):
    assert waited(clock, error) == ([], error)


def test_the_hub_is_left_alone_as_long_as_it_asks_for_and_no_longer_than_there_is_time(clock):
    assert waited(clock, answered(429, Retry_After="7")) == ([7], None)
    assert waited(clock, answered(503, Retry_After="9")) == ([9], None)
    assert waited(clock, answered(429, RateLimit='"api";r=0;t=11')) == ([11], None)
    # Every answer of the Hub names its limits, used up or not.
    assert waited(clock, answered(503, RateLimit='"api";r=99;t=300')) == ([0.5], None)
    late = answered(429, Retry_After="61")
    assert waited(clock, late) == ([], late)


def test_who_has_a_copy_does_not_wait_for_a_host_that_is_not_there(clock):
    gone = httpx2.ConnectError("refused")
    with pytest.raises(httpx2.ConnectError):
        Tries(Deadline(60), hurried=True).wait_after(gone)
    Tries(Deadline(60), hurried=True).wait_after(answered(503))
    assert clock.waits == [0.5]


def test_work_is_left_behind_at_the_deadline_and_hears_of_it():
    deadline, heard = Deadline(0.1), threading.Event()

    def work():
        while deadline.remaining:
            time.sleep(0.01)
        heard.set()
        time.sleep(30)

    began = time.monotonic()
    with pytest.raises(NotInTimeError, match="did not answer within 0.1 seconds"):
        within(deadline, work)
    assert time.monotonic() - began < 5 and heard.is_set()


def test_results_and_errors_come_through():
    assert within(Deadline(9), lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(Deadline(9), lambda: 1 / 0)


def test_the_hub_hears_who_asks():
    asker = Asker(Deadline(9), token=False)
    assert asker.headers["user-agent"].startswith("dslr_gan/")
    assert "authorization" not in asker.headers


def test_the_waits_are_those_of_the_docs():
    assert (asking.TIMEOUT_S, asking.KEPT_TIMEOUT_S, asking.WAITS_S) == (60, 10, (0.5, 1, 2))
