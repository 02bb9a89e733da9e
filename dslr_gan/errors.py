"""The errors that are meant for people, and how a library's text goes into their messages."""

from pathlib import Path


class DslrGanError(ValueError):
    """An error message for people: what was wrong and what to do.

    A caller can show ``str(error)`` as it stands. A mistake in a program, such as a tensor of the
    wrong shape, raises a plain ``ValueError`` or ``TypeError`` instead.
    """


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
        self.cause = message.rstrip(".") if cause is None else cause
        self.advice = advice


class HubUnreachableError(HubError):
    """The Hub did not answer, or not as it should; a local copy may stand in."""


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
