"""Folders of pairs: found, or refused with a message that says what is wrong."""

import pytest
from PIL import Image

from dslr_gan.data.decode import read_pair, undecoded
from dslr_gan.data.folder import file_rows, find_pairs, has_test_pairs, split_folder
from dslr_gan.data.provenance import provenance
from dslr_gan.errors import DslrGanError
from tests.support.pair_files import flat_pairs
from tests.support.paths import SHARED

DPED = SHARED / "dped/iphone"


def test_find_pairs_gives_the_folders_and_the_names_in_order(tmp_path):
    folder = flat_pairs(tmp_path / "p", "iphone", ("10.png", "b.jpg", "9.png", "a.JPG", "100.png"))
    (folder / "source.json").write_text("{}")
    (folder / ".cache").mkdir()
    (folder / "canon/notes.txt").write_text("no picture")
    (folder / "canon/.hidden.png").write_text("no picture")
    pairs = find_pairs(str(folder))
    assert (pairs.phone, pairs.dslr) == (folder / "iphone", folder / "canon")
    assert pairs.names == ["9.png", "10.png", "100.png", "a.JPG", "b.jpg"]


def spoil(folder, how):
    """Make one mistake in a good pairs folder; gives the folder to look into."""
    if how == "absent":
        return folder / "nothing"
    if how == "file":
        return folder / "canon/0.png"
    if how == "no canon":
        (folder / "canon").rename(folder / "nikon")
    elif how == "two phones":
        (folder / "sony").mkdir()
    elif how == "bare":
        (folder / "bare").mkdir()
        return folder / "bare"
    elif how == "empty":
        for file in folder.glob("*/*.png"):
            file.unlink()
    elif how == "alone":
        (folder / "phone/0.png").unlink()
    elif how == "other suffix":
        (folder / "phone/1.png").rename(folder / "phone/1.jpg")
    return folder


SPOILT = {
    "absent": "there is no folder .*nothing; name one with pairs",
    "file": "there is no folder .*0.png",
    "no canon": "one called canon, found: nikon, phone",
    "two phones": "one sub-folder of phone pictures .* found: canon, phone, sony",
    "bare": "found: no sub-folder",
    "empty": "holds no pictures",
    "alone": "1 pictures below .* such as 0.png; phone and canon must hold",
    "other suffix": "2 pictures below .* such as 1.jpg",
}


@pytest.mark.parametrize("how", SPOILT)
def test_other_folders_are_refused(tmp_path, how):
    folder = spoil(flat_pairs(tmp_path / "pairs"), how)
    for look in (find_pairs, provenance):
        with pytest.raises(DslrGanError, match=SPOILT[how]):
            look(folder)


def test_rows_are_two_columns_of_pictures(tmp_path):
    pairs = file_rows(find_pairs(flat_pairs(tmp_path, names=("2.png", "10.png"), mode="L")))
    assert pairs.column_names == ["phone", "dslr"]
    assert len(pairs) == 2
    for row, pair in enumerate(pairs):
        assert isinstance(pair["phone"], Image.Image) and isinstance(pair["dslr"], Image.Image)
        assert read_pair(undecoded(pairs), row)[0].shape[-1] == 3
        assert pair["dslr"].size == (40, 30)
        assert pair["dslr"].getpixel((0, 0)) == (row, 99, 0)


def test_dped_s_layout_has_two_splits_and_a_plain_folder_one(tmp_path):
    flat_pairs(tmp_path / "iphone/training_data", "iphone")
    flat_pairs(tmp_path / "iphone/test_data/patches", "iphone", names=("7.png",))
    flat_pairs(tmp_path / "plain")
    assert split_folder(tmp_path / "iphone", "train") == tmp_path / "iphone/training_data"
    assert split_folder(tmp_path / "iphone", "test") == tmp_path / "iphone/test_data/patches"
    assert has_test_pairs(tmp_path / "iphone")
    assert split_folder(tmp_path / "plain", "train") == tmp_path / "plain"
    assert not has_test_pairs(tmp_path / "plain")
    with pytest.raises(DslrGanError, match="plain has no test pairs; .* test_data/patches"):
        split_folder(tmp_path / "plain", "test")


def test_dped_without_its_test_half_is_refused(tmp_path):
    flat_pairs(tmp_path / "training_data")
    with pytest.raises(DslrGanError, match=r"there is no folder .*test_data/patches"):
        find_pairs(split_folder(tmp_path, "test"))


@pytest.mark.skipif(not DPED.is_dir(), reason="the real DPED pairs are not beside the project")
def test_the_real_dped_opens():
    test = file_rows(find_pairs(split_folder(DPED, "test")))
    assert len(test) == 51
    assert test[0]["phone"].size == test[0]["dslr"].size == (100, 100)
    assert len(find_pairs(split_folder(DPED, "train")).names) > 100
    assert provenance(DPED).data.name == "DPED patches, iphone against Canon 70D"


@pytest.mark.parametrize("name", ["@eaDir", "#recycle", "lost+found", ".Trash-1000"])
def test_the_folders_of_a_file_server_are_no_phone(name, tmp_path):
    for folder in ("phone", "canon", name):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").touch()
    assert find_pairs(tmp_path).names == ["1.jpg"]
    (tmp_path / "another phone").mkdir()
    with pytest.raises(DslrGanError, match="one sub-folder"):
        find_pairs(tmp_path)


def test_a_name_that_is_no_utf8_is_called_that(tmp_path):
    folder = flat_pairs(tmp_path / "p", "iphone", ("1.png", "2\udcff.png"))
    with pytest.raises(
        DslrGanError, match=r"2\\udcff.png' holds bytes that are no UTF-8; rename it"
    ):
        file_rows(find_pairs(folder))


def test_a_picture_that_cannot_be_used_is_named_by_its_file(tmp_path):
    folder = flat_pairs(tmp_path / "p", "iphone", ("1.tif",))
    Image.new("F", (64, 64)).save(folder / "canon/1.tif")
    with pytest.raises(DslrGanError, match=r"pair 0: .*/p/canon/1\.tif: .*floating-point values"):
        read_pair(undecoded(file_rows(find_pairs(folder))), 0)
