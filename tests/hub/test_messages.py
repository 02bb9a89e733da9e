"""Each error of the Hub's client is one message for people, with a cause and advice of its own."""

import errno
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from huggingface_hub import constants, errors, utils

from dslr_gan.errors import HubError, HubUnreachableError
from dslr_gan.hub import hub_errors


class Refused(errors.HfHubHTTPError):
    """An error of the Hub without the answer that it came with."""

    def __init__(self, message):
        Exception.__init__(self, message)


def named(kind):
    return type(kind.__name__, (Refused, kind), {})


@pytest.mark.parametrize(
    ("raised", "kind", "message", "cause"),
    [
        (
            named(errors.GatedRepoError)("x"),
            HubError,
            "me/m: it is gated; ask .*page",
            "it is gated",
        ),
        (
            named(errors.RepositoryNotFoundError)("x"),
            HubError,
            "the Hub has no me/m; check the spelling, and `hf auth login` if it is private",
            "there is no such repository",
        ),
        (named(errors.RevisionNotFoundError)("x"), HubError, "has no me/m", "no such revision"),
        (named(errors.EntryNotFoundError)("x"), HubError, "the Hub has no me/m", "no such file"),
        (
            errors.LocalEntryNotFoundError("set local_files_only"),
            HubUnreachableError,
            "did not answer about me/m; check the network and try again.$",
            "the Hub did not answer$",
        ),
        (errors.HFValidationError("Repo id must be."), HubError, "not a Hub id: Repo id", "Repo"),
        (
            errors.LocalTokenNotFoundError("none"),
            HubError,
            "wants a token, and there is none; run `hf auth login`",
            "there is none",
        ),
        (Refused("503 down\nsecond"), HubUnreachableError, r"\(503 down\)", r"503 down\)$"),
        (ConnectionError("refused"), HubUnreachableError, r"\(refused\)", r"refused\)$"),
        # What hf_xet raises where its storage fails.
        (
            RuntimeError("Internal error: x"),
            HubUnreachableError,
            "error: x",
            r"Internal error: x\)$",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_error_of_the_client_becomes_one_message(raised, kind, message, cause):
    with pytest.raises(kind, match=message) as caught, hub_errors("me/m"):
        raise raised
    assert type(caught.value) is kind and re.search(cause, caught.value.cause)


def answered(status, message="", **headers):
    """What the client raises on an answer of the Hub about a model."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers |= {"X-Error-Message": message}
    request = httpx2.Request("GET", "https://huggingface.co/api/models/me/m")
    try:
        utils.hf_raise_for_status(httpx2.Response(status, headers=headers, request=request))
    except errors.HfHubHTTPError as error:
        return error
    raise AssertionError(f"{status} is no error")


def told(error, token=None):
    with pytest.raises(HubError) as caught, hub_errors("me/m", token=token):
        raise error
    return caught.value


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(variable, raising=False)


BAD = [
    "Invalid credentials in Authorization header",
    "Invalid username or password.",  # which the client takes for a missing repository
    'User Access Token "old" is expired',
]


@pytest.mark.parametrize("message", BAD)
def test_a_bad_token_is_named_by_where_it_comes_from(monkeypatch, tmp_path, message):
    refused = answered(401, message)
    (tmp_path / "token").write_text("hf_old")
    file = str(told(refused))
    assert f"refuses the token from the file {tmp_path / 'token'}" in file
    assert "`hf auth logout`" in file and "what is public is read without one" in file
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_old")
    assert "the variable HUGGING_FACE_HUB_TOKEN" in str(told(refused))
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    assert "the variable HF_TOKEN as" in str(told(refused))
    assert "unset HF_TOKEN: what is public" in str(told(refused))
    assert "token from the argument token as" in str(told(refused, "hf_old"))
    for error in (told(refused), told(refused, "hf_old")):
        assert isinstance(error, HubUnreachableError)
        assert "network" not in str(error) and "did not answer" not in str(error)


def test_without_a_token_a_401_means_that_it_is_private_or_not_there(monkeypatch):
    missing = answered(401, "Invalid username or password.")
    assert "the Hub has no me/m; check the spelling, and `hf auth login`" in str(told(missing))
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    missing = answered(404, "Repository not found", X_Error_Code="RepoNotFound")
    assert "the Hub has no me/m" in str(told(missing))
    assert "the Hub has no me/m" in str(told(answered(401, "x", X_Error_Code="RepoNotFound")))


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Retry_After": "7"}, "wait 7 seconds and try again"),
        ({"RateLimit": '"api";r=0;t=55'}, "wait 55 seconds and try again"),
        ({"Retry_After": "soon"}, "wait some minutes and try again"),
        ({}, "wait some minutes and try again"),
    ],
)
def test_too_many_requests_says_how_long_to_wait(headers, words):
    error = told(answered(429, "Too Many Requests", **headers))
    assert isinstance(error, HubUnreachableError)
    assert words in str(error) and "too many requests" in str(error)
    assert "did not answer" not in str(error) and "hf auth login" in str(error)


def test_a_date_to_wait_for_is_seconds_too():
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    found = re.search(r"wait (\d+) seconds", str(told(answered(429, Retry_After=date))))
    assert 80 <= int(found[1]) <= 90
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=90))
    assert "wait 0 seconds" in str(told(answered(429, Retry_After=past)))


@pytest.mark.parametrize(
    ("error", "away", "words"),
    [
        (answered(403, "Forbidden: read-only"), False, r"does not allow it \(Forbidden: read-only"),
        (answered(451, "Blocked"), False, r"legal reasons \(Blocked\)"),
        (answered(402, "No credit"), False, r"to be paid for it \(No credit\)"),
        (answered(412, "Stale"), False, "somebody else has just committed there; try again"),
        (answered(403, "x", X_Error_Code="GatedRepo"), False, "it is gated; ask for access"),
        (answered(403, "Access to this resource is disabled."), False, "disabled access"),
        (answered(503, "Down"), True, "me/m: the Hub is out of order: 503 Service Unavailable"),
        (json.JSONDecodeError("Expecting value", "<html>", 0), True, "is not the Hub; .*browser"),
        (errors.FileMetadataError("no commit"), True, "what answered is not the Hub; .*ENDPOINT"),
        (errors.OfflineModeIsEnabled("x"), True, "HF_HUB_OFFLINE is set.*; unset HF_HUB_OFFLINE"),
        (OSError(errno.ENOSPC, "No space left"), True, "no space left on the disk .* HF_HOME"),
        (OSError(errno.EDQUOT, "Quota"), True, "no space left on the disk"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True, "no space left"),
        (
            PermissionError(errno.EACCES, "no", "/a/b"),
            True,
            r"be written \(/a/b\); .*HF_HOME",
        ),
        (OSError(errno.EROFS, "Read-only file system", "/a/b"), True, "cannot be written"),
        (httpx2.ReadTimeout("timed out"), True, "did not answer in time; check the network"),
        (httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] x"), True, "no certificate of the"),
        (
            ValueError("Invalid metadata in README.md.\n- x"),
            False,
            "Invalid metadata in README",
        ),
    ],
    ids=str,
)
def test_every_cause_has_its_own_words(error, away, words):
    found = told(error)
    assert isinstance(found, HubUnreachableError) is away
    assert re.search(words, str(found)) and "\n" not in str(found)
    if not away:
        assert "network" not in str(found)


@pytest.mark.parametrize("status", [401, 429])
def test_the_cause_is_found_below_what_the_client_says_of_its_cache(status, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    error = errors.LocalEntryNotFoundError("set local_files_only")
    error.__cause__ = answered(status)
    cause = {401: "refuses the token", 429: "too many requests"}[status]
    assert cause in str(told(error)) and "local_files_only" not in str(told(error))


def test_our_own_messages_pass_as_they_are():
    own = HubError("mine.")
    assert told(own) is own


def test_a_mistake_in_a_program_stays_one():
    with pytest.raises(TypeError), hub_errors("me/m"):
        raise TypeError("mistake")
