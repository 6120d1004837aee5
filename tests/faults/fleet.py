"""A fleet that measures once a second, on the stream in packed records as the API would write them, and how far the tables lag.

A tenth of the readings comes up to an hour late, a twentieth is a repeat, and some clocks run hours ahead.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import batched
from random import Random
from typing import Any

from projections.dynamodb_reads import AwsReads
from projections.effects import run
from projections.fleet import FleetReader
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.events import encode_event
from telemetry.reading import Reading
from telemetry.records import encode_record
from telemetry.shards import hash_key, list_shards
from tests.support.stack import Stack

_LATE, _REPEATED, _AHEAD = 0.1, 0.05, 0.01
_EVENTS_A_RECORD = 180
_REPEATABLE = 100_000
"""A repeat is of one of the last so many."""
_HOUR_US = 3_600_000_000
_ORPHANS_S = 2
"""For how long children may go on that lost their daemon: what they are at has come to them already."""


class Fleet:
    """Sends from `start` to `stop`, each second's readings within it."""

    def __init__(self, stack: Stack, sensors: int, seed: int) -> None:
        self._stack = stack
        self._rng = rng = Random(seed)  # noqa: S311  repeatable on purpose
        self._sensors = [f"building-7/floor-3/sensor-{number:06}" for number in range(sensors)]
        self._ahead_us = [rng.randrange(1, 12) * _HOUR_US if rng.random() < _AHEAD else 0 for _ in self._sensors]
        self._celsius_cent = [rng.randrange(1500, 2500) for _ in self._sensors]
        self._kinesis = kinesis_client(stack.settings, read_timeout_s=20)
        self._shards = list_shards(self._kinesis, stack.names.stream)
        self.sent: list[Reading] = []
        """In order, repeats among them."""

    def send_second(self, second: int) -> None:
        """What all sensors measure in a second since 1970, some of it otherwise."""
        by_shard: dict[str, list[Reading]] = {}
        for one in self._measure(second):
            by_shard.setdefault(self._shards.owner(hash_key(one.sensor_id)).shard_id, []).append(one)
            self.sent.append(one)
        entries: list[Any] = [
            {
                "PartitionKey": share[0].sensor_id,
                "ExplicitHashKey": str(self._shards.shards[shard_id].first_hash_key),
                "Data": encode_record([encode_event(one, second * 1_000_000) for one in share]),
            }
            for shard_id, readings in by_shard.items()
            for share in batched(readings, _EVENTS_A_RECORD, strict=False)
        ]
        while entries:
            answer: Any = self._kinesis.put_records(StreamName=self._stack.names.stream, Records=entries)
            results = zip(entries, answer["Records"], strict=True)
            entries = [entry for entry, result in results if "ErrorCode" in result]

    def _measure(self, second: int) -> Iterator[Reading]:
        rng = self._rng
        for number, sensor_id in enumerate(self._sensors):
            self._celsius_cent[number] += rng.choice((-1, 0, 0, 1))
            at_us = second * 1_000_000 + rng.randrange(1000) * 1000 + self._ahead_us[number]
            chance = rng.random()
            if chance < _REPEATED and self.sent:
                yield self.sent[-rng.randrange(1, min(len(self.sent), _REPEATABLE) + 1)]
                continue
            late_us = rng.randrange(_HOUR_US) if chance < _REPEATED + _LATE else 0
            yield Reading(at_us - late_us, sensor_id, self._celsius_cent[number] * 10_000)


@contextmanager
def fleet_sending(stack: Stack, sensors: int, seed: int) -> Iterator[Fleet]:
    """Sends during the block. Raises what sending raised."""
    fleet, over = Fleet(stack, sensors, seed), threading.Event()

    def send() -> None:
        second = int(time.time())
        while not over.wait(max(0, second + 1 - time.time())):
            fleet.send_second(second)
            second += 1

    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(send)
        try:
            yield fleet
        finally:
            over.set()
        sending.result()


class Lag:
    """How far the totals were behind, looked at twice a second but for recoveries: from a kill until they have caught up."""

    def __init__(self, caught_up_s: float) -> None:
        self._caught_up_s = caught_up_s
        self._killed_s: float | None = None
        self.lags_s: list[float] = []
        """At each look."""
        self.recoveries_s: list[float] = []

    def killed(self) -> None:
        """Those who are to be killed have been, just now."""
        self._killed_s = time.time()

    @property
    def recovered(self) -> bool:
        """Whether the totals have caught up since the last kill."""
        return self._killed_s is None

    def look(self, as_of_s: float) -> None:
        """The totals cover the log up to a moment, in seconds since 1970."""
        now_s = time.time()
        if self._killed_s is None:
            self.lags_s.append(now_s - as_of_s)
        elif as_of_s > self._killed_s + _ORPHANS_S and now_s - as_of_s <= self._caught_up_s:  # written by whoever came after
            self.recoveries_s.append(now_s - self._killed_s)
            self._killed_s = None


@contextmanager
def lag_watched(stack: Stack, caught_up_s: float) -> Iterator[Lag]:
    """Looks during the block. Raises what looking raised."""
    lag, over = Lag(caught_up_s), threading.Event()

    def look() -> None:
        dynamodb = dynamodb_client(stack.settings)
        reads, reader = AwsReads(dynamodb, stack.names), FleetReader()
        while not over.wait(0.5):
            as_of_us = run(reader.total(), reads).marks.as_of_us
            lag.look((as_of_us or 0) / 1_000_000)
        dynamodb.close()

    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(look)
        try:
            yield lag
        finally:
            over.set()
        looking.result()
