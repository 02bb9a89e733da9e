"""``evaluate`` prints what was measured, and refuses in one message."""

import json
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance
from safetensors.torch import save_file
from skimage import data

from dslr_gan.cli.evaluate import labelled
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import evaluate, figure
from dslr_gan.metrics.vgg import VGGFeatures
from dslr_gan.models.generator import Generator
from dslr_gan.models.registry import make_network
from tests.support.command_line import complaints, names, refused, run


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
    assert labelled(given) == {
        str(odd): str(odd),
        "fast": str(odd),
        "iphone": "iphone",
        "theirs": "owner/name",
        "c": "a=b",
    }
    for wrong, words in (
        (["iphone", "iphone"], "given twice; label one with =LABEL"),
        (["iphone=A", "sony=A"], "A was given twice"),
        (["iphone="], "say NAME, or NAME=LABEL"),
        (["=ours"], "say NAME, or NAME=LABEL"),
        (["iphone=dslr"], "dslr is a row of its own"),
    ):
        with pytest.raises(DslrGanError, match=words):
            labelled(wrong)


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


def test_evaluate_says_where_json_cannot_be_written(pairs, model, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    file = tmp_path / "file" / "scores.json"
    assert run("evaluate", "--model", model, "--pairs", pairs, "--json", file) == 1
    (message,) = complaints(capsys.readouterr().err)
    assert str(file) in message
