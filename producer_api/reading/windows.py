"""Which windows a page of history has, and what they hold: the interval that is fine enough, and as many as the bounds admit.

Pure: steps, as the read model has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Final

from producer_api.reading.common import Stretch
from projections.calendar import Interval, windows
from projections.fold import Stats
from projections.history import Measured, fleet_history, fleet_runs, sensor_history
from projections.marks import Answer, Which
from projections.ranges import Fleet, sensor_total
from projections.reads import ROWS_MAX, ROWS_WITH_PERCENTILES_MAX, ReadSteps
from projections.tiles import DAY_US, END_US, HOUR_US, MINUTE_US, length
from telemetry.errors import Unanswerable
from telemetry.limits import TIME_US_MIN

_SHORTEST_US: Final[Mapping[Interval, int]] = {
    # No shorter one but where a clock is set back or a date skipped, which is less than once in 25.
    Interval.MINUTE: MINUTE_US,
    Interval.HOUR: HOUR_US,
    Interval.DAY: 23 * HOUR_US,
    Interval.WEEK: 6 * DAY_US,
    Interval.MONTH: 27 * DAY_US,
    Interval.YEAR: 364 * DAY_US,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which history is asked for."""

    sensor_id: str | None
    stretch: Stretch
    interval: Interval | None
    """None for the finest that makes at most `points` windows."""
    points: int
    limit: int
    """How many windows a page holds at most."""
    percentiles: bool

    def key(self) -> tuple[object, ...]:
        """What tells the question from all others, but for the name of the zone."""
        ends = self.stretch.from_us, self.stretch.until_us, self.stretch.zone.name.lower()
        return self.sensor_id, *ends, self.interval, self.points, self.limit, self.percentiles


@dataclass(frozen=True, slots=True)
class History:
    """A page of windows."""

    interval: Interval
    from_us: int | None
    """Where the first page begins; None when that was not said and nothing was measured."""
    measured: Sequence[Measured]
    uncut: Sequence[bool]
    """Whether each is a whole window of the calendar."""
    next_us: int | None
    """Where the next page begins."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """The edges of a page's windows."""

    edges: Sequence[int]
    uncut: Sequence[bool]
    more: bool

    def first(self, count: int) -> "_Cut":
        """A page of fewer windows."""
        if count >= len(self.uncut):
            return self
        return _Cut(self.edges[: count + 1], self.uncut[:count], more=True)


def page(fleet: Fleet, wanted: Wanted, begin_us: int | None) -> ReadSteps[Answer[History]]:
    """The windows of a page from `begin_us` on, which a cursor names, or of the first one.

    A page holds fewer than it may when more rows would have to be read than the bounds admit. Raises Unanswerable when a single
    window takes more.
    """
    marks = yield from fleet.marks(Which.WINDOWS if wanted.sensor_id is None else Which.EVERYTHING)
    total = None
    if wanted.stretch.from_us is None or wanted.stretch.until_us is None:
        total = (yield from (fleet.total() if wanted.sensor_id is None else sensor_total(fleet, wanted.sensor_id))).value
    from_us, until_us = _ends(wanted.stretch, total)
    start_us = from_us if begin_us is None else begin_us
    if from_us is None or until_us is None or start_us is None or not from_us <= start_us < until_us:
        return Answer(History(wanted.interval or Interval.MINUTE, wanted.stretch.from_us, [], [], None), marks)
    # Those that were read to their end lie one behind the other: of any time there are about as many rows as shards are open.
    is_open = [not mark.ended for mark in marks.shards.values()]
    interval, cut = _interval(wanted, start_us, until_us, max(1, sum(is_open)))
    while True:
        try:
            answer = yield from _measured(fleet, wanted, cut.edges)
            break
        except Unanswerable as error:
            if error.code != "question-too-large":
                raise
            if wanted.interval is None and interval is Interval.MINUTE:
                # Of a sensor: its hours are rows.
                interval, cut = Interval.HOUR, _edges(wanted, Interval.HOUR, start_us, until_us, wanted.limit)
            elif len(cut.uncut) == 1:
                raise Unanswerable(error.code, error.parameters, _finer(interval)) from None
            else:
                cut = cut.first(len(cut.uncut) // 2)
    if wanted.stretch.from_us is None:
        from_us = max(next(windows(wanted.stretch.zone, interval, from_us, from_us + 1)).start_us, TIME_US_MIN)
    found = History(interval, from_us, answer.value, cut.uncut, cut.edges[-1] if cut.more else None)
    return Answer(found, answer.marks, answer.read)


def _ends(stretch: Stretch, total: Stats | None) -> tuple[int | None, int | None]:
    """From where to where windows are told: without ends, from the first reading to the last; None when there are none."""
    from_us, until_us = stretch.from_us, stretch.until_us
    if total and total.first and total.latest:
        from_us = total.first.measured_at_us if from_us is None else from_us
        until_us = total.latest.measured_at_us + 1 if until_us is None else until_us
    return from_us, until_us


def _interval(wanted: Wanted, begin_us: int, until_us: int, shards: int) -> tuple[Interval, _Cut]:
    """The interval that is asked for, or fine enough, and a page of it, as far as the bounds are known to admit it.

    A fleet's rows are known beforehand: a sensor's lie in few shards, and its bounds are met when they are read.
    """
    if wanted.interval is None:
        for interval in _few_enough(wanted.points, until_us - begin_us):
            cut = _edges(wanted, interval, begin_us, until_us, wanted.points)
            if not cut.more and _rows(wanted, cut, shards) <= _rows_max(wanted):
                return interval, cut.first(wanted.limit)
    interval = wanted.interval or Interval.YEAR
    cut = _edges(wanted, interval, begin_us, until_us, wanted.limit)
    while len(cut.uncut) > 1 and _rows(wanted, cut, shards) > _rows_max(wanted):
        cut = cut.first(len(cut.uncut) // 2)
    return interval, cut


def _few_enough(points: int, length_us: int) -> Sequence[Interval]:
    """The intervals that may make so few windows, finest first."""
    return [one for one in Interval if length_us <= _SHORTEST_US[one] * (points + 2) * 25 // 24]


def _edges(wanted: Wanted, interval: Interval, begin_us: int, until_us: int, most: int) -> _Cut:
    """At most so many windows, cut to the ends that were asked for; where none was, a window is whole."""
    stretch = wanted.stretch
    found = list(islice(windows(stretch.zone, interval, begin_us, until_us), most + 1))
    more = len(found) > most
    found = found[:most]
    first_us = begin_us if stretch.from_us is not None else found[0].start_us
    end_us = found[-1].end_us if more or stretch.until_us is None else until_us
    edges = [max(first_us, TIME_US_MIN), *(one.end_us for one in found[:-1]), min(end_us, END_US)]
    uncut = [
        (one.start_us == start_us or stretch.from_us is None) and (one.end_us == end_us or stretch.until_us is None)
        for one, (start_us, end_us) in zip(found, pairwise(edges), strict=True)
    ]
    return _Cut(edges, uncut, more)


def _rows(wanted: Wanted, cut: _Cut, shards: int) -> int:
    """How many rows there may be to read; of a sensor, none are known."""
    if wanted.sensor_id is not None:
        return 0
    return sum(map(length, fleet_runs(cut.edges, percentiles=wanted.percentiles))) * shards


def _rows_max(wanted: Wanted) -> int:
    return ROWS_WITH_PERCENTILES_MAX if wanted.percentiles else ROWS_MAX


def _measured(fleet: Fleet, wanted: Wanted, edges: Sequence[int]) -> ReadSteps[Answer[Sequence[Measured]]]:
    if wanted.sensor_id is None:
        return (yield from fleet_history(fleet, edges, percentiles=wanted.percentiles))
    return (yield from sensor_history(fleet, wanted.sensor_id, edges, percentiles=wanted.percentiles))


def _finer(interval: Interval) -> Mapping[str, str | None]:
    """What to ask instead where a single window is too much, from the first page on."""
    shorter = Interval.DAY if _SHORTEST_US[interval] > DAY_US else Interval.MINUTE
    return {} if interval is Interval.MINUTE else {"interval": shorter.value, "cursor": None}
