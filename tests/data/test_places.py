"""Places of patches in photos: read as they are said, refused where they are not."""

import json

import pytest

from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.places import Place, places_file, read_places, rows_of_scenes
from dslr_gan.errors import DslrGanError
from tests.support.paths import SHARED


def written(folder, entries):
    (folder / "photos.json").write_text(json.dumps(entries))
    return read_places(folder)


def test_places_and_scenes_by_the_names_of_the_pairs(tmp_path):
    entries = {"6": {"photo": "iphone_07.jpg", "left": 161, "top": 0}, "a": 26,
               "b": {"photo": "beach.jpg", "left": 1, "top": 2}}  # fmt: skip
    places = written(tmp_path, entries)
    assert places.by_pair == {"6": Place("iphone_07.jpg", 161, 0), "b": Place("beach.jpg", 1, 2)}
    assert places.scenes == {"6": 7, "a": 26}


def test_the_file_of_a_dped_folder_is_found_from_its_parts(tmp_path):
    for part in ("training_data", "test_data/patches"):
        (tmp_path / part).mkdir(parents=True)
        assert places_file(tmp_path / part) is None
    written(tmp_path, {})
    for part in ("", "training_data", "test_data/patches"):
        assert places_file(tmp_path / part) == tmp_path / "photos.json"
    assert places_file(tmp_path / "test_data") is None


@pytest.mark.parametrize(
    "entry",
    [
        "iphone_00.jpg",
        -1,
        True,
        1.5,
        None,
        {},
        {"photo": "a.jpg", "left": 1},
        {"photo": "a.jpg", "left": -1, "top": 0},
        {"photo": "../a.jpg", "left": 1, "top": 0},
        {"photo": "", "left": 1, "top": 0},
        {"photo": "a.jpg", "left": 1.5, "top": 0},
    ],
)
def test_an_entry_that_says_no_place_is_refused_by_name(entry, tmp_path):
    with pytest.raises(DslrGanError, match=r"photos.json: 6 must have a place"):
        written(tmp_path, {"5": 3, "6": entry})


def test_a_file_that_is_none_or_no_object_is_refused(tmp_path):
    with pytest.raises(DslrGanError, match="has no photos.json"):
        read_places(tmp_path)
    with pytest.raises(DslrGanError, match="must hold an object"):
        written(tmp_path, [1])
    (tmp_path / "photos.json").write_text('{"6": ')
    with pytest.raises(DslrGanError, match="cannot be read as JSON"):
        read_places(tmp_path)


@pytest.mark.skipif(not (SHARED / "dped/sony").is_dir(), reason="the DPED pairs are not here")
def test_the_sony_test_pairs_are_those_of_four_scenes():
    folder = SHARED / "dped/sony"
    source, places = open_pairs(folder), read_places(folder)
    assert len(places.scenes) == 49 and places.by_pair == {}
    judging = {0, 8, 17, 21}
    assert rows_of_scenes(source.test, places, judging) == list(range(16))
    assert rows_of_scenes(source.train, places, judging) == []
