"""Everything that goes wrong on the way from the Hub: each ends in time, in words, and whole.

Each fault meets a cache that is empty and one that has the commit before, in both kinds of storage.
"""

import dataclasses
import errno
import gzip
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import pytest

import dslr_gan.hub.cache
from dslr_gan.errors import DslrGanError
from dslr_gan.hub import asking, fetch, fetching
from dslr_gan.models.registry import load as load_model
from tests.models.test_pretrained import damaged, tiny
from tests.support.command_line import names
from tests.support.hub_faults import (
    cut,
    drop,
    endless_headers,
    garbled,
    hang,
    longer,
    promised,
    slowly,
)
from tests.support.hub_server import Answer, HubServer, take_for_the_hub

FILES = ("config.json", "facts.json", "model.safetensors")
OLD, NEW, BUNDLED = 0.25, 0.5, 1.0
TIMEOUT_S = 20.0
SOON_S = 0.6

LISTING = "/api/models/me/m"
CONFIG = "/me/m/resolve/.*/config.json"
WEIGHTS = "/me/m/resolve/.*/model.safetensors"
STORAGE = "/[0-9a-f]{64}"
XET_TOKEN = "/api/models/me/m/xet-read-token/.*"

BUSY = Answer({"error": "busy"}, {}, 503)
SIGNED = "https://storage.example/x?X-Amz-Signature=5ecret"
PAGE = Answer(b"<!DOCTYPE html><title>Welcome</title>", {"Content-Type": "text/html"})


class Fault(NamedTuple):
    """What is done to the Hub, and what is right then."""

    play: Callable[[HubServer], object]
    empty: str | None
    """What is told where nothing is cached, a pattern; None where the new commit is loaded."""
    kept: float | str = OLD
    """What is loaded where the commit before is cached, or what is told."""
    xet: str | None = ""
    """``empty`` in Xet storage, where it differs; None: the new commit is loaded."""


def fails(path: str, answer: Any, times: int | None = None, after: int = 0):
    return lambda hub: hub.faults.add(path, answer, times, after)


def status(number: int, message: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"error": "no"}, {"X-Error-Message": message, **named}, number)


def replaced(name: str, content: bytes):
    """The new commit has another file."""
    return lambda hub: hub.add_file("me/m", name, content)


def configured(**changes: Any):
    config = {"architecture": "Generator", "channels": 4, "blocks": 1, **changes}
    return replaced("config.json", json.dumps(config).encode())


def removed(*gone: str):
    def play(hub):
        found = hub.repositories["me/m"]
        kept = {name: file for name, file in found.files("main").items() if name not in gone}
        found.commit("main", kept)

    return play


def wrong_bytes(name: str):
    def play(hub):
        files = hub.repositories["me/m"].files("main")
        stored = files[name]
        if stored.large:
            hub.blobs[stored.sha256] = damaged(stored.content)
        else:
            files[name] = dataclasses.replace(stored, sent=damaged(stored.content))

    return play


def gated(hub):
    hub.gated.add("me/m")


def renamed(hub):
    hub.repositories["me/n"] = hub.repositories["me/m"]
    hub.faults.add(LISTING, Answer(b"", {"Location": "/api/models/me/n?blobs=True"}, 307))
    for path in ("config.json", "facts.json", "model.safetensors"):
        sha = hub.repositories["me/m"].branches["main"]
        target = {"Location": f"/me/n/resolve/{sha}/{path}"}
        hub.faults.add(f"/me/m/resolve/.*/{path}", Answer(b"", target, 307))


def gone_after_the_settings(hub):
    def stop(*_):
        hub.faults.add(".*", drop)

    hub.faults.add(WEIGHTS, lambda *sent: (stop(), drop(*sent)))


def listing_of(change: Callable[[dict[str, Any]], Any]):
    """The listing says something else."""

    def play(hub):
        files = hub.repositories["me/m"].files("main")
        sha = hub.repositories["me/m"].branches["main"]
        entries = [
            {"rfilename": name, "size": len(file.content), "blobId": file.git_oid}
            | ({"lfs": {"sha256": file.sha256, "size": len(file.content)}} if file.large else {})
            for name, file in files.items()
        ]
        answer = {"sha": sha, "siblings": entries}
        hub.faults.add(LISTING, Answer(change(answer) or answer))

    return play


def in_turn(*plays: Callable[[HubServer], object]):
    """Several faults."""
    return lambda hub: [play(hub) for play in plays]


def moved(address: str) -> Answer:
    return Answer(b"", {"Location": address}, 302)


def in_capitals(answer: dict[str, Any]) -> None:
    for entry in answer["siblings"]:
        if "lfs" in entry:
            entry["lfs"]["sha256"] = entry["lfs"]["sha256"].upper()


def xet_hangs(hub):
    """Xet storage accepts and never answers."""
    headers = {
        "X-Xet-Access-Token": "x",
        "X-Xet-Token-Expiration": str(int(time.time()) + 3600),
        "X-Xet-Cas-Url": f"{hub.storage_url}/cas",
    }
    hub.faults.add(XET_TOKEN, Answer({}, headers))
    hub.faults.add("/cas/.*", hang)


def xet_is_gone(hub):
    headers = {
        "X-Xet-Access-Token": "x",
        "X-Xet-Token-Expiration": str(int(time.time()) + 3600),
        "X-Xet-Cas-Url": "http://127.0.0.1:9",
    }
    hub.faults.add(XET_TOKEN, Answer({}, headers))


def xet_lacks_the_file(hub):
    if hub.xet is not None:
        hub.xet.lend, lend = (lambda contents=(): lend(())), hub.xet.lend


NO_ANSWER = "within 0.6 seconds.*--hub-timeout of the commands, timeout in a script"
OUT_OF_ORDER = "out of order: 503 Service Unavailable.*check the network"
NOT_THE_HUB = "what answered is not the Hub.*open a page in a browser"
TOO_MANY = "too many requests.*wait 700 seconds"
DAMAGED = "was damaged on its way.*again when it was fetched anew"
NO_CONFIG = "no config.json in me/m at commit"
SETTINGS = "config.json of me/m at commit .*"
BROKEN_OFF = "could not be fetched"

FAULTS = {
    "busy at first": Fault(fails(LISTING, BUSY, 3), None, NEW),
    "busy at first, bad gateway": Fault(fails(LISTING, status(502), 3), None, NEW),
    "weights busy at first": Fault(fails(WEIGHTS, BUSY, 3), None, NEW),
    "storage busy at first": Fault(fails(STORAGE, BUSY, 3), None, NEW),
    "busy for ever": Fault(fails(".*", BUSY), OUT_OF_ORDER),
    "weights busy for ever": Fault(fails(WEIGHTS, BUSY), OUT_OF_ORDER),
    "settings busy for ever": Fault(fails(CONFIG, BUSY), OUT_OF_ORDER),
    "storage busy for ever": Fault(
        fails(STORAGE, status(503, f"no {SIGNED}")), OUT_OF_ORDER, OLD, None
    ),
    "too many once": Fault(fails(LISTING, status(429, Retry_After="0"), 1), None, NEW),
    "too many": Fault(fails(LISTING, status(429, Retry_After="700")), TOO_MANY),
    "dropped once": Fault(fails(LISTING, drop, 1), None, NEW),
    "dropped": Fault(fails(LISTING, drop), BROKEN_OFF),
    "settings cut once": Fault(fails(CONFIG, cut, 1), None, NEW),
    "weights cut once": Fault(fails(STORAGE, cut, 1), None, NEW),
    "settings cut": Fault(fails(CONFIG, cut), BROKEN_OFF),
    "weights cut": Fault(fails(STORAGE, cut), BROKEN_OFF, OLD, None),
    "listing cut": Fault(fails(LISTING, cut), BROKEN_OFF),
    "wrong bytes of the weights": Fault(wrong_bytes("model.safetensors"), DAMAGED),
    "wrong bytes of the settings": Fault(wrong_bytes("config.json"), DAMAGED),
    "settings longer than listed": Fault(fails(CONFIG, longer), DAMAGED),
    "weights longer than listed": Fault(fails(STORAGE, longer), DAMAGED, OLD, None),
    "garbled settings": Fault(fails(CONFIG, garbled), NOT_THE_HUB),
    "garbled listing": Fault(fails(LISTING, garbled), NOT_THE_HUB),
    "refused token": Fault(
        fails(LISTING, status(401, "Invalid credentials in Authorization header")),
        "refuses the token from the variable HF_TOKEN.*unset HF_TOKEN",
    ),
    "forbidden": Fault(fails(LISTING, status(403, "No")), "does not allow it", "not allow it"),
    "legal": Fault(fails(LISTING, status(451)), "legal reasons", "legal reasons"),
    "gated": Fault(gated, "it is gated; ask for access on its page", "it is gated"),
    "no such repository": Fault(
        fails(LISTING, status(404, X_Error_Code="RepoNotFound")),
        "the Hub has no me/m; check the spelling",
        "the Hub has no me/m",
    ),
    "no such page": Fault(fails(LISTING, status(404)), "no such page.*HF_ENDPOINT", "no such page"),
    "teapot": Fault(fails(LISTING, status(418)), "answered 418", "answered 418"),
    "an error that is a list": Fault(fails(LISTING, Answer([1], {}, 400)), "answered 400", "400"),
    "an error of odd parts": Fault(
        fails(LISTING, Answer({"error": {"a": 1}, "errors": 7}, {}, 503)), OUT_OF_ORDER
    ),
    "refused by the storage": Fault(
        fails(STORAGE, status(401)), "the Hub's storage answered 401.*check the net", OLD, None
    ),
    "no settings": Fault(removed("config.json"), NO_CONFIG, NO_CONFIG),
    "no weights": Fault(
        removed("model.safetensors"),
        "no model.safetensors in me/m .*never a pickle",
        "never a pickle",
    ),
    "settings vanish": Fault(
        fails(CONFIG, status(404, X_Error_Code="EntryNotFound")),
        "the Hub has no config.json of me/m",
        "the Hub has no config.json of me/m",
    ),
    "huge width": Fault(configured(channels=20_000), f"{SETTINGS}channels", SETTINGS),
    "huge context": Fault(configured(context_channels=10**9), f"{SETTINGS}context", SETTINGS),
    "huge depth": Fault(configured(blocks=10**9), f"{SETTINGS}blocks", SETTINGS),
    "true for a number": Fault(configured(channels=True), f"{SETTINGS}channels", SETTINGS),
    "other settings": Fault(configured(depth=3), f"{SETTINGS}depth; update", SETTINGS),
    "another class": Fault(configured(architecture="UNet"), f"{SETTINGS}UNet", SETTINGS),
    "settings that say something twice": Fault(
        replaced("config.json", b'{"architecture": "Generator", "blocks": 1, "blocks": 2}'),
        f"{SETTINGS}it says blocks twice",
        "it says blocks twice",
    ),
    "deep settings": Fault(
        replaced("config.json", b"[" * 99_999), f"{SETTINGS}is not JSON", "JSON"
    ),
    "settings of a megabyte": Fault(
        replaced("config.json", b" " * 1_000_001),
        "1,000,001 bytes, and at most 1,000,000",
        "at most",
    ),
    "weights of another size": Fault(
        replaced("model.safetensors", bytes(2_000_000)), "2,000,000 bytes, and at most", "at most"
    ),
    "weights too small": Fault(
        replaced("model.safetensors", b"PK"), "2 bytes, and would need", "would need"
    ),
    "weights of zeros": Fault(
        replaced("model.safetensors", bytes(9000)),
        "model.safetensors of me/m .*safetensors",
        "whole",
    ),
    "broken facts": Fault(replaced("facts.json", b"["), None, NEW),
    "facts damaged": Fault(wrong_bytes("facts.json"), None, NEW),
    "facts vanish": Fault(fails("/me/m/resolve/.*/facts.json", BUSY), None, NEW),
    "gone after the settings": Fault(gone_after_the_settings, BROKEN_OFF),
    "portal": Fault(fails(".*", PAGE), NOT_THE_HUB),
    "portal for files": Fault(fails(CONFIG, PAGE), NOT_THE_HUB),
    "portal for weights": Fault(fails(WEIGHTS, PAGE), NOT_THE_HUB),
    "portal elsewhere": Fault(
        fails(LISTING, Answer(b"", {"Location": "http://login.invalid/"}, 302)), NOT_THE_HUB
    ),
    "network wants a log-in": Fault(fails(LISTING, status(511)), NOT_THE_HUB),
    "in a circle": Fault(fails(LISTING, Answer(b"", {"Location": LISTING}, 302)), NOT_THE_HUB),
    "an empty answer": Fault(fails(LISTING, Answer(b"", {}, 204)), NOT_THE_HUB),
    "a list for an answer": Fault(fails(LISTING, Answer([])), NOT_THE_HUB),
    "a deep answer": Fault(fails(LISTING, Answer(b"[" * 99_999)), NOT_THE_HUB),
    "no commit": Fault(listing_of(lambda answer: answer.pop("sha") and None), NOT_THE_HUB),
    "a commit out of the folder": Fault(listing_of(lambda it: {**it, "sha": "../x"}), NOT_THE_HUB),
    "files that are none": Fault(listing_of(lambda it: {**it, "siblings": 7}), NOT_THE_HUB),
    "odd files": Fault(
        listing_of(lambda it: {**it, "siblings": [None, {"rfilename": 7}, *it["siblings"]]}),
        None,
        NEW,
    ),
    "no digests": Fault(
        listing_of(
            lambda it: {**it, "siblings": [{"rfilename": f["rfilename"]} for f in it["siblings"]]}
        ),
        None,
        NEW,
    ),
    "rest refused": Fault(
        in_turn(fails(STORAGE, cut, 1), fails(STORAGE, status(416), 1)), None, NEW
    ),
    "rest refused for ever": Fault(
        in_turn(fails(STORAGE, cut, 1), fails(STORAGE, status(416))), "out of order: 416", OLD, None
    ),
    "more promised than there is": Fault(fails(CONFIG, promised), None, NEW),
    "led to a file": Fault(fails(CONFIG, moved("file:///etc/passwd")), NOT_THE_HUB),
    "weights led to a file": Fault(fails(WEIGHTS, moved("file:///etc/passwd")), NOT_THE_HUB),
    "led to half an address": Fault(fails(LISTING, moved("http://[/x")), NOT_THE_HUB),
    "weights led to nobody": Fault(
        fails(WEIGHTS, moved("http://cdn.invalid/x")), "no address of cdn.invalid.*check"
    ),
    "weights led to no port": Fault(fails(WEIGHTS, moved("http://127.0.0.1:99999/")), NOT_THE_HUB),
    "digests in capitals, wrong": Fault(
        in_turn(wrong_bytes("model.safetensors"), listing_of(in_capitals)), DAMAGED
    ),
    "renamed": Fault(renamed, None, NEW),
    "xet token busy": Fault(fails(XET_TOKEN, BUSY), None, NEW),
    "xet storage lacks it": Fault(xet_lacks_the_file, None, NEW),
}
"""Those that need no waiting."""


def shuffled_range(handler, code, headers, content):
    """Give another part than was asked for."""
    headers = {**headers, "Content-Range": "bytes 0-9/10"}
    handler.send_response(206)
    for name, value in {**headers, "Content-Length": "10"}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content[:10])


def chunked(handler, code, headers, content):
    """Send the body in chunks, whose number nobody knows before."""
    handler.send_response(code)
    for name, value in {**headers, "Transfer-Encoding": "chunked"}.items():
        handler.send_header(name, value)
    handler.end_headers()
    for start in range(0, len(content), 5000):
        piece = content[start : start + 5000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def zipped(handler, code, headers, content):
    """Compress what was asked for as it is."""
    content = gzip.compress(content)
    handler.send_response(code)
    named = {**headers, "Content-Encoding": "gzip", "Content-Length": str(len(content))}
    for name, value in named.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def without_length(handler, code, headers, content):
    """End the body by closing the connection."""
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(content)
    handler.close_connection = True


def committed_meanwhile(hub):
    """Somebody renames a file on main after the listing was given."""

    def rename():
        found = hub.repositories["me/m"]
        files = dict(found.files("main"))
        files["weights.safetensors"] = files.pop("model.safetensors")
        found.commit("main", files)

    hub.meanwhile(f"GET {CONFIG}", rename)


def gone_meanwhile(hub):
    """Somebody removes the repository after the listing was given."""
    hub.meanwhile(f"GET {CONFIG}", lambda: hub.repositories.pop("me/m"))


def private_without_token(hub):
    hub.faults.add(LISTING, Answer({}, {"X-Error-Code": "RepoNotFound"}, 401))


def entries(change):
    return listing_of(lambda it: {**it, "siblings": change(it["siblings"])})


MORE_FAULTS = {
    "moved for good": Fault(
        fails(LISTING, Answer(b"", {"Location": f"{LISTING}?blobs=True&x"}, 301), 1), None, NEW),
    "moved for good elsewhere": Fault(
        fails(LISTING, Answer(b"", {"Location": "//login.invalid/x"}, 308)), NOT_THE_HUB
    ),
    "moved to nowhere": Fault(fails(LISTING, Answer(b"", {}, 302)), NOT_THE_HUB),
    "not modified": Fault(fails(CONFIG, Answer(b"", {}, 304)), NOT_THE_HUB),
    "disabled": Fault(
        fails(LISTING, status(403, "Access to this resource is disabled.")),
        "disabled access to it; take another", "disabled access"),
    "private, without a token": Fault(
        private_without_token, "the Hub has no me/m; .*hf auth login", "has no me/m"),
    "to be paid": Fault(fails(LISTING, status(402)), "to be paid", "to be paid"),
    "gone": Fault(fails(LISTING, status(410)), "no such page", "no such page"),
    "too early": Fault(fails(LISTING, status(425), 1), None, NEW),
    "other wait": Fault(fails(LISTING, status(503, Retry_After="-1"), 1), None, NEW),
    "odd wait": Fault(fails(LISTING, status(503, Retry_After="1.5"), 1), None, NEW),
    "wait until the year 9999": Fault(
        fails(LISTING, status(429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT")), "too many"),
    "wait until no day": Fault(
        fails(LISTING, status(429, Retry_After="Fri, 99 Dec 0000 99:99:99 GMT"), 1), None, NEW),
    "empty listing": Fault(fails(LISTING, Answer(b"")), NOT_THE_HUB),
    "listing of null": Fault(fails(LISTING, Answer(b"null")), NOT_THE_HUB),
    "empty settings": Fault(fails(CONFIG, Answer(b"")), "cut off|could not be fetched"),
    "empty weights": Fault(fails(WEIGHTS, Answer(b"")), "could not be fetched"),
    "files in chunks": Fault(fails(".*/resolve/.*|" + STORAGE, chunked), None, NEW),
    "listing in chunks": Fault(fails(LISTING, chunked), None, NEW),
    "zipped listing": Fault(fails(LISTING, zipped), None, NEW),
    "zipped settings": Fault(fails(CONFIG, zipped), None, NEW),
    "zipped weights": Fault(fails(STORAGE, zipped), None, NEW),
    "no length": Fault(fails(".*/resolve/.*|" + STORAGE, without_length), None, NEW),
    "another part": Fault(
        in_turn(fails(STORAGE, cut, 1), fails(STORAGE, shuffled_range, 1)), None, NEW),
    "committed meanwhile": Fault(committed_meanwhile, "no model.safetensors in me/m", NEW),
    "gone meanwhile": Fault(
        gone_meanwhile, "the Hub has no me/m", "has no config.json of me/m"),
    "listed twice": Fault(entries(lambda them: [*them, *them]), None, NEW),
    "listed with bad sizes": Fault(
        entries(lambda them: [{**each, "size": -1, "lfs": None} for each in them]), None, NEW),
    "listed with true for a size": Fault(
        entries(lambda them: [{**each, "size": True} for each in them]), None, NEW),
    "listed with a name of a path": Fault(
        entries(lambda them: [{"rfilename": "../../x", "size": 1}, *them]), None, NEW),
    "no ETag": Fault(
        in_turn(*(fails(path, lambda handler, code, headers, content: chunked(
            handler, code, {k: v for k, v in headers.items() if k != "ETag"}, content))
            for path in (CONFIG, STORAGE))), None, NEW),
}  # fmt: skip
"""Brothers of those, tried in a script alone."""


SLOW_FAULTS = {
    "never answered": Fault(fails(".*", hang), NO_ANSWER),
    "listing never answered": Fault(fails(LISTING, hang), NO_ANSWER),
    "resolve never answered": Fault(fails(".*/resolve/.*", hang), NO_ANSWER),
    "bytes never answered": Fault(fails(STORAGE, hang), NO_ANSWER, OLD, None),
    "endless headers": Fault(fails(LISTING, endless_headers), NO_ANSWER),
    "dribbling": Fault(fails(STORAGE, slowly(10, 0.1)), NO_ANSWER, OLD, None),
    "slow but moving": Fault(fails(STORAGE, slowly(600, 0.12)), None, NEW),
    "slow settings": Fault(fails(CONFIG, slowly(100, 0.05)), None, NEW),
    "xet storage never answers": Fault(xet_hangs, None, NEW),
    "xet storage is gone": Fault(xet_is_gone, None, NEW),
}


QUICK = {
    "busy at first", "weights busy for ever", "too many", "dropped once", "weights cut once",
    "wrong bytes of the weights", "settings longer than listed", "refused token", "forbidden",
    "gated", "no weights", "huge width", "deep settings", "settings of a megabyte",
    "weights of another size", "broken facts", "portal", "a commit out of the folder",
}  # fmt: skip
"""Those that are tried with every change; the others with the slow tests."""


def timeout_of(name):
    """Seconds for the Hub; a silent Xet storage is given up for HTTP, which needs some of them."""
    if name not in SLOW_FAULTS:
        return TIMEOUT_S
    return 3.0 if name.startswith("xet") else SOON_S


def rows(faults, quick=()):
    return [pytest.param(each, marks=() if each in quick else pytest.mark.slow) for each in faults]


@pytest.fixture(params=["lfs", pytest.param("xet", marks=pytest.mark.slow)])
def hub(request, monkeypatch, tmp_path):
    """A Hub whose repository me/m has an older commit and a newer one."""
    with HubServer(xet=request.param == "xet") as server:
        take_for_the_hub(monkeypatch, server, tmp_path / "home")
        monkeypatch.setattr(asking, "WAITS_S", (0.0, 0.0, 0.0))
        commit_of(server, OLD, tmp_path)
        yield server


def commit_of(hub, bias, tmp_path, repository="me/m"):
    tiny(bias).save_pretrained(tmp_path / "saved")
    for name in FILES:
        content = (tmp_path / "saved" / name).read_bytes()
        if name == "config.json":  # no two commits share a file
            content += f"{' ' * int(100 * bias)}\n".encode()
        commit = hub.add_file(repository, name, content)
    return commit


def told(result):
    """The words of an error message; the bias of what was loaded."""
    assert isinstance(result, str)
    assert "\n" not in result and "Signature" not in result and "5ecret" not in result
    assert "JSONDecode" not in result and "Traceback" not in result and len(result) < 600
    return result


def load(name="me/m", timeout=TIMEOUT_S, **options):
    """The bias of what is loaded, or what is told."""
    began = time.monotonic()
    try:
        loaded = load_model(name, timeout=timeout, **options)
    except DslrGanError as error:
        result = told(str(error))
    else:
        told(loaded.source)
        result = loaded.network.tail.bias[0].item()
    assert time.monotonic() - began < timeout + 4
    return result


def is_whole(home: Path) -> bool:
    """Whether nothing half-written lies about, and each file is what its name promises."""
    for file in home.rglob("*"):
        assert "unfinished" not in file.name and "incomplete" not in file.name, file
        if file.parent.name == "blobs" and len(file.name) == 64 and file.is_file():
            assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name
    return True


def check(fault, hub, tmp_path, timeout=TIMEOUT_S):
    xet = hub.xet is not None
    home = tmp_path / "home"
    commit_of(hub, NEW, tmp_path, "me/other")
    neighbour = fetch("me/other").files  # with the same weights
    before = {name: file.read_bytes() for name, file in neighbour.items()}
    fetch("me/m")
    commit_of(hub, NEW, tmp_path)
    fault.play(hub)

    result = load(timeout=timeout)
    if isinstance(fault.kept, str):
        assert isinstance(result, str) and re.search(fault.kept, result), result
    else:
        expected = NEW if xet and fault.xet is None else fault.kept
        assert result == expected
    assert is_whole(home)

    shutil.rmtree(home / "hub/models--me--m", ignore_errors=True)
    expected = fault.xet if xet and fault.xet != "" else fault.empty
    result = load(timeout=timeout)
    if expected is None:
        assert result == NEW
    else:
        assert isinstance(result, str) and re.search(expected, result), result
    assert is_whole(home)
    assert {name: file.read_bytes() for name, file in neighbour.items()} == before


@pytest.mark.parametrize("name", rows(FAULTS, QUICK))
def test_a_fault_ends_in_words_and_leaves_everything_whole(name, hub, tmp_path):
    check(FAULTS[name], hub, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("hub", ["lfs"], indirect=True)
@pytest.mark.parametrize("name", MORE_FAULTS)
def test_another_fault_ends_in_words_too(name, hub, tmp_path):
    check(MORE_FAULTS[name], hub, tmp_path, 6.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_FAULTS)
def test_a_silent_hub_ends_at_the_deadline(name, hub, tmp_path):
    check(SLOW_FAULTS[name], hub, tmp_path, timeout_of(name))


# What is kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize("silent", [LISTING, WEIGHTS])
def test_a_silent_hub_costs_little_time_where_a_copy_is_kept(silent, hub, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(fetching, "KEPT_TIMEOUT_S", 0.2)
    assert load() == OLD
    commit_of(hub, NEW, tmp_path)
    hub.faults.add(silent, hang)

    def timed(**options):
        began = time.monotonic()
        try:
            loaded = load_model("me/m", **options)
        except DslrGanError as error:
            return told(str(error)), time.monotonic() - began
        return told(loaded.source), time.monotonic() - began

    words, seconds = timed()
    assert "local copy of" in words and "did not answer within 0.2 seconds" in words
    assert 0.1 < seconds < 0.9
    words, seconds = timed(timeout=0.5)
    assert "local copy of" in words and "did not answer within 0.5 seconds" in words
    assert seconds > 0.4
    shutil.rmtree(tmp_path / "home/hub/models--me--m")
    words, seconds = timed()
    assert "within 1 seconds" in words and "no local copy" in words and seconds > 0.9


def test_weights_are_not_asked_for_before_the_settings_are_good(hub, tmp_path):
    configured(channels=20_000)(hub)
    load()
    assert not [each for each in hub.requests if each.path.endswith(".safetensors")]


def test_a_listing_without_end_and_a_long_error_are_not_read_to_the_end(hub, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fetching, "_LISTING_LIMIT", 100)
        assert re.search(NOT_THE_HUB, load())
    hub.faults.add(LISTING, Answer(b"x" * 10_000_000, {"X-Error-Message": "y" * 5000}, 418))
    assert re.search("answered 418 .*y{100}", load())


def test_what_another_program_began_does_not_hide_the_last_whole_copy(hub, tmp_path):
    assert load() == OLD
    commit_of(hub, NEW, tmp_path)
    huggingface_hub.hf_hub_download("me/m", "config.json")  # moves refs/main
    hub.stop()
    assert load() == OLD


def test_what_another_program_fetched_is_used(hub, tmp_path):
    folder = huggingface_hub.snapshot_download("me/m")
    asked = len(hub.requests)
    assert load() == OLD
    assert not [each for each in hub.requests[asked:] if "/resolve/" in each.path]
    hub.stop()
    assert load() == OLD
    real = (Path(folder) / "model.safetensors").resolve()
    real.chmod(0o644)
    real.write_bytes(damaged(real.read_bytes()))
    assert "was damaged" in load()


def test_other_programs_use_what_is_fetched_here(hub, tmp_path):
    assert load() == OLD
    folder = huggingface_hub.snapshot_download(
        "me/m", local_files_only=True, allow_patterns=list(FILES)
    )
    assert names(Path(folder)) == sorted(FILES)
    assert not huggingface_hub.scan_cache_dir(tmp_path / "home/hub").warnings


def test_a_commit_is_that_commit_whatever_is_answered(hub, tmp_path):
    old = hub.repositories["me/m"].branches["main"]
    commit_of(hub, NEW, tmp_path)
    assert load(revision=old) == OLD
    shutil.rmtree(tmp_path / "home/hub/models--me--m")
    hub.faults.add(
        f"{LISTING}/revision/.*", Answer(b"", {"Location": f"{LISTING}?blobs=True"}, 307)
    )
    assert re.search(NOT_THE_HUB, load(revision=old))


def test_a_tag_that_names_other_weights_is_said_once(hub, tmp_path, caplog):
    found = hub.repositories["me/m"]
    found.tags["v1"] = found.branches["main"]
    assert load(revision="v1") == OLD and not caplog.messages
    # The same weights under another commit are no reason to say anything.
    found.tags["v1"] = hub.add_file("me/m", "README.md", b"better words")
    assert load(revision="v1") == OLD and not caplog.messages
    found.tags["v1"] = commit_of(hub, NEW, tmp_path)
    assert load(revision="v1") == NEW
    (line,) = caplog.messages
    assert line.startswith("v1 of me/m names other weights than when it was last fetched")
    assert load(revision="v1") == NEW and len(caplog.messages) == 1


def test_a_full_or_read_only_cache_is_told_and_the_copy_in_it_used(hub, tmp_path, monkeypatch):
    def failing(number):
        def fail(*_):
            raise OSError(number, os.strerror(number), str(tmp_path / "home"))

        return fail

    assert load() == OLD
    commit_of(hub, NEW, tmp_path)
    for number, words in (
        (errno.ENOSPC, "no space left on the disk of the cache.*make room"),
        (errno.EROFS, "the cache cannot be written.*HF_HOME"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(dslr_gan.hub.cache, "written_whole", failing(number))
            assert load() == OLD
            assert re.search(words, load(revision=hub.repositories["me/m"].branches["main"]))
    assert load() == NEW
    monkeypatch.setattr(dslr_gan.hub.cache, "written_whole", failing(errno.EROFS))
    assert load() == NEW


def test_the_switch_that_keeps_the_hub_off_is_named(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert re.search("HF_HUB_OFFLINE is set, so the Hub was not asked.*unset", load())
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    assert load() == OLD
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    assert load(strict_source=True) == OLD and len(hub.requests) == asked


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://127.0.0.1:9", "Connection refused"),
        ("http://nowhere.invalid", "the network knows no address of nowhere.invalid"),
        ("ftp://127.0.0.1", "HF_ENDPOINT holds no address"),
        ("http://[", "HF_ENDPOINT holds no address"),
        ("https://{hub}", "no certificate of the Hub"),
    ],
)
def test_an_endpoint_that_leads_nowhere_is_named(endpoint, words, hub, monkeypatch):
    endpoint = endpoint.replace("{hub}", hub.url.partition("//")[2])
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    assert words in load()


def test_a_proxy_that_is_down_is_named(hub, monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://hub.invalid")
    huggingface_hub.close_session()
    try:
        assert re.search("the proxy did not answer .*HTTP_PROXY", load())
    finally:
        huggingface_hub.close_session()


def test_nobody_but_the_hub_is_told_the_token(hub, monkeypatch):
    told_to = []
    hub.faults.add(
        STORAGE,
        lambda handler, *_: told_to.append(handler.headers["Authorization"]) or drop(handler, *_),
    )
    huggingface_hub.constants.HF_HUB_DISABLE_XET, before = True, hub.xet is None
    try:
        load()
    finally:
        huggingface_hub.constants.HF_HUB_DISABLE_XET = before
    assert told_to and set(told_to) == {None}


@pytest.mark.parametrize("token", ["hf_\u00e4", "hf_a\nb", "hf_5ecret\0", "", " "])
def test_a_token_that_cannot_be_sent_is_named_and_not_shown(token, hub):
    assert "is empty or holds letters that no token has" in load(token=token)


def test_no_time_is_too_long(hub):
    assert load(timeout=1e300) == load(timeout=float("inf")) == OLD


def test_words_of_the_hub_that_are_no_ascii_are_no_cause_of_their_own(hub):
    assert "the Hub has no revision '\u00e4' of me/m" in load(revision="\u00e4")


@pytest.mark.parametrize("place", ["home", "home/hub", "home/hub/models--me--m/blobs"])
def test_a_file_where_the_cache_should_be_is_named(place, hub, tmp_path):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("in the way")
    assert re.search("the cache cannot be used .*home.*remove what is in the way", load())
