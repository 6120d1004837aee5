"""Pages of history: which interval, which windows, and where the next page begins."""

from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer_api.reading.common import Stretch
from producer_api.reading.windows import History, Wanted, page
from projections.calendar import Interval, windows
from projections.effects import run
from projections.memory import MemoryStores
from projections.tiles import DAY_US, HOUR_US, MINUTE_US
from projections.zones import UTC_ZONE, Zone, zone_of
from telemetry.errors import Unanswerable
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading, parse_timestamp
from telemetry.shards import Shard
from tests.projections.worlds import filled, life, value

START_US = parse_timestamp("2026-03-28T10:20")
BERLIN = zone_of("Europe/Berlin")
NONE: dict[str, str] = {}


def wanted(from_us: int | None = None, until_us: int | None = None, zone: Zone = UTC_ZONE, **changed: Any) -> Wanted:
    """A question."""
    usual = {"sensor_id": None, "interval": None, "points": 500, "limit": 5_000, "percentiles": False}
    return Wanted(stretch=Stretch(from_us, until_us, zone, NONE), **(usual | changed))


def told(stores: MemoryStores, question: Wanted, begin_us: int | None = None) -> History:
    """A page."""
    return value(stores, lambda fleet: page(fleet, question, begin_us))


def all_pages(stores: MemoryStores, question: Wanted) -> list[History]:
    """One after the other."""
    found = [told(stores, question)]
    while (next_us := found[-1].next_us) is not None:
        found.append(told(stores, replace(question, interval=found[-1].interval), next_us))
    return found


MANY = filled(Reading(START_US + number * 7 * MINUTE_US, "abc"[number % 3], number) for number in range(60))


@settings(max_examples=60)
@given(
    st.sampled_from([None, "a"]),
    st.sampled_from([Interval.MINUTE, Interval.HOUR, Interval.DAY, Interval.MONTH]),
    st.integers(1, 400),
    st.tuples(*[st.none() | st.integers(-30, 500).map(lambda minutes: START_US + minutes * MINUTE_US)] * 2),
    st.sampled_from([4, 30, 20_000]),
)
def test_pages_follow_each_other_without_gap_and_together_are_the_whole(
    sensor_id: str | None, interval: Interval, limit: int, ends: tuple[int | None, int | None], rows_max: int
) -> None:
    """However few windows a page may hold, and however few rows may be read for it."""
    from_us, until_us = ends
    if from_us is not None and until_us is not None:
        from_us, until_us = min(from_us, until_us), max(from_us, until_us) + MINUTE_US
    question = wanted(from_us, until_us, BERLIN, sensor_id=sensor_id, interval=interval, limit=limit)
    whole = all_pages(MANY, wanted(from_us, until_us, BERLIN, sensor_id=sensor_id, interval=interval))
    with mock.patch("producer_api.reading.windows.ROWS_MAX", rows_max), mock.patch("projections.history.ROWS_MAX", rows_max):
        try:
            pages = all_pages(MANY, question)
        except Unanswerable:  # a single window takes more
            assert rows_max < 20_000
            return
    assert all(len(one.measured) <= limit for one in pages)
    assert [window for one in pages for window in one.measured] == [window for one in whole for window in one.measured]
    assert [uncut for one in pages for uncut in one.uncut] == [uncut for one in whole for uncut in one.uncut]
    assert {one.from_us for one in pages} == {whole[0].from_us}


@pytest.mark.parametrize(
    ("hours", "points", "interval"),
    [
        *((1, 60, "minute"), (1, 59, "hour"), (24, 24, "hour"), (24, 23, "day")),
        *((24 * 40, 7, "week"), (24 * 59, 3, "month"), (24 * 3000, 2, "year")),
    ],
)
def test_auto_takes_the_finest_interval_that_makes_few_enough_windows(hours: int, points: int, interval: str) -> None:
    """Counted on the calendar."""
    from_us = parse_timestamp("2026-03-01T00:00") - (3000 * DAY_US if interval == "year" else 0)
    found = told(MANY, wanted(from_us, from_us + hours * HOUR_US, points=points))
    assert found.interval == interval
    assert len(found.measured) <= points or interval == "year"


def test_auto_takes_a_coarser_interval_when_too_many_rows_would_be_read() -> None:
    """Of all shards together; of a sensor, whose minutes are not rows, when it has too many readings."""
    day = wanted(START_US, START_US + 7 * HOUR_US)
    assert told(MANY, day).interval is Interval.MINUTE
    with mock.patch("producer_api.reading.windows.ROWS_MAX", 839):
        assert told(MANY, day).interval is Interval.HOUR
    sensor = wanted(START_US, START_US + 7 * HOUR_US, sensor_id="a")
    assert told(MANY, sensor).interval is Interval.MINUTE
    with mock.patch("projections.history.PACKED_READINGS_MAX", 10):
        assert told(MANY, sensor).interval is Interval.HOUR


def test_shards_that_are_over_make_no_interval_coarser() -> None:
    """They lie one behind the other: of any time there are rows of as many as were open then."""
    stores = filled([Reading(START_US + number * 7 * MINUTE_US, "abc"[number % 3], number) for number in range(60)])
    for number in range(200):
        run(life(Shard(f"shardId-1{number:011}", 0, HASH_KEY_MAX), [], ended=True), stores)
    year = wanted(START_US, START_US + 365 * DAY_US, percentiles=True)
    for question in (wanted(START_US, START_US + 8 * HOUR_US), year):
        assert told(stores, question).interval is told(MANY, question).interval
    assert len(told(stores, year).measured) == len(told(MANY, year).measured) > 300


def test_a_window_that_takes_too_many_rows_is_refused_with_a_finer_interval_that_does_not() -> None:
    """From the first page on."""
    question = wanted(sensor_id="a", interval=Interval.YEAR)
    with mock.patch("projections.history.ROWS_MAX", 6):
        with pytest.raises(Unanswerable) as refused:
            told(MANY, question)
        assert refused.value.nearest == {"interval": "day", "cursor": None}


def test_without_ends_the_first_and_the_last_window_are_whole() -> None:
    """They hold the first and the last reading; with ends they are cut and say so."""
    days = told(MANY, wanted(zone=BERLIN, interval=Interval.DAY))
    assert [one.window for one in days.measured] == list(windows(BERLIN, Interval.DAY, START_US, START_US + 7 * HOUR_US))
    assert (days.uncut, days.from_us) == ([True], days.measured[0].window.start_us)
    cut = told(MANY, wanted(START_US, START_US + HOUR_US, BERLIN, interval=Interval.HOUR))
    assert cut.uncut == [False, False]
    assert (cut.measured[0].window.start_us, cut.measured[-1].window.end_us) == (START_US, START_US + HOUR_US)


@pytest.mark.parametrize(("from_us", "until_us"), [(START_US + DAY_US, None), (None, START_US - DAY_US), (None, None)])
def test_where_nothing_was_measured_there_are_no_windows(from_us: int | None, until_us: int | None) -> None:
    """After the last reading, before the first one, and of a sensor that nobody knows."""
    question = wanted(from_us, until_us, sensor_id=None if from_us or until_us else "nobody", interval=Interval.DAY)
    assert told(MANY, question) == History(Interval.DAY, from_us, [], [], None)


@pytest.mark.parametrize("begin_us", [-(10**30), START_US - 1, START_US + HOUR_US, 10**30])
def test_a_cursor_beyond_the_ends_finds_nothing(begin_us: int) -> None:
    """They may have been changed since."""
    question = wanted(START_US, START_US + HOUR_US, sensor_id="a", interval=Interval.MINUTE)
    assert told(MANY, question, begin_us).measured == []
