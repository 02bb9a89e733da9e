"""The short way of decoding gives what the long way gives, or stands back."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from skimage import data

from dslr_gan.data.decode import decode_pair, plain_pixels, read_pair, undecoded
from dslr_gan.data.folder import file_rows, find_pairs
from dslr_gan.data.samples import PatchPairs
from dslr_gan.errors import DslrGanError
from dslr_gan.photo import eight_bits, open_photo, photo_pixels

PHOTO = Image.fromarray(data.coffee()).resize((90, 60))


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(photo=PHOTO, kind="JPEG", **options):
    stream = io.BytesIO()
    photo.save(stream, kind, **options)
    return stream.getvalue()


def long_way(content):
    return eight_bits(photo_pixels(open_photo(io.BytesIO(content))).pixels)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def late_exif():
    """A PNG whose EXIF stands behind its pixels."""
    content = encoded(kind="PNG", exif=exif(6))
    start = content.index(b"eXIf") - 4
    stop = start + 12 + int.from_bytes(content[start : start + 4], "big")
    end = content.index(b"IEND") - 4
    return content[:start] + content[stop:end] + content[start:stop] + content[end:]


PLAIN = {
    "jpeg": encoded(),
    "4:4:4": encoded(subsampling=0, quality=95),
    "progressive": encoded(progressive=True),
    "resolution": encoded(dpi=(300, 300), comment=b"hello"),
    "png": encoded(kind="PNG"),
}
NOT_PLAIN = {
    "gray in its last pixel": encoded(Image.new("RGB", (9, 9), (128, 128, 128))),
    "black in its last row": encoded(Image.new("RGB", (9, 9))),
    "turned": encoded(exif=exif(6)),
    "upright, but says so": encoded(exif=exif(1)),
    "turned png": encoded(kind="PNG", exif=exif(3)),
    "turned at the end": late_exif(),
    "xmp": encoded(xmp=b'<x tiff:Orientation="6"/>'),
    "profile": encoded(icc_profile=PROFILE),
    "transparent colour": encoded(kind="PNG", transparency=(1, 2, 3)),
    "alpha": encoded(PHOTO.convert("RGBA"), "PNG"),
    "gray": encoded(PHOTO.convert("L")),
    "palette": encoded(PHOTO.convert("P"), "PNG"),
    "cmyk": encoded(PHOTO.convert("CMYK")),
    "16 bits": encoded(Image.fromarray(np.full((9, 9), 0x4000, np.uint16)), "PNG"),
    "webp": encoded(kind="WEBP"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_pictures_are_byte_for_byte_the_same(kind):
    pixels = plain_pixels(PLAIN[kind])
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, long_way(PLAIN[kind]))


@pytest.mark.parametrize("kind", NOT_PLAIN)
def test_all_others_go_the_long_way(kind, tmp_path):
    content = NOT_PLAIN[kind]
    assert plain_pixels(content) is None
    (tmp_path / "file").write_bytes(content)
    stored = {"bytes": content, "path": None}, {"bytes": None, "path": str(tmp_path / "file")}
    for pixels in decode_pair(dict(zip(("phone", "dslr"), stored, strict=True)), "pair 0"):
        assert np.array_equal(pixels, long_way(content))


def test_a_text_that_says_orientation_turns_a_png():
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    assert plain_pixels(encoded(kind="PNG", pnginfo=text)) is None


@pytest.mark.parametrize("content", [b"", b"no picture", PLAIN["jpeg"][:900], PLAIN["png"][:900]])
def test_damaged_pictures_are_refused_by_name(content, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(content)
    good = {"bytes": PLAIN["png"], "path": "good.png"}
    for bad in ({"bytes": content, "path": "bad.jpg"},
                {"bytes": None, "path": str(tmp_path / "bad.jpg")}):  # fmt: skip
        with pytest.raises(DslrGanError, match=r"pair 7: .*bad\.jpg"):
            decode_pair({"phone": good, "dslr": bad}, "pair 7")


def test_a_pair_that_does_not_fit_is_named_by_its_files(tmp_path):
    for side, width in (("phone", 20), ("canon", 30)):
        (tmp_path / side).mkdir()
        Image.new("RGB", (width, 20)).save(tmp_path / side / "a.png")
    with pytest.raises(DslrGanError) as caught:
        read_pair(undecoded(file_rows(find_pairs(tmp_path))), 0)
    said = str(caught.value)
    assert f"the phone picture {tmp_path}/phone/a.png has 20x20 pixels" in said
    assert f"the DSLR picture {tmp_path}/canon/a.png 30x20;" in said
    with pytest.raises(DslrGanError, match="the phone picture has 20x20"):
        decode_pair({"phone": Image.new("L", (20, 20)), "dslr": Image.new("L", (9, 9))}, "pair 0")


@pytest.mark.parametrize("path", ["phone/a.png", None])
def test_a_picture_smaller_than_a_patch_is_named(path):
    rows = [
        {
            "phone": {"bytes": PLAIN["png"], "path": path},
            "dslr": {"bytes": PLAIN["png"], "path": path},
        }
    ]
    with pytest.raises(DslrGanError, match=f"pair 0: {path or 'its picture'} has"):
        PatchPairs([rows], size=900)[0]


def test_what_is_no_file_is_refused(tmp_path):
    good = {"bytes": PLAIN["png"], "path": None}
    for path, words in ((tmp_path / "none.png", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(DslrGanError, match=f"pair 1: .*{words}"):
            decode_pair({"phone": {"bytes": None, "path": str(path)}, "dslr": good}, "pair 1")
    with pytest.raises(DslrGanError, match="memory://none could not be fetched"):
        decode_pair({"phone": {"bytes": None, "path": "memory://none"}, "dslr": good}, "pair 1")


def test_sixteen_bit_and_damaged_pictures_among_pairs(tmp_path):
    gray = np.full((20, 20), 0x4000, np.uint16)
    for side in ("phone", "canon"):
        (tmp_path / side).mkdir()
        Image.fromarray(gray).save(tmp_path / side / "a.png")
        (tmp_path / side / "b.png").write_bytes((tmp_path / side / "a.png").read_bytes()[:45])
    pairs = undecoded(file_rows(find_pairs(tmp_path)))
    # Pillow's own way from 16-bit gray to RGB would make it white.
    assert (read_pair(pairs, 0)[0] == 0x40).all()
    with pytest.raises(DslrGanError, match=r"pair 1: .*b\.png"):
        read_pair(pairs, 1)


def test_a_jpeg_that_ends_early_is_damaged():
    content = encoded()[:1500] + b"\xff\xd9"
    with pytest.raises(DslrGanError, match="pair 0: .* damaged or cut off .pixels are missing"):
        decode_pair(dict.fromkeys(("phone", "dslr"), {"bytes": content, "path": None}), "pair 0")
