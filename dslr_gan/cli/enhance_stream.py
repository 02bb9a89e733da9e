"""``enhance`` with ``-``: one photo from standard input, or to standard output, or both."""

import argparse
import sys
import tempfile
from pathlib import Path

from dslr_gan.cli.common import complain, hub_options, standard_output_full
from dslr_gan.cli.interrupts import removed_at_the_latest
from dslr_gan.errors import DslrGanError
from dslr_gan.files import is_address

LARGEST = 2 << 30
"""Bytes that are read from standard input at most: a piped disk gets an error message."""


def enhance_stream(options: argparse.Namespace) -> int:
    """Enhance one photo; standard output gets the whole result or nothing.

    Raises:
        DslrGanError: If there is more than one photo, an option that needs a folder, or anything
            wrong with the photo.
    """
    _check(options)

    from dslr_gan.enhance.batch import Enhancing, Models
    from dslr_gan.enhance.planning import Job
    from dslr_gan.photo import MAX_MEGAPIXELS

    temporary = tempfile.TemporaryDirectory(prefix="dslr_gan-")
    folder = temporary.name
    with removed_at_the_latest(temporary.cleanup):
        given = options.inputs[0]
        source = Path(given) if given != "-" else Path(folder) / "standard input"
        if given == "-":
            source.write_bytes(_read())
        models = Models(
            options.model,
            **hub_options(options),
            tile=options.tile,
            device=options.device,
            precision=options.precision,
            compile=options.compile,
        )
        enhancing = Enhancing(
            models,
            strength=options.strength,
            colour=options.colour,
            detail=options.detail,
            format=options.format,
            max_megapixels=options.max_megapixels or MAX_MEGAPIXELS,
            history=options.history,
            say=lambda _, note: complain(note),
        )
        job = Job(source, Path(folder) / "result")
        outcome = enhancing(job, lambda done, tiles: None)
        if outcome.error:
            # With the names that the caller knows.
            named = outcome.error.replace(str(job.destination), "standard output")
            raise DslrGanError(named.replace(f"{folder}/", ""))
        if hint := models.hint(outcome.camera):
            complain(hint)
        _write(outcome.destination.read_bytes())
    return 0


def _check(options: argparse.Namespace) -> None:
    if len(options.inputs) != 1 or Path(options.inputs[0]).is_dir():
        raise DslrGanError("- stands for one photo; give one photo, or a folder with --out DIR.")
    if is_address(options.inputs[0]):
        raise DslrGanError(
            f"{options.inputs[0]} is an address (URL); download the photo, or send it to standard "
            "input, as in curl URL | python -m dslr_gan enhance - > enhanced.jpg."
        )
    if options.out not in (None, "-"):
        raise DslrGanError(
            "a photo from standard input goes to standard output; leave out --out, and send the "
            "result to a file, as in < photo.jpg > enhanced.jpg."
        )
    for flag in ("recursive", "resume", "overwrite", "report", "workers"):
        if getattr(options, flag):
            raise DslrGanError(f"--{flag} has no meaning with -; leave it out.")
    if sys.__stdout__ is None:
        raise DslrGanError("standard output is closed; send the result to a file, as in > out.jpg.")
    if sys.stdout.isatty():
        raise DslrGanError(
            "standard output is a terminal, which cannot show a photo; send it to a file, as in "
            "> enhanced.jpg."
        )


def _write(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DslrGanError(standard_output_full(error)) from error


def _read() -> bytes:
    if sys.stdin is None:
        raise DslrGanError("standard input is closed; send a photo to it, as in < photo.jpg.")
    if sys.stdin.isatty():
        raise DslrGanError("standard input is a terminal; send a photo to it, as in < photo.jpg.")
    data = sys.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise DslrGanError(
            f"standard input holds more than {LARGEST >> 30} GiB, which is no photo; give a file."
        )
    return data
