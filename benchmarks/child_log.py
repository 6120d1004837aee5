"""`python -m benchmarks.child_log <log as JSON>`: one shard's log, delivery by delivery, pickled to standard output.

A process of its own makes it, so that neither its time nor its memory is the child's; the pipe between them bounds how far it
is ahead.
"""

import json
import math
import pickle
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import batched
from typing import Final, Literal, NamedTuple

from benchmarks.child import DELIVERIES_A_SECOND, Delivery
from benchmarks.consuming import EVENTS_A_RECORD
from benchmarks.fleet import LATE_S_MAX, NOON_S, sensor_id
from telemetry.events import encode_event
from telemetry.limits import MICRO
from telemetry.reading import Reading
from telemetry.records import encode_record

_NOON_US: Final = NOON_S * MICRO
_AHEAD_S_MAX: Final = 24 * 3600
"""How far ahead of the clock a reading may be (CLOCK_SKEW_H_MAX)."""
_DISORDER_US: Final = MICRO
_BESIDE_US: Final = 500

type Kind = Literal["clean", "ahead", "late", "repeated", "disordered", "burst"]


@dataclass(frozen=True, slots=True)
class Log:
    """So many sensors that together send so many readings a second, each at a phase of its own, from a moment on.

    - clean: each sensor's readings come once and in order.
    - ahead: each sensor's first reading is up to a day ahead of time.
    - late: a tenth were measured up to an hour before they come.
    - repeated: a tenth came before, up to an hour ago.
    - disordered: each comes up to a second late, so that they overtake each other.
    - burst: each sensor sends once, then nothing comes.
    """

    sensors: int
    readings_s: float
    begins_s: float
    """After noon."""
    seconds: float
    kind: Kind = "clean"


class Arrival(NamedTuple):
    """A reading in the log, and when it comes there."""

    at_us: int
    reading: Reading
    repeated: bool = False


class Fleet:
    """All readings that such a fleet makes, past and future: the same whoever asks, numbered in the order of their time."""

    def __init__(self, sensors: int, readings_s: float) -> None:
        chance = random.Random(sensors)  # noqa: S311  repeatable on purpose
        self._sensors = sensors
        self.readings_s = readings_s
        self._period_us = MICRO * sensors / readings_s
        self._phases = sorted(chance.random() for _ in range(sensors))
        self._ids = [sensor_id(number) for number in chance.sample(range(sensors), sensors)]

    def moment_us(self, number: int) -> int:
        """When the reading of this number is measured."""
        turn, sensor = divmod(number, self._sensors)
        return _NOON_US + int((turn + self._phases[sensor]) * self._period_us)

    def reading(self, number: int, shift_us: int = 0) -> Reading:
        """The reading of this number, or that of its sensor at another time: two decimals, slowly varying, with some noise.

        Half the sensors tell milliseconds, half microseconds.
        """
        sensor = number % self._sensors
        time_us = self.moment_us(number) + shift_us
        time_us -= 0 if sensor % 2 else time_us % 1000
        drift = 400 * math.sin(time_us / 3e9 + sensor) + 40 * math.sin(time_us / 1e8 + sensor)
        hundredths = 1800 + sensor % 700 + int(drift) + (number * 7919 + sensor) % 5
        return Reading(time_us, self._ids[sensor], hundredths * 10_000)


def arrivals(log: Log) -> Iterator[Arrival]:
    """The log in its order."""
    found = _in_order(log)
    return _overtaking(found) if log.kind == "disordered" else found


def _in_order(log: Log) -> Iterator[Arrival]:
    fleet = Fleet(log.sensors, log.readings_s)
    chance = random.Random(log.kind)  # noqa: S311  repeatable on purpose
    first = round(log.begins_s * log.readings_s)
    count = log.sensors if log.kind == "burst" else int(log.seconds * log.readings_s)
    an_hour = int(LATE_S_MAX * log.readings_s)
    for number in range(first, first + count):
        at_us = fleet.moment_us(number)
        if log.kind == "ahead" and number < first + log.sensors:
            yield Arrival(at_us, fleet.reading(number, chance.randrange(60 * MICRO, _AHEAD_S_MAX * MICRO)))
        elif log.kind == "late" and _chosen(number):
            late = fleet.reading(number, -chance.randrange(MICRO, LATE_S_MAX * MICRO))
            # Beside whole milliseconds: at the same one it would be a reading that came before.
            yield Arrival(at_us, late._replace(measured_at_us=late.measured_at_us + _BESIDE_US))
        elif log.kind == "repeated" and _chosen(number):
            earlier = number - chance.randrange(1, an_hour)
            while earlier >= first and _chosen(earlier):  # never sent: another came in its place
                earlier -= 1
            yield Arrival(at_us, fleet.reading(earlier), repeated=True)
        else:
            yield Arrival(at_us, fleet.reading(number))


def _chosen(number: int) -> bool:
    """A tenth of all numbers, spread evenly over sensors and time."""
    return number * 2_654_435_761 % 2**32 < 2**32 // 10


def _overtaking(log: Iterator[Arrival]) -> Iterator[Arrival]:
    """Each up to a second later than in order."""
    chance = random.Random(1)  # noqa: S311  repeatable on purpose
    waiting: list[Arrival] = []
    for one in log:
        heappush(waiting, one._replace(at_us=one.at_us + chance.randrange(_DISORDER_US)))
        while waiting[0].at_us <= one.at_us:
            yield heappop(waiting)


def deliveries(log: Log) -> Iterator[Delivery]:
    """What has come at each third of a second, packed as our API packs it, until the log ends."""
    begins_us = _NOON_US + int(log.begins_s * MICRO)
    coming = arrivals(log)
    one = next(coming, None)
    for number in range(int(log.seconds * DELIVERIES_A_SECOND)):
        until_us = begins_us + (number + 1) * MICRO // DELIVERIES_A_SECOND
        share = []
        while one and one.at_us < until_us:
            share.append(one)
            one = next(coming, None)
        records = [
            (encode_record([encode_event(each.reading, each.at_us) for each in some]), some[-1].at_us // 1000)
            for some in batched(share, EVENTS_A_RECORD, strict=False)
        ]
        yield Delivery(until_us / MICRO, records, len(share), sum(each.repeated for each in share))


def main() -> None:
    """Write every delivery, until nobody reads any more."""
    for delivery in deliveries(Log(**json.loads(sys.argv[1]))):
        pickle.dump(delivery, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
