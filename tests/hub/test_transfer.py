"""What goes wrong in Xet storage, with its genuine client: the file comes over HTTP then.

Each fault meets a cache that is empty and one that has the commit before. What is right is told by
``tests/hub/test_faults.py``: the new commit in time, nothing half-written, other files whole.
"""

import time

import pytest

from dslr_gan.hub import asking
from tests.hub.test_faults import (
    NEW,
    OLD,
    STORAGE,
    XET_TOKEN,
    Fault,
    check,
    commit_of,
    fails,
    in_turn,
    is_whole,
    status,
)
from tests.hub.test_processes import WEIGHTS, ended, start
from tests.support.hub_faults import cut, hang
from tests.support.hub_server import Answer, HubServer, take_for_the_hub

pytestmark = pytest.mark.slow

CAS = "/cas/.*"


def lent(**changed):
    """The leave to read at a storage that answers as the faults say."""

    def play(hub):
        headers = {
            "X-Xet-Access-Token": "xet",
            "X-Xet-Token-Expiration": str(int(time.time()) + 3600),
            "X-Xet-Cas-Url": f"{hub.storage_url}/cas",
        } | {name.replace("_", "-"): value for name, value in changed.items()}
        hub.faults.add(XET_TOKEN, Answer({}, headers))

    return play


def storage_answers(answer):
    """Xet storage answers everything so."""
    return in_turn(lent(), fails(CAS, answer))


def spoil(hub, change):
    """Damage what lies in Xet storage."""
    lend = hub.xet.lend

    def lend_spoilt(contents=()):
        folder = lend(contents)
        blocks = [file for file in (folder / "xet/xorbs/xorbs").iterdir() if len(file.suffix) > 60]
        assert blocks
        for file in blocks:
            file.chmod(0o644)
            file.write_bytes(change(file.read_bytes()))
        return folder

    hub.xet.lend = lend_spoilt


def halved(content):
    return content[: len(content) // 2]


def emptied(content):
    return b""


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def named(xet_hash):
    """The Hub calls the file in Xet storage something else."""

    def play(hub):
        files = hub.repositories["me/m"].files("main")
        large = files["model.safetensors"]
        headers = {
            "X-Repo-Commit": hub.repositories["me/m"].branches["main"],
            "ETag": f'"{large.sha256}"',
            "X-Linked-Etag": f'"{large.sha256}"',
            "X-Linked-Size": str(len(large.content)),
            "Location": f"{hub.storage_url}/{large.sha256}",
            "X-Xet-Hash": xet_hash,
            "X-Xet-Refresh-Route": f"{hub.url}/api/models/me/m/xet-read-token/main",
        }
        hub.faults.add("/me/m/resolve/.*/model.safetensors", Answer(b"", headers, 302))

    return play


PAGE = Answer(b"<!DOCTYPE html>", {"Content-Type": "text/html"})
FAULTS = {
    "another hash": named("1" * 64),
    "a hash that is none": named("x"),
    "busy": storage_answers(status(503)),
    "forbidden": storage_answers(status(403)),
    "not there": storage_answers(status(404)),
    "a page": storage_answers(PAGE),
    "silent": storage_answers(hang),
    "a token that has expired": in_turn(
        lent(X_Xet_Token_Expiration=str(int(time.time()) - 3600)), fails(CAS, status(401))
    ),
    "a token that ends long after all": in_turn(
        lent(X_Xet_Token_Expiration="9" * 30), fails(CAS, status(503))
    ),
    "no address": lent(X_Xet_Cas_Url=""),
    "half an address": lent(X_Xet_Cas_Url="http://["),
    "an address of a file": lent(X_Xet_Cas_Url="file:///etc"),
    "no token": fails(XET_TOKEN, Answer({})),
    "the token is a page": fails(XET_TOKEN, PAGE),
    "the token is refused": fails(XET_TOKEN, status(401)),
    "the token is cut": fails(XET_TOKEN, cut),
}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer(xet=True) as server:
        take_for_the_hub(monkeypatch, server, tmp_path / "home")
        monkeypatch.setattr(asking, "WAITS_S", (0.0, 0.0, 0.0))
        commit_of(server, OLD, tmp_path)
        yield server


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_xet_storage_costs_some_time_and_no_file(name, hub, tmp_path):
    check(Fault(FAULTS[name], None, NEW), hub, tmp_path, timeout=2.0)


@pytest.mark.parametrize("change", [halved, emptied, flipped])
def test_a_damaged_block_ends_no_program(change, tmp_path):
    """The client panics at some, which would be the end of the Hub in this process, too."""
    with HubServer(xet=True) as hub:
        hub.add_file("me/m", "config.json", b"{}")
        hub.add_file("me/m", "model.safetensors", WEIGHTS)
        spoil(hub, change)
        code, out, err = ended(start(hub, tmp_path))
        assert (code, out) == (0, "True True") and "Traceback" not in err
        assert is_whole(tmp_path)


def test_where_both_ways_fail_the_copy_stays(hub, tmp_path):
    play = in_turn(storage_answers(status(503)), fails(STORAGE, status(503)))
    check(Fault(play, "out of order: 503", OLD), hub, tmp_path, timeout=2.0)
