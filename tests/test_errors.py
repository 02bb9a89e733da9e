"""What goes into a message for people."""

import pytest

from dslr_gan.errors import (
    DslrGanError,
    HubError,
    HubUnreachableError,
    InputError,
    holds_secret,
    reason,
    shown,
    without_secrets,
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("  One thing.\nAnother."), "One thing"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyError(), "KeyError"),
        (RuntimeError("\n"), "RuntimeError"),
        (RuntimeError("a\tb\x1b[31m  c"), "a b?[31m c"),
        (RuntimeError("x" * 500), "x" * 160),
    ],
)
def test_the_first_line_of_a_foreign_error(error, words):
    assert reason(error) == words


def test_a_name_that_is_no_plain_text_is_quoted():
    assert shown("a photo.jpg") == "a photo.jpg"
    assert shown("new\nline") == r"'new\nline'"


def test_programs_can_tell_the_errors_apart():
    assert issubclass(InputError, DslrGanError) and issubclass(HubError, DslrGanError)
    assert issubclass(HubUnreachableError, HubError) and not issubclass(HubError, InputError)
    assert HubError("the Hub is full; wait.").cause == "the Hub is full; wait"
    assert (HubError("long.", "short").cause, str(HubError("long.", "short"))) == ("short", "long.")


TOKEN = "hf_" + "AbCdEfGhIj" * 3


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"{TOKEN} is refused", "*** is refused"),
        (f"--hub_token={TOKEN}.", "--hub_token=***."),
        ("hf_oauth_" + "a1" * 20, "***"),
        (f"https://me:{TOKEN}@huggingface.co/a/b", "https://***@huggingface.co/a/b"),
        ("http://me:pass@127.0.0.1:80/x?y#z", "http://***@127.0.0.1:80/x?y#z"),
        ("https://huggingface.co/a/b@v1", "https://huggingface.co/a/b@v1"),
        ("/data/hf_models/hf_a_cat.jpg of me@example.com", None),
    ],
)
def test_no_message_shows_a_token_or_a_password(text, clean):
    clean = text if clean is None else clean
    assert without_secrets(text) == clean and holds_secret(text) == (clean != text)
    assert str(DslrGanError(text)) == str(InputError(text)) == str(HubError(text)) == clean
    assert HubError("long", text).cause == clean
