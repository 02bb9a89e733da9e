"""Make the README's picture: photos that ship with scikit-image, before and after.

python -m scripts.before_after docs/before_after.jpg
"""

import argparse
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from dslr_gan import PhotoEnhancer
from dslr_gan.photo import save_photo

HEIGHT = 400


def main(file: Path) -> None:
    """Enhance the photos and lay them out: originals above, results below."""
    enhancer = PhotoEnhancer.from_pretrained("iphone")
    columns = []
    for pixels in (skimage.data.rocket(), skimage.data.chelsea()):
        photo = Image.fromarray(pixels)
        width = round(photo.width * HEIGHT / photo.height)
        pair = [
            np.asarray(picture.resize((width, HEIGHT), Image.Resampling.LANCZOS))
            for picture in (photo, enhancer.enhance(photo))
        ]
        columns.append(np.vstack(pair))
    save_photo(Image.fromarray(np.hstack(columns)), file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the picture to write")
    main(parser.parse_args().file)
