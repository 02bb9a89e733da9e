"""The errors that are meant for people, and how a library's text goes into their messages."""

import re
from pathlib import Path

_SECRETS = re.compile(r"\bhf_(?:oauth_)?[A-Za-z0-9]{16,}|(?<=://)[^\s/@]+(?=@)")
"""The Hub's access tokens, and the name and password of an address."""


class DslrGanError(ValueError):
    """An error message for people: what was wrong and what to do.

    A caller can show ``str(error)`` as it stands: access tokens and passwords in it are replaced by
    asterisks. A mistake in a program, such as a tensor of the
    wrong shape, raises a plain ``ValueError`` or ``TypeError`` instead.

    Args:
        message: Whole sentences.
    """

    def __init__(self, message: str) -> None:
        super().__init__(without_secrets(message))


class InputError(DslrGanError):
    """What a person handed in cannot be used: a file, a folder, a name or an option."""


class HubError(DslrGanError):
    """The Hub does not have what was asked for, does not allow it, or cannot be reached.

    Args:
        message: For people, as of every :class:`DslrGanError`.
        cause: What went wrong in a few words, for the inside of another message; the message
            itself where None.
        advice: What to do about that, for the inside of another message; may be empty.
    """

    def __init__(self, message: str, cause: str | None = None, advice: str = "") -> None:
        super().__init__(message)
        self.cause = without_secrets(message.rstrip(".") if cause is None else cause)
        self.advice = advice


class HubUnreachableError(HubError):
    """The Hub did not answer, or not as it should; a local copy may stand in."""


def without_secrets(text: str) -> str:
    """A text whose access tokens and passwords are replaced by asterisks."""
    return _SECRETS.sub("***", text)


def holds_secret(text: str) -> bool:
    """Whether there is an access token or a password in a text."""
    return _SECRETS.search(text) is not None


def shown(path: str | Path) -> str:
    """A file's name for the inside of a message: as it is, or quoted and escaped.

    A name may hold newlines, control characters, or bytes that are no text.
    """
    name = str(path)
    return name if name.isprintable() else repr(name)


def reason(error: BaseException) -> str:
    """A foreign error's own words for the inside of a message.

    Args:
        error: Of any library.

    Returns:
        The first line of its text without its full stop, or the operating system's words, or the
        name of its class where it has no text. At most 160 letters, all of them printable.
    """
    text = getattr(error, "strerror", None) or str(error)
    lines = text.strip().splitlines() or [type(error).__name__]
    words = " ".join(lines[0].split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)[:160].rstrip(".: ")


def brief(text: object) -> str:
    """A name or a value from a file for the inside of a message: printable, at most 60 letters."""
    words = text if isinstance(text, str) and text.isprintable() else repr(text)
    return words if len(words) <= 60 else f"{words[:57]}..."
