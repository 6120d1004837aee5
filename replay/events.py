"""The events of the log, chosen by when they were measured or arrived, and by whom they were measured."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from telemetry.aggregates import user_records
from telemetry.canonical import LineDecoder
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.letter_marks import decode_mark
from telemetry.log import LogRecord, Page
from telemetry.reading import Reading
from telemetry.records import Broken, split_record, whole_text

_ARRIVAL_SLACK_MS = 600_000
"""An arrival time is about right and need not rise along a shard (GetRecords), and the clock that a reading was judged by may
be minutes off Kinesis's (`telemetry/retry.py`)."""


class By(StrEnum):
    """Which of an event's times is meant."""

    MEASURED = "measured"
    ARRIVED = "arrived"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events: from `from_us` on and before `to_us` (microseconds since 1970), by some sensors or, if none, by all."""

    from_us: int | None = None
    to_us: int | None = None
    sensors: frozenset[str] = frozenset()
    by: By = By.MEASURED

    def holds(self, reading: Reading, arrived_ms: int) -> bool:
        """Whether a reading that arrived then is chosen."""
        at_us = reading.measured_at_us if self.by is By.MEASURED else arrived_ms * 1000
        return (
            (self.from_us is None or at_us >= self.from_us)
            and (self.to_us is None or at_us < self.to_us)
            and (not self.sensors or reading.sensor_id in self.sensors)
        )

    def arrived_from_ms(self, ahead_h: int) -> int | None:
        """Before when nothing chosen has arrived, in ms since 1970, if readings are at most `ahead_h` hours ahead of time.

        None when no such time bounds the log.
        """
        if self.from_us is None:
            return None
        ahead_ms = ahead_h * 3_600_000 if self.by is By.MEASURED else 0
        bound_ms = self.from_us // 1000 - ahead_ms - _ARRIVAL_SLACK_MS
        return bound_ms if bound_ms > 0 else None

    def arrived_until_ms(self) -> int | None:
        """After when nothing chosen has arrived, in ms since 1970. None by measured: a late reading may arrive at any time."""
        return self.to_us // 1000 + _ARRIVAL_SLACK_MS if self.to_us is not None and self.by is By.ARRIVED else None


@dataclass(slots=True)
class Passed:
    """How much a replay passed over because it is no event."""

    codes: Counter[ReasonCode] = field(default_factory=Counter)
    """Lines, and records broken from somewhere on, each under its own code, whether a letter keeps it or its whole record."""
    lost: int = 0
    """User records of KPL aggregates that the consumer never sees either, because KCL hands them to nobody."""


class Event(NamedTuple):
    """An event of the log, where it stands and what it says."""

    shard_id: str
    record: LogRecord
    number: int
    """Of its line in the record, from 0."""
    line: bytes
    """As the log holds it, without its newline."""
    reading: Reading


class Events:
    """Takes the chosen events out of records, and counts what it passes over."""

    def __init__(self, choice: Choice, passed: Passed) -> None:
        self._choice, self._passed = choice, passed
        self._lines = LineDecoder()

    def of(self, page: Page) -> Iterator[Event]:
        """The chosen events of a page, repeats included, in its order."""
        for record in page.records:
            yield from self._of(page.shard_id, record)

    def _of(self, shard_id: str, record: LogRecord) -> Iterator[Event]:
        holds, arrived_ms = self._choice.holds, record.arrived_ms
        text = whole_text(record.data)
        told = None if text is None else self._lines.decode_all(text)
        if text is not None and told is not None:
            for number, (line, (reading, _)) in enumerate(zip(text.split(b"\n"), told, strict=False)):
                if holds(reading, arrived_ms):
                    yield Event(shard_id, record, number, line, reading)
            return
        taken = user_records(record.data)
        self._passed.lost += taken.lost
        for found in split_record(*taken.parts):
            try:
                if isinstance(found, Broken):
                    raise UndecodableEvent(found.code, found.reason)
                if decode_mark(found.data):
                    continue
                reading = self._lines.decode(found.data).reading
            except UndecodableEvent as error:
                self._passed.codes[error.code] += 1
                continue
            if holds(reading, arrived_ms):
                yield Event(shard_id, record, found.number, found.data, reading)
