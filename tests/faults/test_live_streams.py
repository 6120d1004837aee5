"""Hundreds of pages listen while readings come, late ones among them, and the API is started anew."""

import json
from functools import partial
from typing import Any

import httpx
import pytest

from tests.faults.conftest import Trial
from tests.faults.fleet import fleet_sending
from tests.faults.listeners import Listeners, listeners
from tests.faults.test_outages import lasts
from tests.support.waiting import eventually

_GROWTH_MB_MAX = 20


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_every_page_ends_with_what_the_tables_hold(trial: Trial) -> None:
    """Windows and figures alike, however often a page was left and came back; the API's memory stays where it was."""
    pages = 500
    with trial.serving(CONNECTIONS_MAX="2000") as api, trial.consuming() as consumer:
        consumer.wait_for("consumer_working", within_s=90)
        with listeners(api.url, pages) as heard:
            with fleet_sending(trial.stack, 200, seed=22):
                eventually(partial(_all_begun, heard, pages), within_s=60)
                lasts(100)
                first_mb = api.memory_mb()
                lasts(200)
                grown_mb = api.memory_mb() - first_mb
                assert api.stop() == 0
                api.start()
                eventually(partial(_all_begun, heard, 2 * pages), within_s=90)
                lasts(300)
            eventually(partial(_all_agree, heard, api.url), within_s=120)
            names = ("snapshot", "window", "correction", "stats", "left", "unreachable")
            events: dict[str, Any] = {name: heard.events[name] for name in names}
    assert grown_mb < _GROWTH_MB_MAX
    assert events["correction"]
    trial.report("7", f"API stopped and started under {pages} live streams", 1, grown_mb=round(grown_mb, 1), **events)


def _all_begun(heard: Listeners, snapshots: int) -> None:
    assert heard.events["snapshot"] >= snapshots, heard.events


def _all_agree(heard: Listeners, url: str) -> None:
    """With a snapshot that was asked for now."""
    answer = httpx.get(f"{url}/api/live?once=true")
    snapshot = json.loads(answer.text.partition("data: ")[2])
    assert snapshot["stats"]["Count"] > 1_000
    different = sum(not page.agrees(snapshot) for page in heard.all)
    assert not different, f"{different} of {len(heard.all)}"
