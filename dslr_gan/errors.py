"""The one exception that is meant for people."""


class DslrGanError(ValueError):
    """A mistake a person can make, told in one sentence: what was wrong and what to do.

    Every public entry (the package, the command line, the trainer, the app) raises this and
    nothing else for bad input, so a caller can show ``str(error)`` as it stands.
    """
