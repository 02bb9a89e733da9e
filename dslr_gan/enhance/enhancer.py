"""PhotoEnhancer: a photo in, the enhanced photo out, tile by tile."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Self

import torch
from PIL import Image
from torch import Tensor

from dslr_gan.enhance.amounts import Amounts
from dslr_gan.enhance.running.forking import check_not_forked, compute_after_forks
from dslr_gan.enhance.running.memory import keep_freed_memory, memory_error_message
from dslr_gan.enhance.running.precision import ForwardTile, NetworkRunner, device_named
from dslr_gan.enhance.tiling import Tile, plan_tiles, split_tile
from dslr_gan.errors import DslrGanError, InputError
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

ONE_TILE = 1_048_576
"""Pixels up to which a photo is one tile: what two tiles both see would cost 7 % of its time."""

SMALLEST_TILE = 16


class PhotoEnhancer:
    """Enhances photos of any size, tile by tile.

    Processes that are forked after this can use it, too, unless it computes on a GPU.

    The network's memory depends on the tile; the photo's own pixels come on top: 8 bytes each
    for the photo and its result, 16 where its colours have 16 bits.

    Args:
        generator: The network; a ``Generator``, or a baseline.
        tile: Largest side in pixels that the network delivers at once, from 16. Larger tiles are
            faster, take more memory and give the same pixels. From 768 on a megapixel is one tile.
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
        self.device = device_named(device)
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
        timeout: float | None = None,
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
                None for 60, or for 10 where there is a local copy that can stand in.
            strict_source: Whether to raise an error where something would stand in for what was
                asked of the Hub: the bundled weights, or a local copy while it does not answer.
            tile: See the class.
            device: See the class.
            precision: See the class.
            compile: See the class.

        Raises:
            DslrGanError: If nothing can be loaded under that name.
        """
        if name == "":
            raise InputError("The name of a model is empty; give a Hub id, a phone, or a path.")
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
        colour: float = 1.0,
        detail: float = 1.0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Image.Image:
        """Enhance one photo.

        Args:
            photo: Any Pillow photo from 1x1; its orientation is applied, its metadata kept.
            strength: 0 returns the photo's own pixels, 1 the network's, between them a mixture.
            colour: How much of the change's low frequencies is taken, 0 to 1: see ``Amounts``.
            detail: How much of its high frequencies.
            progress: Called with (tiles done, tiles in all) after each tile.

        Returns:
            A photo of the same displayed size, mode and depth, with EXIF, colour profile and
            alpha; black and white where ``photo`` is.

        Raises:
            DslrGanError: If the photo's mode cannot be enhanced, an amount is outside [0, 1], or
                the network must see the whole picture and it is too large for that, or
                memory runs out even with the smallest tiles.
            TypeError: If ``photo`` is no Pillow image.
        """
        amounts = Amounts(strength, colour, detail)
        _check(photo)
        pixels = photo_pixels(photo)
        with memory_error_message(pixels):
            writer = InMemoryWriter(pixels)
            self.enhance_pixels(pixels, writer, amounts, progress)
            return writer.photo()

    def enhance_to_file(
        self,
        photo: Image.Image,
        destination: str | Path,
        amounts: Amounts | float = 1.0,
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
            amounts: How much of the change is done; a number is the strength alone.
            format: A name such as ``"png"``; the suffix of ``destination`` decides where None.
            like: A file whose permissions and modification time this one gets.
            progress: As in :meth:`enhance`.

        Returns:
            What the photo has and the file does not, a message each.

        Raises:
            DslrGanError: As :meth:`enhance` and ``dslr_gan.photo.save_photo``.
            TypeError: As :meth:`enhance`.
        """
        if not isinstance(amounts, Amounts):
            amounts = Amounts(amounts)
        _check(photo)
        pixels = photo_pixels(photo)
        with (
            memory_error_message(pixels),
            write_photo_in_parts(pixels, destination, format=format, like=like) as (writer, lost),
        ):
            self.enhance_pixels(pixels, writer, amounts, progress)
        return [*notes(pixels), *lost]

    @torch.inference_mode()
    def enhance_pixels(
        self,
        pixels: PhotoPixels,
        writer: PhotoWriter,
        amounts: Amounts,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Enhance all tiles of a photo and hand them to a writer: what all others here are made of.

        Raises:
            DslrGanError: As :meth:`enhance`.
        """
        check_not_forked(self.device)
        size = pixels.height, pixels.width
        reach = amounts.reach(*size)
        tiles = plan_tiles(*size, *_tile_and_margin(self.generator, self.tile, *size, reach))
        context = self._runner.context(pixels)
        forward_tile = self._runner.forward_tile_for(pixels, context)
        for done, tile in enumerate(tiles, start=1):
            self._enhance_tile(pixels, writer, tile, forward_tile, context, amounts)
            if progress is not None:
                progress(done, len(tiles))

    def _enhance_tile(
        self,
        pixels: PhotoPixels,
        writer: PhotoWriter,
        tile: Tile,
        forward_tile: ForwardTile,
        context: Tensor | None,
        amounts: Amounts,
    ) -> None:
        """Enhance one tile, in smaller ones where memory does not suffice for it."""
        size = pixels.height, pixels.width
        reach = amounts.reach(*size)
        seen = to_tensor(pixels.read(*tile.outer), channels_last=True)
        inner = tile.grown(reach, *size).inner
        delivered = self._runner.run(forward_tile, seen, inner, context)
        if delivered is not None:
            before = seen[0, :, inner[0], inner[1]].permute(1, 2, 0).numpy()
            enhanced = delivered[0].permute(1, 2, 0).numpy()
            weighed = amounts.apply(before, enhanced, *size)[tile.within_grown(reach)]
            writer.paint(*tile.core, weighed, amounts.strength)
            return
        smaller = _halved(tile, self.generator, self.device)
        if smaller < self.tile:  # other photos need not fail at it again
            logger.warning(
                "not enough memory on %s; going on with tiles of %d", self.device, smaller
            )
            self.tile = smaller
        margin = (self.generator.receptive_radius or 0) + reach
        for part in split_tile(tile, *size, smaller, margin, self.generator.multiple):
            self._enhance_tile(pixels, writer, part, forward_tile, context, amounts)


def _tile_and_margin(
    generator: Pretrained, tile: int, height: int, width: int, reach: int
) -> tuple[int, int, int]:
    """What ``plan_tiles`` must know of a network."""
    whole = max(height, width) + generator.multiple
    if generator.receptive_radius is not None:
        side = whole if tile >= TILE and height * width <= ONE_TILE else tile
        return side, generator.receptive_radius + reach, generator.multiple
    if height * width > WHOLE_LIMIT:
        raise DslrGanError(
            f"the photo has {width}x{height} pixels, and this network's instance norm must "
            f"see all of them at once, up to {WHOLE_LIMIT // 1_000_000} megapixels; "
            "scale the photo down or take a model without instance norm."
        )
    return whole, 0, generator.multiple


def _halved(tile: Tile, generator: Pretrained, device: torch.device) -> int:
    """The side of the smaller tiles that are tried where memory does not suffice for one."""
    side = max(tile.bottom - tile.top, tile.right - tile.left)
    smaller = -(-side // 2)
    if generator.receptive_radius is None or smaller < SMALLEST_TILE:
        raise DslrGanError(
            f"There is not enough memory on {device} for a tile of {side} pixels; "
            "close other programs or compute elsewhere, for example with --device cpu."
        )
    return smaller


def _check(photo: Image.Image) -> None:
    if not isinstance(photo, Image.Image):
        raise TypeError(
            f"photo must be a PIL.Image.Image, got {type(photo).__name__}; "
            "use PIL.Image.open or PIL.Image.fromarray."
        )
