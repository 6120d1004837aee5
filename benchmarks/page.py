"""P27: what the dashboard costs whoever looks at it: bytes, time until figures show, and processor time while it is open."""

import re
import shutil
import statistics
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, sync_playwright

from benchmarks.figures import Figure
from benchmarks.pipeline import consuming
from benchmarks.rig import Rig, load
from tests.browser.conftest import NAMES
from tests.browser.pages import Pages, until

_OPENED: Final = 7
_OPEN_PIECES: Final = 5
_PUTS: Final[dict[str, Any]] = {"clients": 64, "readings": 12_000, "per_s": 200, "sensors": 200, "now": True}
"""A minute of 200 sensors that measure once a second."""

_WHEN_LIVE: Final = """
const look = () => {
  const live = document.documentElement.dataset.live === "live" && document.querySelector("#Maximum .number")?.textContent;
  if (live) window.liveAfterMs = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def dashboard(rig: Rig) -> Iterator[Figure]:
    """P27: the page opened anew in a browser that knows nothing of it, and then left open while sensors send."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "no Chromium is installed: apt-get install chromium"
    with (
        rig.stack() as stack,
        rig.server(stack, "producer_api") as server,
        consuming(rig, stack) as consumer,
        sync_playwright() as playwright,
    ):
        consumer.wait_for("consumer_working", within_s=90)
        load(server.url, **_PUTS)
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-gpu"])
        kilobytes, painted_s, live_s = zip(*(_opened(browser, server.url) for _ in range(_OPENED)), strict=True)
        figure = partial(Figure, "P27", then=None, smaller_is_better=True)
        yield figure("bytes of the dashboard over the wire", "kB", 90, values=kilobytes)
        beside = {"s until they follow the stream": statistics.median(live_s)}
        yield figure("from navigation until its figures are painted", "s", 0.5, values=painted_s, beside=beside)
        shares, beside = _open(browser, server.url)
        what = "share of a core of the open page's process, 200 readings/s"
        yield figure(what, "%", 1, values=shares, beside=beside, note="a minute each")
        browser.close()


def _opened(browser: Browser, url: str) -> tuple[float, float, float]:
    """What came in kB, headers among it; seconds from navigation until the figures are painted, and until they are live."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(_WHEN_LIVE)
    sizes: list[int] = []
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    html = page.goto(url)
    assert html
    assert len(re.findall(r'class="number">-?\d', html.text())) == 3  # it comes with the figures: the first paint shows them
    until(page, lambda: page.evaluate("window.liveAfterMs"))
    live_ms = page.evaluate("window.liveAfterMs")
    painted_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return sum(sizes) / 1000, painted_ms / 1000, live_ms / 1000


def _open(browser: Browser, url: str) -> tuple[list[float], dict[str, float]]:
    """The share of a core, in percent, that an open page takes for each minute; beside it, the whole browser's, and updates."""
    pages = Pages(browser)
    page = pages.open(url)
    page.evaluate(
        "window.updates = 0; new MutationObserver(() => window.updates++)"
        ".observe(document.querySelector('#Average'), {subtree: true, childList: true, characterData: true})"
    )
    session = browser.new_browser_cdp_session()
    shares: dict[str, list[float]] = {"renderer": [], "browser": []}
    for _ in range(_OPEN_PIECES):
        before, began_s = _cpu_s(session), time.monotonic()
        load(url, **_PUTS)
        after, took_s = _cpu_s(session), time.monotonic() - began_s
        for what, pieces in shares.items():
            pieces.append((after[what] - before[what]) / took_s * 100)
    updates = page.evaluate("window.updates")
    assert updates > _OPEN_PIECES * 30, updates  # the figures changed all the time
    assert not pages.faults, pages.faults
    pages.close()
    return shares["renderer"], {"% of all the browser": statistics.median(shares["browser"]), "updates": float(updates)}


def _cpu_s(session: CDPSession) -> dict[str, float]:
    """Processor seconds of the processes that pages run in, and of all there are."""
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return {
        "renderer": sum(one["cpuTime"] for one in processes if one["type"] == "renderer"),
        "browser": sum(one["cpuTime"] for one in processes),
    }
