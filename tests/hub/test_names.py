"""What a repository may be called."""

import pytest
from huggingface_hub import constants

from dslr_gan.errors import InputError
from dslr_gan.hub import is_hub_address, is_hub_id, parse_repository


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [
        ("a/b", "a/b", None),
        (" a/b\n", "a/b", None),
        ("a/b@v1.0", "a/b", "v1.0"),
        ("a/b@refs/pr/1", "a/b", "refs/pr/1"),
        ("https://huggingface.co/a/b", "a/b", None),
        ("https://huggingface.co/a/b/", "a/b", None),
        ("https://hf.co/a/b?x=1#files", "a/b", None),
        ("https://huggingface.co/a/b/tree/v1.0", "a/b", "v1.0"),
        ("https://huggingface.co/a/b/tree/try/out", "a/b", "try/out"),
        ("https://huggingface.co/a/b/tree/refs%2Fpr%2F1", "a/b", "refs/pr/1"),
        ("https://huggingface.co/a/b/blob/main/config.json", "a/b", "main"),
        ("https://huggingface.co/a/b/discussions", "a/b", None),
        ("https://huggingface.co/a/b/tree/refs/pr/12", "a/b", "refs/pr/12"),
        ("https://huggingface.co/a/b/blob/refs/pr/12/config.json", "a/b", "refs/pr/12"),
        ("https://huggingface.co/a/b/blob/try%2Fout/config.json", "a/b", "try/out"),
        ("hf://a/b@v2", "a/b", "v2"),
        ("hf://models/a/b", "a/b", None),
        ("HF://a/b@refs/pr/3", "a/b", "refs/pr/3"),
        ("hf://a/b@feature%2Fx", "a/b", "feature/x"),
        ("a/b@feature/x", "a/b", "feature/x"),
        ("a/b@feature%2fx", "a/b", "feature/x"),
    ],
)
def test_a_repository_by_its_names(name, repository, revision):
    assert parse_repository(name) == (repository, revision)
    assert parse_repository(name, revision) == (repository, revision)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "x",
            "there is no folder x, and it is not a Hub id either; a Hub id looks like owner/name",
        ),
        ("a/b/c", "not a Hub id"),
        ("a/b@", "ends where a revision should follow"),
        ("https://huggingface.co/a", "not a Hub id"),
        ("https://huggingface.co/datasets/a/b", "not the address of a model"),
        ("https://huggingface.co/spaces/a/b", "not the address of a model"),
        ("https://example.com/a/b", "not an address of the Hub"),
        ("https://huggingface.co.example.com/a/b", "not an address of the Hub"),
        ("http://[", "not an address of the Hub"),
        (
            "hf://a/b@feature/x",
            "names x in a repository, and a model is a whole one; leave it out, or write "
            "hf://a/b@feature%2Fx if that is one revision",
        ),
        ("hf://a/b@refs/pr/3/config.json", "names config.json in a repository"),
        ("hf://a/b/config.json", "and a model is a whole one; leave it out\\.$"),
        ("hf://a", "names no model .*write hf://owner/name@revision"),
        ("hf://a/b@", "names no model .*Empty revision"),
        ("hf://datasets/a/b", "not the address of a model"),
        ("https://huggingface.co/a/b/discussions/7", "name it as a/b@refs/pr/7"),
        ("x" * 9999, "not a Hub id"),
    ],
)
def test_what_is_no_repository_is_a_sentence(name, words):
    with pytest.raises(InputError, match=words) as caught:
        parse_repository(name)
    assert len(str(caught.value)) < 400


def test_an_address_at_an_endpoint_with_a_path(monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "https://Hub.example/mirror")
    assert parse_repository("https://hub.example/mirror/a/b/tree/v1") == ("a/b", "v1")
    assert parse_repository("https://huggingface.co/a/b") == ("a/b", None)


def test_two_revisions_are_one_too_many():
    with pytest.raises(InputError, match="names the revision 'v1', and 'v2' was asked for"):
        parse_repository("a/b@v1", "v2")
    assert parse_repository("a/b", "v2") == ("a/b", "v2")


@pytest.mark.parametrize("name", ["v1", "feature/x", "refs/pr/1", "100%", "\u00e4", "@v", "a" * 40])
def test_a_revision_is_whatever_git_takes(name):
    assert parse_repository("me/m", name).revision == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", ".", "../main", "main/../x", "/etc", "a b", "main\n", "\0", "\ud800", "-h", "~",
     "x?y", "x:y", "a//b", "a/", "x.lock", "@", "x@{1}", "a\\b", "x" * 300],
)  # fmt: skip
def test_what_git_takes_for_no_name_is_refused_before_the_hub_is_asked(name):
    with pytest.raises(InputError, match="cannot be the name of a branch, a tag or a commit"):
        parse_repository("me/m", name)


def test_ids_and_addresses_are_told_apart():
    assert is_hub_id("a/b") and not is_hub_id("a/b@v1") and not is_hub_id("https://hf.co/a/b")
    assert is_hub_address("https://hf.co/a/b") and not is_hub_address("a/b")
    assert not is_hub_address("file:///a/b") and not is_hub_address("https://example.com/a/b")
