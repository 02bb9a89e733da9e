"""Scores say what the field means by them, over the pairs they say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dslr_gan.enhancer import PhotoEnhancer
from dslr_gan.errors import DslrGanError
from dslr_gan.evaluation import MetricScores, Scores, evaluate
from dslr_gan.generator import Generator

TEST_PAIRS = Path(__file__).parents[1] / "../shared/dped/iphone/test_data/patches"

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
        assert measured.psnr == pytest.approx(np.mean(expected["psnr"]), abs=TOLERANCE["psnr"])
        assert measured.ssim == pytest.approx(np.mean(expected["ssim"]), abs=TOLERANCE["ssim"])
        assert measured.psnr_pairs == 6
    assert 0.5 < scores.input.ms_ssim < scores.model.ms_ssim < 1
    assert scores.model.psnr > scores.input.psnr + 1


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
    assert scores.model.psnr == pytest.approx(np.mean(expected["psnr"]), abs=TOLERANCE["psnr"])
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
    assert np.isfinite(some.model.psnr)
    every = evaluate(lambda p: targets[p.tobytes()], pairs)
    assert every.model.psnr is None and every.model.psnr_pairs == 0
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


def test_json_has_the_agreed_form(pairs):
    scores = evaluate(brighter, pairs)
    read = json.loads(scores.to_json())
    assert read["pairs"] == 6
    assert read["input"] == scores.input.means
    assert read["model"] == read["models"]["model"] == scores.model.means
    assert list(read["input"]) == list(read["model"]) == ["psnr", "ssim", "ms_ssim"]
    assert all(
        type(read[method][name]) is float
        for method in ("input", "model")
        for name in ("psnr", "ssim", "ms_ssim")
    )
    assert read["ci95"]["model"]["ssim"] == list(scores.model.ci95["ssim"])


def test_table_shows_what_was_measured():
    ends = {"psnr": (17.0, 19.996), "ssim": (0.6, 0.8), "ms_ssim": (0.8, 0.9)}
    method = MetricScores(18.4567, 0.70368, 0.85042, 51, ends)
    table = Scores(51, method, {"iphone": method}).table()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert cells[0] == ["", "pairs", "PSNR (dB)", "SSIM", "MS-SSIM"]
    values = ["51", "18.46 [17.00, 20.00]", "0.7037 [0.6000, 0.8000]", "0.8504 [0.8000, 0.9000]"]
    assert cells[2:] == [["input", *values], ["iphone", *values]]
    assert {len(line) for line in table.splitlines()} == {len(table.splitlines()[0])}


def test_progress_counts_pairs(pairs):
    seen = []
    evaluate(brighter, pairs, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 6) for number in range(1, 7)]


def test_what_a_viewer_shows_is_scored(pairs):
    """A patch that lies on its side and says so is not compared lying on its side."""
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


@pytest.mark.skipif(not TEST_PAIRS.is_dir(), reason="DPED pairs are not here")
def test_the_input_of_the_dped_test_pairs_scores_as_published():
    scores = evaluate(lambda photo: photo, TEST_PAIRS)
    assert scores.pairs == 51
    # Measured with the published evaluation; printed to this many digits.
    assert scores.input.psnr == pytest.approx(18.46, abs=0.005)
    assert scores.input.ms_ssim == pytest.approx(0.8504, abs=0.00005)
    assert scores.input.ssim == pytest.approx(0.7037, abs=0.00005)
