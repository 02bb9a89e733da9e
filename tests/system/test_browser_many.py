"""The tab for many photos in a real Chromium."""

import zipfile
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Page, expect

from tests.support.app_server import MAKER, difference, save_phone_photo
from tests.support.browser import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture
def many(open_page) -> Page:
    return open_page(query="/?tab=many")


def start(page: Page, *files: Path) -> None:
    page.set_input_files("#many-files input[type=file]", files)
    for file in files:
        stem = file.stem  # Gradio shows name and suffix apart
        expect(page.locator("#many-files")).to_contain_text(stem, timeout=PATIENCE)
    page.click("#many-start")


def test_a_zip_with_one_bad_file_comes_back_without_it_and_says_why(many, tmp_path):
    photo = save_phone_photo(tmp_path / "walk.jpg", 320, 240)
    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as packed:
        packed.write(photo, "day 1/walk.jpg")
        packed.write(photo, "day 2/walk.jpg")
        packed.writestr("day 2/words.jpg", "These are words.")
    start(many, tmp_path / "holiday.zip")
    expect(many.locator(".dg-zip")).to_be_visible(timeout=PATIENCE)
    assert "2 enhanced, 1 could not be" in many.inner_text("#gallery .dg-words >> nth=0")
    expect(many.locator(".dg-failed li")).to_have_count(1)
    assert "words.jpg" in many.inner_text(".dg-failed")
    with many.expect_download() as download:
        many.click(".dg-zip")
    with zipfile.ZipFile(download.value.path()) as unpacked:
        photos = {name for name in unpacked.namelist() if name.endswith(".jpg")}
        assert {name.split("/")[-2] for name in photos} == {"day 1", "day 2"}
        with unpacked.open(next(iter(photos))) as file, Image.open(file) as result:
            assert result.size == (320, 240)
            assert result.getexif()[ExifTags.Base.Make] == MAKER
            assert difference(result, Image.open(photo)) > 0.5


def test_each_result_is_shown_before_and_after_on_a_click(many, tmp_path):
    files = [save_phone_photo(tmp_path / f"{name}.jpg", 200, 150) for name in ("one", "two")]
    start(many, *files)
    expect(many.locator(".dg-items button")).to_have_count(2, timeout=PATIENCE)
    many.click(".dg-items button >> nth=0")
    expect(many.locator(".dg-lightbox .dg-divider")).to_be_visible()
    first = many.get_attribute(".dg-lightbox .dg-enhanced", "src")
    many.click(".dg-next")
    assert many.get_attribute(".dg-lightbox .dg-enhanced", "src") != first
    many.keyboard.press("Escape")
    expect(many.locator(".dg-lightbox")).not_to_be_visible()


def test_stop_gives_what_is_done(many, tmp_path):
    small = save_phone_photo(tmp_path / "a small.jpg", 200, 150)
    large = [save_phone_photo(tmp_path / f"large {n}.jpg", 3000, 2200) for n in range(3)]
    start(many, small, *large)
    expect(many.locator(".dg-items button")).to_have_count(1, timeout=PATIENCE)
    many.click("#gallery .dg-stop")
    expect(many.locator("#gallery .dg-words").first).to_contain_text("Stopped", timeout=PATIENCE)
    expect(many.locator(".dg-zip")).to_be_visible()


def test_nothing_chosen_gets_a_sentence(many):
    many.click("#many-start")
    expect(many.locator("#gallery .dg-caption")).to_contain_text("no photos yet", timeout=PATIENCE)
