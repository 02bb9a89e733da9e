"""The command line: ``python -m dslr_gan enhance | evaluate | prepare | models``.

Exit status: 0 when all went well, 1 when something failed, 2 when the command was not
understood, 130 when it was interrupted. Failures are one sentence each on stderr; whatever
does the work is imported only once it is needed, so that ``--help`` answers at once.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dslr_gan.catalogue import PHONES, Phone
from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole

if TYPE_CHECKING:
    from dslr_gan.enhancer import PhotoEnhancer
    from hub_card import Source

PROGRAM = "python -m dslr_gan"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after ``python -m dslr_gan``; those of this process where None.

    Returns:
        The exit status.
    """
    logging.basicConfig(format="dslr_gan: %(message)s", level=logging.WARNING)
    try:
        status = _run(arguments)
        sys.stdout.flush()  # here, where a reader who has gone is noticed in good order
        return status
    except DslrGanError as error:
        _complain(str(error))
        return 1
    except BrokenPipeError:  # whoever read the output has seen enough, as in `| head`
        with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 1
    except OSError as error:
        what = error.filename or "a file"
        reason = error.strerror or type(error).__name__
        _complain(f"{what} cannot be used ({reason}); check the path and its permissions.")
        return 1
    except KeyboardInterrupt:
        _complain("interrupted; every file that was written is whole.")
        return 130


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as end:  # argparse has shown its help or its complaint
        return int(end.code or 0)
    return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Phone photo in, DSLR-like photo out.",
        epilog=f"{PROGRAM} COMMAND --help says more about a command and gives an example.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_enhance, _add_evaluate, _add_prepare, _add_models):
        add(commands)
    return parser


def _add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add the command that ``run`` is named after, its help ending in an example."""
    command = commands.add_parser(
        run.__name__.lstrip("_"),
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _add_loading(command: argparse.ArgumentParser) -> None:
    """Add the options that every command which loads a model has."""
    command.add_argument(
        "--revision", metavar="R", help="branch, tag or commit of the model's Hub repository"
    )
    command.add_argument(
        "--tile", type=int, default=512, metavar="N", help="tile side; smaller takes less memory"
    )
    command.add_argument(
        "--device", metavar="D", help="cpu, cuda or cuda:1; the GPU if there is one"
    )


# enhance -------------------------------------------------------------------------------------


def _add_enhance(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = _add_command(
        commands,
        _enhance,
        "Enhance photos: one file per photo, same name, size, format and metadata.",
        f"{PROGRAM} enhance holiday/*.jpg --out enhanced/",
    )
    command.add_argument(
        "inputs", nargs="+", metavar="IN", help="a photo, or a folder with photos directly inside"
    )
    command.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    command.add_argument(
        "--model", default="iphone", metavar="NAME", help=f"{_KNOWN_MODELS} (default: iphone)"
    )
    command.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="S",
        help="from 0, the photo as it is, to 1, all that the model does (default: 1)",
    )
    command.add_argument("--format", metavar="F", help="such as png or jpg, instead of the photo's")
    command.add_argument(
        "--overwrite", action="store_true", help="replace results that are there already"
    )
    _add_loading(command)


@dataclass(frozen=True)
class _Job:
    """One photo to enhance."""

    source: Path
    destination: Path


def _enhance(options: argparse.Namespace) -> int:
    if not 0 <= options.strength <= 1:
        raise DslrGanError(f"--strength must lie between 0 and 1, got {options.strength}.")
    out = Path(options.out)
    sources, failed = _find_photos(options.inputs)
    jobs = _plan(sources, out, options.format)
    if not options.overwrite:
        taken = [job for job in jobs if os.path.lexists(job.destination)]
        for job in taken:
            _complain(f"{job.destination} exists already; add --overwrite to replace it.")
        jobs = [job for job in jobs if job not in taken]
        failed += len(taken)
    if not jobs:
        return 1

    from dslr_gan.enhancer import PhotoEnhancer

    enhancer = PhotoEnhancer.from_pretrained(
        options.model, revision=options.revision, tile=options.tile, device=options.device
    )
    new_folders = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        done = _enhance_all(enhancer, jobs, options)
    finally:
        for folder in new_folders:  # from the inside out; one that holds a result stays
            with suppress(OSError):
                folder.rmdir()
    if done:
        noun = "photo" if done == 1 else "photos"
        sys.stdout.write(f"{done} {noun} enhanced into {out}, with {enhancer.source}.\n")
    return 0 if failed == 0 and done == len(jobs) else 1


def _find_photos(inputs: Sequence[str]) -> tuple[list[Path], int]:
    """The photos that the inputs mean, each once, and how many inputs held none."""
    found: dict[Path, Path] = {}
    failed = 0
    for each in map(Path, inputs):
        try:
            photos = _photos_of(each)
        except OSError as error:
            _complain(f"{each} cannot be read ({error.strerror}); check it and its permissions.")
            failed += 1
            continue
        if not photos:
            _complain(f"{each} holds no photos; give a folder with photos directly inside.")
            failed += 1
        for photo in photos:
            found.setdefault(_absolute(photo), photo)
    return list(found.values()), failed


def _photos_of(given: Path) -> list[Path]:
    """The photos directly inside a folder; anything else is what was given itself."""
    from dslr_gan.image import PHOTO_SUFFIXES

    if not given.is_dir():
        return [given]
    return sorted(
        file
        for file in given.iterdir()
        if file.suffix.lower().lstrip(".") in PHOTO_SUFFIXES
        and not file.name.startswith(".")
        and not file.is_dir()
    )


def _plan(sources: Sequence[Path], out: Path, format: str | None) -> list[_Job]:
    """Decide where each result goes; refuse to touch a source or to write one file twice."""
    from dslr_gan.image import find_format

    kind = find_format(format) if format else None
    if out.exists() and not out.is_dir():
        raise DslrGanError(f"--out {out} is a file; name a folder.")
    planned: dict[str, _Job] = {}
    for source in sources:
        for folder in (_absolute(source).parent, Path(os.path.realpath(source)).parent):
            with suppress(OSError):  # one of them is not there, or out of reach
                if folder.samefile(out):
                    raise DslrGanError(
                        f"--out {out} is the folder of {source}; name another folder."
                    )
        name = source.name
        if kind and source.suffix.lower().lstrip(".") not in kind.suffixes:
            name = f"{source.stem}.{kind.suffixes[0]}"
        job = _Job(source, out / name)
        other = planned.setdefault(name, job)
        if other is not job:
            raise DslrGanError(
                f"{other.source} and {source} would both become {job.destination}; "
                "enhance them into two folders."
            )
    return list(planned.values())


def _absolute(path: Path) -> Path:
    """Where a path itself lies: its folder's links followed, its own not.

    By realpath, which lets a link to itself be; ``Path.resolve`` raises.
    """
    return Path(os.path.realpath(path.parent)) / path.name


def _enhance_all(
    enhancer: "PhotoEnhancer", jobs: Sequence[_Job], options: argparse.Namespace
) -> int:
    """Enhance photo after photo, complain of those that fail, and say how many did not."""
    layout = "{percentage:3.0f}% |{bar}| {n:.1f} of {total} photos [{elapsed}<{remaining}] {desc}"
    done = 0
    with tqdm(total=len(jobs), delay=1, bar_format=layout) as bar:
        for number, job in enumerate(jobs):
            bar.set_description_str(job.source.name, refresh=False)
            try:
                _enhance_one(enhancer, job, options, bar)
                done += 1
            except DslrGanError as error:
                if bar.last_print_t >= bar.start_t + bar.delay:  # it has been shown
                    bar.clear()
                named = any(str(path) in str(error) for path in (job.source, job.destination))
                _complain(str(error) if named else f"{job.source}: {error}")
            bar.update(number + 1 - bar.n)
    return done


def _enhance_one(
    enhancer: "PhotoEnhancer", job: _Job, options: argparse.Namespace, bar: tqdm
) -> None:
    from dslr_gan.image import find_format, open_photo, save_photo

    photo = open_photo(job.source)
    # A file's format is what is in it, whatever its suffix says.
    kind = find_format(options.format or photo.format or "")

    def advance(_: int, tiles: int) -> None:
        bar.update(0.99 / tiles)

    try:
        result = enhancer.enhance(photo, options.strength, progress=advance)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        raise DslrGanError(
            f"There is not enough memory for {job.source}; try a smaller --tile, or --device cpu."
        ) from error
    save_photo(result, job.destination, format=kind.name)


# evaluate ------------------------------------------------------------------------------------


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = _add_command(
        commands,
        _evaluate,
        "Score models on pairs of a phone photo and a DSLR photo: PSNR, SSIM, MS-SSIM.",
        f"{PROGRAM} evaluate --model iphone --pairs dped/iphone/test_data/patches",
    )
    command.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help=f"{_KNOWN_MODELS}; may be given several times (default: iphone)",
    )
    command.add_argument(
        "--pairs",
        required=True,
        metavar="DIR",
        help="a folder with one sub-folder of phone photos and one called canon, same file names",
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write the scores here, too")
    _add_loading(command)


def _evaluate(options: argparse.Namespace) -> int:
    if options.json is not None and options.json.is_dir():
        raise DslrGanError(f"--json {options.json} is a folder; name a file.")

    from dslr_gan.data import find_pairs
    from dslr_gan.enhancer import PhotoEnhancer
    from dslr_gan.evaluation import evaluate

    total = len(find_pairs(options.pairs).names)
    enhancers = {
        name: PhotoEnhancer.from_pretrained(
            name, revision=options.revision, tile=options.tile, device=options.device
        )
        for name in options.model or ["iphone"]
    }
    with tqdm(total=total, delay=1, unit="pair", desc="evaluating") as bar:
        scores = evaluate(enhancers, options.pairs, progress=lambda *_: bar.update())
    sys.stdout.write(scores.table())
    for name, enhancer in enhancers.items():
        sys.stdout.write(f"{name}: {enhancer.source}\n")
    if options.json is not None:
        try:
            with written_whole(options.json) as unfinished:
                unfinished.write_text(scores.to_json(), encoding="utf-8")
        except OSError as error:
            raise DslrGanError(
                f"{options.json} cannot be written ({error.strerror}); name another file."
            ) from error
    return 0


# prepare -------------------------------------------------------------------------------------


def _add_prepare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = _add_command(
        commands,
        _prepare,
        "Make training pairs from photos: with a published generator as the teacher, or with "
        "targets that were made patch by patch on a grid.",
        f"{PROGRAM} prepare photos/ --teacher dped_sony_12_64.safetensors --out pairs/sony\n"
        f"  {PROGRAM} prepare photos/ --targets enhanced/ --grid 100 --out pairs/grid",
    )
    command.add_argument(
        "inputs", nargs="+", metavar="IN", help="a photo, or a folder with photos directly inside"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="new folder for the pairs"
    )
    kind = command.add_mutually_exclusive_group(required=True)
    kind.add_argument("--teacher", type=Path, metavar="FILE", help="published generator")
    kind.add_argument(
        "--targets", type=Path, metavar="DIR", help="folder with a target of each photo's name"
    )
    command.add_argument(
        "--crop", type=int, metavar="N", help="side of the teacher's crops (default: 512)"
    )
    command.add_argument(
        "--per-photo", type=int, metavar="N", help="take that many crops of a photo (default: all)"
    )
    command.add_argument("--seed", type=int, metavar="N", help="of that choice (default: 0)")
    command.add_argument(
        "--grid", type=int, metavar="N", help="side of the targets' patches (default: 100)"
    )
    for flag, text in (
        ("--name", "what the model card calls the photos"),
        ("--terms", "their terms of use"),
        ("--url", "where they can be found"),
        ("--teacher-name", "what the card calls the network that made the targets"),
        ("--teacher-terms", "its terms of use"),
        ("--teacher-url", "where it can be found"),
    ):
        command.add_argument(flag, metavar="TEXT", help=text)


_TEACHER_ONLY = ("crop", "per_photo", "seed")
_TARGETS_ONLY = ("grid",)


def _prepare(options: argparse.Namespace) -> int:
    _check_prepare(options)
    photos, failed = _find_photos(options.inputs)
    if failed:
        return 1

    from dslr_gan.preparation import prepare_grid, prepare_teacher

    source = _source("photos", options.name, options.terms, options.url)
    teacher = _source(
        f"enhancements by {options.teacher.stem}" if options.teacher else "whatever made them",
        options.teacher_name,
        options.teacher_terms,
        options.teacher_url,
    )
    with tqdm(total=len(photos), delay=1, unit="photo", desc="preparing") as bar:

        def advance(*_: int) -> None:
            bar.update()

        if options.teacher is not None:
            count = prepare_teacher(
                photos,
                options.teacher,
                options.out,
                crop=512 if options.crop is None else options.crop,
                per_photo=options.per_photo,
                seed=options.seed or 0,
                source=source,
                teacher=teacher,
                progress=advance,
            )
        else:
            count = prepare_grid(
                photos,
                options.targets,
                options.out,
                grid=100 if options.grid is None else options.grid,
                source=source,
                teacher=teacher,
                progress=advance,
            )
    sys.stdout.write(f"{count} pairs in {options.out}\n")
    return 0


def _check_prepare(options: argparse.Namespace) -> None:
    """Refuse numbers that mean nothing, and options that the other kind of targets has."""
    kind: str = "--teacher"
    foreign: tuple[str, ...] = _TARGETS_ONLY
    if options.teacher is None:
        kind, foreign = "--targets", _TEACHER_ONLY
    for name in (*_TEACHER_ONLY, *_TARGETS_ONLY):
        flag, value = f"--{name.replace('_', '-')}", getattr(options, name)
        if value is None:
            continue
        if name in foreign:
            raise DslrGanError(f"{flag} has no meaning with {kind}; leave it out.")
        least = 0 if name == "seed" else 1
        if value < least:
            raise DslrGanError(f"{flag} must be at least {least}, got {value}.")


def _source(default: str, name: str | None, terms: str | None, url: str | None) -> "Source | None":
    """What the card says of photos or of a teacher; None where nothing was given."""
    from hub_card import Source

    if not (name or terms or url):
        return None
    # What they gave is counted when it is there.
    return Source(name=name or default, gave="", terms=terms, url=url, dataset_id=None)


# models --------------------------------------------------------------------------------------

_KNOWN_MODELS = (
    f"{', '.join(PHONES)}, a Hub id owner/name, a folder, or a published safetensors file"
)


def _add_models(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _add_command(
        commands,
        _models,
        "List the models that can be loaded, and from where.",
        f"{PROGRAM} models",
    )


def _models(_: argparse.Namespace) -> int:
    for phone in PHONES.values():
        sys.stdout.write(f"{phone.name}: for photos of the {phone.title} ({phone.camera})\n")
        sys.stdout.write(f"  Hub: {_hub_line(phone)}\n  bundled: {_bundled_line(phone)}\n")
    sys.stdout.write(
        "any other: --model owner/name, a Hub repository (--revision picks a branch, tag or "
        "commit),\n  or --model DIR, a folder with config.json and model.safetensors\n"
    )
    return 0


def _hub_line(phone: Phone) -> str:
    if phone.repository is None:
        return f"not configured; set {phone.variable}=owner/name to load from there"
    return f"{phone.repository} ({phone.variable}), loaded first"


def _bundled_line(phone: Phone) -> str:
    """Whether weights come with the package, and what is known about them."""
    if not phone.bundled:
        return f"none in {phone.folder}"

    from hub_card import ModelFacts

    try:
        facts = ModelFacts.from_json((phone.folder / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{phone.folder}, nothing known about them"
    parameters = "unknown" if facts.parameters is None else f"{facts.parameters:,}"
    licence = facts.licence_name or "unknown"
    return f"{phone.folder}, {parameters} parameters, licence {licence}"


def _complain(sentence: str) -> None:
    sys.stderr.write(f"dslr_gan: {sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
