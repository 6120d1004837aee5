"""What was measured window by window: the fewest rows that tell it, and packs where a sensor's hours are cut. Pure.

All times are microseconds since 1970. Repeats are not among what windows tell: totals alone count these.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Final, NamedTuple

from projections import histogram
from projections.calendar import Window
from projections.fold import Fold, Stats
from projections.histogram import Histogram
from projections.marks import Answer, Which
from projections.packs import Pack
from projections.ranges import Fleet, digest_of, packs_of, readings_in, rows_of
from projections.reads import PACKED_READINGS_MAX, ROWS_MAX, ROWS_WITH_PERCENTILES_MAX, ReadSteps
from projections.rows import FLEET, Row, sensor_scope, window_us
from projections.sheets import CELLS, QUARTER_US, Cell, joined
from projections.tiles import DAY_US, HOUR_US, MINUTE_US, Run, check_between, runs, tiles
from telemetry.errors import Unanswerable

CUT_HOURS_MAX: Final = 400
"""Stretches of hours cut by windows that one question looks into, each by a query of its own, one after the other: a year of
days in a zone such as India's. At 10 ms a query that is four of the ten seconds which a question may take."""


class Measured(NamedTuple):
    """What was measured in a window."""

    window: Window
    cell: Cell | None
    """None when nothing was."""
    histogram: Histogram | None
    """None when it was not asked for."""


def fleet_history(fleet: Fleet, edges: Sequence[int], *, percentiles: bool = False) -> ReadSteps[Answer[Sequence[Measured]]]:
    """What all sensors measured between each edge and the next; stands on the mark of the windows.

    Raises Unanswerable for edges that are not on whole minutes, or when more than ROWS_MAX rows would have to be read, with
    percentiles ROWS_WITH_PERCENTILES_MAX.
    """
    asked = fleet_runs(edges, percentiles=percentiles)
    marks = yield from fleet.marks(Which.WINDOWS)
    rows = yield from rows_of(FLEET, asked, _rows_max(percentiles=percentiles))
    sums = _Sums(edges, percentiles=percentiles)
    for _, row in rows:
        if row.key.is_sheet:
            sums.add_sheet(row)
        else:
            sums.add_stats(window_us(row.key.window)[0], row.stats)
    return Answer(sums.measured(), marks, digest_of(rows))


def fleet_runs(edges: Sequence[int], *, percentiles: bool = False) -> list[Run]:
    """The rows that tell what lies between each edge and the next.

    The longest ones that no edge but the outer ones cuts. Sheets stand in for hours, being cheaper, but know no percentiles.
    """
    from_us, *inner, until_us = edges
    check_between(from_us, until_us)
    if not any(edge_us % DAY_US for edge_us in inner):
        return tiles(from_us, until_us)
    if not percentiles and not any(edge_us % QUARTER_US for edge_us in inner):
        first_us, last_us = -(-from_us // QUARTER_US) * QUARTER_US, until_us // QUARTER_US * QUARTER_US
        return [
            *(tiles(from_us, first_us) if from_us < first_us else ()),
            *runs("sheet", first_us, last_us),
            *(tiles(last_us, until_us) if last_us < until_us else ()),
        ]
    if not any(edge_us % HOUR_US for edge_us in inner):
        return tiles(from_us, until_us, "hour")
    if any(edge_us % MINUTE_US for edge_us in inner):
        raise Unanswerable(
            "not-whole-minutes",
            {"tz": "Its windows do not begin on whole minutes in UTC then. A sensor's can be told."},
            {"tz": "UTC"},
        )
    return tiles(from_us, until_us, "minute")


def sensor_history(
    fleet: Fleet, sensor_id: str, edges: Sequence[int], *, percentiles: bool = False
) -> ReadSteps[Answer[Sequence[Measured]]]:
    """What a sensor measured between each edge and the next; stands on the mark of everything.

    From rows of hours, and from packs what lies in hours that edges cut. Raises Unanswerable when that would be more than
    ROWS_MAX rows, PACKED_READINGS_MAX packed readings, or CUT_HOURS_MAX stretches of them.
    """
    from_us, until_us = edges[0], edges[-1]
    check_between(from_us, until_us)
    cut = _cut_hours(edges)
    if len(cut) > CUT_HOURS_MAX:
        raise Unanswerable(
            "question-too-large", {"tz": f"Its windows cut more than {CUT_HOURS_MAX:,} hours: ask for less time."}
        )
    marks = yield from fleet.marks(Which.EVERYTHING)
    sums = _Sums(edges, percentiles=percentiles)
    whole = (
        [] if cut == [(from_us, until_us)] else runs("hour", -(-from_us // HOUR_US) * HOUR_US, until_us // HOUR_US * HOUR_US)
    )
    rows = yield from rows_of(sensor_scope(sensor_id), whole, _rows_max(percentiles=percentiles))
    for _, row in rows:
        hour_us = window_us(row.key.window)[0]
        if not _within(cut, hour_us):
            sums.add_stats(hour_us, row.stats)
    packs: list[Pack] = []
    for begin_us, end_us in cut:
        packs += yield from packs_of(sensor_id, begin_us, end_us, PACKED_READINGS_MAX - readings_in(packs))
    for reading in {one for pack in packs for one in pack.readings}:
        if _within(cut, reading.measured_at_us):
            sums.fold(reading.measured_at_us).add(reading)
    return Answer(sums.measured(), marks, digest_of(rows, packs))


def _rows_max(*, percentiles: bool) -> int:
    return ROWS_WITH_PERCENTILES_MAX if percentiles else ROWS_MAX


def _cut_hours(edges: Sequence[int]) -> list[tuple[int, int]]:
    """The hours that edges cut, between the outer ones, neighbours in one stretch."""
    found: list[tuple[int, int]] = []
    for edge_us in edges:
        if edge_us % HOUR_US:
            begin_us = max(edge_us // HOUR_US * HOUR_US, edges[0])
            end_us = min((edge_us // HOUR_US + 1) * HOUR_US, edges[-1])
            if found and begin_us <= found[-1][1]:
                begin_us = found.pop()[0]
            found.append((begin_us, end_us))
    return found


def _within(stretches: Sequence[tuple[int, int]], time_us: int) -> bool:
    """Whether an instant lies in one of these, which are in order: it would be the last that begins at it or before."""
    after = bisect_right(stretches, time_us, key=itemgetter(0))
    return after > 0 and time_us < stretches[after - 1][1]


class _Sums:
    """Adds up what each window holds."""

    def __init__(self, edges: Sequence[int], *, percentiles: bool) -> None:
        self._edges = edges
        self._percentiles = percentiles
        self._cells: list[Cell | None] = [None] * (len(edges) - 1)
        self._histograms: list[list[Histogram]] = [[] for _ in self._cells]
        self._folds: dict[int, Fold] = {}

    def add_stats(self, begin_us: int, stats: Stats) -> None:
        """A row's, which begins in the window that it lies in."""
        if stats.minimum and stats.maximum:
            number = self._number(begin_us)
            coldest, hottest = stats.minimum.temperature_micro, stats.maximum.temperature_micro
            self._add(number, Cell(stats.count, stats.sum_micro, stats.sum_squares, coldest, hottest))
            if self._percentiles:
                self._histograms[number].append(histogram.decode(stats.histogram))

    def add_sheet(self, row: Row) -> None:
        """Those of its quarters that lie wholly between the outer edges; no edge cuts one."""
        day_us, _ = window_us(row.key.window)
        begin = max(-(-(self._edges[0] - day_us) // QUARTER_US), 0)
        end = min((self._edges[-1] - day_us) // QUARTER_US, CELLS)
        while begin < end:
            number = self._number(day_us + begin * QUARTER_US)
            until = min(-(-(self._edges[number + 1] - day_us) // QUARTER_US), end)
            if cells := [cell for cell in row.sheet[begin:until] if cell]:
                counts, sums, squares, minima, maxima = zip(*cells, strict=True)
                self._add(number, Cell(sum(counts), sum(sums), sum(squares), min(minima), max(maxima)))
            begin = until

    def fold(self, time_us: int) -> Fold:
        """Where to add the readings of the window that an instant lies in, one by one."""
        return self._folds.setdefault(self._number(time_us), Fold())

    def measured(self) -> list[Measured]:
        """Each window with its sums."""
        for number, fold in self._folds.items():
            self._add(number, fold.cell())
            if self._percentiles:
                self._histograms[number].append(histogram.decode(fold.stats().histogram))
        self._folds.clear()
        merged_histograms: Iterable[Histogram | None] = (
            map(histogram.merge, self._histograms) if self._percentiles else [None] * len(self._cells)
        )
        spans = (Window(*span) for span in pairwise(self._edges))
        return [Measured(*one) for one in zip(spans, self._cells, merged_histograms, strict=True)]

    def _add(self, number: int, cell: Cell) -> None:
        self._cells[number] = joined(self._cells[number], cell)

    def _number(self, time_us: int) -> int:
        return bisect_right(self._edges, time_us) - 1
