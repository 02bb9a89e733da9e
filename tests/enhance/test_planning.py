"""Where the result of each photo goes."""

import random
from pathlib import Path

import pytest

from dslr_gan.enhance.inputs import Photo, find_photos
from dslr_gan.enhance.planning import Job, plan
from dslr_gan.errors import DslrGanError


@pytest.fixture
def tree(tmp_path) -> Path:
    """A folder of empty files: planning looks into none of them."""
    for name in ("a.jpg", "B.PNG", "c.txt", "x/d.webp", "x/deep/e.heic", "y z/[1].gif"):
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "tree"


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


def test_a_place_that_can_hold_no_result_is_refused_before_any_work(tree, tmp_path):
    photos = find_photos([str(tree)]).photos
    with pytest.raises(DslrGanError, match=r"cannot be written to \(Not a directory: .*c\.txt\)"):
        plan(photos, tree / "c.txt" / "new" / "out")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(DslrGanError, match=r"cannot be written to \(Not a directory: .*loop\)"):
        plan(photos, tmp_path / "loop" / "out")
    out = tmp_path / "out"
    (out / "x").mkdir(parents=True)
    (out / "x" / "deep").touch()  # one result has no place, the others have
    assert len(plan(find_photos([str(tree)], recursive=True).photos, out)) == 5
