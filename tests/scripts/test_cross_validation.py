"""Cross-validation: each pair is scored by the generator that did not see it."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage import data

from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.splits import fold
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import score_rows
from dslr_gan.models.generator import Generator
from hub_card import unknown_facts
from scripts.cross_validation import HeldOut, difference, main, main_metrics
from tests.support.helpers import loud, published_like

BY_PAIR = {"--fold": "K/2", "--fold_by": "pair"}


def told(*commands):
    """Facts of a generator that these commands made."""
    return dataclasses.replace(unknown_facts("a fold"), commands=list(commands))


@pytest.fixture
def pairs(tmp_path):
    """Five pairs, and a generator for each of two parts, told apart by how bright it makes them."""
    for side in ("phone", "canon"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        for number in range(5):
            crop = data.astronaut()[50 * number : 50 * number + 100, 100:200]
            crop = crop if side == "phone" else (crop * 0.9).astype(np.uint8)
            Image.fromarray(crop).save(tmp_path / "pairs" / side / f"{number}.png")
    for number in (1, 2):
        generator = loud({"channels": 4, "blocks": 1})
        torch.nn.init.zeros_(generator.tail.weight)
        torch.nn.init.constant_(generator.tail.bias, 0.1 * number)
        generator.facts = told(f"train_accelerate.py --fold {number}/2")
        generator.save_pretrained(tmp_path / f"runs/fold{number}/generator")
    return tmp_path / "pairs"


def test_each_picture_goes_to_the_generator_that_did_not_see_it(pairs):
    parts = {number: fold(open_pairs(pairs), number, 2).test for number in (1, 2)}
    model = HeldOut(str(pairs.parent / "runs/fold"), parts, BY_PAIR)
    seen = 0
    for number, rows in parts.items():
        for row in rows:
            photo = Image.open(row["phone"]["path"])
            change = np.asarray(model(photo)).astype(int) - np.asarray(photo)
            assert np.median(change) == round(255 * np.tanh(0.1 * number))
            seen += 1
    assert seen == 5


def test_a_pair_of_equal_pictures_has_no_part_in_the_decibels(tmp_path):
    white = np.full((64, 64, 3), 255, np.uint8)
    crop = data.astronaut()[:64, :64]
    for side, picture in (("phone", crop // 2), ("canon", crop)):
        (tmp_path / side).mkdir()
        Image.fromarray(picture).save(tmp_path / side / "0.png")
        Image.fromarray(white).save(tmp_path / side / "1.png")
    source = open_pairs(tmp_path)
    rows = [*source.train, *(source.test or [])]
    found = main_metrics(score_rows({"same": lambda photo: photo, "half": half}, rows))
    same, darker = found["same"], found["half"]
    assert np.isnan(same[:, 0]).sum() == np.isnan(darker[:, 0]).sum() == 1
    assert np.isfinite(same[:, 1:]).all()
    # Over the other pair alone: a white picture made gray loses an infinity of decibels.
    lost = np.nanmean(darker[:, 0] - same[:, 0])
    assert difference(darker, same)[0].startswith(f"{lost:+.2f}")


def half(photo):
    """A model that halves the brightness."""
    return Image.fromarray(np.asarray(photo) // 2)


@pytest.mark.parametrize(
    "commands",
    [
        ["train_accelerate.py --fold 2/2"],
        ["train_accelerate.py --fold 1/5"],
        ["train_accelerate.py --pairs dped/iphone"],
        ["train_accelerate.py --fold 2/2", "train_accelerate.py --init_from a --fold=1/2"],
        ["train_accelerate.py --fold 1/2 --fold_by scene"],
        [],
        None,
    ],
)
def test_a_generator_that_may_have_seen_its_part_is_refused(commands, pairs):
    folder = pairs.parent / "runs/fold1/generator"
    generator = Generator.from_pretrained(folder)
    generator.facts = None if commands is None else told(*commands)
    generator.save_pretrained(folder)
    parts = {1: fold(open_pairs(pairs), 1, 2).test}
    with pytest.raises(DslrGanError, match="was not trained with --fold(_by pair| 1/2) alone"):
        HeldOut(str(pairs.parent / "runs/fold"), parts, BY_PAIR)


@pytest.mark.slow
def test_recipes_are_compared_over_the_same_pairs(pairs, capsys):
    published = pairs.parent / "published.safetensors"
    save_file(published_like(8, 1), published)
    recipes = [str(pairs.parent / name) for name in ("runs/fold", "runs/fold1/generator")]
    recipes.append(str(published))
    main(["--pairs", str(pairs), "--folds", "2", *(f"--recipe={name}" for name in recipes)])
    scores, _, differences = capsys.readouterr().out.partition("less ")
    assert all(name in scores for name in recipes) and "| 5 " in scores
    # The second is the first on one part and less bright on the other: closer to the target.
    decibels = differences.split(f"{recipes[1]} ")[1].split("|")[1]
    assert f"| {published} |" in differences
    assert float(decibels.split()[0]) > 0.5


@pytest.mark.slow
def test_by_scene_whole_photos_go_to_the_generator_that_did_not_see_them(pairs, capsys):
    """Three patches of two photos; the generators of the parts brighten by one step and by two."""
    photos = pairs.parent / "photos"
    photos.mkdir()
    for number in (1, 2):
        Image.fromarray(data.astronaut()[100 * number :][:250, 90:]).save(
            photos / f"a_{number}.png"
        )
        generator = Generator.from_pretrained(pairs.parent / f"runs/fold{number}/generator")
        generator.facts = told(f"train_accelerate.py --fold {number}/2 --fold_by scene")
        generator.save_pretrained(pairs.parent / f"runs/fold{number}/generator")
    places = {
        str(row): {"photo": f"a_{row // 2}.png", "left": 10, "top": 50 * row - 100 * (row // 2)}
        for row in (2, 3, 4)
    }
    (pairs / "photos.json").write_text(json.dumps(places | {"0": 5, "1": 5}))
    command = ["--pairs", str(pairs), "--folds", "2", "--by_scene", "--photos", str(photos)]
    main([*command, "--recipe", str(pairs.parent / "runs/fold")])
    alone, _, used = capsys.readouterr().out.partition("as they are used")
    assert "| 5 " in alone and "| 3 " in used
    # A local change of each pixel: the same on the patch and on the photo, by the same generator.
    lines = [line.split("|") for line in used.splitlines()]
    rows = {line[1].strip().rpartition(", ")[2]: line[3] for line in lines if len(line) == 7}
    assert rows["whole photo"] == rows["patch alone"] != rows["input"]
    with pytest.raises(SystemExit):
        main([*command[:4], *command[5:], "--recipe", "x"])
