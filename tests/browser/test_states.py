"""What the page says when nothing was sent, when nobody counts, when the tables are away; and what axe says of it all."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import httpx
import pytest

from tests.browser.counting import Counting, counting
from tests.browser.pages import Pages, faults_of, figure, put, until, word
from tests.producer_api.forwarder import Forwarder, forwarding
from tests.producer_api.server import Server, serving
from tests.support.stack import Stack, at, new_stack

NARROW = 320
"""CSS pixels: what WCAG asks of a page that is not to be scrolled sideways (1.4.10)."""


@pytest.fixture(scope="module")
def away(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Forwarder]]:
    """An API that can be cut off from AWS."""
    log = tmp_path_factory.mktemp("away") / "api.log"
    with (
        forwarding(stack.settings.aws_endpoint_url or "") as forwarder,
        serving(stack.environ | at(forwarder.url), log) as server,
    ):
        yield server, forwarder


def test_an_empty_pipeline_says_how_to_begin(pages: Pages, stack: Stack, log: Path) -> None:
    """And when a first reading is counted, the page shows it."""
    with serving(stack.environ, log) as server:
        page = pages.open(server.url)
        assert page.get_by_role("heading", name="Send a reading").is_visible()
        assert f"curl -X PUT {server.url}/api/temperature" in page.inner_text(".empty")
        assert "No reading has been counted yet" in page.inner_text("[data-part=sentence]")
        assert not faults_of(page)
        put(server.url, "202", 18.7)
        with counting(stack):
            until(page, lambda: figure(page, "Maximum") == "18.7" and word(page) == "Complete")
        assert not page.locator(".empty").is_visible()


def test_figures_that_are_behind_are_not_called_complete(pages: Pages, endpoint: str, java: str, log: Path) -> None:
    """A consumer whose word is a minute old: the page says by how much, and that asks for attention."""
    with new_stack(endpoint, java) as stack, serving(stack.environ, log) as server:
        put(server.url, "203", 20)
        counter = Counting(stack, behind_s=100)
        counter.count()
        counter.close()
        page = pages.open(server.url)
        assert "figures 1 min behind" in page.inner_text("[data-part=sentence]")
        assert not faults_of(page)


def test_without_its_tables_the_page_still_comes_and_says_so(pages: Pages, away: tuple[Server, Forwarder]) -> None:
    """With status 200, what is not known as such; and goes on by itself when they answer."""
    server, forwarder = away
    forwarder.cut()
    answer = httpx.get(server.url)
    assert answer.status_code == 200
    page = pages.open(server.url, wait=False)
    assert word(page) == "Broken"
    assert (
        "The figures cannot be read: the tables do not answer at the moment. Readings are stored all the same"
        in page.inner_text("[data-part=sentence]")
    )
    assert figure(page, "Maximum") == "–"
    assert not faults_of(page)
    forwarder.mend()
    until(page, lambda: word(page) != "Broken" and figure(page, "Maximum") != "–", 60)


@pytest.mark.parametrize("path", ["/", "/sensor?sensorId=cellar"])
def test_axe_finds_nothing(pages: Pages, server: Server, path: str) -> None:
    """Light and dark, large and small, windows open; nothing needs scrolling sideways."""
    put(server.url, "cellar", 12, datetime.now(UTC) - timedelta(minutes=3))
    put(server.url, "cellar", 14)
    put(server.url, "silent", 14, datetime.now(UTC) - timedelta(days=3))
    page = pages.open(server.url + path)
    until(page, lambda: page.locator("#chart canvas").is_visible())
    page.locator("#windows summary").click()
    for dark, width in product((False, True), (1200, NARROW)):
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_viewport_size({"width": width, "height": 900})
        assert not faults_of(page)
        until(page, lambda width=width: page.evaluate("document.documentElement.scrollWidth") <= width)
