import os
import resource
import subprocess
import sys

import pytest
from PIL import Image
from skimage import data

from dslr_gan import files
from dslr_gan.errors import DslrGanError
from dslr_gan.files import (
    check_place,
    discard_unfinished,
    folder_written_whole,
    from_home,
    is_address,
    written_whole,
)
from tests.support.paths import ROOT


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
        unfinished.touch()
    assert (tmp_path / "photo.small.jpg").read_bytes() == b""


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


def test_the_error_for_people_is_a_value_error_that_is_its_message():
    error = DslrGanError("The photo is empty; choose another one.")
    assert isinstance(error, ValueError)
    assert str(error) == "The photo is empty; choose another one."


@pytest.fixture
def little_room():
    """No file of this process can become larger than two blocks, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_was_cut_short_is_an_error(tmp_path, little_room):
    """Pillow asks the disk only whether it took anything, not how much."""
    photo = Image.fromarray(data.chelsea())
    cut = tmp_path / "cut.jpg"
    photo.save(cut, quality=95)
    assert cut.stat().st_size == 8192  # without an error
    cut.unlink()
    with pytest.raises(OSError, match="File too large") as caught:  # noqa: SIM117
        with written_whole(tmp_path / "photo.jpg") as unfinished:
            photo.save(unfinished, quality=95)
    assert caught.value.filename == str(tmp_path / "photo.jpg")
    assert names(tmp_path) == []


def test_a_file_keeps_its_size_and_its_time(tmp_path):
    with written_whole(tmp_path / "photo.jpg") as unfinished:
        unfinished.write_bytes(b"whole")
        os.utime(unfinished, ns=(10**18 + 1, 10**18 + 2))
        unfinished.chmod(0o400)
    status = (tmp_path / "photo.jpg").stat()
    assert (status.st_size, status.st_mtime_ns) == (5, 10**18 + 2)
    assert (tmp_path / "photo.jpg").read_bytes() == b"whole"


# Folders -------------------------------------------------------------------------------------


def test_a_folder_appears_at_the_end_and_not_before(tmp_path):
    out = tmp_path / "a" / "pairs"
    with folder_written_whole(out) as unfinished:
        (unfinished / "1.png").write_bytes(b"1")
        assert not out.exists()
    assert names(out) == ["1.png"] and names(tmp_path / "a") == ["pairs"]
    mask = os.umask(0)
    os.umask(mask)
    assert out.stat().st_mode & 0o777 == 0o777 & ~mask


def test_an_empty_folder_is_filled_and_a_full_one_stays(tmp_path):
    with folder_written_whole(tmp_path) as unfinished:
        (unfinished / "1.png").write_bytes(b"1")
    assert names(tmp_path) == ["1.png"]
    with pytest.raises(OSError), folder_written_whole(tmp_path) as unfinished:
        (unfinished / "2.png").write_bytes(b"2")
    assert names(tmp_path) == ["1.png"]
    assert not list(tmp_path.parent.glob(".unfinished-*"))


def test_after_an_error_no_folder_is_left(tmp_path):
    with pytest.raises(KeyboardInterrupt), folder_written_whole(tmp_path / "pairs") as unfinished:
        (unfinished / "phone").mkdir()
        raise KeyboardInterrupt
    assert names(tmp_path) == []


# Leftovers -----------------------------------------------------------------------------------


@pytest.fixture
def next_run():
    """Lets this process look at folders again, as a new process does."""
    return files._remove_leftovers.cache_clear


def write(folder, name="new.jpg"):
    with written_whole(folder / name) as unfinished:
        unfinished.write_bytes(b"new")


def test_what_a_killed_process_left_is_removed_by_the_next_and_nothing_else_is(tmp_path, next_run):
    script = (
        "import os, sys; from dslr_gan.files import written_whole\n"
        "with written_whole(sys.argv[1]) as unfinished:\n"
        "    unfinished.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", script, tmp_path / "old.tif"]
    assert subprocess.run(command, cwd=ROOT).returncode == -9
    (left,) = names(tmp_path)
    assert left.startswith(".unfinished-") and left.endswith(".tif")
    others = [".unfinished-notes.txt", ".unfinished", "a.unfinished-0123abcd.jpg", ".hidden.jpg"]
    for other in others:
        (tmp_path / other).write_text("a person's")
    (tmp_path / ".unfinished-01234567").write_bytes(b"of a name without a suffix")
    (tmp_path / ".unfinished-0123abcd.d").mkdir()
    (tmp_path / ".unfinished-01234567.folder" / "phone").mkdir(parents=True)
    write(tmp_path)
    assert names(tmp_path) == sorted([*others, ".unfinished-0123abcd.d", "new.jpg"])


def test_what_another_process_writes_stays(tmp_path, next_run):
    script = (
        "import sys; from dslr_gan.files import written_whole\n"
        "with written_whole(sys.argv[1]) as unfinished:\n"
        "    unfinished.write_bytes(b'half'); print('begun', flush=True); input()\n"
        "    unfinished.write_bytes(b'whole')"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "other.jpg"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "begun\n"
    write(tmp_path)
    next_run()
    write(tmp_path, "third.jpg")
    other.communicate("\n", timeout=60)
    assert other.returncode == 0
    assert names(tmp_path) == ["new.jpg", "other.jpg", "third.jpg"]
    assert (tmp_path / "other.jpg").read_bytes() == b"whole"


def test_what_this_process_writes_stays(tmp_path, next_run):
    with written_whole(tmp_path / "first.jpg") as unfinished:
        unfinished.write_bytes(b"first")
        next_run()
        write(tmp_path)
        assert unfinished.exists()
    with folder_written_whole(tmp_path / "pairs") as unfinished:
        next_run()
        write(tmp_path)
        assert unfinished.exists()
    assert names(tmp_path) == ["first.jpg", "new.jpg", "pairs"]


@pytest.mark.parametrize("days", [0, 2])
def test_without_locks_a_day_decides(tmp_path, next_run, monkeypatch, days):
    class NoLocks:
        LOCK_EX = LOCK_NB = 0

        @staticmethod
        def flock(*_):
            raise OSError(95, "Operation not supported")

    monkeypatch.setattr(files, "fcntl", NoLocks)
    left = tmp_path / ".unfinished-0123abcd.jpg"
    left.write_bytes(b"half")
    now = left.stat().st_mtime
    monkeypatch.setattr(files.time, "time", lambda: now + days * 86_400)
    write(tmp_path)
    assert left.exists() == (days == 0)


def test_a_file_that_may_not_be_looked_at_is_left_alone(tmp_path, next_run):
    (tmp_path / ".unfinished-0123abcd.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    (tmp_path / "elsewhere.jpg").write_bytes(b"a photo")
    write(tmp_path)
    assert (tmp_path / "elsewhere.jpg").read_bytes() == b"a photo"


def test_what_is_unfinished_can_be_discarded_at_once_and_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_ending", [])
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "a.jpg") as unfinished:
        unfinished.write_bytes(b"half")
        discard_unfinished()
        assert names(tmp_path) == []
    monkeypatch.setattr(files, "_ending", [])
    with pytest.raises(FileNotFoundError), folder_written_whole(tmp_path / "pairs") as unfinished:
        (unfinished / "phone").mkdir()
        discard_unfinished()
        assert names(tmp_path) == []
    with pytest.raises(InterruptedError), written_whole(tmp_path / "b.jpg"):
        pass
    assert names(tmp_path) == []


# Paths ---------------------------------------------------------------------------------------


def test_a_place_is_looked_at_and_nothing_is_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for good in ("a.json", "new/b/a.json", "file"):
        check_place(tmp_path / good)
    for bad in ("file/a.json", "file/b/a.json", "a" * 300):
        with pytest.raises(OSError):
            check_place(tmp_path / bad)
    assert names(tmp_path) == ["file"]


def test_a_tilde_is_the_home_folder_at_the_beginning_only(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert from_home("~/a [1]/*.jpg") == "/home/me/a [1]/*.jpg"
    assert from_home("~") == "/home/me"
    for path in ("a/~/b", "./~/b", "me/model", "~nobody-of-that-name/b", "a~"):
        assert from_home(path) == path
    assert from_home("~root") == os.path.expanduser("~root")  # noqa: PTH111


def test_addresses_are_told_from_paths():
    assert all(map(is_address, ["https://example.com/a.jpg", "file:///a.jpg", "s3://bucket/a"]))
    assert not any(map(is_address, ["C:\\a.jpg", "C:/a.jpg", "me/model", "a:b.jpg", "/a//b"]))
