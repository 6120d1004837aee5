"""What was measured in a stretch of time: the fleet by windows, a sensor to the instant. Pure.

Each is told by steps that read the marks first and say in their answer on which they stand. All times are microseconds since
1970; a stretch holds its beginning and not its end.
"""

import sys
from collections.abc import Iterable, Sequence
from operator import methodcaller
from typing import Protocol

from projections import fold
from projections.fold import Fold, Stats
from projections.marks import Answer, Marks, Which, digest, row_version
from projections.packs import Bucket, Pack, bounds, bucket_of
from projections.reads import PACKED_READINGS_MAX, ROWS_MAX, Page, ReadSteps, look
from projections.rows import FLEET, TOTAL, Row, sensor_scope, window_us
from projections.tiles import HOUR_US, Run, check_between, runs, tiles
from telemetry.errors import Unanswerable
from telemetry.reading import Reading, rfc3339

_MORE_READINGS = 600
"""Read beyond a page: ten minutes at one a second, so that a page seldom takes a second query."""


class Fleet(Protocol):
    """Whoever knows the fleet's totals: a reader, or what it read."""

    def total(self) -> ReadSteps[Answer[Stats]]:
        """The stats of everything; stands on the mark of the totals."""

    def marks(self, which: Which) -> ReadSteps[Marks]:
        """One of the marks, to be read before what it is to vouch for."""


def fleet_between(fleet: Fleet, from_us: int, until_us: int, rows_max: int = ROWS_MAX) -> ReadSteps[Answer[Stats]]:
    """The stats of what all sensors measured in a stretch of whole minutes; stands on the mark of the windows.

    Repeats are not among them: totals alone count these. Raises Unanswerable for other stretches, or when more than `rows_max`
    rows would have to be read.
    """
    windows = tiles(from_us, until_us)
    marks = yield from fleet.marks(Which.WINDOWS)
    rows = yield from rows_of(FLEET, windows, rows_max)
    return Answer(fold.merge(row.stats for _, row in rows), marks, digest_of(rows))


def sensor_total(fleet: Fleet, sensor_id: str) -> ReadSteps[Answer[Stats]]:
    """The stats of everything a sensor measured, repeats among them; stands on the mark of everything.

    Those of an unknown sensor are empty.
    """
    marks = yield from fleet.marks(Which.EVERYTHING)
    rows = yield from rows_of(sensor_scope(sensor_id), [Run(TOTAL, TOTAL)])
    return Answer(fold.merge(row.stats for _, row in rows), marks, digest_of(rows))


def sensor_between(fleet: Fleet, sensor_id: str, from_us: int, until_us: int) -> ReadSteps[Answer[Stats]]:
    """The stats of what a sensor measured in any stretch, without repeats; stands on the mark of everything.

    From rows of hours, and from packs what lies in hours cut by an end. Raises Unanswerable for a stretch of nothing, or
    when more than ROWS_MAX rows or PACKED_READINGS_MAX packed readings would have to be read.
    """
    check_between(from_us, until_us)
    first_us, last_us = -(-from_us // HOUR_US) * HOUR_US, until_us // HOUR_US * HOUR_US
    ends = [(from_us, first_us), (last_us, until_us)] if first_us <= last_us else [(from_us, until_us)]
    marks = yield from fleet.marks(Which.EVERYTHING)
    rows = yield from rows_of(sensor_scope(sensor_id), runs("hour", first_us, last_us))
    packs: list[Pack] = []
    for begin_us, end_us in ends:
        if begin_us < end_us:
            packs += yield from packs_of(sensor_id, begin_us, end_us, PACKED_READINGS_MAX - readings_in(packs))
    ragged = Fold(Stats())
    for reading in {one for pack in packs for one in pack.readings}:
        if any(begin_us <= reading.measured_at_us < end_us for begin_us, end_us in ends):
            ragged.add(reading)
    stats = fold.merge([*(row.stats for _, row in rows), ragged.stats()])
    return Answer(stats, marks, digest_of(rows, packs))


def readings(
    fleet: Fleet,
    sensor_id: str,
    from_us: int,
    until_us: int,
    *,
    after: Reading | None = None,
    limit: int = 1_000,
    newest_first: bool = False,
    whole_buckets: bool = False,
) -> ReadSteps[Answer[Page[Reading]]]:
    """At most `limit` of a sensor's readings in any stretch, those that follow `after`; stands on the mark of everything.

    In the order of `Reading`, or in the other. Read bucket by bucket, so a page costs the same wherever it lies. With
    `whole_buckets`, for streams, all of a bucket that was begun, which may be more than `limit`; what
    follows may be none then. Raises Unanswerable when
    nothing lies in the stretch, or else a single bucket holds more than PACKED_READINGS_MAX.
    """
    check_between(from_us, until_us)
    marks = yield from fleet.marks(Which.EVERYTHING)
    if after and newest_first:
        until_us = min(until_us, after.measured_at_us + 1)
    elif after:
        from_us = max(from_us, after.measured_at_us)
    begin_us, end_us = from_us, until_us
    found: set[Reading] = set()
    read: list[Pack] = []
    cut = False
    while begin_us < end_us and len(found) <= limit:
        first, last = _buckets(sensor_id, begin_us, end_us)
        most = limit + _MORE_READINGS
        between = methodcaller("packs_between", sensor_id, first, last, most, newest_first=newest_first)
        packs: Sequence[Pack] = yield from look(between)
        cut = readings_in(packs) > most
        if cut:
            # Of the last bucket some packs may be missing.
            bucket = packs[-1].bucket
            if packs[0].bucket == bucket:
                packs = yield from _bucket(bucket, unlimited=whole_buckets)
                begin_us, end_us = (begin_us, bucket.first_us) if newest_first else (bucket.last_us + 1, end_us)
            else:
                packs = [pack for pack in packs if pack.bucket != bucket]
                begin_us, end_us = (begin_us, bucket.last_us + 1) if newest_first else (bucket.first_us, end_us)
        read += packs
        found.update(one for pack in packs for one in pack.readings if from_us <= one.measured_at_us < until_us)
        if after:
            found = {one for one in found if (one < after if newest_first else one > after)}
        if not cut:
            break
    ordered = sorted(found, reverse=newest_first)
    page = Page(ordered, cut and begin_us < end_us) if whole_buckets else Page(ordered[:limit], len(found) > limit)
    return Answer(page, marks, digest_of(packs=read))


def _bucket(bucket: Bucket, *, unlimited: bool) -> ReadSteps[Sequence[Pack]]:
    """All packs of a bucket."""
    most = sys.maxsize if unlimited else PACKED_READINGS_MAX
    packs: Sequence[Pack] = yield from look(methodcaller("packs_between", bucket.sensor_id, bucket.time, bucket.time, most))
    if readings_in(packs) > most:
        what = f"Ten minutes from {rfc3339(bucket.first_us)} on hold more than {most:,} readings: take them as CSV or NDJSON."
        raise Unanswerable("question-too-large", {"format": what}, {"format": "csv", "limit": None})
    return packs


def rows_of(scope: str, windows: Iterable[Run], most: int = ROWS_MAX) -> ReadSteps[list[tuple[str, Row]]]:
    """The rows of these windows, of every shard. Raises Unanswerable when they are more than `most`."""
    rows: list[tuple[str, Row]] = []
    for first, last in windows:
        rows += yield from look(methodcaller("rows_between", scope, first, last, most - len(rows) + 1))
        if len(rows) > most:
            # What lies before the window that was read last is not too much.
            window, begin = rows[-1][1].key.window, rows[0][1].key.window
            raise _too_large(f"{most:,} rows", window_us(window)[0] if window != begin else None)
    return rows


def packs_of(sensor_id: str, from_us: int, until_us: int, most: int) -> ReadSteps[Sequence[Pack]]:
    """A sensor's packs of every bucket that a stretch touches. Raises Unanswerable when they hold more than `most` readings."""
    first, last = _buckets(sensor_id, from_us, until_us)
    packs: Sequence[Pack] = yield from look(methodcaller("packs_between", sensor_id, first, last, most))
    if readings_in(packs) > most:
        until_us = packs[-1].bucket.first_us
        raise _too_large(f"{PACKED_READINGS_MAX:,} readings one by one", until_us if until_us > from_us else None)
    return packs


def _buckets(sensor_id: str, from_us: int, until_us: int) -> tuple[str, str]:
    """The times of the first and the last bucket that a stretch touches."""
    first, last = (bucket_of(Reading(time_us, sensor_id, 0)).time for time_us in (from_us, until_us - 1))
    return first, last


def readings_in(packs: Iterable[Pack]) -> int:
    """How many readings packs hold, those that overlap counted twice."""
    return sum(len(pack.readings) for pack in packs)


def digest_of(rows: Iterable[tuple[str, Row]] = (), packs: Iterable[Pack] = ()) -> str:
    """What tells these apart from all others that could have been read."""
    return digest([*(row_version(*one) for one in rows), *map(bounds, packs)])


def _too_large(what: str, until_us: int | None) -> Unanswerable:
    """For a question of which what lies before an instant, if one is known, could be told."""
    nearest = {} if until_us is None else {"to": rfc3339(until_us)}
    said = f"It takes more than {what} to answer this: ask for less time at once."
    return Unanswerable("question-too-large", {"from": said}, nearest)
