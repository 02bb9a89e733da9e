"""The dataset of patches: splits, shards, card, and the Hub."""

import datasets
import numpy as np
import pytest
from huggingface_hub import DatasetCard

from dslr_gan.errors import DslrGanError
from dslr_gan.prepare.dataset import (
    FEATURES,
    Split,
    split_photos,
    write_card,
    write_shards,
)
from dslr_gan.prepare.matching import pairs_by_name
from dslr_gan.prepare.one_pair import CutSettings, cut_pair, read_patches
from hub_card import Source
from tests.support.made_photos import write_pairs

SOURCE = Source(name="my: photos", gave="", terms="CC0", url="https://a.b", dataset_id=None)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of three pairs, by name."""
    folder = tmp_path_factory.mktemp("files")
    found = {}
    for pair in pairs_by_name(*write_pairs(folder, ["astronaut", "chelsea", "coffee"], width=320)):
        found[pair.name] = folder / f"{pair.name}.parquet"
        cut_pair(pair, found[pair.name], CutSettings(patch=48, stride=48))
    return found


def load(folder, cache):
    return datasets.load_dataset(str(folder), cache_dir=str(cache))


@pytest.mark.parametrize(
    ("photos", "share", "tested"),
    [(1, 0.5, 0), (2, 0.1, 1), (2, 0.99, 1), (10, 0.1, 1), (10, 0.34, 3), (10, 0, 0), (3, 0.9, 2)],
)
def test_photos_are_dealt_to_the_splits(photos, share, tested):
    names = [f"photo{number}" for number in range(photos)]
    splits = split_photos(names[::-1], share, seed=1)
    assert list(splits) == (["train", "test"] if tested else ["train"])
    assert len(splits.get("test", [])) == tested
    assert sorted([*splits["train"], *splits.get("test", [])]) == names
    assert split_photos(names, share, seed=1) == splits


def test_the_seed_deals():
    names = [f"{number}" for number in range(40)]
    assert split_photos(names, 0.1, 0) != split_photos(names, 0.1, 1)


@pytest.mark.parametrize("shard_bytes", [10**9, 60_000])
def test_what_is_written_is_what_load_dataset_reads(files, tmp_path, caplog, shard_bytes):
    splits = {"train": ["astronaut", "coffee"], "test": ["chelsea"]}
    written = write_shards(tmp_path / "out", splits, files, shard_bytes)
    write_card(tmp_path / "out", SOURCE, written, "Made so.")
    names = sorted(file.name for file in (tmp_path / "out/data").iterdir())
    shards = sum(name.startswith("train") for name in names)
    assert names[-1] == f"train-{shards - 1:05d}-of-{shards:05d}.parquet"
    assert shards == 1 if shard_bytes == 10**9 else shards > 2
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert not caplog.records  # datasets warns of a card that it understands only in part
    for split, rows in loaded.items():
        own = rows.info.splits[split]
        assert (own.num_examples, len(rows)) == (written[split].rows, written[split].rows)
        assert written[split].size == pytest.approx(rows.data.nbytes, rel=0.02)
    for split, photos in splits.items():
        rows = loaded[split]
        assert rows.features == FEATURES
        assert list(dict.fromkeys(rows["photo"])) == photos
        expected = [
            row
            for name in photos
            for row in read_patches(files[name]).patches.to_pylist()
            if row["kept"]
        ]
        raw = rows.cast_column("phone", datasets.Image(decode=False))
        assert [row["phone"]["bytes"] for row in raw] == [row["phone"] for row in expected]
        assert [row["top"] for row in raw] == [row["top"] for row in expected]
        assert min(rows["correlation"]) >= np.float32(0.9)
        assert rows[0]["phone"].size == rows[0]["dslr"].size == (48, 48)


def test_the_card_says_what_it_is_whose_it_is_and_where_the_splits_lie(tmp_path):
    write_card(tmp_path, SOURCE, {"train": Split(5, 1000)}, "Made so.")
    card = DatasetCard.load(tmp_path / "README.md")
    assert card.data.pretty_name == "my: photos"
    assert card.data.to_dict()["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}
    ]
    assert "5 pairs of patches (5 in train)" in card.text
    assert "Terms of use of the photos: CC0. Found at: https://a.b" in card.text
    assert "Made so." in card.text


def test_a_file_damaged_meanwhile_is_refused(files, tmp_path):
    damaged = tmp_path / "x.parquet"
    damaged.write_bytes(b"")
    with pytest.raises(DslrGanError, match=r"x\.parquet has been damaged since"):
        write_shards(tmp_path / "out", {"train": ["chelsea"]}, {"chelsea": damaged})
