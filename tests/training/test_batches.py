"""Which pairs a run trains and validates on, and what is said when a loader's worker stops."""

import errno
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from dslr_gan.errors import DslrGanError, HubError, InputError
from dslr_gan.training.arguments import parse_arguments
from dslr_gan.training.batches import explained, open_training_data, worker_failure
from dslr_gan.training.keeping.signals import leave_the_group


@pytest.fixture
def pairs(tmp_path):
    """Twelve pairs in DPED's layout, three of them to test with, and six plain ones."""
    random = np.random.default_rng(0)
    counts = {"iphone/training_data/iphone": 9, "iphone/test_data/patches/iphone": 3, "more/p": 6}
    for place, count in counts.items():
        for side in (tmp_path / place, (tmp_path / place).with_name("canon")):
            side.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(side / f"{number}.png")
    return tmp_path


def data_of(pairs, *flags):
    named = ["--pairs", f"{pairs / 'iphone'}=0.5", "--pairs", f"{pairs / 'more'}=0.5"]
    arguments = parse_arguments([*named, "--output_dir", str(pairs / "run"), *flags])
    return open_training_data(arguments, with_summary=False)


def test_the_test_pairs_judge_unless_told_otherwise(pairs):
    data = data_of(pairs)
    assert [len(source.train) for source in data.sources] == [9, 6]
    assert len(data.validation) == 3
    assert len(data_of(pairs, "--validation_pairs", str(pairs / "more")).validation) == 6


def test_a_fold_judges_and_all_else_trains(pairs):
    data = data_of(pairs, "--fold", "2/4")
    assert [len(source.train) for source in data.sources] == [9, 6]
    assert len(data.validation) == 3 and data.validation_name == str(pairs / "iphone")
    assert len(data_of(pairs, "--fold", "1/6").validation) == 2


def test_photos_are_contexts_and_scenes_are_left_out(pairs):
    (pairs / "photos").mkdir()
    for name in ("a_07.png", "b_08.png"):
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(pairs / "photos" / name)
    places = {"0": {"photo": "a_07.png", "left": 3, "top": 9}, "1": 7}
    places["2"] = {"photo": "b_08.png", "left": 0, "top": 0}
    (pairs / "iphone/photos.json").write_text(json.dumps(places))
    photos = "--photos", str(pairs / "photos")
    data = data_of(pairs, *photos, "--leave_out_scenes", "7", "9")
    assert [len(source.train) for source in data.sources] == [7, 6]
    assert "scenes 7, 9 are left out" in data.sources[0].provenance.data.gave
    assert len(data.validation) == 3
    assert data.contexts[0].places.keys() == {"0", "2"} and data.contexts[1] is None
    assert data.samples().contexts == data.contexts
    assert data_of(pairs, *photos, "--patch_contexts", "0.1").contexts[0].alone == 0.1
    # A run that is resumed goes on with the same photos and scenes.
    fixed = data.fixed_settings(1)
    assert fixed != data_of(pairs, *photos).fixed_settings(1)
    assert fixed != data_of(pairs, "--leave_out_scenes", "7", "9").fixed_settings(1)
    assert fixed != data_of(
        pairs, *photos, "--leave_out_scenes", "7", "9", "--patch_contexts", "0.1"
    ).fixed_settings(1)
    with pytest.raises(DslrGanError, match="by number; leave --streaming out"):
        data_of(pairs, *photos, "--streaming")
    with pytest.raises(DslrGanError, match="nothing but the scenes that are left out"):
        (pairs / "more/photos.json").write_text(json.dumps({str(row): 5 for row in range(6)}))
        data_of(pairs, "--leave_out_scenes", "5")
    (pairs / "iphone/photos.json").unlink()
    with pytest.raises(DslrGanError, match="none of the --pairs has a photos.json with places"):
        data_of(pairs, *photos)


def test_fewer_pairs_are_the_same_each_time_and_other_pairs_to_a_checkpoint(pairs):
    data, all_of_them = data_of(pairs, "--max_train_samples", "7"), data_of(pairs)
    assert [len(source.train) for source in data.sources] == [7, 6]
    again = data_of(pairs, "--max_train_samples", "7")
    assert [row["phone"] for row in data.sources[0].train] == [
        row["phone"] for row in again.sources[0].train
    ]
    first, second = (each.fixed_settings(1)["pairs"] for each in (data, all_of_them))
    assert first[0] != second[0] and first[1] == second[1]
    assert "7 of its 9 training pairs" in data.provenance[0].data.gave
    with pytest.raises(DslrGanError, match="--max_train_samples cannot choose"):
        data_of(pairs, "--max_train_samples", "7", "--streaming")


def test_epochs_are_turned_into_steps(pairs):
    data = data_of(pairs, "--num_train_epochs", "3")
    assert data.of_epochs(4).settings.schedule.max_train_steps == 12  # 45 samples, by fours
    assert data_of(pairs).of_epochs(4).settings.schedule.max_train_steps == 3000
    with pytest.raises(DslrGanError, match="give --max_train_steps"):
        data_of(pairs, "--num_train_epochs", "3", "--streaming").of_epochs(4)


class Failing(torch.utils.data.Dataset):
    """Raises an error for its third sample."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 4

    def __getitem__(self, row):
        if row == 2:
            raise self.error
        return {"phone": torch.zeros(1)}


def loaded(error, workers):
    start = leave_the_group if workers else None
    loader = torch.utils.data.DataLoader(Failing(error), num_workers=workers, worker_init_fn=start)
    return list(explained(loader))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_worker_s_error_message_is_told_without_its_traceback(workers):
    for kind in (DslrGanError, InputError, HubError):
        with pytest.raises(DslrGanError, match="^pair 2: a.png is cut off; copy it again.$"):
            loaded(kind("pair 2: a.png is cut off; copy it again."), workers)


def test_what_a_worker_could_not_read_is_told_without_its_traceback():
    with pytest.raises(DslrGanError, match=r"could not go on \(\[Errno 5\] .*'a.png'\); check"):
        loaded(OSError(errno.EIO, "Input/output error", "a.png"), 1)
    with pytest.raises(DslrGanError, match="found no memory; give fewer"):
        loaded(MemoryError(), 1)


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), OSError(5, "x", "a.png")])
def test_without_workers_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught:
        loaded(error, 0)
    assert caught.value is error


@pytest.mark.slow
def test_locks_that_find_no_shared_memory_are_told():
    class Full:
        num_workers = 1

        def __iter__(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DslrGanError, match=r"ran out of shared memory \(/dev/shm.*--shm-size"):
        list(explained(Full()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
            "dataloader's workers are out of shared memory.",
            "ran out of shared memory",
        ),
        (
            "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback:\n"
            "RuntimeError: unable to write to file </torch_7_1>: No space left on device (28)",
            "shared memory .*--dataloader_num_workers 0",
        ),
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "was killed or found no"),
        ("received 0 items of ancdata", "out of open files; allow more .ulimit -n 4096"),
        ("Too many open files. Communication with the workers is no longer", "open files"),
    ],
)
def test_what_stops_a_worker_is_told_with_what_to_do(text, words):
    assert worker_failure(RuntimeError("mistake")) is None
    found = worker_failure(RuntimeError(text))
    assert found is not None and "\n" not in found
    assert re.search(words, found)
    gone = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
    gone.__cause__ = RuntimeError(text)
    assert worker_failure(gone) == found
