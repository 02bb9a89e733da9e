"""One photo for the page."""

import json
import threading

import numpy as np
import pytest
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.page.phone_models import enhancer_for
from dslr_gan.page.work import kept, photo_run, pictures
from dslr_gan.page.work.admission import LINE
from dslr_gan.page.work.jobs import stop
from dslr_gan.page.work.photo_run import enhance_photo
from dslr_gan.photo import open_photo, photo_pixels
from tests.support.app_server import coffee, difference, save_phone_photo


def states(steps):
    return list(dict.fromkeys(step["state"] for step in steps))


def test_a_small_picture_first_then_every_pixel(enhanced):
    json.dumps(enhanced.steps)
    assert states(enhanced.steps) == ["reading", "original", "preview", "enhancing", "done"]
    done = enhanced.done
    assert (done["width"], done["height"], done["shown"]) == (240, 320, [240, 320])
    expected = enhancer_for("iphone").enhance(open_photo(enhanced.photo))
    original = Image.fromarray(photo_pixels(open_photo(enhanced.photo)).pixels)
    for step in enhanced.steps:
        for name, picture in (("before", original), ("after", expected)):
            if name in step:
                shown = Image.open(step[name])
                assert shown.size == (240, 320)
                assert difference(shown, picture) < (1.5 if step["state"] == "done" else 3)
    assert done["source"] == "bundled iPhone weights"
    assert "learned from the iPhone 3GS" in done["hint"]
    assert done["download"] == {"name": "walk.jpg", "format": "JPEG"}
    assert done["scores"]["ssim"][0] == 1 > done["scores"]["ssim"][-1]


def test_a_large_photo_develops_in_the_tones_of_its_tiles(uploads, monkeypatch):
    monkeypatch.setattr(photo_run, "DEVELOPS_FROM", 1)
    photo = uploads / "grain.png"
    grain = np.random.default_rng(0).normal(0, 14, (1024, 1200, 3))
    Image.fromarray(np.uint8(np.clip(coffee(1200, 1024) + grain, 0, 255))).save(photo)
    steps = list(enhance_photo(photo, ["sony"], "me"))
    quick, toned = (Image.open(step["after"]) for step in steps if step["state"] == "preview")
    whole = Image.open(steps[-1]["after"]).resize(toned.size, Image.Resampling.BOX)

    def off(picture):
        """How far the tones of places are from those of the result."""
        return difference(*(one.resize((20, 15), Image.Resampling.BOX) for one in (picture, whole)))

    assert 3 * off(toned) < off(quick)


def test_both_phones_in_one_go(uploads):
    photo = uploads / "both.png"
    coffee(80, 60).save(photo)
    steps = list(enhance_photo(photo, ["iphone", "sony"], "me"))
    done = [step for step in steps if step["state"] == "done"]
    assert [step["phone"] for step in done] == ["iphone", "sony"]
    pictures = [Image.open(step["after"]) for step in done]
    assert difference(*pictures) > 0.1
    assert states(steps).index("preview") < states(steps).index("enhancing")


def test_a_photo_with_too_many_pixels_for_a_browser_is_shown_smaller(uploads, monkeypatch):
    monkeypatch.setattr(pictures, "DISPLAY_MEGAPIXELS", 0.01)
    monkeypatch.setattr(
        pictures.Pictures, "__init__",
        lambda self, pixels: vars(self).update(_pixels=pixels, _factor=3),
    )  # fmt: skip
    photo = save_phone_photo(uploads / "large.jpg", 301, 200)
    done = list(enhance_photo(photo, ["iphone"], "me"))[-1]
    assert done["shown"] == [101, 67] and (done["width"], done["height"]) == (301, 200)
    assert Image.open(done["after"]).size == (101, 67)


def test_stopping_ends_it_after_a_tile_and_leaves_nothing(uploads, monkeypatch):
    monkeypatch.setattr(enhancer_for("iphone"), "tile", 64)
    photo = save_phone_photo(uploads / "stopped.jpg", 512, 256)
    before = set((uploads / "dslr_gan").iterdir())
    tiles = []
    with pytest.raises(DslrGanError, match="cancelled"):
        for step in enhance_photo(photo, ["iphone"], "me"):
            if step["state"] == "enhancing":
                tiles.append(step["done"])
                stop("me")
    assert 0 < len(tiles) < 32
    assert set((uploads / "dslr_gan").iterdir()) == before
    assert LINE.state()[:2] == (0, False)


def test_a_new_photo_ends_the_former_one_of_its_session_only(uploads):
    photo = save_phone_photo(uploads / "former.jpg", 64, 48)
    with LINE.place("somebody", 1):
        runs = {name: enhance_photo(photo, ["iphone"], name) for name in ("me", "you")}
        assert [next(run)["position"] for run in runs.values()] == [1, 2]
        new = enhance_photo(photo, ["iphone"], "me")
        assert next(new)["state"] == "waiting"
        with pytest.raises(DslrGanError, match="cancelled"):
            list(runs["me"])
    for run in (runs["you"], new):
        assert list(run)[-1]["state"] == "done"


def test_a_generator_that_is_dropped_holds_nobody_up(uploads):
    photo = save_phone_photo(uploads / "dropped.jpg", 64, 48)
    for state in ("reading", "original", "preview"):
        run = enhance_photo(photo, ["iphone"], "me")
        assert any(step["state"] == state for step in run)
        run.close()
    assert list(enhance_photo(photo, ["iphone"], "you"))[-1]["state"] == "done"


def test_what_cannot_be_enhanced_is_told_at_once(uploads):
    text = uploads / "text.jpg"
    text.write_text("no photo")
    photo = save_phone_photo(uploads / "good.jpg", 40, 30)
    with pytest.raises(DslrGanError, match="text.jpg is not a photo"):
        enhance_photo(text, ["iphone"], "me")
    with pytest.raises(DslrGanError, match="No phone"):
        enhance_photo(photo, [], "me")
    with pytest.raises(DslrGanError, match="nokia"):
        list(enhance_photo(photo, ["nokia"], "me"))
    assert LINE.state()[:2] == (0, False)


def test_a_session_s_files_go_with_it(uploads):
    mine = save_phone_photo(uploads / "mine.jpg", 40, 30)
    shared = save_phone_photo(uploads / "shared.jpg", 40, 30)
    token = list(enhance_photo(mine, ["iphone"], "leaving"))[-1]["result"]
    list(enhance_photo(shared, ["iphone"], "leaving"))
    list(enhance_photo(shared, ["iphone"], "you"))
    folder = kept.find(token, "leaving").folder
    with pytest.raises(DslrGanError, match="no longer kept"):
        kept.find(token, "you")
    kept.forget_session("leaving")
    assert not folder.exists() and not mine.exists() and shared.exists()
    with pytest.raises(DslrGanError, match="no longer kept"):
        kept.find(token, "leaving")


def test_the_oldest_results_go_where_the_disk_is_full(uploads, monkeypatch):
    photo = save_phone_photo(uploads / "many.jpg", 40, 30)
    first, second = (list(enhance_photo(photo, ["iphone"], "me"))[-1]["result"] for _ in range(2))
    monkeypatch.setattr(kept, "MAX_KEPT_BYTES", 4 * 40 * 30 * 3 + 1000)
    third = list(enhance_photo(photo, ["iphone"], "me"))[-1]["result"]
    assert kept.find(third, "me") and kept.find(second, "me")
    with pytest.raises(DslrGanError, match="no longer kept"):
        kept.find(first, "me")


def test_a_lent_gpu_gets_names_alone(uploads, monkeypatch):
    calls = []
    lent = photo_run._on_lent_gpu

    def process(*names):
        calls.append((names, threading.current_thread().name))
        return lent(*names)

    monkeypatch.setattr(photo_run, "LENT", True)
    monkeypatch.setattr(photo_run, "_on_lent_gpu", process)
    photo = save_phone_photo(uploads / "lent.jpg", 64, 48)
    done = list(enhance_photo(photo, ["sony"], "me"))[-1]
    assert all(isinstance(name, str) for name in calls[0][0]) and len(calls) == 1
    expected = enhancer_for("sony").enhance(open_photo(photo))
    levels = np.load(kept.find(done["result"], "me").levels)
    assert np.array_equal(levels, expected)
