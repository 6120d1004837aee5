"""A stats row: the fold of its shard's log up to the row's own position, for one scope and one window.

Each row belongs to one shard, named at the end of its window; readers merge the rows of all shards.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from projections import sheets
from projections.fold import Stats
from projections.retention import Gap
from projections.sheets import Sheet
from telemetry.errors import ReasonCode
from telemetry.limits import MICRO
from telemetry.reading import Reading, sortable_time
from telemetry.shards import hash_key

FLEET: Final = "all"
TOTAL: Final = "total"
_SENSOR: Final = "sensor#"
_SHEET: Final = "sheet#"
_HOUR: Final = "hour#"

HOUR_US: Final = 3_600_000_000


class RowKey(NamedTuple):
    """`scope` is `all` or `sensor#<id>`; `window` one of those `row_keys` names."""

    scope: str
    window: str

    @property
    def is_sheet(self) -> bool:
        """Whether the row holds a day by quarters of an hour in place of stats."""
        return self.window.startswith(_SHEET)


PROGRESS: Final = RowKey(FLEET, TOTAL)
"""The fleet-wide total is written last, and so is the shard's progress row."""


class Mark(NamedTuple):
    """How far something covers a shard's log, and the moment up to which that is: microseconds since 1970."""

    position: int = 0
    as_of_us: int = 0

    def moved_to(self, other: "Mark") -> "Mark":
        """The later of each: a mark never goes back."""
        return Mark(max(self.position, other.position), max(self.as_of_us, other.as_of_us))


START: Final = Mark()
NO_REFUSALS: Final = (0,) * len(ReasonCode)


@dataclass(frozen=True, slots=True)
class Progress:
    """What the fleet's total says of its shard beside stats. Each mark is written after what it vouches for."""

    windows: Mark = START
    """All fleet rows cover the log up to here."""
    flushed: Mark = START
    """Every row and all raw readings do."""
    refusals: tuple[int, ...] = NO_REFUSALS
    """Dead letters up to the row's position, for each reason."""
    sensors: int = 0
    """Sensors first met in this shard up to the row's position: nothing of them lies in its parents."""
    ended: bool = False
    """The shard was read to its end, which KCL's tables forget. The row is final: nothing in it but its beat moves any more."""
    hash_range: tuple[int, int] | None = field(default=None, compare=False)
    """First and last hash key of the shard: readers see by it when they miss one."""
    beat: int = field(default=0, compare=False)
    """Goes up whenever the row is written, so that idle and stuck look different whatever clocks say."""
    gap: Gap | None = field(default=None, compare=False)
    """What may have left the stream unread. Kept until somebody who has seen it removes it."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """What a sensor's rows say of the sensor beside stats; of its hours only what the parents had."""

    past_us: int = -1
    """No reading of the row's window that came through the shard's parents was measured later; -1 when none did. Microseconds
    since 1970."""
    seen_s: int | None = None
    """When it was last seen, as the directory has it (`seen_hour_s`)."""


NO_PROGRESS: Final = Progress()
NO_SENSOR: Final = Sensor()


@dataclass(frozen=True, slots=True)
class Row:
    """What is stored for one key of one shard. Positions are sequence numbers as integers; 0 lies before all of them."""

    key: RowKey
    position: int = 0
    """The last record this row covers."""
    stats: Stats = field(default_factory=Stats)
    as_of_us: int = 0
    """The moment up to which the row covers the log: microseconds since 1970."""
    sheet: Sheet = sheets.EMPTY
    """Of a day sheet, which has no stats."""
    progress: Progress = NO_PROGRESS
    """Of the fleet's total only."""
    sensor: Sensor = NO_SENSOR
    """Of a sensor's rows only."""

    @property
    def newest_us(self) -> int:
        """On a sensor's row: no reading of its window that was counted up to its position, here or in parents, is newer."""
        return max(self.sensor.past_us, self.stats.latest.measured_at_us if self.stats.latest else -1)

    @property
    def mark(self) -> Mark:
        """Up to where this row covers the log."""
        return Mark(self.position, self.as_of_us)

    @property
    def version(self) -> tuple[int, Gap | None]:
        """What a write is conditional on: a row whose version is not the one that was read was moved by another worker.

        The progress row moves with every beat; or somebody has removed its gap, which must not come back.
        """
        return (self.progress.beat, self.progress.gap) if self.key == PROGRESS else (self.position, None)


def row_keys(reading: Reading) -> tuple[RowKey, ...]:
    """The rows a reading is folded into, by its measured time in UTC.

    A repeat is counted in the totals only, so that a storm of retries does not touch every window again.
    """
    minute, hour, *rest = fleet_windows(reading.measured_at_us)
    windows = (PROGRESS, *(RowKey(FLEET, window) for window in (*rest, hour, minute)))
    scope = sensor_scope(reading.sensor_id)
    return *windows, RowKey(scope, TOTAL), RowKey(scope, hour)


def fleet_windows(time_us: int) -> tuple[str, str, str, str]:
    """The fleet's windows but the total: of the minute, the hour, the day, and the day's sheet."""
    time = sortable_time(time_us)
    return f"minute#{time[:16]}", f"{_HOUR}{time[:13]}", f"day#{time[:10]}", f"{_SHEET}{time[:10]}"


def sensor_scope(sensor_id: str) -> str:
    """The scope of one sensor's rows."""
    return f"{_SENSOR}{sensor_id}"


def sensor_total(sensor_id: str) -> RowKey:
    """The row of everything one sensor measured."""
    return RowKey(sensor_scope(sensor_id), TOTAL)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LENGTH_US: Final = {"minute": HOUR_US // 60, "hour": HOUR_US, "day": 24 * HOUR_US, "sheet": 24 * HOUR_US}


def window_us(window: str) -> tuple[int, int]:
    """When a window that is not the total begins, and when the next one does: microseconds since 1970."""
    kind, _, text = window.partition("#")
    # Our own writing, read by the thousand: nothing of it needs the care that senders' times do.
    begin = datetime.fromisoformat(text + "2026-11-23T00:00Z"[len(text) :])
    begin_us = (begin - _EPOCH) // _MICROSECOND
    return begin_us, begin_us + _LENGTH_US[kind]


def hour_window(hour: int) -> str:
    """The window of an hour, by its number since 1970."""
    return f"{_HOUR}{sortable_time(hour * HOUR_US)[: len('2026-11-23T10')]}"


def hour_of(window: str) -> int:
    """The number of an hour, by its window."""
    return window_us(window)[0] // HOUR_US


def time_prefix(key: RowKey) -> str:
    """What all times of an hour's window begin with; nothing for the total."""
    return "" if key.window == TOTAL else key.window.removeprefix(_HOUR)


def sensor_of(key: RowKey) -> str:
    """The sensor whose row this is."""
    return key.scope.removeprefix(_SENSOR)


DIRECTORY_SCOPES: Final = tuple(f"directory#{number}" for number in range(16))
"""The parts of the directory of sensors, so that none of its keys is hot."""


_HOUR_S: Final = 3600


def directory_scope(sensor_id: str) -> str:
    """The part of the directory that a sensor stands in.

    By what is left of its hash beside its second in the hour (`seen_hour_s`): sensors of one second are in all parts.
    """
    return DIRECTORY_SCOPES[hash_key(sensor_id) // _HOUR_S % len(DIRECTORY_SCOPES)]


def seen_hour_s(sensor_id: str, seen_us: int) -> int:
    """The last full hour of the sensor's own, in seconds since 1970; `seen_us` is the earlier of measured and arrived.

    Each sensor's hours begin at another second, so that a million of them do not move in the directory at once.
    """
    phase_s = hash_key(sensor_id) % _HOUR_S
    return (seen_us // MICRO - phase_s) // _HOUR_S * _HOUR_S + phase_s
