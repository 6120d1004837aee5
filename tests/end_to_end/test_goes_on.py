"""`make run` again: what was stored is there, whether the run before was stopped or killed with all it had started."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from archive.instants import instant_ms
from infra.local.downloads import ensure_localstack
from tests.projections.logs import reading
from tests.support.make_run import SENSOR, MakeRun
from tests.support.waiting import eventually

READINGS = [reading(f"s-{number % 7}", number % 200 * 30.25, number % 40 - 9.5) for number in range(300)]
SAID_LATE_S = 30
"""A state is written every ten seconds where nothing comes, and a busy core may take its time."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], MakeRun]]:
    """Starts runs that go on with one archive."""
    ensure_localstack()
    runs: list[MakeRun] = []

    def begin() -> MakeRun:
        runs.append(MakeRun(tmp_path / "data", tmp_path / f"{len(runs)}.log"))
        return runs[-1]

    yield begin
    for run in runs:
        run.end()


def test_what_was_stored_is_there_after_a_stop_and_after_a_kill(start: Callable[[], MakeRun], tmp_path: Path) -> None:
    """Equal in each attribute; places that were told before are still known. After the kill it says since when something may be
    missing. A second run on the same folder is refused.
    """
    distinct = len(set(READINGS))
    first = start().wait()
    after = first.send(READINGS)
    assert first.count(after) == distinct
    before = first.tables()
    assert len(before["readings"]) == distinct
    assert "Another make run archives into" in start().done()
    assert first.stop() == 0
    assert "may be missing" not in first.log.read_text()

    second = start().wait()
    assert second.said(rf"{distinct} readings of the run before are there again, which took [\d.]+ s")
    assert not second.said(".*may be missing.*")
    assert second.tables() == before
    assert second.count(after) == distinct
    position = second.put(reading(SENSOR, 10**6))
    assert position.startswith("2/")
    archived = tmp_path / "data" / "log"
    eventually(partial(_holds, archived, position), within_s=60)
    put_at_ms = time.time_ns() // 1_000_000
    second.kill()

    third = start().wait()
    [said] = third.said("what arrived after .* may be missing.*")
    since_ms = instant_ms(re.findall(r"after (\S+) and before", said)[0])
    assert put_at_ms - since_ms < SAID_LATE_S * 1000
    assert third.count([*after, position]) == distinct + 1
    lost = f"{position.partition(':')[0]}:{int(position.partition(':')[2]) + 10**9}"
    answer = httpx.get(f"{third.url}/api/stats", params={"after": lost})
    assert (answer.status_code, answer.json()["code"]) == (422, "position-lost")
    assert third.stop() == 0


def _holds(archived: Path, position: str) -> None:
    """The second stream has an object of a position's shard."""
    shard_id = position.partition(":")[0].rpartition("/")[2]
    streams = sorted(archived.iterdir())
    assert len(streams) == 2
    assert list((streams[1] / shard_id).glob("*.ndjson.gz"))
