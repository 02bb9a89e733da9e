"""Names of networks, and the local copy that stands in; more of it is in test_pretrained.py."""

import dataclasses
import logging
import time
from datetime import date
from pathlib import Path

import pytest

from dslr_gan.errors import HubError, InputError
from dslr_gan.hub import (
    Origin,
    ask_dataset,
    assets_folder,
    check_repo_id,
    fetch,
    find_commit,
    reading,
)
from tests.support.hub_faults import hang
from tests.support.hub_server import HubServer, take_for_the_hub

FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer() as server:
        take_for_the_hub(monkeypatch, server, tmp_path)
        for file, content in FILES.items():
            server.add_file("me/model", file, content)
        server.add_file("datasets/me/pairs", "README.md", b"x")
        yield server


def test_a_folder_is_its_own_origin(tmp_path):
    assert fetch(tmp_path) == fetch(str(tmp_path)) == Origin(tmp_path)


@pytest.mark.parametrize("name", ["no-such-folder", "a/b/c", "./model", "me/", "me/mo del"])
def test_what_is_neither_folder_nor_hub_id_is_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no folder .* owner/name"):
        fetch(name)


def test_a_name_too_long_for_any_folder_is_a_sentence():
    with pytest.raises(InputError, match=r"cannot be loaded \(File name too long\)"):
        fetch("x" * 300)


def test_a_folder_has_no_revisions(tmp_path):
    with pytest.raises(InputError, match="is a folder and has no revision 'v1.0'"):
        fetch(tmp_path, revision="v1.0")


@pytest.mark.parametrize("name", ["pairs", "a/b/c", "me/", "me/pa irs"])
def test_what_is_no_hub_id_is_refused(name):
    with pytest.raises(InputError, match="a Hub id such as me/my-pairs"):
        check_repo_id(name, "me/my-pairs")


def stale_token(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_stale")
    return "the Hub refuses the token from the variable HF_TOKEN as invalid or expired"


def too_many(hub, monkeypatch):
    hub.fail_with(429, "Too Many Requests", Retry_After="700")
    return "the Hub has had too many requests from here"


def portal(hub, monkeypatch):
    hub.give_way_to_a_portal()
    return "what answered is not the Hub"


def outage(hub, monkeypatch):
    hub.fail_with(503)
    return "the Hub is out of order: 503 Service Unavailable"


AWAY = [stale_token, too_many, portal, outage]


@pytest.mark.parametrize("how", AWAY)
def test_a_local_copy_stands_in_and_the_log_says_why(how, hub, monkeypatch, caplog):
    first = fetch("me/model")
    assert first.answered
    why = how(hub, monkeypatch)
    with caplog.at_level(logging.WARNING, "dslr_gan"):
        again = fetch("me/model")
    today = date.today().isoformat()
    assert again == dataclasses.replace(first, answered=False, why=why, fetched_on=today)
    assert again.files == first.files
    (line,) = caplog.messages
    end = f"; using the local copy of me/model, commit {first.commit[:8]} of {today}"
    assert line.startswith(f"{why} (") and line.endswith(end)


ADVICE = {
    stale_token: "unset HF_TOKEN: what is public is read without one",
    too_many: "wait 700 seconds",
    portal: "open a page in a browser",
    outage: "check the network",
}


@pytest.mark.parametrize("how", AWAY)
def test_without_a_local_copy_the_cause_and_its_advice_are_told(how, hub, monkeypatch):
    why = how(hub, monkeypatch)
    with pytest.raises(HubError, match="me/model could not be fetched .*no local copy") as caught:
        fetch("me/model")
    assert ADVICE[how] in str(caught.value)
    assert why in str(caught.value)
    assert ("check the network" in str(caught.value)) is (how is outage)
    for ask in (
        lambda: ask_dataset("me/pairs"),
        lambda: find_commit("me/model", "config.json", "main", assets_folder("x", "me/model", "c")),
    ):
        with pytest.raises(HubError) as caught:
            ask()
        assert why in str(caught.value)
        assert ADVICE[how] in caught.value.advice


def test_a_commit_that_was_noted_is_taken_behind_a_portal(hub, monkeypatch, tmp_path):
    commit = find_commit("me/model", "config.json", "main", tmp_path / "notes")
    for how in AWAY:
        how(hub, monkeypatch)
        assert find_commit("me/model", "config.json", "main", tmp_path / "notes") == commit


def test_a_commit_that_was_noted_is_taken_soon_where_the_hub_is_silent(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(reading, "TIMEOUT_S", 60.0)
    monkeypatch.setattr(reading, "KEPT_TIMEOUT_S", 0.1)
    commit = find_commit("me/model", "config.json", "main", tmp_path / "notes")
    hub.faults.add(".*", hang)
    began = time.monotonic()
    assert find_commit("me/model", "config.json", "main", tmp_path / "notes") == commit
    assert time.monotonic() - began < 30
    monkeypatch.setattr(reading, "TIMEOUT_S", 0.6)
    with pytest.raises(HubError, match=r"within 0\.6 seconds"):
        find_commit("me/model", "config.json", "main", tmp_path / "no notes")


def test_gated_files_of_an_open_repository_are_called_gated(hub):
    hub.gated.add("me/model")
    with pytest.raises(HubError, match="me/model: it is gated; ask for access on its page"):
        fetch("me/model")


@pytest.mark.parametrize(("status", "words"), [(403, "does not allow it"), (451, "legal reasons")])
def test_what_is_forbidden_is_not_taken_from_the_local_copy(status, words, hub):
    fetch("me/model")
    hub.fail_with(status, "Not for you")
    with pytest.raises(HubError, match=rf"me/model: .*{words} \(Not for you\)"):
        fetch("me/model")


def test_a_full_disk_is_called_one(hub, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(HubError, match="no space left on the disk of the cache.*HF_HOME"):
        fetch("me/model")
