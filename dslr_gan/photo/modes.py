"""Pillow's many modes as the five that photos come back in: RGB, RGBA, L, LA and I;16."""

import numpy as np
from PIL import Image, ImageCms

from dslr_gan.errors import DslrGanError, reason
from dslr_gan.photo.icc import open_profile
from dslr_gan.photo.tiff import pixels_in_file


def check_photo(photo: Image.Image) -> None:
    """Refuse what is no picture, has no pixels, or cannot be decoded.

    Raises:
        DslrGanError: If it is one of these.
    """
    if not isinstance(photo, Image.Image):
        kind = type(photo).__name__
        raise DslrGanError(f"A photo must be a PIL image, got {kind}; open it with PIL first.")
    if photo.width * photo.height == 0:
        raise DslrGanError("The photo has no pixels; give one of at least 1x1.")
    if pixels_in_file(photo) is not None:
        return
    try:
        photo.load()
    except MemoryError as error:
        raise DslrGanError(no_memory("the photo", photo.size)) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise DslrGanError(
            f"The photo cannot be decoded ({reason(error)}); give an undamaged one."
        ) from error


def no_memory(name: str, size: tuple[int, int]) -> str:
    """The sentence for a photo that this machine's memory does not hold."""
    width, height = size
    return (
        f"There is not enough memory for {name} of {width}x{height} pixels, which takes about "
        f"{-(-8 * width * height // 1_000_000)} MB; close other programs or make it smaller first."
    )


def plain_mode(photo: Image.Image) -> str:
    """Which of RGB, RGBA, L, LA and I;16 a photo becomes.

    Raises:
        DslrGanError: If it holds floating-point values.
    """
    mode = photo.mode
    if mode == "F":
        raise DslrGanError(
            "The photo holds floating-point values, whose range is unknown; save it as "
            "8-bit or 16-bit first."
        )
    if mode.startswith("I"):
        return "I;16"
    if mode == "CMYK":
        return "RGB"
    if mode in ("1", "L", "LA", "La"):
        return "LA" if photo.has_transparency_data else "L"
    return "RGBA" if photo.has_transparency_data else "RGB"


def sixteen_bits(photo: Image.Image) -> Image.Image:
    """A photo of any of the modes I, I;16B and their like as I;16; others as they are.

    A photo whose pixels stay in its file is left alone, too.

    By way of numpy, since Pillow's own conversion of I;16B clips at 255.

    Raises:
        DslrGanError: If it holds values outside of 16 bits.
    """
    if photo.mode == "I;16" or not photo.mode.startswith("I") or pixels_in_file(photo) is not None:
        return photo
    values = np.asarray(photo)
    if values.min() < 0 or values.max() > 65535:
        raise DslrGanError(
            "The photo holds values of more than 16 bits; save it as 8-bit or 16-bit first."
        )
    deep = Image.fromarray(values.astype(np.uint16))
    deep.info = photo.info.copy()
    return deep


def convert_inks(photo: Image.Image) -> Image.Image:
    """CMYK as sRGB, through the photo's profile where it has a usable one."""
    profile = open_profile(photo.info.get("icc_profile"))
    if profile is not None and profile.profile.xcolor_space.strip() == "CMYK":
        try:
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(
                photo,
                profile,
                srgb,
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                "RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            if converted is not None:
                return converted
        except ImageCms.PyCMSError:
            pass
    return photo.convert("RGB")
