"""The bundled models: small, documented, past the first bar, with clean borders."""

import numpy as np
import pytest
import skimage.data
import torch
from huggingface_hub import ModelCard
from PIL import Image

from dslr_gan import Generator, PhotoEnhancer, evaluate
from dslr_gan.models.generator import Generator as Teacher
from dslr_gan.models.phones import PHONES
from dslr_gan.photo import to_pixels, to_tensor
from tests.support.paths import SHARED
from tests.support.photo_helpers import photo_ssim

DPED_TEST = SHARED / "dped/iphone/test_data/patches"
SRCNN = SHARED / "reference_models/pirm_dped_srcnn.safetensors"
SONY_TEACHER = SHARED / "reference_models/dped_sony_12_64.safetensors"
UNSEEN = ("iphone_25", "iphone_26", "iphone_27", "iphone_28")
"""Photos of which the Sony model saw nothing in training."""

phones = pytest.mark.parametrize("phone", PHONES)


@phones
def test_weights_are_small_and_their_facts_are_known(phone):
    folder = PHONES[phone].folder
    assert (folder / "model.safetensors").stat().st_size < 450_000
    facts = Generator.from_pretrained(folder).facts
    assert facts.commands and facts.data and facts.teachers and facts.limits
    assert any("train_accelerate.py" in command for command in facts.commands)
    card = ModelCard.load(folder / "README.md")
    assert card.data.license == "other" and "research" in card.text
    assert "unknown" not in card.text.split("## Training\n")[1].split("## Scores")[0]
    assert all(command in card.text for command in facts.commands)
    assert facts.speed and facts.pictures
    for picture in facts.pictures:
        assert f"]({picture.file})" in card.text
        assert Image.open(folder / picture.file).size[1] >= 100


@phones
@pytest.mark.parametrize("level", [40, 128, 230])
def test_a_flat_picture_stays_flat_up_to_its_borders(phone, level):
    flat = Image.new("RGB", (320, 240), (level, level, level))
    result = np.asarray(PhotoEnhancer.from_pretrained(phone).enhance(flat)).astype(int)
    middle = np.median(result[60:-60, 60:-60], axis=(0, 1))
    distance = np.abs(result - middle).max(axis=2)
    # The zeros around a picture show at the upper and left border, as they did in training: 22 of
    # 255 in a corner was seen. Where training never met them so close they made 50.
    assert distance.max() <= 30
    assert distance[-1].mean() <= 4 and distance[:, -1].mean() <= 4


@phones
def test_a_photo_changes_and_stays_a_photo(phone):
    photo = Image.fromarray(skimage.data.coffee())
    result = PhotoEnhancer.from_pretrained(phone).enhance(photo)
    assert 0.5 < photo_ssim(photo, result) < 0.995
    assert np.asarray(result).std() > 30


@pytest.mark.slow
@pytest.mark.skipif(not SRCNN.is_file(), reason="the real DPED pairs and SRCNN are not here")
def test_iphone_beats_the_published_srcnn_on_the_dped_test_pairs():
    models = {"iphone": "iphone", "srcnn": SRCNN}
    enhancers = {name: PhotoEnhancer.from_pretrained(model) for name, model in models.items()}
    scores = evaluate(enhancers, DPED_TEST)
    ours, srcnn = scores.models["iphone"], scores.models["srcnn"]
    # What the PIRM challenge's network scored elsewhere: 21.06 / 0.9057 / 0.7704.
    assert srcnn.means["psnr"] == pytest.approx(21.06, abs=0.01)
    assert srcnn.ms_ssim == pytest.approx(0.9057, abs=1e-4)
    assert ours.means["psnr"] > srcnn.means["psnr"] + 0.5
    assert ours.ms_ssim > srcnn.ms_ssim + 0.01
    assert ours.ssim > srcnn.ssim + 0.02


@pytest.mark.slow
@pytest.mark.skipif(not SONY_TEACHER.is_file(), reason="the Sony teacher is not here")
def test_sony_is_close_to_its_teacher_on_photos_it_never_saw():
    teacher = Teacher.from_published(SONY_TEACHER)
    student = PhotoEnhancer.from_pretrained("sony")
    values = []
    for name in UNSEEN:
        # One crop each: a teacher with instance norm makes of a crop what only that crop is.
        crop = Image.open(SHARED / f"photos/{name}.jpg").crop((768, 512, 1280, 1024))
        with torch.inference_mode():
            target = Image.fromarray(to_pixels(teacher(to_tensor(np.asarray(crop)))))
        values.append(photo_ssim(student.enhance(crop), target))
    assert np.mean(values) > 0.95, values
