"""The paper's figure of panels, for both phones, on photos that ship with scikit-image.

    python -m scripts.panels docs/panels.jpg --trained runs/baselines --published reference_models

A row for each crop and phone, a panel for each method: what was trained for Table I (SRCNN, VDSR,
the paper's generator; of one that is missing for a phone its panel is white), the published DPED
network where it is here, the bundled model, the photo. These photos have no DSLR's counterpart; the
figure with it, of DPED's pairs, is made by ``evaluate --figure``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.figure import Panel, draw
from dslr_gan.files import written_whole
from dslr_gan.models.phones import PHONES
from dslr_gan.photo import rgb_pixels
from scripts.results import BUNDLED, TRAINED, YARDSTICK, methods_of, short_name

CROPS = {"chelsea": (140, 60), "coffee": (300, 100)}
"""Photos of scikit-image, and left and top of what is shown of them."""

SIDE = 240
NOTE = (
    "Crops at 100 % of whole photos that were enhanced, from scikit-image. They have no DSLR photo "
    "to compare with."
)


def panels(phones: Sequence[str], published: Path | None, trained: Path | None) -> Image.Image:
    """Enhance the photos by every method of every phone, and lay their crops out."""
    methods = {
        phone: {
            short_name(name): enhancer
            for name, enhancer in methods_of(phone, published, trained).items()
            if name == "DPED 12-64" or name not in (YARDSTICK, "ResNet 8-32")
        }
        for phone in phones
    }
    there = {name for chosen in methods.values() for name in chosen}
    titles = [name for name in (*TRAINED.values(), "DPED 12-64", BUNDLED) if name in there]
    rows = []
    for name, (left, top) in CROPS.items():
        window = slice(top, top + SIDE), slice(left, left + SIDE)
        photo = Image.fromarray(getattr(skimage.data, name)())
        blank = np.full((SIDE, SIDE, 3), 255, np.uint8)
        for phone, chosen in methods.items():
            row = []
            for title in titles:
                if title not in chosen:
                    row.append(Panel(blank, ""))
                    continue
                result = rgb_pixels(chosen[title].enhance(photo))
                row.append(Panel(result[window], PHONES[phone].title))
            rows.append([*row, Panel(np.asarray(photo)[window], name)])
    return draw(rows, [*titles, "phone photo"], NOTE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="JPEG or PNG to write")
    parser.add_argument("--trained", type=Path, help="folder of METHOD_PHONE generators")
    parser.add_argument("--published", type=Path, help="folder of the published networks' files")
    options = parser.parse_args(arguments)
    picture = panels(list(PHONES), options.published, options.trained)
    with written_whole(options.out) as unfinished:
        picture.save(unfinished)


if __name__ == "__main__":
    try:
        main()
    except DslrGanError as error:
        sys.exit(f"scripts.panels: {error}")
