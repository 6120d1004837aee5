"""A viewer in Paris on the nights of the change: each hour that there was, once, under a name of its own."""

import pytest
from playwright.sync_api import Page

from tests.browser.pages import Pages, put, table, until
from tests.producer_api.server import Server

AUTUMN = "range=own&from=2025-10-26&to=2025-10-27&interval=hour"
SPRING = "range=own&from=2026-03-29&to=2026-03-30&interval=hour"


@pytest.fixture(scope="module", autouse=True)
def some_readings(server: Server) -> None:
    """Around the changes, at 01:00 UTC both times."""
    for hour in (0, 1, 2):
        put(server.url, "night", 10 + hour, f"2025-10-26T0{hour}:30:00Z")
        put(server.url, "night", 20 + hour, f"2026-03-29T0{hour}:30:00Z")


def opened(pages: Pages, server: Server, question: str, path: str = "") -> Page:
    """The page with its table of windows open, in a browser in Paris."""
    page = pages.open(f"{server.url}/{path}?{question}", zone="Europe/Paris")
    page.locator("#windows summary").click()
    until(page, lambda: len(table(page)) == 3)
    return page


@pytest.mark.parametrize("path", ["", "sensor"])
def test_the_hour_that_comes_twice_is_two_windows(pages: Pages, server: Server, path: str) -> None:
    """02:00 with either offset; the day that was asked for is Paris's."""
    page = opened(pages, server, AUTUMN + ("&sensorId=night" if path else ""), path)
    hours = {
        "26 Oct 2025, 02:00:00 +02:00": "10",
        "26 Oct 2025, 02:00:00 +01:00": "11",
        "26 Oct 2025, 03:00:00 +01:00": "12",
    }
    until(page, lambda: {name: cells[2] for name, cells in table(page).items()} == hours)
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    assert page.inner_text("#said").startswith("26 Oct 2025, 02:00:00 +02:00: average 10 °C")


def test_the_hour_that_is_skipped_is_none(pages: Pages, server: Server) -> None:
    """03:00 follows 01:00."""
    page = opened(pages, server, SPRING)
    hours = {
        "29 Mar 2026, 01:00:00 +01:00": "20",
        "29 Mar 2026, 03:00:00 +02:00": "21",
        "29 Mar 2026, 04:00:00 +02:00": "22",
    }
    until(page, lambda: {name: cells[2] for name, cells in table(page).items()} == hours)


def test_the_server_tells_the_same_to_who_has_no_scripts(pages: Pages, server: Server) -> None:
    """With the zone in the URL."""
    page = pages.open(f"{server.url}/?{AUTUMN}&tz=Europe/Paris", scripts=False)
    page.locator("#windows summary").click()
    assert [*table(page)] == [
        "26 Oct 2025, 02:00:00 +02:00",
        "26 Oct 2025, 02:00:00 +01:00",
        "26 Oct 2025, 03:00:00 +01:00",
    ]
