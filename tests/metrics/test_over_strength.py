"""Scores over the strength without blends, against the metrics of real blends."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from skimage import data

from dslr_gan.metrics.over_strength import (
    STRENGTHS,
    local_ssim,
    parts_of_change,
    psnr_over_strength,
    similarity_of_parts,
    similarity_over_strength,
)
from dslr_gan.metrics.similarity import psnr, ssim, ssim_and_ms_ssim


def brighter(photo):
    """A change as enhancing makes it: tone, colour and sharpness, clipped."""
    values = photo.astype(float)
    blurred = np.cumsum(values, axis=1)
    blurred = (np.roll(blurred, -3, axis=1) - np.roll(blurred, 3, axis=1)) / 6
    tone = 255 * (values / 255) ** 0.75 * [1.05, 1.0, 0.92] + 0.4 * (values - blurred)
    return np.clip(np.rint(tone), 0, 255).astype(np.uint8)


def tensor(pixels):
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255


def blend(before, after, strength):
    mixed = before + strength * (after.astype(float) - before)
    return np.rint(mixed).astype(np.uint8)


CASES = {
    "small": data.chelsea()[:61, :83],
    "coffee": data.coffee()[:301, :403],
    "astronaut": data.astronaut(),
}
SOME = (0.0, 0.25, 0.5, 0.8, 1.0)


@pytest.mark.parametrize("name", CASES)
def test_the_closed_form_is_that_of_real_blends(name):
    before = CASES[name]
    after = brighter(before)
    found = similarity_over_strength(before, after)
    assert found[0][0] == pytest.approx(1, abs=1e-6) and found[0][-1] < 0.97
    for strength in SOME:
        real = ssim_and_ms_ssim(tensor(blend(before, after, strength)), tensor(before))
        for values, score in zip(found, real, strict=True):
            assert values[STRENGTHS.index(strength)] == pytest.approx(float(score), abs=0.002)


@pytest.mark.parametrize("name", ["small", "coffee"])
def test_against_a_third_picture_too(name):
    before = CASES[name]
    after = brighter(before)
    target = np.clip(np.roll(after, 1, axis=0) * 0.97 + 4, 0, 255).astype(np.uint8)
    whole = np.ones(before.shape[:2], bool)
    found = similarity_over_strength(before, after, target)
    decibels = psnr_over_strength(before, after, target, whole)
    for strength in SOME:
        place = STRENGTHS.index(strength)
        mixed, other = tensor(blend(before, after, strength)), tensor(target)
        real = ssim_and_ms_ssim(mixed, other)
        for values, score in zip(found, real, strict=True):
            assert values[place] == pytest.approx(float(score), abs=0.003)
        assert decibels[place] == pytest.approx(float(psnr(mixed, other)), abs=0.02)


def test_only_what_is_covered_counts():
    before = CASES["astronaut"]
    after = brighter(before)
    covered = np.zeros(before.shape[:2], bool)
    covered[100:420, 64:384] = True
    spoiled, part = after.copy(), (slice(100, 420), slice(64, 384))
    spoiled[~covered] = 255 - spoiled[~covered]
    found = similarity_over_strength(before, spoiled, covered=covered)
    expected = similarity_over_strength(before[part], after[part])
    for values, others in zip(found, expected, strict=True):
        # Coarse windows at the covered part's edge are left out in one of the two.
        assert values[-1] == pytest.approx(others[-1], abs=0.004)
    inside = psnr_over_strength(before, spoiled, before, covered)[-1]
    assert inside == pytest.approx(float(psnr(tensor(after[part]), tensor(before[part]))), abs=0.01)


def test_the_map_is_made_of_the_same_windows():
    before = CASES["small"]
    after = brighter(before)
    places = local_ssim(before, after, 1)
    assert places.shape == (51, 73)
    assert places.mean() == pytest.approx(float(ssim(tensor(after), tensor(before))), abs=1e-5)
    assert np.array_equal(local_ssim(before, after, 7), places[::7, ::7])


def test_the_scores_of_parts_are_those_of_real_mixtures():
    before = CASES["coffee"][:200, :300]
    after = brighter(before)
    kernel = np.ones((9, 9)) / 81
    change = after.astype(float) - before
    low = np.stack([convolve2d(change[..., c], kernel, "same", "symm") for c in range(3)], 2)
    for part in (low, change - low):  # what there is more of is the part
        partly = np.rint(np.clip(before + part, 0, 255)).astype(np.uint8)
        scales = parts_of_change(before, after, partly)
        for more, less in ((1, 1), (1, 0), (0.8, 0.3), (0, 0)):
            weighed = np.clip(before + (more - less) * part + less * change, 0, 255)
            for strength in (0.5, 1.0):
                found = similarity_of_parts(scales, more - less, less, [strength])
                mixed = tensor(blend(before, weighed, strength))
                known = ssim_and_ms_ssim(mixed, tensor(before))
                for values, score in zip(found, known, strict=True):
                    assert values == [pytest.approx(float(score), abs=0.003)], (more, less)
