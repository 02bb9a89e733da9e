"""The zoo of ``test_zoo.py`` and of ``benchmarks/fuzz.py``: photos of every kind, made here."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import png
import tifffile
from PIL import Image, ImageCms, ImageOps
from pillow_heif import register_heif_opener
from skimage import data

from tests.support.photo_helpers import (
    ADOBE_RGB,
    DISPLAY_P3,
    encoded,
    gray_profile,
    rgb_profile,
    with_exif,
)

register_heif_opener()

WIDTH, HEIGHT = 61, 43
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="1"/></x:xmpmeta>'
P3, ADOBE = rgb_profile(DISPLAY_P3), rgb_profile(ADOBE_RGB)
SRGB = ImageCms.createProfile("sRGB")


def scene() -> Image.Image:
    """A smooth picture with room below and above, so that lossy formats and additions keep it."""
    small = Image.fromarray(data.coffee()).resize((6, 4), Image.Resampling.BOX)
    pixels = np.asarray(small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    return Image.fromarray((pixels * 0.6 + 45).astype(np.uint8))


def deep_scene(channels: int) -> np.ndarray:
    """The scene with 16 bits: ``(HEIGHT, WIDTH, channels)``, alpha from corner to corner."""
    pixels = np.asarray(scene()).astype(np.uint16) * 257
    gray = np.asarray(scene().convert("L")).astype(np.uint16)[..., None] * 257
    ramp = np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH, 1)
    return {
        1: gray,
        2: np.dstack((gray, ramp)),
        3: pixels,
        4: np.dstack((pixels, ramp)),
    }[channels]


@dataclass(frozen=True)
class Specimen:
    """A file, and what must come back."""

    content: bytes
    format: str
    """Pillow's name of the format that comes back."""
    mode: str
    depth: int = 8
    shown: Image.Image = field(default_factory=scene)
    """What a viewer shows of it: upright, sRGB."""
    tolerance: float = 0.6
    """Mean error in levels of 256; that of lossless files is of rounding alone."""
    exif: bool = False
    xmp: bool = False
    icc: bytes | None = None
    dpi: tuple[int, int] | None = None
    chroma: int | None = None
    note: str | None = None
    """Words of the one note that is given."""


LOSSY = 2.5


def as_png(pixels: np.ndarray, bits: int, **options) -> bytes:
    """A PNG by pypng, which writes every depth."""
    height, width, channels = pixels.shape
    plain = {"greyscale": channels < 3, "alpha": channels in (2, 4)}
    file = io.BytesIO()
    writer = png.Writer(width, height, bitdepth=bits, **(options or plain))
    writer.write(file, pixels.reshape(height, -1).tolist())
    return file.getvalue()


def as_tiff(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    if pixels.shape[2] == 4:
        options |= {"extrasamples": ["unassalpha"]}
    photometric = "rgb" if pixels.shape[2] > 2 else "minisblack"
    tifffile.imwrite(file, pixels.squeeze(), photometric=photometric, **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Image:
    """The scene as a sensor stores it, so that ``orientation`` brings it upright."""
    turns = [None, None, *(Image.Transpose[name] for name in (
        "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_90",
        "TRANSVERSE", "ROTATE_270",
    ))]  # fmt: skip
    turn = turns[orientation]
    return scene() if turn is None else scene().transpose(turn)


def with_alpha(photo: Image.Image) -> Image.Image:
    photo = photo.convert(photo.mode + "A")
    photo.putalpha(Image.fromarray((deep_scene(2)[..., 1] >> 8).astype(np.uint8)))
    return photo


def to_profile(profile: bytes) -> Image.Image:
    space = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(scene(), inputProfile=SRGB, outputProfile=space)


def content(photo: Image.Image, kind: str, **options) -> bytes:
    return encoded(photo, kind, **options).getvalue()


def turned_ones() -> Iterator[tuple[str, Specimen]]:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"):
        lossless = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
        tolerance = 0.6 if kind in ("PNG", "WEBP", "TIFF") else LOSSY
        for orientation in range(1, 9):
            options = lossless | {"exif": with_exif(orientation, "<>"[orientation % 2])}
            if kind == "TIFF":
                options["exif"] = Image.Exif()
                options["exif"].load(with_exif(orientation))
            file = content(turned(orientation), kind, **options)
            yield (
                f"{kind} of orientation {orientation}",
                Specimen(file, kind, "RGB", tolerance=tolerance, exif=True),
            )


def jpegs() -> Iterator[tuple[str, Specimen]]:
    colour = Specimen(b"", "JPEG", "RGB", tolerance=LOSSY)
    for chroma, code in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        for progressive in (False, True):
            options = {"subsampling": chroma, "progressive": progressive, "quality": 92}
            file = content(scene(), "JPEG", **options)
            name = f"JPEG {chroma}{' progressive' * progressive}"
            yield name, replace(colour, content=file, chroma=code)
    for quality in (50, 75, 98):
        file = content(scene(), "JPEG", quality=quality)
        yield f"JPEG of quality {quality}", replace(colour, content=file, tolerance=4)
    gray = scene().convert("L")
    for progressive in (False, True):
        file = content(gray, "JPEG", quality=95, progressive=progressive)
        yield f"gray JPEG {progressive}", replace(colour, content=file, mode="L", shown=gray)
    inks = content(scene().convert("CMYK"), "JPEG", quality=95)
    yield "CMYK JPEG", replace(colour, content=inks, note="became RGB", tolerance=4)
    file = content(scene(), "JPEG", quality=95, dpi=(300, 200), xmp=XMP, exif=with_exif())
    kept = {"dpi": (300, 200), "xmp": True, "exif": True}
    yield "JPEG with all", replace(colour, content=file, **kept)
    file = content(scene(), "MPO", quality=95, save_all=True, append_images=[scene()])
    yield "MPO", replace(colour, content=file, note="2 pictures; only the first")


def pngs() -> Iterator[tuple[str, Specimen]]:
    gray = np.asarray(scene().convert("L"))[..., None]
    for bits in (1, 2, 4, 8):
        levels = gray >> (8 - bits)
        top = 2**bits - 1
        shown = Image.fromarray((levels[..., 0] * (255 // top)).astype(np.uint8))
        yield f"gray PNG of {bits} bits", Specimen(as_png(levels, bits), "PNG", "L", shown=shown)
        palette = scene().quantize(2**bits)
        file = content(palette, "PNG", bits=bits)
        shown = palette.convert("RGB")
        yield f"palette PNG of {bits} bits", Specimen(file, "PNG", "RGB", shown=shown)
        file = content(palette, "PNG", bits=bits, transparency=0)
        yield f"transparent palette PNG of {bits} bits", Specimen(file, "PNG", "RGBA", shown=shown)
    for mode in ("L", "LA", "RGB", "RGBA"):
        photo = with_alpha(scene().convert(mode[:-1])) if "A" in mode else scene().convert(mode)
        shown = photo.convert("RGB")
        yield f"PNG {mode}", Specimen(content(photo, "PNG"), "PNG", mode, shown=shown)
        pixels = deep_scene(len(mode))
        for interlace in (False, True):
            options = {"greyscale": len(mode) < 3, "alpha": "A" in mode, "interlace": interlace}
            file = as_png(pixels, 16, **options)
            name = f"16-bit PNG {mode}{' interlaced' * interlace}"
            yield name, Specimen(file, "PNG", mode, 16, shown)
    colour = (5, 6, 7)
    yield (
        "PNG with a transparent colour",
        Specimen(content(scene(), "PNG", transparency=colour), "PNG", "RGBA"),
    )
    file = content(scene(), "PNG", dpi=(300, 200), exif=with_exif())
    yield "PNG with all", Specimen(file, "PNG", "RGB", exif=True, dpi=(300, 200))
    frames = content(scene(), "PNG", save_all=True, append_images=[turned(3)])
    yield "animated PNG", Specimen(frames, "PNG", "RGB", note="2 frames; only the first")


def tiffs() -> Iterator[tuple[str, Specimen]]:
    gray = scene().convert("L")
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB"):
        photo = with_alpha(scene().convert(mode[:-1])) if mode in ("LA", "RGBA") else None
        if mode == "LAB":
            photo = ImageCms.profileToProfile(
                scene(), SRGB, ImageCms.createProfile("LAB"), outputMode="LAB"
            )
        elif mode == "P":
            photo = scene().quantize(64)
        photo = photo or scene().convert(mode)
        back = {"1": "L", "P": "RGB", "CMYK": "RGB", "LAB": "RGB"}.get(mode, mode)
        shown = scene() if mode == "LAB" else photo.convert("RGB")
        note = "became RGB" if mode == "CMYK" else None
        for packing in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            if packing and mode == "LAB":
                continue
            file = content(photo, "TIFF", compression=packing)
            tolerance = 2 if mode == "LAB" else 0.6
            yield (
                f"TIFF {mode} {packing or 'plain'}",
                Specimen(file, "TIFF", back, shown=shown, note=note, tolerance=tolerance),
            )
    for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 4)):
        shown = gray if mode == "L" else scene()
        for name, options in {
            "plain": {},
            "big-endian": {"byteorder": ">"},
            "deflated": {"compression": "zlib", "predictor": True},
            "tiled": {"tile": (16, 16)},
            "bigtiff": {"bigtiff": True},
        }.items():
            file = as_tiff(deep_scene(channels), **options)
            yield f"16-bit TIFF {mode} {name}", Specimen(file, "TIFF", mode, 16, shown)
    file = content(scene(), "TIFF", compression="jpeg", quality=95)
    yield "TIFF of JPEG", Specimen(file, "TIFF", "RGB", tolerance=LOSSY)
    file = content(scene(), "TIFF", save_all=True, append_images=[turned(3), turned(2)])
    yield "TIFF of pages", Specimen(file, "TIFF", "RGB", note="3 pages; only the first")
    file = content(scene(), "TIFF", dpi=(300, 200))
    yield "TIFF with a resolution", Specimen(file, "TIFF", "RGB", dpi=(300, 200))


def others() -> Iterator[tuple[str, Specimen]]:
    alpha = with_alpha(scene())
    for name, options in {"lossless": {"lossless": True, "exact": True}, "lossy": {}}.items():
        tolerance = 0.6 if options else LOSSY
        options = options or {"quality": 95}
        frames = {"save_all": True, "append_images": [turned(3)]}
        for photo in (scene(), alpha):
            file = content(photo, "WEBP", **options)
            yield (
                f"WebP {photo.mode} {name}",
                Specimen(file, "WEBP", photo.mode, tolerance=tolerance),
            )
        file = content(scene(), "WEBP", **options, **frames)
        yield (
            f"animated WebP {name}",
            Specimen(file, "WEBP", "RGB", tolerance=tolerance, note="2 frames"),
        )
    for kind in ("AVIF", "HEIF"):
        for photo in (scene(), alpha):
            file = content(photo, kind, quality=90)
            yield f"{kind} {photo.mode}", Specimen(file, kind, photo.mode, tolerance=LOSSY)
        file = content(scene(), kind, quality=90, save_all=True, append_images=[turned(3)])
        yield f"{kind} of two", Specimen(file, kind, "RGB", tolerance=LOSSY, note="only the first")
    gray = scene().convert("L")
    for mode in ("1", "L", "P", "RGB"):
        photo = scene().quantize(64) if mode == "P" else scene().convert(mode)
        back = {"1": "L", "P": "RGB"}.get(mode, mode)
        file = content(photo, "BMP")
        yield f"BMP {mode}", Specimen(file, "BMP", back, shown=photo.convert("RGB"))
    palette = scene().quantize(64)
    gif = Specimen(content(palette, "GIF"), "PNG", "RGB", shown=palette.convert("RGB"))
    yield "GIF", gif
    file = content(palette, "GIF", transparency=255)
    yield "transparent GIF", replace(gif, content=file, mode="RGBA")
    file = content(palette, "GIF", save_all=True, append_images=[turned(3).quantize(8)])
    yield "animated GIF", replace(gif, content=file, note="2 frames; only the first")
    yield "gray GIF", replace(gif, content=content(gray, "GIF"), shown=gray)
    for mode in ("L", "RGB", "RGBA"):
        photo = alpha if mode == "RGBA" else scene().convert(mode)
        file = content(photo, "JPEG2000")
        yield f"JPEG 2000 {mode}", Specimen(file, "JPEG2000", mode, shown=photo.convert("RGB"))
    for mode in ("1", "L", "RGB"):
        photo = scene().convert(mode)
        file = content(photo, "PPM")
        back = "RGB" if mode == "RGB" else "L"
        yield f"PPM {mode}", Specimen(file, "PPM", back, shown=photo.convert("RGB"))


def coloured() -> Iterator[tuple[str, Specimen]]:
    for name, profile in (("Display P3", P3), ("Adobe RGB", ADOBE)):
        wide = to_profile(profile)
        for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"):
            options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
            file = content(wide, kind, icc_profile=profile, **options)
            tolerance = 1 if kind in ("PNG", "WEBP", "TIFF") else LOSSY
            yield (
                f"{kind} in {name}",
                Specimen(file, kind, "RGB", icc=profile, tolerance=tolerance),
            )
        deep = np.asarray(wide).astype(np.uint16) * 257
        file = as_tiff(deep, extratags=[(34675, 7, len(profile), profile, True)])
        yield f"16-bit TIFF in {name}", Specimen(file, "TIFF", "RGB", 16, icc=profile, tolerance=1)
    gray = scene().convert("L")
    profile = gray_profile(1.8)
    curve = (np.arange(256) / 255) ** 1.8
    shown = np.where(curve <= 0.0031308, curve * 12.92, 1.055 * curve ** (1 / 2.4) - 0.055)
    seen = gray.point([round(level * 255) for level in shown])
    file = content(gray, "PNG", icc_profile=profile)
    yield "gray profile", Specimen(file, "PNG", "L", shown=seen, icc=profile, tolerance=1)


def specimens() -> dict[str, Specimen]:
    """All that must come out right, by name."""
    groups = (turned_ones, jpegs, pngs, tiffs, others, coloured)
    return {name: specimen for group in groups for name, specimen in group()}


def huge_headers() -> dict[str, bytes]:
    """Files of a few bytes that promise four thousand megapixels."""
    side = 65_000
    header = content(Image.new("1", (8, 8)), "PNG")
    chunk = b"IHDR" + struct.pack(">II", side, side) + header[24:29]
    jpeg = bytearray(content(scene(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg[frame : frame + 4] = struct.pack(">HH", side, side)
    gif = bytearray(content(scene(), "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    bmp = bytearray(content(scene(), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    tiff = bytearray(content(scene(), "TIFF"))
    for tag, old in ((256, WIDTH), (257, HEIGHT)):
        place = tiff.index(struct.pack("<HHII", tag, 4, 1, old))
        tiff[place + 8 : place + 12] = struct.pack("<I", side)
    whole = header[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + header[33:]
    ppm = b"P6 65000 65000 255\n" + bytes(100)
    return {
        "png": whole,
        "jpg": bytes(jpeg),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
        "tif": bytes(tiff),
        "ppm": ppm,
    }


def upright(photo: Image.Image) -> Image.Image:
    """What a viewer shows, by Pillow's own means: upright, sRGB, 8 bits, without alpha."""
    photo = ImageOps.exif_transpose(photo)
    profile = photo.info.get("icc_profile")
    if photo.mode.startswith("I"):
        photo = Image.fromarray((np.asarray(photo) // 257).astype(np.uint8))
    if photo.mode in ("LA", "RGBA"):
        photo = photo.convert(photo.mode[:-1])
    if profile:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        photo = ImageCms.profileToProfile(photo, space, SRGB, outputMode="RGB")
    return photo.convert("RGB")
