"""The one exception that is meant for people, and how another's text goes into its sentence."""

from pathlib import Path


class DslrGanError(ValueError):
    """A mistake a person can make, told in one sentence: what was wrong and what to do.

    Raised for what a person hands in: files, folders, names and options. A caller can show
    ``str(error)`` as it stands. A mistake in a program, such as a tensor of the wrong shape,
    raises a plain ``ValueError`` or ``TypeError`` instead.
    """


def first_line(error: BaseException) -> str:
    """Give the first line of an error's text, without its full stop, to stand inside a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__


def shown(path: str | Path) -> str:
    """A file's name for the inside of a sentence: as it is, or quoted and escaped.

    A name may hold newlines, control characters, or bytes that are no text.
    """
    name = str(path)
    return name if name.isprintable() else repr(name)


def reason(error: BaseException) -> str:
    """A library's own words for an error, short enough for the inside of a sentence."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    text = "".join(each if each.isprintable() or each.isspace() else "?" for each in text)
    return " ".join(text.split())[:120]
