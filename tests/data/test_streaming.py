"""Streams of pairs: shared out, shuffled, mixed and resumed, the same for a seed."""

import itertools
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Image, concatenate_datasets
from PIL import Image as Pillow
from torch.utils.data import DataLoader

from dslr_gan.data import streaming
from dslr_gan.data.samples import PatchPairs
from dslr_gan.data.streaming import StreamedPairs
from dslr_gan.errors import DslrGanError

FEATURES = Features({"phone": Image(decode=False), "dslr": Image(decode=False)})


def table(folder, count, first=0, size=8):
    """Pairs in files, the red of whose phone picture is the pair's number."""
    folder.mkdir(exist_ok=True)
    columns = {"phone": [], "dslr": []}
    for number in range(first, first + count):
        for column, green in (("phone", 0), ("dslr", 99)):
            file = folder / f"{column}{number}.png"
            Pillow.new("RGB", (size, size), (number, green, 0)).save(file)
            columns[column].append({"bytes": None, "path": str(file)})
    return Dataset.from_dict(columns, features=FEATURES)


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    return table(tmp_path_factory.mktemp("twenty"), 20)


def reds(samples, count):
    """The numbers of the pairs that the first samples come from."""
    taken = itertools.islice(samples, count)
    return [round(float(sample["phone"][0, 0, 0]) * 255) for sample in taken]


def samples_of(stream, **options):
    options = {"size": 8, "buffer": 6, "with_summary": False} | options
    streams = stream if isinstance(stream, list) else [stream]
    return StreamedPairs(streams, **options)


@pytest.mark.parametrize(("shards", "processes"), [(6, 1), (6, 2), (6, 3), (4, 3), (1, 2)])
def test_each_pair_comes_once_an_epoch_over_all_processes(twenty, shards, processes):
    stream = twenty.to_iterable_dataset(shards)
    own = stream.num_shards % processes == 0
    orders = []
    for epoch in range(3):
        seen = []
        for process in range(processes):
            # As many as this process's part of the pairs has.
            share = (
                sum(1 for _ in stream.shard(processes, process, contiguous=False))
                if own
                else len(range(process, 20, processes))
            )
            samples = samples_of(stream, process=process, processes=processes)
            seen += reds(samples, share * (epoch + 1))[share * epoch :]
        assert sorted(seen) == list(range(20))
        orders.append(seen)
    assert orders[0] != orders[1] != orders[2]
    assert orders[0] != list(range(20))


@pytest.mark.parametrize(("shards", "processes"), [(6, 2), (4, 3)])
def test_it_goes_on_exactly_where_it_stopped(twenty, tmp_path, shards, processes):
    other = table(tmp_path / "other", 7, first=100, size=12)
    streams = [twenty.to_iterable_dataset(shards), other.to_iterable_dataset(3)]
    for process in range(processes):
        options = {"process": process, "processes": processes, "weights": [2, 1], "seed": 3}
        whole = list(itertools.islice(samples_of(streams, **options), 60))
        for first in (1, 7, 23, 50):
            rest = list(itertools.islice(samples_of(streams, first=first, **options), 60 - first))
            for one, same in zip(whole[first:], rest, strict=True):
                assert all(torch.equal(one[key], same[key]) for key in ("phone", "dslr"))


def test_it_goes_on_beyond_a_block_of_draws(twenty, monkeypatch):
    monkeypatch.setattr(streaming, "_BLOCK", 64)
    streams = [twenty.to_iterable_dataset(2)] * 2
    whole = reds(samples_of(streams, weights=[1, 3]), 150)
    for first in (60, 64, 130):
        assert reds(samples_of(streams, weights=[1, 3], first=first), 20) == whole[first:][:20]


def test_seed_and_epoch_decide(twenty):
    stream = twenty.to_iterable_dataset(4)
    assert reds(samples_of(stream), 40) == reds(samples_of(stream), 40)
    assert reds(samples_of(stream), 40) != reds(samples_of(stream, seed=1), 40)
    samples = samples_of(stream)
    assert reds(samples, 9) == reds(samples, 9), "a second reading starts anew"


def test_weights_are_shares(twenty, tmp_path):
    other = table(tmp_path / "other", 5, first=100)
    streams = [twenty.to_iterable_dataset(2), other.to_iterable_dataset(1)]
    mixed = Counter(red >= 100 for red in reds(samples_of(streams, weights=[3, 1]), 1200))
    # 300 expected, deviation 15: five of them.
    assert 225 < mixed[True] < 375


def test_samples_are_cut_like_those_of_numbered_pairs(tmp_path):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    row = {"phone": Pillow.fromarray(picture), "dslr": Pillow.fromarray(255 - picture)}
    files = {}
    for column, photo in row.items():
        photo.save(tmp_path / f"{column}.png")
        files[column] = [{"bytes": None, "path": str(tmp_path / f"{column}.png")}]
    stream = Dataset.from_dict(files, features=FEATURES).to_iterable_dataset()
    numbered = PatchPairs([[row]], size=32, seed=5)
    streamed = samples_of(stream, size=32, seed=5, with_summary=True)
    for number, sample in enumerate(itertools.islice(streamed, 6)):
        assert sample.keys() == numbered[number].keys() == {"phone", "dslr", "summary"}
        assert all(torch.equal(sample[key], numbered[number][key]) for key in sample)


def test_one_worker_changes_nothing_and_two_are_refused(twenty, monkeypatch):
    stream = twenty.to_iterable_dataset(4)
    here, there = (
        [
            batch["phone"]
            for batch in itertools.islice(
                DataLoader(samples_of(stream), batch_size=4, num_workers=workers), 8
            )
        ]
        for workers in (0, 1)
    )
    assert all(torch.equal(*both) for both in zip(here, there, strict=True))
    # Not two real ones: such a loader waits ten seconds for workers whose data set has failed.
    two = SimpleNamespace(num_workers=2)
    monkeypatch.setattr(torch.utils.data, "get_worker_info", lambda: two)
    with pytest.raises(DslrGanError, match="read by one worker of a process, not by 2"):
        next(iter(samples_of(stream)))


def test_mistakes_are_refused(twenty, tmp_path):
    with pytest.raises(DslrGanError, match="no pairs to train on"):
        StreamedPairs([])
    stream = twenty.to_iterable_dataset(1)
    for weights in ([0.0], [float("nan")], [-1.0]):
        with pytest.raises(DslrGanError, match="must be above 0"):
            StreamedPairs([stream], weights)
    with pytest.raises(DslrGanError, match=r"8x8 pixels, less than a patch of 9"):
        next(iter(samples_of(stream, size=9)))
    few = twenty.select(range(2)).to_iterable_dataset(1)
    with pytest.raises(DslrGanError, match="none for process 2 of 3; use fewer processes"):
        next(iter(samples_of(few, process=2, processes=3)))


def test_a_stream_that_breaks_off_is_reported(twenty, tmp_path):
    damaged = table(tmp_path / "x", 2)
    (tmp_path / "x/phone0.png").write_bytes(b"\x89PNG")
    stream = concatenate_datasets([damaged]).to_iterable_dataset(1)
    with pytest.raises(DslrGanError, match=r"pair \d of epoch 0: .*phone0.png"):
        reds(samples_of(stream), 2)
    file = tmp_path / "cut.parquet"
    twenty.to_parquet(file)
    stream = Dataset.from_parquet(str(file), cache_dir=str(tmp_path / "c")).to_iterable_dataset()
    broken = stream.map(lambda row: 1 / 0)
    with pytest.raises(DslrGanError, match="stream 1 of the pairs broke off .*division by zero"):
        reds(samples_of(broken), 1)
