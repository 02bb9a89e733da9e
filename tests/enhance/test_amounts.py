"""The blur that parts colour from detail."""

import numpy as np
from scipy.ndimage import gaussian_filter

from dslr_gan.enhance.amounts import blur_reach, blurred
from dslr_gan.enhance.tiling import plan_tiles


def test_the_blur_is_a_gaussian_and_of_a_part_that_of_the_whole():
    plane = np.random.default_rng(0).random((60, 90, 3), np.float32)
    whole = blurred(plane, 2.0)
    reach = blur_reach(2.0)
    known = gaussian_filter(plane, (2, 2, 0), truncate=3, mode="constant")
    known /= gaussian_filter(np.ones_like(plane), (2, 2, 0), truncate=3, mode="constant")
    assert np.abs(whole - known).max() < 1e-5
    for tile in plan_tiles(60, 90, 32, reach):
        grown = tile.grown(reach, 60, 90)
        part = blurred(plane[grown.core], 2.0)[tile.within_grown(reach)]
        assert np.abs(part - whole[tile.core]).max() < 1e-6
