"""Make phone and DSLR photos from any photos, to try ``prepare`` and training without a camera.

    python -m benchmarks.made_pairs --out made photos/*.jpg    # or no photos: scikit-image's own
    python -m dslr_gan prepare --phone made/phone --dslr made/dslr --out pairs/made

The DSLR photo shows the photo as it is, seen by a turned and tilted camera. The phone photo has
three quarters of its resolution and what a phone does to it: blur, noise, dull and shifted colours.
``truth.json`` holds, for each, the homography from phone (x, y) to DSLR (x, y). The same photos and
seed give the same files.
"""

import argparse
import json

import numpy as np
import skimage.data
from PIL import Image
from skimage.filters import gaussian
from skimage.transform import ProjectiveTransform, warp

from dslr_gan.files import path_from_home
from dslr_gan.photo import open_photo, rgb_pixels

PHONE_SCALE = 0.75
SHIPPED = ("astronaut", "coffee", "chelsea", "rocket")


def random_homography(
    rng: np.random.Generator, phone: tuple[int, int], dslr: tuple[int, int]
) -> np.ndarray:
    """A view of two cameras side by side: a few degrees, a tenth of zoom, a slight tilt.

    Args:
        rng: Where chance comes from.
        phone: Width and height of the phone photo.
        dslr: Width and height of the DSLR photo.

    Returns:
        ``(3, 3)``, from phone (x, y) to DSLR (x, y); the middles nearly coincide.
    """
    angle = np.deg2rad(rng.uniform(-5, 5))
    zoom = dslr[0] / phone[0] * rng.uniform(0.95, 1.1)
    tilt = rng.uniform(-0.03, 0.03, 2) / phone
    move = rng.uniform(-0.02, 0.02, 2) * dslr
    first, turn, last = np.eye(3), np.eye(3), np.eye(3)
    first[:2, 2] = -(np.array(phone) - 1) / 2
    turn[:2, :2] = zoom * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    turn[2, :2] = tilt
    last[:2, 2] = (np.array(dslr) - 1) / 2 + move
    whole = last @ turn @ first
    return whole / whole[2, 2]


def make_pair(
    photo: np.ndarray, seed: int, noise: float = 4.0, phone_scale: float = PHONE_SCALE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make one pair.

    Args:
        photo: ``(H, W, 3)`` uint8.
        seed: Of view and noise.
        noise: Standard deviation of the phone's, in 8-bit steps.
        phone_scale: Its resolution over the photo's.

    Returns:
        Phone photo, DSLR photo (both uint8), and the homography between them.
    """
    rng = np.random.default_rng(seed)
    height, width = photo.shape[:2]
    size = round(width * phone_scale), round(height * phone_scale)
    homography = random_homography(rng, size, (width, height))
    small = Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS)
    phone = gaussian(np.asarray(small) / 255, 0.7, channel_axis=2)
    phone = 0.9 * phone**1.2 * np.array([0.95, 1.0, 1.05]) + 0.04
    phone += rng.normal(0, noise / 255, phone.shape)
    # From DSLR to phone, from there to the photo, whose pixel centres scale about their edges.
    across, down = width / size[0], height / size[1]
    to_photo = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
    view = ProjectiveTransform(to_photo @ np.linalg.inv(homography))
    dslr = warp(photo / 255, view, output_shape=photo.shape[:2], order=3)
    return _bytes(phone), _bytes(dslr), homography


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def main() -> None:
    """Write the photos of both cameras and the truth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "photos", nargs="*", type=path_from_home, help="default: photos in scikit-image"
    )
    parser.add_argument("--out", type=path_from_home, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    truth = {}
    for folder in ("phone", "dslr"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    for number, photo in enumerate(options.photos or SHIPPED):
        if isinstance(photo, str):
            name, pixels = photo, getattr(skimage.data, photo)()
        else:
            name, pixels = photo.stem, rgb_pixels(open_photo(photo))
        phone, dslr, homography = make_pair(pixels, options.seed + number)
        for folder, side in (("phone", phone), ("dslr", dslr)):
            Image.fromarray(side).save(options.out / folder / f"{name}.png")
        truth[name] = homography.tolist()
        print(name)
    (options.out / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")


if __name__ == "__main__":
    main()
