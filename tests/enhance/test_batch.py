"""Many photos at a time, the model for each, and what becomes of them."""

import dataclasses
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import dslr_gan.enhance.running.precision
from dslr_gan.enhance.batch import Enhancing, Models, Outcome, enhance_all
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.enhance.planning import Job
from dslr_gan.enhance.resume import Record
from dslr_gan.errors import DslrGanError
from dslr_gan.models.generator import Generator
from dslr_gan.models.phones import Camera, camera_of
from dslr_gan.photo import open_photo
from hub_card import unknown_facts


def jobs(count) -> list[Job]:
    return [Job(Path(f"{n}.jpg"), Path(f"out/{n}.jpg")) for n in range(count)]


def done(job) -> Outcome:
    return Outcome(job.source, job.destination, "enhanced", 0.0)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_photo_once_and_never_more_at_a_time_than_workers(workers):
    lock, now, most = threading.Lock(), 0, 0

    def enhance(job, progress):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        return done(job)

    work = jobs(12)
    outcomes = {}
    enhance_all(work, enhance, outcomes.__setitem__, workers=workers)
    assert sorted(outcomes) == list(range(12))
    assert all(outcomes[number].source == job.source for number, job in enumerate(work))
    assert most == workers


def test_an_interrupt_stops_after_a_tile_and_what_is_done_then_is_told():
    begun, ended, told = [], [], []

    def enhance(job, progress):
        begun.append(job)
        while len(begun) < 3:
            time.sleep(0.01)
        if job.source.stem == "0":
            return done(job)
        if job.source.stem == "1":
            for tile in range(1000):
                time.sleep(0.01)
                progress(tile, 1000)
            ended.append(job)
        else:
            time.sleep(0.2)  # no tile to stop at: it finishes
        return done(job)

    def finished(number, outcome):
        told.append(number)
        if len(told) == 1:
            raise KeyboardInterrupt

    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        enhance_all(jobs(50), enhance, finished, workers=3)
    assert time.perf_counter() - started < 5
    assert not ended and told[0] == 0 and 2 in told
    assert len(begun) <= 4 and len(told) == len(begun) - 1  # but for the one that was stopped


def test_an_error_of_a_worker_ends_the_work():
    def enhance(job, progress):
        if job.source.stem == "1":
            raise SystemExit("no photo's fault")
        return done(job)

    told = []
    with pytest.raises(SystemExit, match="no photo's fault"):
        enhance_all(jobs(9), enhance, lambda number, _: told.append(number))
    assert told == [0]


@pytest.mark.parametrize("times", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_an_interrupt_at_any_moment_ends_the_work(times):
    """Also where the main thread has just taken a lock that a worker waits for."""
    random = np.random.default_rng(0)

    def enhance(job, progress):
        time.sleep(random.random() / 1000)
        progress(1, 1)
        return done(job)

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(times):
            # Python drops an interrupt that comes in a finalizer: then all photos are worked on.
            with suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, 1e-4 + random.random() / 50)
                enhance_all(jobs(300), enhance, lambda *_: None, workers=3)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_progress_is_told_of_its_photo():
    told = []

    def enhance(job, progress):
        progress(1, 2)
        return done(job)

    enhance_all(
        jobs(3), enhance, lambda *_: None, progress=lambda job, n, of: told.append((job, n, of))
    )
    assert told == [(job, 1, 2) for job in jobs(3)]


def with_camera(file: Path, maker=None, model=None) -> Path:
    exif = Image.Exif()
    for tag, value in ((0x010F, maker), (0x0110, model)):
        if value:
            exif[tag] = value
    Image.fromarray(data.coffee()).resize((48, 32)).save(file, exif=exif)
    return file


@pytest.fixture(scope="module")
def auto() -> Models:
    return Models("auto", tile=64)


@pytest.mark.parametrize(
    ("maker", "model", "phone", "words"),
    [
        ("Apple", "iPhone 3GS", "iPhone", None),
        ("Apple", "iPhone 15", "iPhone", "iPhone 15"),
        ("Sony", "C6603", "Sony", None),
        ("SONY", "ILCE-7M3", "Sony", "SONY ILCE-7M3"),
        ("Canon", "Canon EOS 70D", "iPhone", "a camera called Canon EOS 70D"),
        (None, None, "iPhone", "does not name its camera"),
    ],
)
def test_auto_goes_by_the_maker(maker, model, phone, words, auto, tmp_path):
    camera = camera_of(open_photo(with_camera(tmp_path / "a.jpg", maker, model)))
    assert auto.for_camera(camera).source == f"bundled {phone} weights"
    hint, of_three = auto.hint(camera), auto.hint(camera, 3)
    assert (words in hint) if words else hint is None
    if words:
        assert hint.startswith("This photo ") and of_three.startswith("3 photos ")


def test_a_model_of_ones_own_hints_by_what_its_facts_say(tmp_path):
    generator = Generator(channels=4, blocks=1)
    generator.save_pretrained(tmp_path / "unknown")
    facts = dataclasses.replace(unknown_facts("mine"), phone="Sony Xperia Z")
    generator.facts = facts
    generator.save_pretrained(tmp_path / "known")
    camera = Camera("Apple", "iPhone 15")
    assert Models(str(tmp_path / "unknown")).hint(camera) is None
    assert "iPhone model may suit it better" in Models(str(tmp_path / "known")).hint(camera)


def test_a_revision_belongs_to_one_model():
    with pytest.raises(DslrGanError, match="instead of auto"):
        Models("auto", revision="v1")


def test_the_fingerprint_tells_weights_and_settings_apart(model, tmp_path):
    first = Models(model).fingerprint
    assert first == Models(model, tile=64).fingerprint
    generator = Generator.from_pretrained(model)
    generator.tail.bias.data[0] += 1e-6
    generator.save_pretrained(tmp_path / "other")
    assert Models(str(tmp_path / "other")).fingerprint != first


@pytest.fixture
def enhancing(model):
    return Enhancing(Models(model))


@pytest.fixture
def photo(tmp_path):
    return with_camera(tmp_path / "photo.jpg", "Apple", "iPhone 3GS")


def outcome_of(enhancing, source, destination):
    return enhancing(Job(source, destination), lambda done, tiles: None)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "png"])
def test_at_strength_nothing_the_file_is_copied(suffix, model, tmp_path):
    source, result = tmp_path / f"a.{suffix}", tmp_path / f"out/a.{suffix}"
    Image.fromarray(data.coffee()).resize((48, 32)).save(source)
    nothing = Enhancing(Models(model), strength=0)
    assert outcome_of(nothing, source, result).state == "copied"
    assert result.read_bytes() == source.read_bytes()
    source.write_bytes(source.read_bytes()[:300])
    bad = outcome_of(nothing, source, tmp_path / "bad")
    assert bad.state == "failed" and "cut off" in bad.error and not (tmp_path / "bad").exists()


def test_a_copy_that_cannot_be_written_is_called_that(model, photo, tmp_path):
    (tmp_path / "file").touch()
    outcome = outcome_of(Enhancing(Models(model), strength=0), photo, tmp_path / "file/a.jpg")
    assert outcome.state == "failed" and "cannot be copied" in outcome.error


def test_at_strength_nothing_another_format_has_the_photos_pixels(model, photo, tmp_path):
    nothing = Enhancing(Models(model), strength=0, format="png")
    assert outcome_of(nothing, photo, tmp_path / "a.png").state == "enhanced"
    assert np.array_equal(open_photo(tmp_path / "a.png"), open_photo(photo))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to\n allocate"), "not enough memory"),
        (RuntimeError("could not create a primitive"), "not enough memory"),
        (ZeroDivisionError("by\nzero"), "unforeseen way (ZeroDivisionError: by zero)"),
    ],
)
def test_nothing_that_a_photo_does_ends_the_batch(error, words, enhancing, photo, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(PhotoEnhancer, "enhance_to_file", fail)
    outcome = outcome_of(enhancing, photo, photo.with_name("result.jpg"))
    assert outcome.state == "failed" and words in outcome.error and str(photo) in outcome.error
    assert "\n" not in outcome.error and not outcome.destination.exists()


@pytest.mark.parametrize("bad", [b"", b"no photo", None])
def test_a_name_of_several_lines_stands_in_a_message_once(bad, enhancing, tmp_path):
    photo = tmp_path / "li\nne.jpg"
    if bad is not None:
        photo.write_bytes(bad)
    else:
        Image.new("RGB", (8, 8)).save(photo)
        (tmp_path / "out").mkdir()
        (tmp_path / "out/li\nne.jpg").touch()
    error = outcome_of(enhancing, photo, tmp_path / "out/li\nne.jpg").error
    assert error.isprintable() and error.endswith(".") and error.count("li\\nne.jpg") == 1


def test_another_precision_is_another_setting(model, monkeypatch):
    monkeypatch.setattr(dslr_gan.enhance.running.precision, "has_bf16", lambda device: True)
    assert Models(model).fingerprint != Models(model, precision="bf16").fingerprint


def test_finished_work_is_not_done_again(model, photo, tmp_path):
    out = tmp_path / "out"
    result = out / "photo.jpg"

    def run(**settings):
        enhancing = Enhancing(Models(model), record=Record(out), **settings)
        return outcome_of(enhancing, photo, result)

    assert run().state == "enhanced"
    date = result.stat().st_mtime_ns
    assert run().state == "finished" and result.stat().st_mtime_ns == date
    other = run(strength=0.5)
    assert other.state == "failed" and "--overwrite" in other.error
    assert run(strength=0.5, overwrite=True).state == "enhanced"
    assert run(strength=0.5, overwrite=True).state == "finished"
    assert run(strength=0.5, detail=0.5, overwrite=True).state == "enhanced"
    (out / ".dslr_gan.jsonl").unlink()
    assert run().state == "by date"


def test_why_a_result_stays_that_is_not_recorded(model, photo, tmp_path):
    out = tmp_path / "out"
    enhanced = outcome_of(Enhancing(Models(model)), photo, out / "photo.jpg")
    assert enhanced.state == "enhanced"
    enhancing = Enhancing(Models(model), record=Record(out))
    assert outcome_of(enhancing, photo, out / "photo.jpg").state == "by date"
    os.utime(photo, (time.time() + 3600, time.time() + 3600))  # as of a copy without -p
    newer = outcome_of(enhancing, photo, out / "photo.jpg")
    assert "is not recorded, and is older than" in newer.error and "--overwrite" in newer.error


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_in_place_of_a_result_is_called_that_before_any_work(overwrite, photo, tmp_path):
    destination = tmp_path / "out" / "photo.jpg"
    destination.mkdir(parents=True)
    outcome = outcome_of(Enhancing(None, overwrite=overwrite), photo, destination)
    assert f"{destination} is a folder" in outcome.error and "move it away" in outcome.error


@pytest.mark.parametrize("suffix", [".webp", ".jpg"])
def test_a_name_that_the_disk_cannot_hold_is_called_too_long(suffix, model, tmp_path):
    source = with_camera(tmp_path / "a.jpg")
    destination = tmp_path / "out" / f"a{'ä' * 125}{suffix}"
    outcome = Enhancing(Models(model))(Job(source, destination), lambda *_: None)
    if suffix == ".jpg":
        assert outcome.error == "" and destination.is_file()
    else:
        assert f"{destination.name} is too long" in outcome.error
        assert str(source) in outcome.error and "room" not in outcome.error


def test_a_photo_that_is_replaced_meanwhile_does_not_count_as_finished(model, photo, tmp_path):
    out = tmp_path / "out"
    enhancing = Enhancing(Models(model), record=Record(out))
    new = photo.read_bytes() + b"changed"
    job = Job(photo, out / "photo.jpg")
    outcome = enhancing(job, lambda done, tiles: photo.write_bytes(new))
    assert outcome.state == "enhanced"
    again = Enhancing(Models(model), record=Record(out))
    assert "is not what these settings make" in outcome_of(again, *dataclasses.astuple(job)).error
