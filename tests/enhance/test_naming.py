"""The format of a result, and a name that agrees with it."""

import os
from pathlib import Path

import pytest
from PIL import Image

from dslr_gan.enhance.naming import choose_format, fitting_name, format_by_header
from dslr_gan.errors import DslrGanError
from dslr_gan.photo import find_format, open_photo
from tests.support.bmp_with_alpha import save_bmp_with_alpha


def saved(file: Path, kind: str, mode: str = "RGB") -> Path:
    Image.new(mode, (9, 7)).save(file, kind)
    return file


@pytest.mark.parametrize(
    ("kind", "source", "destination", "wanted", "expected"),
    [
        ("JPEG", "a.jpg", "b.jpg", None, ("JPEG", False)),
        ("JPEG", "a.jpg", "b.JPEG", None, ("JPEG", False)),
        ("JPEG", "a", "b", None, ("JPEG", False)),
        ("JPEG", "a.jpg", "b.unfinished", None, ("JPEG", False)),
        ("PNG", "a.jpg", "b.jpg", None, ("PNG", False)),  # the content decides
        ("PNG", "a.jpg", "b.jpeg", None, ("PNG", False)),
        ("PNG", "a.jpg", "b.png", None, ("PNG", False)),
        ("JPEG", "a.jpg", "b.png", None, ("PNG", True)),  # a new suffix asks for its format
        ("GIF", "a.gif", "b.gif", None, ("PNG", False)),
        ("GIF", "a.gif", "b.jpg", None, ("JPEG", True)),
        ("JPEG", "a.jpg", "b.png", "webp", ("WEBP", True)),
    ],
)
def test_the_format_of_a_result(kind, source, destination, wanted, expected, tmp_path):
    photo = open_photo(saved(tmp_path / source, kind))
    found, asked = choose_format(photo, tmp_path / source, Path(destination), wanted)
    assert (found.name, asked) == expected


def test_a_format_that_is_not_written_is_refused(tmp_path):
    photo = open_photo(saved(tmp_path / "a.jpg", "JPEG"))
    for destination, wanted in (("b.gif", None), ("b.jpg", "gif")):
        with pytest.raises(DslrGanError, match="'gif'; choose one of"):
            choose_format(photo, tmp_path / "a.jpg", Path(destination), wanted)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("a.jpg", "JPEG", "a.jpg"),
        ("a.JPE", "JPEG", "a.JPE"),
        ("x/a.b.bmp", "PNG", "x/a.b.png"),
        ("a.gif", "PNG", "a.png"),
        ("noname", "PNG", "noname"),
        ("a.tmp", "PNG", "a.tmp"),
        ("\udcff.jpg", "PNG", "\udcff.png"),
    ],
)
def test_a_suffix_never_means_another_format(name, kind, expected):
    assert fitting_name(Path(name), find_format(kind)) == Path(expected)


def test_a_header_tells_what_the_whole_file_does(tmp_path):
    modes = {"JPEG": "RGB", "BMP": "RGB", "GIF": "P", "WEBP": "RGBA", "HEIF": "RGB"}
    files = [saved(tmp_path / kind, kind, mode) for kind, mode in modes.items()]
    save_bmp_with_alpha(Image.new("RGBA", (9, 7)), tmp_path / "clear.jpg")
    kinds = []
    for file in (*files, tmp_path / "clear.jpg"):
        kinds.append(format_by_header(file).name)
        assert choose_format(open_photo(file), file, Path("b"))[0].name == kinds[-1]
    assert kinds == ["JPEG", "BMP", "PNG", "WEBP", "HEIF", "PNG"]


def test_what_has_no_header_tells_nothing(tmp_path):
    (tmp_path / "text.jpg").write_text("I am no photo\n" * 50)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe.jpg")  # which would wait for whoever writes into it
    for name in ("text.jpg", "loop", "pipe.jpg", "missing.png", "x" * 300, "."):
        assert format_by_header(tmp_path / name) is None, name
