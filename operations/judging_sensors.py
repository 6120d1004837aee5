"""Judges one sensor's rows, packs and place in the directory against its readings. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from operations.differences import Difference, Marks, Scope, stats_that_differ
from operations.recomputed import Sum
from operations.spilled import Line
from projections.packs import TEN_MINUTES_US, Pack, Place, bucket_of
from projections.reads import Listing
from projections.rows import HOUR_US, TOTAL, Row, hour_window, seen_hour_s, sensor_scope
from telemetry.reading import Reading

_NONE: Final[Sequence[Line]] = ()


class SensorTruth:
    """What the log says of a sensor."""

    def __init__(self, sensor_id: str, lines: Sequence[Line], shards: Sequence[str]) -> None:
        """`lines` are all of it, in the log's order; `shards` have their ids by number."""
        self.sensor_id = sensor_id
        self.counted: list[Line] = []
        """The first of each reading."""
        self.by_shard: dict[str, list[Line]] = {}
        self.repeats: dict[str, list[int]] = {}
        """The records that brought others, by shard."""
        seen: set[tuple[int, int]] = set()
        for line in lines:
            shard_id = shards[line.shard]
            if (line.time_us, line.micro) in seen:
                self.repeats.setdefault(shard_id, []).append(line.position)
                continue
            seen.add((line.time_us, line.micro))
            self.counted.append(line)
            self.by_shard.setdefault(shard_id, []).append(line)

    def rows_that_differ(self, rows: Mapping[tuple[str, str], Row], marks: Marks, scope: Scope) -> Iterator[Difference]:
        """Of its rows, by shard and window."""
        members: dict[tuple[str, str], list[Line]] = {}
        for shard_id, lines in self.by_shard.items():
            if scope.takes_shard(shard_id):
                members[shard_id, TOTAL] = lines
                for line in lines:
                    members.setdefault((shard_id, _hour(line.time_us // HOUR_US)), []).append(line)
        for shard_id, window in sorted({*rows, *members}):
            if not scope.takes_window(window):
                continue
            name = f"{sensor_scope(self.sensor_id)} {window} {shard_id}"
            found = members.get((shard_id, window), _NONE)
            if row := rows.get((shard_id, window)):
                yield from self._row(name, shard_id, row, found, max(row.position, marks.flushed(shard_id)))
            elif any(line.position <= marks.flushed(shard_id) for line in found):
                yield Difference("stats", name, "row", "none", "there")

    def _row(self, name: str, shard_id: str, row: Row, lines: Sequence[Line], until: int) -> Iterator[Difference]:
        right, seen_us = Sum(), -1
        for line in lines[: bisect_right(lines, until, key=lambda line: line.position)]:
            right.add(line.time_us, self.sensor_id, line.micro)
            seen_us = max(seen_us, min(line.time_us, line.arrived_us))
        if row.key.window == TOTAL:
            right.repeats = bisect_right(self.repeats.get(shard_id, ()), until)
            seen_s = seen_hour_s(self.sensor_id, seen_us) if right.count else None
            if seen_s != row.sensor.seen_s:
                yield Difference("stats", name, "last_seen", str(row.sensor.seen_s), str(seen_s))
        yield from stats_that_differ(name, row, right)

    def packs_that_differ(self, packs: Sequence[Pack], marks: Marks, scope: Scope) -> Iterator[Difference]:
        """A pack holds each reading of its bucket between its ends; what was flushed lies in one."""
        buckets: dict[tuple[str, int], list[Line]] = {}
        for shard_id, lines in self.by_shard.items():
            for line in lines:
                buckets.setdefault((shard_id, line.time_us // TEN_MINUTES_US), []).append(line)
        held: dict[tuple[str, int], set[Reading]] = {}
        for pack in packs:
            first_us = pack.bucket.first_us
            if not scope.takes_time(first_us):
                continue
            key = pack.shard_id, first_us // TEN_MINUTES_US
            lines = buckets.get(key, [])
            begin, end = bisect_left(lines, pack.first, key=_place), bisect_right(lines, pack.last, key=_place)
            right = [self._reading(line) for line in lines[begin:end]]
            held.setdefault(key, set()).update(pack.readings)
            if list(pack.readings) != right:
                name = f"{self.sensor_id} {pack.bucket.time} {pack.shard_id} {pack.first.sequence_number}.{pack.first.line}"
                yield Difference("readings", name, "pack", pack.text, " ".join(map(str, right)) or "none")
        for (shard_id, number), lines in buckets.items():
            if not scope.takes_shard(shard_id) or not scope.takes_time(number * TEN_MINUTES_US):
                continue
            for line in lines[: bisect_right(lines, marks.flushed(shard_id), key=lambda line: line.position)]:
                one = self._reading(line)
                if one not in held.get((shard_id, number), ()):
                    name = f"{self.sensor_id} {bucket_of(one).time} {shard_id}"
                    yield Difference("readings", name, str(one), "none", "in a pack")

    def listing_that_differs(self, listing: Listing | None, marks: Marks) -> Iterator[Difference]:
        """It is written before rows, and has no position: it lies between what was flushed and all there is."""
        flushed = {
            shard_id: found
            for shard_id, lines in self.by_shard.items()
            if (found := lines[: bisect_right(lines, marks.flushed(shard_id), key=lambda line: line.position)])
        }
        if listing is None:
            if flushed:
                yield Difference("directory", self.sensor_id, "sensor", "none", "listed")
            return
        most, least = self._seen_s(self.by_shard), self._seen_s(flushed)
        if most is None or listing.seen_s > most or (least is not None and listing.seen_s < least):
            yield Difference("directory", self.sensor_id, "seen", str(listing.seen_s), str(most))
        if not flushed.keys() <= listing.shards <= self.by_shard.keys():
            stored, right = " ".join(sorted(listing.shards)), " ".join(sorted(self.by_shard))
            yield Difference("directory", self.sensor_id, "shards", stored, right)

    def _reading(self, line: Line) -> Reading:
        return Reading(line.time_us, self.sensor_id, line.micro)

    def _seen_s(self, by_shard: Mapping[str, Sequence[Line]]) -> int | None:
        times = [min(line.time_us, line.arrived_us) for lines in by_shard.values() for line in lines]
        return seen_hour_s(self.sensor_id, max(times)) if times else None


@lru_cache(maxsize=10_000)
def _hour(number: int) -> str:
    return hour_window(number)


def _place(line: Line) -> Place:
    return Place(line.position, line.line)
