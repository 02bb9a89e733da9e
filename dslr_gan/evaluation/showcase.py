"""A photo before and after, for the head of a model's card."""

import dataclasses
import io

import numpy as np
import skimage.data
from PIL import Image

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.models.pretrained import Pretrained
from hub_card import Picture, unknown_facts

FILE = "before-after.jpg"
SHOWS = "A photo of scikit-image as it was on the left, and enhanced by this model on the right."
HEIGHT = 427
"""Of the picture in pixels."""


def before_and_after(enhancer: PhotoEnhancer) -> bytes:
    """A JPEG: a photo that ships with scikit-image, and the same enhanced, side by side."""
    photo = Image.fromarray(skimage.data.rocket())
    width = round(photo.width * HEIGHT / photo.height)
    halves = [
        np.asarray(picture.resize((width, HEIGHT), Image.Resampling.LANCZOS))
        for picture in (photo, enhancer.enhance(photo))
    ]
    file = io.BytesIO()
    Image.fromarray(np.hstack(halves)).save(file, "JPEG", quality=88, optimize=True)
    return file.getvalue()


def show_before_and_after(network: Pretrained) -> None:
    """Add such a picture to a network's facts, unless they have one."""
    facts = network.facts or unknown_facts(type(network).__name__)
    if facts.before_after is None or facts.before_after.file not in network.pictures:
        network.pictures = {**network.pictures, FILE: before_and_after(PhotoEnhancer(network))}
        network.facts = dataclasses.replace(facts, before_after=Picture(file=FILE, shows=SHOWS))
