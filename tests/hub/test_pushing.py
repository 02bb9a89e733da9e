"""Pushing: what fails for a moment is tried again, and every other end has its own message."""

import re
import socket
import subprocess
import sys
import time

import huggingface_hub
import pytest

from dslr_gan.errors import HubError, InputError
from dslr_gan.hub import Target, check_push, push, pushing, sending
from hub_card import marked
from tests.support import hub_server
from tests.support.hub_faults import drop
from tests.support.hub_server import HubServer, hub_environment, take_for_the_hub
from tests.support.paths import ROOT

WEIGHTS = bytes(range(256)) * 300
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS, "README.md": b"---\na: b\n---\n"}
COMMIT, XET_TOKEN = "POST .*/commit/.*", ".*/xet-write-token/.*"


@pytest.fixture(params=[False, True], ids=["lfs", "xet"])
def hub(request, monkeypatch, tmp_path):
    with HubServer(xet=request.param) as server:
        take_for_the_hub(monkeypatch, server, tmp_path)
        monkeypatch.setattr(sending, "WAITS_S", (0.01, 0.01, 0.01, 0.01))
        yield server


@pytest.fixture
def lfs_hub(monkeypatch, tmp_path):
    with HubServer() as server:
        take_for_the_hub(monkeypatch, server, tmp_path)
        monkeypatch.setattr(sending, "WAITS_S", (0.01, 0.01, 0.01, 0.01))
        yield server


def send(hub, files=FILES, **options):
    return push(files, Target(repo_id="me/new", **options), message="One", advice=" Later.")


def stored(hub, branch="main", repository="me/new"):
    files = hub.repositories[repository].files(branch)
    return {name: file.content for name, file in files.items() if name != ".gitattributes"}


# Before the work ------------------------------------------------------------------------------


def test_who_may_push_hears_nothing_and_a_repository_is_made(lfs_hub):
    for _ in range(2):
        check_push(Target(repo_id="me/new", tag="v1"))
        check_push(Target(repo_id="me/pairs", repo_type="dataset"))
    assert set(lfs_hub.repositories) == {"me/new", "datasets/me/pairs"}
    files = lfs_hub.repositories["me/new"].files("main")
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
    hub.fail_with(429, Retry_After="90")
    return "too many requests.*wait 90 seconds"


def portal(hub, monkeypatch):
    hub.give_way_to_a_portal()
    return "what answered is not the Hub"


REFUSALS = [no_token, stale_token, token_that_reads, another_s_name, another_s_repository, outage,
            too_many, portal]  # fmt: skip


@pytest.mark.parametrize("how", REFUSALS)
def test_who_may_not_push_hears_why_before_the_work_and_after_it(how, lfs_hub, monkeypatch):
    hub = lfs_hub
    words = how(hub, monkeypatch)
    before = {name: dict(found.branches) for name, found in hub.repositories.items()}
    with pytest.raises(HubError, match=f"the Hub does not take me/new .*{words}.* Later\\.$"):
        check_push(Target(repo_id="me/new"), advice=" Later.")
    with pytest.raises(HubError, match=r"the Hub does not take me/new \(.* Later\.$") as caught:
        send(hub)
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
        ({"role": "fineGrained", "fineGrained": None}, False),
        (None, True),
        ({}, True),
    ],
)
def test_what_the_hub_says_of_a_token(token, may, lfs_hub, monkeypatch):
    facts = {"name": "me", "auth": {"type": "access_token", "accessToken": token}}
    monkeypatch.setattr(huggingface_hub.HfApi, "whoami", lambda _: facts)
    if may:
        check_push(Target(repo_id="me/new"))
    else:
        with pytest.raises(HubError, match="may only read"):
            check_push(Target(repo_id="me/new"))
    assert ("me/new" in lfs_hub.repositories) is may


def test_a_server_that_knows_no_persons_is_asked_all_the_same(lfs_hub, monkeypatch):
    routes = [route for route in hub_server.HUB_ROUTES if "whoami" not in route.pattern]
    monkeypatch.setattr(hub_server, "HUB_ROUTES", routes)
    with HubServer() as other:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", other.url)
        check_push(Target(repo_id="me/new"))
        assert set(other.repositories) == {"me/new"}


def test_what_is_private_is_never_pushed_where_all_can_see_it(lfs_hub):
    lfs_hub.add_file("me/new", "a.txt", b"public")
    for action in (lambda: check_push(Target(repo_id="me/new", private=True)),
                   lambda: send(lfs_hub, private=True)):  # fmt: skip
        with pytest.raises(HubError, match="it exists and is public.*settings page"):
            action()
    assert list(stored(lfs_hub)) == ["a.txt"]
    check_push(Target(repo_id="me/hidden", private=True))
    assert lfs_hub.repositories["me/hidden"].private


# Faults on the way ----------------------------------------------------------------------------

PASSING = {
    "412 once at the commit": lambda hub: hub.fail_at(COMMIT, 412, 1),
    "503 three times at the commit": lambda hub: hub.fail_at(COMMIT, 503, 3),
    "429 at the commit": lambda hub: hub.fail_at(COMMIT, 429, 1, Retry_After="1"),
    "503 once when it is made": lambda hub: hub.fail_at("POST /api/repos/create", 503, 1),
    "502 and 504 before the upload": lambda hub: [
        hub.fail_at("POST .*/preupload/.*", status, 1) for status in (502, 504)
    ],
    "503 twice from the storage": lambda hub: hub.fail_at(
        XET_TOKEN if hub.xet else "PUT /.*", 503, 2
    ),
    "500 at the tag": lambda hub: hub.fail_at("POST .*/tag/.*", 500, 1),
}


@pytest.mark.parametrize(
    "fault",
    # Xet storage's own client takes seconds between its tries.
    [pytest.param(name, marks=[pytest.mark.slow] * ("storage" in name)) for name in PASSING],
)
def test_what_passes_is_waited_for(fault, hub):
    PASSING[fault](hub)
    began = time.monotonic()
    pushed = send(hub, tag="v1")
    if "429" in fault:
        assert time.monotonic() - began >= 1, "Retry-After is obeyed"
    assert stored(hub) == FILES == stored(hub, "v1")
    sha = hub.repositories["me/new"].branches["main"]
    assert pushed.commit.endswith(sha) and len(hub.repositories["me/new"].commits) == 2


def hub_hangs(pattern):
    return lambda hub: hub.hang_at(pattern)


def storage_away(hub):
    """A storage that nobody listens at."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    hub.xet_elsewhere = hub.storage_url = address


def storage_hangs(hub):
    if hub.xet:
        hub.xet_elsewhere = hub.storage_url
        hub.hang_at("[A-Z]+ /(v1|v2|reconstructions|shards|xorbs).*")
    else:
        hub.hang_at("PUT /.*")


LASTING = {
    "503 for ever at the commit": (lambda hub: hub.fail_at(COMMIT, 503), "503"),
    "429 for longer than there is time": (
        lambda hub: hub.fail_at(COMMIT, 429, Retry_After="300"), "wait 300 seconds"),
    "the storage is out of order": (
        lambda hub: hub.fail_at(XET_TOKEN if hub.xet else "PUT /.*", 503), "503|within 3 s"),
    "the storage does not allow it": (
        lambda hub: hub.fail_at(XET_TOKEN if hub.xet else "PUT /.*", 403), "403|not allow"),
    "the storage is away": (storage_away, "within 3 s"),
    "the storage hangs": (storage_hangs, "within 3 s"),
    "making it hangs": (hub_hangs("POST /api/repos/create"), "within 3 s"),
    "the commit hangs": (hub_hangs(COMMIT), "within 3 s"),
    "the card is refused": (
        lambda hub: hub.fail_at("POST /api/validate-yaml", 400), "Invalid metadata in README.md"),
}  # fmt: skip


def told_by_a_process(hub, home, files):
    """Push there in a process of its own; gives the message, whose process has ended by then."""
    code = (
        "import ast, sys\n"
        "from dslr_gan.hub import Target, push\n"
        "files = ast.literal_eval(sys.stdin.read())\n"
        "push(files, Target(repo_id='me/new', timeout_s=3), message='One', advice=' Later.')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=hub_environment(hub, home) | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        input=repr(dict(files)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    return ended.stderr.splitlines()[-1].partition(": ")[2]


@pytest.mark.slow
@pytest.mark.parametrize("fault", LASTING)
def test_what_lasts_ends_in_time_and_in_one_message(fault, hub, tmp_path):
    play, words = LASTING[fault]
    play(hub)
    began = time.monotonic()
    if play is storage_away and not hub.xet:
        # What the client leaves behind would close the connections of later tests.
        message = told_by_a_process(hub, tmp_path, FILES)
    else:
        with pytest.raises(HubError) as caught:
            send(hub, timeout_s=3)
        message = str(caught.value)
        assert time.monotonic() - began < 5
    assert re.search(f"^the Hub does not take me/new \\(.*({words}).* Later\\.$", message)
    assert "\n" not in message
    assert not re.search(r"[0-9a-f]{64}", message), "a signed address is nobody's business"
    assert not stored(hub) if "me/new" in hub.repositories else True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("play", "xet", "files"),
    [(storage_hangs, False, 3), (storage_hangs, True, 3), (storage_away, False, 1)],
)
def test_a_process_whose_push_hangs_ends_too(play, xet, files, tmp_path):
    """No thread of the client and no transfer keeps a process alive after the message."""
    with HubServer(xet=xet) as hub:
        play(hub)
        began = time.monotonic()
        several = {f"{each}.safetensors": bytes([each]) * 999 for each in range(files)}
        assert "within 3 s" in told_by_a_process(hub, tmp_path, several)
        assert time.monotonic() - began < 15


def test_more_time_is_advised_where_it_can_be_given(lfs_hub, monkeypatch):
    monkeypatch.setattr(pushing, "CHECK_S", 0.3)
    lfs_hub.hang_at("POST /api/repos/create")
    with pytest.raises(HubError, match=r"--hub-timeout of the commands, timeout in a script"):
        send(lfs_hub, timeout_s=0.3)
    with pytest.raises(HubError, match=r"within 0\.3 seconds\); check the network and try again\."):
        check_push(Target(repo_id="me/new"))


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_at_all_is_refused(seconds, lfs_hub):
    with pytest.raises(InputError, match="the Hub needs more than 0 seconds"):
        send(lfs_hub, timeout_s=seconds)
    assert lfs_hub.requests == []


def test_no_signed_address_is_logged(lfs_hub, caplog):
    """The client tries an upload again by itself, and logs where to."""
    lfs_hub.faults.add("/[0-9a-f]{64}", drop, 1)
    send(lfs_hub)
    (line,) = [each for each in caplog.messages if "thrown while requesting" in each]
    assert line.endswith(f"PUT {lfs_hub.storage_url}")


def test_a_tag_that_fails_does_not_hide_that_the_files_are_there(lfs_hub):
    lfs_hub.fail_at("POST .*/tag/.*", 403)
    with pytest.raises(HubError, match=r"files are on the Hub \(http.*not the tag v1.* Later"):
        send(lfs_hub, tag="v1")
    assert stored(lfs_hub) == FILES


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_a_tag_that_appears_meanwhile_counts_only_where_it_names_our_commit(whose, lfs_hub):
    theirs = lfs_hub.add_file("me/new", "a.txt", b"theirs")
    found = lfs_hub.repositories["me/new"]

    def tag():
        found.tags["v1"] = found.branches["main"] if whose == "ours" else theirs

    lfs_hub.meanwhile("POST .*/tag/.*", tag)
    if whose == "ours":
        assert send(lfs_hub, tag="v1").commit.endswith(found.tags["v1"])
    else:
        with pytest.raises(HubError, match="on the Hub .*not the tag v1 .*has a tag v1 already"):
            send(lfs_hub, tag="v1")
        assert found.tags == {"v1": theirs}


def test_a_tag_that_is_tried_again_names_our_commit_and_not_a_later_one(lfs_hub):
    lfs_hub.fail_at("POST .*/tag/.*", 500, 1)
    lfs_hub.meanwhile("POST .*/tag/.*", lambda: lfs_hub.add_file("me/new", "a.txt", b"later"))
    pushed = send(lfs_hub, tag="v1")
    assert pushed.commit.endswith(lfs_hub.repositories["me/new"].tags["v1"])
    assert stored(lfs_hub, "v1") == FILES


# What is there already ------------------------------------------------------------------------


def test_a_card_that_somebody_wrote_is_kept_and_so_it_is_said(lfs_hub):
    ours = {**FILES, "README.md": marked("---\na: b\n---\nours\n").encode()}
    send(lfs_hub, ours)
    newer = {**FILES, "README.md": marked("---\na: b\n---\nnewer\n").encode()}
    assert send(lfs_hub, newer).notes == ()
    assert stored(lfs_hub) == newer, "our own card is brought up to date"

    theirs = newer["README.md"].replace(b"newer", b"newer, and a word of mine")
    lfs_hub.add_file("me/new", "README.md", theirs)
    lfs_hub.add_file("me/new", "pytorch_model.bin", b"old")
    notes = " ".join(send(lfs_hub, ours).notes)
    assert "card of me/new was kept" in notes and "--replace-card" in notes
    assert "also has pytorch_model.bin" in notes and "hf repo-files delete me/new" in notes
    assert stored(lfs_hub)["README.md"] == theirs

    for empty in (b"", b" \n", b"\xef\xbb\xbf\r\n"):
        lfs_hub.add_file("me/new", "README.md", empty)
        notes = " ".join(send(lfs_hub, ours).notes)
        assert "was kept" not in notes and stored(lfs_hub)["README.md"] == ours["README.md"]

    lfs_hub.add_file("me/new", "README.md", theirs)
    send(lfs_hub, ours, replace_card=True)
    assert stored(lfs_hub)["README.md"] == ours["README.md"]


def test_a_card_is_kept_on_a_branch_too(lfs_hub):
    lfs_hub.add_file("me/new", "README.md", b"---\na: b\n---\ntheirs")
    assert send(lfs_hub, branch="try/out").notes
    assert stored(lfs_hub, "try/out")["README.md"].endswith(b"theirs")
    assert "config.json" not in stored(lfs_hub)


def test_a_tag_that_exists_is_refused_before_anything_is_sent(lfs_hub):
    send(lfs_hub, tag="v1")
    for action in (
        lambda: check_push(Target(repo_id="me/new", tag="v1")),
        lambda: send(lfs_hub, {"config.json": b"[]"}, tag="v1"),
    ):
        with pytest.raises(HubError, match="has a tag v1 already.*choose another"):
            action()
    assert stored(lfs_hub) == FILES


def test_what_does_not_go_together_is_refused_without_asking(lfs_hub):
    for options, words in [
        ({"create_pr": True, "branch": "x"}, "a pull request goes to main"),
        ({"create_pr": True, "tag": "v1"}, "cannot be tagged before it is merged"),
    ]:
        with pytest.raises(InputError, match=words):
            send(lfs_hub, **options)
        with pytest.raises(InputError, match=words):
            check_push(Target(repo_id="me/new", **options))
    assert not lfs_hub.requests


def test_the_hub_hears_who_pushes_and_what_was_done(lfs_hub):
    push(FILES, Target(repo_id="me/new"), message="Step 3", description="More of it")
    assert any("dslr_gan/0" in agent for agent in lfs_hub.agents)
    found = lfs_hub.repositories["me/new"]
    assert found.messages[found.branches["main"]] == "Step 3\nMore of it"


def test_the_command_that_pushes_again_has_every_flag():
    target = Target(repo_id="me/x", private=True, tag="v 1", branch="b", replace_card=True)
    assert target.command("runs/a b/generator") == (
        "python -m dslr_gan push 'runs/a b/generator' --repo me/x --private --branch b "
        "--tag 'v 1' --replace-card"
    )
    assert Target(repo_id="me/x").command("g") == "python -m dslr_gan push g --repo me/x"
