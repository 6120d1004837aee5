"""Replay: the events of the log, chosen by when they were measured and by whom."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from replay.log import LogRecord
from telemetry.aggregates import user_records
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.events import decode_event
from telemetry.reading import Reading
from telemetry.records import Broken, split_record

_ARRIVAL_SLACK_MS = 600_000
"""An arrival time is about right and need not rise along a shard (GetRecords), and the clock that a reading was judged by may
be minutes off Kinesis's (`telemetry/retry.py`)."""


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

    def arrived_from_ms(self, ahead_h: int) -> int | None:
        """Before when nothing chosen has arrived, in ms since 1970, if readings are at most `ahead_h` hours ahead of time.

        None when no such time bounds the log.
        """
        if self.from_us is None:
            return None
        bound_ms = self.from_us // 1000 - ahead_h * 3_600_000 - _ARRIVAL_SLACK_MS
        return bound_ms if bound_ms > 0 else None


@dataclass(slots=True)
class Passed:
    """How much a replay passed over because it is no event."""

    codes: Counter[ReasonCode] = field(default_factory=Counter)
    """Lines, and records broken from somewhere on, each under its own code, whether a letter keeps it or its whole record."""
    lost: int = 0
    """User records of KPL aggregates that the consumer never sees either, because KCL hands them to nobody."""


def replay(log: Iterable[LogRecord], choice: Choice, passed: Passed) -> Iterator[bytes]:
    """The chosen events as the lines the log holds, repeats included, in the order of the log."""
    for record in log:
        taken = user_records(record.data)
        passed.lost += taken.lost
        for line in split_record(*taken.parts):
            try:
                if isinstance(line, Broken):
                    raise UndecodableEvent(line.code, line.reason)
                reading = decode_event(line.data)
            except UndecodableEvent as error:
                passed.codes[error.code] += 1
                continue
            if choice.holds(reading):
                yield line.data
