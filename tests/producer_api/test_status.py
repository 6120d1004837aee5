"""GET /api/status, on a real stack without a consumer, and what it makes of what was seen."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from consumer.leases import make_leases
from operations.observation import observe
from operations.restarts import Restart, Supervisor, write_restarts
from operations.verdicts import ShardState, ShardVerdict
from producer_api.operating.sight import Sight
from producer_api.operating.status import SHARED_S, status_shape
from producer_api.reading.shapes import ENCODER
from projections.generations import Pointer
from telemetry.errors import ReasonCode
from tests.support.stack import Stack
from tests.support.waiting import eventually


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
    assert (first["generations"]["live"], first["generations"]["others"], first["archive"]) == (1, None, None)
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


def test_parameters_are_refused(client: httpx.Client) -> None:
    """It takes none."""
    assert client.get("/api/status?verbose=true").status_code == 400


def test_every_member_is_there() -> None:
    """Dead letters of all shards together, by code; lags and ages in whole milliseconds."""
    letters = dict.fromkeys(ReasonCode, 0)
    sight = Sight(
        at_us=1_700_000_000_000_000,
        pointer=Pointer(3, "1699999999.123"),
        shards=[
            ShardState("one", "me", ShardVerdict.OK, 1_234_567, 2.5),
            ShardState("two", None, ShardVerdict.STOPPED, None, 0.0),
        ],
        sensors=7,
        dead_letters={"one": letters | {ReasonCode.NOT_JSON: 2}, "ended": letters | {ReasonCode.NOT_JSON: 3}},
        supervisors=[],
    )
    assert ENCODER.encode(status_shape(sight)).decode() == (
        '{"verdict":"stopped","asOf":"2023-11-14T22:13:20Z",'
        '"generations":{"live":3,"streamCreated":"2023-11-14T22:13:19.123Z","others":null},'
        '"shards":[{"shardId":"one","owner":"me","verdict":"ok","lagMs":1234,"positionAgeMs":2500},'
        '{"shardId":"two","owner":null,"verdict":"stopped","lagMs":null,"positionAgeMs":0}],"sensors":7,'
        '"deadLetters":{"not-json":5,"not-an-event":0,"unknown-type":0,"out-of-range":0,"too-long":0,"bad-gzip":0,"many-lines":0},'
        '"supervisors":[],"archive":null}'
    )
