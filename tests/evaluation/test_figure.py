"""Panels: which pairs are shown, and that their pixels are shown as they are."""

import numpy as np
import pytest
from skimage import data

from dslr_gan.evaluation.figure import GAP, LINE, PANEL, Panel, draw, spread

PHOTO = data.astronaut()


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [5]), (2, [2, 7]), (5, [1, 3, 5, 7, 9]), (10, list(range(10))), (99, list(range(10)))],
)
def test_pairs_are_evenly_spaced_by_quality(count, expected):
    assert spread([number / 10 for number in range(10)], count) == expected


def test_the_worst_comes_first_and_equals_in_their_order():
    assert spread([0.9, 0.1, 0.5], 3) == [1, 2, 0]
    assert spread([0.5] * 4, 2) == [1, 3]


def test_small_patches_are_enlarged_pixel_by_pixel():
    patches = [PHOTO[:100, left : left + 80] for left in (0, 100, 200)]
    picture = np.asarray(draw([[Panel(patch, "") for patch in patches]], ["a", "b", "c"], ""))
    assert picture.shape == (GAP + LINE + 200 + GAP + GAP, GAP + 3 * (160 + GAP), 3)
    for column, patch in enumerate(patches):
        left = GAP + column * (160 + GAP)
        panel = picture[GAP + LINE : GAP + LINE + 200, left : left + 160]
        assert np.array_equal(panel, patch.repeat(2, axis=0).repeat(2, axis=1))


def test_photos_are_made_smaller_and_rows_may_differ_in_size():
    rows = [[Panel(PHOTO[:256], "x")] * 2, [Panel(PHOTO[:1, :1], "y")] * 2]
    picture = draw(rows, ["one", "two"], "")
    assert picture.width == GAP + 2 * (PANEL + GAP)
    assert picture.height == GAP + LINE + 120 + 240 + 2 * (LINE + GAP) + GAP
    panel = np.asarray(picture)[GAP + LINE : GAP + LINE + 120, GAP : GAP + PANEL]
    assert np.abs(panel.mean() - PHOTO[:256].mean()) < 2


def test_a_long_title_stays_in_its_column_and_a_long_note_is_wrapped():
    black = np.zeros((100, 100, 3), dtype=np.uint8)
    titles = ["W" * 60, "b"]
    picture = np.asarray(draw([[Panel(black, "W" * 60), Panel(black, "")]], titles, "word " * 60))
    between = picture[: GAP + LINE + 200 + LINE, GAP + 200 : GAP + 200 + GAP]
    assert (between == 255).all()
    assert (picture[:, :GAP] == 255).all() and (picture[:, -GAP:] == 255).all()
    one_line = draw([[Panel(black, "W"), Panel(black, "")]], titles, "word")
    assert picture.shape[0] > one_line.height
    assert (picture[GAP : GAP + LINE, GAP : GAP + 200] < 128).any()
