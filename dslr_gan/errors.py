"""The one exception that is meant for people."""


class DslrGanError(ValueError):
    """A mistake a person can make, told in one sentence: what was wrong and what to do.

    Raised for what a person hands in: files, folders, names and options. A caller can show
    ``str(error)`` as it stands. A mistake in a program, such as a tensor of the wrong shape,
    raises a plain ``ValueError`` or ``TypeError`` instead.
    """
