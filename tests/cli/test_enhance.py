"""``enhance`` does what it says, and says what it does not do in one message."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import dslr_gan.cli.progress
from dslr_gan.cli.progress import Bar
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.models.generator import Generator
from dslr_gan.photo import open_photo
from tests.support.bmp_with_alpha import save_bmp_with_alpha
from tests.support.command_line import ROOT, complaints, names, refused, run, start
from tests.support.hub_server import HubServer, hub_environment


def test_enhance_writes_one_file_per_photo_same_name_and_format(photos, model, tmp_path, capsys):
    out = tmp_path / "new" / "enhanced"
    assert (
        run("enhance", photos / "side.JPG", photos / "cat.png", "--out", out, "--model", model) == 0
    )
    assert names(out) == ["cat.png", "side.JPG"]
    output = capsys.readouterr()
    first, second = output.out.splitlines()
    assert first == f"2 photos enhanced into {out}, with folder {model}."
    assert re.fullmatch(r"\d+\.\d\d s per photo, \d+\.\d s in all\.", second)
    assert output.err == ""
    side = open_photo(out / "side.JPG")
    assert side.format == "JPEG" and side.size == (60, 90)
    assert side.getexif()[0x0112] == 1 and side.getexif()[0x010F] == "Apple"
    cat = open_photo(out / "cat.png")
    expected = PhotoEnhancer.from_pretrained(model).enhance(open_photo(photos / "cat.png"))
    assert cat.format == "PNG" and np.array_equal(cat, expected)
    assert not np.array_equal(cat, open_photo(photos / "cat.png"))


def test_a_folder_means_the_photos_directly_inside(photos, model, tmp_path):
    (photos / "deeper").mkdir()
    (photos / "cat.png").rename(photos / "deeper/cat.png")
    assert run("enhance", photos, "--out", tmp_path / "out", "--model", model) == 0
    assert names(tmp_path / "out") == ["side.JPG"]


def test_a_photo_given_twice_is_enhanced_once(photos, model, tmp_path, monkeypatch):
    monkeypatch.chdir(photos)
    inputs = [photos, photos / "cat.png", "cat.png", "../photos/cat.png"]
    assert run("enhance", *inputs, "--out", tmp_path / "out", "--model", model) == 0
    assert names(tmp_path / "out") == ["cat.png", "side.JPG"]


def test_results_inside_the_source_folder_are_fine_in_a_folder_of_their_own(photos, model):
    for _ in range(2):  # the second time they are not taken for sources
        assert run("enhance", photos, "--out", photos / "new", "--model", model, "--overwrite") == 0
        assert names(photos / "new") == ["cat.png", "side.JPG"]


@pytest.mark.parametrize("name", ["png", "PNG", ".png"])
def test_another_format(photos, model, tmp_path, name):
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model, "--format", name]
    assert run(*arguments) == 0
    assert names(tmp_path / "out") == ["cat.png", "side.png"]
    assert open_photo(tmp_path / "out/side.png").format == "PNG"


def test_the_same_format_keeps_the_name_as_it_is(photos, model, tmp_path):
    source = photos / "side.JPG"
    arguments = ["enhance", source, "--out", tmp_path / "out", "--model", model, "--format", "jpg"]
    assert run(*arguments) == 0
    assert names(tmp_path / "out") == ["side.JPG"]


def test_the_format_is_what_is_in_the_file(photos, model, tmp_path, capsys):
    shutil.copy(photos / "cat.png", photos / "cat.jpg")
    Image.open(photos / "side.JPG").save(photos / "nosuffix", "WEBP")
    inputs = [photos / "cat.jpg", photos / "cat.png", photos / "nosuffix"]
    arguments = ["enhance", *inputs, "--out", tmp_path / "out", "--model", model, "--resume"]
    assert run(*arguments) == 0
    out = {file.name: open_photo(file).format for file in (tmp_path / "out").glob("[!.]*")}
    assert out == {"cat.png": "PNG", "cat-2.png": "PNG", "nosuffix": "WEBP"}
    assert run(*arguments) == 0 and "3 photos finished before." in capsys.readouterr().out


def test_a_bmp_with_alpha_becomes_a_png_and_that_is_said(photos, model, tmp_path, capsys):
    clear = Image.open(photos / "cat.png").convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    save_bmp_with_alpha(clear, photos / "cat.bmp")
    inputs = [photos / "cat.bmp", photos / "cat.png"]
    arguments = ["enhance", *inputs, "--out", tmp_path / "out", "--model", model]
    assert run(*arguments) == 0
    (message,) = complaints(capsys.readouterr().err)
    assert "cat.bmp: BMP does not hold what an enhanced photo needs; the result is a PNG" in message
    assert names(tmp_path / "out") == ["cat-2.png", "cat.png"]
    written = open_photo(tmp_path / "out/cat.png")
    assert (written.format, written.mode) == ("PNG", "RGBA")
    assert "BMP does not hold transparency" in refused(
        capsys, *arguments[:2], "--out", tmp_path / "asked", "--model", model, "--format", "bmp"
    )


def test_a_gif_becomes_a_png_and_that_is_said(photos, model, tmp_path, capsys):
    with Image.open(photos / "cat.png") as cat:
        cat.save(photos / "cat.gif")
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model]
    assert run(*arguments) == 0
    assert names(tmp_path / "out") == ["cat-2.png", "cat.png", "side.JPG"]
    (message,) = complaints(capsys.readouterr().err)
    assert "cat.gif: GIF does not hold" in message and "the result is a PNG" in message
    formats = {Image.open(tmp_path / "out" / name).format for name in ("cat-2.png", "cat.png")}
    assert formats == {"PNG"}
    asked = [photos / "cat.gif", "--out", tmp_path / "asked", "--model", model, "--format", "jpg"]
    assert run("enhance", *asked) == 0
    assert names(tmp_path / "asked") == ["cat.jpg"] and capsys.readouterr().err == ""


def test_raw_files_in_a_folder_are_told_apart(photos, model, tmp_path, capsys):
    for name in ("a.CR2", "b.nef", "c.nef"):
        (photos / name).write_bytes(b"II*\0" + bytes(99))
    assert run("enhance", photos, "--out", tmp_path / "out", "--model", model) == 0
    said = capsys.readouterr().out
    assert "no photos: 1 .txt." in said
    assert "raw files of cameras: 1 .cr2, 2 .nef; develop them" in said and "darktable" in said
    for name in ("cat.png", "side.JPG"):
        (photos / name).unlink()
    assert run("enhance", photos, "--out", tmp_path / "new", "--model", model) == 1
    none, raw, others = complaints(capsys.readouterr().err)
    assert "holds no photos" in none and "2 .nef" in raw and "1 .txt" in others
    assert "raw file of a camera" in refused(
        capsys, "enhance", photos / "a.CR2", "--out", tmp_path / "out", "--model", model
    )


def test_colour_and_detail_are_taken_and_reported(photos, model, tmp_path):
    arguments = ["enhance", photos / "cat.png", "--model", model, "--report", tmp_path / "all.json"]
    for name in ("colour", "detail"):
        assert run(*arguments, "--out", tmp_path / name, f"--{name}", "0") == 0
        assert json.loads((tmp_path / "all.json").read_text())[name] == 0
        result = open_photo(tmp_path / name / "cat.png")
        expected = PhotoEnhancer.from_pretrained(model).enhance(
            open_photo(photos / "cat.png"), **{name: 0}
        )
        assert np.array_equal(result, expected)
        assert f"strength 1; colour {int(name == 'detail')}".encode() in result.info["xmp"]


def test_a_photo_s_name_for_the_results_makes_no_folder(photos, model, tmp_path, capsys):
    out = tmp_path / "better.jpg"
    message = refused(capsys, "enhance", photos / "cat.png", "--out", out, "--model", model)
    assert "takes a folder" in message and f"enhance - < photo.jpg > {out}" in message
    assert not out.exists()
    out.mkdir()
    assert run("enhance", photos / "cat.png", "--out", out, "--model", model) == 0


def test_strength_nothing_returns_the_photo(photos, model, tmp_path):
    source = photos / "cat.png"
    arguments = ["enhance", source, "--out", tmp_path / "out", "--model", model, "--strength", "0"]
    assert run(*arguments) == 0
    assert np.array_equal(open_photo(tmp_path / "out/cat.png"), open_photo(source))


def test_a_small_tile_gives_the_same_photo(photos, model, tmp_path):
    source = photos / "cat.png"
    for out, tile in (("small", 16), ("large", 4096)):
        arguments = ["enhance", source, "--out", tmp_path / out, "--model", model, "--tile", tile]
        assert run(*arguments) == 0
    small, large = (np.array(open_photo(tmp_path / out / "cat.png")) for out in ("small", "large"))
    assert np.abs(small.astype(int) - large).max() <= 1


BAD_FILES = {
    "text.jpg": ("not a photo", b"I am a text file\n" * 50),
    "empty.jpg": ("empty", b""),
    "cut.jpg": ("cut off", None),
    "missing.jpg": ("does not exist", None),
    "nothing-in-it": ("holds no photos", None),
}


def make_bad(folder: Path, name: str) -> Path:
    content = BAD_FILES[name][1]
    if name == "cut.jpg":
        Image.fromarray(data.coffee()).save(folder / name)
        content = (folder / name).read_bytes()[:5000]
    if name == "nothing-in-it":
        (folder / name).mkdir()
    elif content is not None:
        (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_input_is_one_message_and_nothing_is_written(name, model, tmp_path, capsys):
    bad = make_bad(tmp_path, name)
    before = names(tmp_path)
    out = tmp_path / "new" / "out"
    message = refused(capsys, "enhance", bad, "--out", out, "--model", model)
    assert str(bad) in message and BAD_FILES[name][0] in message
    assert names(tmp_path) == before


def test_the_good_ones_go_on_beside_a_bad_one(photos, model, tmp_path, capsys):
    bad = [make_bad(photos, name) for name in BAD_FILES]
    out = tmp_path / "out"
    assert run("enhance", *bad, photos / "cat.png", "--out", out, "--model", model) == 1
    assert names(out) == ["cat.png"]
    output = capsys.readouterr()
    messages = complaints(output.err)
    assert len(messages) == len(bad)
    assert all(any(str(each) in message for message in messages) for each in bad)
    assert output.out.startswith("1 photo enhanced")


def test_a_photo_out_of_reach_is_a_message_and_the_others_go_on(photos, model, tmp_path, capsys):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    bad = [tmp_path / f"{'x' * 300}.jpg", loop, loop / "photo.jpg"]
    out = tmp_path / "out"
    assert run("enhance", *bad, photos / "cat.png", "--out", out, "--model", model) == 1
    messages = complaints(capsys.readouterr().err)
    assert len(messages) == len(bad)
    assert all(any(str(each) in message for message in messages) for each in bad)
    assert names(out) == ["cat.png"]


def test_a_folder_that_cannot_be_read_is_called_that(photos, model, tmp_path, capsys, monkeypatch):
    # As whoever is not root meets it: root may read everything.
    scandir = os.scandir

    def refuse(path):
        if Path(path) != photos:
            return scandir(path)
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    out = tmp_path / "out"
    message = refused(capsys, "enhance", photos, "--out", out, "--model", model)
    assert str(photos) in message and "Permission denied" in message


def test_an_out_with_too_long_a_name_is_called_that(photos, model, tmp_path, capsys):
    out = tmp_path / ("x" * 300)
    for arguments in (["--model", model], ["--model", model, "--overwrite"]):
        message = refused(capsys, "enhance", photos, "--out", out, *arguments)
        assert str(out) in message and "too long" in message


def test_a_reader_who_has_gone_is_no_failure_to_talk_about():
    process = start("models")
    process.stdout.close()
    errors = process.stderr.read()
    assert (process.wait(timeout=120), errors) == (1, "")


def test_an_empty_out_folder_of_the_user_stays(model, tmp_path):
    bad = make_bad(tmp_path, "text.jpg")
    (tmp_path / "out").mkdir()
    assert run("enhance", bad, "--out", tmp_path / "out", "--model", model) == 1
    assert names(tmp_path / "out") == []


def test_a_failed_save_leaves_no_empty_folders(photos, model, tmp_path, capsys):
    Image.new("RGB", (17_000, 1)).save(photos / "wide.png")  # WebP ends at 16383
    arguments = ["enhance", photos / "wide.png", "--out", tmp_path / "new/out", "--model", model]
    assert "WEBP may not hold it" in refused(capsys, *arguments, "--format", "webp")
    assert names(tmp_path) == ["photos"]


def test_a_result_that_its_format_cannot_hold(photos, model, tmp_path, capsys):
    Image.new("RGBA", (20, 20), (1, 2, 3, 4)).save(photos / "clear.png")
    arguments = ["enhance", photos / "clear.png", "--out", tmp_path / "out", "--model", model]
    message = refused(capsys, *arguments, "--format", "jpg")
    assert "transparency" in message and "--format png" in message
    assert not (tmp_path / "out").exists()
    assert run(*arguments) == 0


@pytest.mark.parametrize("how", ["plain", "dots", "linked out", "linked photo", "by file"])
def test_the_folder_of_a_source_is_no_place_for_results(how, photos, model, tmp_path, capsys):
    before = {each.name: each.read_bytes() for each in photos.iterdir()}
    inputs, out = [photos], photos
    if how == "dots":
        out = photos / ".." / "photos"
    elif how == "linked out":
        out = tmp_path / "link"
        out.symlink_to(photos)
    elif how == "linked photo":
        (tmp_path / "links").mkdir()
        inputs = [tmp_path / "links" / "cat.png"]
        inputs[0].symlink_to(photos / "cat.png")
    elif how == "by file":
        inputs = [photos / "cat.png"]
    message = refused(capsys, "enhance", *inputs, "--out", out, "--model", model, "--overwrite")
    assert "is the folder of" in message
    assert {each.name: each.read_bytes() for each in photos.iterdir()} == before


def test_a_result_that_is_there_already_stays(photos, model, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "cat.png").write_bytes(b"precious")
    arguments = ["enhance", photos, "--out", out, "--model", model]
    assert run(*arguments) == 1
    (message,) = complaints(capsys.readouterr().err)
    assert str(out / "cat.png") in message and "--overwrite" in message
    assert names(out) == ["cat.png", "side.JPG"] and (out / "cat.png").read_bytes() == b"precious"
    assert run(*arguments, "--overwrite") == 0
    assert open_photo(out / "cat.png").size == (81, 53)


def test_no_photo_is_lost_where_names_are_the_same(photos, model, tmp_path):
    (tmp_path / "other").mkdir()
    Image.new("RGB", (5, 7), "red").save(tmp_path / "other/cat.png")
    Image.new("RGB", (9, 3)).save(photos / "cat.jpg")
    out = tmp_path / "out"
    inputs = [photos, tmp_path / "other/cat.png"]
    assert run("enhance", *inputs, "--out", out, "--model", model, "--format", "webp") == 0
    sizes = {each.name: open_photo(each).size for each in out.iterdir()}
    assert sizes == {
        "cat.webp": (9, 3),
        "cat-2.webp": (81, 53),
        "cat-3.webp": (5, 7),
        "side.webp": (60, 90),
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--strength", "1.5"], "between 0 and 1"),
        (["--strength", "-0.1"], "between 0 and 1"),
        (["--colour", "2"], "--colour must lie between 0 and 1, got 2.0"),
        (["--detail", "nan"], "--detail must lie between 0 and 1"),
        (["--strength", "nan"], "between 0 and 1"),
        (["--workers", "0"], "at least 1"),
        (["--max-megapixels", "0"], "above 0"),
        (["--max-megapixels", "nan"], "above 0"),
        (["--model", "auto", "--revision", "v1"], "instead of auto"),
        (["--tile", "3"], "tile"),
        (["--format", "gif"], "gif"),
        (["--model", "nokia"], "nokia"),
        (["--model", "no/such/folder"], "no/such/folder"),
        (["--revision", "v1"], "revision"),
        (["--device", "abacus"], "abacus"),
        (["--device", "meta"], "meta"),
        (["--model", "x" * 300], "too long"),
    ],
)
def test_a_wrong_option_is_one_message(options, words, photos, model, tmp_path, capsys):
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model, *options]
    assert words in refused(capsys, *arguments)
    assert not (tmp_path / "out").exists()


def test_out_that_is_a_file(photos, model, tmp_path, capsys):
    (tmp_path / "out").write_text("precious")
    message = refused(capsys, "enhance", photos, "--out", tmp_path / "out", "--model", model)
    assert "is a file" in message and (tmp_path / "out").read_text() == "precious"


def test_too_little_memory_is_one_message(photos, model, tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1 byte")

    monkeypatch.setattr(PhotoEnhancer, "enhance_to_file", fail)
    message = refused(
        capsys, "enhance", photos / "cat.png", "--out", tmp_path / "out", "--model", model
    )
    assert "--tile" in message and not (tmp_path / "out").exists()


def test_long_work_shows_its_progress(photos, model, tmp_path, capsys, monkeypatch):
    def impatient(**options):
        return Bar(**{**options, "delay": 0, "mininterval": 0})

    monkeypatch.setattr(dslr_gan.cli.progress, "Bar", impatient)
    make_bad(photos, "text.jpg")
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model, "--tile", "32"]
    assert run(*arguments) == 1
    shown = capsys.readouterr().err
    assert re.search(r"0\.[1-9] of 3 photos", shown), "steps between photos"
    assert "100%" in shown and "3.0 of 3 photos" in shown and "side.JPG" in shown
    assert "dslr_gan: " in shown and "text.jpg is not a photo" in shown


@pytest.mark.slow
def test_a_wrong_hub_id_is_one_message(photos, tmp_path):
    with HubServer() as hub:
        process = start(
            "enhance",
            photos / "cat.png",
            "--out",
            tmp_path / "out",
            "--model",
            "no/body",
            env=hub_environment(hub, tmp_path / "home"),
        )
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and output == ""
    (message,) = complaints(errors)
    assert "no/body" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_real_process_enhances_and_complains(photos, model, tmp_path):
    bad = [make_bad(tmp_path, name) for name in BAD_FILES]
    process = start("enhance", photos, *bad, "--out", tmp_path / "out", "--model", model)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in errors and errors.count("dslr_gan: ") == len(bad)
    assert output.startswith("2 photos enhanced")
    assert names(tmp_path / "out") == ["cat.png", "side.JPG"]


@pytest.mark.parametrize(
    "name", ["a b.jpg", 'it\'s "q".jpg', "li\nne.jpg", "größe 猫.jpg", "-.jpg"]
)
def test_odd_names(name, model, tmp_path, capsys):
    source = tmp_path / "in" / name
    source.parent.mkdir()
    Image.new("RGB", (8, 8)).save(source)
    (tmp_path / "in/bad\n\x1b[31m.jpg").write_bytes(b"")
    out = tmp_path / "out"
    assert run("enhance", tmp_path / "in", "--out", out, "--model", model) == 1
    assert names(out) == [name]
    (message,) = complaints(capsys.readouterr().err)
    assert message.count("bad\\n\\x1b[31m.jpg") == 1 and "is empty" in message


def test_a_tree_keeps_its_shape(photos, model, tmp_path, capsys):
    (photos / "day 1/late").mkdir(parents=True)
    (photos / "cat.png").rename(photos / "day 1/late/cat.png")
    (photos / "day 1/round").symlink_to(photos)
    out = photos / "enhanced"
    for how in ([], ["--overwrite"]):  # the second time, results are not taken for photos
        assert run("enhance", photos, "--recursive", "--out", out, "--model", model, *how) == 0
        written = sorted(str(each.relative_to(out)) for each in out.rglob("*") if each.is_file())
        assert written == ["day 1/late/cat.png", "side.JPG"]
        assert "no photos: 1 .txt." in capsys.readouterr().out


def test_a_pattern_that_no_shell_expanded(photos, model, tmp_path):
    arguments = ["enhance", photos / "*.[jJ][pP][gG]", "--out", tmp_path / "out", "--model", model]
    assert run(*arguments) == 0
    assert names(tmp_path / "out") == ["side.JPG"]


def test_a_photo_above_the_limit_is_refused_and_the_others_go_on(photos, model, tmp_path, capsys):
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model]
    assert run(*arguments, "--max-megapixels", "0.005") == 1
    (message,) = complaints(capsys.readouterr().err)
    assert "side.JPG" in message and names(tmp_path / "out") == ["cat.png"]


@pytest.mark.slow
def test_a_gif_through_a_pipe_becomes_a_png(photos, model):
    file = io.BytesIO()
    with Image.open(photos / "cat.png") as cat:
        cat.save(file, "GIF")
    status, result, errors = pipe("-", "--model", model, given=file.getvalue())
    assert status == 0 and Image.open(io.BytesIO(result)).format == "PNG"
    assert complaints(errors) == [
        "dslr_gan: GIF does not hold what an enhanced photo needs; the result is a PNG."
    ]


def test_what_a_result_has_not_is_said(photos, model, tmp_path, capsys):
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    frames[0].save(photos / "film.gif", save_all=True, append_images=frames[1:])
    arguments = ["enhance", photos / "film.gif", "--out", tmp_path / "out", "--model", model]
    assert run(*arguments, "--format", "png") == 0
    (message,) = complaints(capsys.readouterr().err)
    assert "film.gif" in message and "frame" in message


def test_a_report_says_what_became_of_each_photo(photos, model, tmp_path, capsys):
    bad = make_bad(photos, "text.jpg")
    Image.open(photos / "cat.png").save(photos / "film.gif", save_all=True,
        append_images=[Image.open(photos / "cat.png").rotate(90)])  # fmt: skip
    report, out = tmp_path / "new/report.json", tmp_path / "out"
    assert run("enhance", photos, "--out", out, "--model", model, "--report", report) == 1
    told = json.loads(report.read_text())
    assert told["counts"] == {
        "enhanced": 3, "copied": 0, "finished": 0, "by date": 0, "failed": 1
    }  # fmt: skip
    assert told["planned"] == 4 and told["passed_over"] == {".txt": 1} and not told["interrupted"]
    assert told["seconds_per_photo"] == pytest.approx(told["seconds"] / 3, abs=0.001)
    cat, film, side, text = told["photos"]
    assert not cat["notes"] and len(film["notes"]) == 2 and "frames" in film["notes"][0]
    assert (cat["source"], cat["destination"]) == (str(photos / "cat.png"), str(out / "cat.png"))
    assert cat["state"] == side["state"] == "enhanced" and cat["model"] == f"folder {model}"
    assert cat["seconds"] > 0 and not cat["error"]
    assert text["state"] == "failed" and str(bad) in text["error"]
    summary = capsys.readouterr().out
    assert f"1 photo failed:\n  {bad}\n" in summary


def test_the_network_can_be_run_faster(photos, model, tmp_path, caplog):
    arguments = ["enhance", photos / "cat.png", "--model", model]
    assert run(*arguments, "--out", tmp_path / "one") == 0
    assert run(*arguments, "--out", tmp_path / "two", "--precision", "bf16") == 0
    one, other = (np.asarray(open_photo(tmp_path / out / "cat.png")) for out in ("one", "two"))
    assert np.abs(one.astype(int) - other).max() <= 1


def test_a_report_for_which_there_is_no_place_is_refused(photos, model, tmp_path, capsys):
    arguments = ("enhance", photos, "--out", tmp_path / "out", "--model", model)
    for report in (photos / "cat.png/r.json", tmp_path / ("r" * 300 + ".json")):
        message = refused(capsys, *arguments, "--report", report)
        assert f"--report {report} cannot be written (" in message
    assert not (tmp_path / "out").exists()


def test_a_report_that_fails_in_the_end_leaves_the_summary(photos, model, tmp_path, capsys):
    arguments = ("enhance", photos, "--out", tmp_path / "out", "--model", model)
    assert run(*arguments, "--report", Path("/proc/r.json")) == 1
    output = capsys.readouterr()
    assert "2 photos enhanced into" in output.out
    (message,) = complaints(output.err)
    assert "--report /proc/r.json cannot be written (No such file or directory)" in message


@pytest.mark.parametrize("name", ["photo.jpg", "folder.json"])
def test_a_report_never_takes_a_photos_place(name, photos, model, tmp_path, capsys):
    (tmp_path / "folder.json").mkdir()
    report = tmp_path / name
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model]
    assert "name one" in refused(capsys, *arguments, "--report", report)


def test_finished_work_is_taken_up_again(photos, model, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["enhance", photos, "--out", out, "--model", model, "--resume"]
    assert run(*arguments) == 0
    (out / "cat.png").unlink()
    file = (out / "side.JPG").stat().st_ino  # its time is the photo's
    capsys.readouterr()
    assert run(*arguments) == 0
    assert names(out) == [".dslr_gan.jsonl", "cat.png", "side.JPG"]
    assert (out / "side.JPG").stat().st_ino == file
    assert "1 photo enhanced" in (said := capsys.readouterr().out) and "1 photo finished" in said
    assert run(*arguments, "--strength", "0.5") == 1
    assert len(complaints(capsys.readouterr().err)) == 2
    assert run(*arguments, "--strength", "0.5", "--overwrite") == 0
    assert (out / "side.JPG").stat().st_ino != file


def test_results_without_a_note_count_by_date_and_that_is_said(photos, model, tmp_path, capsys):
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model]
    assert run(*arguments) == 0
    assert run(*arguments, "--resume") == 0
    assert "2 by date alone" in capsys.readouterr().out


def test_a_hint_is_given_once_for_each_camera_with_the_number_of_photos(photos, tmp_path, capsys):
    for number, (maker, model) in enumerate([("Sony", "E1"), ("Sony", "E1"), ("Canon", "X")]):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = maker, model
        Image.new("RGB", (9, 9)).save(photos / f"{number}.jpg", exif=exif)
    inputs = [photos / f"{number}.jpg" for number in range(3)]
    assert run("enhance", *inputs, "--out", tmp_path / "out", "--workers", "1") == 0
    hints = complaints(capsys.readouterr().err)
    assert len(hints) == 2
    assert "2 photos were taken with" in hints[0] and "Sony model may suit" in hints[0]
    assert "2.jpg: This photo was taken" in hints[1] and "Canon X" in hints[1]
    arguments = ["enhance", *inputs, "--out", tmp_path / "auto", "--model", "auto"]
    assert run(*arguments, "--workers", "1") == 0
    said = capsys.readouterr().out
    assert "with bundled Sony weights and bundled iPhone weights." in said


def pipe(*arguments, given: bytes = b"") -> tuple[int, bytes, str]:
    done = subprocess.run(
        [sys.executable, "-m", "dslr_gan", "enhance", *map(str, arguments)],
        cwd=ROOT,
        input=given,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def piped(tmp_path, monkeypatch):
    """Runs ``enhance`` in this process between files for its standard streams."""

    def run_piped(*arguments, given: bytes) -> tuple[int, bytes]:
        source, result = tmp_path / "given", tmp_path / "taken"
        source.write_bytes(given)
        with source.open() as entering, result.open("w") as leaving, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", entering)
            patch.setattr(sys, "stdout", leaving)
            status = run("enhance", *arguments)
        return status, result.read_bytes()

    return run_piped


def test_a_photo_through_a_pipe(photos, model, tmp_path, piped, capsys):
    given = (photos / "side.JPG").read_bytes()
    status, output = piped("-", "--model", model, given=given)
    assert (status, capsys.readouterr().err) == (0, "")
    assert run("enhance", photos / "side.JPG", "--out", tmp_path / "out", "--model", model) == 0
    assert output == (tmp_path / "out/side.JPG").read_bytes()
    capsys.readouterr()
    assert piped("-", "--model", model, given=b"words") == (1, b"")
    (message,) = complaints(capsys.readouterr().err)
    assert "standard input is not a photo" in message


@pytest.mark.slow
def test_a_photo_through_a_real_pipe(photos, model):
    cat = photos / "cat.png"
    status, output, errors = pipe("-", "--model", model, "--strength", "0", given=cat.read_bytes())
    assert (status, output, errors) == (0, cat.read_bytes(), "")


@pytest.mark.slow
def test_a_file_to_standard_output(photos, model):
    cat = photos / "cat.png"
    status, output, _ = pipe(cat, "--out", "-", "--model", model, "--strength", "0")
    assert (status, output) == (0, cat.read_bytes())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "-"], "one photo"),
        (["{}", "--out", "-"], "one photo"),
        (["-", "--out", "{}/out"], "leave out --out"),
        (["https://example.com/a.jpg", "--out", "-"], "is an address (URL); download"),
        (["-", "--recursive"], "--recursive has no meaning"),
        (["-", "--resume"], "--resume has no meaning"),
    ],
)
def test_what_a_pipe_cannot_do_is_one_message(arguments, words, photos, capsys):
    assert words in refused(capsys, "enhance", *(each.format(photos) for each in arguments))


@pytest.mark.slow
def test_two_processes_share_the_photos_and_one_sums_up(photos, model, tmp_path):
    for number in range(5):
        Image.new("RGB", (20, 10 + number)).save(photos / f"{number}.png")
    bad = make_bad(photos, "empty.jpg")
    out, report = tmp_path / "out", tmp_path / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"),
            *("-m", "dslr_gan", "enhance", photos, "--out", out, "--model", model),
            *("--report", report, "--resume"),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1  # of the bad one
    assert done.stdout.count("7 photos enhanced") == 1 == done.stdout.count("1 photo failed")
    assert f"{bad} is empty" in done.stderr
    told = json.loads(report.read_text())
    assert told["planned"] == 8 and told["counts"]["enhanced"] == 7
    sources = [each["source"] for each in told["photos"]]
    assert sources == sorted(sources) and len(set(sources)) == 8
    shares = [file.read_text().splitlines() for file in sorted(out.glob(".dslr_gan*.jsonl"))]
    assert sorted(map(len, shares)) == [3, 4]
    assert all(open_photo(out / f"{number}.png").size == (20, 10 + number) for number in range(5))


def test_a_variable_that_no_launcher_set_is_explained(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "MASTER_ADDR" in refused(capsys, "enhance", photos, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    "kind", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interrupt_leaves_whole_files_only(kind, model, tmp_path):
    (tmp_path / "many").mkdir()
    photo = Image.fromarray(data.chelsea()).resize((800, 600))
    photo.save(tmp_path / "many/00.png", compress_level=0)
    for number in range(1, 99):
        os.link(tmp_path / "many/00.png", tmp_path / f"many/{number:02}.png")  # noqa: PTH200
    out = tmp_path / "out"
    process = start(
        "enhance",
        tmp_path / "many",
        "--out",
        out,
        "--model",
        model,
        "--resume",
        "--workers",
        "3",
        "--report",
        tmp_path / "report.json",
        # Started in the background by a shell, a process would ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (out.is_dir() and any(out.glob("[0-9]*.png"))):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(kind)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "dslr_gan: interrupted" in errors and "Traceback" not in errors
    assert "of 99 photos were finished; --resume goes on" in errors
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["interrupted"] and 0 < told["counts"]["enhanced"] < 99
    written = names(out)
    assert written.pop(0) == ".dslr_gan.jsonl"
    assert 0 < len(written) < 99
    assert all(not name.startswith(".") for name in written)
    assert all(open_photo(out / name).size == (800, 600) for name in written)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_pipe_leaves_nothing_behind(kind, model, tmp_path):
    large, scratch = tmp_path / "large.tif", tmp_path / "scratch"
    scratch.mkdir()
    Image.fromarray(data.chelsea()).resize((2000, 1500)).save(large)
    process = start(
        *("enhance", large, "--out", "-", "--model", model, "--tile", "16"),
        env={"TMPDIR": str(scratch)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not any(scratch.glob("dslr_gan-*/.unfinished-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(kind)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (130, "") and "Traceback" not in errors
    assert not list(scratch.glob("dslr_gan-*"))


@pytest.mark.slow
def test_twelve_megapixels_stay_below_the_memory_they_may_take(tmp_path):
    """With a generator of the size that is shipped; the limit counts PyTorch itself, too."""
    Generator().save_pretrained(tmp_path / "model")
    photo = Image.fromarray(data.chelsea()).resize((4000, 3000))
    photo.save(tmp_path / "large.jpg", quality=80)
    script = (
        "import resource, sys; from dslr_gan.__main__ import main; status = main(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(status)"
    )
    arguments = ["enhance", tmp_path / "large.jpg", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments), "--model", str(tmp_path / "model")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    megabytes = int(done.stdout.split()[-1]) / 1024
    assert megabytes < 1200, f"{megabytes:.0f} MB"
    assert open_photo(tmp_path / "out/large.jpg").size == (4000, 3000)
