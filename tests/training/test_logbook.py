"""What a run leaves for people: numbers, curves, pictures, and one page with all of them."""

import errno
import json
import os
import queue
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread

from dslr_gan.errors import DslrGanError
from dslr_gan.training.logbook import (
    Logbook,
    draw_curves,
    find_trackers,
    library_versions,
    silence_writers,
)


@pytest.fixture
def accelerator(tmp_path):
    return Accelerator(
        cpu=True, log_with="tensorboard", project_config=ProjectConfiguration(str(tmp_path))
    )


@pytest.fixture
def logbook(accelerator, tmp_path):
    run = {"commands": ["accelerate launch <&>"], "settings": {"seed": 3, "pairs": ["a", "b"]}}
    logbook = Logbook(tmp_path, accelerator)
    logbook.start(0, run)
    return logbook


def test_trackers_are_tensorboard_unless_named():
    assert find_trackers(None) == ["tensorboard"]
    assert find_trackers("none") == []
    assert find_trackers("tensorboard") == ["tensorboard"]
    assert "tensorboard" in find_trackers("all") and "all" not in find_trackers("all")
    with pytest.raises(DslrGanError, match="--report_to nonsense is not installed"):
        find_trackers("tensorboard,nonsense")


def test_a_library_one_can_do_without_is_named_where_it_is(monkeypatch):
    assert "pytorch-optimizer" in library_versions()
    monkeypatch.setattr("dslr_gan.training.logbook.OPTIONAL_LIBRARIES", ("no-such-library",))
    assert list(library_versions())[0] == "torch" and "no-such-library" not in library_versions()


def test_numbers_go_to_the_log_and_to_tensorboard(logbook, accelerator, tmp_path):
    logbook.write(1, {"train/l1": 0.5, "train/learning_rate": 1e-3})
    logbook.write(2, {"train/l1": 0.25})
    accelerator.end_training()
    rows = [json.loads(line) for line in (tmp_path / "results/log.jsonl").read_text().splitlines()]
    assert rows == [
        {"step": 1, "train/l1": 0.5, "train/learning_rate": 1e-3},
        {"step": 2, "train/l1": 0.25},
    ]
    events = EventAccumulator(str(tmp_path / "dslr_gan")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/l1")] == [
        (1, 0.5),
        (2, 0.25),
    ]


def test_pictures_go_to_a_grid_and_to_tensorboard(logbook, accelerator, tmp_path):
    red = np.full((10, 12, 3), (255, 0, 0), np.uint8)
    green = np.full((10, 12, 3), (0, 255, 0), np.uint8)
    wide = np.full((8, 30, 3), 9, np.uint8)
    logbook.draw_samples(5, [[red, green], [wide]])
    accelerator.end_training()
    grid = Image.open(tmp_path / "results/samples/step_000005.png")
    assert grid.size == (30, 18)
    assert [grid.getpixel(at) for at in ((0, 0), (12, 9), (29, 0), (29, 17))] == [
        (255, 0, 0), (0, 255, 0), (0, 0, 0), (9, 9, 9)]  # fmt: skip
    events = EventAccumulator(str(tmp_path / "dslr_gan")).Reload()
    (image,) = events.Images("samples")
    assert (image.step, image.width, image.height) == (5, 30, 18)


def test_a_run_that_goes_on_writes_later_steps_anew(logbook, accelerator, tmp_path):
    picture = np.zeros((4, 4, 3), np.uint8)
    for step in (1, 2, 3):
        logbook.write(step, {"train/l1": step})
        logbook.draw_samples(step, [[picture]])
        logbook.show_photo(step, "cat", Image.fromarray(picture), Image.fromarray(picture))
    with (tmp_path / "results/log.jsonl").open("a") as file:
        file.write('{"step": 4, "tra')  # killed while it wrote
    again = Logbook(tmp_path, accelerator)
    again.start(2, logbook.run)
    again.write(3, {"train/l1": 30})
    assert [(row["step"], row["train/l1"]) for row in again.rows()] == [(1, 1), (2, 2), (3, 30)]
    pictures = sorted(file.name for file in (tmp_path / "results").glob("*/*"))
    assert pictures == [
        f"{name}_{step:06d}.{kind}"
        for name, kind in (("cat_step", "jpg"), ("step", "png")) for step in (1, 2)
    ]  # fmt: skip


def test_a_new_run_shows_nothing_of_an_earlier_one(logbook, accelerator, tmp_path):
    picture = np.zeros((4, 4, 3), np.uint8)
    for step in (0, 500):
        logbook.write(step, {"train/l1": step})
        logbook.draw_samples(step, [[picture]])
        logbook.show_photo(step, "cat", Image.fromarray(picture), Image.fromarray(picture))
    logbook.end()
    again = Logbook(tmp_path, accelerator)
    again.start(0, logbook.run)
    assert again.rows() == [] and not list((tmp_path / "results").glob("*/*"))
    again.write(0, {"train/l1": 9.0})
    again.end()
    events = EventAccumulator(str(tmp_path / "dslr_gan")).Reload()
    assert [event.value for event in events.Scalars("train/l1")] == [9.0]


def test_run_json_has_what_it_takes_to_run_it_again(logbook, tmp_path):
    run = json.loads((tmp_path / "results/run.json").read_text())
    assert run["commands"] == ["accelerate launch <&>"]
    assert run["settings"] == {"seed": 3, "pairs": ["a", "b"]}
    assert {"python", "torch", "accelerate"} <= run["versions"].keys()
    assert run["machine"]["processes"] == 1 and run["machine"]["precision"] == "no"


def test_the_page_shows_scores_curves_samples_and_how(logbook, tmp_path):
    picture = np.zeros((4, 4, 3), np.uint8)
    for step in range(20):
        logbook.write(step, {"train/l1": 1 / (step + 1), "validation/model/psnr": step})
        logbook.draw_samples(step, [[picture]])
    logbook.publish("| iphone | 22.4 |")
    page = (tmp_path / "results/index.html").read_text()
    assert "| iphone | 22.4 |" in page and "Training, step 19" in page
    assert "accelerate launch &lt;&amp;&gt;" in page, "what people type is text, not HTML"
    assert page.count('src="samples/') == 13
    assert 'src="samples/step_000000.png"' in page and 'src="samples/step_000019.png"' in page
    assert Image.open(tmp_path / "results/curves.png").size[0] > 1000


def test_curves_show_every_number(tmp_path):
    rows = [
        {"step": step, "train/l1": 0.1, "validation/input/psnr": 18.0,
         "validation/model/psnr": 18.0 + step, "gradient/l1": 1.0, "gradient/texture": 2.0}
        for step in range(3)
    ]  # fmt: skip
    draw_curves(rows, tmp_path / "three.png")
    draw_curves([{**row, "train/texture": 0.5} for row in rows], tmp_path / "four.png")
    three, four = (np.asarray(Image.open(tmp_path / name)) for name in ("three.png", "four.png"))
    assert four.shape[0] > 1.5 * three.shape[0], "a fourth kind of number has a row of its own"
    assert (three[..., :3] != 255).any()


def test_numbers_that_no_axis_can_show_are_left_out(tmp_path):
    rows = [{"step": 0, "train/rate": 1e308, "train/l1": float("nan"), "train/a": 0.5, "b": "x"}]
    draw_curves(rows, tmp_path / "curves.png")
    draw_curves([{"step": 0, "train/a": 0.5}], tmp_path / "one.png")
    assert (tmp_path / "curves.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_lines_that_are_no_rows_are_left_out(logbook, tmp_path):
    file = tmp_path / "results" / "log.jsonl"
    with file.open("ab") as log:
        log.write(b'{"step": 1, "train/a": 0.5}\n\xff\n[1]\n3\n{"train/a": 1}\n{"step": "x"}\n{"st')
    assert logbook.rows() == [{"step": 1, "train/a": 0.5}]


def test_a_tracker_without_room_is_told_and_shows_no_traceback(logbook, caplog, capsys):
    class Full:
        """What TensorBoard writes its events to."""

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    for disk, tracebacks in ((Full(), 0), (None, 1)):  # the latter is a mistake in a program
        events = queue.Queue()
        events.put(b"an event")
        writer = _AsyncWriterThread(events, disk, 1)
        with mock.patch.object(threading, "excepthook", threading.__excepthook__):
            silence_writers()
            writer.start()
            writer.join()
        assert capsys.readouterr().err.count("Traceback") == tracebacks
    with mock.patch.object(
        logbook.accelerator, "end_training", side_effect=OSError(28, "No space")
    ):
        logbook.end()
    assert "the trackers could not be written (No space); make room" in caplog.text


def test_whole_photos_are_shown_as_they_were_and_as_they_became(logbook, tmp_path):
    before, after = (Image.new("RGB", (40, 30), color) for color in ("navy", "orange"))
    logbook.write(50, {"train/l1": 0.5})
    for step in (0, 50):
        logbook.show_photo(step, "beach", before, after)
    logbook.publish("scores")
    page = (tmp_path / "results/index.html").read_text()
    assert "photos/beach_step_000050.jpg" in page and "photos/beach_step_000000.jpg" not in page
    with Image.open(tmp_path / "results/photos/beach_step_000050.jpg") as both:
        assert both.size == (80, 30)
        colors = [both.getpixel((20, 15)), both.getpixel((60, 15))]
    assert np.abs(np.array(colors) - [(0, 0, 128), (255, 165, 0)]).max() < 6


def test_rows_that_found_no_room_are_written_with_the_next(logbook, tmp_path, monkeypatch, caplog):
    real = Path.open

    def full(self, *arguments, **options):
        if self.name == "log.jsonl":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, *arguments, **options)

    logbook.write(1, {"train/l1": 3.0})
    monkeypatch.setattr(Path, "open", full)
    logbook.write(2, {"train/l1": 2.0})
    assert "log.jsonl could not be written (No space left on device); make room" in caplog.text
    monkeypatch.undo()
    logbook.write(3, {"train/l1": 1.0})
    assert [row["step"] for row in logbook.rows()] == [1, 2, 3]
