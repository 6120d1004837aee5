"""What was measured in a stretch of time: the fleet by windows, a sensor to the instant, days by quarters of an hour. Pure.

Each is told by steps that read the marks first and say in their answer on which they stand. All times are microseconds since
1970; a stretch holds its beginning and not its end.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial

from projections import fold, sheets
from projections.fleet import FleetReader
from projections.fold import Fold, Stats
from projections.marks import Answer, Which, digest, row_version
from projections.packs import Pack, bounds, bucket_of
from projections.reads import PACKED_READINGS_MAX, ROWS_MAX, Reads, ReadSteps, look
from projections.rows import FLEET, TOTAL, Row, sensor_scope
from projections.sheets import Sheet
from projections.tiles import HOUR_US, Run, check_between, runs, tiles
from telemetry.errors import InvalidQuestion
from telemetry.reading import Reading

_TOO_LARGE = "It takes more than {} {} to answer this: ask for less time at once."


def fleet_between(fleet: FleetReader, from_us: int, until_us: int) -> ReadSteps[Answer[Stats]]:
    """The stats of what all sensors measured in a stretch of whole minutes; stands on the mark of the windows.

    Repeats are not among them: totals alone count these. Raises InvalidQuestion for other stretches, or when more than ROWS_MAX
    rows would have to be read.
    """
    windows = tiles(from_us, until_us)
    marks = yield from fleet.marks(Which.WINDOWS)
    rows = yield from _rows_of(FLEET, windows)
    return Answer(fold.merge(row.stats for _, row in rows), marks, _digest(rows))


def fleet_sheets(fleet: FleetReader, first: date, last: date) -> ReadSteps[Answer[dict[date, Sheet]]]:
    """The sheet of each UTC day from `first` to `last`, both included, in order; stands on the mark of the windows.

    Days without a reading are left out. Raises InvalidQuestion as `fleet_between` does.
    """
    if first > last:
        raise InvalidQuestion({"from": f"Expected a day not after {last}."})
    marks = yield from fleet.marks(Which.WINDOWS)
    rows = yield from _rows_of(FLEET, [Run(f"sheet#{first}", f"sheet#{last}")])
    by_day: dict[date, list[Sheet]] = {}
    for _, row in rows:
        by_day.setdefault(date.fromisoformat(row.key.window.partition("#")[2]), []).append(row.sheet)
    return Answer({day: sheets.merge(each) for day, each in by_day.items()}, marks, _digest(rows))


def sensor_total(fleet: FleetReader, sensor_id: str) -> ReadSteps[Answer[Stats]]:
    """The stats of everything a sensor measured, repeats among them; stands on the mark of everything.

    Those of an unknown sensor are empty.
    """
    marks = yield from fleet.marks(Which.EVERYTHING)
    rows = yield from _rows_of(sensor_scope(sensor_id), [Run(TOTAL, TOTAL)])
    return Answer(fold.merge(row.stats for _, row in rows), marks, _digest(rows))


def sensor_between(fleet: FleetReader, sensor_id: str, from_us: int, until_us: int) -> ReadSteps[Answer[Stats]]:
    """The stats of what a sensor measured in any stretch, without repeats; stands on the mark of everything.

    From rows of hours, and from packs what lies in hours cut by an end. Raises InvalidQuestion for a stretch of nothing, or
    when more than ROWS_MAX rows or PACKED_READINGS_MAX packed readings would have to be read.
    """
    check_between(from_us, until_us)
    first_us, last_us = -(-from_us // HOUR_US) * HOUR_US, until_us // HOUR_US * HOUR_US
    ends = [(from_us, first_us), (last_us, until_us)] if first_us <= last_us else [(from_us, until_us)]
    marks = yield from fleet.marks(Which.EVERYTHING)
    rows = yield from _rows_of(sensor_scope(sensor_id), runs("hour", first_us, last_us))
    packs: list[Pack] = []
    for begin_us, end_us in ends:
        if begin_us < end_us:
            packs += yield from _packs_of(sensor_id, begin_us, end_us, PACKED_READINGS_MAX - _readings_in(packs))
    ragged = Fold(Stats())
    for reading in {one for pack in packs for one in pack.readings}:
        if any(begin_us <= reading.measured_at_us < end_us for begin_us, end_us in ends):
            ragged.add(reading)
    stats = fold.merge([*(row.stats for _, row in rows), ragged.stats()])
    return Answer(stats, marks, _digest(rows, packs))


def readings_between(fleet: FleetReader, sensor_id: str, from_us: int, until_us: int) -> ReadSteps[Answer[list[Reading]]]:
    """A sensor's readings in any stretch, by time; stands on the mark of everything.

    Raises InvalidQuestion when nothing lies in the stretch, or PACKED_READINGS_MAX is not enough.
    """
    check_between(from_us, until_us)
    marks = yield from fleet.marks(Which.EVERYTHING)
    packs = yield from _packs_of(sensor_id, from_us, until_us, PACKED_READINGS_MAX)
    found = {one for pack in packs for one in pack.readings if from_us <= one.measured_at_us < until_us}
    return Answer(sorted(found), marks, _digest(packs=packs))


def _rows_of(scope: str, windows: Iterable[Run]) -> ReadSteps[list[tuple[str, Row]]]:
    """The rows of these windows, of every shard."""
    rows: list[tuple[str, Row]] = []
    for first, last in windows:
        rows += yield from look(partial(_rows_between, scope, first, last, ROWS_MAX - len(rows) + 1))
        if len(rows) > ROWS_MAX:
            raise InvalidQuestion({"from": _TOO_LARGE.format(f"{ROWS_MAX:,}", "rows")})
    return rows


def _rows_between(scope: str, first: str, last: str, most: int, reads: Reads) -> Sequence[tuple[str, Row]]:
    return reads.rows_between(scope, first, last, most)


def _packs_of(sensor_id: str, from_us: int, until_us: int, most: int) -> ReadSteps[Sequence[Pack]]:
    """The packs of every bucket that the stretch touches."""
    first, last = (bucket_of(Reading(time_us, sensor_id, 0)).time for time_us in (from_us, until_us - 1))
    packs = yield from look(lambda reads: reads.packs_between(sensor_id, first, last, most))
    if _readings_in(packs) > most:
        raise InvalidQuestion({"from": _TOO_LARGE.format(f"{PACKED_READINGS_MAX:,}", "readings one by one")})
    return packs


def _readings_in(packs: Iterable[Pack]) -> int:
    return sum(len(pack.readings) for pack in packs)


def _digest(rows: Iterable[tuple[str, Row]] = (), packs: Iterable[Pack] = ()) -> str:
    return digest([*(row_version(*one) for one in rows), *map(bounds, packs)])
