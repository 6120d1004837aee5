"""Judges the fleet's windows against the readings that `judging.py` found counted, a shard's day at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from operations.differences import Difference, Scope, stats_that_differ
from operations.recomputed import Day, Measured, Sum
from operations.spilled import Some, Windows
from projections.rows import FLEET, Row, fleet_windows
from projections.sheets import MINUTE_US

_AT_ONCE: Final = 100_000
"""Readings that are added up together."""


@dataclass(slots=True)
class _Window:
    """A row that is there, and what it should hold."""

    row: Row
    until: int
    """The record up to which it is judged."""
    sum: Sum = field(default_factory=Sum)
    day: Day = field(default_factory=Day)

    def add(self, minute: int, found: Sum) -> None:
        """Readings of a minute, by its number since 1970."""
        if self.row.key.is_sheet:
            self.day.absorb(minute * MINUTE_US, found)
        else:
            self.sum.absorb(found)


class DayJudging:
    """Of a shard and a day."""

    def __init__(self, windows: Windows, sensors: Sequence[str], mark: int, scope: Scope) -> None:
        """`mark` is the record up to which all of the shard's windows lack nothing."""
        self._windows, self._sensors, self._mark, self._scope = windows, sensors, mark, scope
        self._held = {row.key.window: _Window(row, max(row.position, mark)) for row in windows.rows}
        self._missing: set[str] = set()

    def differences(self, total: Callable[[int | None, Sum], object]) -> Iterator[Difference]:
        """All of them. `total` takes the same readings in, each with its record where not every row has it."""
        for minute, found in _by_minute(self._windows.readings, self._sensors):
            total(None, found)
            for window in _names(minute):
                self._add(window, minute, found)
        for sensor, time_us, micro, position in self._windows.late:
            one = Sum.of([(micro, time_us, self._sensors[sensor])])
            total(position, one)
            minute = time_us // MINUTE_US
            for window in _names(minute):
                if (held := self._held.get(window)) and position <= held.until:
                    held.add(minute, one)
        for name, held in sorted(self._held.items()):
            yield from self._judged(f"{FLEET} {name} {self._windows.shard_id}", held)
        for name in sorted(self._missing):
            yield Difference("stats", f"{FLEET} {name} {self._windows.shard_id}", "row", "none", "there")

    def _add(self, window: str, minute: int, found: Sum) -> None:
        if held := self._held.get(window):
            held.add(minute, found)
        elif self._scope.takes_window(window):
            self._missing.add(window)

    @staticmethod
    def _judged(name: str, held: _Window) -> Iterator[Difference]:
        if not held.row.key.is_sheet:
            yield from stats_that_differ(name, held.row, held.sum)
            return
        stored = [cell and tuple(cell) for cell in held.row.sheet]
        for number, (was, is_now) in enumerate(zip(stored, held.day.cells, strict=True)):
            if was != is_now:
                yield Difference("stats", name, f"cell {number}", str(was), str(is_now))


def _by_minute(readings: Iterator[Some], sensors: Sequence[str]) -> Iterator[tuple[int, Sum]]:
    """The sums of minutes, by their numbers since 1970; of a minute there may be several."""
    minutes: dict[int, list[Measured]] = {}
    waiting = 0
    for sensor, times_us, micros in readings:
        sensor_id = sensors[sensor]
        for time_us, micro in zip(times_us, micros, strict=True):
            minutes.setdefault(time_us // MINUTE_US, []).append((micro, time_us, sensor_id))
        waiting += len(micros)
        if waiting >= _AT_ONCE:
            yield from _summed(minutes)
            minutes, waiting = {}, 0
    yield from _summed(minutes)


def _summed(minutes: Mapping[int, Sequence[Measured]]) -> Iterator[tuple[int, Sum]]:
    return ((minute, Sum.of(found)) for minute, found in minutes.items())


@lru_cache(maxsize=10_000)
def _names(minute: int) -> tuple[str, ...]:
    """The windows of the fleet that a minute lies in but the total, by its number since 1970."""
    return fleet_windows(minute * MINUTE_US)
