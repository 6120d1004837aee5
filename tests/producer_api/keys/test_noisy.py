"""A noisy key: what it may not send is refused, and every reading and refusal is counted once, whoever sent it."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

import httpx

from telemetry.keys import Role
from tests.producer_api.doors.app import Asked, stored
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.keys.entrance import entrance
from tests.producer_api.keys.test_gate import AT
from tests.producer_api.test_writer import scenario

NOISY, QUIET, BATCHES, LINES = 100, 40, 20, 15
AT_ONCE = 8
"""Requests under way: so many of a key may be let in before the first of them is counted against its rate."""


async def some_at_once(asked: Sequence[Coroutine[Any, Any, httpx.Response]]) -> list[httpx.Response]:
    """The answers in their order."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(request: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
        async with places:
            return await request

    return await asyncio.gather(*map(one, asked))


async def put(client: Asked, sensor_id: str, key: dict[str, str]) -> httpx.Response:
    """One reading."""
    return await client.put("/api/temperature", json={"sensorId": sensor_id, "temperature": 1, "timestamp": AT}, headers=key)


@scenario
async def test_counters_are_exact_while_a_noisy_key_is_refused(kinesis: FakeKinesis) -> None:
    """Some at once, single and in batches: stored readings, refusals by code, and what the stream holds are one sum."""
    async with entrance(kinesis) as (client, made):
        noisy = {"X-API-Key": made.table.make("noisy", Role.INGEST, rate=10.0, burst=30)}
        batching = {"X-API-Key": made.table.make("batch", Role.INGEST, rate=1.0, burst=100)}
        quiet = {"X-API-Key": made.table.make("quiet", Role.INGEST)}
        batch = [{"sensorId": f"batch-{n}", "temperature": 1, "timestamp": AT} for n in range(LINES)]
        asked = [
            *(put(client, f"noisy-{n}", noisy) for n in range(NOISY)),
            *(put(client, f"quiet-{n}", quiet) for n in range(QUIET)),
            *(client.post("/api/temperature/batch", json=batch, headers=batching) for _ in range(BATCHES)),
        ]
        answers = await some_at_once(asked)
    singles, batches = answers[: NOISY + QUIET], answers[NOISY + QUIET :]
    noisy_codes = Counter(answer.status_code for answer in singles[:NOISY])
    assert {answer.status_code for answer in singles[NOISY:]} == {200}, "nobody else is told to wait"
    assert set(noisy_codes) == {200, 429}
    assert 30 <= noisy_codes[200] < 30 + AT_ONCE, "what the bucket held"
    taken = sum(answer.status_code == 200 for answer in batches)
    assert {answer.status_code for answer in batches} == {200, 429}
    assert 100 / LINES <= taken <= 100 / LINES + AT_ONCE
    assert client.outcomes.readings == {
        ("put", "stored"): noisy_codes[200] + QUIET,
        ("batch", "stored"): taken * LINES,
    }
    assert client.outcomes.refused == {"too-many-requests": noisy_codes[429] + BATCHES - taken}
    assert len(set(stored(kinesis))) == noisy_codes[200] + QUIET + LINES


@scenario
async def test_in_the_long_run_a_key_sends_what_its_rate_says(kinesis: FakeKinesis) -> None:
    """One request at a time, a second after the other: ten a second, and the burst once."""
    async with entrance(kinesis) as (client, made):
        noisy = {"X-API-Key": made.table.make("noisy", Role.INGEST, rate=10.0, burst=20)}
        codes: Counter[int] = Counter()
        for second in range(5):
            for number in range(25):
                codes[(await put(client, f"{second}-{number}", noisy)).status_code] += 1
            made.clock.now_s += 1
    assert codes == {200: 20 + 4 * 10, 429: 125 - 60}
