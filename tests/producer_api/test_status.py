"""GET /api/status, on a real stack without a consumer, and what it makes of what was seen."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumer.leases import make_leases
from operations.observation import observe
from operations.restarts import Restart, Supervisor, write_restarts
from operations.stages import Stage, State
from operations.verdicts import ShardState, ShardVerdict
from producer_api.operating.sight import Sight
from producer_api.operating.status import SHARED_S, ArchiveShape, status_shape
from producer_api.reading.shapes import ENCODER
from projections.generations import LogStream, Pointer
from projections.register import mark_dropped, take
from telemetry.errors import ReasonCode
from tests.producer_api.server import serving
from tests.producer_api.test_contract import project
from tests.support.processes import running
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tests.tidy.tree import ROOT


@pytest.fixture
def client(api: str) -> Iterator[httpx.Client]:
    """Connections to the module's API."""
    with httpx.Client(base_url=api, timeout=15) as client:
        yield client


def told(client: httpx.Client) -> Any:
    """What the status is."""
    answer = client.get("/api/status")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_status_tells_shards_by_who_reads_them_and_what_was_counted(client: httpx.Client, stack: Stack) -> None:
    """Nobody at first; a look is shared for five seconds, and then tells what has changed."""
    first = told(client)
    assert first["verdict"] == "stopped"
    assert [(shard["owner"], shard["verdict"], shard["lagMs"]) for shard in first["shards"]] == [(None, "stopped", None)] * 2
    assert (first["generations"]["live"], first["generations"]["others"], first["archive"]) == (1, [], None)
    assert (first["sensors"], set(first["deadLetters"].values()), first["supervisors"]) == (0, {0}, [])
    assert told(client) == first

    make_leases(stack.dynamodb, stack.names.application, observe(stack.kinesis, stack.dynamodb, stack.names), "worker-1")
    write_restarts(stack.dynamodb, stack.names, Supervisor("worker-1", (Restart(1_500_000, "record processor 7 died"),)))

    def seen_anew() -> Any:
        now = told(client)
        assert now["asOf"] != first["asOf"]
        return now

    later = eventually(seen_anew, within_s=3 * SHARED_S)
    assert [(shard["owner"], shard["verdict"]) for shard in later["shards"]] == [("worker-1", "slow")] * 2
    restart = {"at": "1970-01-01T00:00:01.5Z", "reason": "record processor 7 died"}
    assert later["supervisors"] == [{"workerId": "worker-1", "restarts": [restart]}]


def test_other_generations_are_told_and_how_old_the_archive_is(stack: Stack, log: Path, tmp_path: Path) -> None:
    """One that was registered is told until it is dropped. An archive that is not there is no reason to tell nothing."""
    folder = tmp_path / "archive"
    environ = stack.environ | {"ARCHIVE_TARGET": str(folder)}
    other = replace(stack.names, generation=7)
    with serving(environ, log) as server, httpx.Client(base_url=server.url, timeout=15) as client:
        assert take(stack.dynamodb, other, 1)
        first = eventually(lambda: _with_others(client), within_s=3 * SHARED_S)
        [told_of] = first["generations"]["others"]
        assert (told_of["generation"], told_of["state"], told_of["readings"], told_of["workers"]) == (7, "failed", 0, [])
        assert "telemetry rebuild --generation 7" in told_of["why"]
        assert first["archive"] == {"asOf": None, "ageMs": None}

        mark_dropped(stack.dynamodb, other, 2)
        with running("archive", environ | {"ARCHIVE_INTERVAL_S": "1"}, log):
            eventually(lambda: _archived(client), within_s=60)
        assert told(client)["generations"]["others"] == []


def _with_others(client: httpx.Client) -> Any:
    found = told(client)
    assert found["generations"]["others"]
    return found


def _archived(client: httpx.Client) -> None:
    archive = told(client)["archive"]
    assert archive["asOf"]
    assert archive["ageMs"] < 30_000


def test_parameters_are_refused(client: httpx.Client) -> None:
    """It takes none."""
    assert client.get("/api/status?verbose=true").status_code == 400


def told_alike(shown: Any, answered: Any) -> bool:
    """Whether two answers are of one shape: the same members in the same order, of the same types; null is of any."""
    if shown is None or answered is None:
        return True
    if isinstance(shown, dict) and isinstance(answered, dict):
        return [*shown] == [*answered] and all(told_alike(shown[name], answered[name]) for name in shown)
    if isinstance(shown, list) and isinstance(answered, list):
        return all(told_alike(one, other) for one in shown for other in answered)
    return type(shown) is type(answered)


def test_docs_operating_shows_what_is_answered(client: httpx.Client, stack: Stack) -> None:
    """Each curl line is asked again: members and series are those of the document, whatever their values now."""
    text = (ROOT / "docs/operating.md").read_text()
    shown = re.findall(r"^\$ curl http://127\.0\.0\.1:8080(\S+)\n((?:[^`$].*\n)+)", text, re.MULTILINE)
    assert [path for path, _ in shown] == ["/livez", "/readyz", "/api/status", "/metrics"]
    reading = {"sensorId": "202", "temperature": 18.7, "timestamp": "2021-11-26T18:10:00"}
    assert client.put("/api/temperature", json=reading).status_code == 200
    assert client.put("/api/temperature", json=reading | {"timestamp": "nope"}).status_code == 400
    project(stack)
    *examples, (_, series) = shown
    for path, example in examples:
        answer = client.get(path)
        assert answer.status_code == 200
        assert told_alike(json.loads(example), answer.json()), answer.text

    def all_told() -> None:
        told = {line.rpartition(" ")[0] for line in client.get("/metrics").text.splitlines()}
        assert {line.rpartition(" ")[0] for line in series.splitlines()} <= told

    eventually(all_told, within_s=3 * SHARED_S)


def test_every_member_is_there() -> None:
    """Dead letters of all shards together, by code; lags and ages in whole milliseconds."""
    letters = dict.fromkeys(ReasonCode, 0)
    sight = Sight(
        at_us=1_700_000_000_000_000,
        pointer=Pointer(3, (LogStream("s", "1600000000.000"), LogStream("s", "1699999999.123"))),
        shards=[
            ShardState("one", "me", ShardVerdict.OK, 1_234_567, 2.5),
            ShardState("two", None, ShardVerdict.STOPPED, None, 0.0),
        ],
        sensors=7,
        dead_letters={"one": letters | {ReasonCode.NOT_JSON: 2}, "ended": letters | {ReasonCode.NOT_JSON: 3}},
        supervisors=[],
        others=[State(4, Stage.LAGGING, "furthest behind: one", 12, 3_456_789, 2, ("you",))],
    )
    archive = ArchiveShape("2023-11-14T22:13:20Z", 5_000)
    assert ENCODER.encode(status_shape(sight, archive)).decode() == (
        '{"verdict":"stopped","asOf":"2023-11-14T22:13:20Z",'
        '"generations":{"live":3,"streamCreated":"2023-11-14T22:13:19.123Z","others":[{"generation":4,'
        '"state":"lagging","why":"furthest behind: one","readings":12,"behindLiveMs":3456,"workers":["you"]}]},'
        '"shards":[{"shardId":"one","owner":"me","verdict":"ok","lagMs":1234,"positionAgeMs":2500},'
        '{"shardId":"two","owner":null,"verdict":"stopped","lagMs":null,"positionAgeMs":0}],"sensors":7,'
        '"deadLetters":{"not-json":5,"not-an-event":0,"unknown-type":0,"out-of-range":0,"too-long":0,"bad-gzip":0,"many-lines":0},'
        '"supervisors":[],"archive":{"asOf":"2023-11-14T22:13:20Z","ageMs":5000}}'
    )
