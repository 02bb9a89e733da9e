"""What the page keeps of an enhanced photo, so that nothing is computed twice.

Beside the pictures for the browser that is the network's result, in the bits of the photo, in a
file: a download of any strength is made of it and of the upload.
"""

import copy
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dslr_gan.enhance.amounts import Amounts
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.enhance.tiling import plan_tiles
from dslr_gan.errors import DslrGanError
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.uploads import KEEP_SECONDS, fresh_folder, remove_upload
from dslr_gan.page.work.jobs import CANCELLED, stop
from dslr_gan.page.work.look import MAX_MEGAPIXELS
from dslr_gan.page.work.pictures import Pictures
from dslr_gan.photo import PhotoPixels, PhotoWriter, open_photo_in_parts, photo_pixels

MAX_KEPT_BYTES = 6_000_000_000
"""Of all kept results on the disk; beyond it the oldest go. A result of 12 megapixels takes 50 MB,
with 16 bits or a colour profile twice that; where colour or detail was changed, 90 MB more."""

_TILE = 1024


# The network's result -------------------------------------------------------------------------


class ResultWriter(PhotoWriter):
    """Keeps what the network made of a photo, before anything is mixed: sRGB, clipped, in a file.

    The levels are the photo's own where it is in sRGB, so that full strength comes out of the file
    with every bit; where they are converted back afterwards they have 16 bits.

    Args:
        source: What ``photo_pixels`` made of the photo.
        file: Where to.
    """

    def __init__(self, source: PhotoPixels, file: Path) -> None:
        super().__init__(source)
        dtype = np.uint8 if source.dtype == np.uint8 and source.space is None else np.uint16
        self.levels = np.lib.format.open_memmap(
            file, "w+", np.dtype(dtype), (source.height, source.width, 3)
        )

    def put_srgb(
        self, rows: slice, columns: slice, srgb: np.ndarray, strength: float = 1.0
    ) -> None:
        """See :meth:`PhotoWriter.put_srgb`."""
        assert strength == 1
        dtype = self.levels.dtype
        levels = np.rint(np.clip(srgb, 0, 1) * np.iinfo(dtype).max).astype(dtype)
        self.put(rows, columns, levels)

    def put(self, rows: slice, columns: slice, levels: np.ndarray) -> None:
        """Keep the levels of a part: ``(H, W, 3)``, sRGB."""
        self.levels[rows, columns] = levels


class KeptEnhancer(PhotoEnhancer):
    """An enhancer for one photo whose result is kept: it gives that and runs no network.

    Args:
        enhancer: The one that made the result.
        file: What a :class:`ResultWriter` wrote.
    """

    def __init__(self, enhancer: PhotoEnhancer, file: Path) -> None:
        vars(self).update(vars(copy.copy(enhancer)))
        self._file = file

    def enhance_pixels(
        self,
        pixels: PhotoPixels,
        writer: PhotoWriter,
        amounts: Amounts,
        progress: Any = None,
    ) -> None:
        """See :meth:`PhotoEnhancer.enhance_pixels`."""
        levels = np.load(self._file, mmap_mode="r")
        size = pixels.height, pixels.width
        if levels.shape[:2] != size:
            raise DslrGanError("This photo was replaced by another one; enhance it again.")
        reach = amounts.reach(*size)
        for tile in plan_tiles(*size, _TILE, reach):
            rows, columns = tile.grown(reach, *size).core
            kept = levels[rows, columns]
            enhanced = kept.astype(np.float32) / np.iinfo(kept.dtype).max
            before = pixels.read(rows, columns).astype(np.float32) / pixels.top
            weighed = amounts.apply(before, enhanced, *size)[tile.within_grown(reach)]
            writer.put_srgb(*tile.core, weighed, amounts.strength)


# What is kept, by token -----------------------------------------------------------------------


@dataclass
class Kept:
    """One enhanced photo of one session."""

    token: str
    session: str
    phone: str
    photo: Path
    """The upload."""
    folder: Path
    """Holds all that is made of it."""
    width: int
    """Pixels, as displayed."""
    height: int
    """Likewise."""
    levels: Path
    """What a :class:`ResultWriter` wrote."""
    before: Path
    """The picture of the photo that the browser has."""
    after: Path
    """That of the network's result, of the same size."""
    made: float = field(default_factory=time.time)
    reference: Path | None = None
    """The aligned DSLR photo, once there is one, as wide and high as ``before``."""

    def pictures(self) -> tuple[np.ndarray, np.ndarray]:
        """The photo and the result, ``(H, W, 3)`` uint8, as large as ``before``, without a loss.

        Raises:
            DslrGanError: If the upload is gone.
        """
        with open_photo_in_parts(self.photo, max_megapixels=MAX_MEGAPIXELS) as opened:
            made = Pictures(photo_pixels(opened))
            return made.before, made.of(np.load(self.levels, mmap_mode="r"))

    @property
    def enhancer(self) -> KeptEnhancer:
        """Gives the result again, with any amounts."""
        return KeptEnhancer(enhancer_for(self.phone), self.levels)


_kept: dict[str, Kept] = {}
_photos: dict[str, set[Path]] = {}
"""The uploads that each session uses."""
_folders: dict[str, set[Path]] = {}
"""Those of each session."""
_ended: dict[str, float] = {}
"""Sessions that have ended a short while ago, and when."""
_lock = threading.Lock()


def keep(kept: Kept) -> None:
    """Keep a result, and let go of the oldest where there is no room.

    Raises:
        DslrGanError: If its session has ended; its files are gone then.
    """
    with _lock:
        if kept.session in _ended:
            shutil.rmtree(kept.folder, ignore_errors=True)
            raise DslrGanError(CANCELLED)
        _kept[kept.token] = kept
        old = time.time() - KEEP_SECONDS
        room = MAX_KEPT_BYTES - _bytes(kept)
        for other in sorted(_kept.values(), key=lambda other: -other.made):
            if other is not kept:
                room -= _bytes(other)
                if room < 0 or other.made < old:
                    _drop(other)


def find(token: Any, session: str) -> Kept:
    """Give a result to the session that made it.

    Raises:
        DslrGanError: If it is another's, or no longer kept.
    """
    with _lock:
        kept = _kept.get(str(token))
    if kept is None or kept.session != session or not kept.levels.is_file():
        raise DslrGanError("This result is no longer kept; enhance the photo again.")
    return kept


def folder_for(session: str) -> Path:
    """Make a folder that is removed when a session ends.

    Raises:
        DslrGanError: If it has ended.
    """
    folder = fresh_folder()
    with _lock:
        if session in _ended:
            shutil.rmtree(folder, ignore_errors=True)
            raise DslrGanError(CANCELLED)
        _folders.setdefault(session, set()).add(folder)
    return folder


def uses(session: str, photo: Path) -> None:
    """Note that a session uses an upload, which is removed with it."""
    with _lock:
        _photos.setdefault(session, set()).add(photo)
        _ended.pop(session, None)


def forget_session(session: str) -> None:
    """Stop what is done for a session and remove its files: to be called when it ends."""
    stop(session)
    with _lock:
        now = time.time()
        for ended in [who for who, when in _ended.items() if when < now - KEEP_SECONDS]:
            del _ended[ended]
        _ended[session] = now
        for kept in [kept for kept in _kept.values() if kept.session == session]:
            _drop(kept)
        for folder in _folders.pop(session, set()):
            shutil.rmtree(folder, ignore_errors=True)
        photos = _photos.pop(session, set())
        others = set[Path]().union(*_photos.values())  # the same photo has the same place
        for photo in photos - others:
            remove_upload(photo)


def _drop(kept: Kept) -> None:
    del _kept[kept.token]
    shutil.rmtree(kept.folder, ignore_errors=True)


def _bytes(kept: Kept) -> int:
    try:
        parts = sum(file.stat().st_size for file in kept.folder.glob("parts_*.npy"))
        return 2 * kept.levels.stat().st_size + parts  # and pictures and downloads
    except OSError:
        return 0
