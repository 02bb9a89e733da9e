"""What a folder of results knows about them."""

import json
import os
import shutil

import pytest
from PIL import Image

from dslr_gan.enhance.resume import Record, State, digest_of
from dslr_gan.errors import DslrGanError


@pytest.fixture
def source(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out/day 1").mkdir(parents=True)
    return tmp_path / "out"


@pytest.fixture
def result(out):
    Image.new("RGB", (8, 8), "blue").save(out / "day 1/photo.png")
    return out / "day 1/photo.png"


def older(file) -> None:
    os.utime(file, (1_000_000_000, 1_000_000_000))


def test_nothing_is_there(source, out):
    assert Record(out).state(source, out / "photo.png", "s") is State.ABSENT
    assert Record(out / "new").state(source, out / "new/photo.png", "s") is State.ABSENT


def test_what_was_added_is_finished_in_another_run_and_another_place(source, out, result, tmp_path):
    Record(out).add(digest_of(source), result, "s")
    assert Record(out).state(source, result, "s") is State.FINISHED
    moved = tmp_path / "moved"
    shutil.copytree(out, moved, copy_function=shutil.copyfile)  # dates are lost
    copy = tmp_path / "other name.png"
    shutil.copyfile(source, copy)
    older(moved / "day 1/photo.png")
    assert Record(moved).state(copy, moved / "day 1/photo.png", "s") is State.FINISHED


@pytest.mark.parametrize("change", ["settings", "photo", "result", "cut"])
def test_anything_else_is_not_finished(change, source, out, result):
    Record(out).add(digest_of(source), result, "s")
    if change == "photo":
        Image.new("RGB", (8, 8), "green").save(source)
    elif change == "result":
        Image.new("RGB", (8, 8), "green").save(result)
    elif change == "cut":
        result.write_bytes(result.read_bytes()[:-10])
    settings = "other" if change == "settings" else "s"
    assert Record(out).state(source, result, settings) is State.OTHER


def test_without_a_note_a_whole_newer_photo_counts_by_its_date(source, out, result):
    older(source)
    assert Record(out).state(source, result, "s") is State.BY_DATE
    result.write_bytes(result.read_bytes()[:-30])
    assert Record(out).state(source, result, "s") is State.OTHER
    Image.new("RGB", (8, 8)).save(result)
    Image.new("RGB", (8, 8)).save(source)
    older(result)
    assert Record(out).state(source, result, "s") is State.OLDER


def test_a_line_that_was_cut_off_is_one_line_lost(source, out, result):
    record = Record(out)
    record.add(digest_of(source), result, "s")
    with record.file.open("ab") as stream:
        stream.write(b'[1]\n\xff\n{"name": "other.png", "resu')
    Record(out).add(digest_of(source), result, "t")
    again = Record(out)
    assert again.state(source, result, "s") is State.FINISHED
    assert again.state(source, result, "t") is State.FINISHED
    assert json.loads(record.file.read_bytes().splitlines()[-1])["name"] == "day 1/photo.png"


def test_each_process_writes_its_own_file_and_reads_all(source, out, result):
    Record(out, 1).add(digest_of(source), result, "s")
    assert [each.name for each in out.glob(".*")] == [".dslr_gan-1.jsonl"]
    assert Record(out, 0).state(source, result, "s") is State.FINISHED


def test_what_cannot_be_read_or_written_is_called_that(source, out, result):
    record = Record(out)
    with pytest.raises(DslrGanError, match="cannot be read"):
        record.state(out / "gone.png", result, "s")
    (out / ".dslr_gan.jsonl").mkdir()
    with pytest.raises(DslrGanError, match="cannot be written"):
        record.add(digest_of(source), result, "s")
    with pytest.raises(DslrGanError, match="--resume"):
        Record(out)
