"""Questions about stretches of time, against the raw readings: filtered, sorted and added up by other means."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.effects import run
from projections.fold import Stats, merge
from projections.memory import MemoryStores
from projections.percentiles import percentiles
from projections.ranges import fleet_between, sensor_between, sensor_total
from projections.ranges import readings as readings_of
from projections.tiles import END_US, tiles
from telemetry.errors import Unanswerable
from telemetry.limits import TIME_US_MAX
from telemetry.reading import Reading, parse_timestamp
from tests.projections.logs import SHARD, expected_stats, record
from tests.projections.worlds import filled, life, value

START = datetime(2026, 11, 23, 21, 58, tzinfo=UTC)
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000


def us(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


START_US = us(START)
offsets_us = st.one_of(
    st.integers(0, 2 * DAY_US),
    st.sampled_from(
        [hour * HOUR_US + minute * MINUTE_US + edge for hour in (0, 3, 27) for minute in (1, 2, 5) for edge in (-1, 0, 1)]
    ),
)
"""Anywhere in two days and a few hours, and at and beside edges of minutes, hours, days and buckets."""
readings = st.builds(
    Reading,
    offsets_us.map(lambda us: START_US + us),
    st.sampled_from(["a", "b", "c", "d#ü"]),
    st.sampled_from([-1_500_000, 0, 18_700_000]) | st.integers(-10_000_000, 40_000_000),
)
logs = st.tuples(st.lists(readings, max_size=20), st.integers(0, 20)).map(lambda drawn: drawn[0] + drawn[0][: drawn[1]])
"""Readings, and some of them once more."""


def expected(found: Sequence[Reading], duplicates: int = 0) -> Stats:
    """The fold of distinct readings by another way."""
    return expected_stats(found, duplicates) if found else Stats()


@settings(max_examples=60)
@given(logs, offsets_us, offsets_us)
def test_the_fleet_in_any_stretch_of_whole_minutes(log: list[Reading], one_us: int, other_us: int) -> None:
    """Every reading in it and none beside it, from all shards."""
    from_us, until_us = ((START_US + time_us) // MINUTE_US * MINUTE_US for time_us in sorted((one_us, other_us)))
    until_us += MINUTE_US
    found = value(filled(log), lambda fleet: fleet_between(fleet, from_us, until_us))
    assert found == expected([one for one in set(log) if from_us <= one.measured_at_us < until_us])


@settings(max_examples=60)
@given(logs, offsets_us, offsets_us)
def test_a_sensor_in_any_stretch(log: list[Reading], one_us: int, other_us: int) -> None:
    """To the instant: its stats, and its readings in order; and everything of it, repeats told."""
    from_us, until_us = START_US + min(one_us, other_us), START_US + max(one_us, other_us) + 1
    stores = filled(log)
    mine = {one for one in log if one.sensor_id == "a"}
    inside = sorted(one for one in mine if from_us <= one.measured_at_us < until_us)
    assert value(stores, lambda fleet: sensor_between(fleet, "a", from_us, until_us)) == expected(inside)
    assert value(stores, lambda fleet: readings_of(fleet, "a", from_us, until_us)) == (inside, False)
    repeats = sum(one.sensor_id == "a" for one in log) - len(mine)
    assert value(stores, lambda fleet: sensor_total(fleet, "a")) == expected(list(mine), repeats)


dense = st.builds(
    Reading,
    st.one_of(st.integers(0, 3 * HOUR_US), st.integers(0, 10 * MINUTE_US), st.integers(0, 20)).map(lambda us: START_US + us),
    st.just("a"),
    st.integers(-2, 2),
)
"""Mostly in few buckets, and some at one instant."""


def overlapping(log: Sequence[Reading], ends: Sequence[int]) -> MemoryStores:
    """The packs of several workers that read the same log, each from its beginning to another end."""
    stores = MemoryStores()
    records = [record(number, one) for number, one in enumerate(log, 1)]
    for until in ends:
        alone = MemoryStores()
        run(life(SHARD, records[:until]), alone)
        stores.packs |= alone.packs
    return stores


def test_readings_in_packs_that_overlap_count_once() -> None:
    """As after a crash, when the next worker flushes at another place; packs are believed whoever wrote them."""
    stores = overlapping([Reading(START_US + number, "a", number) for number in range(1, 5)], [2, 4])
    stats = value(stores, lambda fleet: sensor_between(fleet, "a", START_US, START_US + 4))
    assert (len(stores.packs), stats.count, stats.sum_micro) == (2, 3, 1 + 2 + 3)


def pages(stores: MemoryStores, from_us: int, until_us: int, **asked: Any) -> Iterator[Sequence[Reading]]:
    """One page after the other."""
    after: Reading | None = None
    more = True
    while more:
        steps = partial(readings_of, sensor_id="a", from_us=from_us, until_us=until_us, after=after, **asked)
        page, more = value(stores, steps)
        yield page
        after = page[-1] if page else None


@settings(max_examples=100)
@given(st.lists(dense, max_size=60), st.lists(st.integers(0, 60), max_size=2), st.integers(1, 12), st.data())
def test_pages_of_readings_are_the_sorted_set(log: list[Reading], ends: list[int], limit: int, data: st.DataObject) -> None:
    """In both orders, whatever a page holds, across packs that overlap and buckets that are larger than a page."""
    from_us, until_us = (START_US + end_us for end_us in sorted(data.draw(st.tuples(offsets_us, offsets_us))))
    newest_first, streamed = data.draw(st.booleans()), data.draw(st.booleans())
    asked = {"limit": limit, "newest_first": newest_first, "whole_buckets": streamed}
    with mock.patch("projections.ranges._MORE_READINGS", 3):
        found = list(pages(overlapping(log, [*ends, len(log)]), from_us, until_us + 1, **asked))
    assert all(len(page) > limit if streamed else len(page) == limit for page in found[:-1])
    inside = {one for one in log if from_us <= one.measured_at_us <= until_us}
    assert [one for page in found for one in page] == sorted(inside, reverse=newest_first)


def test_a_page_goes_on_within_the_stretch_that_is_asked_for() -> None:
    """Wherever the reading that it follows lies."""
    log = [Reading(START_US + number, "a", number) for number in range(6)]
    stores = filled(log)
    for after, wanted in ((log[0], log[2:4]), (log[2], log[3:4]), (log[5], [])):
        steps = partial(readings_of, sensor_id="a", from_us=START_US + 2, until_us=START_US + 4, after=after)
        assert value(stores, steps) == (wanted, False)
    page = value(stores, lambda fleet: readings_of(fleet, "a", START_US + 2, START_US + 4, after=log[5], newest_first=True))
    assert page == (log[3:1:-1], False)


def test_a_bucket_that_is_too_large_for_a_page_is_refused_and_streamed() -> None:
    """The answer says how to get it."""
    log = [Reading(START_US + number, "a", number) for number in range(6)]
    stores = filled(log)
    with mock.patch("projections.ranges.PACKED_READINGS_MAX", 5), mock.patch("projections.ranges._MORE_READINGS", 0):
        with pytest.raises(Unanswerable, match="more than 5 readings") as refused:
            value(stores, lambda fleet: readings_of(fleet, "a", 0, END_US, limit=2))
        assert refused.value.nearest == {"format": "csv", "limit": None}
        assert list(pages(stores, 0, END_US, limit=2, whole_buckets=True)) == [log, []]


# --- Tiles ---


@given(st.integers(0, 5_000), st.integers(1, 5_000))
def test_tiles_are_the_fewest_windows(begin: int, minutes: int) -> None:
    """Each minute lies in the largest window around it that fits: none is left out, told twice, or cut finer than need be."""
    from_us, until_us = START_US + begin * MINUTE_US, START_US + (begin + minutes) * MINUTE_US
    fewest = []
    for minute in range(begin, begin + minutes):
        at = START + timedelta(minutes=minute)
        for text, width in (("day#%Y-%m-%d", 1440), ("hour#%Y-%m-%dT%H", 60), ("minute#%Y-%m-%dT%H:%M", 1)):
            first = minute - (at.hour * 60 + at.minute) % width
            if begin <= first and first + width <= begin + minutes:
                fewest.append(at.strftime(text))
                break
    assert [window for run in tiles(from_us, until_us) for window in windows(*run)] == list(dict.fromkeys(fewest))
    assert len(tiles(from_us, until_us)) <= 5


def windows(first: str, last: str) -> Sequence[str]:
    """The windows from one to another."""
    kind, _, begin = first.partition("#")
    form, step = {
        "minute": ("%Y-%m-%dT%H:%M", timedelta(minutes=1)),
        "hour": ("%Y-%m-%dT%H", timedelta(hours=1)),
        "day": ("%Y-%m-%d", timedelta(days=1)),
    }[kind]
    at, found = datetime.strptime(begin, form).replace(tzinfo=UTC), [first]
    while found[-1] != last:
        at += step
        found.append(f"{kind}#{at.strftime(form)}")
    return found


def test_all_time_is_one_run_of_days() -> None:
    """From the first to the last that there are."""
    assert tiles(0, END_US) == [("day#1970-01-01", "day#9999-12-31")]
    assert TIME_US_MAX < END_US


@pytest.mark.parametrize(
    ("from_us", "until_us", "said"),
    [
        (30_000_001, 2 * MINUTE_US, "from: Expected a whole minute in UTC. The nearest: 1970-01-01T00:01:00Z"),
        (30_000_001, MINUTE_US, "from: Expected a whole minute in UTC. The nearest: 1970-01-01T00:00:00Z"),
        (0, 30_000_000, "to: Expected a whole minute in UTC. The nearest: 1970-01-01T00:01:00Z"),
        (0, END_US - 1, "to: Expected a whole minute in UTC. The nearest: the end of time"),
        (MINUTE_US, MINUTE_US, "from: Expected a time before 1970-01-01T00:01:00Z"),
        (END_US, END_US, "from: Expected a time before the end"),
        (-MINUTE_US, END_US + 1, "from: Expected a time from 1970-01-01T00:00:00Z to the end"),
    ],
)
def test_a_stretch_that_cannot_be_told_is_refused(from_us: int, until_us: int, said: str) -> None:
    """With what would do."""
    with pytest.raises(Unanswerable) as refused:
        tiles(from_us, until_us)
    assert said in str(refused.value)


@given(st.integers(0, 10) | st.integers(END_US // MINUTE_US - 10, END_US // MINUTE_US - 1), *[st.integers(0, 200_000_000)] * 2)
def test_the_nearest_stretch_can_be_told(minute: int, some_us: int, length_us: int) -> None:
    """There is something in it, and each of its ends is less than a minute away."""
    from_us = min(minute * MINUTE_US + some_us, END_US - 1)
    until_us = min(from_us + length_us + 1, END_US)
    try:
        tiles(from_us, until_us)
    except Unanswerable as refused:
        near = {name: END_US if text is None else parse_timestamp(text) for name, text in refused.nearest.items()}
        near_from_us, near_until_us = near.get("from", from_us), near.get("to", until_us)
        assert tiles(near_from_us, near_until_us)
        assert max(abs(near_from_us - from_us), abs(near_until_us - until_us)) < MINUTE_US


# --- Bounds ---


def test_a_question_that_takes_too_many_rows_is_refused() -> None:
    """As many as are allowed are read, and one more only to know that there are."""
    stores = filled(Reading(START_US + number * MINUTE_US, "a", 0) for number in range(4))
    until_us = START_US + 4 * MINUTE_US
    assert value(stores, lambda fleet: fleet_between(fleet, START_US, until_us, 4)).count == 4
    with pytest.raises(Unanswerable, match="more than 3 rows") as refused:
        value(stores, lambda fleet: fleet_between(fleet, START_US, until_us, 3))
    nearest_us = parse_timestamp(refused.value.nearest["to"])
    assert value(stores, lambda fleet: fleet_between(fleet, START_US, nearest_us, 3)).count == 3


def test_a_question_that_takes_too_many_packed_readings_is_refused() -> None:
    """Of both ends together."""
    stores = filled(Reading(START_US + 5 * MINUTE_US + number * HOUR_US, "a", 0) for number in range(4))
    until_us = START_US + 3 * HOUR_US + 6 * MINUTE_US
    with mock.patch("projections.ranges.PACKED_READINGS_MAX", 2):
        assert value(stores, lambda fleet: sensor_between(fleet, "a", START_US + 3 * MINUTE_US, until_us)).count == 4
    with mock.patch("projections.ranges.PACKED_READINGS_MAX", 1), pytest.raises(Unanswerable, match="more than 1 readings"):
        value(stores, lambda fleet: sensor_between(fleet, "a", START_US + 3 * MINUTE_US, until_us))


# --- Percentiles ---


@given(st.lists(st.integers(-273_150_000, 40_000_000) | st.integers(0, 400).map(lambda tenths: tenths * 100_000), max_size=300))
def test_percentiles_are_within_what_they_say(temperatures: list[int]) -> None:
    """Of the nearest rank in the sorted list, whatever is merged."""
    parts = (temperatures[0::2], temperatures[1::2])
    found = percentiles(merge(expected([Reading(0, "a", one) for one in part]) for part in parts))
    if not temperatures:
        assert found is None
        return
    assert found
    *values, within = found
    for percent, told in zip((5, 25, 50, 75, 95, 99), values, strict=True):
        true = sorted(temperatures)[(len(temperatures) * percent + 99) // 100 - 1]
        assert abs(true - told) <= within


def test_percentiles_of_few_different_temperatures_are_exact() -> None:
    """A hundred of them: each percentile is one of them."""
    found = percentiles(expected([Reading(number, "a", number * 100_000) for number in range(1, 101)]))
    assert found == (500_000, 2_500_000, 5_000_000, 7_500_000, 9_500_000, 9_900_000, 0)
