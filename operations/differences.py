"""What `verify` names, and what it looks at. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from operations.recomputed import Sum
from projections.rows import TOTAL, Row, window_us


class Difference(NamedTuple):
    """What a table holds, and what the log says that it should."""

    table: str
    row: str
    attribute: str
    stored: str
    right: str

    @property
    def suspect(self) -> tuple[str, str, str]:
        """Where it is, whatever the values."""
        return self.table, self.row, self.attribute


@dataclass(frozen=True, slots=True)
class Scope:
    """What is judged. What needs more than that is left out: the fleet's rows for sensors, totals since a time."""

    sensors: frozenset[str] = frozenset()
    shards: frozenset[str] = frozenset()
    since_us: int | None = None
    """Windows and buckets that begin then or later: microseconds since 1970."""

    def takes_sensor(self, sensor_id: str) -> bool:
        """Whether a sensor is judged."""
        return not self.sensors or sensor_id in self.sensors

    def takes_shard(self, shard_id: str) -> bool:
        """Whether a shard's rows are."""
        return not self.shards or shard_id in self.shards

    def takes_time(self, time_us: int) -> bool:
        """Whether a reading measured then belongs to anything that is."""
        return self.since_us is None or time_us >= self.since_us

    def takes_window(self, window: str) -> bool:
        """Whether a row's window is."""
        return self.since_us is None or (window != TOTAL and window_us(window)[0] >= self.since_us)


class Marks:
    """Up to which record rows lack nothing, as the progress rows said before all else was read; 0 where there is none."""

    def __init__(self, progress: Mapping[str, Row]) -> None:
        self._progress = progress

    def total(self, shard_id: str) -> int:
        """The fleet's total, and dead letters."""
        return self._progress[shard_id].position if shard_id in self._progress else 0

    def windows(self, shard_id: str) -> int:
        """The fleet's windows."""
        return self._progress[shard_id].progress.windows.position if shard_id in self._progress else 0

    def flushed(self, shard_id: str) -> int:
        """Sensors' rows, packs and the directory."""
        return self._progress[shard_id].progress.flushed.position if shard_id in self._progress else 0


def stats_that_differ(name: str, row: Row, right: Sum) -> Iterator[Difference]:
    """Of a row's stats."""
    stored = row.stats
    for attribute, was, is_now in (
        ("count", stored.count, right.count),
        ("sum", stored.sum_micro, right.total),
        ("squares", stored.sum_squares, right.squares),
        ("minimum", stored.minimum, right.minimum),
        ("maximum", stored.maximum, right.maximum),
        ("first", stored.first, right.first),
        ("latest", stored.latest, right.latest),
        ("duplicates", stored.duplicates, right.repeats),
        ("histogram", stored.histogram, right.histogram),
    ):
        if was != is_now:
            yield Difference("stats", name, attribute, _shown(was), _shown(is_now))


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else "none" if value is None else str(value)
