"""Which photos belong together: by name, by table, and what is refused."""

from pathlib import Path

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.prepare.matching import pairs_by_name, pairs_by_table


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    for name in ("phone/b.jpg", "phone/a.PNG", "phone/notes.txt", "phone/.hidden.jpg",
                 "dslr/a.jpg", "dslr/b.tif"):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"")
    return tmp_path / "phone", tmp_path / "dslr"


def table(folders, text, encoding="utf-8"):
    file = folders[0].parent / "pairs.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_photos_of_one_name_belong_together_whatever_their_suffix(folders):
    phone, dslr = folders
    assert pairs_by_name(phone, dslr) == [
        ("a", phone / "a.PNG", dslr / "a.jpg"),
        ("b", phone / "b.jpg", dslr / "b.tif"),
    ]


def test_a_photo_without_its_counterpart_is_told(folders):
    (folders[0] / "c.jpg").write_bytes(b"")
    with pytest.raises(DslrGanError, match=r"1 photo has no counterpart .* such as .*phone/c\.jpg"):
        pairs_by_name(*folders)
    (folders[1] / "d.jpg").write_bytes(b"")
    with pytest.raises(DslrGanError, match="2 photos have no counterpart"):
        pairs_by_name(*folders)


def test_two_photos_of_one_name_are_refused(folders):
    (folders[1] / "b.jpg").write_bytes(b"")
    with pytest.raises(DslrGanError, match=r"b\.jpg and .*b\.tif are of one name"):
        pairs_by_name(*folders)


def test_folders_that_are_not_there_or_empty_are_refused(folders, tmp_path):
    with pytest.raises(DslrGanError, match="there is no folder .*nowhere"):
        pairs_by_name(folders[0], tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DslrGanError, match="empty holds no photos"):
        pairs_by_name(tmp_path / "empty", folders[1])
    with pytest.raises(DslrGanError, match="there is no folder .*nowhere"):
        pairs_by_table(table(folders, "phone,dslr\na,b\n"), tmp_path / "nowhere", folders[1])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])  # spreadsheets write the latter
def test_a_table_names_the_pairs(folders, encoding):
    phone, dslr = folders
    (phone / "day").mkdir()
    (phone / "day/a.PNG").write_bytes(b"")
    text = 'dslr,note,phone\r\nb.tif,"x, y",day/a.PNG\r\na.jpg,, a.PNG \r\n'
    assert pairs_by_table(table(folders, text, encoding), phone, dslr) == [
        ("a", phone / "a.PNG", dslr / "a.jpg"),
        ("day/a", phone / "day/a.PNG", dslr / "b.tif"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column called phone; .* found: nothing"),
        ("phone;dslr\na.PNG;a.jpg\n", "has no column called phone; .* separated by a comma"),
        ("phone,camera\na.PNG,a.jpg\n", "no column called dslr; .* found: phone, camera"),
        ("phone,dslr\n", "names no pairs"),
        ("phone,dslr\na.PNG,a.jpg\nb.jpg\n", "line 3 of .* names no dslr photo"),
        ("phone,dslr\n ,a.jpg\n", "line 2 of .* names no phone photo"),
        ("phone,dslr\na.PNG,x.jpg\nb.jpg,y.jpg\n", "names 2 photos that do not exist, .*x.jpg"),
        ("phone,dslr\na.PNG,x.jpg\n", "names a photo that does not exist, such as .*dslr/x.jpg"),
        ("phone,dslr\na.PNG,a.jpg\na.PNG,b.tif\n", "line 3 of .*a.PNG .* a second time"),
        ("phone,dslr\na.PNG,a.jpg\nb.jpg,a.jpg\n", "line 3 of .*dslr/a.jpg .* a second time"),
        ('phone,dslr\n"a.PNG,a.jpg\n', "cannot be read as a table"),
    ],
)
def test_a_table_with_a_mistake_is_refused(folders, text, words):
    with pytest.raises(DslrGanError, match=words):
        pairs_by_table(table(folders, text), *folders)


def test_a_table_that_is_no_text_or_not_there_is_refused(folders, tmp_path):
    with pytest.raises(DslrGanError, match="is not UTF-8 text"):
        pairs_by_table(table(folders, "phone,dslr\né.jpg,a.jpg\n", "latin-1"), *folders)
    with pytest.raises(DslrGanError, match=r"cannot be read as a table \(No such file"):
        pairs_by_table(tmp_path / "nowhere.csv", *folders)
