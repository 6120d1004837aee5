"""What was decided about the lines of a shard's log between two flushes: rows and packs follow from that alone.

A full shard brings a million readings in half a minute. So they are kept as columns, some 25 bytes a reading: the text that
becomes their pack, and where each stood. The same text is the memory of what was counted, and is folded again, decision by
decision, for a row that another worker moved. Pure.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from itertools import batched, chain
from typing import Final, NamedTuple

from projections.decoding import Candidate
from projections.fold import Fold
from projections.histogram import rung_of
from projections.packs import READINGS_MAX, TEN_MINUTES_US, Bucket, Pack, Place, bucket_of, read_tokens
from projections.rows import HOUR_US, Row
from projections.texts import LOOSE_BYTES, Text
from telemetry.errors import ReasonCode
from telemetry.reading import Reading

NEVER_SEEN_US: Final = -(10**18)

# What these take in memory, measured with tracemalloc and rounded up.
_READING_BYTES: Final = 20
"""Beside its text: two numbers, its share of a histogram, and the room that columns grow into."""
_COLUMN_BYTES: Final = 850
_SENSOR_BYTES: Final = 600
_HOUR_BYTES: Final = 1_000
_RECORD_BYTES: Final = 100
_LETTER_BYTES: Final = 100


class Refusal(NamedTuple):
    """A dead letter of a record, and the reason's code."""

    sequence_number: int
    code: ReasonCode


class Counted(NamedTuple):
    """A reading that was counted, and the record that brought it."""

    reading: Reading
    sequence_number: int
    arrived_at_ms: int


class Column:
    """The counted readings of a bucket, in the order of the log."""

    __slots__ = ("bucket", "lines", "number", "records", "text")

    def __init__(self, bucket: Bucket, number: int) -> None:
        self.bucket = bucket
        self.number = number
        """Of its ten minutes since 1970."""
        self.text = Text()
        self.records = array("I")
        """The number of each one's record, of those in `Decisions`."""
        self.lines = array("I")


class SensorDecisions:
    """Of a sensor."""

    __slots__ = ("hours", "repeats", "seen_us")

    def __init__(self) -> None:
        self.seen_us = NEVER_SEEN_US
        """Of what was counted, the latest of the earlier of measured and arrived."""
        self.hours: dict[int, HourDecisions] = {}
        """By the number of the hour since 1970."""
        self.repeats = array("I")
        """The records that brought a reading once more."""


class HourDecisions:
    """Of a sensor and an hour. Knows whose it is, so that a reading finds all it is added to in few steps."""

    __slots__ = ("column", "columns", "decisions", "fold", "sensor")

    def __init__(self, decisions: "Decisions", sensor: SensorDecisions, fold: Fold) -> None:
        self.decisions = decisions
        self.sensor = sensor
        self.fold = fold
        """Of what was counted."""
        self.columns: dict[int, Column] = {}
        """By the number of their ten minutes since 1970."""
        self.column: Column | None = None
        """That was added to last."""


class Decisions:
    """About the lines of records after `begin`."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.sensors: dict[str, SensorDecisions] = {}
        self.size_bytes = 0
        """In memory: roughly, and rather more."""
        self._sequence_numbers: list[int] = []
        self._arrived_at_ms: list[int] = []
        self._births = array("I")
        """The records that first brought a sensor."""
        self._refusals: list[Refusal] = []

    def __bool__(self) -> bool:
        return bool(self.sensors or self._refusals)

    def hour(self, reading: Reading, known: Row) -> HourDecisions:
        """What is decided about a reading's sensor and hour, whose row is `known`."""
        measured_at_us, sensor_id, _ = reading
        sensor = self.sensors.get(sensor_id) or self._sensor(sensor_id)
        number = measured_at_us // HOUR_US
        if number not in sensor.hours:
            # A row that goes further may have a coarser histogram than what is added to this.
            rung = rung_of(known.stats.histogram) if known.position <= self.begin else 0
            sensor.hours[number] = HourDecisions(self, sensor, Fold(rung=rung))
            self.size_bytes += _HOUR_BYTES
        return sensor.hours[number]

    def count(self, candidate: Candidate, hour: HourDecisions) -> Bucket:
        """Note a reading of an hour that was counted; its bucket."""
        reading, token = candidate.reading, candidate.token
        measured_at_us = reading.measured_at_us
        column = hour.column
        if column is None or column.number != measured_at_us // TEN_MINUTES_US:
            column = hour.column = self._column_for(hour, reading)
        text = column.text
        loose = text.loose
        loose += token
        loose += b" "
        if len(loose) > LOOSE_BYTES:
            text.pack()
        column.records.append(self._record(candidate))
        column.lines.append(candidate.line)
        hour.fold.add(reading)
        sensor = hour.sensor
        arrived_at_us = candidate.arrived_at_ms * 1000
        seen_us = measured_at_us if measured_at_us < arrived_at_us else arrived_at_us  # noqa: FURB136  calls of min take longer
        if seen_us > sensor.seen_us:  # noqa: PLR1730  and of max
            sensor.seen_us = seen_us
        self.size_bytes += len(token) + _READING_BYTES
        return column.bucket

    def repeat(self, candidate: Candidate) -> None:
        """Note a reading that had been counted before."""
        number = self._record(candidate)
        sensor = self.sensors.get(candidate.reading.sensor_id) or self._sensor(candidate.reading.sensor_id)
        sensor.repeats.append(number)
        self.size_bytes += sensor.repeats.itemsize

    def bear(self) -> None:
        """What was counted last was the first of its sensor, in the shard and its parents."""
        self._births.append(len(self._sequence_numbers) - 1)

    def refuse(self, refusal: Refusal) -> None:
        """Note a dead letter."""
        self._refusals.append(refusal)
        self.size_bytes += _LETTER_BYTES

    def holds(self, reading: Reading, token: bytes) -> bool:
        """Whether a reading was counted."""
        column = self._column(reading.sensor_id, reading.measured_at_us)
        return column is not None and column.text.holds(token)

    def texts(self) -> Iterator[tuple[Bucket, Text]]:
        """What was counted in each bucket."""
        return ((column.bucket, column.text) for column in self._columns())

    def packs(self, shard_id: str) -> Iterator[Pack]:
        """The packs of everything counted."""
        for column in self._columns():
            begin = 0
            for run in batched(column.text.tokens(), READINGS_MAX, strict=False):
                end = begin + len(run)
                first, last = self._place(column, begin), self._place(column, end - 1)
                yield Pack(column.bucket, shard_id, first, last, b" ".join(run).decode())
                begin = end

    def counted_after(
        self, position: int, sensor_id: str | None = None, ten_minutes: Collection[int] | None = None
    ) -> Iterator[Counted]:
        """What was counted in records after a position: of one sensor or all, of some ten minutes or all. In any order."""
        beyond = bisect_right(self._sequence_numbers, position)
        for column in self._columns(sensor_id, ten_minutes):
            begin = bisect_left(column.records, beyond)
            if begin == len(column.records):
                continue
            readings = list(read_tokens(column.bucket, b" ".join(column.text.tokens()[begin:]).decode()))
            for reading, number in zip(readings, column.records[begin:], strict=True):
                yield Counted(reading, self._sequence_numbers[number], self._arrived_at_ms[number])

    def repeats_after(self, position: int, sensor_id: str | None = None) -> int:
        """How many repeats records after a position brought, of one sensor or all."""
        beyond = bisect_right(self._sequence_numbers, position)
        if sensor_id is None:
            found = [sensor.repeats for sensor in self.sensors.values()]
        else:
            found = [self.sensors[sensor_id].repeats] if sensor_id in self.sensors else []
        return sum(len(repeats) - bisect_left(repeats, beyond) for repeats in found)

    def births_after(self, position: int) -> int:
        """How many sensors records after a position brought first."""
        return len(self._births) - bisect_left(self._births, bisect_right(self._sequence_numbers, position))

    def refusals_after(self, position: int) -> Iterator[ReasonCode]:
        """The dead letters of records after a position."""
        return (refusal.code for refusal in self._refusals if refusal.sequence_number > position)

    def forget(self) -> None:
        """Let go of everything: its parts know each other, and garbage is seldom collected (`telemetry/processes.py`)."""
        for sensor in self.sensors.values():
            sensor.hours.clear()
        self.sensors.clear()

    def _sensor(self, sensor_id: str) -> SensorDecisions:
        sensor = self.sensors[sensor_id] = SensorDecisions()
        self.size_bytes += _SENSOR_BYTES
        return sensor

    def _record(self, candidate: Candidate) -> int:
        """The number of a candidate's record, which is the last one or comes after it."""
        numbers = self._sequence_numbers
        if not numbers or numbers[-1] != candidate.sequence_number:
            numbers.append(candidate.sequence_number)
            self._arrived_at_ms.append(candidate.arrived_at_ms)
            self.size_bytes += _RECORD_BYTES
        return len(numbers) - 1

    def _column_for(self, hour: HourDecisions, reading: Reading) -> Column:
        number = reading.measured_at_us // TEN_MINUTES_US
        if number not in hour.columns:
            hour.columns[number] = Column(bucket_of(reading), number)
            self.size_bytes += _COLUMN_BYTES
        return hour.columns[number]

    def _column(self, sensor_id: str, time_us: int) -> Column | None:
        sensor = self.sensors.get(sensor_id)
        hour = sensor.hours.get(time_us // HOUR_US) if sensor else None
        return hour.columns.get(time_us // TEN_MINUTES_US) if hour else None

    def _columns(self, sensor_id: str | None = None, ten_minutes: Collection[int] | None = None) -> Iterator[Column]:
        sensors = self.sensors.values() if sensor_id is None else [self.sensors[sensor_id]] if sensor_id in self.sensors else []
        for hour in chain.from_iterable(sensor.hours.values() for sensor in sensors):
            for number, column in hour.columns.items():
                if ten_minutes is None or number in ten_minutes:
                    yield column

    def _place(self, column: Column, index: int) -> Place:
        return Place(self._sequence_numbers[column.records[index]], column.lines[index])


class Unflushed:
    """Everything decided since the last flush of everything: what a flush under way writes, and what came after that."""

    def __init__(self) -> None:
        self.sealed: Decisions | None = None
        """What the flush writes. Nothing is added any more."""
        self.open = Decisions(0)

    @property
    def size_bytes(self) -> int:
        """In memory, roughly."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def parts(self) -> tuple[Decisions, ...]:
        """Both, in the order of the log."""
        return (self.sealed, self.open) if self.sealed else (self.open,)

    def seal(self, position: int) -> Decisions:
        """Begin a flush of what was decided up to a position."""
        assert self.sealed is None, "one flush at a time"
        self.sealed, self.open = self.open, Decisions(position)
        return self.sealed

    def drop(self) -> None:
        """The flush is done: what it wrote need not be decided or folded again."""
        if self.sealed:
            self.sealed.forget()
        self.sealed = None

    def holds(self, reading: Reading, token: bytes) -> bool:
        """Whether a reading was counted."""
        return self.open.holds(reading, token) or (self.sealed is not None and self.sealed.holds(reading, token))
