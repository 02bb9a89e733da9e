"""Pairs of phone and DSLR photos with known truth, for the tests of what aligns them."""

from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from skimage.filters import gaussian
from skimage.transform import ProjectiveTransform, warp

from benchmarks.made_pairs import make_pair

SHIPPED = ("astronaut", "coffee", "chelsea", "rocket")


def photo(name: str, width: int | None = None) -> np.ndarray:
    """A photo that ships with scikit-image, perhaps at another size."""
    pixels = getattr(skimage.data, name)()
    if width is None:
        return pixels
    size = width, round(pixels.shape[0] * width / pixels.shape[1])
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def write_pairs(folder: Path, names=SHIPPED, suffix="png", width=None) -> tuple[Path, Path]:
    """Write pairs as folders ``phone`` and ``dslr``; a name may be a shipped one and a number.

    The time that aligning a pair takes grows with its width, which is the photo's where not given.
    """
    for side in ("phone", "dslr"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        phone, dslr, _ = make_pair(photo(name.rstrip("0123456789"), width), number)
        Image.fromarray(phone).save(folder / "phone" / f"{name}.png")
        Image.fromarray(dslr).save(folder / "dslr" / f"{name}.{suffix}")
    return folder / "phone", folder / "dslr"


def view(pixels, degrees, zoom, tilt=(0.05, -0.04), noise=6.0):
    """What two cameras see of a photo: one blurred and noisy, one turned, zoomed and tilted.

    Unlike the benchmark's, both have the photo's size. Returns phone, DSLR, homography.
    """
    height, width = pixels.shape[:2]
    angle = np.deg2rad(degrees)
    centre, turn = np.eye(3), np.eye(3)
    centre[:2, 2] = (width - 1) / 2, (height - 1) / 2
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:2, :2] *= zoom
    turn[2, :2] = tilt[0] / width, tilt[1] / height
    truth = centre @ turn @ np.linalg.inv(centre)
    rng = np.random.default_rng(0)
    plain = pixels / 255
    dslr = warp(plain, ProjectiveTransform(np.linalg.inv(truth)), order=3)
    dslr = np.clip(dslr, 0, 1) ** 0.8 * np.array([0.95, 0.85, 0.8]) + 0.05
    dslr += rng.normal(0, 2 / 255, plain.shape)
    phone = gaussian(plain, 1.0, channel_axis=2) + rng.normal(0, noise / 255, plain.shape)
    photos = [np.rint(np.clip(side, 0, 1) * 255).astype(np.uint8) for side in (phone, dslr)]
    return *photos, truth / truth[2, 2]
