"""The tab for many photos in a real Chromium."""

import zipfile
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Page, expect

from tests.support.app_server import MAKER, difference, save_phone_photo
from tests.support.browser import drop, tab

pytestmark = pytest.mark.slow


@pytest.fixture
def many(page) -> Page:
    tab(page, "Many photos")
    return page


def start(page: Page, *files: Path) -> None:
    page.set_input_files(".dg-many-files", files)
    assert page.locator(".dg-chosen li").count() == len(files)
    page.click(".dg-start")


def test_a_zip_with_one_bad_file_comes_back_without_it_and_says_why(many, tmp_path):
    photo = save_phone_photo(tmp_path / "walk.jpg", 320, 240)
    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as packed:
        packed.write(photo, "day 1/walk.jpg")
        packed.write(photo, "day 2/walk.jpg")
        packed.writestr("day 2/words.jpg", "These are words.")
    start(many, tmp_path / "holiday.zip")
    expect(many.locator(".dg-zip")).to_be_visible()
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
    expect(many.locator(".dg-items button")).to_have_count(2)
    many.click(".dg-items button >> nth=0")
    expect(many.locator(".dg-lightbox .dg-divider")).to_be_visible()
    first = many.get_attribute(".dg-lightbox .dg-enhanced", "src")
    many.click(".dg-next")
    expect(many.locator(".dg-lightbox .dg-enhanced")).not_to_have_attribute("src", first)
    assert "two.jpg · 200×150" in many.inner_text(".dg-lightbox-words")
    many.keyboard.press("Escape")
    expect(many.locator(".dg-lightbox")).not_to_be_visible()


def test_stop_gives_what_is_done(many, tmp_path):
    small = save_phone_photo(tmp_path / "a small.jpg", 200, 150)
    large = [save_phone_photo(tmp_path / f"large {n}.jpg", 3000, 2200) for n in range(3)]
    start(many, small, *large)
    expect(many.locator(".dg-items button").first).to_be_visible()
    many.click("#gallery .dg-stop")
    expect(many.locator("#gallery .dg-words").first).to_contain_text("Stopped")
    expect(many.locator(".dg-zip")).to_be_visible()


def test_the_list_is_changed_before_it_is_sent(many, tmp_path):
    one, other = (save_phone_photo(tmp_path / f"{name}.jpg", 90, 60) for name in ("one", "other"))
    many.set_input_files(".dg-many-files", [one, other])
    drop(many, one.read_bytes(), "dropped.jpg", "#gallery .dg-tray")
    expect(many.locator(".dg-chosen li")).to_have_count(3)
    many.click("[aria-label='Remove other.jpg']")
    assert many.inner_text(".dg-sum").startswith("2 files, ")
    many.focus(".dg-many-strength")
    many.keyboard.press("Home")
    many.click(".dg-start")
    expect(many.locator(".dg-items button")).to_have_count(2)
    expect(many.locator(".dg-zip")).to_have_attribute("download", "dslr_gan_auto_0.zip")
    many.click(".dg-clear")
    expect(many.locator(".dg-chosen li")).to_have_count(0)


def test_a_file_that_is_too_large_is_said_to_be_before_anything_is_sent(many):
    many.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File([new ArrayBuffer(101_000_000)], "large.jpg"));
          const input = document.querySelector(".dg-many-files");
          input.files = data.files;
          input.dispatchEvent(new Event("change"));
        }"""
    )
    assert "left out: more than 100 MB" in many.inner_text(".dg-chosen")
    many.click(".dg-start")
    expect(many.locator("#gallery [data-kind=error]")).to_contain_text("no photos yet")


def test_a_server_that_is_away_loses_nothing(many, tmp_path):
    photo = save_phone_photo(tmp_path / "one.jpg", 90, 60)
    many.context.set_offline(True)
    start(many, photo)
    expect(many.locator("#gallery [data-kind=error]")).to_contain_text("one.jpg did not arrive")
    many.context.set_offline(False)
    many.click("#gallery .dg-advice:has-text('Try again')")
    expect(many.locator(".dg-zip")).to_be_visible()


def test_nothing_chosen_gets_a_sentence(many):
    many.click(".dg-start")
    expect(many.locator("#gallery [data-kind=error]")).to_contain_text("no photos yet")
    with many.expect_file_chooser():
        many.click("#gallery .dg-advice")
