"""The page in a real Chromium: what a person does with it, at a desk and on a phone."""

import io
import os
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.app_server import MAKER, coffee, difference, running_app, save_phone_photo

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE = 60_000  # milliseconds to wait for what must come


def find_chromium(playwright) -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), playwright.chromium.executable_path)
    if Path(found).exists():
        return found
    reason = "there is no Chromium here: install one, or run `playwright install chromium`"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        with playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS) as browser:
            yield browser


@pytest.fixture(scope="module")
def address(browser, tmp_path_factory):
    with running_app(tmp_path_factory.mktemp("app")) as address:
        yield address


@pytest.fixture
def open_page(browser, address):
    """A function that opens the page in a window of a given size."""
    contexts = []

    def open_page(viewport: dict[str, int]) -> Page:
        contexts.append(browser.new_context(viewport=viewport, has_touch=viewport is PHONE))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        expect(page.locator("#photo input[type=file]")).to_be_attached(timeout=PATIENCE)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page):
    return open_page(DESK)


@pytest.fixture
def photo(tmp_path):
    return save_phone_photo(tmp_path / "walk.jpg", 320, 240)


def upload(page: Page, file: Path, place: str = "#photo") -> None:
    page.set_input_files(f"{place} input[type=file]", file)
    shown = page.locator(f"{place} img[src$='/{quote(file.name)}']")
    expect(shown).to_be_attached(timeout=PATIENCE)


def enhance(page: Page, file: Path) -> None:
    upload(page, file)
    page.click("#enhance")
    expect(page.locator("#facts .scores")).to_be_visible(timeout=PATIENCE)


def change(page: Page) -> float:
    return float(page.inner_text(".scores div:has-text('Change') b"))


def shown_sizes(page: Page) -> list[list[int]]:
    """Width and height in pixels of the two pictures under the slider, once they are there."""
    page.wait_for_function(
        "() => { const i = [...document.querySelectorAll('#result img')];"
        " return i.length === 2 && i.every(one => one.naturalWidth) }"
    )
    return page.eval_on_selector_all(
        "#result img", "all => all.map(one => [one.naturalWidth, one.naturalHeight])"
    )


def fits_its_width(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_photo_in_picture_scores_and_source_out(page, photo):
    enhance(page, photo)
    assert shown_sizes(page) == [[320, 240], [320, 240]]
    sources = page.eval_on_selector_all("#result img", "all => all.map(one => one.src)")
    before, after = (Image.open(io.BytesIO(page.request.get(url).body())) for url in sources)
    assert difference(before, Image.open(photo)) == 0 < difference(after, before)
    assert 0 < change(page) < 1
    facts = page.inner_text("#facts")
    assert "bundled iphone weights" in facts and "320×240" in facts
    assert "Quality" not in facts
    hint = page.inner_text("#facts .hint")
    assert MAKER in hint and "iPhone 3GS" in hint


def test_divider_follows_the_mouse(page, photo):
    enhance(page, photo)
    shown_sizes(page)
    enhanced = page.locator("#result img").nth(1)
    expect(enhanced).to_have_attribute("style", re.compile(r"50%"))
    handle = page.locator("#result .outer").bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y)
    page.mouse.move(x + 80, y)
    page.mouse.up()
    moved = page.locator("#result .outer").bounding_box()["x"]
    assert moved == pytest.approx(handle["x"] + 80, abs=3)
    expect(enhanced).not_to_have_attribute("style", re.compile(r"50%"))


@pytest.mark.slow
def test_divider_follows_a_finger(open_page, photo):
    page = open_page(PHONE)
    enhance(page, photo)
    shown_sizes(page)
    page.locator("#result").scroll_into_view_if_needed()
    handle = page.locator("#result .outer").bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    finger = page.context.new_cdp_session(page)
    for kind, way in (("touchStart", 0), ("touchMove", 40), ("touchMove", 80), ("touchEnd", None)):
        points = [] if way is None else [{"x": x - way, "y": y}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    enhanced = page.locator("#result img").nth(1)
    expect(enhanced).not_to_have_attribute("style", re.compile(r"50%"))
    assert page.locator("#result .outer").bounding_box()["x"] < handle["x"] - 40


@pytest.mark.slow
def test_a_change_of_the_controls_enhances_again(page, photo):
    enhance(page, photo)
    full = change(page)
    page.fill("#strength input[type=number]", "0")
    page.press("#strength input[type=number]", "Tab")
    expect(page.locator("#facts")).to_contain_text("1.0000", timeout=PATIENCE)
    page.fill("#strength input[type=number]", "1")
    page.press("#strength input[type=number]", "Tab")
    expect(page.locator("#facts")).to_contain_text(f"{full:.4f}", timeout=PATIENCE)
    page.click("#phone label:has-text('Sony')")
    expect(page.locator("#facts")).to_contain_text("bundled sony weights", timeout=PATIENCE)
    assert change(page) != full


def test_download_is_the_whole_photo(page, tmp_path):
    photo = save_phone_photo(tmp_path / "wide walk.jpg", 3000, 200)
    enhance(page, photo)
    assert max(shown_sizes(page)[0]) == 2048
    assert "scaled down" in page.inner_text("#facts")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "wide walk_enhanced.jpg"
    with Image.open(download.value.path()) as enhanced:
        assert (enhanced.format, enhanced.size) == ("JPEG", (3000, 200))
        assert enhanced.getexif()[ExifTags.Base.Make] == MAKER


@pytest.mark.slow
def test_a_file_that_is_no_photo_gets_a_sentence(page, photo, tmp_path):
    bad = tmp_path / "words.jpg"
    bad.write_text("These are words.")
    upload(page, bad)
    page.click("#enhance")
    expect(page.locator("#photo")).to_contain_text("words.jpg is not a photo", timeout=PATIENCE)
    expect(page.locator("#facts .scores")).to_have_count(0)
    assert "Traceback" not in page.content()
    enhance(page, photo)
    expect(page.locator("#photo")).not_to_contain_text("not a photo")


@pytest.mark.slow
def test_what_the_result_has_not_is_on_the_page(page, tmp_path):
    film = tmp_path / "film.gif"
    coffee(60, 40).save(film, save_all=True, append_images=[Image.new("RGB", (60, 40))])
    enhance(page, film)
    expect(page.locator("#facts")).to_contain_text("2 frames; only the first is enhanced.")
    expect(page.locator("#facts")).to_contain_text("the result is a PNG.")


@pytest.mark.slow
def test_nothing_uploaded_gets_a_sentence(page):
    page.click("#enhance")
    expect(page.locator("#photo")).to_contain_text("no photo yet", timeout=PATIENCE)


@pytest.mark.slow
def test_another_photo_takes_the_old_result_away(page, photo, tmp_path):
    enhance(page, photo)
    page.click("#photo button[aria-label='Remove Image']")
    expect(page.locator("#facts .scores")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#download")).to_have_count(0)
    expect(page.locator("#result img")).to_have_count(0)


@pytest.mark.slow
def test_reference_gives_quality_or_says_why_not(page, photo, tmp_path):
    larger = tmp_path / "larger.png"
    coffee(640, 480).save(larger)
    enhance(page, photo)
    page.click("#dslr button:has-text('Measure quality')")
    upload(page, photo, "#reference")
    expect(page.locator(".scores")).to_contain_text("Quality", timeout=PATIENCE)
    page.click("#reference button[aria-label='Remove Image']")
    expect(page.locator(".scores")).not_to_contain_text("Quality", timeout=PATIENCE)
    upload(page, larger, "#reference")
    expect(page.locator("#facts")).to_contain_text("640×480", timeout=PATIENCE)
    assert "Quality was not measured" in page.inner_text("#facts")


@pytest.mark.slow
def test_example_photo_is_enhanced(page):
    page.locator("#examples button:has(img)").first.click()
    expect(page.locator("#photo img")).to_be_visible(timeout=PATIENCE)
    page.click("#enhance")
    expect(page.locator("#facts .scores")).to_be_visible(timeout=PATIENCE)
    assert shown_sizes(page) == [[600, 400]] * 2


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, photo):
    page = open_page(PHONE)
    assert fits_its_width(page)
    enhance(page, photo)
    shown_sizes(page)
    assert fits_its_width(page)
    order = ["#photo", "#phone", "#strength", "#enhance", "#result", "#facts", "#download"]
    tops = [page.locator(name).bounding_box()["y"] for name in order]
    assert tops == sorted(tops) and len(set(tops)) == len(tops)


@pytest.mark.slow
def test_a_photo_replaced_while_it_is_enhanced_leaves_no_trace(page, photo, tmp_path):
    large = save_phone_photo(tmp_path / "large.jpg", 2400, 1800)
    upload(page, large)
    page.click("#enhance")
    expect(page.locator("#result")).to_contain_text("tiles", timeout=PATIENCE)
    upload(page, photo)
    expect(page.locator("#result")).not_to_contain_text("tiles", timeout=PATIENCE)
    page.click("#enhance")
    expect(page.locator("#facts .scores")).to_be_visible(timeout=PATIENCE)
    assert shown_sizes(page) == [[320, 240]] * 2
    assert "320×240" in page.inner_text("#facts")
