"""``evaluate`` prints what was measured, and refuses in one sentence."""

import json
from pathlib import Path

import pytest
from command_line import complaints, names, refused, run
from PIL import Image, ImageEnhance
from skimage import data

from dslr_gan.enhancer import PhotoEnhancer
from dslr_gan.evaluation import evaluate
from dslr_gan.generator import Generator


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
