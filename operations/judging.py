"""Judges all tables against readings, for `verifying.py`, which reads both. Pure but for the spill's files.

First sensor by sensor; what was counted of each goes into files once more, for the fleet's windows (`judging_windows.py`). In
memory stay the shards' progress rows, and of each sensor its number and where it was first met.

A row is right when it is what readings up to its own position add up to, and lacks nothing up to the mark that vouches for it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import starmap
from operator import attrgetter

from operations.differences import Difference, Marks, Scope, stats_that_differ
from operations.judging_sensors import SensorTruth
from operations.judging_windows import DayJudging
from operations.recomputed import Sum
from operations.spilled import Late, Line, Some, Spill, Thing, Windows
from projections.packs import Pack
from projections.reads import Listing
from projections.rows import FLEET, PROGRESS, TOTAL, Row
from projections.sheets import DAY_US
from telemetry.errors import ReasonCode


class Judging:
    """Of one generation. `progress` was read before all else."""

    def __init__(self, progress: Mapping[str, Row], spill: Spill, scope: Scope) -> None:
        self.progress = progress
        self.progress_rows: dict[str, Row] = {}
        """As they were among the rows, later."""
        self.furthest: dict[str, int] = {shard_id: row.position for shard_id, row in progress.items()}
        """The largest position seen of each shard."""
        self._marks, self._spill, self._scope = Marks(progress), spill, scope
        self._totals: defaultdict[str, Sum] = defaultdict(Sum)
        """What the progress rows should hold."""
        self._births: dict[str, list[int]] = {}

    def take_listing(self, listing: Listing) -> None:
        """Take in what the directory says of a sensor."""
        if self._judges_directory and self._scope.takes_sensor(listing.sensor_id):
            self._spill.put(self._spill.number(listing.sensor_id), listing)

    def take_fleet(self, shard_id: str, row: Row) -> None:
        """Take in a row of the fleet."""
        self.note_position(shard_id, row.position)
        if row.key == PROGRESS:
            self.progress_rows[shard_id] = row
        elif self._judges_fleet(shard_id) and self._scope.takes_window(row.key.window):
            self._spill.put_window(shard_id, row)

    def note_position(self, shard_id: str, position: int) -> None:
        """A row is as far as this."""
        self.furthest[shard_id] = max(position, self.furthest.get(shard_id, 0))

    def differences(self, refusals: Mapping[str, Mapping[ReasonCode, int]], ends: Mapping[str, int]) -> Iterator[Difference]:
        """All of them, once everything was put into the spill. `ends` are the last records of the shards."""
        # What each is about goes with it, before the next is read.
        for found in starmap(self._sensor, self._spill.by_sensor()):
            yield from found
        for found in map(self._windows, self._spill.by_window()):
            yield from found
        yield from self._totals_that_differ()
        if self._scope == Scope():
            yield from self._progresses(refusals, ends)

    @property
    def _judges_directory(self) -> bool:
        return self._scope.since_us is None and not self._scope.shards

    def _judges_fleet(self, shard_id: str) -> bool:
        return not self._scope.sensors and self._scope.takes_shard(shard_id)

    def _sensor(self, sensor: int, lines: Sequence[Line], things: Sequence[Thing]) -> Iterator[Difference]:
        truth = SensorTruth(self._spill.sensors[sensor], lines, self._spill.shards)
        if truth.counted:
            first = truth.counted[0]
            self._births.setdefault(self._spill.shards[first.shard], []).append(first.position)
        for shard_id, counted in truth.by_shard.items():
            if self._judges_fleet(shard_id):
                self._put_for_windows(sensor, shard_id, counted)
        for shard_id, positions in truth.repeats.items():
            self._totals[shard_id].repeats += bisect_right(positions, self._until(shard_id))
        rows: dict[tuple[str, str], Row] = {}
        packs: list[Pack] = []
        listing = None
        for thing in things:
            if isinstance(thing, Pack):
                packs.append(thing)
            elif isinstance(thing, Listing):
                listing = thing
            else:
                rows[thing[0], thing[1].key.window] = thing[1]
        yield from truth.rows_that_differ(rows, self._marks, self._scope)
        yield from truth.packs_that_differ(packs, self._marks, self._scope)
        if self._judges_directory:
            yield from truth.listing_that_differs(listing, self._marks)

    def _windows(self, windows: Windows) -> Iterator[Difference]:
        shard_id = windows.shard_id
        judging = DayJudging(windows, self._spill.sensors, self._marks.windows(shard_id), self._scope)
        yield from judging.differences(partial(self._add_to_total, shard_id))

    def _put_for_windows(self, sensor: int, shard_id: str, counted: Sequence[Line]) -> None:
        shard, furthest = self._spill.shard_number(shard_id), self.furthest.get(shard_id, 0)
        marked = bisect_right(counted, self._marks.windows(shard_id), key=_position)
        days: dict[int, tuple[list[int], list[int]]] = {}
        for line in counted[:marked]:
            times_us, micros = days.get(line.time_us // DAY_US) or days.setdefault(line.time_us // DAY_US, ([], []))
            times_us.append(line.time_us)
            micros.append(line.micro)
        for columns in days.values():
            self._spill.put_readings(shard, Some(sensor, *columns))
        for line in counted[marked:]:
            if line.position > furthest:
                break
            self._spill.put_late(shard, Late(sensor, line.time_us, line.micro, line.position))

    def _until(self, shard_id: str) -> int:
        """The record up to which a shard's total is judged."""
        row = self.progress_rows.get(shard_id)
        return max(row.position if row else 0, self._marks.total(shard_id))

    def _add_to_total(self, shard_id: str, position: int | None, found: Sum) -> None:
        if position is None or position <= self._until(shard_id):
            self._totals[shard_id].absorb(found)

    def _totals_that_differ(self) -> Iterator[Difference]:
        for shard_id in sorted(self._totals.keys() | self.progress_rows.keys()):
            if not (self._judges_fleet(shard_id) and self._scope.takes_window(TOTAL)):
                continue
            name, total = f"{FLEET} {TOTAL} {shard_id}", self._totals[shard_id]
            if row := self.progress_rows.get(shard_id):
                yield from stats_that_differ(name, row, total)
            elif total.count:
                yield Difference("stats", name, "row", "none", "there")

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


_position = attrgetter("position")
