"""The dashboard while readings come: everything is counted at once, and the page follows."""

import re
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.browser.pages import Pages, figure, put, state, until, word
from tests.producer_api.server import Server, serving
from tests.support.processes import stop
from tests.support.stack import Stack

MINUTE = timedelta(minutes=1)
CHANGED_WITHIN_S = 2


@pytest.fixture(scope="module", autouse=True)
def some_readings(server: Server) -> None:
    """Of two sensors, in the last ten minutes."""
    now = datetime.now(UTC)
    for minutes in range(10):
        put(server.url, "cellar", 12 + minutes / 10, now - minutes * MINUTE)
        put(server.url, "roof / ost", 21.5 + minutes, now - minutes * MINUTE)


def rows(page: object) -> list[list[str]]:
    """The table of windows."""
    lines = page.locator("[data-part=windows] tbody tr").all()  # type: ignore[attr-defined]
    return [line.locator("th, td").all_inner_texts() for line in lines]


def test_figures_stand_there_and_change_with_a_reading(pages: Pages, server: Server) -> None:
    """Each with its sensor and time; a PUT changes them within two seconds, on the page that was loaded once."""
    page = pages.open(server.url)
    until(page, lambda: figure(page, "Maximum") == "30.5")
    assert figure(page, "Minimum") == "12"
    assert page.inner_text("#Maximum a") == "roof / ost"
    page.evaluate("document.body.dataset.loaded = 'once'")
    put(server.url, "cellar", -3.25)
    began_s = time.monotonic()
    until(page, lambda: figure(page, "Minimum") == "-3.25")
    assert time.monotonic() - began_s < CHANGED_WITHIN_S
    assert page.inner_text("#Minimum a") == "cellar"
    assert page.locator("body").get_attribute("data-loaded") == "once"
    page.locator("#Minimum a").click()
    page.wait_for_url("**/sensor?sensorId=cellar")
    until(page, lambda: figure(page, "Minimum") == "-3.25")
    assert page.locator("a[download]").count() == 3
