"""A real Chromium at a running page: what a person does there, in a few words."""

import base64
import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, Request, expect, sync_playwright

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera that films a test picture
    "--use-fake-ui-for-media-stream",
]
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE = 60_000  # milliseconds to wait for what must come
expect.set_options(timeout=PATIENCE)  # a busy machine needs more than Playwright's five seconds

TABS = ("Photo", "Many photos", "About", "For programs")

AXE = "axe-core@4.14.1"


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Chromium; skip where there is none, except in CI, where it must be there."""
    with sync_playwright() as playwright:
        path = _chromium(playwright)
        with playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS) as browser:
            yield browser
        # A data loader's worker that an earlier test has left holds Playwright's pipe open, which
        # would be waited for without end. Garbage collection ends it.
        gc.collect()


def _chromium(playwright: Playwright) -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), playwright.chromium.executable_path)
    if Path(found).exists():
        return found
    reason = "there is no Chromium here: install one, or run `playwright install chromium`"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def opened(browser: Browser, address: str, viewport: dict[str, int], **options: Any) -> Page:
    """Open the page in a window, and a session, of its own; it is there with its example."""
    is_phone = viewport is PHONE
    context = browser.new_context(
        viewport=viewport,
        has_touch=is_phone,
        is_mobile=is_phone,
        reduced_motion="reduce",
        accept_downloads=True,
        **options,
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    # Chromium gives choosers of files to a listener that was there in time: one that is added just
    # before a key is pressed may come too late.
    page.on("filechooser", lambda _: None)
    page.goto(address)
    expect(page.locator("#viewer .dg[data-state=done]")).to_be_attached()
    return page


# This listener comes after the page's own one, which says at once that the page works: whoever
# looked for that later might find a small photo done already.
_NOTE_BEGIN = """() => {
  window.hasBegun = false;
  const note = () => { window.hasBegun = true; };
  document.querySelector("#viewer .dg-file").addEventListener("change", note, {once: true});
}"""


def enhanced(page: Page, file: Path) -> None:
    """Give the page a photo and wait for the result; nothing else is needed."""
    page.evaluate(_NOTE_BEGIN)
    page.set_input_files(".dg-file", file)
    page.wait_for_function("window.hasBegun")
    finished(page)


def finished(page: Page) -> None:
    """Wait until the page has stopped working."""
    expect(page.locator("#viewer .dg[data-state=done]")).to_be_visible()


def asked_of_the_server(page: Page) -> list[str]:
    """From now on, the addresses that the page asks; but not how long the line is, now and then."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if '"line"' not in (request.post_data or ""):
            asked.append(request.url)

    page.on("request", note)
    return asked


def drawn(page: Page) -> None:
    """Wait until the pictures in sight are decoded and a frame with them is drawn."""
    page.evaluate(
        """async () => {
          const shown = [...document.images].filter((one) => one.src && one.checkVisibility());
          await Promise.all(shown.map((one) => one.decode()));
          for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
        }"""
    )


def set_range(page: Page, selector: str, *percents: int) -> None:
    """Move a slider as a hand does, to one place after another, with nothing in between."""
    page.evaluate(
        """([selector, percents]) => {
          const range = document.querySelector(selector);
          for (const percent of percents) {
            range.value = percent;
            for (const kind of ["input", "change"])
              range.dispatchEvent(new Event(kind, {bubbles: true}));
          }
        }""",
        [selector, percents],
    )


def tab(page: Page, name: str) -> None:
    """Go to a tab; its contents are there."""
    page.click(f"#tabs [role=tab]:text-is('{name}')")
    # A tab is made when it is first seen. That for many photos listens once it has its limits.
    gallery = "#gallery .dg-limits:not(:empty)"
    shown = {"Photo": "#viewer", "Many photos": gallery}.get(name, ".dg-text:visible")
    expect(page.locator(shown).first).to_be_visible()


def drop(page: Page, data: bytes, name: str, selector: str) -> None:
    """Drag a file from outside over a place on the page, and drop it there."""
    page.evaluate(
        """([bytes, name, selector]) => {
          const dataTransfer = new DataTransfer();
          const data = Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0));
          dataTransfer.items.add(new File([data], name, {type: "image/jpeg"}));
          const place = document.querySelector(selector);
          for (const kind of ["dragenter", "dragover", "drop"])
            place.dispatchEvent(
              new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
        }""",
        [base64.b64encode(data).decode(), name, selector],
    )


def said(page: Page) -> str:
    """The words in the caption below the picture."""
    return page.inner_text("#viewer .dg-words >> nth=0")


def axe(folder: Path) -> Path:
    """Get axe-core's script from npm; skip where that cannot be, except in CI."""
    npm = shutil.which("npm")
    command = [npm, "install", "--prefix", str(folder), "--no-save", "--ignore-scripts", AXE]
    try:
        if npm is None:
            raise FileNotFoundError("there is no npm here")
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    except (subprocess.SubprocessError, OSError) as error:
        reason = f"npm did not give {AXE}: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder / "node_modules" / "axe-core" / "axe.min.js"
