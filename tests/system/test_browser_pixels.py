"""What a person sees at 100 % in a real Chromium, against the very pixels of the download."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.app_server import coffee, save_phone_photo
from tests.support.browser import drawn, enhanced, said, set_range

pytestmark = pytest.mark.slow


def at_full_size(page: Page) -> None:
    """Look at 100 % of the result, without the original beside it."""
    page.focus(".dg-divider")
    page.keyboard.press("Home")
    page.click("[data-zoom='1']")
    exact = re.compile("exact_after")
    expect(page.locator(".dg-enhanced")).to_have_attribute("src", exact)


def on_screen(page: Page) -> np.ndarray:
    """The picture as it is on the screen, but for its edges, where labels lie."""
    box = page.locator(".dg-picture").bounding_box()
    page.mouse.move(1, 1)
    drawn(page)
    screen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    left, top = round(box["x"]), round(box["y"])  # browsers snap boxes to whole pixels
    whole = screen.crop((left, top, left + round(box["width"]), top + round(box["height"])))
    return np.asarray(whole, int)[60:-60, 60:-60]


def downloaded(page: Page) -> np.ndarray:
    with page.expect_download() as download:
        page.click(".dg-download")
    return np.asarray(Image.open(Path(download.value.path())), int)[60:-60, 60:-60]


def test_at_full_size_the_screen_has_the_pixels_of_the_download(page, tmp_path):
    photo = tmp_path / "walk.png"
    coffee(333, 251).save(photo)
    enhanced(page, photo)
    assert "you see the very pixels" in said(page)
    at_full_size(page)
    assert np.array_equal(on_screen(page), downloaded(page))
    for percent in (0, 35, 70):
        set_range(page, ".dg-strength-range", percent)
        shown = on_screen(page)
        off = np.abs(shown - downloaded(page))
        # Chromium rounds each of the two weighed pictures to 8 bits, and then their sum.
        assert off.max() <= 2 and off.mean() < 0.75, f"{percent} %: {off.max()}, {off.mean():.3f}"


def test_what_the_browser_does_not_read_is_sent_with_its_pixels(page, tmp_path):
    photo = tmp_path / "walk.tif"
    coffee(300, 200).save(photo)
    enhanced(page, photo)
    at_full_size(page)
    exact = re.compile("exact_before")
    expect(page.locator(".dg-original")).to_have_attribute("src", exact)
    page.focus(".dg-divider")
    page.keyboard.press("End")
    assert np.array_equal(on_screen(page), np.asarray(coffee(300, 200), int)[60:-60, 60:-60])


def test_a_large_jpeg_s_first_picture_comes_before_it_is_decoded_as_a_whole(page, tmp_path):
    page.set_input_files(".dg-file", save_phone_photo(tmp_path / "large.jpg", 4000, 3000))
    # The very first one may be replaced before anybody looks, by one in the tones of the whole
    # photo, or with the first tiles.
    early = re.compile(r"/(small|small_toned|tiles_\d+)\.jpg")
    expect(page.locator(".dg-enhanced")).to_have_attribute("src", early)
    page.click("#viewer .dg-stop")
    expect(page.locator("#viewer .dg-words").first).to_contain_text("Stopped")
    expect(page.locator(".dg-enhanced")).to_have_attribute("src", early)
