"""PhotoEnhancer: a photo in, the enhanced photo out, tile by tile."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from dslr_gan.catalogue import PHONES, Phone
from dslr_gan.errors import DslrGanError
from dslr_gan.generator import SUMMARY_SIDE, SUMMARY_STEPS, detail_maps
from dslr_gan.image import from_canvas, to_canvas, to_pixels, to_tensor
from dslr_gan.networks import load_network, load_published
from dslr_gan.pretrained import Origin, Pretrained
from dslr_gan.tiling import plan_tiles

log = logging.getLogger(__name__)

WHOLE_LIMIT = 4_000_000
"""Pixels up to which a network that needs the whole picture at once is run."""

SMALLEST_TILE = 16


class PhotoEnhancer:
    """Enhances photos of any size, tile by tile.

    The network's memory depends on the tile; the photo's own pixels come on top.

    Args:
        generator: The network; a ``Generator``, or a baseline.
        tile: Largest side in pixels that the network delivers at once, from 16. Larger tiles
            are faster and take more memory; the pixels stay the same.
        device: Where to compute, such as ``"cpu"`` or ``"cuda:1"``; ``None`` takes a GPU where
            there is one.

    Raises:
        DslrGanError: If the tile is too small or the device is not there.
    """

    def __init__(
        self, generator: Pretrained, tile: int = 512, device: str | torch.device | None = None
    ) -> None:
        if tile < SMALLEST_TILE:
            raise DslrGanError(f"tile must be at least {SMALLEST_TILE} pixels, got {tile}.")
        self.tile = tile
        self.device = _device(device)
        generator.to(self.device)
        # Convolutions on a CPU are faster with the channels innermost.
        generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator = generator.eval()
        self.source = "weights handed over in memory"

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        tile: int = 512,
        device: str | torch.device | None = None,
    ) -> Self:
        """Load an enhancer by a name of the catalogue, a Hub id, a folder, or a file.

        ``"iphone"`` and ``"sony"`` ask the Hub when their repository is configured
        (``DSLR_GAN_IPHONE_REPO``, ``DSLR_GAN_SONY_REPO``); when that fails, its local copy is
        taken, then the bundled weights, with a warning in the log. A Hub id or a revision that
        was asked for is never replaced by something else. ``source`` says what was taken.

        Args:
            name: ``"iphone"``, ``"sony"``, a Hub id ``owner/name``, a folder that a network of
                any class was saved to, or the safetensors file of a published DPED generator or
                SRCNN.
            revision: Branch, tag or commit on the Hub.
            tile: See the class.
            device: See the class.

        Returns:
            The enhancer.

        Raises:
            DslrGanError: If nothing can be loaded under that name.
        """
        generator: Pretrained
        if str(name) in PHONES:
            generator, source = _load_phone(PHONES[str(name)], revision)
        else:
            generator = _load_named(name, revision)
            source = _describe(str(name), generator.origin)
        enhancer = cls(generator, tile=tile, device=device)
        enhancer.source = source
        return enhancer

    def enhance(
        self,
        photo: Image.Image,
        strength: float = 1.0,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Image.Image:
        """Enhance one photo.

        Args:
            photo: Any Pillow photo from 1x1; its orientation is applied, its metadata kept.
            strength: 0 returns the photo's own pixels, 1 the network's, between them a mixture.
            progress: Called with (tiles done, tiles in all) after each tile.

        Returns:
            A photo of the same displayed size, mode and depth, with EXIF, colour profile and
            alpha.

        Raises:
            DslrGanError: If the photo's mode cannot be enhanced, ``strength`` is outside [0, 1],
                or the network must see the whole picture and it is too large for that.
            TypeError: If ``photo`` is no Pillow image.
        """
        if not isinstance(photo, Image.Image):
            raise TypeError(
                f"photo must be a PIL.Image.Image, got {type(photo).__name__}; "
                "use PIL.Image.open or PIL.Image.fromarray."
            )
        if not 0 <= strength <= 1:
            raise DslrGanError(f"strength must lie between 0 and 1, got {strength}.")
        canvas = to_canvas(photo)
        return from_canvas(canvas, self._enhance_pixels(canvas.pixels, strength, progress))

    @torch.inference_mode()
    def _enhance_pixels(
        self,
        pixels: np.ndarray,
        strength: float,
        progress: Callable[[int, int], None] | None,
    ) -> np.ndarray:
        height, width = pixels.shape[:2]
        tiles = plan_tiles(height, width, *self._tile_and_margin(height, width))
        context = self._context(pixels)
        result = np.empty_like(pixels)
        for done, tile in enumerate(tiles, start=1):
            seen = to_tensor(pixels[tile.outer]).to(self.device, memory_format=torch.channels_last)
            enhanced = self.generator(seen, context)
            delivered = torch.lerp(seen, enhanced, strength)[..., *tile.inner]
            result[tile.core] = to_pixels(delivered.cpu(), pixels.dtype)
            if progress is not None:
                progress(done, len(tiles))
        return result

    def _tile_and_margin(self, height: int, width: int) -> tuple[int, int, int]:
        radius = self.generator.receptive_radius
        if radius is not None:
            return self.tile, radius, self.generator.multiple
        if height * width > WHOLE_LIMIT:
            raise DslrGanError(
                f"the photo has {width}x{height} pixels, and this network's instance norm must "
                f"see all of them at once, up to {WHOLE_LIMIT // 1_000_000} megapixels; "
                "scale the photo down or take a model without instance norm."
            )
        return max(height, width) + self.generator.multiple, 0, self.generator.multiple

    def _context(self, pixels: np.ndarray) -> Tensor | None:
        """The photo's description, from its summary, worked out a band of rows at a time."""
        if not self.generator.uses_context:
            return None
        height = pixels.shape[0]
        bands = []
        for row in range(SUMMARY_SIDE):
            # The same cells as adaptive_avg_pool2d over the whole picture, and the rows below
            # them that the differences reach.
            top, bottom = row * height // SUMMARY_SIDE, -(-(row + 1) * height // SUMMARY_SIDE)
            maps = detail_maps(to_tensor(pixels[top : bottom + max(SUMMARY_STEPS)]))
            cells = maps[:, :, : bottom - top]
            bands.append(F.adaptive_avg_pool2d(cells, (1, SUMMARY_SIDE)))
        return self.generator.context(torch.cat(bands, dim=2).to(self.device))


def _device(wanted: str | torch.device | None) -> torch.device:
    if wanted is None:
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device).item()  # "meta" holds no numbers to give back
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DslrGanError(f"there is no device {wanted!s} here; cpu always works.") from error
    return device


def _load_named(name: str | Path, revision: str | None) -> Pretrained:
    try:
        is_file = Path(name).is_file()
    except OSError as error:  # too long a name, or a folder that is out of reach
        raise DslrGanError(
            f"{name} cannot be loaded ({error.strerror}); check the name and its permissions."
        ) from error
    try:
        if is_file and revision is None:
            return load_published(name)
        return load_network(name, revision=revision)
    except DslrGanError as error:
        known = ", ".join(PHONES)
        if Path(name).exists() or "/" in str(name):
            raise
        raise DslrGanError(
            f"there is no model {str(name)!r}; take one of {known}, a Hub id such as owner/name, "
            "or a folder."
        ) from error


def _load_phone(phone: Phone, revision: str | None) -> tuple[Pretrained, str]:
    repository = phone.repository
    if repository is None and revision is not None:
        raise DslrGanError(
            f"revision {revision!r} of {phone.name} was asked for, but no Hub repository is "
            f"configured for it; set {phone.variable} or leave the revision out."
        )
    if repository is None:
        return load_network(phone.folder), f"bundled {phone.name} weights"
    try:
        network = load_network(repository, revision=revision)
        return network, _describe(repository, network.origin)
    except DslrGanError as error:
        if revision is not None:
            raise
        log.warning("%s; using the bundled %s weights", str(error).rstrip("."), phone.name)
        return (
            load_network(phone.folder),
            f"bundled {phone.name} weights, because {repository} could not be loaded",
        )


def _describe(name: str, origin: Origin | None) -> str:
    if origin is None:
        return f"file {name}"
    if origin.commit is None:
        return f"folder {name}"
    text = f"Hub repository {name} at commit {origin.commit[:8]}"
    if not origin.answered:
        log.warning("the Hub did not answer; using the local copy of %s", name)
        text += " (local copy, the Hub did not answer)"
    return text
