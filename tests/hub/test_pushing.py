"""The right to push is found out before the work, and a refusal says what to do."""

import huggingface_hub
import pytest

from dslr_gan.errors import HubError
from dslr_gan.hub import check_push, push
from tests.support import hub_server
from tests.support.hub_server import HubServer, take_for_the_hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer() as server:
        take_for_the_hub(monkeypatch, server, tmp_path)
        yield server


def test_who_may_push_hears_nothing_and_a_repository_is_made(hub):
    for _ in range(2):
        check_push("me/new")
        check_push("me/pairs", repo_type="dataset")
    assert set(hub.repositories) == {"me/new", "datasets/me/pairs"}
    files = hub.repositories["me/new"].files("main")
    assert list(files) == [".gitattributes"], "nothing is committed"


def no_token(hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    return "wants a token, and there is none.*hf auth login"


def stale_token(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_stale")
    return "refuses the token from the variable HF_TOKEN"


def token_that_reads(hub, monkeypatch):
    hub.role = "read"
    return "the token from the variable HF_TOKEN may only read.*make one that may write"


def another_s_name(hub, monkeypatch):
    hub.read_only.add("me/new")
    return r"does not allow it \(You don't have the rights.*take a token that may"


def another_s_repository(hub, monkeypatch):
    hub.add_file("me/new", "README.md", b"theirs")
    return another_s_name(hub, monkeypatch)


def outage(hub, monkeypatch):
    hub.fail_with(503)
    return "503.*check the network"


def too_many(hub, monkeypatch):
    hub.fail_with(429, Retry_After="9")
    return "too many requests.*wait 9 seconds"


def portal(hub, monkeypatch):
    hub.give_way_to_a_portal()
    return "what answered is not the Hub"


REFUSALS = [no_token, stale_token, token_that_reads, another_s_name, another_s_repository, outage,
            too_many, portal]  # fmt: skip


@pytest.mark.parametrize("how", REFUSALS)
def test_who_may_not_push_hears_why_before_the_work_and_after_it(how, hub, monkeypatch, tmp_path):
    words = how(hub, monkeypatch)
    before = {name: dict(found.branches) for name, found in hub.repositories.items()}
    with pytest.raises(HubError, match=f"the Hub does not take me/new .*{words}.* Later\\.$"):
        check_push("me/new", advice=" Later.")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/config.json").write_text("{}")
    with pytest.raises(HubError, match=r"the Hub does not take me/new \(.* Later\.$") as caught:
        push(tmp_path / "out", "me/new", commit_message="One", advice=" Later.")
    assert "\n" not in str(caught.value)
    after = {name: dict(found.branches) for name, found in hub.repositories.items()}
    assert after == before


@pytest.mark.parametrize(
    ("token", "may"),
    [
        ({"role": "write"}, True),
        ({"role": "read"}, False),
        (
            {"role": "fineGrained", "fineGrained": {"scoped": [{"permissions": ["repo.write"]}]}},
            True,
        ),
        (
            {"role": "fineGrained", "fineGrained": {"scoped": [{"permissions": ["repo.read"]}]}},
            False,
        ),
        ({"role": "fineGrained"}, False),
        ({}, True),
    ],
)
def test_what_the_hub_says_of_a_token(token, may, hub, monkeypatch):
    facts = {"name": "me", "auth": {"type": "access_token", "accessToken": token}}
    monkeypatch.setattr(huggingface_hub.HfApi, "whoami", lambda _: facts)
    if may:
        check_push("me/new")
    else:
        with pytest.raises(HubError, match="may only read"):
            check_push("me/new")
    assert ("me/new" in hub.repositories) is may


def test_a_server_that_knows_no_persons_is_asked_all_the_same(hub, monkeypatch):
    routes = [route for route in hub_server.HUB_ROUTES if "whoami" not in route.pattern]
    monkeypatch.setattr(hub_server, "HUB_ROUTES", routes)
    with HubServer() as other:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", other.url)
        check_push("me/new")
        assert set(other.repositories) == {"me/new"}
