"""Contexts from whole photos: what a sample's network is told of the photo around its patch."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from dslr_gan.data.contexts import ALONE, WHOLE, PhotoContexts, find_contexts, turned
from dslr_gan.data.pairs import open_pairs
from dslr_gan.data.places import Place
from dslr_gan.data.samples import PatchPairs
from dslr_gan.errors import DslrGanError
from dslr_gan.models.context import summarize
from dslr_gan.photo import to_tensor

LEFT, TOP, SIDE = 150, 100, 40


def summary(picture):
    return summarize(to_tensor(np.ascontiguousarray(picture)))[0]


@pytest.fixture
def photo(tmp_path):
    """A photo whose every part has a summary of its own."""
    (tmp_path / "photos").mkdir()
    pixels = data.astronaut()[:300, :400]
    Image.fromarray(pixels).save(tmp_path / "photos/a_07.png")
    return pixels


@pytest.fixture
def contexts(tmp_path, photo):
    places = {"1": Place("a_07.png", LEFT, TOP)}
    return PhotoContexts([tmp_path / "empty", tmp_path / "photos"], places)


def test_half_of_the_contexts_are_the_photo_s_and_some_the_patch_s(contexts, photo):
    patch = photo[TOP : TOP + SIDE, LEFT : LEFT + SIDE]
    rng = np.random.default_rng(0)
    counts = {"whole": 0, "alone": 0, "window": 0}
    of_photo, of_patch = summary(turned(photo, True, 3)), summary(turned(patch, True, 3))
    for _ in range(300):
        found = contexts.summary("1", patch, rng, True, 3)
        assert found.shape == (9, 32, 32)
        whole, alone = torch.equal(found, of_photo), torch.equal(found, of_patch)
        counts["whole" if whole else "alone" if alone else "window"] += 1
    whole = WHOLE * (1 - ALONE)
    assert abs(counts["whole"] / 300 - whole) < 0.1 and abs(counts["alone"] / 300 - ALONE) < 0.1
    assert counts["window"] > 30


def test_the_patch_s_share_can_be_chosen(tmp_path, photo):
    patch, rng = photo[TOP : TOP + SIDE, LEFT : LEFT + SIDE], np.random.default_rng(0)
    of_patch = summary(patch)
    for alone, expected in ((0.0, 0), (1.0, 40)):
        chosen = PhotoContexts([tmp_path / "photos"], {"1": Place("a_07.png", LEFT, TOP)}, alone)
        found = [chosen.summary("1", patch, rng, False, 0) for _ in range(40)]
        assert sum(torch.equal(one, of_patch) for one in found) == expected


def test_a_window_holds_the_patch_and_lies_in_the_photo(tmp_path):
    # The colours are the coordinates, so that a summary says which window it is of.
    down, across = np.mgrid[:300, :400]
    pixels = np.dstack([down // 2, across // 2, np.full_like(down, 255)]).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "b.png")
    sides = set()
    for left, top in [(0, 0), (360, 260), (150, 100)]:
        contexts = PhotoContexts([tmp_path], {"1": Place("b.png", left, top)})
        patch, rng = pixels[top : top + SIDE, left : left + SIDE], np.random.default_rng(1)
        for _ in range(100):
            found = contexts.summary("1", patch, rng, False, 0)
            assert torch.allclose(found[2], torch.ones(()))  # no pixel from outside
            cells = found[:2] * 255 * 2
            assert cells[0, 0, 0] <= top + 10 and cells[1, 0, 0] <= left + 14
            assert cells[0, -1, -1] >= top + SIDE - 11 and cells[1, -1, -1] >= left + SIDE - 14
            sides.add(round(float(cells[0, -1, 0] - cells[0, 0, 0]) / 20))
    assert len(sides) > 8


def test_a_patch_of_an_unknown_photo_is_its_own_context(contexts, photo):
    patch = photo[:SIDE, :SIDE]
    found = contexts.summary("2", patch, np.random.default_rng(0), False, 1)
    assert torch.equal(found, summary(turned(patch, False, 1)))


def test_missing_photos_and_wrong_places_are_sentences(tmp_path, photo):
    with pytest.raises(DslrGanError, match=r"1 of the 2 photos .* are not in .* such as b.png"):
        PhotoContexts(
            [tmp_path / "photos"], {"1": Place("a_07.png", 0, 0), "2": Place("b.png", 0, 0)}
        )
    contexts = PhotoContexts([tmp_path / "photos"], {"1": Place("a_07.png", 380, 0)})
    rng = np.random.default_rng(0)
    with pytest.raises(DslrGanError, match="1 lies outside .*a_07.png"):
        for _ in range(50):
            contexts.summary("1", photo[:SIDE, :SIDE], rng, False, 0)


def test_samples_of_a_folder_with_places_get_their_photo_s_context(tmp_path, photo):
    pairs = tmp_path / "pairs"
    for side in ("phone", "canon"):
        (pairs / side).mkdir(parents=True)
        patch = photo[TOP : TOP + SIDE, LEFT : LEFT + SIDE]
        Image.fromarray(patch).save(pairs / side / "1.png")
    assert find_contexts(pairs, [tmp_path / "photos"]) is None
    (pairs / "photos.json").write_text(
        json.dumps({"1": {"photo": "a_07.png", "left": LEFT, "top": TOP}})
    )
    contexts = find_contexts(pairs, [tmp_path / "photos"])
    rows = open_pairs(pairs).train
    samples = PatchPairs([rows], size=SIDE, contexts=[contexts])
    plain = PatchPairs([rows], size=SIDE)
    wholes = [summary(turned(photo, flip, turns)) for flip in (0, 1) for turns in range(4)]
    seen = 0
    for number in range(40):
        sample, before = samples[number], plain[number]
        assert torch.equal(sample["phone"], before["phone"])  # the context changes nothing else
        seen += any(torch.equal(sample["summary"], whole) for whole in wholes)
    assert 8 < seen < 32
    assert (
        "summary" not in PatchPairs([rows], size=SIDE, with_summary=False, contexts=[contexts])[0]
    )
