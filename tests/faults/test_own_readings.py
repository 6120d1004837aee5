"""Who sends a reading and then asks `after` its position sees it, whatever happens to shards and consumers meanwhile."""

import itertools
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any

import httpx
import pytest

from projections.queries import fleet_stats
from tests.faults.conftest import Trial
from tests.faults.test_reshards import reshard
from tests.support.waiting import eventually

_CLIENTS = 32
_WAIT_S = 20
_GIVES_UP_S = 180
"""While a consumer comes back from a kill or a reshard, an answer may be 503 not-yet-counted once and again."""


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_whoever_asks_after_its_position_sees_its_own_reading(trial: Trial) -> None:
    """Each reading is warmer than all before: an answer that holds it tells at least its temperature, a sensor's just that."""
    fleet, sensors = trial.often(200, 10_000), trial.often(16, 1_000)
    cents, rng = itertools.count(), Random(14)  # noqa: S311  repeatable on purpose
    with trial.serving() as api, trial.consuming() as consumer, httpx.Client(base_url=api.url, timeout=60) as client:
        send = partial(_send, client, cents)
        with ThreadPoolExecutor(_CLIENTS) as pool:
            asked = [pool.submit(send, "", f"s{number % 50}") for number in range(fleet // 2)]
            eventually(lambda: _some_done(asked), within_s=120)
            reshard(trial.stack, rng)
            asked += [pool.submit(send, f"own-{number}", f"own-{number}") for number in range(sensors)]
            asked += [pool.submit(send, "", f"s{number % 50}") for number in range(fleet - fleet // 2)]
            consumer.signal(signal.SIGKILL, [consumer.daemon()])
            patiently = sum(one.result() for one in asked)
        assert fleet_stats(trial.stack.dynamodb, trial.stack.names).stats.count == fleet + sensors
    fault = "PUT, then GET /api/stats?after&wait, over a reshard and a killed daemon"
    trial.report("5", fault, fleet + sensors, of_one_sensor=sensors, not_yet_counted=patiently)


def _some_done(asked: list[Any]) -> None:
    assert sum(one.done() for one in asked) * 4 >= len(asked)


def _send(client: httpx.Client, cents: "itertools.count[int]", asked_sensor: str, sensor_id: str) -> int:
    """Send a reading and ask for it; how often the answer was 503 not-yet-counted before it held the reading."""
    temperature = next(cents) / 100
    reading = {"sensorId": sensor_id, "temperature": temperature, "timestamp": "2026-11-26T08:00:00Z"}
    put = _until(lambda: client.put("/api/temperature", json=reading), 200)
    after = put.headers["X-Stream-Position"]
    question = {"after": after, "wait": str(_WAIT_S)} | ({"sensorId": asked_sensor} if asked_sensor else {})
    refused = itertools.count()

    def ask() -> httpx.Response:
        answer = client.get("/api/stats", params=question)
        if answer.status_code == 503:
            assert answer.json()["code"] == "not-yet-counted", answer.text
            next(refused)
        return answer

    maximum = _until(ask, 200).json()["Maximum"]
    assert maximum == temperature if asked_sensor else maximum >= temperature, (after, temperature, maximum)
    return next(refused)


def _until(ask: Callable[[], httpx.Response], status: int) -> httpx.Response:
    """An answer of this status; none, or 503, may come before it."""

    def answered() -> httpx.Response:
        try:
            answer = ask()
        except httpx.TransportError as error:
            raise AssertionError(str(error)) from None
        assert answer.status_code in {status, 503}, answer.text
        assert answer.status_code == status, answer.text
        return answer

    return eventually(answered, within_s=_GIVES_UP_S)
