"""Pages as a person has them: opened in a zone, light or dark, large or small; what goes wrong in them is noted."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page

from tests.support.waiting import eventually

AXE = Path(__file__).parent / "vendor" / "axe" / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

type Scheme = Literal["light", "dark"]


class Pages:
    """Opens pages. `faults` are violations of the policy, exceptions and errors in any of them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []
        self.expected = ("Failed to load resource", "ERR_")
        """What a browser says of answers that fail, as some tests want them to."""

    def open(
        self,
        url: str,
        *,
        zone: str = "UTC",
        scheme: Scheme = "light",
        width: int = 1200,
        scripts: bool = True,
        wait: bool = True,
    ) -> Page:
        """A page in a browser of its own; with scripts, once it is live."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, timezone_id=zone, java_script_enabled=scripts
        )
        self._contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"{error}\n{error.stack}"))
        page.goto(url)
        if scripts and wait:
            until(page, lambda: state(page) == "live")
        return page

    def close(self) -> None:
        """Close them all."""
        for context in self._contexts:
            with suppress(Error):  # it may have gone with its server
                context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in self.expected):
            self.faults.append(message.text)


def until(page: Page, condition: Any, within_s: float = 20) -> None:
    """Wait for a condition while the page goes on."""

    def met() -> None:
        page.evaluate("0")  # lets Playwright take in what happened
        assert condition(), page.inner_text("body")

    eventually(met, within_s)


def state(page: Page) -> str | None:
    """What the page says of its stream, for scripts."""
    return page.locator("html").get_attribute("data-live")


def figure(page: Page, name: str) -> str:
    """One of the three figures, without its unit."""
    return page.inner_text(f"#{name} .number")


def word(page: Page) -> str | None:
    """The verdict in a word."""
    return page.locator("[data-part=sentence]").get_attribute("data-word")


def faults_of(page: Page) -> list[str]:
    """What axe has to say against a page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())  # by the debugger's door, past the page's policy
    found: Any = page.evaluate("tags => axe.run({runOnly: tags, resultTypes: ['violations']})", STANDARDS)
    nodes = ((one, node) for one in found["violations"] for node in one["nodes"])
    return [f"{one['help']}: {node['html']} {node['failureSummary']}" for one, node in nodes]


def put(url: str, sensor_id: str, celsius: float, at: datetime | str | None = None) -> None:
    """Send a reading, of now unless it says when."""
    time = at or datetime.now(UTC)
    body = {"sensorId": sensor_id, "temperature": celsius, "timestamp": time if isinstance(time, str) else time.isoformat()}
    assert httpx.put(f"{url}/api/temperature", json=body).status_code == 200


def table(page: Page) -> dict[str, list[str]]:
    """The table of windows: readings, minimum, average, maximum and what else there is, by time."""
    lines: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('[data-part=windows] tbody tr')].map(row => [...row.cells].map(one => one.textContent))"
    )
    assert len({line[0] for line in lines}) == len(lines), lines
    return {line[0]: line[1:] for line in lines}
