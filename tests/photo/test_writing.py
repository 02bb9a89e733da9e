"""What is saved holds what the photo had, or says so."""

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from dslr_gan.errors import DslrGanError
from dslr_gan.photo import (
    copy_photo,
    find_format,
    format_note,
    format_to_write,
    open_photo,
    save_photo,
)
from tests.support.photo_helpers import (
    DISPLAY_P3,
    SRGB,
    encoded,
    message_of,
    pictures,
    rgb_profile,
    round_trip,
    same,
    with_exif,
)

LOSSLESS = {
    "png": ("L", "LA", "RGB", "RGBA", "I;16"),
    "tif": ("L", "LA", "RGB", "RGBA", "I;16"),
    "jp2": ("L", "LA", "RGB", "RGBA", "I;16"),
    "bmp": ("L", "RGB"),
    "ppm": ("L", "RGB", "I;16"),
}


@pytest.mark.parametrize("suffix", sorted(LOSSLESS))
def test_lossless_formats_give_back_every_pixel(suffix, tmp_path):
    for mode in LOSSLESS[suffix]:
        photo = pictures()[mode]
        save_photo(photo, tmp_path / f"photo.{suffix}")
        read = open_photo(tmp_path / f"photo.{suffix}")
        assert same(round_trip(read), photo), mode


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_lossy_formats_lose_little(suffix, coffee, tmp_path):
    save_photo(coffee, tmp_path / f"photo.{suffix}")
    read = np.asarray(open_photo(tmp_path / f"photo.{suffix}")).astype(int)
    error = np.abs(read - np.asarray(coffee))
    assert 0 < error.mean() < 3, f"mean {error.mean()}, maximum {error.max()}"


def test_webp_is_lossless_where_its_source_was(tmp_path):
    photo = pictures()["RGBA"]
    for lossless, animated in ((True, False), (False, False), (True, True)):
        frames = {"save_all": True, "append_images": [photo.rotate(90)]} if animated else {}
        source = open_photo(encoded(photo, "WEBP", lossless=lossless, exact=True, **frames))
        result = round_trip(source)
        save_photo(result, tmp_path / "photo.webp")
        assert same(open_photo(tmp_path / "photo.webp"), result) == lossless
        assert same(open_photo(tmp_path / "photo.webp").getchannel("A"), photo.getchannel("A"))


@pytest.mark.parametrize(("chroma", "kept"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
def test_jpeg_keeps_the_chroma_subsampling_of_its_source(chroma, kept, coffee, tmp_path):
    for exif, wanted in ((b"", kept), (with_exif(6), 0 if kept == 1 else kept)):
        source = open_photo(encoded(coffee, "JPEG", subsampling=chroma, exif=exif))
        save_photo(round_trip(source), tmp_path / "photo.jpg")
        result = open_photo(tmp_path / "photo.jpg")
        assert JpegImagePlugin.get_sampling(result) == wanted


@pytest.mark.parametrize(("quality", "kept"), [(98, 98), (95, 95), (90, 90), (75, 90), (10, 90)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_keeps_the_quality_of_its_source_from_90_up(quality, kept, mode, coffee, tmp_path):
    coffee = coffee.convert(mode)
    save_photo(
        round_trip(open_photo(encoded(coffee, "JPEG", quality=quality))), tmp_path / "photo.jpg"
    )
    result = open_photo(tmp_path / "photo.jpg")
    reference = open_photo(encoded(coffee, "JPEG", quality=kept))
    assert result.quantization == reference.quantization


def test_jpeg_tables_of_a_camera_are_kept_and_turned(coffee, tmp_path):
    luma = [1 + i // 32 for i in range(64)]
    chroma = [2 + i % 2 for i in range(64)]
    for orientation, wanted in ((1, luma), (6, [1 + i % 8 // 4 for i in range(64)])):
        exif = with_exif(orientation)
        source = encoded(coffee, "JPEG", qtables=[luma, chroma], exif=exif)
        save_photo(round_trip(open_photo(source)), tmp_path / "photo.jpg")
        assert list(open_photo(tmp_path / "photo.jpg").quantization[0]) == wanted


def test_sixteen_bits_in_a_format_of_eight_are_reported(tmp_path):
    deep = pictures()["I;16"]
    (note,) = save_photo(deep, tmp_path / "photo.jpg")
    assert note == "JPEG is written with 8 bits per channel; the photo had 16."
    assert save_photo(deep, tmp_path / "photo.webp") and not save_photo(deep, tmp_path / "a.png")
    expected = np.asarray(deep) / 257
    assert np.abs(np.asarray(open_photo(tmp_path / "photo.webp"))[..., 0] - expected).mean() < 12


def test_metadata_that_a_format_cannot_hold_is_reported(coffee, tmp_path):
    photo = coffee.copy()
    photo.info["exif"] = with_exif(1) + bytes(70_000)
    photo.info["xmp"] = b"<x>" + bytes(70_000)
    said = save_photo(photo, tmp_path / "photo.jpg")
    assert [note.split()[1] for note in said] == ["XMP"]  # EXIF takes several segments
    with Image.open(tmp_path / "photo.jpg") as result:
        assert result.info["exif"] == photo.info["exif"]
    assert save_photo(photo, tmp_path / "photo.bmp") == [
        "BMP holds no EXIF and no XMP; they were left out."
    ]
    assert save_photo(photo, tmp_path / "photo.png") == []


def test_the_format_that_a_photo_comes_back_in(coffee, tmp_path):
    kinds = {"GIF": "PNG", "BMP": "BMP", "JPEG": "JPEG", "TIFF": "TIFF", "HEIF": "HEIF"}
    for kind, wanted in kinds.items():
        assert format_to_write(open_photo(encoded(coffee, kind))).name == wanted
    assert format_to_write(coffee).name == "PNG"
    views = {"save_all": True, "append_images": [coffee]}
    assert format_to_write(open_photo(encoded(coffee, "MPO", **views))).name == "JPEG"


def test_another_format_than_the_files_is_reported(coffee):
    png, jpeg = find_format("png"), find_format("jpg")
    assert format_note(open_photo(encoded(coffee, "JPEG")), jpeg) is None
    assert format_note(open_photo(encoded(coffee, "MPO")), jpeg) is None
    assert format_note(coffee, png) is None  # it came from no file
    said = format_note(open_photo(encoded(coffee, "GIF")), png)
    assert said == "GIF does not hold what an enhanced photo needs; the result is a PNG."


def test_a_copy_is_the_file_byte_for_byte(coffee, tmp_path):
    coffee.save(tmp_path / "photo.jpg")
    copy_photo(tmp_path / "photo.jpg", tmp_path / "new/photo.jpg")
    assert (tmp_path / "new/photo.jpg").read_bytes() == (tmp_path / "photo.jpg").read_bytes()
    with pytest.raises(DslrGanError, match="missing.jpg cannot be copied"):
        copy_photo(tmp_path / "missing.jpg", tmp_path / "new/other.jpg")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["photo.jpg"]


def test_jpeg_of_unknown_subsampling_gets_full_chroma(coffee, tmp_path):
    save_photo(coffee, tmp_path / "photo.jpg")
    assert JpegImagePlugin.get_sampling(open_photo(tmp_path / "photo.jpg")) == 0


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_the_profile_is_saved(suffix, coffee, tmp_path):
    wide = coffee.copy()
    wide.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    save_photo(round_trip(wide), tmp_path / f"photo.{suffix}")
    assert open_photo(tmp_path / f"photo.{suffix}").info["icc_profile"] == rgb_profile(DISPLAY_P3)


def test_a_format_that_would_lose_something_is_refused(coffee, tmp_path):
    wide = coffee.copy()
    wide.info["icc_profile"] = rgb_profile(DISPLAY_P3)
    cases = [
        (pictures()["RGBA"], "photo.jpg", "transparency"),
        (pictures()["LA"], "photo.bmp", "transparency"),
        (wide, "photo.bmp", "colour profile"),
        (Image.new("RGB", (70_000, 1)), "photo.jpg", "JPEG may not hold it"),
    ]
    for photo, name, words in cases:
        with pytest.raises(DslrGanError) as error:
            save_photo(photo, tmp_path / name)
        assert words in message_of(error, name)
        assert "--format png" in str(error.value)
    wide.info["icc_profile"] = rgb_profile(SRGB)
    save_photo(wide, tmp_path / "photo.bmp")  # says no more than no profile does
    assert [path.name for path in tmp_path.iterdir()] == ["photo.bmp"]


def test_the_format_is_named_or_read_off_the_suffix(coffee, tmp_path):
    names = {
        "PNG": "PNG",
        ".jpeg": "JPEG",
        "JPG": "JPEG",
        "tif": "TIFF",
        "MPO": "JPEG",
        "jp2": "JPEG2000",
    }
    for name, wanted in names.items():
        assert find_format(name).name == wanted
    save_photo(coffee, tmp_path / "photo.jpg", format="png")
    assert open_photo(tmp_path / "photo.jpg").format == "PNG"
    for name, format in (("photo.xyz", None), ("photo", None), ("photo.png", "gif")):
        with pytest.raises(DslrGanError, match="choose one of jpg, png"):
            save_photo(coffee, tmp_path / name, format=format)


def test_a_place_that_cannot_be_written_gets_an_error_message(coffee, tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.png").mkdir()
    for name in ("file/photo.png", "folder.png"):
        with pytest.raises(DslrGanError) as error:
            save_photo(coffee, tmp_path / name)
        assert "check that the folder" in message_of(error, name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_a_failed_save_leaves_the_old_file(coffee, tmp_path):
    path = tmp_path / "photo.jpg"
    coffee.save(path)
    before = path.read_bytes()
    with pytest.raises(DslrGanError):
        save_photo(Image.new("RGB", (70_000, 1)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_modes_are_saved_as_what_they_show(coffee, tmp_path):
    inks = coffee.convert("CMYK")
    inks.info["icc_profile"] = b"of inks"
    for photo in (coffee.quantize(16), inks, coffee.convert("1")):
        save_photo(photo, tmp_path / "photo.png")
        assert "icc_profile" not in open_photo(tmp_path / "photo.png").info
        assert same(open_photo(tmp_path / "photo.png"), round_trip(photo))


@pytest.mark.parametrize("suffix", [".jpeg", ".tiff"])
def test_a_name_that_is_too_long_is_called_that(suffix, tmp_path):
    with pytest.raises(DslrGanError, match="File name too long.; give it a shorter name") as caught:
        save_photo(Image.new("RGB", (9, 9)), tmp_path / f"{'a' * 251}{suffix}")
    assert "room" not in str(caught.value) and not list(tmp_path.iterdir())
