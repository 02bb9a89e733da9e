"""PhotoEnhancer: a photo in, the enhanced photo out, tile by tile."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Self

import torch
from PIL import Image
from torch import Tensor

from dslr_gan.enhance.forking import check_not_forked, compute_after_forks
from dslr_gan.enhance.memory import keep_freed_memory, memory_error_message
from dslr_gan.enhance.precision import ForwardTile, NetworkRunner
from dslr_gan.enhance.tiling import Tile, plan_tiles, split_tile
from dslr_gan.errors import DslrGanError
from dslr_gan.hub import TIMEOUT_S
from dslr_gan.models.context import summarize_in_parts
from dslr_gan.models.pretrained import Pretrained
from dslr_gan.models.registry import load
from dslr_gan.photo import (
    InMemoryWriter,
    PhotoPixels,
    PhotoWriter,
    notes,
    photo_pixels,
    to_tensor,
    write_photo_in_parts,
)

logger = logging.getLogger(__name__)

WHOLE_LIMIT = 4_000_000
"""Pixels up to which a network that needs the whole picture at once is run."""

TILE = 768
"""Side of a tile where none is given; ``benchmarks/inference.py`` compares others."""

SMALLEST_TILE = 16


class PhotoEnhancer:
    """Enhances photos of any size, tile by tile.

    Processes that are forked after this can use it, too, unless it computes on a GPU.

    The network's memory depends on the tile; the photo's own pixels come on top: 8 bytes each
    for the photo and its result, 16 where its colours have 16 bits.

    Args:
        generator: The network; a ``Generator``, or a baseline.
        tile: Largest side in pixels that the network delivers at once, from 16. Larger tiles
            are faster and take more memory; the pixels stay the same.
        device: Where to compute, such as ``"cpu"`` or ``"cuda:1"``; ``None`` takes a GPU where
            there is one.
        precision: ``"fp32"`` or ``"bf16"``. With the latter the wide convolutions are computed
            in bfloat16 where the device has it and the middle of the photo comes out the same to
            1/255; otherwise in float32, with a warning in the log.
        compile: Whether ``torch.compile`` generates code for each size of tile, which takes
            seconds and pays off over several photos of one size.

    Raises:
        DslrGanError: If the tile is too small, the device or the precision does not exist, or
            nothing can be compiled on this machine.
    """

    def __init__(
        self,
        generator: Pretrained,
        tile: int = TILE,
        device: str | torch.device | None = None,
        precision: str = "fp32",
        compile: bool = False,
    ) -> None:
        if tile < SMALLEST_TILE:
            raise DslrGanError(f"tile must be at least {SMALLEST_TILE} pixels, got {tile}.")
        self.tile = tile
        self.device = _device(device)
        keep_freed_memory()
        compute_after_forks()
        generator.to(self.device)
        # Convolutions on a CPU are faster with the channels innermost.
        generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator = generator.eval()
        self.source = "weights handed over in memory"
        """Where the weights came from, in words for people."""
        self.fallback: str | None = None
        """Why something stood in for what was asked of the Hub; None where nothing did."""
        self._runner = NetworkRunner(self.generator, self.device, precision, compile)

    @property
    def precision(self) -> str:
        """What most of the arithmetic is done in: ``fp32`` or ``bf16``."""
        return self._runner.precision

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        timeout: float = TIMEOUT_S,
        strict_source: bool = False,
        tile: int = TILE,
        device: str | torch.device | None = None,
        precision: str = "fp32",
        compile: bool = False,
    ) -> Self:
        """Load an enhancer by a name of the catalogue, a Hub id, a folder, or a file.

        ``"iphone"`` and ``"sony"`` ask the Hub when their repository is configured
        (``DSLR_GAN_IPHONE_REPO``, ``DSLR_GAN_SONY_REPO``); when that fails, its local copy is
        taken, then the bundled weights, with a warning in the log. A Hub id or a revision that
        was asked for is never replaced by something else. ``source`` says what was taken, and
        ``fallback`` why it was.

        Args:
            name: ``"iphone"``, ``"sony"``, a Hub id ``owner/name``, one with a revision
                ``owner/name@revision``, the address of a repository's page, a folder that a network
                of any class was saved to, or the safetensors file of a published DPED generator or
                SRCNN.
            force_download: Whether to download anew what is in the cache.
            token: Access token; ``None`` takes the one of ``hf auth login`` or ``HF_TOKEN``,
                ``False`` none.
            cache_dir: Where fetched files are kept; ``None`` for huggingface_hub's usual place.
            local_files_only: Whether to take the local copy without asking the Hub.
            revision: Branch, tag or commit on the Hub.
            timeout: Seconds that the Hub has; while a file comes, be it slowly, they do not pass.
            strict_source: Whether to raise an error where something would stand in for what was
                asked of the Hub: the bundled weights, or a local copy while it does not answer.
            tile: See the class.
            device: See the class.
            precision: See the class.
            compile: See the class.

        Returns:
            The enhancer.

        Raises:
            DslrGanError: If nothing can be loaded under that name.
        """
        loaded = load(
            name,
            force_download=force_download,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            revision=revision,
            timeout=timeout,
            strict_source=strict_source,
        )
        enhancer = cls(loaded.network, tile, device, precision, compile)
        enhancer.source, enhancer.fallback = loaded.source, loaded.fallback
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
            alpha; black and white where ``photo`` is.

        Raises:
            DslrGanError: If the photo's mode cannot be enhanced, ``strength`` is outside [0, 1],
                or the network must see the whole picture and it is too large for that, or
                memory runs out even with the smallest tiles.
            TypeError: If ``photo`` is no Pillow image.
        """
        _check(photo, strength)
        pixels = photo_pixels(photo)
        with memory_error_message(pixels):
            writer = InMemoryWriter(pixels)
            self._enhance_pixels(pixels, writer, strength, progress)
            return writer.photo()

    def enhance_to_file(
        self,
        photo: Image.Image,
        destination: str | Path,
        strength: float = 1.0,
        *,
        format: str | None = None,
        like: str | Path | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[str]:
        """Enhance one photo into a file; of a TIFF only one tile at a time is in memory.

        With a photo that ``dslr_gan.photo.open_photo_in_parts`` left in its file, memory depends on
        the tile alone. The file is whole or not there. ``enhance_file`` also opens the photo and
        chooses the format.

        Args:
            photo: As in :meth:`enhance`.
            destination: The file; it is replaced where it exists, missing folders are made.
            strength: As in :meth:`enhance`.
            format: A name such as ``"png"``; the suffix of ``destination`` decides where None.
            like: A file whose permissions and modification time this one gets.
            progress: As in :meth:`enhance`.

        Returns:
            What the photo has and the file does not, a sentence each.

        Raises:
            DslrGanError: As :meth:`enhance` and ``dslr_gan.photo.save_photo``.
            TypeError: As :meth:`enhance`.
        """
        _check(photo, strength)
        pixels = photo_pixels(photo)
        with (
            memory_error_message(pixels),
            write_photo_in_parts(pixels, destination, format=format, like=like) as (writer, lost),
        ):
            self._enhance_pixels(pixels, writer, strength, progress)
        return [*notes(pixels), *lost]

    @torch.inference_mode()
    def _enhance_pixels(
        self,
        pixels: PhotoPixels,
        writer: PhotoWriter,
        strength: float,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        """Enhance all tiles of a photo and hand them to the writer."""
        check_not_forked(self.device)
        tile_and_margin = self._tile_and_margin(pixels.height, pixels.width)
        tiles = plan_tiles(pixels.height, pixels.width, *tile_and_margin)
        context = self._context(pixels)
        forward_tile = self._runner.forward_tile_for(pixels, context)
        for done, tile in enumerate(tiles, start=1):
            self._enhance_tile(pixels, writer, tile, forward_tile, context, strength)
            if progress is not None:
                progress(done, len(tiles))

    def _enhance_tile(
        self,
        pixels: PhotoPixels,
        writer: PhotoWriter,
        tile: Tile,
        forward_tile: ForwardTile,
        context: Tensor | None,
        strength: float,
    ) -> None:
        """Enhance one tile, in smaller ones where memory does not suffice for it."""
        seen = to_tensor(pixels.read(*tile.outer), channels_last=True)
        delivered = self._runner.run(forward_tile, seen, tile.inner, context)
        if delivered is not None:
            enhanced = delivered[0].permute(1, 2, 0)
            writer.paint(*tile.core, enhanced.numpy(), strength)
            return
        side = max(tile.bottom - tile.top, tile.right - tile.left)
        smaller = -(-side // 2)
        radius, multiple = self.generator.receptive_radius, self.generator.multiple
        if radius is None or smaller < SMALLEST_TILE:
            raise DslrGanError(
                f"There is not enough memory on {self.device} for a tile of {side} pixels; "
                "close other programs or compute elsewhere, for example with --device cpu."
            )
        if smaller < self.tile:  # other photos need not fail at it again
            logger.warning(
                "not enough memory on %s; going on with tiles of %d", self.device, smaller
            )
            self.tile = smaller
        for part in split_tile(tile, pixels.height, pixels.width, smaller, radius, multiple):
            self._enhance_tile(pixels, writer, part, forward_tile, context, strength)

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

    def _context(self, pixels: PhotoPixels) -> Tensor | None:
        """What the whole photo tells each of its tiles; None of a network without context."""
        if not self.generator.uses_context:
            return None

        def read(rows: slice, columns: slice) -> Tensor:
            return to_tensor(pixels.read(rows, columns))

        summary = summarize_in_parts(read, pixels.height, pixels.width)
        return self.generator.context(summary.to(self.device))


def _check(photo: Image.Image, strength: float) -> None:
    if not isinstance(photo, Image.Image):
        raise TypeError(
            f"photo must be a PIL.Image.Image, got {type(photo).__name__}; "
            "use PIL.Image.open or PIL.Image.fromarray."
        )
    if not 0 <= strength <= 1:
        raise DslrGanError(f"strength must lie between 0 and 1, got {strength}.")


def _device(wanted: str | torch.device | None) -> torch.device:
    if wanted is None:
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        check_not_forked(device)
        torch.zeros(1, device=device).item()  # "meta" holds no numbers to give back
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DslrGanError(f"there is no device {wanted!s} here; cpu always works.") from error
    return device
