"""As used: the whole photo is enhanced, and the patch cut out is what is scored."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from dslr_gan.data.places import read_places
from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.as_used import evaluate_as_used
from dslr_gan.evaluation.evaluate import evaluate, open_rows
from dslr_gan.models.generator import Generator
from tests.support.command_line import refused, run

PLACES = {"0": ("coffee.png", 10, 20), "1": ("coffee.png", 200, 100), "2": ("chelsea.png", 7, 5)}


@pytest.fixture
def folder(tmp_path):
    """Four pairs, three of them cut from two photos that are here, too."""
    photos = {"coffee.png": data.coffee(), "chelsea.png": data.chelsea()}
    (tmp_path / "photos").mkdir()
    for side in ("phone", "canon"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
    for name, pixels in photos.items():
        Image.fromarray(pixels // 2).save(tmp_path / "photos" / name)
    patches = {
        name: photos[photo][top : top + 64, left : left + 64]
        for name, (photo, left, top) in PLACES.items()
    } | {"3": data.astronaut()[:64, :64]}
    for name, patch in patches.items():
        Image.fromarray(patch).save(tmp_path / f"pairs/canon/{name}.png")
        Image.fromarray(patch // 2).save(tmp_path / f"pairs/phone/{name}.png")
    say(tmp_path)
    return tmp_path


def say(folder, **changed):
    entries = {
        name: {"photo": photo, "left": left, "top": top}
        for name, (photo, left, top) in (PLACES | changed).items()
    }
    (folder / "pairs/photos.json").write_text(json.dumps(entries))


def score(folder, models):
    pairs = folder / "pairs"
    return evaluate_as_used(models, open_rows(pairs), read_places(pairs), folder / "photos")


def to_mean(photo: Image.Image) -> Image.Image:
    """A model that looks at all of what it is given: it moves every pixel towards the mean."""
    pixels = np.asarray(photo).astype(float)
    return Image.fromarray(((pixels + pixels.mean()) / 2).astype(np.uint8))


def test_the_patch_is_cut_out_of_the_enhanced_photo(folder):
    scores = score(folder, {"local": lambda photo: photo, "mean": to_mean})
    assert list(scores.methods) == [
        "input", "local, patch alone", "local, whole photo",
        "mean, patch alone", "mean, whole photo", "dslr",
    ]  # fmt: skip
    assert scores.pairs == 3
    # What each pixel becomes by itself is the same both ways.
    assert scores.models["local, whole photo"] == scores.models["local, patch alone"]
    expected = {"mean, patch alone": [], "mean, whole photo": []}
    for name, (photo, left, top) in PLACES.items():
        dslr = np.asarray(Image.open(folder / f"pairs/canon/{name}.png"))
        whole = np.asarray(to_mean(Image.open(folder / "photos" / photo)))
        alone = np.asarray(to_mean(Image.open(folder / f"pairs/phone/{name}.png")))
        cut = whole[top : top + 64, left : left + 64]
        expected["mean, whole photo"].append(peak_signal_noise_ratio(dslr, cut))
        expected["mean, patch alone"].append(peak_signal_noise_ratio(dslr, alone))
    for method, values in expected.items():
        assert scores.models[method].means["psnr"] == pytest.approx(np.mean(values), abs=1e-3)
        low, high = scores.models[method].ci95["psnr"]
        assert min(values) - 1e-3 <= low < high <= max(values) + 1e-3
    assert expected["mean, whole photo"][0] != pytest.approx(expected["mean, patch alone"][0])


def test_patches_alone_score_as_they_do_without_photos(folder):
    enhancer = PhotoEnhancer(Generator(channels=4, blocks=1), device="cpu")
    scores = score(folder, {"ours": enhancer})
    located = [row for row, name in enumerate("0123") if name in PLACES]
    rows = open_rows(folder / "pairs").select(located)
    assert scores.models["ours, patch alone"] == evaluate(enhancer, rows).model


def test_each_photo_is_enhanced_once_for_all_of_its_patches(folder):
    seen = []

    def model(photo):
        seen.append(photo.size)
        return photo

    score(folder, {"a": model})
    whole = [size for size in seen if size != (64, 64)]
    assert sorted(whole) == [(451, 300), (600, 400)] and len(seen) == 2 + 3


def test_photos_that_are_not_those_of_the_patches_are_refused(folder):
    models = {"a": lambda photo: photo}
    say(folder, **{"1": ("coffee.png", 0, 0)})
    with pytest.raises(DslrGanError, match=r"coffee.png: the patch 1.png differs from what is at"):
        score(folder, models)
    say(folder, **{"1": ("coffee.png", 560, 100)})
    with pytest.raises(DslrGanError, match="does not fit in at 560, 100 of 600x400"):
        score(folder, models)
    say(folder)
    (folder / "photos/chelsea.png").unlink()
    with pytest.raises(DslrGanError, match="lacks 1 of the 2 photos .* such as chelsea.png"):
        score(folder, models)
    (folder / "pairs/photos.json").write_text('{"0": 3, "9": 4}')
    with pytest.raises(DslrGanError, match="has no place of any of the 4 pairs"):
        score(folder, models)


def test_the_command_prints_both_and_takes_scenes(folder, model, capsys):
    places = json.loads((folder / "pairs/photos.json").read_text())
    command = ["evaluate", "--model", f"{model}=ours", "--pairs", folder / "pairs"]
    out = folder / "scores.json"
    assert run(*command, "--photos", folder / "photos", "--json", out) == 0
    text = capsys.readouterr().out
    assert "| ours, whole photo " in text and "on the 3 pairs whose photo is known" in text
    written = json.loads(out.read_text())
    assert written["pairs"] == 4 and written["as_used"]["pairs"] == 3
    assert "ours, whole photo" in written["as_used"]["models"]

    (folder / "pairs/photos.json").write_text(json.dumps(places | {"3": 8, "1": 8}))
    assert run(*command, "--scenes", "8", "--json", out) == 0
    assert json.loads(out.read_text())["pairs"] == 2
    assert "none of the 4 pairs" in refused(capsys, *command, "--scenes", "5")
    assert "there is no folder" in refused(capsys, *command, "--photos", folder / "none")
    assert "no pairs of sony" in refused(capsys, *command, "--photos", f"sony:{folder}")
    (folder / "pairs/photos.json").unlink()
    assert "has no photos.json" in refused(capsys, *command, "--photos", folder / "photos")
    assert "has no photos.json" in refused(capsys, *command, "--scenes", "1")
