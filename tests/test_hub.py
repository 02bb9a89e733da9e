"""Names of networks; what the Hub answers, and when it does not, is in test_pretrained.py."""

import re

import pytest
from huggingface_hub import errors

from dslr_gan.errors import HubError, HubUnreachableError, InputError
from dslr_gan.hub import Origin, check_repo_id, fetch, hub_errors


def test_a_folder_is_its_own_origin(tmp_path):
    assert fetch(tmp_path) == fetch(str(tmp_path)) == Origin(tmp_path, None, True)


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


class Refused(errors.HfHubHTTPError):
    """An error of the Hub without the answer that it came with."""

    def __init__(self, message):
        Exception.__init__(self, message)


def named(kind):
    return type(kind.__name__, (Refused, kind), {})


@pytest.mark.parametrize(
    ("raised", "kind", "message", "cause"),
    [
        (named(errors.GatedRepoError)("x"), HubError, "me/m is gated: ask .*page", "it is gated"),
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
            "did not answer about me/m.$",
            "the Hub did not answer$",
        ),
        (errors.HFValidationError("Repo id must be."), HubError, "not a Hub id: Repo id", "Repo"),
        (errors.LocalTokenNotFoundError("none"), HubError, "no token .*hf auth login", "none"),
        (Refused("503 down\nsecond"), HubUnreachableError, r"\(503 down\)", "503 down$"),
        (ConnectionError("refused"), HubUnreachableError, r"\(refused\)", "refused$"),
        # What hf_xet raises where its storage fails.
        (RuntimeError("Internal error: x"), HubUnreachableError, "error: x", "Internal error: x"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_error_of_the_client_becomes_one_message(raised, kind, message, cause):
    with pytest.raises(kind, match=message) as caught, hub_errors("me/m"):
        raise raised
    assert type(caught.value) is kind and re.search(cause, caught.value.cause)


def test_a_mistake_in_a_program_stays_one():
    with pytest.raises(TypeError), hub_errors("me/m"):
        raise TypeError("mistake")
