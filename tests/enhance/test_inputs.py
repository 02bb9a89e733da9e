"""Which photos are meant, and where each result goes."""

import os
import random
from pathlib import Path

import pytest

from dslr_gan.enhance.inputs import Job, Photo, find_photos, plan
from dslr_gan.errors import DslrGanError

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


def planned(places, format=None) -> list[str]:
    photos = [Photo(Path("/in") / str(n) / each, Path(each)) for n, each in enumerate(places)]
    return [str(job.destination) for job in plan(photos, Path("out"), format)]


@pytest.mark.parametrize(
    ("photos", "format", "results"),
    [
        (["a.jpg", "x/b.png"], None, ["out/a.jpg", "out/x/b.png"]),
        (["a.jpg", "x/b.JPEG"], "jpg", ["out/a.jpg", "out/x/b.JPEG"]),
        (["a.jpg", "a.png"], None, ["out/a.jpg", "out/a.png"]),
        (["a.jpg", "a.png"], "webp", ["out/a.webp", "out/a-2.webp"]),
        (["a.jpg", "x/a.png"], "webp", ["out/a.webp", "out/x/a.webp"]),
        (["a.jpg", "a.jpg", "a.jpg"], None, ["out/a.jpg", "out/a-2.jpg", "out/a-3.jpg"]),
        (["a.jpg", "a.jpg", "a-2.jpg"], None, ["out/a.jpg", "out/a-3.jpg", "out/a-2.jpg"]),
        (["a-2.jpg", "a.jpg", "a.jpg"], None, ["out/a-2.jpg", "out/a.jpg", "out/a-3.jpg"]),
        (["A.jpg", "a.JPG"], None, ["out/A.jpg", "out/a-2.JPG"]),
        (["\u00e9.jpg", "e\u0301.jpg"], None, ["out/\u00e9.jpg", "out/e\u0301-2.jpg"]),
        (["a.b.jpg", "a.b.png"], "tif", ["out/a.b.tif", "out/a.b-2.tif"]),
        (["noname", "noname"], None, ["out/noname", "out/noname-2"]),
        (["\udcff.jpg"], "png", ["out/\udcff.png"]),
    ],
)
def test_where_results_go(photos, format, results):
    assert planned(photos, format) == results


def test_a_result_in_place_of_a_gif_is_a_png():
    assert planned(["a.gif", "a.png", "b.GIF"]) == ["out/a.png", "out/a-2.png", "out/b.png"]
    assert planned(["a.gif", "a.jpg"], "jpg") == ["out/a.jpg", "out/a-2.jpg"]


def test_no_two_results_share_a_name_whatever_the_photos_are_called():
    dice = random.Random(1)
    for _ in range(200):
        names = [
            dice.choice("aA")
            + dice.choice(["", "-2", "-3", "-2-2"])
            + dice.choice([".jpg", ".png"])
            for _ in range(12)
        ]
        results = planned(names, dice.choice([None, "webp"]))
        assert len({each.casefold() for each in results}) == len(names)
        assert results == planned(names, "webp" if results[0].endswith("webp") else None)


def test_results_never_go_into_a_folder_of_photos(tree):
    found = find_photos([str(tree)], recursive=True)
    for out in (tree, tree / "x/..", tree.parent):  # the last has tree/, but not as a result's
        if out == tree.parent:
            assert plan(found.photos, out)
            continue
        with pytest.raises(DslrGanError, match="is the folder of"):
            plan(found.photos, out)
    nested = tree / "tree"
    nested.mkdir()
    (nested / "g.jpg").touch()
    # Its result would be tree/g.jpg, among the photos.
    with pytest.raises(DslrGanError, match="is the folder of"):
        plan(find_photos([str(tree)], recursive=True).photos, tree.parent)


def test_out_that_is_a_file_and_an_unknown_format(tree):
    photos = find_photos([str(tree)]).photos
    with pytest.raises(DslrGanError, match="is a file"):
        plan(photos, tree / "c.txt")
    with pytest.raises(DslrGanError, match="docx"):
        plan(photos, tree / "out", "docx")


def test_a_plan_is_plain_data():
    (job,) = plan([Photo(Path("in/a.jpg"), Path("a.jpg"))], Path("out"))
    assert job == Job(Path("in/a.jpg"), Path("out/a.jpg"))


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
