"""A stats row: the fold of its shard's log up to the row's own position, for one scope and one window.

Each row belongs to one shard, named at the end of its window; readers merge the rows of all shards.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from projections.fold import Stats
from projections.retention import Gap
from telemetry.reading import Reading, sortable_time

FLEET = "all"
TOTAL = "total"


class RowKey(NamedTuple):
    """`scope` is `all` or `sensor#<id>`; `window` is `total`, `day#2026-11-23`, `hour#2026-11-23T10` or `minute#…T10:05`."""

    scope: str
    window: str


PROGRESS = RowKey(FLEET, TOTAL)
"""The fleet-wide total is written last in a flush, and so is the shard's progress mark."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is stored for one key of one shard. Positions are sequence numbers as integers; 0 lies before all of them."""

    key: RowKey
    position: int = 0
    """The last record this row covers."""
    stats: Stats = field(default_factory=Stats)
    as_of_us: int = 0
    """The moment up to which the row covers the log: microseconds since 1970."""
    flushed_position: int = 0
    """On the progress row only: every row of the shard covers the log up to here."""
    ended: bool = False
    """On the progress row only: the shard was read to its end, which KCL's tables forget."""
    beat: int = field(default=0, compare=False)
    """On the progress row only: goes up whenever it is written, so that idle and stuck look different whatever clocks say."""

    gap: Gap | None = field(default=None, compare=False)
    """On the progress row only: what may have left the stream unread. Kept until somebody who has seen it removes it."""
    past_us: int = field(default=-1, compare=False)
    """On a sensor's total row only: no reading that came through the shard's parents was measured later; -1 when none did."""

    @property
    def newest_us(self) -> int:
        """On a sensor's total row: no reading counted up to the row's position, here or in parents, was measured later."""
        return max(self.past_us, self.stats.latest.measured_at_us if self.stats.latest else -1)

    @property
    def mark(self) -> tuple[int, int, bool, Gap | None]:
        """What a write is conditional on: a row whose mark is not the one that was read was moved by another worker.

        Or somebody has removed its gap, which must not come back.
        """
        return self.position, self.flushed_position, self.ended, self.gap


def row_keys(reading: Reading) -> tuple[RowKey, ...]:
    """The rows a reading is folded into, by its measured time in UTC."""
    time = sortable_time(reading.measured_at_us)
    sensor = sensor_scope(reading.sensor_id)
    hour = f"hour#{time[:13]}"
    return (
        PROGRESS,
        RowKey(FLEET, f"day#{time[:10]}"),
        RowKey(FLEET, hour),
        RowKey(FLEET, f"minute#{time[:16]}"),
        RowKey(sensor, TOTAL),
        RowKey(sensor, hour),
    )


def duplicate_keys(reading: Reading) -> tuple[RowKey, ...]:
    """The rows that count a repeat: the totals, so that a storm of retries does not touch every window again."""
    return PROGRESS, sensor_total(reading.sensor_id)


def sensor_scope(sensor_id: str) -> str:
    """The scope of one sensor's rows."""
    return f"sensor#{sensor_id}"


def sensor_total(sensor_id: str) -> RowKey:
    """The row of everything one sensor measured."""
    return RowKey(sensor_scope(sensor_id), TOTAL)


def sensor_of(key: RowKey) -> str:
    """The sensor whose row this is."""
    return key.scope.removeprefix("sensor#")
