"""A fleet's readings as they reach one shard, on a clock of their own: counted runs of the projector, not timed ones."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from benchmarks.consuming import SHARD, records
from projections.decoding import Record
from projections.effects import Stores, run
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.rows import Row, row_keys
from projections.sheets import EMPTY, Cell, Sheet
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from telemetry.shards import Shard

NOON_S: Final = 1_780_012_800 + 12 * 3600
"""Of a day in UTC, and so the beginning of ten minutes, an hour and a quarter."""
DELIVERY_S: Final = 0.25
"""How often KCL brings what has come on one machine: `idleTimeBetweenReadsInMillis`. On AWS less often, which costs less."""
LATE_S_MAX: Final = 3600
_MICRO: Final = 1_000_000


def sensor_id(number: int) -> str:
    """Of 32 bytes, which is as long as ids get without costing more."""
    return f"building-7/floor-3/sensor-{number:06}"


def readings(sensors: int, seconds: int, *, late: bool = False) -> Iterator[tuple[float, Reading]]:
    """Each sensor once a second, at a phase of its own, from noon on: with the seconds after noon at which each arrives.

    With `late`, a tenth of them were measured up to an hour before.
    """
    chance = random.Random(20)  # noqa: S311  repeatable on purpose
    for number in range(sensors * seconds):
        second, sensor = divmod(number, sensors)
        arrives_s = second + sensor / sensors
        measured_us = NOON_S * _MICRO + int(arrives_s * _MICRO)
        if late and chance.randrange(10) == 0:
            measured_us -= chance.randrange(LATE_S_MAX * _MICRO)
        yield arrives_s, Reading(measured_us, sensor_id(sensor), 15_000_000 + number * 7919 % 977 * 10_000)


def deliveries(sensors: int, seconds: int, *, late: bool = False) -> Iterator[tuple[float, list[Reading]]]:
    """What has come at each quarter of a second, which may be nothing."""
    arrived = groupby(readings(sensors, seconds, late=late), lambda pair: int(pair[0] / DELIVERY_S))
    due, share = next(arrived, (None, None))
    for number in range(int(seconds / DELIVERY_S)):
        found: list[Reading] = []
        if number == due and share is not None:
            found = [one for _, one in share]
            due, share = next(arrived, (None, None))
        yield NOON_S + (number + 1) * DELIVERY_S, found


@dataclass(frozen=True, slots=True)
class Moment:
    """What a run has come to, told after each delivery."""

    at_s: float
    """Since 1970, on the run's clock."""
    taken: int
    """Readings."""
    flushed: bool
    """Everything was written with this delivery."""


def project(
    stores: Stores,
    policy: FlushPolicy,
    sensors: int,
    seconds: int,
    *,
    late: bool = False,
    tell_time: Callable[[float], object] = lambda _: None,
) -> Iterator[Moment]:
    """Run the projector on a shard that holds the whole key space. Nothing waits for anything: only the clock moves."""
    now_s = [float(NOON_S)]
    projector = ShardProjector(Shard(SHARD, 0, HASH_KEY_MAX), lambda: now_s[0], policy)
    run(projector.start(), stores)
    position, taken = 10**55, 0
    for at_s, share in deliveries(sensors, seconds, late=late):
        now_s[0] = at_s
        tell_time(at_s)
        delivered = []
        for data in records(share):
            position += 1
            delivered.append(Record(position, data, int(at_s * 1000)))
        durable = run(projector.project(delivered, caught_up=True), stores)
        taken += len(share)
        yield Moment(at_s, taken, flushed=bool(delivered) and durable == position)


def day_sheet(readings_s: int, quarters: int) -> Row:
    """The shard's sheet of the day after so many quarters of an hour, for no day is always young."""
    count = readings_s * 900
    cell = Cell(count, count * 19_880_000, count * (19_880_000**2 + 2_820_000**2), 15_000_000, 24_760_000)
    sheet: Sheet = (*(cell,) * quarters, *EMPTY[quarters:])
    key = next(key for key in row_keys(Reading(NOON_S * _MICRO, "", 0)) if key.is_sheet)
    return Row(key, position=1, sheet=sheet)
