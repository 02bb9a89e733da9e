"""One command on several processes."""

import socket
import threading

import pytest

from dslr_gan.enhance import processes as module
from dslr_gan.enhance.processes import Share
from dslr_gan.errors import DslrGanError


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Share(0, 0, 1)),
        ({"WORLD_SIZE": "1", "RANK": "0"}, Share(0, 0, 1)),
        (
            {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1", "MASTER_ADDR": "a",
             "MASTER_PORT": "1"},
            Share(3, 1, 4),
        ),
    ],
)  # fmt: skip
def test_who_this_is(environment, expected):
    assert Share.from_environment(environment) == expected


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"WORLD_SIZE": "two"}, "not those of a launcher"),
        ({"WORLD_SIZE": "0"}, "not those of a launcher"),
        ({"RANK": "1"}, "not those of a launcher"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "not those of a launcher"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "MASTER_ADDR"),
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a"}, "MASTER_PORT"),
    ],
)
def test_what_no_launcher_says_is_an_error_message(environment, words):
    with pytest.raises(DslrGanError, match=words):
        Share.from_environment(environment)


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_shares_are_all_of_the_work_once(world):
    work = list(range(5))
    shares = [Share(rank, rank, world).of(work) for rank in range(world)]
    assert sorted(sum(shares, [])) == work
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_there_is_nothing_to_wait_for():
    assert Share().gather({"a": 1}) == [{"a": 1}]


def test_the_first_gets_what_all_have_done_however_much_it_is(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "_PIECE", 100)
    values = [{"rank": rank, "text": "größe" * rank * 500} for rank in range(2)]
    got = {}

    def second():
        got[1] = Share(1, 1, 2).gather(values[1])

    thread = threading.Thread(target=second)
    thread.start()
    assert Share(0, 0, 2).gather(values[0]) == values
    thread.join(30)
    assert got == {1: None}
