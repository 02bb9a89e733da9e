"""``enhance``: photos in, one enhanced file per photo out."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dslr_gan.cli.common import (
    KNOWN_MODELS,
    PROGRAM,
    Commands,
    add_command,
    add_loading,
    check_writable,
    complain,
    hub_options,
    model_option,
    not_written,
    path_option,
    place_option,
    say,
)
from dslr_gan.cli.enhance_report import (
    as_json,
    cameras_in,
    make_report,
    passed_over_lines,
    summary_lines,
    write_report,
)
from dslr_gan.cli.interrupts import removed_at_the_latest
from dslr_gan.errors import DslrGanError
from dslr_gan.files import from_home

if TYPE_CHECKING:
    from dslr_gan.enhance.batch import Models, Outcome
    from dslr_gan.enhance.inputs import Found
    from dslr_gan.enhance.planning import Job
    from dslr_gan.enhance.processes import Share

STANDARD = "-"
"""The name of standard input and output."""

WORKERS = 2
"""Photos at a time without ``--workers``. Two, each with half of the cores, took 0.81 of the time
of one with all of them: four photos of 3 megapixels, bundled model, two cores, three rounds
(``python -m benchmarks.batch``)."""


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "enhance",
        _run,
        "Enhance photos: one file per photo, same name, size, format and metadata.",
        f"{PROGRAM} enhance holiday/ --recursive --out enhanced/\n"
        f"  {PROGRAM} enhance - < photo.jpg > enhanced.jpg\n"
        f"  {PROGRAM} enhance holiday/*.jpg --out enhanced/",
    )
    command.set_defaults(show_usage=command.print_usage)
    command.add_argument(
        "inputs",
        nargs="+",
        type=from_home,
        metavar="IN",
        help="a photo, a folder with photos, a pattern such as 'holiday/*/*.jpg', or - for one "
        "photo from standard input",
    )
    command.add_argument(
        "--out",
        type=place_option,
        metavar="DIR",
        help="folder for the results, which keep their place below the given folder; of results "
        "that would share a name the second is called cat-2.jpg; a photo whose format cannot hold "
        "the result becomes a .png; - writes one photo to standard output",
    )
    command.add_argument(
        "--recursive", action="store_true", help="also take the photos of folders inside folders"
    )
    command.add_argument(
        "--model",
        default="iphone",
        type=model_option,
        metavar="NAME",
        help=f"{KNOWN_MODELS}, or auto: by the maker of each photo's camera, iphone where it is "
        "another or unknown (default: iphone)",
    )
    command.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="S",
        help="from 0, the photo as it is, to 1, all that the model does (default: 1)",
    )
    for name, part in (("colour", "low"), ("detail", "high")):
        command.add_argument(
            f"--{name}",
            type=float,
            default=1.0,
            metavar="A",
            help=f"how much of the {part} frequencies of the model's change is taken, from 0 to 1; "
            "--strength scales both (default: 1)",
        )
    command.add_argument("--format", metavar="F", help="such as png or jpg, instead of the photo's")
    command.add_argument(
        "--no-history",
        dest="history",
        action="store_false",
        help="leave out the entry of the result's XMP that says what made it",
    )
    command.add_argument(
        "--no-preserve",
        dest="preserve",
        action="store_false",
        help="give results today's time and usual permissions instead of their photo's",
    )
    _add_batch(command)
    add_loading(command)
    _add_speed(command)


def _add_speed(command: argparse.ArgumentParser) -> None:
    """Add the options on how the network is run."""
    command.add_argument(
        "--precision",
        choices=("fp32", "bf16"),
        default="fp32",
        help="bf16 is faster on processors and GPUs that have it, and is taken for photos of "
        "which it changes a piece by 1/255 at most (default: fp32)",
    )
    command.add_argument(
        "--compile",
        action="store_true",
        help="compile the network for each size of tile: some seconds each, then faster; for many "
        "photos of one size",
    )


def _add_batch(command: argparse.ArgumentParser) -> None:
    """Add the options for many photos."""
    command.add_argument(
        "--overwrite", action="store_true", help="replace results that exist already"
    )
    command.add_argument(
        "--resume",
        action="store_true",
        help="leave out photos that are finished, and record in DIR which are; of results that "
        "are not recorded those that are whole and newer than their photo count as finished",
    )
    command.add_argument(
        "--max-megapixels",
        type=float,
        metavar="N",
        help="refuse larger photos before they are decoded (default: 250)",
    )
    command.add_argument(
        "--report",
        type=path_option,
        metavar="FILE.json",
        help="write what became of each photo",
    )
    command.add_argument(
        "--workers", type=int, metavar="N", help=f"photos at a time (default: {WORKERS})"
    )


def _run(options: argparse.Namespace) -> int:
    _check(options)
    if STANDARD in (options.out, *options.inputs):
        from dslr_gan.cli.enhance_stream import enhance_stream

        return enhance_stream(options)
    if options.out is None:
        options.show_usage(sys.stderr)
        complain("--out is missing; name a folder for the results.")
        return 2

    from dslr_gan.enhance.inputs import find_photos
    from dslr_gan.enhance.planning import plan
    from dslr_gan.enhance.processes import Share
    from dslr_gan.photo import PHOTO_SUFFIXES

    share = Share.from_environment()
    out = Path(options.out)
    if out.suffix.lower().removeprefix(".") in PHOTO_SUFFIXES and not out.exists():
        raise DslrGanError(
            f"--out {out} is called like a photo, but takes a folder for the results; name one. "
            f"One photo to a file: {PROGRAM} enhance - < photo.jpg > {out}."
        )
    found = find_photos(options.inputs, recursive=options.recursive, out=out)
    if share.is_first:
        for problem in found.problems:
            complain(problem)
    jobs = plan(found.photos, out, options.format)
    if not jobs:
        if share.is_first:
            for line in passed_over_lines(found):
                complain(line)
        return 1
    return _Run(options, share, found, jobs).run()


def _check(options: argparse.Namespace) -> None:
    """Refuse numbers out of range, and a report that could replace a photo."""
    for name in ("strength", "colour", "detail"):
        if not 0 <= (amount := getattr(options, name)) <= 1:
            raise DslrGanError(f"--{name} must lie between 0 and 1, got {amount}.")
    if options.workers is not None and options.workers < 1:
        raise DslrGanError(f"--workers must be at least 1, got {options.workers}.")
    if options.max_megapixels is not None and not options.max_megapixels > 0:
        raise DslrGanError(f"--max-megapixels must be above 0, got {options.max_megapixels}.")
    report = options.report
    if report is not None:
        check_writable("report", report)
        if report.suffix.lower() != ".json" or report.is_dir():
            raise DslrGanError(f"--report {report} is not the name of a .json file; name one.")


class _Run:
    """One run over many photos: this process's share of them, then the report of all."""

    def __init__(
        self, options: argparse.Namespace, share: "Share", found: "Found", jobs: Sequence["Job"]
    ) -> None:
        self.options = options
        self.share = share
        self.found = found
        self.total = len(jobs)
        self.jobs = share.of(jobs)
        self.numbers = share.of(range(len(jobs)))
        self.outcomes: dict[int, Outcome] = {}
        self.started = time.perf_counter()

    def run(self) -> int:
        """Enhance, report, and return the exit status."""
        models = self._models()
        folders = [folder for folder in self._folders() if not folder.exists()]

        def remove_empty_folders() -> None:
            for folder in folders:  # the innermost first; one that holds a result stays
                with suppress(OSError):
                    folder.rmdir()

        try:
            with removed_at_the_latest(remove_empty_folders):
                self._enhance(models)
        except KeyboardInterrupt:
            self._interrupted(models)
            raise
        gathered = self.share.gather(
            {number: as_json(outcome) for number, outcome in self.outcomes.items()}
        )
        if gathered is None:  # the first process reports for all
            return 0
        photos = {int(number): entry for share in gathered for number, entry in share.items()}
        entries = [photos[number] for number in sorted(photos)]
        report = self._report(entries, interrupted=False)
        _say_hints(models, entries)
        failed = report["counts"]["failed"]
        if failed < len(photos):
            for line in summary_lines(report, self.found, self.options.out):
                say(line)
        is_written = self._write(report)
        return 1 if failed or self.found.problems or not is_written else 0

    def _models(self) -> "Models":
        from dslr_gan.enhance.batch import Models

        device = self.options.device
        if device is None and self.share.world > 1:
            import torch

            if torch.cuda.is_available():  # each process on the machine has a GPU of its own
                device = f"cuda:{self.share.local_rank % torch.cuda.device_count()}"
        return Models(
            self.options.model,
            **hub_options(self.options),
            tile=self.options.tile,
            device=device,
            precision=self.options.precision,
            compile=self.options.compile,
        )

    def _folders(self) -> list[Path]:
        """Every folder that may hold a result, the innermost first."""
        folders = {parent for job in self.jobs for parent in job.destination.parents}
        return sorted(folders, key=lambda folder: len(folder.parts), reverse=True)

    def _enhance(self, models: "Models") -> None:
        from dslr_gan.cli.progress import PhotosBar
        from dslr_gan.enhance.batch import Enhancing, Outcome, enhance_all
        from dslr_gan.enhance.resume import Record
        from dslr_gan.photo import MAX_MEGAPIXELS

        out = Path(self.options.out)
        bar = PhotosBar(len(self.jobs), silent=not self.share.is_first)
        enhancing = Enhancing(
            models,
            strength=self.options.strength,
            colour=self.options.colour,
            detail=self.options.detail,
            format=self.options.format,
            overwrite=self.options.overwrite,
            max_megapixels=self.options.max_megapixels or MAX_MEGAPIXELS,
            history=self.options.history,
            preserve=self.options.preserve,
            record=Record(out, self.share.rank) if self.options.resume else None,
            say=lambda photo, note: bar.complain(f"{photo}: {note}"),
        )
        workers = min(self.options.workers or WORKERS, max(1, len(self.jobs)))
        if models.device.type == "cpu" and workers > 1:
            _divide_cores(workers)

        def finished(number: int, outcome: Outcome) -> None:
            self.outcomes[self.numbers[number]] = outcome
            if outcome.error:
                bar.complain(outcome.error)
            bar.finish(self.jobs[number])

        with bar:
            enhance_all(self.jobs, enhancing, finished, workers=workers, progress=bar.advance)

    def _interrupted(self, models: "Models") -> None:
        """Report how far this process came."""
        photos = [as_json(self.outcomes[number]) for number in sorted(self.outcomes)]
        if self.share.is_first:
            self._write(self._report(photos, interrupted=True))
        _say_hints(models, photos)
        good = sum(not photo["error"] for photo in photos)
        complain(f"{good} of {len(self.jobs)} photos were finished; --resume goes on from there.")

    def _report(self, photos: list[dict[str, Any]], *, interrupted: bool) -> dict[str, Any]:
        """All that is known at the end."""
        return make_report(
            photos,
            self.found,
            interrupted=interrupted,
            planned=self.total,
            seconds=time.perf_counter() - self.started,
            amounts={
                name: getattr(self.options, name) for name in ("strength", "colour", "detail")
            },
            format=self.options.format,
        )

    def _write(self, report: dict[str, Any]) -> bool:
        """Write the report where ``--report`` says; whether that went well."""
        try:
            if self.options.report:
                write_report(report, self.options.report)
        except OSError as error:
            complain(not_written("report", self.options.report, error))
            return False
        return True


def _say_hints(models: "Models", photos: Sequence[dict[str, Any]]) -> None:
    """Say of each camera once what is known of it and its model."""
    for camera, count, first in cameras_in(photos):
        if hint := models.hint(camera, count):
            complain(hint if count > 1 else f"{first}: {hint}")


def _divide_cores(workers: int) -> None:
    """Give each worker's network its part of the cores."""
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
