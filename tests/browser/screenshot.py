"""`make screenshot`: runs the demo, sends an hour of its sensors' readings, and writes docs/dashboard.png."""

import os
import random
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from playwright.sync_api import sync_playwright

from replay.fleet import readings
from tests.support.processes import free_port, running
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT

WRITTEN = ROOT / "docs" / "dashboard.png"
BYTES_MAX = 150_000
READY_WITHIN_S = 300
MINUTES_MIN = 50


def main() -> None:
    """Take it."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("No Chromium is installed: apt-get install chromium")
    url = f"http://127.0.0.1:{(port := free_port())}"
    log = Path(os.environ.get("TMPDIR", "/tmp")) / f"screenshot-{port}.log"  # noqa: S108  its name is nobody else's
    demo = {**os.environ, "PORT": str(port), "LOCALSTACK_PORT": "0", "DEMO": "1"}
    with TemporaryDirectory() as archive, running("infra.local.run", {**demo, "ARCHIVE_TARGET": archive}, log):
        eventually(lambda: _is_ready(log), READY_WITHIN_S)
        _send_an_hour(url)
        taken = _take(url, browser)
    log.unlink()
    if len(taken) > BYTES_MAX:
        sys.exit(f"The picture has {len(taken):,} bytes, at most {BYTES_MAX:,}.")
    WRITTEN.write_bytes(taken)


def _is_ready(log: Path) -> None:
    assert "Ready. Open" in log.read_text(), log.read_text()


def _send_an_hour(url: str) -> None:
    now, chance = datetime.now(UTC), random.Random(0)  # noqa: S311  weather, not secrets
    bodies = [body for minute in range(60) for body in readings(chance, now - timedelta(minutes=minute))]
    assert httpx.post(f"{url}/api/temperature/batch", json=bodies, timeout=30).status_code == 200


def _take(url: str, browser: str) -> bytes:
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=browser).new_page(viewport={"width": 1000, "height": 830})
        page.goto(url)
        page.wait_for_selector('[data-live="live"] [data-word="Complete"]', timeout=120_000)

        def drawn() -> None:
            page.evaluate("0")  # lets Playwright take in what happened
            label = page.locator("#chart canvas").get_attribute("aria-label") or ""
            assert int((re.findall(r"of (\d+) windows", label) or ["0"])[0]) > MINUTES_MIN, label

        eventually(drawn, READY_WITHIN_S)
        return page.screenshot()


if __name__ == "__main__":
    main()
