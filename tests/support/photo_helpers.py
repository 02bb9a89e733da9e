"""Photos and colour profiles that several test files need; every one is made here."""

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image
from skimage import data
from skimage.metrics import structural_similarity

from dslr_gan.photo import photo_from_pixels, photo_pixels

ORIENTATION = ExifTags.Base.Orientation

# Primaries in XYZ of D50, one column each, as their ICC profiles have them.
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)

ADOBE_RGB = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)


def encoded(photo: Image.Image, kind: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    photo.save(file, kind, **options)
    file.seek(0)
    return file


def same(first: Image.Image, second: Image.Image) -> bool:
    return first.mode == second.mode and np.array_equal(np.asarray(first), np.asarray(second))


def photo_ssim(first: Image.Image, second: Image.Image) -> float:
    """SSIM of two RGB photos by scikit-image, with the constants of Wang et al. 2004."""
    pictures = (np.asarray(photo.convert("RGB"), np.float64) for photo in (first, second))
    return structural_similarity(
        *pictures, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=255, channel_axis=2,
    )  # fmt: skip


def round_trip(photo: Image.Image) -> Image.Image:
    """The photo made of the photo's own pixels."""
    plain = photo_pixels(photo)
    return photo_from_pixels(plain, plain.pixels)


def facts_of(photo: Image.Image) -> tuple[np.ndarray, np.ndarray | None, str, type]:
    """The photo's pixels in sRGB, its alpha, the mode that it comes back in, and its depth."""
    source = photo_pixels(photo)
    whole = slice(0, source.height), slice(0, source.width)
    return source.pixels, source.read_own(*whole)[1], source.mode, source.dtype


def pictures() -> dict[str, Image.Image]:
    """One picture per mode, with alpha and depth that a careless conversion would lose."""
    colour = Image.fromarray(data.astronaut()).resize((67, 45))
    random = np.random.default_rng(0)
    alpha = Image.fromarray(random.integers(0, 256, (45, 67), dtype=np.uint8))
    deep = random.integers(0, 65536, (45, 67), dtype=np.uint16)
    return {
        "RGB": colour,
        "RGBA": Image.merge("RGBA", (*colour.split(), alpha)),
        "L": colour.convert("L"),
        "LA": Image.merge("LA", (colour.convert("L"), alpha)),
        "I;16": Image.fromarray(deep),
    }


def deep_pixels(channels: int, height: int = 37, width: int = 53) -> np.ndarray:
    """Every channel uses all of its 16 bits, smooth enough for filters to matter."""
    random = np.random.default_rng(channels)
    ramp = np.linspace(0, 60000, height * width).reshape(height, width, 1)
    return (ramp + random.integers(0, 5000, (height, width, channels))).astype(np.uint16)


def with_exif(orientation: int | None = None, order: str = "<") -> bytes:
    """An EXIF block with a camera, a GPS position, a size, a maker's note and a thumbnail."""
    exif = Image.Exif()
    exif.endian = order
    exif[ExifTags.Base.Make] = "Apple"
    if orientation:
        exif[ORIENTATION] = orientation
    exif.get_ifd(ExifTags.IFD.Exif).update({0x9003: "2020:02:02 02:02:02", 0xA002: 64, 0xA003: 48})
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"secret sauce"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0)})
    block = bytearray(exif.tobytes())
    # Pillow writes no thumbnail folder: point from the end of the first folder to one of our own.
    (first,) = struct.unpack_from(order + "I", block, 10)
    (count,) = struct.unpack_from(order + "H", block, 6 + first)
    struct.pack_into(order + "I", block, 6 + first + 2 + 12 * count, len(block) - 6)
    picture = b"\xff\xd8an old thumbnail\xff\xd9"
    place, length = len(block) - 6 + 2 + 24 + 4, len(picture)
    thumbnail = struct.pack(order + "HHHII", 2, 0x0201, 4, 1, place)
    thumbnail += struct.pack(order + "HHIII", 0x0202, 4, 1, length, 0)
    return bytes(block) + thumbnail + picture


def message_of(error: pytest.ExceptionInfo, name: str) -> str:
    """The text of an error message for people, which is about the file of that name."""
    text = str(error.value)
    assert (name if name.isprintable() else repr(name)[1:-1]) in text
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text
    return text


# Profiles made by hand: Pillow itself makes no wide-gamut, gray or CMYK profile -----------------


def profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile of version 2 with the given tags."""
    white = b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249)
    text = b"made by a test"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + bytes(79)
    tags = {b"wtpt": white, b"desc": description, b"cprt": b"text\0\0\0\0none\0", **tags}
    table, body = b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        offset = 128 + 4 + 12 * len(tags) + len(body)
        table += struct.pack(">4sII", name, offset, len(content))
        body += content
    size = 132 + len(table) + len(body)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, kind, space, pcs)
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def srgb_curve() -> bytes:
    linear = to_linear(np.linspace(0, 1, 1024))
    return b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *np.round(linear * 65535).astype(int))


def rgb_profile(primaries: np.ndarray) -> bytes:
    tags = {
        name: b"XYZ \0\0\0\0" + fixed(*column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries.T, strict=True)
    }
    return profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), srgb_curve()))


def gray_profile(gamma: float) -> bytes:
    return profile(b"GRAY", {b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))})


def table_profile(space: bytes, corners: np.ndarray) -> bytes:
    """A profile that only leads away from its colours: the Lab bytes of each extreme colour.

    ``corners`` is (2, 2, 2, 3) for RGB and (2, 2, 2, 2, 3) for CMYK.
    """
    ramp, inks = bytes(range(256)), corners.ndim - 1
    table = struct.pack(">4sI4B", b"mft1", 0, inks, 3, 2, 0) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table += ramp * inks + corners.astype(np.uint8).tobytes() + ramp * 3
    return profile(space, {b"A2B0": table}, pcs=b"Lab ")


def to_linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def from_linear(values: np.ndarray) -> np.ndarray:
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def by_matrix(pixels: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Pixels of one set of primaries in another, by plain arithmetic."""
    linear = to_linear(pixels / 255.0) @ (np.linalg.inv(target) @ source).T
    return np.round(from_linear(linear) * 255)
