"""`make run` again: what was stored is there, whether the run before was stopped or killed with all it had started."""

import gzip
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest

from archive.instants import instant_ms
from infra.local.downloads import ensure_localstack
from infra.local.kept import go_on
from infra.setup import load_definition
from projections.generations import read_pointer
from tests.projections.logs import reading
from tests.support.make_run import SENSOR, MakeRun, tables_of
from tests.support.stack import Stack, open_stack
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


@pytest.fixture
def empty(endpoint: str, java: str) -> Iterator[Stack]:
    """Where nothing is yet: on the tests' own LocalStack, which starts faster than another run."""
    stack = open_stack(endpoint, java, f"t-{uuid.uuid4().hex[:8]}")
    yield stack
    pointer = read_pointer(stack.dynamodb, stack.names)
    assert pointer
    for table in load_definition(pointer.names(stack.names.prefix))["tables"].values():
        stack.dynamodb.delete_table(TableName=table["name"])
    stack.kinesis.delete_stream(StreamName=stack.names.stream)
    stack.kinesis.close()
    stack.dynamodb.close()


def test_what_was_stored_is_there_after_a_kill_and_after_a_stop(
    start: Callable[[], MakeRun], empty: Stack, tmp_path: Path
) -> None:
    """Equal in each attribute; places that were told before are still known. After the kill it says since when something may be
    missing, after the stop of nothing more. A second run on the same folder is refused.

    tests/faults/test_goes_on.py does it again and again.
    """
    distinct, archived = len(set(READINGS)), tmp_path / "data"
    first = start().wait()
    after = first.send(READINGS)
    assert first.count(after) == distinct
    before = first.tables()
    assert len(before["readings"]) == distinct
    assert "Another make run archives into" in start().done()
    eventually(partial(_holds, archived, after), within_s=60)
    killed_ms = time.time_ns() // 1_000_000
    first.kill()

    second = start().wait()
    assert second.said(rf"{distinct} readings of the run before are there again, which took [\d.]+ s")
    [said] = second.said("what arrived after .* may be missing.*")
    since_ms = instant_ms(re.findall(r"after (\S+) and before", said)[0])
    assert killed_ms - since_ms < SAID_LATE_S * 1000
    assert second.tables() == before
    position = second.put(reading(SENSOR, 10**6))
    assert position.startswith("2/")
    assert second.count([*after, position]) == distinct + 1
    stored = second.tables()
    assert len(stored["readings"]) == distinct + 1
    lost = f"{after[0].partition(':')[0]}:{int(after[0].partition(':')[2]) + 10**9}"
    answer = httpx.get(f"{second.url}/api/stats", params={"after": lost})
    assert (answer.status_code, answer.json()["code"]) == (422, "position-lost")
    assert second.stop() == 0

    words: list[str] = []
    go_on(empty.settings, archived, words.append)
    assert tables_of(empty) == stored
    assert [word for word in words if "missing" in word] == [said]
    assert any(word.startswith(f"{distinct + 1} readings of the 2 runs before are there again") for word in words)


def _holds(archived: Path, positions: Sequence[str]) -> None:
    """What was stored at these positions lies in objects."""
    lines = b"".join(gzip.decompress(path.read_bytes()) for path in archived.rglob("*.ndjson.gz"))
    assert all(b'"seq":"%b"' % position.partition(":")[2].encode() in lines for position in positions)
