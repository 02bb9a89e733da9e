"""The one exception that is meant for people, and how another's text goes into its sentence."""


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
