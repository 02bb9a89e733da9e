"""The tile planner: pure geometry."""

import itertools

import numpy as np
import pytest

from dslr_gan.enhance.tiling import plan_tiles, split_tile

CASES = list(itertools.product([1, 2, 99, 512, 1537], [1, 70], [16, 64, 512], [0, 25], [1, 2, 8]))


@pytest.mark.parametrize(("height", "width", "tile", "margin", "multiple"), CASES)
def test_tiles_cover_each_pixel_once_and_see_their_margin(height, width, tile, margin, multiple):
    covered = np.zeros((height, width), dtype=np.int64)
    for piece in plan_tiles(height, width, tile, margin, multiple):
        covered[piece.core] += 1
        assert piece.outer_top % multiple == 0 and piece.outer_left % multiple == 0
        assert piece.outer_top <= max(0, piece.top - margin)
        assert piece.outer_left <= max(0, piece.left - margin)
        assert piece.outer_bottom == min(height, max(piece.outer_bottom, piece.bottom + margin))
        assert piece.outer_right == min(width, max(piece.outer_right, piece.right + margin))
        largest = max(tile, multiple)
        assert piece.bottom - piece.top <= largest and piece.right - piece.left <= largest
        assert covered[piece.outer][piece.inner].shape == covered[piece.core].shape
    assert (covered == 1).all()


def test_no_sliver_is_left_at_the_end():
    heights = [tile.bottom - tile.top for tile in plan_tiles(1025, 10, 512, 20, 2)]
    assert heights == [342, 342, 341]


def test_nothing_to_cut():
    (tile,) = plan_tiles(30, 40, 512, 100, 8)
    assert tile.core == tile.outer == (slice(0, 30), slice(0, 40))


@pytest.mark.parametrize("wrong", [(0, 1, 1, 0, 1), (1, 1, 0, 0, 1), (1, 1, 1, -1, 1)])
def test_impossible_plans_are_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        plan_tiles(*wrong)


@pytest.mark.parametrize(("margin", "multiple"), [(0, 1), (25, 2), (9, 8)])
def test_the_parts_of_a_tile_cover_it_and_see_their_margin(margin, multiple):
    height, width = 301, 207
    for tile in plan_tiles(height, width, 100, margin, multiple):
        covered = np.zeros((height, width), dtype=np.int64)
        for part in split_tile(tile, height, width, 50, margin, multiple):
            covered[part.core] += 1
            assert max(part.bottom - part.top, part.right - part.left) <= 50
            assert part.outer_top % multiple == 0 and part.outer_left % multiple == 0
            assert part.outer_top <= max(0, part.top - margin)
            assert part.outer_left <= max(0, part.left - margin)
            assert part.outer_bottom == min(height, part.bottom + margin)
            assert part.outer_right == min(width, part.right + margin)
        assert (covered[tile.core] == 1).all() and covered.sum() == covered[tile.core].size
