"""Windows on the calendars of many zones, against the raw readings: filtered by their ends and added up by other means."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections import fold
from projections.calendar import Interval, Window, windows
from projections.effects import run
from projections.fleet import FleetReader
from projections.histogram import Histogram
from projections.history import Measured, fleet_history, fleet_runs, sensor_history
from projections.marks import Answer
from projections.memory import MemoryStores
from projections.ranges import fleet_between, sensor_between
from projections.reads import ReadSteps
from projections.sheets import Cell
from projections.tiles import DAY_US, END_US, HOUR_US, MINUTE_US, length
from projections.zones import Zone, zone_of
from telemetry.errors import Unanswerable
from telemetry.limits import TIME_US_MAX
from telemetry.reading import Reading, parse_timestamp
from tests.projections.odd_zones import ODD_ZONES, changes
from tests.projections.worlds import CountingReads, filled, value
from tests.support.oracle import expected_histogram

LENGTH_US = {
    Interval.MINUTE: 2 * HOUR_US,
    Interval.HOUR: 2 * DAY_US,
    Interval.DAY: 9 * DAY_US,
    Interval.WEEK: 40 * DAY_US,
    Interval.MONTH: 200 * DAY_US,
    Interval.YEAR: 1000 * DAY_US,
}
"""Some windows of each."""


@dataclass(frozen=True)
class Case:
    """A question about windows, and the log that it is about."""

    zone: Zone
    interval: Interval
    edges: Sequence[int]
    log: Sequence[Reading]
    percentiles: bool


@st.composite
def cases(draw: st.DrawFn, grain_us: int) -> Case:
    """Any zone, around a change of its clock or elsewhere; ends that cut windows or do not, on multiples of the grain."""
    zone, interval = zone_of(draw(st.sampled_from(ODD_ZONES))), draw(st.sampled_from(list(Interval)))
    length_us = LENGTH_US[interval]
    moments = [moment for moment in changes(zone) if 2 * length_us < moment < TIME_US_MAX - 2 * length_us]
    around = st.integers(parse_timestamp("1973-01-01T00:00"), parse_timestamp("2060-01-01T00:00"))
    middle_us = draw(st.sampled_from(moments) | around) if moments else draw(around)
    begin_us = middle_us - length_us // 2
    ends = draw(st.tuples(st.integers(0, length_us), st.integers(0, length_us)))
    from_us, until_us = ((begin_us + end) // grain_us * grain_us for end in sorted(ends))
    found = list(windows(zone, interval, from_us, until_us + grain_us))
    if draw(st.booleans()):
        from_us, until_us = max(found[0].start_us, 0), min(found[-1].end_us, END_US)
    else:
        until_us += grain_us
    edges = [from_us, *(one.end_us for one in found[:-1]), until_us]
    beside = st.builds(int.__add__, st.sampled_from(edges), st.sampled_from([-1, 0, 1, MINUTE_US]))
    time_us = (beside | st.integers(begin_us - DAY_US, begin_us + length_us + DAY_US)).map(lambda us: max(us, 0))
    readings = st.builds(Reading, time_us, st.sampled_from(["a", "b", "c"]), st.integers(-40, 400).map(lambda n: n * 100_000))
    log = draw(st.lists(readings, max_size=25))
    return Case(zone, interval, edges, [*log, *log[: draw(st.integers(0, 5))]], draw(st.booleans()))


def expected(edges: Sequence[int], log: Sequence[Reading], *, percentiles: bool) -> list[Measured]:
    """The distinct readings of each window, added up."""
    found = []
    for start_us, end_us in pairwise(edges):
        values = [one.temperature_micro for one in set(log) if start_us <= one.measured_at_us < end_us]
        squares = sum(value**2 for value in values)
        cell = Cell(len(values), sum(values), squares, min(values), max(values)) if values else None
        told = (expected_histogram(values) if values else Histogram(0, ())) if percentiles else None
        found.append(Measured(Window(start_us, end_us), cell, told))
    return found


def added(measured: Sequence[Measured]) -> tuple[int, int, int]:
    """Count, sum and sum of squares of all windows."""
    cells = [one.cell for one in measured if one.cell]
    return (
        len(cells) and sum(one.readings for one in cells),
        sum(one.sum_micro for one in cells),
        sum(c.sum_squares for c in cells),
    )


def whole(stats: fold.Stats) -> tuple[int, int, int]:
    """The same of stats."""
    return stats.count, stats.sum_micro, stats.sum_squares


def asked(
    stores: MemoryStores, question: Callable[[FleetReader], ReadSteps[Answer[Sequence[Measured]]]]
) -> tuple[list[Measured], int]:
    """The windows, and by how many queries they were found, beside those for the marks."""
    reads = CountingReads(stores)
    fleet = FleetReader()
    run(fleet.read(), reads)
    before = reads.queries
    answer = run(question(fleet), reads)
    return list(answer.value), reads.queries - before


@settings(max_examples=150)
@given(cases(MINUTE_US))
def test_a_fleets_windows_are_those_of_the_readings(case: Case) -> None:
    """Each exactly, and together the whole, in a handful of queries; windows that are not on whole minutes are refused."""
    stores = filled(case.log)
    question = lambda fleet: fleet_history(fleet, case.edges, percentiles=case.percentiles)  # noqa: E731
    if any(edge_us % MINUTE_US for edge_us in case.edges):
        with pytest.raises(Unanswerable, match="whole minute"):
            value(stores, question)
        return
    found, queries = asked(stores, question)
    assert found == expected(case.edges, case.log, percentiles=case.percentiles)
    assert queries <= 5
    between = value(stores, lambda fleet: fleet_between(fleet, case.edges[0], case.edges[-1]))
    assert added(found) == whole(between)


@settings(max_examples=150)
@given(cases(1))
def test_a_sensors_windows_are_those_of_its_readings(case: Case) -> None:
    """To the instant, in every zone and year; a query for its hours, and one for each stretch of hours that are cut."""
    stores = filled(case.log)
    found, queries = asked(stores, lambda fleet: sensor_history(fleet, "a", case.edges, percentiles=case.percentiles))
    assert found == expected(case.edges, [one for one in case.log if one.sensor_id == "a"], percentiles=case.percentiles)
    assert queries <= 1
    between = value(stores, lambda fleet: sensor_between(fleet, "a", case.edges[0], case.edges[-1]))
    assert added(found) == whole(between)


@pytest.mark.parametrize(
    ("zone", "interval", "ends", "percentiles", "rows"),
    [
        # A sheet a day, whatever the zone, as long as its offset is whole quarters.
        ("Asia/Kathmandu", "day", "2024-12-31T18:15/2025-12-31T18:15", False, 366),
        ("Europe/Berlin", "hour", "2025-01-01T00:00/2025-01-31T00:00", False, 30),
        # Rows of days where no zone stands between, percentiles or not.
        ("UTC", "month", "2025-01-01T00:00/2026-01-01T00:00", True, 365),
        # Percentiles are in rows of hours, or of minutes where hours are cut.
        ("Europe/Berlin", "day", "2025-01-01T00:00/2025-01-31T00:00", True, 30 * 24),
        ("Asia/Kathmandu", "hour", "2025-01-01T00:00/2025-01-02T00:00", True, 24 * 60),
        ("UTC", "minute", "2025-01-01T00:00/2025-01-01T05:00", False, 300),
        # Ragged ends: seven minutes before the first quarter, and eight after the last.
        ("UTC", "hour", "2025-01-01T00:08/2025-01-02T00:08", False, 7 + 1 + 8),
    ],
)
def test_the_fewest_rows_are_read(zone: str, interval: str, ends: str, percentiles: bool, rows: int) -> None:
    """In each shard."""
    from_us, until_us = map(parse_timestamp, ends.split("/"))
    found = list(windows(zone_of(zone), Interval(interval), from_us, until_us))
    edges = [from_us, *(one.end_us for one in found[:-1]), until_us]
    assert sum(map(length, fleet_runs(edges, percentiles=percentiles))) == rows


def test_more_rows_than_a_question_may_read_are_refused() -> None:
    """Fewer with percentiles, whose merging takes longer."""
    edges = [number * MINUTE_US for number in range(5)]
    stores = filled(Reading(edge_us, "a", 0) for edge_us in edges[:-1])
    with mock.patch("projections.history.ROWS_MAX", 4), mock.patch("projections.history.ROWS_WITH_PERCENTILES_MAX", 3):
        assert len(value(stores, lambda fleet: fleet_history(fleet, edges))) == 4
        with pytest.raises(Unanswerable, match="more than 3 rows"):
            value(stores, lambda fleet: fleet_history(fleet, edges, percentiles=True))


def test_more_cut_hours_or_packed_readings_than_a_question_may_read_are_refused() -> None:
    """Each stretch of cut hours is a query; packed readings are counted over all of them."""
    edges = [number * DAY_US + MINUTE_US for number in range(4)]
    stores = filled(Reading(edge_us, "a", 0) for edge_us in edges[:-1])
    with mock.patch("projections.history.CUT_HOURS_MAX", 3), pytest.raises(Unanswerable, match="cut more than 3 hours"):
        value(stores, lambda fleet: sensor_history(fleet, "a", edges))
    with mock.patch("projections.history.PACKED_READINGS_MAX", 3):
        assert len(value(stores, lambda fleet: sensor_history(fleet, "a", edges))) == 3
    with mock.patch("projections.history.PACKED_READINGS_MAX", 2), pytest.raises(Unanswerable, match="one by one"):
        value(stores, lambda fleet: sensor_history(fleet, "a", edges))
