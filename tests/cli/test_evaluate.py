"""``evaluate`` prints what was measured, and refuses in one message."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance
from safetensors.torch import save_file
from skimage import data

from dslr_gan.cli.evaluate import labelled
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import evaluate
from dslr_gan.evaluation.panels import figure
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.models.generator import Generator
from dslr_gan.models.registry import make_network
from tests.support.command_line import names, refused, run
from tests.support.helpers import loud


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


def test_evaluate_prints_a_table_and_writes_json(pairs, model, tmp_path, capsys):
    file = tmp_path / "new" / "scores.json"
    assert run("evaluate", "--model", model, "--pairs", pairs, "--json", file) == 0
    output = capsys.readouterr()
    assert output.err == ""
    expected = evaluate({model: PhotoEnhancer.from_pretrained(model)}, pairs)
    assert output.out == f"{expected.table()}{model}: folder {model}\n"
    assert file.read_text() == expected.to_json()
    read = json.loads(file.read_text())
    assert read["pairs"] == 2 and read["model"]["psnr"] == expected.model.means["psnr"]
    assert names(file.parent) == ["scores.json"]


def test_evaluate_takes_several_models(pairs, model, tmp_path, capsys):
    other = tmp_path / "other"
    Generator(channels=4, blocks=1).save_pretrained(other)
    assert run("evaluate", "--model", model, "--model", other, "--pairs", pairs) == 0
    table = capsys.readouterr().out
    assert f"| {model} " in table and f"| {other} " in table


def test_evaluate_writes_table_one_and_the_figure(pairs, model, tmp_path, capsys):
    make_network("srcnn").save_pretrained(tmp_path / "srcnn")
    save_file(VGGFeatures().state_dict(), tmp_path / "vgg.safetensors")
    page, picture = tmp_path / "new/table.md", tmp_path / "new/panels.png"
    models = ["--model", f"{tmp_path / 'srcnn'}=SRCNN", "--model", f"{model}=ours"]
    files = ["--markdown", page, "--figure", picture, "--figure_pairs", 1]
    weights = ["--vgg_weights", tmp_path / "vgg.safetensors"]
    assert run("evaluate", *models, "--pairs", pairs, *files, *weights) == 0
    table = capsys.readouterr().out
    assert "| SRCNN " in table and "| ours " in table and "| dslr " in table
    assert "VGG-16 distance, lower is better" in table
    text = page.read_text(encoding="utf-8")
    assert "| iphone | SRCNN | 2 |" in text and "| iphone | ours | 2 |" in text
    assert f"2 pairs of `{pairs}`" in text and f"- ours: folder {model}; Generator, " in text
    assert "- SRCNN: " in text and "SRCNN, 69,251 parameters" in text
    enhancers = {
        "SRCNN": PhotoEnhancer.from_pretrained(tmp_path / "srcnn"),
        "ours": PhotoEnhancer.from_pretrained(model),
    }
    expected = figure(enhancers, pairs, evaluate(enhancers, pairs), 1)
    with Image.open(picture) as written:
        assert written.format == "PNG" and written.tobytes() == expected.tobytes()
    assert names(page.parent) == ["panels.png", "table.md"]


def test_table_one_names_the_phone_it_is_told(pairs, model, tmp_path):
    page = tmp_path / "table.md"
    options = ["--markdown", page, "--phone", "iPhone 3GS"]
    assert run("evaluate", "--model", model, "--pairs", pairs, *options) == 0
    assert f"| iPhone 3GS | {model} | 2 |" in page.read_text(encoding="utf-8")


def test_models_are_told_by_their_labels(tmp_path):
    odd = tmp_path / "rate=1"
    odd.mkdir()
    given = [f"{odd}", f"{odd}=fast", "iphone", "owner/name=theirs", "a=b=c"]
    assert labelled(given, ["iphone"]) == {
        "iphone": {
            str(odd): str(odd),
            "fast": str(odd),
            "iphone": "iphone",
            "theirs": "owner/name",
            "c": "a=b",
        }
    }
    for wrong, words in (
        (["iphone", "iphone"], "given twice; label one with =LABEL"),
        (["iphone=A", "sony=A"], "A was given twice"),
        (["iphone="], "say NAME, or NAME=LABEL"),
        (["=ours"], "say NAME, or NAME=LABEL"),
        (["iphone=dslr"], "dslr is a row of its own"),
        (["sony:sony"], "there are no pairs of sony, but of iphone"),
        (["iphone:"], "there are no pairs of iphone"),
    ):
        with pytest.raises(DslrGanError, match=words):
            labelled(wrong, ["iphone"])


def test_a_model_may_be_for_the_pairs_of_one_phone():
    given = ["iphone:runs/a=ours", "sony:runs/b=ours", "file.safetensors=theirs"]
    assert labelled(given, ["iphone", "sony"]) == {
        "iphone": {"ours": "runs/a", "theirs": "file.safetensors"},
        "sony": {"ours": "runs/b", "theirs": "file.safetensors"},
    }
    # By default each phone's own bundled model.
    assert labelled(None, ["sony", "nokia"]) == {
        "sony": {"sony": "sony"},
        "nokia": {"iphone": "iphone"},
    }
    with pytest.raises(DslrGanError, match="there is none for sony"):
        labelled(["iphone:runs/a"], ["iphone", "sony"])
    assert labelled([r"C:\models\a=ours"], ["iphone"]) == {"iphone": {"ours": r"C:\models\a"}}


def test_every_pairs_is_scored_with_its_own_models(pairs, model, tmp_path, capsys):
    other = tmp_path / "sony_pairs"
    shutil.copytree(pairs, other)
    (other / "iphone").rename(other / "sony")
    for side in ("sony", "canon"):
        (other / side / "1.png").unlink()
    loud({"channels": 4, "blocks": 1}).save_pretrained(tmp_path / "loud")
    files = ["--json", tmp_path / "s.json", "--markdown", tmp_path / "t.md"]
    figures = ["--figure", tmp_path / "f.png", "--figure_pairs", 1]
    models = [f"--model=iphone:{model}=ours", f"--model=sony:{tmp_path / 'loud'}=ours",
              f"--model=iphone:{tmp_path / 'loud'}=loud"]  # fmt: skip
    both = ["--pairs", pairs, "--pairs", other]
    assert run("evaluate", *both, *models, *files, *figures) == 0
    assert f"sony ({other})\n" in capsys.readouterr().out
    found = json.loads((tmp_path / "s.json").read_text())["phones"]
    for phone, folder, name in (("iphone", pairs, model), ("sony", other, tmp_path / "loud")):
        alone = evaluate(PhotoEnhancer.from_pretrained(name), folder)
        assert found[phone]["models"]["ours"] == json.loads(alone.to_json())["model"], phone
    assert list(found["sony"]["models"]) == ["ours"]
    page = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "| iphone | loud | 2 |" in page and "| sony | ours | 1 |" in page
    with Image.open(tmp_path / "f.png") as picture:  # two models, DSLR, phone; a row of each phone
        assert picture.width > 4 * 200 and picture.height > 2 * 200
    same = ["--pairs", pairs, "--pairs", pairs]
    assert "called alike (iphone, iphone)" in refused(capsys, "evaluate", *same)
    assert "--phone was given 1 times" in refused(capsys, "evaluate", *same, "--phone", "a")


def test_evaluate_refuses_with_one_message(pairs, model, tmp_path, capsys):
    loads = ["evaluate", "--model", model]
    assert "no folder" in refused(capsys, *loads, "--pairs", tmp_path / "nowhere")
    assert "canon" in refused(capsys, *loads, "--pairs", pairs / "canon")
    assert "nokia" in refused(capsys, "evaluate", "--model", "nokia", "--pairs", pairs)
    assert "a folder" in refused(capsys, *loads, "--pairs", pairs, "--json", tmp_path)
    here = [*loads, "--pairs", pairs]
    assert "a folder" in refused(capsys, *here, "--markdown", tmp_path)
    assert "must end in .png" in refused(capsys, *here, "--figure", tmp_path / "panels.jpg")
    few = ["--figure", tmp_path / "panels.png", "--figure_pairs", "0"]
    assert "at least 1, got 0" in refused(capsys, *here, *few)
    same = ["--json", tmp_path / "scores", "--markdown", tmp_path / "new/../scores"]
    assert "different files" in refused(capsys, *here, *same)
    assert "given twice" in refused(capsys, *here, "--model", model)
    assert "VGG-16" in refused(capsys, *here, "--vgg_weights", tmp_path / "absent.safetensors")
    (pairs / "iphone/0.png").write_text("no photo")
    file = tmp_path / "scores.json"
    assert "not a photo" in refused(capsys, *loads, "--pairs", pairs, "--json", file)
    assert not file.exists()


@pytest.mark.parametrize("flag", ["--json", "--markdown", "--figure"])
def test_a_file_that_cannot_be_written_is_refused_before_any_work(flag, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    file = tmp_path / "file" / "result.png"
    message = refused(capsys, "evaluate", "--pairs", tmp_path / "nowhere", flag, file)
    assert f"{flag} {file} cannot be written (Not a directory)" in message


def test_so_is_a_network_that_is_to_be_exported(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    file = tmp_path / "file" / "result.onnx"
    message = refused(capsys, "export", "--model", tmp_path / "nowhere", "--out", file)
    assert f"--out {file} cannot be written (Not a directory)" in message
