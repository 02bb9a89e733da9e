"""Pairs made from photos: what is written, what is refused, and that nothing is left behind."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage import data

from dslr_gan.data.folder import file_rows, find_pairs
from dslr_gan.data.places import read_places
from dslr_gan.data.provenance import provenance
from dslr_gan.errors import DslrGanError
from dslr_gan.models.generator import Generator
from dslr_gan.photo import to_pixels, to_tensor
from dslr_gan.prepare.made.teacher import (
    BLEND_COLOUR,
    BLEND_PIXELS,
    blend,
    prepare_grid,
    prepare_teacher,
    varied,
)
from hub_card import Source
from tests.support.helpers import published_like

SOURCE = Source(name="holiday", gave="", terms="CC0", url="https://a.b", dataset_id=None)


def picture(height, width, seed=0):
    """A piece of a photo that depends on the seed."""
    top, left = 30 + 40 * seed, 150 + 20 * seed
    return data.astronaut()[top : top + height, left : left + width]


def read(file):
    return np.asarray(Image.open(file))


@pytest.fixture
def photos(tmp_path):
    """Two photos of 70x90 and 50x65, and one that is smaller than any crop."""
    folder = tmp_path / "photos"
    folder.mkdir()
    files = [folder / name for name in ("first.png", "second.jpg", "small.png")]
    sizes = [(70, 90), (50, 65), (9, 80)]
    for seed, (file, size) in enumerate(zip(files, sizes, strict=True)):
        Image.fromarray(picture(*size, seed)).save(file)
    return files


@pytest.fixture
def teacher(tmp_path):
    torch.manual_seed(0)
    file = tmp_path / "tiny_teacher.safetensors"
    save_file(published_like(channels=4, blocks=1), file)
    return file


@pytest.fixture
def targets(tmp_path, photos):
    """Targets whose 20x20 cells, counted from the upper left, have one colour each.

    The first covers less than its photo, the last less than a cell.
    """
    folder = tmp_path / "targets"
    folder.mkdir()
    for photo, (height, width) in zip(photos, [(66, 79), (50, 65), (9, 80)], strict=True):
        rows, columns = np.mgrid[:height, :width] // 20
        cells = np.dstack([rows * 40, columns * 40, rows + columns]).astype(np.uint8)
        Image.fromarray(cells).save(folder / f"{photo.stem}.png")
    return folder


def everything(folder):
    """All files below a folder with their content."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# With a teacher ------------------------------------------------------------------------------


def test_each_crop_s_target_is_the_teacher_s_output_for_that_crop_alone(photos, teacher, tmp_path):
    out = tmp_path / "deep/pairs"
    assert prepare_teacher(photos, teacher, out, crop=30) == 6 + 2
    network = Generator.from_published(teacher)
    pairs = find_pairs(out)
    corners = [f"first_{top}_{left}.png" for top in (0, 30) for left in (0, 30, 60)]
    assert pairs.names == [*corners, "second_0_0.png", "second_0_30.png"]
    for name in pairs.names:
        stem, top, left = name.removesuffix(".png").split("_")
        photo = next(file for file in photos if file.stem == stem)
        crop = read(photo)[int(top) : int(top) + 30, int(left) : int(left) + 30]
        assert np.array_equal(read(pairs.phone / name), crop)
        with torch.inference_mode():
            target = to_pixels(network(to_tensor(crop)))
        assert np.array_equal(read(pairs.dslr / name), target)

    # The teacher says something else when it sees the whole photo: the crops were alone.
    with torch.inference_mode():
        whole = to_pixels(network(to_tensor(read(photos[0]))))
    together = whole[30:60, 30:60].astype(int) - read(pairs.dslr / "first_30_30.png")
    assert np.abs(together).max() > 2


@pytest.mark.slow
def test_the_seed_chooses_some_of_the_crops(photos, teacher, tmp_path):
    def names(folder, **options):
        count = prepare_teacher(photos, teacher, tmp_path / folder, crop=15, **options)
        found = find_pairs(tmp_path / folder).names
        assert len(found) == count
        return set(found)

    every = names("all")
    some = names("some", per_photo=7, seed=3)
    assert some < every
    assert sum(name.startswith("first") for name in some) == 7
    assert names("again", per_photo=7, seed=3) == some
    assert names("other", per_photo=7, seed=4) != some
    assert names("plenty", per_photo=1000) == every


def test_the_teacher_may_see_whole_photos(photos, teacher, tmp_path):
    assert prepare_teacher(photos, teacher, tmp_path / "out", crop=None) == 3
    pairs = find_pairs(tmp_path / "out")
    assert pairs.names == ["first.png", "second.png", "small.png"]
    photo = read(photos[0])
    assert np.array_equal(read(pairs.phone / "first.png"), photo)
    with torch.inference_mode():
        target = to_pixels(Generator.from_published(teacher)(to_tensor(photo)))
    assert np.array_equal(read(pairs.dslr / "first.png"), target)
    assert provenance(tmp_path / "out").teachers[0].gave == "targets for whole photos"


def test_varied_crops_are_as_many_as_asked_and_the_same_for_a_seed(photos, teacher, tmp_path):
    def crops(folder, **options):
        out = tmp_path / folder
        assert (
            prepare_teacher(photos, teacher, out, crop=20, per_photo=5, vary=True, **options) == 10
        )
        pairs = find_pairs(out)
        return pairs, np.stack([read(pairs.phone / name) for name in pairs.names])

    pairs, phone = crops("one", seed=3)
    assert pairs.names == [f"{stem}_{n}.png" for stem in ("first", "second") for n in range(5)]
    network = Generator.from_published(teacher)
    for name, crop in zip(pairs.names, phone, strict=True):
        with torch.inference_mode():
            target = to_pixels(network(to_tensor(crop)))
        assert np.array_equal(read(pairs.dslr / name), target)
    assert np.array_equal(crops("again", seed=3)[1], phone)
    assert not np.array_equal(crops("other", seed=4)[1], phone)
    assert "varied" in provenance(tmp_path / "one").teachers[0].gave
    with pytest.raises(DslrGanError, match="--per-photo how many"):
        prepare_teacher(photos, teacher, tmp_path / "endless", crop=20, vary=True)
    assert not (tmp_path / "endless").exists()


def test_a_varied_crop_is_a_square_of_any_size_in_another_light():
    rows, columns = np.mgrid[:120, :160]
    slope = np.dstack([columns, rows, np.full_like(rows, 90)]).astype(np.uint8)
    rng = np.random.default_rng(0)
    crops = np.stack([varied(slope, 30, rng) for _ in range(300)])
    assert crops.shape == (300, 30, 30, 3) and crops.dtype == np.uint8
    kept = (crops[..., 2] == 90).all(axis=(1, 2))
    assert 80 <= kept.sum() <= 120  # a third
    # A pixel of a crop stands for as many of the photo as its square is larger than the crop.
    steps = np.diff(crops[kept][..., 0].mean(axis=1), axis=1).mean(axis=1)
    assert 1 <= steps.min() < 1.2 and 3.3 < steps.max() <= 4
    assert np.median(steps) == pytest.approx(2, abs=0.3)
    assert np.ptp(crops[kept][..., 0].mean(axis=(1, 2))) > 80  # from left to right
    lit = crops[~kept][..., 2].mean(axis=(1, 2))
    assert 0.7 * 90 < np.percentile(lit, 10) < 90 < np.percentile(lit, 90) < 1.4 * 90


def test_a_turned_and_a_16_bit_photo_are_cut_upright_and_in_8_bits(photos, teacher, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photos[0]).save(tmp_path / "turned.png", exif=exif)
    # Just below each 8-bit value, to which it must be rounded.
    deep = np.maximum(picture(30, 30)[..., 1].astype(np.int32) * 257 - 100, 0).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    files = [tmp_path / "turned.png", tmp_path / "deep.png"]
    prepare_teacher(files, teacher, tmp_path / "out", crop=30)
    phone = find_pairs(tmp_path / "out").phone
    upright = np.rot90(read(photos[0]), -1)
    assert np.array_equal(read(phone / "turned_30_0.png"), upright[30:60, :30])
    assert np.array_equal(read(phone / "deep_0_0.png")[..., 2], picture(30, 30)[..., 1])


def test_the_folder_says_where_its_pairs_come_from(photos, teacher, tmp_path):
    prepare_teacher(photos, teacher, tmp_path / "out", crop=30, source=SOURCE)
    known = provenance(tmp_path / "out")
    assert known.data == dataclasses.replace(SOURCE, gave="8 pairs from 3 photos")
    (learned,) = known.teachers
    assert learned.name == "enhancements by tiny_teacher"
    assert learned.gave == "targets for 30x30 crops, each enhanced alone"


def test_the_caller_may_say_what_the_teacher_is(photos, teacher, tmp_path):
    prepare_teacher(photos, teacher, tmp_path / "out", crop=30, teacher=SOURCE)
    gave = "targets for 30x30 crops, each enhanced alone"
    assert provenance(tmp_path / "out").teachers == [dataclasses.replace(SOURCE, gave=gave)]


def test_other_teachers_are_refused(photos, tmp_path):
    for teacher in (tmp_path / "absent.safetensors", photos[0]):
        with pytest.raises(DslrGanError, match=teacher.name):
            prepare_teacher(photos, teacher, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# With a grid ---------------------------------------------------------------------------------


def test_cuts_follow_the_grid_and_never_cross_it(photos, targets, tmp_path):
    count = prepare_grid(photos, targets, tmp_path / "out", grid=20)
    pairs = find_pairs(tmp_path / "out")
    # Whole cells of the targets: 3x3 of 66x79, 2x3 of 50x65, none of 9x80.
    assert count == len(pairs.names) == 9 + 6
    cells = set()
    for name in pairs.names:
        stem, top, left = name.removesuffix(".png").split("_")
        target = read(pairs.dslr / name)
        assert target.shape == (20, 20, 3)
        assert (target == target[0, 0]).all(), f"{name} crosses the grid"
        assert tuple(target[0, 0, :2]) == (int(top) * 2, int(left) * 2)
        photo = next(file for file in photos if file.stem == stem)
        cut = read(photo)[int(top) : int(top) + 20, int(left) : int(left) + 20]
        assert np.array_equal(read(pairs.phone / name), cut)
        cells.add((stem, int(top), int(left)))
    assert ("first", 40, 40) in cells and ("second", 20, 40) in cells


def test_the_grid_s_source_and_teacher_are_kept(photos, targets, tmp_path):
    teacher = dataclasses.replace(SOURCE, name="somebody's network", terms=None)
    prepare_grid(photos, targets, tmp_path / "out", grid=20, source=SOURCE, teacher=teacher)
    known = provenance(tmp_path / "out")
    assert known.data == dataclasses.replace(SOURCE, gave="15 pairs from 3 photos")
    gave = "targets for 20x20 patches, each enhanced alone"
    assert known.teachers == [dataclasses.replace(teacher, gave=gave)]
    prepare_grid(photos, targets, tmp_path / "bare", grid=20)
    assert provenance(tmp_path / "bare").teachers == []
    assert provenance(tmp_path / "bare").data.terms is None


def test_a_second_network_is_blended_into_every_target(photos, targets, teacher, tmp_path):
    prepare_grid(photos, targets, tmp_path / "plain", grid=20)
    prepare_grid(photos, targets, tmp_path / "out", grid=20, blend_with=teacher)
    network = Generator.from_published(teacher)
    plain, blended = (find_pairs(tmp_path / name) for name in ("plain", "out"))
    assert plain.names == blended.names
    for name in blended.names:
        with torch.inference_mode():
            second = to_pixels(network(to_tensor(read(plain.phone / name))), np.uint8)
        assert np.array_equal(read(blended.dslr / name), blend(read(plain.dslr / name), second))
        assert np.array_equal(read(blended.phone / name), read(plain.phone / name))
    (told,) = provenance(tmp_path / "out").teachers
    assert told.name == "enhancements by tiny_teacher"
    assert told.gave == "15% of the targets' pixels and 40% of their mean colour"


def test_a_blend_has_the_first_s_detail_and_a_mean_colour_between():
    target, second = picture(40, 40), picture(40, 40, seed=1)
    blended = blend(target, second)
    wanted = target.mean((0, 1)) + BLEND_COLOUR * (second.mean((0, 1)) - target.mean((0, 1)))
    # Rounding moves the mean of 1600 pixels by less than a tenth of a level.
    assert np.abs(blended.mean((0, 1)) - wanted).max() < 0.1
    detail = (picture - picture.mean((0, 1)) for picture in (blended, target, second))
    ours, first, other = detail
    mixed = (1 - BLEND_PIXELS) * first + BLEND_PIXELS * other
    assert np.abs(ours - mixed).max() < 0.6
    assert np.array_equal(blend(target, target), target)
    white = np.full_like(target, 255)
    assert blend(white, 0 * white).max() == 255 - round(255 * BLEND_COLOUR)
    assert blend(white, white).min() == 255


def test_what_is_blended_in_must_be_a_published_generator(photos, targets, tmp_path):
    with pytest.raises(DslrGanError, match="absent.safetensors"):
        prepare_grid(
            photos, targets, tmp_path / "out", grid=20, blend_with=tmp_path / "absent.safetensors"
        )
    assert not (tmp_path / "out").exists()


def test_targets_are_needed_for_every_photo(photos, targets, tmp_path):
    (targets / "second.png").unlink()
    with pytest.raises(DslrGanError, match="targets has no target for second.jpg; each photo"):
        prepare_grid(photos, targets, tmp_path / "out")
    with pytest.raises(DslrGanError, match="there is no folder .*elsewhere"):
        prepare_grid(photos, tmp_path / "elsewhere", tmp_path / "out")
    Image.new("RGB", (66, 50)).save(targets / "second.png")
    with pytest.raises(DslrGanError, match="target .*second.png is larger than its photo"):
        prepare_grid(photos, targets, tmp_path / "out", grid=20)
    assert not (tmp_path / "out").exists()


# Both ----------------------------------------------------------------------------------------


def prepare(kind, photos, out, request, **options):
    if kind == "teacher":
        return prepare_teacher(photos, request.getfixturevalue("teacher"), out, crop=20, **options)
    return prepare_grid(photos, request.getfixturevalue("targets"), out, grid=20, **options)


KINDS = pytest.mark.parametrize("kind", ["teacher", "grid"])


@KINDS
def test_what_was_written_is_what_the_trainer_reads(kind, photos, tmp_path, request):
    (tmp_path / "out").mkdir()
    before = everything(tmp_path / "photos")
    calls = []
    count = prepare(kind, photos, tmp_path / "out", request, progress=lambda *c: calls.append(c))
    pairs = file_rows(find_pairs(tmp_path / "out"))
    assert len(pairs) == count
    assert pairs[0]["phone"].size == pairs[0]["dslr"].size == (20, 20)
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [
        "canon",
        "phone",
        "source.json",
    ]
    assert not list(tmp_path.glob(".*"))
    assert everything(tmp_path / "photos") == before
    # Whoever may read folders may read this one: not private, as temporary ones are.
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755


def test_the_scene_of_a_numbered_photo_is_known_and_its_pieces_are_their_own_context(
    photos, teacher, tmp_path
):
    numbered = photos[1].rename(photos[1].with_name("night_07.jpg"))
    prepare_teacher([photos[0], numbered], teacher, tmp_path / "out", crop=30)
    places = read_places(tmp_path / "out")
    assert places.scenes == {"night_07_0_0": 7, "night_07_0_30": 7} and not places.by_pair


@KINDS
@pytest.mark.parametrize("taken", ["pairs", "hidden", "file"])
def test_nothing_is_ever_overwritten(kind, taken, photos, tmp_path, request):
    out = tmp_path / "out"
    if taken == "pairs":
        prepare(kind, photos, out, request)
    elif taken == "hidden":
        out.mkdir()
        (out / ".kept").write_text("mine")
    else:
        out.write_text("mine")
    request.getfixturevalue("teacher"), request.getfixturevalue("targets")
    before = everything(tmp_path)
    with pytest.raises(DslrGanError, match="out exists already; name a new folder"):
        prepare(kind, photos, out, request)
    assert everything(tmp_path) == before


@KINDS
def test_an_out_that_is_the_photos_folder_is_refused(kind, photos, tmp_path, request):
    before = everything(tmp_path / "photos")
    with pytest.raises(DslrGanError, match="photos exists already"):
        prepare(kind, photos, tmp_path / "photos", request)
    assert everything(tmp_path / "photos") == before


@KINDS
@pytest.mark.parametrize("existing", [True, False])
def test_a_photo_that_cannot_be_read_leaves_nothing_behind(
    kind, existing, photos, tmp_path, request
):
    cut_off = photos[1].read_bytes()[:600]
    photos[1].write_bytes(cut_off)
    if existing:
        (tmp_path / "out").mkdir()
    request.getfixturevalue("teacher"), request.getfixturevalue("targets")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DslrGanError, match="second.jpg is damaged or cut off"):
        prepare(kind, photos, tmp_path / "out", request)
    assert sorted(tmp_path.rglob("*")) == before


@KINDS
def test_an_interruption_leaves_nothing_behind(kind, photos, tmp_path, request):
    def interrupt(done, _):
        if done == 2:
            raise KeyboardInterrupt

    request.getfixturevalue("teacher"), request.getfixturevalue("targets")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(KeyboardInterrupt):
        prepare(kind, photos, tmp_path / "new/deep/out", request, progress=interrupt)
    assert sorted(tmp_path.rglob("*")) == before


@KINDS
def test_photos_that_give_nothing_are_refused(kind, photos, tmp_path, request):
    with pytest.raises(DslrGanError, match="no photo is as large as one patch"):
        prepare(kind, photos[2:], tmp_path / "out", request)
    with pytest.raises(DslrGanError, match="there are no photos to prepare"):
        prepare(kind, [], tmp_path / "out", request)
    assert not (tmp_path / "out").exists()


@KINDS
def test_two_photos_of_one_name_are_refused(kind, photos, tmp_path, request):
    twin = tmp_path / "first.jpg"
    Image.open(photos[0]).save(twin)
    with pytest.raises(DslrGanError, match="two photos are called first; rename one"):
        prepare(kind, [*photos, twin], tmp_path / "out", request)


@KINDS
def test_an_out_that_cannot_be_made_is_refused(kind, photos, tmp_path, request):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DslrGanError, match=r"cannot .*file/out.*name another folder"):
        prepare(kind, photos, tmp_path / "file/out", request)
    assert (tmp_path / "file").read_text() == "mine"
