"""Noise amplification and colour shift, on pictures whose noise and colours are known."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import deltaE_ciede2000, lab2rgb

from dslr_gan.metrics.noise_and_colour import (
    blurred_lab,
    colour_difference,
    flattest_blocks,
    noise_level,
)
from dslr_gan.photo.pixels import LUMA


def noisy(strength, seed=0, level=120.0, size=(96, 112)):
    """A gray picture with noise that is the same for a seed, up to its strength."""
    noise = np.random.default_rng(seed).normal(0, 1, (*size, 1))
    return np.repeat(level + strength * noise, 3, axis=2)


def test_the_flattest_tenth_is_found_where_it_was_put():
    picture = noisy(20, size=(80, 70))  # 5 x 4 whole blocks; the last 6 columns are no block
    flat = {7: (16, 48), 18: (64, 32)}
    for top, left in flat.values():
        picture[top : top + 16, left : left + 16] = 90
    assert sorted(flattest_blocks(picture)) == list(flat)
    assert len(flattest_blocks(noisy(20, size=(100, 100)))) == 4  # of 36, rounded up
    assert list(flattest_blocks(noisy(20, size=(16, 31)))) == [0]


@pytest.mark.parametrize("size", [(15, 200), (200, 15), (11, 11)])
def test_a_picture_without_a_block_has_no_noise_level(size):
    blocks = flattest_blocks(noisy(5, size=size))
    assert len(blocks) == 0 and math.isnan(noise_level(noisy(5, size=size), blocks))


@pytest.mark.parametrize("factor", [0.5, 1, 2])
def test_noise_times_a_factor_is_that_factor(factor):
    before, after = noisy(6), noisy(6 * factor)
    blocks = flattest_blocks(before)
    ratio = noise_level(after, blocks) / noise_level(before, blocks)
    assert ratio == pytest.approx(factor, rel=1e-9)
    # In 8 bits each picture's rounding adds a twelfth to the variance: 0.2 % of it here.
    before, after = (np.round(picture).clip(0, 255).astype(np.uint8) for picture in (before, after))
    blocks = flattest_blocks(before)
    ratio = noise_level(after, blocks) / noise_level(before, blocks)
    assert ratio == pytest.approx(factor, rel=0.02)


def test_the_level_of_white_noise_is_what_theory_says():
    picture = noisy(6, size=(320, 320))
    every = np.arange(400)
    # What the blur leaves of white noise: variance 1 - 2 g(0) + the sum of g squared, with
    # g the blur's answer to a single pixel.
    pixel = np.zeros((41, 41))
    pixel[20, 20] = 1
    answer = gaussian_filter(pixel, 1.5)
    expected = 6 * math.sqrt(1 - 2 * answer[20, 20] + np.square(answer).sum())
    # 102 400 pixels tell a deviation to 0.3 %.
    assert noise_level(picture, every) == pytest.approx(expected, rel=0.01)


def test_a_slope_and_a_shade_are_no_noise():
    flat = np.full((64, 64, 3), 77, dtype=np.uint8)
    assert noise_level(flat, flattest_blocks(flat)) == 0
    ramp = np.repeat((np.arange(64.0) * 2 + 50)[None, :, None], 64, axis=0) * np.ones(3)
    inner = np.array([5, 6, 9, 10])  # at the border a blur bends a ramp
    assert noise_level(ramp, inner) < 0.01


def test_noise_is_looked_for_where_the_phone_is_flat_only():
    before = noisy(3)
    before[:, :64] += np.random.default_rng(1).normal(0, 40, (96, 64, 1))
    after = before.copy()
    after[:, :64] = 0
    blocks = flattest_blocks(before)
    # The blur reaches 6 pixels; blocks right beside the change may feel it.
    assert all(number % 7 >= 4 for number in blocks)
    far = np.array([number for number in blocks if number % 7 > 4])
    assert noise_level(after, far) == pytest.approx(noise_level(before, far))


def test_luma_counts_each_colour_as_bt_601():
    rng = np.random.default_rng(0).normal(0, 10, (64, 64))
    blocks = np.arange(16)
    levels = []
    for channel in range(3):
        picture = np.full((64, 64, 3), 128.0)
        picture[..., channel] += rng
        levels.append(noise_level(picture, blocks))
    assert np.array(levels) / sum(levels) == pytest.approx(np.array(LUMA))


def test_colour_shift_of_flat_colours_is_their_ciede2000():
    # A pair of Sharma et al. 2005, table 1 (number 25), whose difference they print: 1.2644.
    # Through sRGB of 8 bits neither colour is met exactly; unrounded they are.
    first, second = (60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387)
    pictures = [
        np.broadcast_to(lab2rgb(np.array(lab).reshape(1, 1, 3)) * 255, (40, 50, 3))
        for lab in (first, second)
    ]
    shift = colour_difference(*map(blurred_lab, pictures))
    assert shift == pytest.approx(1.2644, abs=2e-3)
    assert deltaE_ciede2000(np.array(first), np.array(second)) == pytest.approx(1.2644, abs=1e-4)


def test_colour_shift_is_of_blurred_pictures():
    photo = data.astronaut()[:120, :140]
    # scipy's blur channel by channel, four sigmas wide, the border's pixels continued.
    scaled = photo / 255
    blurred = np.stack(
        [gaussian_filter(scaled[..., c], 3, mode="nearest", truncate=4) for c in range(3)], axis=2
    )
    assert lab2rgb(blurred_lab(photo)) == pytest.approx(blurred, abs=1e-6)
    assert colour_difference(blurred_lab(photo), blurred_lab(photo)) == 0


def test_noise_moves_no_colour_and_a_tint_does():
    photo = data.astronaut()[:128, :128].clip(30, 225).astype(float)
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    colours = blurred_lab(photo)
    tinted = photo + np.array([15.0, 0, -15])
    assert colour_difference(blurred_lab(photo + noise), colours) < 1
    assert colour_difference(blurred_lab(tinted), colours) > 4
