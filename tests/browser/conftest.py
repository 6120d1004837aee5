"""Debian's Chromium, driven by Playwright, and pages that say what went wrong in them."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.counting import counting
from tests.browser.pages import Pages
from tests.producer_api.server import Server, serving
from tests.support.stack import Stack, new_stack

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser, which the machine must have: it comes with no package of ours."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed: the pages are tried in no browser. `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def live_stack(endpoint: str, java: str) -> Iterator[Stack]:
    """A stack on which everything is counted at once."""
    with new_stack(endpoint, java) as stack, counting(stack):
        yield stack


@pytest.fixture(scope="package")
def server(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An API on it."""
    with serving(live_stack.environ, tmp_path_factory.mktemp("api") / "api.log") as server:
        yield server


@pytest.fixture
def pages(browser: Browser) -> Iterator[Pages]:
    """Opens pages, and knows what was wrong with them."""
    pages = Pages(browser)
    yield pages
    pages.close()
    assert not pages.faults
