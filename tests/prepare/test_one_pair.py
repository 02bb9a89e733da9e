"""The work on one pair: its patches, their file's name, and what comes of bad photos."""

import dataclasses
import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.prepare.matching import PhotoPair
from dslr_gan.prepare.one_pair import (
    CutSettings,
    PairOutcome,
    cut_pair,
    patches_file_name,
    read_patches,
)
from tests.support.made_photos import photo, write_pairs

SETTINGS = CutSettings(patch=64, stride=64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("made"), ["chelsea"])[0].parent


@pytest.fixture
def pair(folder, tmp_path):
    for side in ("phone", "dslr"):
        shutil.copy(folder / side / "chelsea.png", tmp_path / f"{side}.png")
    return PhotoPair("chelsea", tmp_path / "phone.png", tmp_path / "dslr.png")


def test_the_file_has_the_patches_and_what_came_of_the_pair(pair, tmp_path):
    settings = CutSettings(patch=64, stride=64, min_ncc=0.985)  # some pass, some do not
    outcome = cut_pair(pair, tmp_path / "pair.parquet", settings)
    table, known = read_patches(tmp_path / "pair.parquet")
    assert known == outcome
    assert outcome.name == "chelsea" and outcome.reason is None and not outcome.unreadable
    assert outcome.matches >= outcome.inliers > 20 and 0 < outcome.residual < 0.3
    rows = table.to_pylist()
    kept = [row for row in rows if row["kept"]]
    assert outcome.kept == len(kept) > 0
    assert outcome.rejected.get("correlation", 0) == len(rows) - len(kept) > 0
    phone = np.asarray(Image.open(pair.phone))
    for row in rows:
        assert (row["correlation"] >= 0.985) == row["kept"]
        cut = phone[row["top"] : row["top"] + 64, row["left"] : row["left"] + 64]
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(row["phone"]))), cut)
        assert Image.open(io.BytesIO(row["dslr"])).size == (64, 64)


def test_a_pair_that_gives_nothing_has_a_file_with_the_reason(pair, tmp_path):
    Image.fromarray(photo("coffee")).save(pair.dslr)
    outcome = cut_pair(pair, tmp_path / "pair.parquet", SETTINGS)
    assert "two scenes" in outcome.reason and outcome.kept == 0 and not outcome.unreadable
    table, known = read_patches(tmp_path / "pair.parquet")
    assert len(table) == 0 and known == outcome


@pytest.mark.slow
def test_patches_that_do_not_fit_are_a_reason(pair, tmp_path):
    outcome = cut_pair(pair, tmp_path / "pair.parquet", CutSettings(patch=400))
    assert outcome.reason == "what both photos show is smaller than one patch."
    outcome = cut_pair(pair, tmp_path / "pair.parquet", CutSettings(patch=100, min_ncc=1.0))
    assert outcome.reason == "no patch of what both photos show correlates well enough."


@pytest.mark.parametrize("damage", ["cut off", "empty", "gone"])
def test_a_photo_that_cannot_be_read_leaves_no_file(pair, tmp_path, damage):
    content = pair.dslr.read_bytes()
    pair.dslr.unlink()
    if damage != "gone":
        pair.dslr.write_bytes(content[:20_000] if damage == "cut off" else b"")
    outcome = cut_pair(pair, tmp_path / "pair.parquet", SETTINGS)
    assert outcome.unreadable and "dslr.png" in outcome.reason
    assert not (tmp_path / "pair.parquet").exists()
    assert patches_file_name(pair, SETTINGS)  # does not fail over it


def test_the_file_is_named_after_all_it_depends_on(pair):
    names = {patches_file_name(pair, SETTINGS), patches_file_name(pair, SETTINGS)}
    assert len(names) == 1
    for change in ({"stride": 32}, {"patch": 32}, {"min_ncc": 0.5}, {"max_shift": 1}):
        names.add(patches_file_name(pair, dataclasses.replace(SETTINGS, **change)))
    os.utime(pair.phone, (1, 1))
    names.add(patches_file_name(pair, SETTINGS))
    pair.dslr.write_bytes(b"other")
    names.add(patches_file_name(pair, SETTINGS))
    names.add(patches_file_name(pair._replace(name="cat"), SETTINGS))
    assert len(names) == 8


def test_a_damaged_file_counts_as_none(pair, tmp_path):
    file = tmp_path / "pair.parquet"
    assert read_patches(file) is None
    cut_pair(pair, file, SETTINGS)
    content = file.read_bytes()
    for damaged in (b"", content[:1000], content[:-100], b"PAR1" + content[4:-8]):
        file.write_bytes(damaged)
        assert read_patches(file) is None
    assert PairOutcome("x").seconds == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"patch": 15}, "--patch must be between 16 and 10000, got 15"),
        ({"stride": 0}, "--stride must be between 1"),
        ({"min_ncc": 1.1}, "--min-ncc must be between -1 and 1, got 1.1"),
        ({"min_ncc": float("nan")}, "--min-ncc"),
        ({"max_shift": -1}, "--max-shift must be between 0 and 50"),
    ],
)
def test_settings_that_mean_nothing_are_refused(change, words):
    with pytest.raises(DslrGanError, match=words):
        CutSettings(**change)
