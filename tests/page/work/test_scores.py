"""The numbers and the map of a kept result."""

import numpy as np
import pytest
from PIL import Image

from dslr_gan.errors import DslrGanError
from dslr_gan.page.work import downloads, scores
from dslr_gan.page.work.photo_run import enhance_photo
from dslr_gan.photo import open_photo, photo_pixels
from tests.support.app_server import coffee, save_phone_photo
from tests.support.photo_helpers import photo_ssim


def test_the_table_is_that_of_the_pictures(enhanced):
    before, after = (
        Image.fromarray(photo_pixels(open_photo(file)).pixels)
        for file in (enhanced.photo, downloads.download(enhanced.token, "me"))
    )
    table = enhanced.done["scores"]
    assert table["strengths"][10] == 0.5
    assert table["ssim"][-1] == pytest.approx(photo_ssim(before, after), abs=0.01)  # a JPEG, too
    assert table["ssim"] == sorted(table["ssim"], reverse=True)
    again = scores.change_scores(enhanced.token, "me")
    assert again["strengths"] == table["strengths"][::2]
    for name in ("ssim", "ms_ssim"):
        assert again[name] == pytest.approx(table[name][::2], abs=2e-5)


def test_less_colour_and_detail_is_less_change(enhanced):
    whole, colour, detail, none = (
        scores.change_scores(enhanced.token, "me", *amounts)["ssim"][-1]
        for amounts in ((1, 1), (1, 0), (0, 1), (0, 0))
    )
    assert whole < min(colour, detail) < 1 == none


def test_scores_of_colour_and_detail_are_those_of_the_download(uploads):
    photo = uploads / "amounts.png"
    coffee(320, 240).save(photo)
    token = list(enhance_photo(photo, ["iphone"], "me"))[-1]["result"]
    for amounts in ((0.8, 0, 1), (1, 1, 0.2), (0.4, 0.5, 0.9)):
        table = scores.change_scores(token, "me", *amounts[1:])
        real, _ = scores.file_ssim(photo, downloads.download(token, "me", *amounts))
        found = np.interp(amounts[0], table["strengths"], table["ssim"])
        assert found == pytest.approx(real, abs=0.002)


def test_files_are_compared_as_browsers_show_them(uploads, tmp_path):
    turned = save_phone_photo(uploads / "turned.jpg", 700, 300, orientation=6)
    upright = photo_pixels(open_photo(turned)).pixels
    Image.fromarray(upright).save(tmp_path / "upright.png")
    assert scores.file_ssim(turned, tmp_path / "upright.png") == (1, ((300, 700), (300, 700)))
    darker = Image.fromarray(upright // 2)
    darker.save(tmp_path / "darker.png")
    score, _ = scores.file_ssim(turned, tmp_path / "darker.png")
    assert score == pytest.approx(photo_ssim(Image.fromarray(upright), darker), abs=1e-5)
    coffee(300, 10).save(tmp_path / "flat.png")
    assert scores.file_ssim(turned, tmp_path / "flat.png") == (None, ((300, 700), (300, 10)))


def test_a_photo_below_the_window_has_no_scores(uploads):
    coffee(10, 9).save(uploads / "tiny.png")
    done = list(enhance_photo(uploads / "tiny.png", ["iphone"], "me"))[-1]
    assert done["scores"]["ssim"] is None and len(done["scores"]["strengths"]) == 21
    with pytest.raises(DslrGanError, match="at least 22 pixels"):
        scores.similarity_map(done["result"], "me")


def test_the_map_is_opaque_where_much_is_changed(enhanced):
    weak, strong = (
        np.asarray(Image.open(scores.similarity_map(enhanced.token, "me", strength)))
        for strength in (0.1, 1)
    )
    assert strong.shape == (320, 240, 4) == weak.shape
    assert weak[..., 3].mean() < strong[..., 3].mean() / 3
    assert (scores.similarity_map(enhanced.token, "me", 0)).is_file()
    for wrong in ("reference", "../x"):
        with pytest.raises(DslrGanError, match="DSLR photo|input or reference"):
            scores.similarity_map(enhanced.token, "me", 1, wrong)
