"""The phones this package knows by name: their weights, and which photos suit them.

A photo names the camera it was taken with in its EXIF, by maker and model. That decides what
``auto`` stands for, and whether a hint is given.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol


@dataclass(frozen=True)
class Phone:
    """One phone whose photos can be enhanced."""

    name: str
    """What programs call it, such as ``iphone``."""

    title: str
    """What people call it, such as ``iPhone``."""

    camera: str
    """The model whose photos the weights learned from, such as ``iPhone 3GS``."""

    maker: str
    """The first word of the maker in the EXIF of this family's photos, in lower case."""

    models: tuple[str, ...]
    """What the EXIF of ``camera`` may say for the model; a phone is sold under many numbers."""

    variable: str
    """The environment variable that may name a Hub repository to load the weights from."""

    @property
    def repository(self) -> str | None:
        """The Hub repository that ``variable`` names at this moment; None where it names none."""
        return os.environ.get(self.variable, "").strip() or None

    @property
    def folder(self) -> Path:
        """The folder for the weights that come with the package."""
        return Path(__file__).parents[1] / "weights" / self.name

    @property
    def bundled(self) -> bool:
        """Whether this installation has weights in ``folder``."""
        return all((self.folder / name).is_file() for name in ("config.json", "model.safetensors"))


_ALL = (
    Phone(
        name="iphone",
        title="iPhone",
        camera="iPhone 3GS",
        maker="apple",
        models=("iPhone 3GS",),
        variable="DSLR_GAN_IPHONE_REPO",
    ),
    Phone(
        name="sony",
        title="Sony",
        camera="Sony Xperia Z",
        maker="sony",
        models=("Xperia Z", "C6602", "C6603", "C6606", "C6616", "L36h", "SO-02E"),
        variable="DSLR_GAN_SONY_REPO",
    ),
)

PHONES: dict[str, Phone] = {phone.name: phone for phone in _ALL}
"""The catalogue, by name."""

AUTO = "auto"
"""Chooses the phone for each photo by the maker of its camera; for photos that are enhanced."""

DEFAULT = PHONES["iphone"]
"""The phone that is taken where nobody chose one and the photo does not tell."""


class Camera(NamedTuple):
    """What a photo's EXIF says of the camera; empty where it says nothing."""

    maker: str = ""
    model: str = ""

    def __str__(self) -> str:
        """As people would say it: many models repeat their maker."""
        if self.model.lower().startswith(self.maker.lower()):
            return self.model
        return f"{self.maker} {self.model}".strip()

    @property
    def phone(self) -> Phone | None:
        """The phone of the catalogue by the same maker; None where there is none."""
        first = self.maker.lower().split()[:1]
        return next((phone for phone in PHONES.values() if [phone.maker] == first), None)


class _HasExif(Protocol):
    def getexif(self) -> Mapping[int, object]: ...


_MAKER, _MODEL = 0x010F, 0x0110


def camera_of(photo: _HasExif) -> Camera:
    """Read the camera from a Pillow photo's EXIF; from broken EXIF nothing is read."""
    try:
        exif = photo.getexif()
        return Camera(*(_words(exif.get(tag)) for tag in (_MAKER, _MODEL)))
    except Exception:  # Pillow raises nearly anything on broken EXIF
        return Camera()


def _words(value: object) -> str:
    """A text of EXIF without the zeros and spaces that makers pad it with."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return ""
    printable = (letter if letter.isprintable() else " " for letter in text)
    return " ".join("".join(printable).split())[:60]


def camera_hint(phone: Phone, camera: Camera, photos: int = 1) -> str | None:
    """Say that a photo is not of the camera that a phone's weights learned from.

    Args:
        phone: Whose weights are used.
        camera: What the photo says.
        photos: How many photos say so.

    Returns:
        One sentence for people; None where the camera is the right one, or nothing is known.
    """
    if not str(camera):
        return None
    models = {model.lower() for model in phone.models}
    if camera.phone is phone and camera.model.lower() in models:
        return None
    if camera.phone not in (None, phone):
        advice = f"the {camera.phone.title} model may suit it better"
    else:
        advice = "what it does to other cameras was not measured; less strength may look better"
    taken = "This photo was taken" if photos == 1 else f"{photos} photos were taken"
    return (
        f"{taken} with a camera called {camera}, and the {phone.title} model learned "
        f"from the {phone.camera}: {advice}."
    )
