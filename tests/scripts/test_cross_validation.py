"""Cross-validation: each pair is scored by the generator that did not see it."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.splits import fold
from dslr_gan.errors import DslrGanError
from dslr_gan.models.generator import Generator
from hub_card import unknown_facts
from scripts.cross_validation import HeldOut, difference, main, values
from tests.support.helpers import loud


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
    model = HeldOut(str(pairs.parent / "runs/fold"), parts, 2)
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
    same, darker = (values(model, rows, "") for model in (lambda photo: photo, half))
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
    with pytest.raises(DslrGanError, match="was not trained with --fold 1/2 alone"):
        HeldOut(str(pairs.parent / "runs/fold"), parts, 2)


@pytest.mark.slow
def test_recipes_are_compared_over_the_same_pairs(pairs, capsys):
    recipes = [str(pairs.parent / name) for name in ("runs/fold", "runs/fold1/generator")]
    main(["--pairs", str(pairs), "--folds", "2", *(f"--recipe={name}" for name in recipes)])
    scores, _, differences = capsys.readouterr().out.partition("less ")
    assert all(name in scores for name in recipes) and "| 5 " in scores
    # The second is the first on one part and less bright on the other: closer to the target.
    decibels = differences.split(recipes[1])[1].split("|")[1]
    assert float(decibels.split()[0]) > 0.5
