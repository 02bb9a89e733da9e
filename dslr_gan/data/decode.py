"""Decoding of pairs: rows with two encoded pictures, fast where these are plain."""

import io
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, TypeAlias

import datasets
import fsspec
import numpy as np
from PIL import Image

from dslr_gan.errors import DslrGanError, shown
from dslr_gan.photo import open_photo, rgb_pixels

MAX_PLAIN_PIXELS = 16_000_000
"""Larger pictures go the slow way, whose own limit comes with an error message."""

# What Pillow reports of a picture that does not change its pixels.
_PLAIN_INFO = frozenset(
    ("jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "aspect", "comment", "adobe")
).union(("adobe_transform", "progressive", "progression", "interlace", "gamma", "srgb"))

Rows: TypeAlias = datasets.Dataset | Sequence[Mapping[str, Any]]
"""Pairs by number: each a mapping with the pictures ``phone`` and ``dslr``."""


def undecoded(source: datasets.Dataset) -> datasets.Dataset:
    """Let a dataset give its pictures as files, so that :func:`read_pair` can name them."""
    for column in ("phone", "dslr"):
        source = source.cast_column(column, datasets.Image(decode=False))
    return source


def read_pair(source: Rows, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Decode a pair as a user's photos are decoded: upright, sRGB, 8 bits.

    Args:
        source: Rows with ``phone`` and ``dslr``; best what :func:`undecoded` gave.
        row: Which pair.

    Returns:
        Phone and DSLR picture, each ``(H, W, 3)`` uint8, of one size.

    Raises:
        DslrGanError: If a picture cannot be decoded, or their sizes differ.
    """
    return decode_pair(source[row], f"pair {row}")


def decode_pair(
    stored: Mapping[str, Image.Image | Mapping[str, Any]], name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Decode one row of pairs; ``name`` is what an error calls it. See :func:`read_pair`."""
    phone, dslr = (_decode(stored[column], name) for column in ("phone", "dslr"))
    if phone.shape != dslr.shape:
        phone_file, dslr_file = (_file_of(stored[column]) for column in ("phone", "dslr"))
        raise DslrGanError(
            f"{name}: the phone picture{phone_file} has {_size(phone)} pixels and the DSLR "
            f"picture{dslr_file} {_size(dslr)}; both must be of one size."
        )
    return phone, dslr


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"


def _file_of(stored: Image.Image | Mapping[str, Any]) -> str:
    """A picture's file for the inside of a message, after a space; empty where none is known."""
    path = None if isinstance(stored, Image.Image) else stored.get("path")
    return f" {shown(path)}" if path else ""


def _decode(stored: Image.Image | Mapping[str, Any], name: str) -> np.ndarray:
    try:
        if isinstance(stored, Image.Image):
            return rgb_pixels(stored)
        path, encoded = stored["path"], stored["bytes"]
        if encoded is None:
            encoded = _encoded(path)
        pixels = plain_pixels(encoded) if encoded else None
        if pixels is not None:
            return pixels
        # The way of a user's photos: any kind of file, an error message for any fault.
        photo = open_photo(path if encoded is None else _named(encoded, path))
        return rgb_pixels(photo)
    except DslrGanError as error:
        file = _file_of(stored).strip()
        of_file = f"{file}: " if file and file not in str(error) else ""
        raise DslrGanError(f"{name}: {of_file}{error}") from error


def plain_pixels(encoded: bytes) -> np.ndarray | None:
    """Decode a plain picture, as nearly all patches are, at half the cost of a user's photo.

    Args:
        encoded: The bytes of a file.

    Returns:
        The pixels ``(H, W, 3)`` that ``rgb_pixels(open_photo(file))`` has, uint8, read-only; None
        where the file is no 8-bit RGB JPEG or PNG, may be turned, has a colour profile or
        transparency, or is damaged, or its last row is black or its last pixel gray, as decoders
        make those that are missing: all these go the slow way.
    """
    try:
        photo = Image.open(io.BytesIO(encoded), formats=("JPEG", "PNG"))
        if photo.mode != "RGB" or photo.width * photo.height > MAX_PLAIN_PIXELS:
            return None
        pixels = np.asarray(photo)
    except Exception:  # Pillow's decoders raise nearly anything on damaged files
        return None
    if not pixels[-1].any() or (abs(pixels[-1, -1].astype(int) - 128) <= 2).all():
        return None
    # Only now: a PNG may have its metadata behind its pixels.
    return None if photo.info.keys() - _PLAIN_INFO else pixels


def _encoded(path: str) -> bytes | None:
    """The bytes of a file, or of a stream's remote one; None where it cannot be read like that."""
    if "://" in path:
        return _fetched(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            return None
        with open(path, "rb") as stream:  # noqa: PTH123
            return stream.read()
    except OSError:
        return None


def _fetched(address: str) -> bytes:
    try:
        with fsspec.open(address) as stream:
            return stream.read()
    except Exception as error:  # anything that a network or a protocol's library raises
        raise DslrGanError(
            f"{address} could not be fetched ({error}); check the network and try again."
        ) from error


def _named(encoded: bytes, path: str | None) -> BinaryIO:
    """An open file that errors call by its path."""
    stream = io.BytesIO(encoded)
    if path:
        stream.name = path
    return stream


def check_room(
    picture: np.ndarray, size: int, name: str, row: Callable[[], Mapping[str, Any]]
) -> None:
    """Refuse a picture that no patch can be cut out of.

    Args:
        picture: A pair's phone picture ``(H, W, 3)``.
        size: Side of the patches.
        name: What an error calls the pair.
        row: Gives the row that the picture is of, for the name of its file.

    Raises:
        DslrGanError: If one of its sides is shorter than a patch.
    """
    if min(picture.shape[:2]) < size:
        raise DslrGanError(
            f"{name}:{_file_of(row()['phone']) or ' its picture'} has {_size(picture)} pixels, "
            f"less than a patch of {size}; take smaller patches (--resolution), or leave it out."
        )
