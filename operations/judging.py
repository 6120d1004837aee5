"""Judges all tables against readings, sensor by sensor, for `verifying.py`, which reads both. Pure but for the spill's files.

A row is right when it is what readings up to its own position add up to, and lacks nothing up to the mark that vouches for it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from operations.differences import Difference, Marks, Scope, stats_that_differ
from operations.judging_sensors import SensorTruth
from operations.recomputed import Day, Sum
from operations.spilled import Line, Spill
from projections.packs import Pack
from projections.reads import Listing
from projections.rows import FLEET, PROGRESS, TOTAL, Row, fleet_windows
from projections.sheets import MINUTE_US
from telemetry.errors import ReasonCode


@dataclass(slots=True)
class _Fleet:
    """A row of the fleet that is there, and what it should hold."""

    row: Row
    until: int
    """The record up to which it is judged."""
    sum: Sum = field(default_factory=Sum)
    day: Day = field(default_factory=Day)


class Judging:
    """Of one generation. `progress` was read before all else."""

    def __init__(self, progress: Mapping[str, Row], spill: Spill, scope: Scope) -> None:
        self.progress = progress
        self.progress_rows: dict[str, Row] = {}
        """As they were among the rows, later."""
        self.furthest: dict[str, int] = {shard_id: row.position for shard_id, row in progress.items()}
        """The largest position seen of each shard."""
        self._marks, self._spill, self._scope = Marks(progress), spill, scope
        self._listed: dict[str, Listing] = {}
        self._fleet: dict[tuple[str, str], _Fleet] = {}
        """By shard and window."""
        self._missing: set[tuple[str, str]] = set()
        self._births: dict[str, list[int]] = {}
        self._shards: list[str] = []
        self._shard_numbers: dict[str, int] = {}

    def take_listing(self, listing: Listing) -> None:
        """Take in what the directory says of a sensor."""
        if self._scope.takes_sensor(listing.sensor_id):
            self._listed[listing.sensor_id] = listing

    def take_fleet(self, shard_id: str, row: Row) -> None:
        """Take in a row of the fleet."""
        self.note_position(shard_id, row.position)
        if row.key == PROGRESS:
            self.progress_rows[shard_id] = row
        window = row.key.window
        if not self._scope.sensors and self._scope.takes_shard(shard_id) and self._scope.takes_window(window):
            self._fleet[shard_id, window] = _Fleet(row, max(row.position, self._mark(shard_id, window)))

    def note_position(self, shard_id: str, position: int) -> None:
        """A row is as far as this."""
        self.furthest[shard_id] = max(position, self.furthest.get(shard_id, 0))

    def number_shards(self, shard_ids: Sequence[str]) -> None:
        """The log's shards."""
        self._shards = [*shard_ids]
        self._shard_numbers = {shard_id: number for number, shard_id in enumerate(self._shards)}

    def shard_number(self, shard_id: str) -> int:
        """A shard's number."""
        return self._shard_numbers[shard_id]

    def differences(self, refusals: Mapping[str, Mapping[ReasonCode, int]], ends: Mapping[str, int]) -> Iterator[Difference]:
        """All of them, once everything was put into the spill. `ends` are the last records of the shards."""
        for lines, things in self._spill.parts():
            by_sensor: dict[int, list[Line]] = {}
            for line in lines:
                by_sensor.setdefault(line.sensor, []).append(line)
            rows: dict[int, dict[tuple[str, str], Row]] = {}
            packs: dict[int, list[Pack]] = {}
            for sensor, thing in things:
                if isinstance(thing, Pack):
                    packs.setdefault(sensor, []).append(thing)
                else:
                    rows.setdefault(sensor, {})[thing[0], thing[1].key.window] = thing[1]
            for sensor in sorted(by_sensor.keys() | rows.keys() | packs.keys()):
                yield from self._sensor(sensor, by_sensor.get(sensor, []), rows.get(sensor, {}), packs.get(sensor, []))
        if self._judges_directory:  # those that were met are gone from it
            yield from (Difference("directory", sensor_id, "sensor", "listed", "none") for sensor_id in sorted(self._listed))
        yield from self._fleets()
        if self._scope == Scope():
            yield from self._progresses(refusals, ends)

    @property
    def _judges_directory(self) -> bool:
        return self._scope.since_us is None and not self._scope.shards

    def _sensor(
        self, sensor: int, lines: Sequence[Line], rows: Mapping[tuple[str, str], Row], packs: Sequence[Pack]
    ) -> Iterator[Difference]:
        sensor_id = self._spill.sensors[sensor]
        truth = SensorTruth(sensor_id, lines, self._shards)
        if truth.counted:
            first = truth.counted[0]
            self._births.setdefault(self._shards[first.shard], []).append(first.position)
        if not self._scope.sensors:
            self._add_to_fleet(truth)
        yield from truth.rows_that_differ(rows, self._marks, self._scope)
        yield from truth.packs_that_differ(packs, self._marks, self._scope)
        if self._judges_directory:
            yield from truth.listing_that_differs(self._listed.pop(sensor_id, None), self._marks)

    def _mark(self, shard_id: str, window: str) -> int:
        return self._marks.total(shard_id) if window == TOTAL else self._marks.windows(shard_id)

    def _add_to_fleet(self, truth: SensorTruth) -> None:
        for shard_id, lines in truth.by_shard.items():
            if not self._scope.takes_shard(shard_id):
                continue
            for line in lines:
                for window in _windows(line.time_us // MINUTE_US):
                    if (fleet := self._fleet.get((shard_id, window))) is None:
                        if line.position <= self._mark(shard_id, window) and self._scope.takes_window(window):
                            self._missing.add((shard_id, window))
                    elif line.position <= fleet.until and fleet.row.key.is_sheet:
                        fleet.day.add(line.time_us, line.micro)
                    elif line.position <= fleet.until:
                        fleet.sum.add(line.time_us, truth.sensor_id, line.micro)
        for shard_id, positions in truth.repeats.items():
            if fleet := self._fleet.get((shard_id, TOTAL)):
                fleet.sum.repeats += bisect_right(positions, fleet.until)

    def _fleets(self) -> Iterator[Difference]:
        for (shard_id, window), fleet in sorted(self._fleet.items(), key=lambda item: item[0]):
            name = f"{FLEET} {window} {shard_id}"
            if not fleet.row.key.is_sheet:
                yield from stats_that_differ(name, fleet.row, fleet.sum)
                continue
            stored = [cell and tuple(cell) for cell in fleet.row.sheet]
            for number, (was, is_now) in enumerate(zip(stored, fleet.day.cells, strict=True)):
                if was != is_now:
                    yield Difference("stats", name, f"cell {number}", str(was), str(is_now))
        for shard_id, window in sorted(self._missing):
            yield Difference("stats", f"{FLEET} {window} {shard_id}", "row", "none", "there")

    def _progresses(self, refusals: Mapping[str, Mapping[ReasonCode, int]], ends: Mapping[str, int]) -> Iterator[Difference]:
        for shard_id, row in sorted(self.progress_rows.items()):
            name = f"{FLEET} {TOTAL} {shard_id}"
            sensors = sum(position <= row.position for position in self._births.get(shard_id, ()))
            if row.progress.sensors != sensors:
                yield Difference("stats", name, "sensors", str(row.progress.sensors), str(sensors))
            right = tuple(refusals.get(shard_id, {}).get(code, 0) for code in ReasonCode)
            if row.progress.refusals != right:
                yield Difference("stats", name, "refusals", str(row.progress.refusals), str(right))
            if row.progress.ended and ends.get(shard_id, 0) > row.position:
                yield Difference("stats", name, "ended", "true", f"false: records follow {row.position}")


@lru_cache(maxsize=100_000)
def _windows(minute: int) -> tuple[str, ...]:
    """The windows of the fleet that a minute lies in, by its number since 1970."""
    return TOTAL, *fleet_windows(minute * MINUTE_US)
