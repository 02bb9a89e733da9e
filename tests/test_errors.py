"""What goes into a message for people."""

import pytest

from dslr_gan.errors import DslrGanError, HubError, HubUnreachableError, InputError, reason, shown


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
