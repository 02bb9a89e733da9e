"""Cross-validation: score each pair by a generator that did not see it, then all pairs together.

    for k in 1 2 3 4 5; do
        accelerate launch train_accelerate.py --pairs dped/iphone --fold $k/5 \
            --output_dir runs/fold$k ...
    done
    python -m scripts.cross_validation --pairs dped/iphone --recipe runs/fold \
        --published reference_models

The K-th generator is that of RECIPE followed by K. Of several recipes, and of a single folder or
published file of a generator that saw none of the pairs, the differences to the first are printed
with intervals, too: over the same pairs, they are much surer than the scores themselves. With
--parts only some of the N parts are scored, for recipes that were tried on those alone.

With --by_scene the parts hold whole scenes, as those of the trainer's --fold_by scene. Then
--photos FOLDER scores the generators as they are used, too: on the whole photos that patches were
cut from, none of which was trained on.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dslr_gan import PhotoEnhancer, open_photo
from dslr_gan.data.decode import Rows, read_pair
from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.places import Places, pair_names, read_places
from dslr_gan.data.splits import fold
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.as_used import score_rows_as_used
from dslr_gan.evaluation.evaluate import RESERVED, Model, score_rows
from dslr_gan.evaluation.judge import summarise_pairs
from dslr_gan.evaluation.scores import MAIN, METRICS, average
from dslr_gan.files import from_home, path_from_home
from dslr_gan.photo import rgb_pixels
from hub_card import ModelFacts
from scripts.results import PUBLISHED


class HeldOut:
    """A recipe as one model: each picture is enhanced by the generator that did not see it.

    Of phone pictures that are alike in two parts, such as plain white ones, the later part's
    generator takes both.

    Args:
        recipe: What the folders of the runs are called, less the number of the part; or a
            folder, or a published file, of a generator that saw none of the pairs. That it did
            not, and that what the runs were started from did not, is taken on trust.
        parts: The pairs of each part by its number.
        held_out: What the commands of a part's generator must say, such as
            ``{"--fold": "1/5", "--fold_by": "scene"}``, with the part's number for ``K``.
        photos: Files of the whole photos that a part's patches were cut from, by its number.

    Raises:
        DslrGanError: If a generator is missing, or its commands do not say that it was trained
            without its part.
    """

    def __init__(
        self,
        recipe: str,
        parts: Mapping[int, Rows],
        held_out: Mapping[str, str],
        photos: Mapping[int, set[Path]] | None = None,
    ) -> None:
        self.by_pixels: dict[bytes, PhotoEnhancer] = {}
        for number, rows in parts.items():
            whole = Path(recipe)
            folder = whole if whole.exists() else Path(f"{recipe}{number}/generator")
            enhancer = PhotoEnhancer.from_pretrained(folder)
            if not whole.exists():
                wanted = {flag: said.replace("K", str(number)) for flag, said in held_out.items()}
                _check_held_out(folder, enhancer.generator.facts, wanted)
            for row in range(len(rows)):
                self.by_pixels[_mark(read_pair(rows, row)[0])] = enhancer
            for file in (photos or {}).get(number, ()):
                self.by_pixels[_mark(rgb_pixels(open_photo(file)))] = enhancer

    def __call__(self, photo: Image.Image) -> Image.Image:
        """Enhance one of the pictures."""
        return self.by_pixels[_mark(np.asarray(photo))].enhance(photo)


def _mark(pixels: np.ndarray) -> bytes:
    return hashlib.sha256(pixels.tobytes()).digest()


def _check_held_out(folder: Path, facts: ModelFacts | None, wanted: Mapping[str, str]) -> None:
    """Refuse a generator whose run did not hold out this part, and no other."""
    commands = (facts.commands if facts else None) or []
    for flag, said in wanted.items():
        found = {part for command in commands for part in re.findall(rf"{flag}[= ](\S+)", command)}
        # By pair is what the trainer does where it is not told.
        if found - {"pair"} != {said} - {"pair"}:
            raise DslrGanError(
                f"{folder} was not trained with {flag} {said} alone, so that it may have seen the "
                "pairs it is to be judged by; name the runs of one recipe, or the generator itself."
            )


def main_metrics(values: Mapping[str, list[dict[str, float]]]) -> dict[str, np.ndarray]:
    """PSNR, SSIM and MS-SSIM of each pair by method, ``(pairs, 3)``.

    PSNR is NaN where the two pictures of the pair are the same, as it is left out of the means.

    Args:
        values: What :func:`score_rows` gives.
    """
    same = np.isinf([pair["psnr"] for pair in values["input"]])
    found = {}
    for method, pairs in values.items():
        if method not in RESERVED:
            found[method] = np.array([[pair[metric] for metric in MAIN] for pair in pairs])
            found[method][same, 0] = np.nan
    return found


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


def show(values: Mapping[str, list[dict[str, float]]]) -> None:
    """Print the scores of the methods and how the others differ from the first."""
    print(summarise_pairs(values).table())
    measured = main_metrics(values)
    first, *others = measured
    if not others:
        return
    print(f"| less {first} | {' | '.join(METRICS[metric].heading for metric in MAIN)} |")
    print("|" + "---|" * (len(MAIN) + 1))
    for name in others:
        print(f"| {name} | {' | '.join(difference(measured[name], measured[first]))} |")
    print()


def divide(pairs: str, folds: int, numbers: Sequence[int], by_scene: bool) -> dict[int, Rows]:
    """The pairs of some of the parts, by their numbers, as the trainer divides them."""
    source = open_pairs(pairs)
    scenes = read_places(pairs).scenes if by_scene else None
    parts = {number: fold(source, number, folds, scenes).test for number in numbers}
    return {number: part for number, part in parts.items() if part is not None}


def photos_of(rows: Rows, places: Places, folder: Path) -> set[Path]:
    """The whole photos that the patches were cut from, as far as that is known."""
    return {
        folder / places.by_pair[name].photo for name in pair_names(rows) if name in places.by_pair
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the recipes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--pairs", required=True, type=from_home, help="DPED's iphone folder, or any pairs"
    )
    parser.add_argument("--recipe", action="append", required=True, metavar="RECIPE")
    parser.add_argument("--folds", type=int, default=5, metavar="N")
    parser.add_argument("--parts", type=int, nargs="+", metavar="K", help="default: all")
    parser.add_argument("--by_scene", action="store_true", help="the parts hold whole scenes")
    parser.add_argument("--photos", type=path_from_home, help="folder of the whole photos")
    parser.add_argument(
        "--published", type=path_from_home, help="folder of the published networks' files"
    )
    options = parser.parse_args(arguments)
    if options.photos and not options.by_scene:
        parser.error("--photos needs --by_scene: whole photos are in one part each.")
    numbers = options.parts or range(1, options.folds + 1)
    parts = divide(options.pairs, options.folds, numbers, options.by_scene)
    held_out = {
        "--fold": f"K/{options.folds}",
        "--fold_by": "scene" if options.by_scene else "pair",
    }
    places = read_places(options.pairs) if options.photos else None
    photos = {}
    if places is not None:
        photos = {part: photos_of(rows, places, options.photos) for part, rows in parts.items()}
    models: dict[str, Model] = {
        name: HeldOut(name, parts, held_out, photos) for name in options.recipe
    }
    if options.published:
        for name, file in PUBLISHED.items():
            models[name] = PhotoEnhancer.from_pretrained(options.published / file)
    rows = [part[row] for part in parts.values() for row in range(len(part))]
    with tqdm(total=len(rows), unit="pair") as bar:
        show(score_rows(models, rows, progress=lambda *_: bar.update()))
    if places is not None:
        print("as they are used, on the pairs whose photo is known")
        show(score_rows_as_used(models, rows, places, options.photos))


if __name__ == "__main__":
    try:
        main()
    except DslrGanError as error:
        sys.exit(f"scripts.cross_validation: {error}")
