"""``evaluate``: scores of models over pairs as a table, as JSON, as Table I and as a figure."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dslr_gan.cli.common import (
    KNOWN_MODELS,
    PROGRAM,
    Commands,
    add_command,
    add_loading,
    hub_options,
    model_option,
    pairs_option,
    path_option,
)
from dslr_gan.cli.progress import STDERR
from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole

if TYPE_CHECKING:
    from dslr_gan.data.decode import Rows
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
        f"{PROGRAM} evaluate --model runs/vdsr/generator=VDSR --model iphone=ours "
        "--pairs dped/iphone --figure panels.png",
    )
    command.add_argument(
        "--model",
        action="append",
        type=model_option,
        metavar="NAME[=LABEL]",
        help=f"{KNOWN_MODELS}; may be given several times, and with what the tables are to call "
        "it (default: iphone)",
    )
    command.add_argument(
        "--pairs",
        required=True,
        type=pairs_option,
        metavar="PAIRS",
        help="a folder with one sub-folder of phone photos and one called canon, same file names; "
        "DPED's, such as dped/iphone; what `prepare` wrote; or a Hub dataset owner/name",
    )
    command.add_argument(
        "--columns",
        nargs=2,
        default=("phone", "dslr"),
        metavar=("PHONE", "DSLR"),
        help="columns of a dataset that hold the two pictures (default: phone dslr)",
    )
    command.add_argument(
        "--phone", metavar="NAME", help="whose photos they are, for Table I (default: their folder)"
    )
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
    command.add_argument(
        "--vgg_weights",
        type=path_option,
        metavar="FILE",
        help="VGG-16 as safetensors: measures the distance of its features, too",
    )
    add_loading(command)


def _run(options: argparse.Namespace) -> int:
    _check(options)
    names = labelled(options.model or ["iphone"])

    from dslr_gan.enhance.enhancer import PhotoEnhancer
    from dslr_gan.evaluation.evaluate import evaluate, figure, open_rows
    from dslr_gan.evaluation.table import to_markdown
    from dslr_gan.metrics.vgg import VGGFeatures

    rows = open_rows(options.pairs, columns=tuple(options.columns))
    vgg = None if options.vgg_weights is None else VGGFeatures.from_file(options.vgg_weights)
    enhancers = {
        label: PhotoEnhancer.from_pretrained(
            name, **hub_options(options), tile=options.tile, device=options.device
        )
        for label, name in names.items()
    }
    with tqdm(total=len(rows), delay=1, unit="pair", desc="evaluating", file=STDERR) as bar:
        scores = evaluate(enhancers, rows, vgg=vgg, progress=lambda *_: bar.update())
    sys.stdout.write(scores.table())
    for label, enhancer in enhancers.items():
        sys.stdout.write(f"{label}: {enhancer.source}\n")
    if options.json is not None:
        _write(options.json, lambda path: path.write_text(scores.to_json(), encoding="utf-8"))
    if options.markdown is not None:
        page = to_markdown(
            scores,
            phone=options.phone or phone_of(rows),
            pairs=options.pairs,
            sources=_sources(enhancers),
        )
        _write(options.markdown, lambda path: path.write_text(page, encoding="utf-8"))
    if options.figure is not None:
        picture = figure(enhancers, rows, scores, options.figure_pairs)
        _write(options.figure, picture.save)
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse files that cannot be written, before any work is done."""
    from dslr_gan.enhance.inputs import absolute

    for name in FILES:
        file = getattr(options, name)
        if file is not None and file.is_dir():
            raise DslrGanError(f"--{name} {file} is a folder; name a file.")
    if options.figure is not None and options.figure.suffix.lower() != ".png":
        raise DslrGanError(f"--figure {options.figure} must end in .png.")
    if options.figure_pairs < 1:
        raise DslrGanError(f"--figure_pairs must be at least 1, got {options.figure_pairs}.")
    given = [absolute(file) for name in FILES if (file := getattr(options, name)) is not None]
    if len(set(given)) < len(given):
        raise DslrGanError(f"{', '.join(f'--{name}' for name in FILES)} must name different files.")


def labelled(given: Sequence[str]) -> dict[str, str]:
    """Separate the names of models from their labels.

    Args:
        given: ``NAME`` or ``NAME=LABEL`` for each model; a file or folder whose own name contains
            an equals sign is a name as a whole.

    Returns:
        Names by labels, in their order.

    Raises:
        DslrGanError: If a label is empty, one of the tables' own rows, or given twice.
    """
    names: dict[str, str] = {}
    for text in given:
        name, equals, label = text.rpartition("=")
        if not equals or _exists(text):
            name, label = text, text
        if not name or not label.strip():
            raise DslrGanError(f"--model {text}: say NAME, or NAME=LABEL.")
        if label in ("input", "dslr"):
            raise DslrGanError(f"--model {text}: {label} is a row of its own; take another label.")
        if label in names:
            raise DslrGanError(f"--model {text}: {label} was given twice; label one with =LABEL.")
        names[label] = name
    return names


def phone_of(rows: "Rows") -> str:
    """The name of the folder that holds the phone's pictures; ``phone`` where there is none."""
    stored = rows[0]["phone"]
    path = stored.get("path") if isinstance(stored, Mapping) else None
    return Path(path or "").parent.name or "phone"


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # too long for a name
        return False


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
