"""A photo file in, a photo file out."""

import os

import numpy as np
import pytest
from PIL import ExifTags, Image
from skimage import data

from dslr_gan import enhance_file
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import Camera
from dslr_gan.photo import open_photo
from tests.support.bmp_with_alpha import save_bmp_with_alpha


@pytest.fixture(scope="module")
def enhancer(model):
    return PhotoEnhancer.from_pretrained(model)


@pytest.fixture
def photo(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Apple", "iPhone 3GS"
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(data.coffee()).resize((60, 40)).save(tmp_path / "photo.jpg", exif=exif)
    return tmp_path / "photo.jpg"


def test_what_is_known_of_a_result(enhancer, photo, tmp_path):
    calls = []
    result = enhance_file(
        enhancer, str(photo), str(tmp_path / "new/out.jpg"), progress=lambda *n: calls.append(n)
    )
    assert result.file == tmp_path / "new/out.jpg"
    assert (result.format, result.width, result.height) == ("JPEG", 40, 60)
    assert (result.camera, result.model) == (Camera("Apple", "iPhone 3GS"), enhancer.source)
    assert not result.copied and result.notes == () and result.seconds > 0
    assert calls == [(1, 1)]
    written = open_photo(result.file)
    assert (written.format, written.size) == ("JPEG", (40, 60))
    assert written.getexif()[ExifTags.Base.Make] == "Apple"


def test_the_pixels_are_the_enhancer_s(enhancer, photo, tmp_path):
    result = enhance_file(enhancer, photo, tmp_path / "out.png", strength=0.5)
    expected = enhancer.enhance(open_photo(photo), 0.5)
    assert (result.format, result.notes) == ("PNG", ())
    assert np.array_equal(open_photo(result.file), expected)


def test_an_enhancer_can_be_chosen_by_the_camera(enhancer, photo, tmp_path):
    cameras = []

    def choose(camera):
        cameras.append(camera)
        return enhancer

    assert enhance_file(choose, photo, tmp_path / "out.jpg").model == enhancer.source
    assert cameras == [Camera("Apple", "iPhone 3GS")]


def test_a_bmp_with_alpha_becomes_a_png_and_that_is_noted(enhancer, tmp_path):
    clear = Image.fromarray(data.coffee()).resize((60, 40))
    clear.putalpha(Image.linear_gradient("L").resize((60, 40)))
    save_bmp_with_alpha(clear, tmp_path / "clear.bmp")
    result = enhance_file(enhancer, tmp_path / "clear.bmp", tmp_path / "out/clear.bmp")
    assert result.file == tmp_path / "out/clear.png" and result.format == "PNG"
    assert result.notes == ("BMP does not hold what an enhanced photo needs; the result is a PNG.",)
    written = open_photo(result.file)
    assert (written.format, written.mode) == ("PNG", "RGBA")
    assert written.getchannel("A").tobytes() == clear.getchannel("A").tobytes()
    # Asked for by name, it is refused instead.
    with pytest.raises(DslrGanError, match="BMP does not hold transparency"):
        enhance_file(enhancer, tmp_path / "clear.bmp", tmp_path / "asked.bmp", format="bmp")
    assert not (tmp_path / "asked.bmp").exists()


def test_at_strength_nothing_the_file_is_copied_where_the_format_stays(enhancer, photo, tmp_path):
    copy = enhance_file(enhancer, photo, tmp_path / "copy.jpg", strength=0)
    assert copy.copied and copy.file.read_bytes() == photo.read_bytes()
    assert (copy.width, copy.height) == (40, 60)
    other = enhance_file(enhancer, photo, tmp_path / "other.png", strength=0)
    assert not other.copied
    assert np.array_equal(open_photo(other.file), enhancer.enhance(open_photo(photo), 0))


def test_a_file_stays_where_it_is_not_to_be_replaced(enhancer, photo, tmp_path):
    (tmp_path / "out.png").write_bytes(b"precious")
    for destination, format in (("out.png", None), ("out.jpg", "png")):  # by its final name
        with pytest.raises(DslrGanError, match=r"out.png exists already; .*--overwrite"):
            enhance_file(enhancer, photo, tmp_path / destination, format=format, overwrite=False)
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    enhance_file(enhancer, photo, tmp_path / "out.png")
    assert open_photo(tmp_path / "out.png").size == (40, 60)


def test_a_photo_can_be_replaced_by_its_own_result(enhancer, photo):
    before = photo.read_bytes()
    enhance_file(enhancer, photo, photo)
    assert photo.read_bytes() != before and open_photo(photo).size == (40, 60)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strength": 1.5}, "strength must lie between 0 and 1, got 1.5"),
        ({"strength": float("nan")}, "strength must lie between 0 and 1, got nan"),
        ({"format": "docx"}, "'docx'"),
        ({"max_megapixels": 0.001}, "photo.jpg is too large"),
    ],
)
def test_what_is_refused_leaves_no_file(options, words, enhancer, photo, tmp_path):
    with pytest.raises(DslrGanError, match=words):
        enhance_file(enhancer, photo, tmp_path / "new/out.jpg", **options)
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_no_photo_is_refused_by_its_name(enhancer, tmp_path):
    (tmp_path / "words.jpg").write_text("no photo")
    with pytest.raises(DslrGanError, match=r"words.jpg is not a photo"):
        enhance_file(enhancer, tmp_path / "words.jpg", tmp_path / "out.jpg")


@pytest.mark.parametrize("strength", [0, 1])
def test_a_result_has_the_permissions_and_the_time_of_its_photo(
    enhancer, photo, strength, tmp_path
):
    photo.chmod(0o600)
    os.utime(photo, (1.5e9, 1.5e9))
    for suffix in ("jpg", "tif"):
        result = enhance_file(enhancer, photo, tmp_path / f"out.{suffix}", strength=strength)
        status = result.file.stat()
        assert (status.st_mode & 0o777, status.st_mtime) == (0o600, 1.5e9)
    other = enhance_file(enhancer, photo, tmp_path / "out.jpg", strength=strength, preserve=False)
    assert other.file.stat().st_mtime > 1.5e9


def test_the_history_can_be_left_out_and_changes_no_pixel(enhancer, photo, tmp_path):
    told = open_photo(enhance_file(enhancer, photo, tmp_path / "a.jpg", strength=0.5).file)
    plain = open_photo(enhance_file(enhancer, photo, tmp_path / "b.jpg", history=False).file)
    same = open_photo(enhance_file(enhancer, photo, tmp_path / "c.jpg").file)
    assert b"strength 0.5" in told.info["xmp"] and b"dslr_gan" in told.info["xmp"]
    assert str(tmp_path).encode() not in told.info["xmp"]
    assert "xmp" not in plain.info
    assert np.array_equal(np.asarray(plain), np.asarray(same))
