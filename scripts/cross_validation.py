"""Cross-validation: score each pair by a generator that did not see it, then all pairs together.

    for k in 1 2 3 4 5; do
        accelerate launch train_accelerate.py --pairs dped/iphone --fold $k/5 \
            --output_dir runs/fold$k ...
    done
    python -m scripts.cross_validation --pairs dped/iphone --recipe runs/fold \
        --published reference_models

The K-th generator is that of RECIPE followed by K. Of several recipes, and of a single folder with
a generator that saw none of the pairs, the differences to the first are printed with intervals,
too: over the same pairs, they are much surer than the scores themselves. With --parts only some of
the N parts are scored, for recipes that were tried on those alone.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dslr_gan import PhotoEnhancer
from dslr_gan.data.decode import Rows, read_pair
from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.splits import fold
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import Model, evaluate, measure, run_model
from dslr_gan.evaluation.scores import MAIN, METRICS, average
from dslr_gan.files import from_home, path_from_home
from dslr_gan.photo import to_tensor
from hub_card import ModelFacts
from scripts.results import PUBLISHED


class HeldOut:
    """A recipe as one model: each picture is enhanced by the generator that did not see it.

    Of phone pictures that are alike in two parts, such as plain white ones, the later part's
    generator takes both.

    Args:
        recipe: What the folders of the runs are called, less the number of the part; or a
            folder with a generator that saw none of the pairs. That it did not, and that what
            the runs were started from did not, is taken on trust.
        parts: The pairs of each part by its number.
        folds: How many parts there are in all.

    Raises:
        DslrGanError: If a generator is missing, or its commands do not say that it was trained
            without its part.
    """

    def __init__(self, recipe: str, parts: dict[int, Rows], folds: int) -> None:
        self.by_pixels: dict[bytes, PhotoEnhancer] = {}
        for number, rows in parts.items():
            whole = Path(recipe)
            folder = whole if whole.is_dir() else Path(f"{recipe}{number}/generator")
            enhancer = PhotoEnhancer.from_pretrained(folder)
            if not whole.is_dir():
                _check_held_out(folder, enhancer.generator.facts, f"{number}/{folds}")
            for row in range(len(rows)):
                self.by_pixels[read_pair(rows, row)[0].tobytes()] = enhancer

    def __call__(self, photo: Image.Image) -> Image.Image:
        """Enhance one of the pictures."""
        return self.by_pixels[np.asarray(photo).tobytes()].enhance(photo)


def _check_held_out(folder: Path, facts: ModelFacts | None, fold: str) -> None:
    """Refuse a generator whose run did not hold out this part, and no other."""
    commands = (facts.commands if facts else None) or []
    held_out = {part for command in commands for part in re.findall(r"--fold[= ](\S+)", command)}
    if held_out != {fold}:
        raise DslrGanError(
            f"{folder} was not trained with --fold {fold} alone, so that it may have seen the "
            "pairs it is to be judged by; name the runs of one recipe, or the generator itself."
        )


def values(model: Model, rows: Rows, name: str) -> np.ndarray:
    """PSNR, SSIM and MS-SSIM of each pair, ``(pairs, 3)``.

    PSNR is NaN where the two pictures of the pair are the same, as it is left out of the means.
    """
    found = []
    for row in tqdm(range(len(rows)), desc=name, unit="pair"):
        phone, dslr = read_pair(rows, row)
        result = run_model(model, phone, name, f"pair {row}")
        psnr, *others = measure(to_tensor(result), to_tensor(dslr))
        found.append([psnr if (phone != dslr).any() else np.nan, *others])
    return np.array(found)


def difference(ours: np.ndarray, theirs: np.ndarray) -> list[str]:
    """Mean difference of each metric with its interval, over the pairs where both are finite."""
    cells = []
    for metric, column in zip(MAIN, (ours - theirs).T, strict=True):
        estimate = average(column[np.isfinite(column)])
        assert estimate.value is not None and estimate.ci95 is not None
        digits = METRICS[metric].digits
        low, high = estimate.ci95
        cells.append(f"{estimate.value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]")
    return cells


def compare(models: dict[str, Model], rows: Rows) -> None:
    """Print the scores of the models and how they differ from the first."""
    print(evaluate(models, rows).table())
    first, *others = models
    if not others:
        return
    measured = {name: values(model, rows, name) for name, model in models.items()}
    print(f"| less {first} | {' | '.join(METRICS[metric].heading for metric in MAIN)} |")
    print("|" + "---|" * (len(MAIN) + 1))
    for name in others:
        print(f"| {name} | {' | '.join(difference(measured[name], measured[first]))} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the recipes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--pairs", required=True, type=from_home, help="DPED's iphone folder, or any pairs"
    )
    parser.add_argument("--recipe", action="append", required=True, metavar="RECIPE")
    parser.add_argument("--folds", type=int, default=5, metavar="N")
    parser.add_argument("--parts", type=int, nargs="+", metavar="K", help="default: all")
    parser.add_argument(
        "--published", type=path_from_home, help="folder of the published networks' files"
    )
    options = parser.parse_args(arguments)
    source = open_pairs(options.pairs)
    numbers = options.parts or range(1, options.folds + 1)
    parts = {number: fold(source, number, options.folds).test for number in numbers}
    held = {number: part for number, part in parts.items() if part is not None}
    models: dict[str, Model] = {name: HeldOut(name, held, options.folds) for name in options.recipe}
    if options.published:
        for name, file in PUBLISHED.items():
            models[name] = PhotoEnhancer.from_pretrained(options.published / file)
    compare(models, [part[row] for part in held.values() for row in range(len(part))])


if __name__ == "__main__":
    main()
