"""Scores say what the field means by them, over the pairs they say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dslr_gan.enhance.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation.evaluate import evaluate, open_rows, pair_tensors
from dslr_gan.evaluation.panels import figure
from dslr_gan.metrics.vgg import VGGFeatures, content_loss
from dslr_gan.models.generator import Generator
from tests.support.paths import SHARED

TEST_PAIRS = SHARED / "dped/iphone/test_data/patches"
NETWORKS = SHARED / "reference_models"

# float32 here, float64 in scikit-image.
TOLERANCE = {"psnr": 1e-3, "ssim": 1e-4}


def degraded(photo: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(photo.filter(ImageFilter.GaussianBlur(1))).enhance(0.8)


@pytest.fixture
def pairs(tmp_path) -> Path:
    """Six pairs of 100x100: a sharp photo as the DSLR's, a dark and blurred one as the phone's."""
    for side in ("phone", "canon"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
    photos = [data.astronaut(), data.coffee(), data.chelsea()]
    for number in range(6):
        left = 40 + 55 * (number // 3)
        patch = Image.fromarray(photos[number % 3][100:200, left : left + 100])
        patch.save(tmp_path / "pairs/canon" / f"{number}.png")
        degraded(patch).save(tmp_path / "pairs/phone" / f"{number}.png")
    return tmp_path / "pairs"


def brighter(photo: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(photo).enhance(1.2)


def by_skimage(pairs: Path, model=lambda photo: photo) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {"psnr": [], "ssim": []}
    for file in sorted((pairs / "phone").iterdir()):
        output = np.asarray(model(Image.open(file)).convert("RGB"))
        target = np.asarray(Image.open(pairs / "canon" / file.name))
        values["psnr"].append(peak_signal_noise_ratio(target, output))
        values["ssim"].append(
            structural_similarity(
                target,
                output,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                channel_axis=2,
            )
        )
    return values


def test_means_are_those_of_scikit_image(pairs):
    scores = evaluate(brighter, pairs)
    assert scores.pairs == 6
    for measured, model in ((scores.input, lambda photo: photo), (scores.model, brighter)):
        expected = by_skimage(pairs, model)
        assert measured.means["psnr"] == pytest.approx(
            np.mean(expected["psnr"]), abs=TOLERANCE["psnr"]
        )
        assert measured.ssim == pytest.approx(np.mean(expected["ssim"]), abs=TOLERANCE["ssim"])
        assert measured.psnr_pairs == 6
    assert 0.5 < scores.input.ms_ssim < scores.model.ms_ssim < 1
    assert scores.model.means["psnr"] > scores.input.means["psnr"] + 1


def test_an_enhancer_is_scored_by_what_it_enhances(pairs):
    enhancer = PhotoEnhancer(Generator(channels=8, blocks=1), device="cpu")
    assert evaluate(enhancer, pairs) == evaluate(lambda photo: enhancer.enhance(photo), pairs)


def test_several_models_by_name(pairs):
    scores = evaluate({"as is": lambda photo: photo, "brighter": brighter}, pairs)
    assert list(scores.models) == ["as is", "brighter"]
    assert scores.models["as is"] == scores.input == scores.model
    assert scores.models["brighter"] == evaluate(brighter, pairs).model


def test_identical_pairs_count_for_ssim_and_not_for_psnr(pairs):
    expected = by_skimage(pairs, brighter)
    white = Image.new("RGB", (100, 100), "white")
    for side in ("phone", "canon"):
        white.save(pairs / side / "white.png")

    def dims_white(photo: Image.Image) -> Image.Image:
        if photo.getextrema()[0][0] == 255:
            return Image.new("RGB", (100, 100), (250, 250, 250))
        return brighter(photo)

    scores = evaluate(dims_white, pairs)
    assert scores.pairs == 7
    assert scores.input.psnr_pairs == scores.model.psnr_pairs == 6
    assert scores.model.means["psnr"] == pytest.approx(
        np.mean(expected["psnr"]), abs=TOLERANCE["psnr"]
    )
    assert scores.input.ssim == pytest.approx(
        (np.sum(by_skimage(pairs)["ssim"][:6]) + 1) / 7, abs=TOLERANCE["ssim"]
    )
    assert "over 6 pairs, 1 without" in scores.table()


def test_an_exact_result_is_left_out_of_psnr_and_counted(pairs):
    targets = {
        degraded(photo).tobytes(): photo
        for photo in map(Image.open, sorted((pairs / "canon").iterdir()))
    }
    first = Image.open(pairs / "phone/0.png").tobytes()
    some = evaluate(lambda p: targets[first] if p.tobytes() == first else p, pairs)
    assert some.model.psnr_pairs == 5 and some.input.psnr_pairs == 6
    assert np.isfinite(some.model.means["psnr"])
    every = evaluate(lambda p: targets[p.tobytes()], pairs)
    assert every.model.means["psnr"] is None and every.model.psnr_pairs == 0
    assert every.model.ssim == pytest.approx(1) and every.model.ms_ssim == pytest.approx(1)
    assert json.loads(every.to_json())["model"]["psnr"] is None
    assert "none" in every.table()


def test_intervals_hold_the_mean_and_repeat(pairs):
    first, second = evaluate(brighter, pairs), evaluate(brighter, pairs)
    assert first == second
    values = by_skimage(pairs, brighter)
    for metric in ("psnr", "ssim"):
        low, high = first.model.ci95[metric]
        spread = np.std(values[metric]) / np.sqrt(6)
        assert low < np.mean(values[metric]) < high
        assert 2.5 * spread < high - low < 4.5 * spread, metric


def test_progress_counts_pairs(pairs):
    seen = []
    evaluate(brighter, pairs, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 6) for number in range(1, 7)]


def test_what_a_viewer_shows_is_scored(pairs):
    """A patch that is stored on its side and says so is not compared on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for file in (pairs / "phone").iterdir():
        Image.open(file).rotate(90).save(file, exif=exif)
    turned = evaluate(lambda photo: photo, pairs)
    shutil.rmtree(pairs / "phone")
    (pairs / "phone").mkdir()
    for file in (pairs / "canon").iterdir():
        degraded(Image.open(file)).save(pairs / "phone" / file.name)
    assert turned == evaluate(lambda photo: photo, pairs)


def test_16_bits_are_rounded_to_8(pairs):
    gray = np.array(Image.open(pairs / "canon/0.png").convert("L"))
    for name in ("0.png", "1.png", "2.png", "3.png", "4.png", "5.png"):
        Image.fromarray(gray).save(pairs / "canon" / name)
        # Just below each 8-bit value: floored, all would differ.
        below = np.maximum(gray.astype(np.int32) * 257 - 100, 0).astype(np.uint16)
        Image.fromarray(below).save(pairs / "phone" / name)
    assert evaluate(lambda photo: photo, pairs).input.ssim == pytest.approx(1)


def break_pairs(pairs: Path, how: str) -> None:
    match how:
        case "missing":
            shutil.rmtree(pairs)
        case "no canon":
            (pairs / "canon").rename(pairs / "nikon")
        case "no phone":
            shutil.rmtree(pairs / "phone")
        case "several phones":
            shutil.copytree(pairs / "phone", pairs / "sony")
        case "names":
            (pairs / "canon/3.png").rename(pairs / "canon/33.png")
        case "empty":
            for file in pairs.glob("*/*"):
                file.unlink()
        case "sizes":
            Image.new("RGB", (99, 100)).save(pairs / "canon/3.png")
        case "tiny":
            for side in ("phone", "canon"):
                Image.new("RGB", (10, 100)).save(pairs / side / "3.png")
        case "text":
            (pairs / "canon/3.png").write_text("no photo")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "no folder"),
        ("no canon", "canon"),
        ("no phone", "phone"),
        ("several phones", "sony"),
        ("names", "2 pictures"),
        ("empty", "no pictures"),
        ("sizes", "99x100"),
        ("tiny", "11x11"),
        ("text", "3.png is not a photo"),
    ],
)
def test_every_way_a_pairs_folder_can_be_wrong(pairs, how, words):
    break_pairs(pairs, how)
    with pytest.raises(DslrGanError, match=words) as error:
        evaluate(brighter, pairs)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_a_model_that_changes_the_size_is_refused(pairs):
    with pytest.raises(DslrGanError, match="50x50 pixels of 0.png, which has 100x100"):
        evaluate(lambda photo: photo.resize((50, 50)), pairs)


def test_no_model_is_refused(pairs):
    with pytest.raises(DslrGanError, match="at least one model"):
        evaluate({}, pairs)


def noisy_pairs(folder: Path, count: int = 5) -> Path:
    """A gray wall with noise on the phone, with half of it on the DSLR."""
    for side, strength in (("phone", 6.0), ("canon", 3.0)):
        (folder / side).mkdir(parents=True)
        for number in range(count):
            noise = np.random.default_rng(number).normal(0, strength, (64, 80, 1))
            pixels = np.repeat(np.round(128 + noise), 3, axis=2).astype(np.uint8)
            Image.fromarray(pixels).save(folder / side / f"{number}.png")
    return folder


def test_noise_amplification_is_what_the_model_did_to_it(tmp_path):
    def doubles(photo: Image.Image) -> Image.Image:
        return Image.fromarray((2 * np.asarray(photo, float) - 128).clip(0, 255).astype(np.uint8))

    scores = evaluate({"doubles": doubles, "as is": lambda photo: photo}, noisy_pairs(tmp_path))
    noise = {
        name: method.estimates["noise_amplification"] for name, method in scores.methods.items()
    }
    # 8 bits: doubling is exact, halving rounds, which adds a twelfth to the variance of 9.
    assert noise["doubles"].value == pytest.approx(2, abs=1e-9)
    assert noise["input"].value == noise["as is"].value == 1
    assert noise["dslr"].value == pytest.approx(0.5, rel=0.02)
    assert noise["dslr"].pairs == 5
    assert scores.dslr.estimates.keys() == {"noise_amplification"}


def test_pairs_without_noise_are_left_out_for_every_method_and_counted(tmp_path):
    pairs = noisy_pairs(tmp_path)
    flat = Image.new("RGB", (64, 64), (90, 90, 90))
    flat.save(pairs / "phone/flat.png")
    noisy = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noisy).save(pairs / "canon/flat.png")
    small = Image.fromarray(noisy[:15, :40])
    small.save(pairs / "phone/small.png")
    small.save(pairs / "canon/small.png")
    scores = evaluate(brighter, pairs)
    found = {
        name: method.estimates["noise_amplification"] for name, method in scores.methods.items()
    }
    assert {estimate.pairs for estimate in found.values()} == {5} and scores.pairs == 7
    assert found["dslr"].value == pytest.approx(0.5, rel=0.02)
    assert "Noise amplification over 5 pairs, 2 whose" in scores.table()


def test_without_any_noise_there_is_no_ratio(tmp_path):
    for side, level in (("phone", 90), ("canon", 200)):
        (tmp_path / side).mkdir()
        Image.new("RGB", (64, 64), (level,) * 3).save(tmp_path / side / "0.png")
    scores = evaluate(brighter, tmp_path)
    assert scores.model.means["noise_amplification"] is None
    methods = json.loads(scores.to_json())["methods"]
    nothing = {"value": None, "ci95": None, "pairs": 0}
    assert methods["dslr"]["noise_amplification"] == nothing
    assert "none" in scores.table()


def test_the_distances_are_of_the_result_against_the_dslr_s(pairs):
    exact = {
        degraded(photo).tobytes(): photo
        for photo in map(Image.open, sorted((pairs / "canon").iterdir()))
    }
    scores = evaluate({"exact": lambda p: exact[p.tobytes()], "brighter": brighter}, pairs)
    for metric in ("colour_shift", "flip"):
        value = {
            name: method.means[metric] for name, method in scores.methods.items() if name != "dslr"
        }
        assert value["exact"] == pytest.approx(0, abs=1e-6)
        assert 0 < value["brighter"] < value["input"]


@pytest.mark.slow
def test_vgg_16_s_distance_is_the_content_loss(pairs):
    torch.manual_seed(0)
    vgg = VGGFeatures()
    assert "vgg16_distance" not in evaluate(brighter, pairs).model.means
    scores = evaluate(brighter, pairs, vgg=vgg)
    expected = []
    for file in sorted((pairs / "phone").iterdir()):
        tensors = [
            torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None] / 255
            for photo in (brighter(Image.open(file)), Image.open(pairs / "canon" / file.name))
        ]
        expected.append(content_loss(vgg, *tensors).item())
    assert scores.model.means["vgg16_distance"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert list(scores.metrics).index("vgg16_distance") == 4


def test_rows_in_memory_score_as_the_folder_they_came_from(pairs):
    rows = [
        {
            "phone": Image.open(pairs / "phone" / f"{number}.png"),
            "dslr": Image.open(pairs / "canon" / f"{number}.png"),
        }
        for number in range(6)
    ]
    assert evaluate(brighter, rows) == evaluate(brighter, open_rows(pairs))
    rows[2]["dslr"] = rows[2]["dslr"].resize((50, 50))
    with pytest.raises(DslrGanError, match="pair 2: .*100x100 .* 50x50"):
        evaluate(brighter, rows)


def test_pair_tensors_are_the_pictures_as_they_stand(pairs):
    phone, dslr = pair_tensors(open_rows(pairs), 0)
    for tensor, side in ((phone, "phone"), (dslr, "canon")):
        assert tensor.shape == (1, 3, 100, 100)
        shown = np.asarray(Image.open(pairs / side / "0.png"))
        assert np.array_equal((tensor[0].permute(1, 2, 0) * 255).round().numpy(), shown)
    rows = [{"phone": Image.new("RGB", (30, 20)), "dslr": Image.new("RGB", (30, 21))}]
    with pytest.raises(DslrGanError, match="both must be of one size"):
        pair_tensors(rows, 0)


def test_dped_s_own_layout_is_scored_on_its_test_pairs(pairs, tmp_path):
    shutil.copytree(pairs, tmp_path / "dped/test_data/patches")
    (tmp_path / "dped/training_data").mkdir()
    assert evaluate(brighter, tmp_path / "dped") == evaluate(brighter, pairs)


def test_the_figure_shows_models_then_the_dslr_s_then_the_phone_s(pairs):
    models = {"as is": lambda photo: photo, "brighter": brighter}
    scores = evaluate(models, pairs)
    picture = np.asarray(figure(models, pairs, scores, 2))
    order = np.argsort(np.mean([scores.ssims[name] for name in models], axis=0), kind="stable")
    for row, pair in enumerate((order[1], order[4])):
        phone = Image.open(pairs / f"phone/{pair}.png")
        dslr = Image.open(pairs / f"canon/{pair}.png")
        for column, shown in enumerate((phone, brighter(phone), dslr, phone)):
            top, left = 34 + row * 234, 12 + column * 212
            panel = picture[top : top + 200 : 2, left : left + 200 : 2]
            assert np.array_equal(panel, np.asarray(shown)), (row, column)
    with pytest.raises(DslrGanError, match="at least 1 pair"):
        figure(models, pairs, scores, 0)


PUBLISHED = {
    "input": (18.46, 0.8504, 0.7037),
    "pirm_dped_srcnn": (21.06, 0.9057, 0.7704),
    "pirm_dped_resnet_8_32": (22.39, 0.9245, 0.7958),
    "dped_iphone_12_64": (22.03, 0.9279, 0.8010),
}
"""PSNR, MS-SSIM, SSIM of the 51 pairs by the published evaluation; printed to these digits."""


@pytest.mark.slow
@pytest.mark.skipif(
    not (TEST_PAIRS.is_dir() and NETWORKS.is_dir()),
    reason="the DPED pairs or the published networks are not here",
)
def test_the_published_networks_score_as_published():
    models = {
        name: PhotoEnhancer.from_pretrained(NETWORKS / f"{name}.safetensors")
        for name in PUBLISHED
        if name != "input"
    }
    scores = evaluate(models, TEST_PAIRS)
    assert scores.pairs == 51 and scores.input.psnr_pairs == 50
    for name, (decibels, multi_scale, single_scale) in PUBLISHED.items():
        measured = scores.methods[name]
        assert measured.means["psnr"] == pytest.approx(decibels, abs=0.0051), name
        assert measured.ms_ssim == pytest.approx(multi_scale, abs=0.000051), name
        assert measured.ssim == pytest.approx(single_scale, abs=0.000051), name
        # Each brings the colours nearer than the phone's.
        if name != "input":
            assert measured.means["colour_shift"] < scores.input.means["colour_shift"] - 1
