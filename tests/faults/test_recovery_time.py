"""How long it takes until readings are projected again. Reported, not judged: machines differ, promises do not."""

import signal
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest

from operations.observation import observe
from projections.queries import fleet_stats
from tests.faults.conftest import Trial
from tests.faults.instances import Consumer, restart_reasons
from tests.support.stack import Stack
from tests.support.waiting import eventually


def seconds_until(done: Callable[[], bool], within_s: float) -> float:
    """How long it takes until this is so."""
    began_s = time.monotonic()

    def holds() -> None:
        assert done()

    eventually(holds, within_s)
    return round(time.monotonic() - began_s, 2)


def figures(seconds: list[float]) -> dict[str, Any]:
    """Median and range."""
    return {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}


@pytest.mark.full
@pytest.mark.parametrize("victim", ["record processor", "daemon"])
def test_h06_after_kill_9_the_next_reading_is_projected(trial: Trial, victim: str) -> None:
    """Sent right after the kill; the worker comes back by itself, under the same name."""
    times = trial.often(1, 10)
    seconds = []
    with trial.serving() as api, trial.consuming() as consumer:
        eventually(lambda: _answers(api.url), within_s=30)
        for number in range(times):
            consumer.wait_for("consumer_working", times=number + 1)
            target = consumer.daemon() if victim == "daemon" else consumer.processors()[0]
            wanted = _count(trial.stack) + 8
            consumer.signal(signal.SIGKILL, [target])
            for sensor in range(8):  # of both shards
                body = {"sensorId": f"s-{sensor}", "temperature": number, "timestamp": "2026-03-01T00:00:00"}
                assert httpx.put(f"{api.url}/api/temperature", json=body).status_code == 200
            seconds.append(seconds_until(partial(_counted, trial.stack, wanted), within_s=60))
    fault = f"kill -9 of a {victim}, until the next readings of every shard are projected"
    trial.report("7", fault, times, **figures(seconds))


@pytest.mark.full
@pytest.mark.timeout(900)
def test_h09_leader_death_with_a_second_worker(trial: Trial) -> None:
    """The leader's whole instance dies; the other removes its lock, takes its place, and every shard goes on."""
    times = trial.often(1, 10)
    seconds = []
    with trial.serving() as api, ExitStack() as workers:
        survivor = workers.enter_context(trial.consuming("worker-0"))
        with trial.sending(api, seed=6, per_s=20) as load:
            for number in range(1, times + 1):
                leader, survivor = survivor, workers.enter_context(trial.consuming(f"worker-{number}"))
                eventually(partial(_leads, trial.stack, leader), within_s=60)
                leader.kill_everything()
                seconds.append(seconds_until(partial(_all_moved, trial.stack, _moments(trial.stack)), within_s=90))
                assert "is dead" in restart_reasons(survivor)[-1], "KCL alone takes two minutes"
        found = trial.check(load)
    fault = "death of the leading worker's whole instance, until every shard moves again"
    trial.report("2 7", fault, times, found, **figures(seconds))


def _count(stack: Stack) -> int:
    return fleet_stats(stack.dynamodb, stack.names).stats.count


def _counted(stack: Stack, wanted: int) -> bool:
    return _count(stack) == wanted


def _answers(url: str) -> None:
    try:
        assert httpx.get(f"{url}/livez").status_code == 200
    except httpx.TransportError as error:
        raise AssertionError from error


def _leads(stack: Stack, worker: Consumer) -> None:
    leader = observe(stack.kinesis, stack.dynamodb, stack.names).leader
    assert leader is not None
    assert leader.owner == worker.name


def _moments(stack: Stack) -> dict[str, int]:
    return {shard: row.as_of_us for shard, row in fleet_stats(stack.dynamodb, stack.names).shards.items()}


def _all_moved(stack: Stack, before: dict[str, int]) -> bool:
    now = _moments(stack)
    return all(now[shard] > moment for shard, moment in before.items())
