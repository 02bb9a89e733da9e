"""What an upload's header says, and what is refused by it."""

import io
import struct
import zlib

import pytest
from PIL import ExifTags, Image

from dslr_gan.errors import DslrGanError
from dslr_gan.page.work import look as module
from dslr_gan.page.work.look import MAX_MEGAPIXELS, look
from tests.support.app_server import coffee, save_phone_photo


def test_a_header_tells_size_and_camera(tmp_path):
    photo = save_phone_photo(tmp_path / "walk.jpg", 160, 120, orientation=6)
    assert look(photo) == {
        "width": 120, "height": 160, "megapixels": 0.02, "format": "JPEG",
        "camera": "Maker of test phones", "phone": None, "says": None,
    }  # fmt: skip


def test_the_phone_is_chosen_by_the_exif(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Sony", "C6603"
    coffee(40, 30).save(tmp_path / "a.jpg", exif=exif)
    found = look(tmp_path / "a.jpg")
    assert found["phone"] == "sony"
    assert found["says"] == "The Sony model, by the photo's EXIF: Sony C6603."


@pytest.mark.parametrize("size", [(20_000, 6_001), (16_000, 15_600)])
def test_a_bomb_is_refused_and_never_decoded(size, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "open_photo", lambda *_, **__: pytest.fail("it was decoded"))
    bomb = tmp_path / "bomb.png"
    head = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    content = b"IHDR" + head
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + content
        + struct.pack(">I", zlib.crc32(content)) + struct.pack(">I", 1 << 20) + b"IDAT"
    )  # fmt: skip
    with pytest.raises(DslrGanError, match=f"bomb.png has .* {MAX_MEGAPIXELS:.0f} megapixels"):
        look(bomb)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a photo"),
        ("empty.jpg", b"", "is empty"),
        ("raw.nef", b"II*\0nonsense", "raw file"),
        ("page.html", b"<html>", "is a web page; download the photo"),
        ("half.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "damaged|cut off"),
    ],
)
def test_what_is_no_photo_is_told(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DslrGanError, match=words) as caught:
        look(tmp_path / name)
    assert name in str(caught.value)


def test_a_missing_file_and_a_large_one(tmp_path):
    with pytest.raises(DslrGanError, match="does not exist"):
        look(tmp_path / "gone.jpg")
    with (tmp_path / "large.jpg").open("wb") as stream:
        stream.truncate(101_000_000)
    with pytest.raises(DslrGanError, match="more than 100 MB"):
        look(tmp_path / "large.jpg")


def test_an_animated_gif_is_a_photo(tmp_path):
    frames, file = [coffee(40, 30), coffee(40, 30).rotate(90)], io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    (tmp_path / "moving.gif").write_bytes(file.getvalue())
    assert look(tmp_path / "moving.gif")["format"] == "GIF"
