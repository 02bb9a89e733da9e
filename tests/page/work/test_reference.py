"""A DSLR photo that was cut, scaled, turned and recoloured lies over the photo, and is compared."""

import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dslr_gan.errors import DslrGanError
from dslr_gan.page.work import reference
from dslr_gan.page.work.photo_run import enhance_photo
from tests.support.app_server import coffee, difference
from tests.support.photo_helpers import photo_ssim

pytestmark = pytest.mark.slow  # aligning takes seconds; the browser tests do it once, too

DEGREES = 3.0


@pytest.fixture(scope="module")
def scene(uploads):
    """A phone photo, its result, and a DSLR photo of a part of the scene in another size."""
    whole = coffee(1600, 1200)
    duller = Image.fromarray((np.asarray(whole) * [0.8, 0.75, 0.85] + 10).astype(np.uint8))
    phone = uploads / "phone.png"
    duller.resize((640, 480), Image.Resampling.LANCZOS).save(phone)
    turned = whole.rotate(DEGREES, Image.Resampling.BICUBIC)
    dslr = uploads / "dslr.png"
    turned.crop((200, 150, 1480, 1090)).resize((960, 705), Image.Resampling.LANCZOS).save(dslr)
    token = list(enhance_photo(phone, ["iphone"], "me"))[-1]["result"]
    return {"phone": phone, "dslr": dslr, "token": token, "whole": whole}


@pytest.fixture(scope="module")
def found(scene):
    return list(reference.compare(scene["token"], "me", scene["dslr"]))


def test_it_is_aligned_step_by_step(found):
    json.dumps(found)
    says = [step["says"] for step in found if step["state"] == "aligning"]
    assert says == list(reference.STEPS)
    done = found[-1]
    assert done["measured"] == [640, 480]
    assert done["zoom"] == pytest.approx(960 / 1280 * 1600 / 640, abs=0.01)


def test_the_aligned_picture_lies_over_the_scene(found, scene):
    picture = Image.open(found[-1]["picture"])
    assert picture.size == (640, 480)
    scene_small = scene["whole"].resize((640, 480), Image.Resampling.LANCZOS)
    box = (120, 90, 520, 400)
    assert difference(picture.crop(box), scene_small.crop(box)) < 3


def test_the_overlap_is_outlined(found):
    """The corners of the cut, turned back around the middle of the scene."""
    turn = np.deg2rad(DEGREES)
    middle = np.array([800, 600])
    expected = []
    for x, y in ((200, 150), (1480, 150), (1480, 1090), (200, 1090)):
        across, down = np.array([x, y]) - middle
        there = (
            np.cos(turn) * across - np.sin(turn) * down,
            np.sin(turn) * across + np.cos(turn) * down,
        )
        expected.append((middle + there) / (1600, 1200))
    assert np.abs(np.array(found[-1]["polygon"]) - expected).max() < 0.004
    x, y = np.array(found[-1]["polygon"]).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert found[-1]["overlap"] == pytest.approx(area, abs=0.01)


def test_the_scores_are_those_of_what_both_show(found, scene):
    done = found[-1]
    box = (120, 90, 520, 400)
    picture, phone = (Image.open(file).crop(box) for file in (done["picture"], scene["phone"]))
    assert done["phone"]["ssim"] == pytest.approx(photo_ssim(phone, picture), abs=0.03)
    enhanced = done["enhanced"]
    assert all(len(values) == 21 for values in enhanced.values())
    assert {name: values[0] for name, values in enhanced.items()} == done["phone"]
    # The phone's photo is darker than the DSLR's: enhancing brings it nearer at some strength.
    assert max(enhanced["psnr"]) > done["phone"]["psnr"] + 1


def test_a_second_result_of_the_photo_needs_no_second_alignment(found, scene, monkeypatch):
    monkeypatch.setattr(reference, "align", lambda *_: pytest.fail("it was aligned again"))
    token = list(enhance_photo(scene["phone"], ["sony"], "me"))[-1]["result"]
    other = list(reference.compare(token, "me", scene["dslr"]))[-1]
    assert other["polygon"] == found[-1]["polygon"] and other["enhanced"] != found[-1]["enhanced"]


def test_what_cannot_be_compared_is_one_message(uploads, scene):
    photos = {
        "another.png": Image.fromarray(np.asarray(coffee(960, 705))[::-1]),
        "small.png": coffee(60, 45),
        "flat.png": Image.new("RGB", (640, 480), "gray"),
        "blurred.png": coffee(640, 480).filter(ImageFilter.GaussianBlur(12)),
    }
    for name, photo in photos.items():
        photo.save(uploads / name)
        with pytest.raises(DslrGanError) as caught:
            list(reference.compare(scene["token"], "me", uploads / name))
        assert name in str(caught.value) and "Give a sharp photo of the same scene" in str(
            caught.value
        )
    (uploads / "words.png").write_text("words")
    with pytest.raises(DslrGanError, match="words.png is not a photo"):
        reference.compare(scene["token"], "me", uploads / "words.png")
    with pytest.raises(DslrGanError, match="no longer kept"):
        reference.compare(scene["token"], "you", scene["dslr"])
