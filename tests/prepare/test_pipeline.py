"""Preparing pairs as a whole: workers, interruptions, and nothing left behind."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from dslr_gan.data.decode import read_pair
from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.places import pair_names, read_places
from dslr_gan.errors import DslrGanError
from dslr_gan.prepare import pipeline
from dslr_gan.prepare.matching import PhotoPair, pairs_by_name
from dslr_gan.prepare.one_pair import CutSettings, cut_pair, patches_file_name
from dslr_gan.prepare.pipeline import prepare_photos, work_folder
from tests.support.command_line import start
from tests.support.made_photos import photo, write_pairs

SETTINGS = CutSettings(patch=48, stride=48)
NAMES = ("astronaut", "chelsea", "coffee", "rocket", "coffee2", "rocket2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("made"), NAMES, width=320)


@pytest.fixture(scope="module")
def prepared(folders, tmp_path_factory):
    """What two workers make of the pairs."""
    out = tmp_path_factory.mktemp("prepared") / "deep/out"
    calls = []
    result = prepare_photos(
        pairs_by_name(*folders),
        out,
        settings=SETTINGS,
        test_share=0.3,
        workers=2,
        progress=lambda *call: calls.append(call),
    )
    return out, result, calls


@pytest.fixture
def threads(monkeypatch):
    """Pairs are cut by threads: what is tested needs no processes, which take seconds to start."""
    monkeypatch.setattr(pipeline, "_pool", ThreadPoolExecutor)


def shards(out):
    return {file.name: file.read_bytes() for file in (out / "data").iterdir()}


def test_no_photo_is_in_both_splits(prepared, tmp_path):
    out, result, calls = prepared
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path))
    photos = {split: set(rows["photo"]) for split, rows in loaded.items()}
    assert not photos["train"] & photos["test"]
    assert photos["train"] | photos["test"] == set(NAMES) and len(photos["test"]) == 2
    assert {split: len(rows) for split, rows in loaded.items()} == result.counts
    assert [outcome.name for outcome in result.outcomes] == sorted(NAMES)
    assert calls == [(done, 6) for done in range(1, 7)]


def test_the_folder_holds_the_dataset_and_nothing_else(prepared):
    out, result, _ = prepared
    assert sorted(entry.name for entry in out.iterdir()) == [
        "README.md", "data", "photos.json", "report.html", "report.json", "source.json",
    ]  # fmt: skip
    assert list(out.parent.iterdir()) == [out]
    total = sum(result.counts.values())
    assert f"{total} pairs from 6 pairs of photos" in (out / "source.json").read_text()


def test_the_places_are_where_the_patches_lie_in_the_phone_photos(folders, prepared):
    out, result, _ = prepared
    source, places = open_pairs(out), read_places(out)
    seen = 0
    for rows in (source.train, source.test):
        for row, name in enumerate(pair_names(rows)):
            photo, left, top = places.by_pair[name]
            with Image.open(folders[0] / photo) as whole:
                cut = whole.convert("RGB").crop((left, top, left + 48, top + 48))
            assert np.array_equal(np.asarray(cut), read_pair(rows, row)[0])
            seen += 1
    assert seen == len(places.by_pair) == sum(result.counts.values())


def children(process):
    file = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in file.read_text().split()]


def killed_after_a_pair(folders, out, how):
    """Start the command, and end it once another pair is done: status, output, workers."""
    # A shell's background job ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    done, deadline = work_folder(out) / "pairs", time.monotonic() + 300
    before = len(list(done.glob("[!.]*.parquet")))
    process = start(
        "prepare", "--phone", folders[0], "--dslr", folders[1], "--out", out, "--patch", "48",
        "--test-share", "0.3", "--workers", "1", start_new_session=True,
    )  # fmt: skip
    while len(list(done.glob("[!.]*.parquet"))) == before:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    workers = children(process.pid)
    how(process)
    output = process.communicate(timeout=120)
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{worker}/cmdline").exists() and
              Path(f"/proc/{worker}/cmdline").read_bytes() for worker in workers):  # fmt: skip
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.05)
    assert not out.exists()
    return process.returncode, output, workers


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to see the workers")
def test_after_a_kill_and_a_ctrl_c_the_same_rows_come_out(folders, prepared, tmp_path):
    out = tmp_path / "out"
    status, _, workers = killed_after_a_pair(folders, out, lambda process: process.kill())
    assert status == -signal.SIGKILL and workers

    status, (_, said), _ = killed_after_a_pair(
        folders, out, lambda process: os.killpg(process.pid, signal.SIGINT)
    )
    assert status == 130
    assert "the same command goes on from there." in said and "Traceback" not in said

    done = {file: file.stat().st_mtime_ns for file in work_folder(out).glob("pairs/*.parquet")}
    left = min(len(done), len(NAMES) - 1)
    victims = sorted(done)[left:]  # were all of them done, one has to be made again
    for file in victims:
        file.unlink()
    next(iter(done)).with_name(".unfinished-1234.parquet").write_bytes(b"half")
    calls = []
    prepare_photos(
        pairs_by_name(*folders), out, settings=SETTINGS, test_share=0.3, workers=1,
        progress=lambda *call: calls.append(call),
    )  # fmt: skip
    assert calls == [(count, 6) for count in range(left, 7)]  # those that were done, at once
    assert shards(out) == shards(prepared[0])
    assert list(tmp_path.iterdir()) == [out]


def test_pairs_that_are_done_are_not_done_again(folders, tmp_path, threads, monkeypatch):
    out = tmp_path / "out"
    done = work_folder(out) / "pairs"
    pairs = pairs_by_name(*folders)[:2]
    first = cut_pair(pairs[0], done / patches_file_name(pairs[0], SETTINGS), SETTINGS)
    (done / ".unfinished-1234.parquet").write_bytes(b"half")
    calls, cut = [], []

    def recorded(pair, *arguments):
        cut.append(pair)
        return cut_pair(pair, *arguments)

    monkeypatch.setattr(pipeline, "cut_pair", recorded)
    result = prepare_photos(
        pairs, out, settings=SETTINGS, test_share=0.3, workers=1,
        progress=lambda *call: calls.append(call),
    )  # fmt: skip
    assert calls == [(1, 2), (2, 2)] and cut == pairs[1:]
    assert result.outcomes[0] == first and sum(result.counts.values()) > first.kept > 0
    assert list(tmp_path.iterdir()) == [out]


def test_bad_photos_are_left_out_and_the_rest_go_on(folders, tmp_path, threads):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (300, 300), "gray").save(photos / "flat.png")
    (photos / "cut.png").write_bytes((folders[0] / "chelsea.png").read_bytes()[:9000])
    good = pairs_by_name(*folders)[1]
    pairs = [
        PhotoPair("cut", photos / "cut.png", good.dslr),
        PhotoPair("flat", photos / "flat.png", good.dslr),
        good,
    ]
    result = prepare_photos(pairs, tmp_path / "new/out", settings=SETTINGS, workers=2)
    cut, flat, kept = result.outcomes
    assert cut.unreadable and "damaged or cut off" in cut.reason
    assert not flat.unreadable and "flat" in flat.reason
    assert result.counts == {"train": kept.kept}  # one photo cannot be in two splits


def test_when_no_pair_is_usable_only_the_reason_is_left(tmp_path, threads):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(photo("coffee", 320)).save(photos / "a.png")
    Image.fromarray(photo("rocket", 320)).save(photos / "b.png")
    pair = PhotoPair("scene", photos / "a.png", photos / "b.png")
    with pytest.raises(DslrGanError, match=r"the pair gave no patch \(scene: .*two scenes"):
        prepare_photos([pair], tmp_path / "new/deep/out", workers=1)
    assert list(tmp_path.iterdir()) == [photos]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"test_share": 1.0}, "--test-share must be from 0 to below 1"),
        ({"test_share": -0.1}, "--test-share"),
        ({"workers": 0}, "--workers must be at least 1, got 0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(folders, tmp_path, options, words):
    with pytest.raises(DslrGanError, match=words):
        prepare_photos(pairs_by_name(*folders), tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_an_out_that_is_taken_or_in_a_source_is_refused(folders, tmp_path):
    pairs = pairs_by_name(*folders)
    (tmp_path / "mine").write_text("x")
    for out in (tmp_path, tmp_path / "mine"):
        with pytest.raises(DslrGanError, match="exists already; name a new folder"):
            prepare_photos(pairs, out)
    for out in (folders[0] / "out", folders[1] / "deep/out"):
        with pytest.raises(DslrGanError, match="is in .* where photos are read from"):
            prepare_photos(pairs, out)
    with pytest.raises(DslrGanError, match="is in"):
        prepare_photos(pairs, tmp_path / "out", sources=[tmp_path])
    with pytest.raises(DslrGanError, match="cannot write the pairs to .*mine/out"):
        prepare_photos(pairs, tmp_path / "mine/out")
    with pytest.raises(DslrGanError, match="there are no pairs"):
        prepare_photos([], tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]
