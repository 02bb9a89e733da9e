"""One server and one Chromium for all browser tests of a process; a session for each test."""

import pytest
from playwright.sync_api import Page

from tests.support.app_server import running_app, save_phone_photo
from tests.support.browser import DESK, opened, running_browser


@pytest.fixture(scope="session")
def browser():
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def address(browser, tmp_path_factory):
    with running_app(tmp_path_factory.mktemp("app")) as address:
        yield address


@pytest.fixture
def open_page(browser, address):
    """A function that opens the page in a window, and a session, of its own."""
    pages = []

    def open_page(viewport: dict[str, int] = DESK, query: str = "", **options) -> Page:
        pages.append(opened(browser, address + query, viewport, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        page.context.close()


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture
def photo(tmp_path):
    return save_phone_photo(tmp_path / "walk.jpg", 320, 240)
