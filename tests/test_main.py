"""The command line does what it says, and says what it does not do in one sentence."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import published_like
from hub_server import HubServer, hub_environment
from PIL import Image, ImageEnhance
from safetensors.torch import save_file
from skimage import data
from tqdm import tqdm

import dslr_gan.__main__ as command_line
from dslr_gan.__main__ import main
from dslr_gan.catalogue import PHONES, Phone
from dslr_gan.data import provenance
from dslr_gan.enhancer import PhotoEnhancer
from dslr_gan.evaluation import evaluate
from dslr_gan.generator import Generator
from dslr_gan.image import open_photo
from hub_card import unknown_facts

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A folder with a small generator that visibly changes a photo."""
    torch.manual_seed(0)
    generator = Generator(channels=8, blocks=1)
    with torch.no_grad():
        generator.tail.bias.fill_(0.1)
    folder = tmp_path_factory.mktemp("model")
    generator.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with two photos, one of them lying on its side, and a text file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Apple"
    Image.fromarray(data.coffee()).resize((90, 60)).save(folder / "side.JPG", "JPEG", exif=exif)
    Image.fromarray(data.chelsea()).resize((81, 53)).save(folder / "cat.png")
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.jpg").write_text("no photo")
    return folder


@pytest.fixture
def pairs(tmp_path) -> Path:
    folder = tmp_path / "pairs"
    for side in ("iphone", "canon"):
        (folder / side).mkdir(parents=True)
    for number, picture in enumerate((data.astronaut(), data.coffee())):
        patch = Image.fromarray(picture[100:150, 100:160])
        patch.save(folder / f"canon/{number}.png")
        ImageEnhance.Brightness(patch).enhance(0.7).save(folder / f"iphone/{number}.png")
    return folder


def run(*arguments: str | Path) -> int:
    return main([str(each) for each in arguments])


def start(*arguments: str | Path, **options) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "dslr_gan", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def complaints(text: str) -> list[str]:
    """The sentences on stderr; anything else there fails."""
    lines = text.splitlines()
    assert all(line.startswith("dslr_gan: ") and line.endswith(".") for line in lines), text
    return lines


def refused(capsys, *arguments: str | Path) -> str:
    """Run a command that must fail with one sentence; return it."""
    capsys.readouterr()
    assert run(*arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    (sentence,) = complaints(output.err)
    return sentence


# Help and usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["enhance", "evaluate", "prepare", "models"])
def test_every_command_has_help_with_an_example(command, capsys):
    assert run(command, "--help") == 0
    help_text = capsys.readouterr().out
    assert f"example:\n  python -m dslr_gan {command}" in help_text


def test_the_examples_of_the_help_are_understood(capsys):
    for command in ("enhance", "evaluate", "prepare", "models"):
        run(command, "--help")
        example = capsys.readouterr().out.split("python -m dslr_gan ")[-1].split()
        assert command_line._parser().parse_args(example)


def test_help_does_not_wait_for_torch():
    script = (
        "import sys; from dslr_gan.__main__ import main; status = main(['enhance', '--help']); "
        "sys.exit(status or 'torch' in sys.modules or 'huggingface_hub' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True).returncode
        == 0
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["improve"],
        ["enhance"],
        ["enhance", "a.jpg"],
        ["enhance", "a.jpg", "--out", "b", "-x"],
        ["enhance", "a.jpg", "--out", "b", "--strength", "much"],
        ["evaluate"],
    ],
)
def test_what_is_not_understood_ends_in_2(arguments, capsys):
    assert run(*arguments) == 2
    assert "usage: python -m dslr_gan" in capsys.readouterr().err


# enhance -----------------------------------------------------------------------------------------


def test_enhance_writes_one_file_per_photo_same_name_and_format(photos, model, tmp_path, capsys):
    out = tmp_path / "new" / "enhanced"
    assert (
        run("enhance", photos / "side.JPG", photos / "cat.png", "--out", out, "--model", model) == 0
    )
    assert names(out) == ["cat.png", "side.JPG"]
    output = capsys.readouterr()
    assert output.out == f"2 photos enhanced into {out}, with folder {model}.\n"
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


def test_the_format_is_what_is_in_the_file(photos, model, tmp_path):
    (photos / "cat.png").rename(photos / "cat.jpg")
    Image.open(photos / "side.JPG").save(photos / "nosuffix", "WEBP")
    inputs = [photos / "cat.jpg", photos / "nosuffix"]
    assert run("enhance", *inputs, "--out", tmp_path / "out", "--model", model) == 0
    assert open_photo(tmp_path / "out/cat.jpg").format == "PNG"
    assert open_photo(tmp_path / "out/nosuffix").format == "WEBP"


def test_a_gif_needs_another_format(photos, model, tmp_path, capsys):
    Image.open(photos / "cat.png").save(photos / "cat.gif")
    arguments = ["enhance", photos / "cat.gif", "--out", tmp_path / "out", "--model", model]
    sentence = refused(capsys, *arguments)
    assert "cat.gif" in sentence and "--format png" in sentence
    assert run(*arguments, "--format", "png") == 0
    assert names(tmp_path / "out") == ["cat.png"]


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
def test_a_bad_input_is_one_sentence_and_nothing_is_written(name, model, tmp_path, capsys):
    bad = make_bad(tmp_path, name)
    before = names(tmp_path)
    out = tmp_path / "new" / "out"
    sentence = refused(capsys, "enhance", bad, "--out", out, "--model", model)
    assert str(bad) in sentence and BAD_FILES[name][0] in sentence
    assert names(tmp_path) == before


def test_the_good_ones_go_on_beside_a_bad_one(photos, model, tmp_path, capsys):
    bad = [make_bad(photos, name) for name in BAD_FILES]
    out = tmp_path / "out"
    assert run("enhance", *bad, photos / "cat.png", "--out", out, "--model", model) == 1
    assert names(out) == ["cat.png"]
    output = capsys.readouterr()
    sentences = complaints(output.err)
    assert len(sentences) == len(bad)
    assert all(any(str(each) in sentence for sentence in sentences) for each in bad)
    assert output.out.startswith("1 photo enhanced")


def test_a_photo_out_of_reach_is_a_sentence_and_the_others_go_on(photos, model, tmp_path, capsys):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    bad = [tmp_path / f"{'x' * 300}.jpg", loop, loop / "photo.jpg"]
    out = tmp_path / "out"
    assert run("enhance", *bad, photos / "cat.png", "--out", out, "--model", model) == 1
    sentences = complaints(capsys.readouterr().err)
    assert len(sentences) == len(bad)
    assert all(any(str(each) in sentence for sentence in sentences) for each in bad)
    assert names(out) == ["cat.png"]


def test_a_folder_that_cannot_be_read_is_a_sentence(photos, model, tmp_path, capsys, monkeypatch):
    # As whoever is not root meets it: root may read everything.
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    out = tmp_path / "out"
    sentence = refused(capsys, "enhance", photos, "--out", out, "--model", model)
    assert str(photos) in sentence and "Permission denied" in sentence


def test_an_out_with_too_long_a_name_is_a_sentence(photos, model, tmp_path, capsys):
    out = tmp_path / ("x" * 300)
    for arguments in (["--model", model], ["--model", model, "--overwrite"]):
        sentence = refused(capsys, "enhance", photos, "--out", out, *arguments)
        assert str(out) in sentence and "too long" in sentence


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
    sentence = refused(capsys, *arguments, "--format", "jpg")
    assert "transparency" in sentence and "--format png" in sentence
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
    sentence = refused(capsys, "enhance", *inputs, "--out", out, "--model", model, "--overwrite")
    assert "is the folder of" in sentence
    assert {each.name: each.read_bytes() for each in photos.iterdir()} == before


def test_a_result_that_is_there_already_stays(photos, model, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "cat.png").write_bytes(b"precious")
    arguments = ["enhance", photos, "--out", out, "--model", model]
    assert run(*arguments) == 1
    (sentence,) = complaints(capsys.readouterr().err)
    assert str(out / "cat.png") in sentence and "--overwrite" in sentence
    assert names(out) == ["cat.png", "side.JPG"] and (out / "cat.png").read_bytes() == b"precious"
    assert run(*arguments, "--overwrite") == 0
    assert open_photo(out / "cat.png").size == (81, 53)


def test_two_photos_of_one_name_are_refused_before_any_work(photos, model, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/cat.png").write_bytes((photos / "cat.png").read_bytes())
    out = tmp_path / "out"
    sentence = refused(
        capsys, "enhance", photos, tmp_path / "other/cat.png", "--out", out, "--model", model
    )
    assert str(photos / "cat.png") in sentence and str(tmp_path / "other/cat.png") in sentence
    Image.open(photos / "cat.png").save(photos / "cat.jpg")
    assert "both" in refused(
        capsys, "enhance", photos, "--out", out, "--model", model, "--format", "webp"
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--strength", "1.5"], "between 0 and 1"),
        (["--strength", "-0.1"], "between 0 and 1"),
        (["--strength", "nan"], "between 0 and 1"),
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
def test_a_wrong_option_is_one_sentence(options, words, photos, model, tmp_path, capsys):
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model, *options]
    assert words in refused(capsys, *arguments)
    assert not (tmp_path / "out").exists()


def test_out_that_is_a_file(photos, model, tmp_path, capsys):
    (tmp_path / "out").write_text("precious")
    sentence = refused(capsys, "enhance", photos, "--out", tmp_path / "out", "--model", model)
    assert "is a file" in sentence and (tmp_path / "out").read_text() == "precious"


def test_too_little_memory_is_one_sentence(photos, model, tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1 byte")

    monkeypatch.setattr(PhotoEnhancer, "enhance", fail)
    sentence = refused(
        capsys, "enhance", photos / "cat.png", "--out", tmp_path / "out", "--model", model
    )
    assert "--tile" in sentence and not (tmp_path / "out").exists()


def test_long_work_shows_its_progress(photos, model, tmp_path, capsys, monkeypatch):
    def impatient(**options):
        return tqdm(**{**options, "delay": 0, "mininterval": 0})

    monkeypatch.setattr(command_line, "tqdm", impatient)
    make_bad(photos, "text.jpg")
    arguments = ["enhance", photos, "--out", tmp_path / "out", "--model", model, "--tile", "32"]
    assert run(*arguments) == 1
    shown = capsys.readouterr().err
    assert re.search(r"0\.[1-9] of 3 photos", shown), "steps between photos"
    assert "100%" in shown and "3.0 of 3 photos" in shown and "side.JPG" in shown
    assert "dslr_gan: " in shown and "text.jpg is not a photo" in shown


def test_a_wrong_hub_id_is_one_sentence(photos, tmp_path):
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
    (sentence,) = complaints(errors)
    assert "no/body" in sentence
    assert not (tmp_path / "out").exists()


def test_a_real_process_enhances_and_complains(photos, model, tmp_path):
    bad = [make_bad(tmp_path, name) for name in BAD_FILES]
    process = start("enhance", photos, *bad, "--out", tmp_path / "out", "--model", model)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in errors and errors.count("dslr_gan: ") == len(bad)
    assert output.startswith("2 photos enhanced")
    assert names(tmp_path / "out") == ["cat.png", "side.JPG"]


def test_an_interrupt_leaves_whole_files_only(model, tmp_path):
    (tmp_path / "many").mkdir()
    photo = Image.fromarray(data.chelsea()).resize((800, 600))
    for number in range(99):
        photo.save(tmp_path / f"many/{number:02}.png", compress_level=0)
    out = tmp_path / "out"
    process = start(
        "enhance",
        tmp_path / "many",
        "--out",
        out,
        "--model",
        model,
        # Started in the background by a shell, a process would ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (out.is_dir() and any(out.glob("[0-9]*.png"))):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "dslr_gan: interrupted" in errors and "Traceback" not in errors
    written = names(out)
    assert 0 < len(written) < 99
    assert all(not name.startswith(".") for name in written)
    assert all(open_photo(out / name).size == (800, 600) for name in written)


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


# evaluate ----------------------------------------------------------------------------------------


def test_evaluate_prints_a_table_and_writes_json(pairs, model, tmp_path, capsys):
    file = tmp_path / "new" / "scores.json"
    assert run("evaluate", "--model", model, "--pairs", pairs, "--json", file) == 0
    output = capsys.readouterr()
    assert output.err == ""
    expected = evaluate({model: PhotoEnhancer.from_pretrained(model)}, pairs)
    assert output.out == f"{expected.table()}{model}: folder {model}\n"
    assert file.read_text() == expected.to_json()
    read = json.loads(file.read_text())
    assert read["pairs"] == 2 and read["model"]["psnr"] == expected.model.psnr
    assert names(file.parent) == ["scores.json"]


def test_evaluate_takes_several_models(pairs, model, tmp_path, capsys):
    other = tmp_path / "other"
    Generator(channels=4, blocks=1).save_pretrained(other)
    assert run("evaluate", "--model", model, "--model", other, "--pairs", pairs) == 0
    table = capsys.readouterr().out
    assert f"| {model} " in table and f"| {other} " in table


def test_evaluate_refuses_with_one_sentence(pairs, model, tmp_path, capsys):
    loads = ["evaluate", "--model", model]
    assert "no folder" in refused(capsys, *loads, "--pairs", tmp_path / "nowhere")
    assert "canon" in refused(capsys, *loads, "--pairs", pairs / "canon")
    assert "nokia" in refused(capsys, "evaluate", "--model", "nokia", "--pairs", pairs)
    assert "a folder" in refused(capsys, *loads, "--pairs", pairs, "--json", tmp_path)
    (pairs / "iphone/0.png").write_text("no photo")
    file = tmp_path / "scores.json"
    assert "not a photo" in refused(capsys, *loads, "--pairs", pairs, "--json", file)
    assert not file.exists()


def test_evaluate_says_where_json_cannot_be_written(pairs, model, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    file = tmp_path / "file" / "scores.json"
    assert run("evaluate", "--model", model, "--pairs", pairs, "--json", file) == 1
    (sentence,) = complaints(capsys.readouterr().err)
    assert str(file) in sentence


# prepare -----------------------------------------------------------------------------------------


@pytest.fixture
def teacher(tmp_path) -> Path:
    torch.manual_seed(0)
    save_file(published_like(channels=4, blocks=1), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_prepare_with_a_teacher_says_whose_the_photos_and_the_network_are(
    photos, teacher, tmp_path
):
    words = ["prepare", photos, "--teacher", teacher, "--crop", "20", "--per-photo", "2"]
    assert run(*words, "--out", tmp_path / "bare") == 0
    bare = provenance(tmp_path / "bare")
    assert (bare.data.name, bare.data.gave) == ("photos", "4 pairs from 2 photos")
    assert bare.teachers[0].name == "enhancements by tiny" and "DPED" in bare.teachers[0].terms
    options = ["--terms", "CC0", "--teacher-name", "N", "--teacher-terms", "T", "--teacher-url"]
    assert run(*words, "--out", tmp_path / "full", *options, "https://a.b") == 0
    full = provenance(tmp_path / "full")
    assert (full.data.name, full.data.terms, full.data.url) == ("photos", "CC0", None)
    (known,) = full.teachers
    assert (known.name, known.terms, known.url) == ("N", "T", "https://a.b")


def test_prepare_with_targets_keeps_the_photos_terms_from_the_teacher(photos, tmp_path):
    (photos / "side.JPG").unlink()
    words = ["prepare", photos, "--targets", photos, "--grid", "20"]
    options = ["--name", "N", "--terms", "T", "--url", "https://a.b", "--teacher-name", "TN"]
    assert run(*words, "--out", tmp_path / "out", *options) == 0
    known = provenance(tmp_path / "out")
    assert (known.data.name, known.data.terms, known.data.url) == ("N", "T", "https://a.b")
    (teacher,) = known.teachers
    assert (teacher.name, teacher.terms, teacher.url) == ("TN", None, None)


@pytest.mark.parametrize(
    ("kind", "flag", "value", "words"),
    [
        ("--teacher", "--grid", "20", "--grid has no meaning with --teacher"),
        ("--targets", "--crop", "20", "--crop has no meaning with --targets"),
        ("--targets", "--per-photo", "2", "--per-photo has no meaning with --targets"),
        ("--targets", "--seed", "1", "--seed has no meaning with --targets"),
        ("--teacher", "--seed", "-1", "--seed must be at least 0, got -1"),
        ("--teacher", "--crop", "0", "--crop must be at least 1, got 0"),
    ],
)
def test_prepare_refuses_options_without_meaning(
    kind, flag, value, words, photos, tmp_path, capsys
):
    out = tmp_path / "new/out"
    assert words in refused(capsys, "prepare", photos, kind, photos, flag, value, "--out", out)
    assert not out.parent.exists()


def test_a_prepare_that_fails_leaves_no_folders(photos, teacher, tmp_path, capsys):
    out = tmp_path / "new/deep/out"
    words = ["prepare", photos, "--teacher", teacher, "--crop", "1000", "--out", out]
    assert "as large as one patch" in refused(capsys, *words)
    assert not (tmp_path / "new").exists()


# models ------------------------------------------------------------------------------------------


def test_models_lists_what_can_be_loaded_and_from_where(capsys, monkeypatch):
    phones = list(PHONES.values())
    monkeypatch.setenv(phones[0].variable, "me/dslr-gan-mine")
    for phone in phones[1:]:
        monkeypatch.delenv(phone.variable, raising=False)
    assert run("models") == 0
    listing = capsys.readouterr().out
    for phone in phones:
        assert f"{phone.name}: for photos of the {phone.title} ({phone.camera})" in listing
        assert (f"bundled: {phone.folder}" if phone.bundled else "bundled: none") in listing
    assert f"Hub: me/dslr-gan-mine ({phones[0].variable})" in listing
    assert f"set {phones[1].variable}=owner/name" in listing
    assert "--model owner/name" in listing and "--model DIR" in listing


def test_models_tells_the_facts_of_bundled_weights(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(Phone, "folder", property(lambda _: tmp_path))
    assert run("models") == 0
    assert capsys.readouterr().out.count("bundled: none") == len(PHONES)
    generator = Generator(channels=4, blocks=1)
    generator.facts = replace(
        unknown_facts("a test"), parameters=12345, licence_name="research-only"
    )
    generator.save_pretrained(tmp_path)
    assert run("models") == 0
    listing = capsys.readouterr().out
    assert f"bundled: {tmp_path}, 12,345 parameters, licence research-only" in listing
    (tmp_path / "facts.json").write_text("{}")
    assert run("models") == 0
    assert "nothing known about them" in capsys.readouterr().out
