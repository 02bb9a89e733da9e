"""Opening photos: every file ends as a decoded picture or as one error message."""

import io
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from dslr_gan.errors import DslrGanError, reason, shown
from dslr_gan.photo.formats import KNOWN, RAW_STARTS, RAW_SUFFIXES, READABLE
from dslr_gan.photo.metadata import DNG_VERSION, gathered_exif
from dslr_gan.photo.photo import add_note, no_memory, photo_of
from dslr_gan.photo.sixteen_bit import load_deep
from dslr_gan.photo.tiff import find_pixels

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Little- and big-endian, small and large."""

MAX_MEGAPIXELS = 250.0
"""The largest photo that is opened unless another limit is given."""


def open_photo(
    source: str | Path | BinaryIO, *, max_megapixels: float = MAX_MEGAPIXELS
) -> Image.Image:
    """Open a photo and decode it completely, the first frame where it has several.

    Args:
        source: A file's path, or an open binary file.
        max_megapixels: The largest photo to open, in millions of pixels; read off the header,
            before any pixel is decoded.

    Returns:
        The picture as it is stored (not yet turned upright), in Pillow's mode; 16 bits per
        channel in colour are kept beside it (``dslr_gan.photo.photo.Photo``). ``notes`` lists what
        of the file is not in it. Beside Pillow's own keys its ``info`` may hold ``lossless`` (of a
        WebP) and ``exif`` (of a TIFF).

    Raises:
        DslrGanError: If there is no such file, or it is a folder, empty, damaged, cut off,
            too large for the limit or for memory, or not a photo. The message names the file.
    """
    _check_limit(max_megapixels)
    if not isinstance(source, str | Path):
        name = shown(getattr(source, "name", None) or "The photo")
        return _decode(source, name, max_megapixels)
    with _open_file(Path(source)) as stream:
        return _decode(stream, shown(source), max_megapixels)


@contextmanager
def open_photo_in_parts(
    source: str | Path, *, max_megapixels: float = MAX_MEGAPIXELS
) -> Iterator[Image.Image]:
    """Open a photo for a while, in which the pixels of an uncompressed TIFF stay in its file.

    Args:
        source: A file's path.
        max_megapixels: As in :func:`open_photo`.

    Yields:
        What ``open_photo`` returns, or a photo for ``photo_pixels`` whose pixels Pillow does not
        have (``dslr_gan.photo.tiff``): it can be used inside the ``with`` only.

    Raises:
        DslrGanError: As :func:`open_photo`.
    """
    _check_limit(max_megapixels)
    with _open_file(Path(source)) as stream:
        yield _decode(stream, shown(source), max_megapixels, in_file=True)


def _check_limit(max_megapixels: float) -> None:
    if not max_megapixels > 0:
        raise DslrGanError(f"max_megapixels must be above 0, got {max_megapixels}.")


def _open_file(path: Path) -> BinaryIO:
    """Open what is a plain file, and refuse everything else."""
    name = shown(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DslrGanError(f"{name} does not exist; check the path.") from error
    except (OSError, ValueError) as error:
        raise DslrGanError(
            f"{name} cannot be read ({reason(error)}); check the path and its permissions."
        ) from error
    kind = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
    raise DslrGanError(f"{name} is {kind}, not a photo; give a photo file.")


def _decode(
    stream: BinaryIO, name: str, max_megapixels: float, in_file: bool = False
) -> Image.Image:
    """Decode the first frame of an open file, with an error message for every failure."""
    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    stream.seek(0)
    if not stream.read(1):
        raise DslrGanError(f"{name} is empty; copy it again from where it came.")
    size = (0, 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF and the like
            photo = _identify(stream)
            size = photo.size
            _check_kind(photo, name, max_megapixels)
            return _load(photo, stream, in_file)
    except DslrGanError:
        raise
    except MemoryError as error:
        raise DslrGanError(no_memory(name, size)) from error
    except Image.DecompressionBombError as error:
        raise DslrGanError(_too_large(name, size, max_megapixels)) from error
    except UnidentifiedImageError as error:
        raise DslrGanError(_not_a_photo(name, stream)) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise DslrGanError(
            f"{name} is damaged or cut off ({reason(error)}); copy it again from where it came."
        ) from error


def _identify(stream: BinaryIO) -> ImageFile.ImageFile:
    """Read a file's header: what ``Image.open`` does, without its own limit of the size.

    That limit is one number for the whole process, and below what phones make today.
    """
    Image.init()
    register_heif()
    stream.seek(0)
    start = stream.read(16)
    for kind in READABLE:
        factory, accept = Image.OPEN.get(kind, (None, None))
        # An answer in words says that this Pillow was built without the format.
        if factory is None or (accept and accept(start) is not True):
            continue
        stream.seek(0)
        try:
            return factory(stream, "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
    raise UnidentifiedImageError


def register_heif() -> None:
    """Teach Pillow HEIC, which without pillow-heif gets an error message of its own."""
    if "HEIF" not in Image.OPEN:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            return
        register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def _check_kind(photo: ImageFile.ImageFile, name: str, max_megapixels: float) -> None:
    """Refuse, before any pixel is decoded, what is too large or only looks like a photo."""
    if photo.width * photo.height > max_megapixels * 1e6:
        raise DslrGanError(_too_large(name, photo.size, max_megapixels))
    raw = _suffix(name) in RAW_SUFFIXES or DNG_VERSION in getattr(photo, "tag_v2", ())
    if photo.format == "TIFF" and raw:  # Pillow would give the small preview inside it
        raise DslrGanError(_is_raw(name))


def _load(photo: ImageFile.ImageFile, stream: BinaryIO, in_file: bool) -> Image.Image:
    """Decode what was identified, and note what of the file is left behind."""
    frames, bits = _frames(photo), _bits(photo, stream)
    found = find_pixels(photo, stream) if in_file else None
    deep = None if found else load_deep(photo, lambda: _identify(stream))
    if found:
        photo_of(photo).pixels_in_file = found
    elif deep is None:
        photo.load()
    result = photo if deep is None else deep
    if frames > 1:
        what = "pictures" if photo.format in ("MPO", "HEIF") else "frames"
        what = "pages" if photo.format == "TIFF" else what
        add_note(result.info, f"It has {frames} {what}; only the first is enhanced.")
    if bits > 8 and deep is None and not found and not photo.mode.startswith(("I", "F")):
        add_note(result.info, f"It has {bits} bits per channel; the result has 8 bits.")
    if photo.format == "WEBP":
        result.info["lossless"] = _is_lossless_webp(stream)
    if photo.format == "TIFF":
        result = _as_tiff_means(photo, result, bits)
        exif, whole = gathered_exif(photo)
        if exif:
            result.info["exif"] = exif  # its tags may be out of reach once the file is closed
        if not whole:
            add_note(result.info, "Some of its EXIF is damaged and was left out.")
    return result


def _as_tiff_means(photo: ImageFile.ImageFile, result: Image.Image, bits: int) -> Image.Image:
    """What Pillow leaves to its users: gray of 12 bits, white that is 0, unknown channels."""
    tags = getattr(photo, "tag_v2", {})
    extra = tags.get(277, 1) - len(result.getbands())
    if result.mode in ("L", "RGB") and extra > 0:
        what = "a channel" if extra == 1 else f"{extra} channels"
        add_note(result.info, f"It has {what} of unknown meaning, which the result has not.")
    inverted = tags.get(262) == 0 and result.mode.startswith("I;16")
    if not inverted and not (bits == 12 and result.mode.startswith("I;16")):
        return result
    values = np.array(result, np.uint16)
    if bits == 12:
        values = values * 16 + values // 256
    gray = Image.fromarray(~values if inverted else values)
    gray.info, gray.format = result.info, result.format
    return gray


def _frames(photo: ImageFile.ImageFile) -> int:
    try:
        return int(getattr(photo, "n_frames", 1))
    except Exception:  # Pillow raises nearly anything on frames that are damaged
        return 1


def _bits(photo: ImageFile.ImageFile, stream: BinaryIO) -> int:
    """Bits per channel as the file holds them, 8 where that is not known."""
    if photo.format == "TIFF":
        tags = getattr(photo, "tag_v2", {})
        return max((depth for depth in tags.get(258, ()) if isinstance(depth, int)), default=8)
    if photo.format == "HEIF":
        return int(photo.info.get("bit_depth") or 8)
    stream.seek(0)
    start = stream.read(4096)
    if photo.format == "PNG":
        return start[24]
    if photo.format == "PPM":
        limit = photo.tile[0].args[1] if photo.tile and isinstance(photo.tile[0].args, tuple) else 0
        return 16 if isinstance(limit, int) and limit > 255 else 8
    # What says so, and how far behind its name: the pixi box, and the SIZ segment.
    name, offset = {"AVIF": (b"pixi", 9), "JPEG2000": (b"\xff\x4f\xff\x51", 42)}.get(
        photo.format or "", (b"", 0)
    )
    place = start.find(name) if name else -1
    if place < 0 or place + offset >= len(start):
        return 8
    depth = start[place + offset]
    return depth if photo.format == "AVIF" else (depth & 0x7F) + 1


def _is_lossless_webp(stream: BinaryIO) -> bool:
    """Walk the chunks of a WebP file to its first picture: VP8L is lossless, VP8 is not."""
    position = 12
    while True:
        stream.seek(position)
        head = stream.read(8)
        if len(head) < 8:
            return False
        kind, size = struct.unpack("<4sI", head)
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        # The frame of an animation holds its picture's chunks after 16 bytes of its own.
        position += 24 if kind == b"ANMF" else 8 + size + size % 2


def _suffix(name: str) -> str:
    return name.lower().rstrip("'\"").rpartition(".")[2]


def _too_large(name: str, size: tuple[int, int], max_megapixels: float) -> str:
    return (
        f"{name} is too large: it has {size[0]}x{size[1]} pixels and the limit is "
        f"{max_megapixels:g} megapixels; make it smaller first, or raise the "
        "limit (on a shell with --max-megapixels)."
    )


def _is_raw(name: str) -> str:
    return (
        f"{name} is a raw file of a camera; develop it into a TIFF or JPEG first, for example "
        "with darktable or RawTherapee."
    )


def _not_a_photo(name: str, stream: BinaryIO) -> str:
    stream.seek(0)
    start = stream.read(32)
    if _suffix(name) in RAW_SUFFIXES or start[4:12] == b"ftypcrx " or start.startswith(RAW_STARTS):
        return _is_raw(name)
    if start[4:8] == b"ftyp" and "HEIF" not in Image.OPEN:
        return f"{name} may be a HEIC photo, which needs pillow-heif; pip install pillow-heif."
    if start[4:8] == b"ftyp" or start[:4] in TIFF_STARTS:
        return (
            f"{name} is damaged, or of a kind that this program does not read; "
            "open it in another program and save it as JPEG or PNG first."
        )
    return f"{name} is not a photo this program can read; give one of {KNOWN}."
