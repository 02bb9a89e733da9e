"""``evaluate``: scores of models over pairs as a table, as JSON, as Table I and as a figure."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dslr_gan.cli.common import (
    KNOWN_MODELS,
    PROGRAM,
    Commands,
    add_command,
    add_loading,
    check_writable,
    hub_options,
    model_option,
    pairs_option,
    path_option,
    place_option,
)
from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole
from dslr_gan.models.phones import PHONES

if TYPE_CHECKING:
    from tqdm import tqdm

    from dslr_gan.enhance.enhancer import PhotoEnhancer

FILES = ("json", "markdown", "figure")


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "evaluate",
        _run,
        "Score models on pairs of a phone photo and a DSLR photo: PSNR, SSIM, MS-SSIM, FLIP, "
        "colour shift, noise amplification; each with its 95 % interval over the pairs.",
        f"{PROGRAM} evaluate --pairs dped/iphone --model runs/vdsr/generator=VDSR "
        "--model iphone=ours --figure panels.png",
    )
    command.add_argument(
        "--model",
        action="append",
        type=model_option,
        metavar="[PHONE:]NAME[=LABEL]",
        help=f"{KNOWN_MODELS}; may be given several times, for the pairs of one phone alone, and "
        "with what the tables are to call it (default: the phone's bundled model, else iphone)",
    )
    _add_pairs(command)
    _add_files(command)
    command.add_argument(
        "--vgg_weights",
        type=path_option,
        metavar="FILE",
        help="VGG-16 as safetensors: measures the distance of its features, too",
    )
    add_loading(command)


def _add_pairs(command: argparse.ArgumentParser) -> None:
    """Add the options on what is scored."""
    command.add_argument(
        "--pairs",
        required=True,
        action="append",
        type=pairs_option,
        metavar="PAIRS",
        help="a folder with one sub-folder of phone photos and one called canon, same file names; "
        "DPED's, such as dped/iphone; what `prepare` wrote; or a Hub dataset owner/name; may be "
        "given several times, once for each phone",
    )
    command.add_argument(
        "--photos",
        action="append",
        type=place_option,
        default=[],
        metavar="[PHONE:]FOLDER",
        help="whole photos that the patches were cut from, as photos.json in the folder of the "
        "pairs says: scores the models as they are used, too, on the whole photo",
    )
    command.add_argument(
        "--scenes",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="score only the pairs of these scenes, as photos.json says",
    )
    command.add_argument(
        "--columns",
        nargs=2,
        default=("phone", "dslr"),
        metavar=("PHONE", "DSLR"),
        help="columns of a dataset that hold the two pictures (default: phone dslr)",
    )
    command.add_argument(
        "--phone",
        action="append",
        default=[],
        metavar="NAME",
        help="whose photos they are, for each --pairs (default: their folder)",
    )


def _add_files(command: argparse.ArgumentParser) -> None:
    """Add the options on what is written."""
    command.add_argument(
        "--json", type=path_option, metavar="FILE", help="write the scores here, too"
    )
    command.add_argument(
        "--markdown",
        type=path_option,
        metavar="FILE",
        help="write Table I here, every metric explained",
    )
    command.add_argument(
        "--figure",
        type=path_option,
        metavar="FILE.png",
        help="write the paper's figure here: each model's result, the DSLR photo, the phone photo",
    )
    command.add_argument(
        "--figure_pairs", type=int, default=4, metavar="N", help="pairs in the figure (default: 4)"
    )


def _run(options: argparse.Namespace) -> int:
    _check(options)

    from tqdm import tqdm

    from dslr_gan.cli.progress import STDERR
    from dslr_gan.enhance.enhancer import PhotoEnhancer
    from dslr_gan.evaluation.panels import ScoredPairs, figure_of_phones
    from dslr_gan.evaluation.phones import open_phones
    from dslr_gan.evaluation.table import to_json, to_markdown, to_text
    from dslr_gan.metrics.vgg import VGGFeatures

    phones = open_phones(
        options.pairs,
        columns=tuple(options.columns),
        phones=options.phone,
        photos=options.photos,
        scenes=options.scenes,
    )
    names = labelled(options.model, [each.phone for each in phones])
    vgg = None if options.vgg_weights is None else VGGFeatures.from_file(options.vgg_weights)
    enhancers = {
        name: PhotoEnhancer.from_pretrained(
            name, **hub_options(options), tile=options.tile, device=options.device
        )
        for name in dict.fromkeys(name for models in names.values() for name in models.values())
    }
    models = {
        phone: {label: enhancers[name] for label, name in chosen.items()}
        for phone, chosen in names.items()
    }
    results = []
    for each in phones:
        with tqdm(delay=1, unit="pair", desc=f"evaluating {each.phone}", file=STDERR) as bar:
            sources = _sources(models[each.phone])
            results.append(
                each.score(models[each.phone], sources=sources, vgg=vgg, progress=_shown_by(bar))
            )
    sys.stdout.write(to_text(results))
    for file, write in ((options.json, to_json), (options.markdown, to_markdown)):
        if file is not None:
            _write(file, partial(Path.write_text, data=write(results), encoding="utf-8"))
    if options.figure is not None:
        scored = [
            ScoredPairs(each.phone, models[each.phone], each.rows, result.scores)
            for each, result in zip(phones, results, strict=True)
        ]
        _write(options.figure, figure_of_phones(scored, options.figure_pairs).save)
    return 0


def _shown_by(bar: "tqdm") -> Callable[[int, int], None]:
    """What shows progress on a bar: done and in all, which begins anew for whole photos."""

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show


def _check(options: argparse.Namespace) -> None:
    """Refuse files that cannot be written, before any work is done."""
    from dslr_gan.enhance.inputs import absolute

    for name in FILES:
        file = getattr(options, name)
        if file is None:
            continue
        check_writable(name, file)
        if file.is_dir():
            raise DslrGanError(f"--{name} {file} is a folder; name a file.")
    if options.figure is not None and options.figure.suffix.lower() != ".png":
        raise DslrGanError(f"--figure {options.figure} must end in .png.")
    if options.figure_pairs < 1:
        raise DslrGanError(f"--figure_pairs must be at least 1, got {options.figure_pairs}.")
    given = [absolute(file) for name in FILES if (file := getattr(options, name)) is not None]
    if len(set(given)) < len(given):
        raise DslrGanError(f"{', '.join(f'--{name}' for name in FILES)} must name different files.")


def labelled(given: Sequence[str] | None, phones: Sequence[str]) -> dict[str, dict[str, str]]:
    """Separate the names of models from their labels, phone by phone.

    Args:
        given: ``NAME``, ``NAME=LABEL``, and either for one phone, ``PHONE:NAME=LABEL``; a file or
            folder whose own name contains these signs is a name as a whole. None for the default.
        phones: Whose pairs are scored.

    Returns:
        Names by labels, in their order, of each phone.

    Raises:
        DslrGanError: If a label is empty, one of the tables' own rows, or given twice, or a phone
            has no model, or there are no pairs of it.
    """
    from dslr_gan.evaluation.phones import exists, for_phones

    if not given:
        given = [f"{phone}:{phone if phone in PHONES else 'iphone'}" for phone in phones]
    found: dict[str, dict[str, str]] = {}
    for phone, texts in for_phones(given, phones, "--model").items():
        names = found[phone] = {}
        for text in texts:
            name, equals, label = text.rpartition("=")
            if not equals or exists(text):
                name, label = text, text
            if not name or not label.strip():
                raise DslrGanError(f"--model {text}: say NAME, or NAME=LABEL.")
            if label in ("input", "dslr"):
                raise DslrGanError(
                    f"--model {text}: {label} is a row of its own; take another label."
                )
            if label in names:
                raise DslrGanError(
                    f"--model {text}: {label} was given twice; label one with =LABEL."
                )
            names[label] = name
        if not names:
            raise DslrGanError(f"--model: there is none for {phone}; name one.")
    return found


def _sources(enhancers: "Mapping[str, PhotoEnhancer]") -> dict[str, str]:
    """Where each network came from and how large it is."""
    sources = {}
    for label, enhancer in enhancers.items():
        count = sum(parameter.numel() for parameter in enhancer.generator.parameters())
        network = type(enhancer.generator).__name__
        sources[label] = f"{enhancer.source}; {network}, {count:,} parameters"
    return sources


def _write(file: Path, write: Callable[[Path], object]) -> None:
    try:
        with written_whole(file) as unfinished:
            write(unfinished)
    except OSError as error:
        raise DslrGanError(
            f"{file} cannot be written ({error.strerror}); name another file."
        ) from error
