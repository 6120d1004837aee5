"""The dashboard while readings come: everything is counted at once, and the page follows."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from tests.browser.pages import Pages, figure, put, state, table, until
from tests.producer_api.server import Server, serving
from tests.support.processes import free_port, stop
from tests.support.stack import Stack

MINUTE = timedelta(minutes=1)
CHANGED_WITHIN_S = 2
PAGE_BYTES_MAX = 90_000
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module", autouse=True)
def some_readings(server: Server) -> None:
    """Of two sensors, in the last ten minutes."""
    now = datetime.now(UTC)
    for minutes in range(10):
        put(server.url, "cellar", 12 + minutes / 10, now - minutes * MINUTE)
        put(server.url, "roof / ost", 21.5 + minutes, now - minutes * MINUTE)


def told(server: Server, query: str = "") -> Any:
    """What the API says."""
    return httpx.get(f"{server.url}/api/stats{query}").json()


def streams(server: Server) -> float:
    """How many live streams are open."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("telemetry_live_streams "))


def test_figures_stand_there_and_change_with_a_reading(pages: Pages, server: Server) -> None:
    """Each with its sensor and time; a PUT changes them within two seconds, on the page that was loaded once."""
    page = pages.open(server.url)
    until(page, lambda: figure(page, "Maximum") == "30.5")
    assert (figure(page, "Minimum"), page.inner_text("#Maximum a")) == ("12", "roof / ost")
    page.evaluate("document.body.dataset.loaded = 'once'")
    assert min(seconds_until_seen(page, server, celsius) for celsius in (-1.5, -2.5, -3.25)) < CHANGED_WITHIN_S
    assert page.inner_text("#Minimum a") == "cellar"
    assert page.locator("body").get_attribute("data-loaded") == "once"
    page.locator("#Minimum a").click()
    page.wait_for_url("**/sensor?sensorId=cellar")
    until(page, lambda: figure(page, "Minimum") == "-3.25")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    assert "cellar," in Path(download.value.path()).read_text()


def seconds_until_seen(page: Page, server: Server, celsius: float) -> float:
    """How long after its acknowledgement a reading is the minimum on the page. The machine may be busy: one may take longer."""
    put(server.url, "cellar", celsius)
    began_s = time.monotonic()
    until(page, lambda: figure(page, "Minimum") == str(celsius))
    return time.monotonic() - began_s


def test_late_data_corrects_an_old_window(pages: Pages, server: Server) -> None:
    """The window that it lies in, in the table as in the chart; the others stay."""
    page = pages.open(f"{server.url}/?range=hour")
    page.locator("#windows summary").click()
    then = datetime.now(UTC).replace(second=0, microsecond=0) - 5 * MINUTE
    name = f"{then.day} {then:%b %Y, %H:%M:%S}"
    before = table(page)
    assert before[name][3] != "77.5"
    put(server.url, "late", 77.5, then)
    until(page, lambda: table(page)[name][3] == "77.5")
    after = table(page)
    assert int(after[name][0]) == int(before[name][0]) + 1
    assert {key: after[key] for key in [*before][:3]} == {key: before[key] for key in [*before][:3]}
    until(page, lambda: "maximum 77.5" in str(page.locator("#chart canvas").get_attribute("aria-label")))


def test_the_api_restarts_and_the_page_goes_on(pages: Pages, live_stack: Stack, log: Path, server: Server) -> None:
    """Meanwhile it says that it is not live; afterwards it shows what the table holds."""
    environ = live_stack.environ | {"PORT": str(free_port())}
    with serving(environ, log) as first:
        page = pages.open(first.url)
        stop(first.process)
        until(page, lambda: state(page) == "away")
        assert page.inner_text("#live") == "Not live: no figures come"
    put(server.url, "meanwhile", 66.125)
    with serving(environ, log) as second:
        assert second.url == first.url
        until(page, lambda: state(page) == "live" and figure(page, "Average") == str(told(second)["Average"]), 40)
        assert page.inner_text("#Average .made") == f"of {told(second, '?detail=true')['Count']} readings"


def test_a_page_without_a_stream_asks_now_and_then_and_says_so(pages: Pages, live_stack: Stack, log: Path) -> None:
    """An API that serves no streams refuses one for good; the figures change all the same."""
    with serving(live_stack.environ | {"LIVE_STREAMS_MAX": "0"}, log) as server:
        page = pages.open(server.url, wait=False)
        until(page, lambda: state(page) == "polling")
        assert page.inner_text("#live") == "Not live: asked for every 5 seconds"
        put(server.url, "polled", 88.5)
        until(page, lambda: figure(page, "Maximum") == "88.5")


def test_one_stream_a_tab_that_is_closed_while_nobody_looks(pages: Pages, server: Server) -> None:
    """While the tab is hidden or paused there is none; then it goes on."""
    page = pages.open(server.url)
    until(page, lambda: streams(server) == 1)
    page.evaluate(HIDE, True)
    until(page, lambda: streams(server) == 0)
    page.evaluate(HIDE, False)
    until(page, lambda: streams(server) == 1)
    page.get_by_role("button", name="Pause").click()
    until(page, lambda: streams(server) == 0 and page.inner_text("#live") == "Paused")
    page.get_by_role("button", name="Resume").click()
    until(page, lambda: streams(server) == 1 and state(page) == "live")


def test_everything_works_by_keyboard(pages: Pages, server: Server) -> None:
    """Past the head to the figures; through the windows, each of which is spoken; to a sensor and its files."""
    page = pages.open(server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    page.locator("#chart").focus()
    said = page.locator("[role=status]")
    page.keyboard.press("End")
    last = said.inner_text()
    page.keyboard.press("ArrowLeft")
    assert "average" in last
    assert "°C" in said.inner_text() != last
    page.keyboard.press("ArrowRight")
    assert said.inner_text() == last
    pressed(page, "input[type=search]")
    page.keyboard.type("roo")
    until(page, lambda: page.locator("[data-part=sensors] tbody tr").count() == 1)
    pressed(page, "[data-part=sensors] tbody a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sensor?sensorId=roof*")
    pressed(page, "a[download]")


def pressed(page: Page, selector: str) -> None:
    """Tab on until an element has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never comes to {selector}")


def test_what_is_seen_lives_in_the_url(pages: Pages, server: Server) -> None:
    """Choices make it, going back undoes them, and another browser that opens it shows the same."""
    page = pages.open(server.url, zone="Europe/Paris")
    page.get_by_role("radio", name="Day").check()
    page.wait_for_url("**/?range=day")
    page.locator("[name=tz]").fill("Asia/Kathmandu")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?range=day&tz=Asia%2FKathmandu")
    page.get_by_label("95th percentile").check()
    page.wait_for_url("**p95=true")
    page.locator("#windows summary").click()
    until(page, lambda: "p95" in page.inner_text("[data-part=windows] thead"))
    until(page, lambda: "beginning at the time shown in Asia/Kathmandu" in page.inner_text("caption"))
    shown = table(page)
    other = pages.open(page.url, zone="America/New_York")
    other.locator("#windows summary").click()
    until(page, lambda: [*table(other)] == [*shown])
    page.go_back()
    until(page, lambda: "p95" not in page.inner_text("[data-part=windows] thead"))
    assert not page.get_by_label("95th percentile").is_checked()


def test_a_page_is_right_without_scripts(pages: Pages, server: Server) -> None:
    """Figures, windows, sensors, and forms that work."""
    page = pages.open(f"{server.url}/?range=hour&tz=Europe/Paris", scripts=False)
    assert figure(page, "Average") == str(told(server)["Average"])
    page.locator("#windows summary").click()
    assert len(table(page)) >= 10
    page.get_by_role("radio", name="Day").check()
    page.get_by_role("button", name="Show").click()
    assert "range=day" in page.url
    page.locator("input[type=search]").fill("roof")
    page.get_by_role("button", name="Find").click()
    assert page.locator("[data-part=sensors] tbody th").all_inner_texts() == ["roof / ost"]


def test_a_newer_version_is_offered(pages: Pages, server: Server) -> None:
    """Not forced: the page goes on until somebody wants it."""
    page = pages.open(server.url, wait=False)
    assert not page.locator("#newer").is_visible()
    newer = 'event: freshness\ndata: {"asOf":null,"lagMs":1,"version":"99"}\n\n'
    page.route("**/api/live?*", lambda route: route.fulfill(body=newer, content_type="text/event-stream"))
    page.evaluate(HIDE, False)
    until(page, lambda: page.locator("#newer").is_visible())


def test_a_page_is_light(pages: Pages, server: Server) -> None:
    """All that comes over the wire until it is live, packed: the counter stands for the time on a slow line."""
    page = pages.open(server.url, wait=False)
    page.goto("about:blank")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(server.url)
    until(page, lambda: state(page) == "live" and len(sizes) >= 11)
    assert sum(sizes) < PAGE_BYTES_MAX, sizes
