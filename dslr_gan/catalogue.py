"""The phones this package knows by name, and where the weights for each of them lie."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Phone:
    """One phone whose photos can be enhanced."""

    name: str
    """What programs call it, such as ``iphone``."""

    title: str
    """What people call it, such as ``iPhone``."""

    camera: str
    """The model whose photos the weights learned from, such as ``iPhone 3GS``."""

    variable: str
    """The environment variable that may name a Hub repository to load the weights from."""

    @property
    def repository(self) -> str | None:
        """The Hub repository that ``variable`` names at this moment; None where it names none."""
        return os.environ.get(self.variable, "").strip() or None

    @property
    def folder(self) -> Path:
        """The folder for the weights that come with the package."""
        return Path(__file__).parent / "weights" / self.name

    @property
    def bundled(self) -> bool:
        """Whether this installation has weights in ``folder``."""
        return all((self.folder / name).is_file() for name in ("config.json", "model.safetensors"))


_ALL = (
    Phone(name="iphone", title="iPhone", camera="iPhone 3GS", variable="DSLR_GAN_IPHONE_REPO"),
    Phone(name="sony", title="Sony", camera="Sony Xperia Z", variable="DSLR_GAN_SONY_REPO"),
)

PHONES: dict[str, Phone] = {each.name: each for each in _ALL}
"""The catalogue, by name."""
