"""Processes killed with -9, at random and at the points where it matters most."""

import signal
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest

from projections.queries import fleet_stats
from telemetry.names import ResourceNames
from tests.faults.conftest import FULL, Trial
from tests.faults.faults import Request
from tests.faults.instances import Api, Consumer
from tests.support.stack import at
from tests.support.waiting import eventually

VICTIMS = {"record processor": 5, "daemon": 3, "both": 1, "API": 3}
"""Who is killed how often, in proportion."""
FEW = ["both", "API"]
"""Who is killed in the short version: everybody, in as few starts as there can be."""
GARBAGE: list[Any] = [
    {"PartitionKey": data[:2].hex(), "Data": data}
    for data in (b"\x1f\x8bbroken", b"\x00\xff", b'{"specversion":"1.0","type":"unknown"}', b"[" * 50_000)
]
"""Records that are no events."""


def kill(victim: str, consumer: Consumer, api: Api) -> None:
    """One of the consumer's processes, or the API."""
    if victim == "API":
        api.kill_and_restart()
        return
    processors = consumer.processors() if victim != "daemon" else []
    daemon = [consumer.daemon()] if victim != "record processor" else []
    consumer.signal(signal.SIGKILL, processors[:1] + daemon)


@pytest.mark.timeout(1800)
def test_h06_kill_9_at_random_points_under_load(trial: Trial) -> None:
    """Whoever is killed, whenever: what was acknowledged is there, and counted once. Garbage before each kill is kept, once."""
    rng = Random(4)  # noqa: S311  repeatable on purpose
    victims = rng.choices(list(VICTIMS), list(VICTIMS.values()), k=100) if FULL else FEW
    with trial.serving() as api, trial.consuming() as consumer:
        with trial.sending(api, seed=4, per_s=30) as load:
            for victim in victims:
                trial.stack.kinesis.put_records(StreamName=trial.stack.names.stream, Records=GARBAGE)
                if rng.random() < 0.9:  # the others hit a pipeline that is still coming back
                    eventually(partial(_moved, trial, _place(trial)), within_s=90)
                load.wait_for_more(rng.randrange(5, 50))
                kill(victim, consumer, api)
            load.wait_for_more(trial.often(30, 100))
        found = trial.check(load)
        eventually(partial(_is_kept, trial, len(GARBAGE) * len(victims)), within_s=30)
    assert FULL or consumer.events().count("consumer_restarting") == 1, "garbage restarts nobody"
    trial.report("1 2 3 4", "kill -9 of record processor, daemon, both or API at random points", len(victims), found)


def _is_kept(trial: Trial, garbage: int) -> None:
    """As dead letters, each once."""
    pages = trial.stack.dynamodb.get_paginator("scan").paginate(TableName=trial.stack.names.dead_letters)
    assert len([item for page in pages for item in page["Items"]]) == garbage


def raw_write(request: Request, names: ResourceNames) -> bool:
    """packs of raw readings"""
    return request.operation == "BatchWriteItem"


def sighting(request: Request, names: ResourceNames) -> bool:
    """new sensors in the directory"""
    rows = request.operation == "BatchExecuteStatement" and request.table == names.stats
    return rows and b"directory#" in request.body


def row_write(request: Request, names: ResourceNames) -> bool:
    """rows of sensors"""
    rows = request.operation == "BatchExecuteStatement" and request.table == names.stats
    return rows and b"sensor#" in request.body


def progress_write(request: Request, names: ResourceNames) -> bool:
    """the progress row"""
    return request.operation == "PutItem" and request.table == names.stats


def checkpoint(request: Request, names: ResourceNames) -> bool:
    """a checkpoint"""
    moving = b'"checkpoint"' in request.body and b"TRIM_HORIZON" not in request.body
    return request.operation == "UpdateItem" and request.table == names.application and moving


POINTS = (raw_write, sighting, row_write, progress_write, checkpoint)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_kill_9_between_the_writes_of_a_batch(trial: Trial) -> None:
    """Right after raw readings, a row, the progress row or a checkpoint was written, and before whoever wrote it knows."""
    rounds = trial.often(1, 5)
    with trial.serving() as api, trial.consuming(**at(trial.proxy.url)) as consumer:
        with trial.sending(api, seed=5) as load:
            for point in POINTS * rounds:
                load.wait_for_more(50)
                consumer.processors()
                _kill_at(point, trial, consumer)
            load.wait_for_more(50)
        found = trial.check(load)
    for point in POINTS:
        trial.report("2 5", f"kill -9 right after: {point.__doc__}", rounds, found)


def _kill_at(point: Callable[[Request, ResourceNames], bool], trial: Trial, consumer: Consumer) -> None:
    """Kill daemon and record processors at the point, before the answer to the write is passed on."""
    killed: list[str] = []

    def at_the_point(request: Request) -> bool:
        if not killed and point(request, trial.stack.names):
            consumer.signal(signal.SIGKILL, consumer.everything()[:-1])
            killed.append(request.operation)
        return bool(killed)

    trial.proxy.hooks = [at_the_point]
    # The directory hears of a sensor again when its readings enter another hour: an hour is 3,600 of the load's messages.
    eventually(partial(_nonempty, killed), within_s=180)


def _nonempty(things: list[str]) -> None:
    assert things


def _place(trial: Trial) -> int:
    return sum(row.position for row in fleet_stats(trial.stack.dynamodb, trial.stack.names).shards.values())


def _moved(trial: Trial, before: int) -> None:
    assert _place(trial) > before
