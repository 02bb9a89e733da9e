"""Tests of the picture that develops while the network works."""

import numpy as np
import pytest
from PIL import Image

from dslr_gan.page import developing
from dslr_gan.page.developing import Developing, finished_over


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_finished_tiles_are_seen_and_the_rest_is_the_quick_picture(dtype):
    levels = np.zeros((600, 803, 3), dtype)
    levels[:300, :400] = (200 / 255 * np.iinfo(dtype).max, 0, 0)
    seen = np.asarray(finished_over(Image.new("RGB", (401, 300), (0, 0, 90)), levels))
    assert seen.shape == (300, 401, 3)
    assert (seen[:148, :198] == (200, 0, 0)).all()
    assert (seen[152:] == (0, 0, 90)).all()
    assert (seen[:, 202:] == (0, 0, 90)).all()


def test_there_is_no_dark_line_at_a_tile_s_end():
    levels = np.zeros((600, 800, 3), np.uint8)
    levels[:301, :401] = 200  # ends inside of a pixel of the quick picture
    seen = np.asarray(finished_over(Image.new("RGB", (200, 150), (90, 90, 90)), levels))
    assert seen.min() == 90


def test_a_picture_is_made_only_now_and_then_and_never_of_what_is_gone(tmp_path, monkeypatch):
    quick = tmp_path / "small.jpg"
    Image.new("RGB", (64, 48)).save(quick)
    np.save(tmp_path / "levels.npy", np.full((96, 128, 3), 180, np.uint8))
    preview = {"state": "preview", "phone": "iphone", "after": str(quick)}
    step = {"state": "enhancing", "phone": "iphone", "done": 1, "tiles": 4}

    def follows():
        new = Developing()
        assert new.picture(preview) is None
        return new

    assert Developing().picture(step) is None  # there is no quick picture
    assert follows().picture(step) is None  # too soon
    monkeypatch.setattr(developing, "EVERY_S", 0)
    monkeypatch.setattr(developing, "SHARE", 1e-6)
    developed = follows()
    with Image.open(str(developed.picture(step))) as made:
        assert made.size == (128, 96)  # the result's own, up to that of a window
        assert np.abs(np.asarray(made, int) - 180).max() <= 2
    assert developed.picture(step | {"done": 2}) is None  # too soon for what it costs
    assert follows().picture(step | {"done": 4}) is None  # all of it follows at once
    (tmp_path / "levels.npy").unlink()
    assert follows().picture(step | {"done": 2}) is None
