"""P21: what questions about a year and a month cost: read units, queries and processor time, on tables of two busy shards."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import batched
from typing import Any, Final

from benchmarks.figures import Figure
from benchmarks.fleet import day_sheet, sensor_id
from benchmarks.item_sizes import size_bytes
from benchmarks.rig import Rig
from producer_api.reading.common import Stretch
from producer_api.reading.shapes import ENCODER
from producer_api.reading.telling import window_shape
from producer_api.reading.windows import Wanted, page
from projections.calendar import Interval
from projections.dynamodb_reads import AwsReads
from projections.effects import run
from projections.fleet import FleetReader, KnownFleet
from projections.fold import Fold, Stats
from projections.items import row_item
from projections.rows import FLEET, PROGRESS, Mark, Progress, Row, RowKey, fleet_windows, sensor_scope
from projections.sheets import CELLS, DAY_US
from projections.tiles import HOUR_US
from projections.zones import zone_of
from telemetry.aws import dynamodb_client
from telemetry.limits import HASH_KEY_MAX, MICRO
from telemetry.reading import Reading, parse_timestamp
from tests.support.stack import Stack

_RUNS: Final = 5
_FROM_US: Final = parse_timestamp("2025-01-01T00:00Z")
_UNTIL_US: Final = parse_timestamp("2026-01-01T00:00Z")
_HALVES: Final = {"shardId-000000000000": (0, HASH_KEY_MAX // 2), "shardId-000000000001": (HASH_KEY_MAX // 2 + 1, HASH_KEY_MAX)}
_POSITION: Final = 10**55
_SENSOR: Final = sensor_id(1)
_DAY_SENSORS: Final = 500


@dataclass(frozen=True)
class _Question:
    what: str
    units: float
    """Read units it may take."""
    sensor_id: str | None
    interval: Interval
    zone: str
    days: int
    windows: int


_QUESTIONS: Final = (
    _Question("a fleet's 30 days by hour", 250, None, Interval.HOUR, "UTC", 30, 720),
    _Question("a fleet's year by day, Kathmandu", 550, None, Interval.DAY, "Asia/Kathmandu", 365, 366),
    _Question("a sensor's year by day, Berlin", 950, _SENSOR, Interval.DAY, "Europe/Berlin", 365, 366),
)


def history(rig: Rig) -> Iterator[Figure]:
    """P21: three questions, each as `GET /api/stats/history` asks and writes it, by what DynamoDB Local says it took."""
    with rig.stack() as stack:
        row_bytes = _fill(stack)
        dynamodb = dynamodb_client(stack.settings)
        for question in _QUESTIONS:
            cpu_s, units, calls = [], 0.0, 0
            for _ in range(_RUNS):
                reads = AwsReads(dynamodb, stack.names)
                look = run(FleetReader().read(), reads)
                calls, units = reads.calls, reads.units
                began_s = time.process_time()
                assert _ask(question, look, reads) == question.windows
                cpu_s.append(time.process_time() - began_s)
                calls, units = reads.calls - calls, reads.units - units
            beside = {"queries": float(calls), "bytes a row": row_bytes[question.sensor_id], "windows": float(question.windows)}
            figure = partial(Figure, "P21", then=None, smaller_is_better=True, note="2 shards, full rows and sheets")
            yield figure(f"read units, {question.what}", "units", question.units, values=[units], beside=beside)
            yield figure(f"queries, {question.what}", "queries", 20, values=[calls])
            yield figure(f"processor time, {question.what}", "s", 0.5, values=cpu_s)


def _ask(question: _Question, look: Any, reads: AwsReads) -> int:
    """How many windows were written that hold readings."""
    zone = zone_of(question.zone)
    stretch = Stretch(_FROM_US, _FROM_US + question.days * DAY_US, zone, {})
    wanted = Wanted(question.sensor_id, stretch, question.interval, 500, 5_000, percentiles=False)
    found = run(page(KnownFleet(look), wanted, None), reads).value
    assert found.next_us is None
    shapes = [window_shape(one, zone, _UNTIL_US, uncut=uncut) for one, uncut in zip(found.measured, found.uncut, strict=True)]
    assert len(ENCODER.encode(shapes)) > 100 * len(shapes)
    return sum(one.count > 0 for one in shapes)


def _fill(stack: Stack) -> dict[str | None, float]:
    """Write a year's rows as they are when many sensors send; the mean size of those that questions read, by sensor."""
    sheets, sensors = [], []
    for shard_id, hash_range in _HALVES.items():
        mark = Mark(_POSITION, _UNTIL_US)
        progress = Progress(windows=mark, flushed=mark, sensors=_DAY_SENSORS, hash_range=hash_range, beat=1)
        _put(stack, [row_item(shard_id, Row(PROGRESS, _POSITION, as_of_us=_UNTIL_US, progress=progress))])
        sheet = day_sheet(_DAY_SENSORS, CELLS)
        for day_us in range(_FROM_US, _UNTIL_US, DAY_US):
            *_, key = fleet_windows(day_us)
            sheets.append(row_item(shard_id, replace(sheet, key=RowKey(FLEET, key))))
    quiet = _folded(_room())
    for hour_us in range(_FROM_US, _UNTIL_US, HOUR_US):
        _, key, *_ = fleet_windows(hour_us)
        row = Row(RowKey(sensor_scope(_SENSOR), key), _POSITION, quiet, hour_us)
        sensors.append(row_item(next(iter(_HALVES)), row))
    _put(stack, [*sheets, *sensors])
    return {None: _mean_bytes(sheets), _SENSOR: _mean_bytes(sensors)}


def _mean_bytes(items: Sequence[Any]) -> float:
    return sum(map(size_bytes, items)) / len(items)


def _folded(some: Iterable[Reading]) -> Stats:
    fold = Fold()
    for one in some:
        fold.add(one)
    return fold.stats()


def _room() -> Iterator[Reading]:
    """A room's hour, once a second: a walk in steps of 0.01 °C."""
    chance, value = random.Random(21), 20_000_000  # noqa: S311  repeatable on purpose
    for second in range(3600):
        value += chance.choice((-10_000, 0, 0, 0, 10_000))
        yield Reading(_FROM_US + second * MICRO, _SENSOR, value)


def _put(stack: Stack, items: Sequence[Any]) -> None:
    for share in batched(items, 25, strict=False):
        requests: Any = [{"PutRequest": {"Item": item}} for item in share]
        assert not stack.dynamodb.batch_write_item(RequestItems={stack.names.stats: requests})["UnprocessedItems"]
