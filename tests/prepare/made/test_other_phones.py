"""Pairs from what other phones saw: photos made by known warps from scikit-image's."""

import json
from shutil import copytree

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data
from skimage.transform import AffineTransform, warp

from dslr_gan.data.folder import find_pairs
from dslr_gan.data.places import read_places
from dslr_gan.data.provenance import provenance
from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import PHONES
from dslr_gan.prepare.made.other_phones import (
    OTHERS_COLOUR,
    OTHERS_PIXELS,
    OtherPhone,
    prepare_seen,
)
from dslr_gan.prepare.made.refinement import refine
from hub_card import Source
from tests.support.command_line import run
from tests.support.made_photos import photo, view

SIDE = 60
SOURCE = Source(name="Sony", gave="", terms="CC0", url=None, dataset_id=None)


def as_it_is(picture):
    return picture


def test_refinement_finds_a_known_affine_map():
    plane = ndimage.gaussian_filter(data.camera()[100:300, 150:350] / 255, 1)
    margin, side = 14, 100
    truth = AffineTransform(matrix=np.array([[1.02, -0.015, 1.4], [0.01, 0.99, -2.3], [0, 0, 1]]))
    middle = 50 + (side - 1) / 2
    about = AffineTransform(translation=(middle, middle))
    moved = AffineTransform(translation=(-middle, -middle)) + truth + about
    patch = warp(plane, moved, order=3)[50 : 50 + side, 50 : 50 + side]
    field = plane[50 - margin : 50 + side + margin, 50 - margin : 50 + side + margin]
    found = refine(patch, field)
    assert found.correlation > 0.999
    y, x = np.mgrid[:side, :side].astype(float)
    across, down = found.apply(x, y, side)
    there = moved(np.column_stack([x.ravel() + 50, y.ravel() + 50])) - 50
    error = np.hypot(across.ravel() - there[:, 0], down.ravel() - there[:, 1])
    assert error.max() < 0.15, f"up to {error.max():.2f} pixels off"


def test_refinement_of_a_flat_patch_is_none():
    found = refine(np.full((40, 40), 0.5), np.full((60, 60), 0.5))
    assert found.correlation == 0 and not found.map.any()


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A phone's photos and another phone's: one pair, one of a single phone, one of two scenes."""
    folder = tmp_path_factory.mktemp("seen")
    for name in ("first", "second"):
        (folder / name).mkdir()
    first, second, homography = view(photo("astronaut", 400), 2, 1.02)
    Image.fromarray(first).save(folder / "first/a_1.png")
    Image.fromarray(second).save(folder / "second/b_01.png")
    Image.fromarray(photo("coffee", 300)).save(folder / "first/a_2.png")
    Image.fromarray(photo("coffee", 300)).save(folder / "first/a_3.png")
    Image.fromarray(photo("chelsea", 300)).save(folder / "second/b_3.png")
    return folder, first, second, homography


@pytest.fixture(scope="module")
def prepared(seen):
    """What is made of them, with a student that darkens."""
    folder, reports = seen[0], []
    count = prepare_seen(
        [folder / f"first/a_{number}.png" for number in (1, 2, 3)],
        [OtherPhone(folder / "second", as_it_is, SOURCE)],
        lambda picture: picture.point(lambda level: level // 2),
        folder / "pairs",
        grid=SIDE,
        report=reports.append,
    )
    return folder / "pairs", count, reports


def test_targets_are_what_the_other_phone_saw_there_mixed_with_the_student(seen, prepared):
    (_, first, second, homography), (pairs, count, _) = seen, prepared
    found = find_pairs(pairs)
    assert len(found.names) == count > 10
    # What the other phone saw, by the homography that it was made with.
    y, x = np.mgrid[: first.shape[0], : first.shape[1]]
    there = np.column_stack([x.ravel(), y.ravel(), np.ones(x.size)]) @ homography.T
    places = (there[:, :2] / there[:, 2:]).T[::-1].reshape(2, *x.shape)
    truth = np.stack(
        [ndimage.map_coordinates(second[..., c].astype(float), places) for c in range(3)], axis=-1
    )
    errors = []
    for name, place in read_places(pairs).by_pair.items():
        window = slice(place.top, place.top + SIDE), slice(place.left, place.left + SIDE)
        phone, target = (
            np.asarray(Image.open(side / f"{name}.png")).astype(float)
            for side in (found.phone, found.dslr)
        )
        assert place.photo == "a_1.png" and np.array_equal(phone, first[window])
        apart = truth[window] - phone // 2
        expected = phone // 2 + OTHERS_PIXELS * apart
        expected += (OTHERS_COLOUR - OTHERS_PIXELS) * apart.mean(axis=(0, 1))
        errors.append(np.abs(target - expected.clip(0, 255)).mean())
    assert np.median(errors) < 2, f"levels off, patch by patch: {np.round(errors, 1)}"


def test_photos_without_a_counterpart_give_nothing_and_it_is_said(prepared):
    pairs, count, reports = prepared
    assert len(reports) == 1 and "b_3.png is left out: " in reports[0]
    known = provenance(pairs)
    assert known.data.gave == f"{count} pairs from 3 photos"
    assert (
        known.teachers[0].terms == "CC0" and "45% of the targets' pixels" in known.teachers[0].gave
    )
    assert all(name.startswith("a_1_") for name in json.loads((pairs / "photos.json").read_text()))


def test_nothing_in_common_and_two_photos_of_a_scene_are_sentences(seen, tmp_path):
    folder = seen[0]

    def prepare(other):
        prepare_seen(
            [folder / "first/a_2.png"],
            [OtherPhone(other, as_it_is, SOURCE)],
            as_it_is,
            tmp_path / "out",
        )

    with pytest.raises(DslrGanError, match="no photo has a counterpart .* in the same number"):
        prepare(folder / "second")
    with pytest.raises(DslrGanError, match="there is no folder .*nowhere"):
        prepare(folder / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(DslrGanError, match="holds no photos whose names end in the number"):
        prepare(tmp_path / "other")
    for name in ("c_2.png", "c_02.png"):
        Image.new("RGB", (9, 9)).save(tmp_path / "other" / name)
    with pytest.raises(DslrGanError, match="are both of scene 2; leave one"):
        prepare(tmp_path / "other")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_prepares_them(seen, tmp_path, capsys):
    folder = seen[0]
    model = copytree(PHONES["sony"].folder, tmp_path / "sony_run/generator")
    words = ["prepare", folder / "first/a_1.png", "--out", tmp_path / "out", "--precision", "bf16"]
    assert run(*words, "--seen-by", f"{folder / 'second'}={model}", "--student", "iphone") == 0
    assert "pairs in" in capsys.readouterr().out
    assert provenance(tmp_path / "out").teachers[0].name == "photos of second, enhanced by sony_run"
