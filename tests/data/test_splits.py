"""Pairs divided into those that are learned from and those that are validated on."""

import dataclasses
from pathlib import Path

import pytest

from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.splits import fold, hold_out, sample_rows
from dslr_gan.errors import DslrGanError
from tests.support.pair_files import prepared, reds, write_files

pytestmark = pytest.mark.usefixtures("datasets_cache")


def test_whole_photos_are_held_out_in_whatever_order_they_lie(tmp_path):
    opened = open_pairs(prepared(tmp_path / "x", 40, 0, 2))
    parts = hold_out(opened, 0.25, seed=3)
    held, kept = set(parts.test["photo"]), set(parts.train["photo"])
    assert held.isdisjoint(kept) and len(held | kept) == 10
    # Photos of four pairs each: 10 wanted are three photos.
    assert (len(parts.train), len(parts.test)) == (28, 12)
    assert parts.provenance.data.gave == "28 pairs; 12 more validate"
    assert parts.fingerprint != opened.fingerprint
    turned = dataclasses.replace(opened, train=opened.train.select(range(39, -1, -1)))
    assert set(hold_out(turned, 0.25, seed=3).test["photo"]) == held
    others = [set(hold_out(opened, 0.25, seed=seed).test["photo"]) for seed in range(4)]
    assert any(other != held for other in others)


def test_pairs_without_photos_are_held_out_by_name(tmp_path):
    names = [f"{number}.png" for number in range(30)]
    opened = open_pairs(write_files(tmp_path / "x", names=names))
    parts = hold_out(opened, 0.1, seed=0)
    assert sorted(reds(parts.train) + reds(parts.test)) == list(range(30))
    assert len(parts.test) == 3
    in_memory = dataclasses.replace(opened, train=[opened.train[row] for row in range(30)])
    assert len(hold_out(in_memory, 0.1, seed=0).test) == 3


def test_folds_share_no_pair_and_together_are_all(tmp_path):
    # DPED's layout, whose training and test files have the same names.
    write_files(tmp_path / "iphone/training_data", "iphone", [f"{n}.png" for n in range(9)])
    write_files(tmp_path / "iphone/test_data/patches", "iphone", ("0.png", "1.png"))
    opened = open_pairs(tmp_path / "iphone")
    pairs = sorted([*range(9), 0, 1])
    folds = [fold(opened, number, 3) for number in (1, 2, 3)]
    assert sorted(red for part in folds for red in reds(part.test)) == pairs
    for part in folds:
        assert sorted(reds(part.train) + reds(part.test)) == pairs
        assert len(part.test) in (3, 4)
        assert f"{len(part.test)} more validate" in part.provenance.data.gave
    assert len({source.fingerprint for source in (opened, *folds)}) == 4
    again = fold(open_pairs(tmp_path / "iphone"), 2, 3)
    assert reds(again.test) == reds(folds[1].test)


def test_folds_are_of_whole_photos_where_these_are_known(tmp_path):
    opened = open_pairs(prepared(tmp_path / "x", 40, 8, 2))
    parts = fold(opened, 1, 4)
    assert set(parts.train["photo"]).isdisjoint(parts.test["photo"])
    in_memory = dataclasses.replace(opened, train=[opened.train[row] for row in range(40)])
    assert len(fold(in_memory, 1, 4).test) == len(parts.test)


def test_folds_by_scene_keep_its_pairs_together_over_training_and_test(tmp_path):
    write_files(tmp_path / "iphone/training_data", "iphone", [f"{n}.png" for n in range(10)])
    write_files(tmp_path / "iphone/test_data/patches", "iphone", [f"{n}.png" for n in (20, 21)])
    opened = open_pairs(tmp_path / "iphone")
    scenes = {"0": 7, "4": 7, "20": 7, "1": 8, "9": 8, "21": 9, "2": 9}
    folds = [fold(opened, number, 3, scenes) for number in (1, 2, 3)]
    held = [{int(Path(row["phone"]["path"]).stem) for row in part.test} for part in folds]
    assert sorted(number for part in held for number in part) == [*range(10), 20, 21]
    for together in ({0, 4, 20}, {1, 9}, {2, 21}):
        assert sum(together <= part for part in held) == 1
        assert sum(bool(together & part) for part in held) == 1
    assert folds[0].fingerprint != fold(opened, 1, 3).fingerprint
    with pytest.raises(DslrGanError, match="the scene is known; fold by pair"):
        fold(opened, 1, 3, {"77": 1})


def test_what_has_no_folds_is_refused(tmp_path):
    one = write_files(tmp_path / "one", names=("0.png",))
    with pytest.raises(DslrGanError, match="cannot be divided into 2 parts: it has 1 pairs"):
        fold(open_pairs(one), 1, 2)
    with pytest.raises(DslrGanError, match="a stream, which cannot be divided for --fold"):
        fold(open_pairs(one, streaming=True), 1, 2)


def test_what_cannot_be_divided_is_refused(tmp_path):
    single = open_pairs(write_files(tmp_path / "one", names=("0.png",)))
    with pytest.raises(DslrGanError, match="single pair, .*--validation_pairs"):
        hold_out(single, 0.1, 0)
    with pytest.raises(DslrGanError, match="single photo that its pairs are from"):
        hold_out(open_pairs(prepared(tmp_path / "x", 4, 0, 1)), 0.1, 0)
    with pytest.raises(DslrGanError, match="a stream cannot be divided; .*--validation_pairs"):
        hold_out(open_pairs(tmp_path / "one", streaming=True), 0.1, 0)
    for share in (0, 1, float("nan")):
        with pytest.raises(DslrGanError, match="between 0 and 1"):
            hold_out(single, share, 0)
    with pytest.raises(ValueError, match="test pairs of its own"):
        hold_out(open_pairs(prepared(tmp_path / "y", 4, 2, 1)), 0.1, 0)


def test_sampled_rows_are_the_same_everywhere(tmp_path):
    rows = open_pairs(prepared(tmp_path / "x", 40, 0, 2)).train
    few = reds(sample_rows(rows, 7, seed=1))
    assert few == sorted(set(few)) and len(few) == 7
    assert few == reds(sample_rows([rows[row] for row in range(40)], 7, seed=1))
    assert few != reds(sample_rows(rows, 7, seed=2))
    assert sample_rows(rows, 40, seed=1) is rows
