"""New pixels for a photo, a part at a time, with everything else that it had around them.

A :class:`PhotoWriter` takes sRGB pixels and gives them back what a
:class:`~dslr_gan.photo.pixels.PhotoPixels` set aside: the photo's own colour space, its alpha, its
bits, its lack of colour. Where the photo goes depends on the class: in memory it costs as much as
the photo that it is made of, in a file it costs nothing.
"""

import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.files import written_whole
from dslr_gan.photo.formats import PhotoFormat, find_format
from dslr_gan.photo.photo import GRAY_MODES, photo_of
from dslr_gan.photo.pixels import LUMA, PhotoPixels, luma_levels, three_channels
from dslr_gan.photo.sixteen_bit import split_bytes


class PhotoWriter(ABC):
    """New pixels for a photo, a part at a time, to the destination of a subclass.

    Args:
        source: What ``photo_pixels`` made of the photo.
    """

    def __init__(self, source: PhotoPixels) -> None:
        self.source = source

    @abstractmethod
    def put(self, rows: slice, columns: slice, levels: np.ndarray) -> None:
        """Take the levels of a part.

        Args:
            rows: From ``start`` to ``stop``, both within the photo.
            columns: Likewise.
            levels: ``(H, W)`` or ``(H, W, C)``, in the photo's own mode, of the source's dtype.
        """

    def paint(
        self, rows: slice, columns: slice, enhanced: np.ndarray, strength: float = 1.0
    ) -> None:
        """Put what a network made of a part into its place.

        The result is source + strength * (enhanced - input), where both the enhanced and the
        input pixels are first taken from sRGB to the photo's own colour space: what did not
        change comes back exactly, and colours outside sRGB stay outside. A black-and-white photo
        stays one, since gray has no tint for a network to correct: it gets the luma of
        ``enhanced``.

        Args:
            rows: From ``start`` to ``stop``, both within the photo.
            columns: Likewise.
            enhanced: ``(H, W, 3)`` float32, sRGB, nominally in [0, 1]; values outside are clipped
                before anything is mixed.
            strength: From 0, the photo's own pixels, to 1.
        """
        if self.source.colourless:
            # In the order and precision of the tensors' grayscale, whose bits these are.
            red, green, blue = (enhanced[..., i] * np.float32(LUMA[i]) for i in range(3))
            enhanced = np.broadcast_to((red + green + blue)[..., None], enhanced.shape)
        self.put_srgb(rows, columns, enhanced, strength)

    def put_srgb(
        self, rows: slice, columns: slice, srgb: np.ndarray, strength: float = 1.0
    ) -> None:
        """The same for any sRGB pixels, whose colours a black-and-white photo in RGB gets, too.

        Args:
            rows: As in :meth:`paint`.
            columns: As in :meth:`paint`.
            srgb: As ``enhanced`` of :meth:`paint`.
            strength: As in :meth:`paint`.
        """
        source = self.source
        own, alpha = source.read_own(rows, columns)
        result = np.clip(_mix(source, own, srgb, strength), 0, 1)
        result *= source.top
        levels = np.rint(result, out=result).astype(source.dtype)
        if source.mode in GRAY_MODES and levels.ndim == 3:
            levels = luma_levels(levels)
        if alpha is not None:
            levels = np.dstack((levels, alpha))
        self.put(rows, columns, levels)


class InMemoryWriter(PhotoWriter):
    """Makes a Pillow image: the source's own photo with other pixels.

    Args:
        source: What ``photo_pixels`` made of the photo.

    Raises:
        MemoryError: If there is no room for another photo of that size.
    """

    def __init__(self, source: PhotoPixels) -> None:
        super().__init__(source)
        size = source.width, source.height
        self._photo = Image.new(source.mode, size)
        self._low = None
        if source.dtype == np.uint16 and source.mode != "I;16":
            self._low = Image.new(source.mode, size)

    def put(self, rows: slice, columns: slice, levels: np.ndarray) -> None:
        """See :meth:`PhotoWriter.put`."""
        corner = columns.start, rows.start
        if self._low is None:
            self._photo.paste(Image.fromarray(np.ascontiguousarray(levels)), corner)
            return
        high, low = split_bytes(levels)
        self._photo.paste(high, corner)
        self._low.paste(low, corner)

    def photo(self) -> Image.Image:
        """The photo, upright, with EXIF (orientation 1), profile and resolution in ``info``."""
        self._photo.info.update(self.source.info)
        if self._low is not None:
            photo_of(self._photo).low_bytes = self._low
        return self._photo


class TiffWriter(PhotoWriter):
    """Puts pixels into the file of an uncompressed TIFF.

    Args:
        source: What ``photo_pixels`` made of the photo.
        stream: The file, open for writing.
        start: Where in it the first pixel belongs.
        name: The file's name, for error messages.
    """

    def __init__(self, source: PhotoPixels, stream: BinaryIO, start: int, name: str) -> None:
        super().__init__(source)
        self._stream, self._start, self._name = stream, start, name

    def put(self, rows: slice, columns: slice, levels: np.ndarray) -> None:
        """See :meth:`PhotoWriter.put`.

        Raises:
            DslrGanError: If the file cannot be written, for want of room above all.
        """
        lines = np.ascontiguousarray(levels, levels.dtype.newbyteorder("<"))
        pixel = lines[0, 0].nbytes
        with writing_errors(self._name, find_format("tiff")):
            for row, line in zip(range(rows.start, rows.stop), lines, strict=True):
                self._stream.seek(self._start + (row * self.source.width + columns.start) * pixel)
                self._stream.write(line.data)


@contextmanager
def writing_errors(name: str, kind: PhotoFormat) -> Iterator[None]:
    """Turn what goes wrong with a file into an error message that says why it cannot be written.

    Args:
        name: Of the file.
        kind: The format that it is written in.

    Raises:
        DslrGanError: In place of every exception but itself and ``MemoryError``.
    """
    try:
        yield
    except (DslrGanError, MemoryError):
        raise
    except Exception as error:  # Pillow raises nearly anything on odd tags and in its encoders
        advice = f"{kind.name} may not hold it: choose another format, such as --format png"
        if isinstance(error, OSError) and error.errno:
            advice = "check that the folder can be written to and has room"
            if error.errno == errno.ENAMETOOLONG:
                advice = "give it a shorter name"
        raise DslrGanError(f"{name} cannot be written ({reason(error)}); {advice}.") from error


@contextmanager
def written_like(destination: Path, like: str | Path | None) -> Iterator[Path]:
    """A whole file, with the permissions and the time of another; nobody else reads it before.

    Args:
        destination: The file.
        like: The other one; None for a file as any program makes it.

    Yields:
        The path to write to, as ``written_whole`` does.
    """
    with written_whole(destination) as unfinished:
        if like is not None:
            unfinished.chmod(0o600)
        yield unfinished
        if like is not None:
            take_after(unfinished, like)


_RIGHTS = "system.posix_acl_access"
"""The attribute of a file with rights of single users and groups (ACL)."""


def take_after(file: str | Path, like: str | Path) -> None:
    """Give a file the permissions and the modification time of another, as ``cp -p`` does.

    What the disk does not allow, such as permissions on a memory card, is left as it is.
    """
    with suppress(OSError):
        status = Path(like).stat()
        with suppress(OSError):
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        mode = stat.S_IMODE(status.st_mode) & 0o777
        try:
            rights = os.getxattr(like, _RIGHTS)
        except (OSError, AttributeError):  # there are none beside the mode
            rights = b""
        if rights:
            try:
                os.setxattr(file, _RIGHTS, rights)
            except OSError:  # the group's bits were the limit of that list, not the group's own
                mode &= ~0o070
        Path(file).chmod(mode)


def photo_from_pixels(source: PhotoPixels, pixels: np.ndarray) -> Image.Image:
    """Make a photo of new pixels and everything else that the source's photo had.

    ``photo_from_pixels(source, source.pixels)`` is the photo itself, upright, without any loss,
    except where a photo of another kind (CMYK, LAB, HSV, YCbCr) became RGB for good.

    Args:
        source: What ``photo_pixels`` made of the photo.
        pixels: The new pixels, sRGB, ``(height, width, 3)``, of ``source.dtype``.

    Returns:
        The photo in ``source.mode``, upright, its EXIF (orientation 1), ICC profile and
        resolution in ``info``. Channels of a photo in a gray mode are weighted as Pillow does
        (Rec. 601).

    Raises:
        ValueError: If shape or dtype differ from the source's.
    """
    shape = source.height, source.width, 3
    if pixels.shape != shape or pixels.dtype != source.dtype:
        raise ValueError(
            f"pixels must be {np.dtype(source.dtype)} of shape {shape}, "
            f"got {pixels.dtype} of shape {pixels.shape}."
        )
    writer = InMemoryWriter(source)
    for rows, columns in source.bands():
        writer.put_srgb(rows, columns, pixels[rows, columns].astype(np.float32) / source.top)
    return writer.photo()


def _mix(source: PhotoPixels, own: np.ndarray, srgb: np.ndarray, strength: float) -> np.ndarray:
    """The result in the photo's own colour space, nominally in [0, 1]."""
    srgb = np.clip(srgb, 0, 1)  # first: half the strength is half of what full strength shows
    if source.space is None and strength == 1:
        return srgb
    values = own.astype(np.float32) / source.top
    if source.space is None:
        return _lerp(three_channels(values), srgb, strength)
    before = source.to_srgb(own).astype(np.float32) / source.top
    back = source.space.from_srgb
    if back is None:
        return _lerp(before, srgb, strength)
    return values + strength * (back(srgb) - back(before))


def _lerp(before: np.ndarray, after: np.ndarray, strength: float) -> np.ndarray:
    return after if strength == 1 else before + strength * (after - before)
