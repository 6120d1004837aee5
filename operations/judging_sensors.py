"""Judges one sensor's rows, packs and place in the directory against its readings. Pure."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Final

from operations.differences import Difference, Marks, Scope, stats_that_differ
from operations.recomputed import Sum
from operations.spilled import Line
from projections.packs import TEN_MINUTES_US, Pack, Place, bucket_of
from projections.reads import Listing
from projections.rows import HOUR_US, TOTAL, Row, hour_window, seen_hour_s, sensor_scope
from telemetry.limits import MICRO
from telemetry.reading import Reading

_NONE: Final[Sequence[Line]] = ()
_DIGITS: Final = 6
_A_TOKEN: Final = rf"(\d:[0-5]\d)(?:\.(\d{{1,{_DIGITS}}}))?=(-?\d+(?:\.\d{{1,{_DIGITS}}})?)"
_TOKEN: Final = re.compile(_A_TOKEN, re.ASCII)
_TEXT: Final = re.compile(rf"{_A_TOKEN}(?: {_A_TOKEN})*", re.ASCII)


class SensorTruth:
    """What the log says of a sensor."""

    def __init__(self, sensor_id: str, lines: Sequence[Line], shards: Sequence[str]) -> None:
        """`lines` are all of it, in the log's order; `shards` have their ids by number."""
        self.sensor_id = sensor_id
        self.counted: list[Line] = []
        """The first of each reading."""
        self.repeats: dict[str, list[int]] = {}
        """The records that brought others, by shard."""
        if len({(line.time_us, line.micro) for line in lines}) == len(lines):
            self.counted = [*lines]
        else:
            seen: set[tuple[int, int]] = set()
            for line in lines:
                if (line.time_us, line.micro) in seen:
                    self.repeats.setdefault(shards[line.shard], []).append(line.position)
                else:
                    seen.add((line.time_us, line.micro))
                    self.counted.append(line)
        by_number: dict[int, list[Line]] = {}
        for line in self.counted:
            by_number.setdefault(line.shard, []).append(line)
        self.by_shard = {shards[number]: found for number, found in by_number.items()}

    def rows_that_differ(self, rows: Mapping[tuple[str, str], Row], marks: Marks, scope: Scope) -> Iterator[Difference]:
        """Of its rows, by shard and window."""
        members: dict[tuple[str, str], list[Line]] = {}
        for shard_id, lines in self.by_shard.items():
            if scope.takes_shard(shard_id):
                members[shard_id, TOTAL] = lines
                hours: dict[int, list[Line]] = {}
                for line in lines:
                    hours.setdefault(line.time_us // HOUR_US, []).append(line)
                members.update(((shard_id, hour_window(hour)), found) for hour, found in hours.items())
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
        found = lines[: bisect_right(lines, until, key=_position)]
        right = Sum.of([(line.micro, line.time_us, self.sensor_id) for line in found])
        if row.key.window == TOTAL:
            right.repeats = bisect_right(self.repeats.get(shard_id, ()), until)
            seen_s = self._seen_s({shard_id: found})
            if seen_s != row.sensor.seen_s:
                yield Difference("stats", name, "last_seen", str(row.sensor.seen_s), str(seen_s))
        yield from stats_that_differ(name, row, right)

    def packs_that_differ(self, packs: Sequence[Pack], marks: Marks, scope: Scope) -> Iterator[Difference]:
        """A pack holds each reading of its bucket between its ends; what was flushed lies in one."""
        buckets: dict[tuple[str, int], list[Line]] = {}
        for shard_id, lines in self.by_shard.items():
            for line in lines:
                buckets.setdefault((shard_id, line.time_us // TEN_MINUTES_US), []).append(line)
        held: dict[tuple[str, int], bytearray] = {}
        """Of each bucket's lines, which lie in a pack."""
        for pack in packs:
            first_us = pack.bucket.first_us
            if not scope.takes_time(first_us):
                continue
            key = pack.shard_id, first_us // TEN_MINUTES_US
            lines = buckets.get(key, [])
            begin, end = bisect_left(lines, pack.first, key=_place), bisect_right(lines, pack.last, key=_place)
            right = [(line.time_us, line.micro) for line in lines[begin:end]]
            stored = told_by(pack.text, first_us)
            covered = held.setdefault(key, bytearray(len(lines)))
            if stored == right:  # and not None
                covered[begin:end] = b"\1" * len(right)
                continue
            for number, line in enumerate(lines):
                covered[number] |= (line.time_us, line.micro) in (stored or ())
            name = f"{self.sensor_id} {pack.bucket.time} {pack.shard_id} {pack.first.sequence_number}.{pack.first.line}"
            shown = " ".join(str(self._reading(line)) for line in lines[begin:end])
            yield Difference("readings", name, "pack", pack.text, shown or "none")
        for (shard_id, number), lines in buckets.items():
            if not scope.takes_shard(shard_id) or not scope.takes_time(number * TEN_MINUTES_US):
                continue
            flushed = bisect_right(lines, marks.flushed(shard_id), key=_position)
            covered = held.get((shard_id, number)) or bytearray(flushed)
            missing = covered.find(0, 0, flushed)
            while missing >= 0:
                one = self._reading(lines[missing])
                yield Difference(
                    "readings", f"{self.sensor_id} {bucket_of(one).time} {shard_id}", str(one), "none", "in a pack"
                )
                missing = covered.find(0, missing + 1, flushed)

    def listing_that_differs(self, listing: Listing | None, marks: Marks) -> Iterator[Difference]:
        """It is written before rows, and has no position: it lies between what was flushed and all there is."""
        flushed = {
            shard_id: found
            for shard_id, lines in self.by_shard.items()
            if (found := lines[: bisect_right(lines, marks.flushed(shard_id), key=_position)])
        }
        if listing is None:
            if flushed:
                yield Difference("directory", self.sensor_id, "sensor", "none", "listed")
            return
        if not self.counted:
            yield Difference("directory", self.sensor_id, "sensor", "listed", "none")
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


def told_by(text: str, begin_us: int) -> list[tuple[int, int]] | None:
    """Time and temperature of each reading that a pack's text tells, in its order; None of a text that is no pack's."""
    if not _TEXT.fullmatch(text):
        return None
    return [
        (begin_us + _seconds(clock) * MICRO + int(fraction.ljust(_DIGITS, "0")), _micro(temperature))
        for clock, fraction, temperature in _TOKEN.findall(text)
    ]


@lru_cache(600)
def _seconds(clock: str) -> int:
    minute, _, second = clock.partition(":")
    return int(minute) * 60 + int(second)


@lru_cache(30_000)
def _micro(temperature: str) -> int:
    return int(Decimal(temperature).scaleb(_DIGITS))


def _place(line: Line) -> Place:
    return Place(line.position, line.line)


_position = attrgetter("position")
