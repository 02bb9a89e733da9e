"""``evaluate``: scores of models over pairs."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from dslr_gan.commands import KNOWN_MODELS, PROGRAM, Commands, add_command, add_loading
from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "evaluate",
        _run,
        "Score models on pairs of a phone photo and a DSLR photo: PSNR, SSIM, MS-SSIM.",
        f"{PROGRAM} evaluate --model iphone --pairs dped/iphone/test_data/patches",
    )
    command.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help=f"{KNOWN_MODELS}; may be given several times (default: iphone)",
    )
    command.add_argument(
        "--pairs",
        required=True,
        metavar="DIR",
        help="a folder with one sub-folder of phone photos and one called canon, same file names",
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write the scores here, too")
    add_loading(command)


def _run(options: argparse.Namespace) -> int:
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
