"""The page for everybody: by keyboard and finger, for screen readers, on any screen."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import PHONE, TABS, axe, drawn, enhanced, finished, tab

SIZES = [(390, 844), (768, 1024), (1280, 800), (1920, 1080)]


def fits_its_width(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, photo):
    page = open_page(PHONE)
    assert fits_its_width(page)
    enhanced(page, photo)
    page.check(".dg-phones input[value=both]", force=True)
    finished(page)
    assert fits_its_width(page)
    panes = [box.bounding_box() for box in page.locator(".dg-pane").all()]
    assert panes[0]["x"] == panes[1]["x"] and panes[0]["y"] < panes[1]["y"]
    for name in TABS:
        tab(page, name)
        assert fits_its_width(page), name


@pytest.mark.slow
def test_a_finger_on_the_picture_scrolls_the_page_and_two_zoom(open_page):
    page = open_page(PHONE)
    box = page.locator(".dg-pane").bounding_box()
    x, y = box["x"] + 40, box["y"] + box["height"] / 2
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (x, y))  # a finger that rests shows the original
    expect(page.locator(".dg-pane")).to_have_attribute("data-holding", "true")
    touch("touchEnd")
    expect(page.locator(".dg-pane")).to_have_attribute("data-holding", "false")
    touch("touchStart", (x, y))
    for way in range(20, 200, 20):
        touch("touchMove", (x, y - way))
    touch("touchEnd")
    page.wait_for_function("window.scrollY > 50")
    expect(page.locator(".dg-pane")).to_have_attribute("data-holding", "false")
    page.evaluate("window.scrollTo(0, 0)")
    wide = page.locator(".dg-picture").bounding_box()["width"]
    touch("touchStart", (x + 60, y), (x + 100, y))
    for way in range(10, 80, 10):
        touch("touchMove", (x + 60 - way / 3, y), (x + 100 + way, y))
    touch("touchEnd")
    page.wait_for_function(
        "wide => document.querySelector('.dg-picture').getBoundingClientRect().width > 1.5 * wide",
        arg=wide,
    )


@pytest.mark.slow
def test_all_of_it_by_the_keyboard(page, photo):
    enhanced(page, photo)
    page.focus("#viewer .dg-stage")
    page.keyboard.press("2")
    expect(page.locator(".dg-pane")).to_have_count(2)
    page.keyboard.press("1")
    expect(page.locator(".dg-pane")).to_have_count(1)
    page.keyboard.down("o")
    expect(page.locator(".dg-enhanced")).to_have_css("visibility", "hidden")
    page.keyboard.up("o")
    expect(page.locator(".dg-enhanced")).to_have_css("visibility", "visible")
    reached = []
    page.focus(".dg-file")
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.className || document.activeElement.name")
        )
    words = " ".join(map(str, reached))
    for part in ("camera", "dg-view", "dg-stage", "divider", "dg-phone", "strength", "download"):
        assert part in words


@pytest.mark.slow
def test_from_start_to_download_with_the_keyboard_alone(page, photo):
    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    def tab_to(selector: str) -> None:
        for _ in range(40):
            press("Tab")
            if page.evaluate("one => document.activeElement.matches(one)", selector):
                return
        raise AssertionError(f"Tab does not lead to {selector}")

    finished(page)  # the example is there, and nothing is drawn anew under the focus
    tab_to(".dg-file")
    with page.expect_file_chooser() as chooser:
        press("Enter")
    chooser.value.set_files(photo)
    expect(page.locator("#viewer .dg-words").first).to_contain_text("320×240")
    finished(page)
    tab_to(".dg-views input")
    press("ArrowRight")
    expect(page.locator(".dg-pane")).to_have_count(2)
    press("ArrowLeft")
    expect(page.locator(".dg-pane")).to_have_count(1)
    tab_to(".dg-stage")
    press("+")
    assert page.get_attribute(".dg-zoom [data-zoom='1']", "aria-pressed") == "true"
    press("ArrowRight", "Escape")
    assert page.get_attribute(".dg-zoom [data-zoom='0']", "aria-pressed") == "true"
    tab_to(".dg-divider")
    press("End")
    assert page.input_value(".dg-divider") == "1000"
    tab_to(".dg-strength-range")
    press("ArrowLeft", "ArrowLeft")
    tab_to(".dg-download")
    with page.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename == "walk_iphone_98.jpg"
    expect(page.locator("#viewer .dg-words").first).to_contain_text("in your downloads")


@pytest.mark.slow
def test_who_goes_by_the_keyboard_sees_where(page, photo):
    enhanced(page, photo)
    page.evaluate("document.activeElement.blur()")
    reached, unseen = [], []
    for _ in range(45):
        page.keyboard.press("Tab")
        name, is_seen = page.evaluate(
            """() => {
              const one = document.activeElement;
              // Inputs for files, choices and dividers lie unseen over what shows for them.
              const shown = [
                [one], [one.closest(".dg-open")], [one.parentElement.querySelector("input + span")],
                [one.closest(".dg-pane")?.querySelector(".dg-line"), "::after"],
              ];
              const isRinged = ([place, part]) =>
                place && getComputedStyle(place, part).outlineStyle === "solid";
              return [one.closest(".dg") && (one.className || one.name), shown.some(isRinged)];
            }"""
        )
        if name:
            reached.append(name)
            if not is_seen:
                unseen.append(name)
    assert unseen == []
    assert len(set(reached)) > 12


@pytest.mark.slow
def test_no_state_is_wider_than_its_window(open_page, photo):
    page = open_page()
    enhanced(page, photo)
    page.click(".dg-more")
    page.check(".dg-phones input[value=both]", force=True)
    finished(page)
    page.check(".dg-views input[value=side]", force=True)
    for name in TABS:
        tab(page, name)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert fits_its_width(page), f"{name} at {width}"


@pytest.mark.slow
def test_no_tab_asks_anybody_but_the_page_s_own_host(open_page, address, photo):
    page, asked = open_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    finished(page)
    enhanced(page, photo)
    for name in TABS:
        tab(page, name)
    page.click("footer button:has-text('Use via API')")
    expect(page.locator("text=/compare").first).to_be_visible()
    hosts = {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {urlsplit(address).netloc}
    assert len(asked) > 20


@pytest.mark.slow
def test_a_phone_s_own_camera_takes_the_photo(open_page, photo):
    page = open_page(PHONE)
    with page.expect_file_chooser() as chooser:
        page.tap(".dg-camera")
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files(photo)
    expect(page.locator("#viewer .dg-words").first).to_contain_text("320×240")


@pytest.mark.slow
def test_nothing_moves_by_itself_for_who_wants_no_motion(page):
    expect(page.locator(".dg-original")).to_have_attribute("src", re.compile("file="))
    drawn(page)
    # Not by two screenshots: what comes late, such as numbers, is no motion.
    places, animations = page.evaluate(
        """async () => {
          const places = new Set(), animations = new Set(), began = performance.now();
          while (performance.now() - began < 1500) {
            await new Promise(requestAnimationFrame);
            places.add(document.querySelector(".dg-divider").value);
            for (const one of document.getAnimations())
              if (one.effect.target.closest(".dg")) animations.add(one.effect.target.className);
          }
          return [[...places], [...animations]];
        }"""
    )
    assert (places, animations) == (["500"], [])


@pytest.fixture(scope="module")
def axe_script(tmp_path_factory):
    return axe(tmp_path_factory.mktemp("axe")).read_text(encoding="utf-8")


def violations(page: Page, where: str) -> list[str]:
    """What axe-core calls serious or critical on the page as it is; contrast (AA) is among it."""
    found = page.evaluate("async () => (await axe.run({resultTypes: ['violations']})).violations")
    return [
        f"{where}: {one['id']}: {node['target']} {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
        # Gradio's own parts say nothing of ours.
        if page.evaluate(OURS, node["target"][-1])
    ]


OURS = "one => !document.querySelector(one)?.closest('footer, .toast-wrap')"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(open_page, photo, axe_script, scheme, tmp_path):
    page = open_page(color_scheme=scheme)
    page.evaluate(axe_script)
    found = violations(page, "first sight")
    enhanced(page, photo)
    page.click(".dg-more")
    page.check(".dg-phones input[value=both]", force=True)
    finished(page)
    page.check(".dg-views input[value=map]", force=True)
    found += violations(page, "map of both phones")
    bad = tmp_path / "words.jpg"
    bad.write_text("These are words.")
    page.set_input_files(".dg-file", bad)
    expect(page.locator("#viewer [data-kind=error]")).to_be_visible()
    found += violations(page, "error")
    page.click(".dg-camera")
    found += violations(page, "camera")
    page.keyboard.press("Escape")
    tab(page, "Many photos")
    found += violations(page, "many, empty")
    page.set_input_files(".dg-many-files", [photo, bad])
    page.click(".dg-start")
    expect(page.locator(".dg-zip")).to_be_visible()
    found += violations(page, "many, done")
    page.click(".dg-items button")
    expect(page.locator(".dg-lightbox")).to_be_visible()
    found += violations(page, "many, before and after")
    page.keyboard.press("Escape")
    for name in ("About", "For programs"):
        tab(page, name)
        found += violations(page, name)
    assert found == []
