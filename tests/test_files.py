import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.files import written_whole


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_at_the_end_and_not_before(tmp_path):
    destination = tmp_path / "photo.jpg"
    with written_whole(destination) as unfinished:
        unfinished.write_bytes(b"half")
        assert not destination.exists()
        unfinished.write_bytes(b"whole")
    assert destination.read_bytes() == b"whole"
    assert names(tmp_path) == ["photo.jpg"]


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    destination = tmp_path / "photo.jpg"
    destination.write_bytes(b"old")
    with written_whole(destination) as unfinished:
        unfinished.write_bytes(b"new")
        assert destination.read_bytes() == b"old"
    assert destination.read_bytes() == b"new"
    assert names(tmp_path) == ["photo.jpg"]


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("error", [DslrGanError("no"), KeyboardInterrupt(), OSError("disk full")])
def test_after_an_error_nothing_is_left_and_the_old_file_stands(tmp_path, begun, error):
    destination = tmp_path / "photo.jpg"
    destination.write_bytes(b"old")
    with pytest.raises(type(error)), written_whole(destination) as unfinished:
        if begun:
            unfinished.write_bytes(b"half")
        raise error
    assert destination.read_bytes() == b"old"
    assert names(tmp_path) == ["photo.jpg"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    destination = tmp_path / "photo.jpg"
    destination.write_bytes(b"old")
    with pytest.raises(FileNotFoundError), written_whole(destination):
        pass
    assert destination.read_bytes() == b"old"
    assert names(tmp_path) == ["photo.jpg"]


def test_the_unfinished_file_lies_beside_with_the_same_suffix(tmp_path):
    """Writers choose a format by the suffix, and a rename is atomic on one file system only."""
    with written_whole(tmp_path / "photo.small.jpg") as unfinished:
        assert unfinished.parent == tmp_path
        assert unfinished.suffix == ".jpg"
        assert not unfinished.exists()
        unfinished.touch()


def test_two_writers_do_not_meet(tmp_path):
    destination = tmp_path / "photo.jpg"
    with written_whole(destination) as first, written_whole(destination) as second:
        assert first != second
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert destination.read_bytes() == b"first"  # the outer one ends last
    assert names(tmp_path) == ["photo.jpg"]


def test_missing_folders_are_made(tmp_path):
    with written_whole(tmp_path / "a" / "b" / "photo.jpg") as unfinished:
        unfinished.write_bytes(b"whole")
    assert (tmp_path / "a" / "b" / "photo.jpg").read_bytes() == b"whole"


def test_a_string_and_a_bare_name_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with written_whole("photo.jpg") as unfinished:
        unfinished.write_bytes(b"whole")
    assert names(tmp_path) == ["photo.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        "x" * 251 + ".jpg",
        "no suffix",
        ".hidden",
        "grüße 照片.png",
        "照" * 83 + ".jpg",
    ],
)
def test_unusual_names(tmp_path, name):
    with written_whole(tmp_path / name) as unfinished:
        unfinished.write_bytes(b"whole")
    assert names(tmp_path) == [name]


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError), written_whole(tmp_path / "file" / "photo.jpg"):
        pytest.fail("there is nowhere to write to")
    assert names(tmp_path) == ["file"]


def test_a_destination_that_is_a_folder_is_an_os_error(tmp_path):
    (tmp_path / "photo.jpg").mkdir()
    with pytest.raises(OSError), written_whole(tmp_path / "photo.jpg") as unfinished:
        unfinished.write_bytes(b"whole")
    assert names(tmp_path) == ["photo.jpg"]
    assert names(tmp_path / "photo.jpg") == []


def test_the_error_for_people_is_a_value_error_that_is_its_sentence():
    error = DslrGanError("The photo is empty; choose another one.")
    assert isinstance(error, ValueError)
    assert str(error) == "The photo is empty; choose another one."
