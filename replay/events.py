"""Replay: the events of the log, chosen by when they were measured and by whom."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from replay.log import LogRecord
from telemetry.aggregates import user_records
from telemetry.errors import UndecodableEvent
from telemetry.events import decode_event
from telemetry.reading import Reading
from telemetry.records import Broken, split_record


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events: measured from `from_us` on and before `to_us` (microseconds since 1970), by one sensor or by all."""

    from_us: int | None = None
    to_us: int | None = None
    sensor_id: str | None = None

    def holds(self, reading: Reading) -> bool:
        """Whether a reading is chosen."""
        return (
            (self.from_us is None or reading.measured_at_us >= self.from_us)
            and (self.to_us is None or reading.measured_at_us < self.to_us)
            and (self.sensor_id is None or reading.sensor_id == self.sensor_id)
        )


@dataclass(slots=True)
class Passed:
    """How much a replay passed over because it is no event: lines, and records broken from somewhere on."""

    count: int = 0
    lost: int = 0
    """User records of KPL aggregates that the consumer never sees either, because KCL hands them to nobody."""


def replay(log: Iterable[LogRecord], choice: Choice, passed: Passed) -> Iterator[bytes]:
    """The chosen events as the lines the log holds, repeats included, in the order of the log."""
    for record in log:
        taken = user_records(record.data)
        passed.lost += taken.lost
        for line in split_record(*taken.parts):
            try:
                reading = None if isinstance(line, Broken) else decode_event(line.data)
            except UndecodableEvent:
                reading = None
            if reading is None:
                passed.count += 1
            elif choice.holds(reading):
                yield line.data
