"""`after` and `wait`: an answer that holds what was just sent, or when to come back (contract, "How answers agree")."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.producer_api.world import World, asking, at, problem

QUESTIONS = {
    "/api/stats": ("totals", "1"),
    "/api/stats?detail=true": ("totals", "1"),
    "/api/stats?from=2026-01-01": ("windows", "6"),
    "/api/stats/history": ("windows", "6"),
    "/api/stats?sensorId={}": ("everything", "10"),
    "/api/stats/history?sensorId={}": ("everything", "10"),
    "/api/sensors/{}": ("everything", "10"),
    "/api/sensor?sensorId={}": ("everything", "10"),
    "/api/sensors/{}/readings": ("everything", "10"),
    "/api/readings?sensorId={}&format=csv": ("everything", "10"),
}
"""Each with its mark, and with when that moves at the latest, in seconds."""


def with_after(target: str, after: list[str], wait: str = "") -> str:
    """A target that asks for positions as well."""
    more = [f"after={position}" for position in after] + ([f"wait={wait}"] if wait else [])
    return target + ("&" if "?" in target else "?") + "&".join(more)


def read_units(world: World) -> dict[str, float]:
    """What questions have read so far, by kind."""
    series = re.findall(
        r'^telemetry_read_units_total\{question="(\w+)"\} (\S+)$', world.client.get("/metrics").text, re.MULTILINE
    )
    return {question: float(units) for question, units in series if question != "totals"}


def test_what_was_just_sent_is_in_the_answer(world: World) -> None:
    """At once 503 with mark, as-of and when to come back, and nothing is read for it; once it is counted, the answer."""
    minute = datetime(2026, 1, 23, 10, tzinfo=UTC)
    after = world.send(at(minute, "after", "1"), at(minute + timedelta(minutes=1), "after-2", "2"))
    assert 1 <= len(after) <= 2
    assert world.client.get("/api/sensor?sensorId=202").status_code == 200
    before = read_units(world)
    assert before
    for target, (mark, retry_after) in QUESTIONS.items():
        answer = world.client.get(with_after(target.format("after"), after))
        members = problem(answer, 503, "not-yet-counted")
        assert (members["mark"], answer.headers["retry-after"]) == (mark, retry_after)
        assert datetime.fromisoformat(members["asOf"]) <= datetime.now(UTC)
        assert answer.elapsed < timedelta(seconds=5)
    assert read_units(world) == before
    with ThreadPoolExecutor(len(QUESTIONS)) as threads:
        waiting = [
            threads.submit(httpx.get, world.url + with_after(target.format("after"), after, "40"), timeout=60)
            for target in QUESTIONS
        ]
        world.count()
        answers = [one.result() for one in waiting]
    assert [answer.status_code for answer in answers] == [200] * len(QUESTIONS)
    total, detail, stretch, history, one, its_history, path, query, page, table = answers
    assert detail.json()["Count"] == len(world.known)
    assert total.json().keys() == stretch.json().keys()
    assert one.json() == {"Maximum": 1, "Minimum": 1, "Average": 1}
    assert sum(window["count"] for window in history.json()["windows"]) == len(world.known)
    assert [window["count"] for window in its_history.json()["windows"]] == [1]
    assert (path.json()["count"], query.json()["count"]) == (1, 1)
    assert page.json()["readings"] == [{"timestamp": "2026-01-23T10:00:00Z", "temperature": 1}]
    assert table.text.endswith("after,2026-01-23T10:00:00Z,1\r\n")


def test_a_wait_ends(world: World) -> None:
    """After as many seconds as it says."""
    after = world.send(at("2026-01-24T10:00+00:00", "after-3", "1"))
    answer = world.client.get(with_after("/api/stats", after, "0.7"))
    problem(answer, 503, "not-yet-counted")
    assert timedelta(seconds=0.4) < answer.elapsed < timedelta(seconds=5)
    world.count()
    assert world.client.get(with_after("/api/stats", after)).status_code == 200


@pytest.mark.parametrize(
    "position",
    [
        *("shardId-000000000000", "shardId-000000000000:", ":1", "shardId-000000000000:-1", "shardId-000000000000:1e9"),
        *(
            "shardId-000000000000:1 ",
            "a b:1",
            "shardId-000000000000:%D9%A1",
            f"shardId-000000000000:{'9' * 130}",
            f"{'a' * 129}:1",
            "0/shardId-000000000000:1",
            "2/2/shardId-000000000000:1",
            "two/shardId-000000000000:1",
        ),
    ],
)
def test_what_is_no_position_is_refused(world: World, position: str) -> None:
    """400, and what one looks like."""
    [error] = problem(world.client.get(f"/api/stats?after={position}"), 400, "invalid-question")["errors"]
    assert (error["parameter"], "X-Stream-Position" in error["detail"]) == ("after", True)


def test_up_to_fifty_positions_may_be_asked_for(world: World) -> None:
    """All of them are in the answer; of a shard that this stream never had none can be."""
    known = "after=shardId-000000000000:1"
    assert world.client.get("/api/stats?" + "&".join([known] * 50)).status_code == 200
    [error] = problem(world.client.get("/api/stats?" + "&".join([known] * 51)), 400, "invalid-question")["errors"]
    assert (error["parameter"], "50" in error["detail"]) == ("after", True)
    for target in QUESTIONS:
        for unknown in ("shardId-000000000077", "2/shardId-000000000000"):
            answer = world.client.get(with_after(target.format("202"), ["shardId-000000000000:1", f"{unknown}:1"]))
            assert unknown in problem(answer, 422, "unknown-shard")["errors"][0]["detail"]
    future = world.client.get(asking("/api/stats", after=f"shardId-000000000001:{'9' * 129}"))
    problem(future, 503, "not-yet-counted")
