"""Which photos are meant."""

import os
import random
from pathlib import Path

import pytest

from dslr_gan.enhance.inputs import find_photos

TREE = [
    "a.jpg",
    "B.PNG",
    "c.txt",
    "raw.cr2",
    ".hidden.jpg",
    "x/d.webp",
    "x/notes",
    "x/deep/e.heic",
    ".git/f.jpg",
    'y z/it\'s "q"\n.jpg',
    "y z/größe 猫.tif",
    "y z/[1].gif",
]


@pytest.fixture
def tree(tmp_path) -> Path:
    """A folder of empty files: finding does not look into them."""
    for name in random.Random(0).sample(TREE, len(TREE)):
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "tree"


def places(found) -> list[str]:
    return [photo.place.as_posix() for photo in found.photos]


ALL = [
    "B.PNG",
    "a.jpg",
    "x/d.webp",
    "x/deep/e.heic",
    "y z/[1].gif",
    "y z/größe 猫.tif",
    'y z/it\'s "q"\n.jpg',
]


@pytest.mark.parametrize(
    ("inputs", "recursive", "expected"),
    [
        (["{}"], False, ["B.PNG", "a.jpg"]),
        (["{}"], True, sorted(ALL, key=lambda name: ("/" in name, name))),
        (["{}/x"], False, ["d.webp"]),
        (["{}/x"], True, ["d.webp", "deep/e.heic"]),
        (["{}/a.jpg"], False, ["a.jpg"]),
        (["{}/x/d.webp", "{}/a.jpg"], False, ["d.webp", "a.jpg"]),
        (["{}/c.txt"], False, ["c.txt"]),  # given itself: opening it will say what it is
        (["{}/missing.jpg"], False, ["missing.jpg"]),
        (["{}", "{}/a.jpg", "{}/../tree/a.jpg"], False, ["B.PNG", "a.jpg"]),
        (["{}/x/d.webp", "{}"], True, ["d.webp", "B.PNG", "a.jpg", "x/deep/e.heic", *ALL[4:]]),
        (["{}/*.jpg"], False, ["a.jpg"]),
        (["{}/*"], False, ["B.PNG", "a.jpg", "x/d.webp", *ALL[4:]]),
        (["{}/*"], True, ["B.PNG", "a.jpg", *ALL[2:]]),
        (["{}/*/*"], False, ["x/d.webp", "x/deep/e.heic", *ALL[4:]]),
        (["{}/**/*.webp"], False, ["x/d.webp"]),
        (["{}/**"], False, ALL),
        (["{}/x/**/*.heic"], False, ["deep/e.heic"]),
        (["{}/[ab].jpg"], False, ["a.jpg"]),
        (["{}/y z/[1].gif"], False, ["[1].gif"]),  # a file of that name is no pattern
        (["{}/y z/[[]1].gif"], False, ["[1].gif"]),
    ],
)
def test_what_is_found(inputs, recursive, expected, tree):
    found = find_photos([each.format(tree) for each in inputs], recursive=recursive)
    assert places(found) == expected
    assert not found.problems
    assert all(photo.path.name == photo.place.name for photo in found.photos)
    assert all(photo.path.is_file() for photo in found.photos if photo.path.name != "missing.jpg")


def test_a_pattern_below_the_current_folder(tree, monkeypatch):
    monkeypatch.chdir(tree)
    for pattern in ("x/*.webp", "./x/*.webp", "x/**/*.webp"):
        found = find_photos([pattern])
        assert places(found) == ["d.webp"] and found.photos[0].path == Path("x/d.webp")
    assert places(find_photos(["*/../a.jpg"])) == ["a.jpg"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{}/*.bmp", "matches no photos"),
        ("{}/*.txt", "matches no photos"),
        ("{}/**/*.bmp", "matches no photos"),
        ("{}/empty", "holds no photos"),
        ("", "empty"),
    ],
)
def test_what_gives_nothing_is_a_message_and_the_others_go_on(given, words, tree):
    (tree / "empty").mkdir()
    found = find_photos([given.format(tree), f"{tree}/a.jpg"])
    assert places(found) == ["a.jpg"]
    (message,) = found.problems
    assert words in message and message.endswith(".")


def test_what_is_no_photo_is_counted(tree):
    os.mkfifo(tree / "pipe.jpg")
    found = find_photos([str(tree)], recursive=True)
    assert found.passed_over == {".txt": 1, ".cr2": 1, "": 1, ".jpg": 1}
    assert "pipe.jpg" not in places(found)


def test_links_in_circles_end_and_a_photo_is_found_where_it_lies(tree):
    expected = places(find_photos([str(tree)], recursive=True))
    (tree / "A first").symlink_to(tree)
    (tree / "x/up").symlink_to(tree, target_is_directory=True)
    (tree / "x/up2").symlink_to("..", target_is_directory=True)
    (tree / "0").symlink_to(tree / "x")
    (tree / "itself").symlink_to(tree / "itself")
    assert places(find_photos([str(tree)], recursive=True)) == expected
    assert len(find_photos([f"{tree}/**/*.webp"]).photos) == 1


def test_a_linked_folder_outside_is_searched_and_a_link_to_nothing_is_kept(tree, tmp_path):
    (tmp_path / "album").mkdir()
    (tmp_path / "album/far.jpg").touch()
    (tree / "x/album").symlink_to(tmp_path / "album")
    (tree / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    found = places(find_photos([str(tree)], recursive=True))
    assert "x/album/far.jpg" in found and "gone.jpg" in found


def test_the_folder_for_the_results_is_not_searched(tree):
    out = tree / "x/deep"
    for inputs in ([str(tree)], [f"{tree}/**"], [f"{tree}/*"], [f"{tree}/*/*"]):
        found = places(find_photos(inputs, recursive=True, out=out))
        assert "x/d.webp" in found and "x/deep/e.heic" not in found


# Names with brackets, folders that are set aside -----------------------------------------------


@pytest.fixture
def trips(tmp_path, monkeypatch) -> Path:
    for name in ("Trip [2024]/day [1]/a.jpg", "Trip 2/day 1/b.jpg", "Trip [2024]/c.jpg",
                 "Trip 2/d.jpg", "Trip [2024]/[x].jpg", "Trip [2024]/x.jpg"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("Trip [2024]/*.jpg", ["[x].jpg", "c.jpg", "x.jpg"]),
        ("Trip [2024]/**/*.jpg", ["[x].jpg", "c.jpg", "x.jpg", "day [1]/a.jpg"]),
        ("Trip [2024]/day [1]/?.jpg", ["a.jpg"]),
        ("Trip [2024]/*/a.jpg", ["day [1]/a.jpg"]),
        ("Trip [2024]/[x].jpg", ["[x].jpg"]),
        ("Trip [2024]/[cx].jpg", ["c.jpg", "x.jpg"]),
        ("*/day [1]/*.jpg", ["Trip 2/day 1/b.jpg", "Trip [2024]/day [1]/a.jpg"]),
        ("**/day [1]/*.jpg", ["Trip [2024]/day [1]/a.jpg"]),
        ("Trip [0-9]/*.jpg", ["Trip 2/d.jpg"]),
        ("Trip [2024]/day*/", ["day [1]/a.jpg"]),
        ("Trip [2024]/c*/", []),
        ("Trip [[]2024]/day [1]*/*.jpg", ["Trip [2024]/day [1]/a.jpg"]),
    ],
)
def test_brackets_of_a_folder_that_exists_are_no_wildcard(pattern, expected, absolute, trips):
    found = find_photos([f"{trips}/{pattern}" if absolute else pattern])
    assert places(found) == expected
    assert bool(found.problems) == (not expected)


SET_ASIDE = [
    *("@eaDir", "#recycle", "$RECYCLE.BIN", "$Recycle.Bin", ".thumbnails", ".Trash-1000"),
    *(".Trash", ".Trashes", "lost+found", "@Recycle", ".@__thumb", "System Volume Information"),
    *("#snapshot", "~snapshot", ".snapshots", "__MACOSX", "FOUND.000", "RECYCLER"),
]


@pytest.mark.parametrize("name", SET_ASIDE)
def test_thumbnails_and_deleted_photos_are_passed_over_and_counted(name, tmp_path, monkeypatch):
    for file in (
        "a.jpg",
        f"{name}/a.jpg/THUMB.jpg",
        f"{name}/b.jpg",
        f"deep/{name}/c.jpg",
        "deep/d.jpg",
    ):
        (tmp_path / "nas" / file).parent.mkdir(parents=True, exist_ok=True)
        if not (tmp_path / "nas" / file).exists():
            (tmp_path / "nas" / file).touch()
    nas = tmp_path / "nas"
    for inputs in ([str(nas)], [f"{nas}/**"], [f"{nas}/**/*.jpg"]):
        found = find_photos(inputs, recursive=True)
        assert places(found) == ["a.jpg", "deep/d.jpg"] and not found.problems
        assert found.passed_over == {f"{name}/": 2}
    by_pattern = find_photos([f"{nas}/*/*.jpg"])
    assert places(by_pattern) == ["deep/d.jpg"]
    by_shell = find_photos([str(path) for path in sorted(nas.iterdir())], recursive=True)
    assert sorted(places(by_shell)) == ["a.jpg", "d.jpg"]
    assert by_shell.passed_over == {f"{name}/": 2}
    given = find_photos([f"{nas}/{name}"], recursive=True)
    assert places(given) == ["b.jpg", "a.jpg/THUMB.jpg"]
    named = find_photos([f"{nas}/**/{name}/*.jpg"])
    assert sorted(places(named)) == sorted([f"{name}/b.jpg", f"deep/{name}/c.jpg"])
    assert not named.passed_over and not named.problems


def test_a_folder_with_a_similar_name_is_searched(tmp_path):
    for name in ("recycled", "recycle", "thumbnails", "Trash", "eaDir", "lost and found"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").touch()
    found = find_photos([str(tmp_path)], recursive=True)
    assert len(found.photos) == 6 and not found.passed_over


@pytest.mark.parametrize("given", ["https://example.com/a.jpg", "file:///home/me/a.jpg"])
def test_an_address_is_called_one(given):
    (message,) = find_photos([given]).problems
    assert given in message and "address (URL)" in message and "download" in message


def test_a_pattern_in_a_folder_that_cannot_be_read_says_so(tree, monkeypatch):
    def refuse(path):  # as whoever is not root meets it
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    found = find_photos([f"{tree}/*.jpg"])
    assert found.problems == [
        f"{tree} cannot be read (Permission denied); check it and its permissions."
    ]


def test_photos_of_a_folder_that_may_only_be_listed_fail_by_themselves(tree, monkeypatch):
    def refuse(path):  # as whoever is not root meets it
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_symlink", refuse)
    found = find_photos([str(tree)])
    assert [photo.path.name for photo in found.photos] == ["B.PNG", "a.jpg"]
