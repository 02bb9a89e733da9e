"""Crops of full-size photos at 100 %, side by side: as they were, and as each model makes them.

    python -m scripts.contact_sheet sheet.jpg photos/*.jpg --model iphone \
        --model dped_iphone_12_64.safetensors --model runs/new/generator=new

Without photos, those of scikit-image are taken: night, a face, text, fur, wood. Of every photo
three crops are shown, where faults are seen first: the smoothest bright place (sky: noise, bands,
blocked highlights), the darkest one (shadows: amplified noise), and the most detailed one (halos).
The whole photo is enhanced, then cropped. Photos smaller than a crop are shown whole.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw

from dslr_gan import DslrGanError, PhotoEnhancer
from dslr_gan.cli.evaluate import labelled
from dslr_gan.files import from_home, path_from_home
from dslr_gan.photo import open_photo, rgb_pixels

SHIPPED = ("rocket", "astronaut", "page", "chelsea", "coffee")
"""Photos of scikit-image."""

LABEL = 20
"""Height of the line above the crops, in pixels."""


def places(photo: np.ndarray, side: int) -> list[tuple[int, int]]:
    """Upper left corners of the crops of a photo ``(H, W, 3)`` uint8, each once."""
    gray = photo.mean(axis=2)
    corners, brightness, detail = [], [], []
    for top in range(0, max(photo.shape[0] - side, 0) + 1, side // 2):
        for left in range(0, max(photo.shape[1] - side, 0) + 1, side // 2):
            block = gray[top : top + side, left : left + side]
            corners.append((top, left))
            brightness.append(block.mean())
            detail.append(np.abs(np.diff(block)).mean())
    bright, busy = np.array(brightness), np.array(detail)
    smoothest = np.argmin(busy + 100 * (bright < np.median(bright)))
    return list(
        dict.fromkeys(corners[place] for place in (smoothest, np.argmin(bright), np.argmax(busy)))
    )


def rows(
    title: str, photo: Image.Image, enhancers: dict[str, PhotoEnhancer], side: int
) -> Iterator[np.ndarray]:
    """The crops of one photo, one line of pictures for each place."""
    pictures = {title: rgb_pixels(photo)}
    for name, enhancer in enhancers.items():
        result = enhancer.enhance(photo).convert("RGB")
        pictures[name] = rgb_pixels(result)
    for top, left in places(pictures[title], side):
        yield np.hstack(
            [
                with_line(
                    picture[top : top + side, left : left + side],
                    f"{name} {left},{top}",
                    side,
                )
                for name, picture in pictures.items()
            ]
        )


def with_line(crop: np.ndarray, text: str, side: int) -> np.ndarray:
    """A crop below a line that says what it is, on black where it is smaller than ``side``."""
    tile = Image.new("RGB", (side, side + LABEL))
    ImageDraw.Draw(tile).text((4, 4), text, fill="white")
    tile.paste(Image.fromarray(crop), (0, LABEL))
    return np.asarray(tile)


def photos(files: Sequence[Path]) -> Iterator[tuple[str, Image.Image]]:
    """The named photos, or those of scikit-image, with what to call them."""
    for file in files:
        yield file.name, open_photo(file)
    if not files:
        for name in SHIPPED:
            yield name, Image.fromarray(getattr(skimage.data, name)())


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sheet", type=path_from_home)
    parser.add_argument("photos", type=path_from_home, nargs="*")
    parser.add_argument(
        "--model",
        action="append",
        type=from_home,
        metavar="NAME[=LABEL]",
        help="several for columns",
    )
    parser.add_argument("--crop", type=int, default=400, metavar="N", help="side in pixels")
    options = parser.parse_args()
    models = labelled(options.model or ["iphone"], ["all"])["all"]
    enhancers: dict[str, PhotoEnhancer] = {}
    for label, name in models.items():
        title = Path(name).stem if label == name else label
        if title in enhancers:
            raise DslrGanError(f"two models are called {title}; label one, as in NAME=LABEL.")
        enhancers[title] = PhotoEnhancer.from_pretrained(name)
    lines = [
        line
        for title, photo in photos(options.photos)
        for line in rows(title, photo, enhancers, options.crop)
    ]
    Image.fromarray(np.vstack(lines)).save(options.sheet, quality=90, subsampling=0)


if __name__ == "__main__":
    try:
        main()
    except DslrGanError as error:
        sys.exit(f"scripts.contact_sheet: {error}")
