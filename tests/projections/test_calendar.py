"""The calendar of zones against a clock that is looked at minute by minute, and rules read from the database by other means."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.calendar import Interval, Window, windows
from projections.zones import UTC_ZONE, Zone, instant, offset_at, pieces, rfc3339_in, zone_of
from telemetry.limits import TIME_US_MAX
from tests.projections.odd_zones import ODD_ZONES, changes

SECOND_US, MINUTE_US, HOUR_US, DAY_US = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(text: str) -> int:
    """Microseconds since 1970."""
    at = datetime.fromisoformat(text)
    return (at.replace(tzinfo=at.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)


def clock(zone: Zone, time_us: int) -> datetime:
    """What the zone's clock shows at an instant, by datetime alone."""
    return (EPOCH + timedelta(microseconds=time_us)).astimezone(zone.rules).replace(tzinfo=None)


def expected(zone: Zone, interval: Interval, from_us: int, until_us: int) -> list[Window]:
    """The whole hours or days by looking at the clock every half minute: no offset since 1970 is finer."""
    edges: list[int] = []
    offset: timedelta | None = None
    day: date | None = None
    for time_us in range(from_us, until_us, 30 * SECOND_US):
        local = (EPOCH + timedelta(microseconds=time_us)).astimezone(zone.rules)
        offset_before, offset = offset, local.utcoffset()
        day_before, day = day, local.date() if day is None else max(local.date(), day)
        if interval is Interval.HOUR:
            begins = (local.minute == local.second == 0) or offset_before not in (None, offset)
        else:
            begins = day_before not in (None, day)
        if begins:
            edges.append(time_us)
    return [Window(*span) for span in pairwise(edges)]


@pytest.mark.parametrize("name", ODD_ZONES)
def test_hours_and_days_are_what_the_clock_shows(name: str) -> None:
    """Around changes of the clock and elsewhere, each exactly."""
    zone, chance = zone_of(name), Random(name)  # noqa: S311  the same ones every time
    moments = changes(zone)
    some = [*chance.sample(moments, min(len(moments), 3)), chance.randrange(us("1970-01-03"), us("2100-01-01"))]
    for moment in some:
        from_us = (moment - DAY_US) // (30 * SECOND_US) * 30 * SECOND_US
        for interval, length_us in ((Interval.HOUR, 2 * DAY_US), (Interval.DAY, 4 * DAY_US)):
            wanted = expected(zone, interval, from_us - length_us // 2, from_us + length_us)
            assert list(windows(zone, interval, wanted[0].start_us, wanted[-1].end_us)) == wanted


FIRST_DAY = {
    Interval.WEEK: lambda day: day - timedelta(days=day.weekday()),
    Interval.MONTH: lambda day: day.replace(day=1),
    Interval.YEAR: lambda day: day.replace(month=1, day=1),
}


@settings(max_examples=150)
@given(st.sampled_from(ODD_ZONES), st.sampled_from(list(FIRST_DAY)), st.integers(0, us("2040-01-01")), st.integers(1, 800))
def test_weeks_months_and_years_are_made_of_days(name: str, interval: Interval, from_us: int, days: int) -> None:
    """Of those whose first instants have dates in them."""
    zone, until_us = zone_of(name), from_us + days * DAY_US
    found = list(windows(zone, interval, from_us, until_us))
    whole = windows(zone, Interval.DAY, found[0].start_us, found[-1].end_us)
    grouped = groupby(whole, lambda day: FIRST_DAY[interval](clock(zone, day.start_us).date()))
    assert found == [Window(days[0].start_us, days[-1].end_us) for _, each in grouped for days in [list(each)]]


@settings(max_examples=300)
@given(
    st.sampled_from(ODD_ZONES),
    st.sampled_from(list(Interval)),
    st.integers(0, us("2100-01-01")) | st.integers(TIME_US_MAX - 400 * DAY_US, TIME_US_MAX),
    st.integers(1, 40 * HOUR_US) | st.integers(1, 1_000_000),
)
def test_windows_hold_the_stretch_without_a_gap(name: str, interval: Interval, from_us: int, length_us: int) -> None:
    """And none of them for nothing; near the end of time too."""
    until_us = min(from_us + length_us, TIME_US_MAX + 1)
    found = list(windows(zone_of(name), interval, from_us, until_us))
    assert found[0].start_us <= from_us < found[0].end_us
    assert found[-1].start_us < until_us <= found[-1].end_us
    assert all(one.end_us == other.start_us for one, other in pairwise(found))
    assert all(one.start_us < one.end_us for one in found)


def test_no_zone_changes_its_offset_twice_within_a_day() -> None:
    """None of all there are, so that looking once a day misses nothing."""
    for name in zoneinfo.available_timezones() - {"Factory", "localtime"}:
        assert all(other - one > DAY_US for one, other in pairwise(changes(zone_of(name)))), name


@pytest.mark.parametrize("name", ["Asia/Gaza", "America/St_Johns", "Africa/Casablanca", "Europe/Berlin"])
def test_offsets_change_when_the_database_says_so(name: str) -> None:
    """What follows the last change that it lists is by a yearly rule."""
    zone = zone_of(name)
    listed = changes(zone)[-40:]
    assert [piece.begin_us for piece in pieces(zone, listed[0] - 1, listed[-1] + 1)][1:] == listed


@settings(max_examples=200)
@given(st.sampled_from(ODD_ZONES), st.integers(us("1970-01-02"), us("2060-01-01")))
def test_a_time_on_the_clock_is_the_first_instant_of_it(name: str, clock_us: int) -> None:
    """Of two the first; of one that is skipped the instant of the change."""
    zone, local = zone_of(name), clock(UTC_ZONE, clock_us)
    at_us = instant(zone, clock_us)
    shown = clock(zone, at_us)
    if shown != local:
        assert offset_at(zone, at_us) != offset_at(zone, at_us - 1)
        assert clock(zone, at_us - 1) < local < shown
    else:
        assert not any(clock(zone, at_us - back * 30 * MINUTE_US) == local for back in (1, 2, 3, 4, 48))
    assert datetime.fromisoformat(rfc3339_in(zone, at_us)) == EPOCH + timedelta(microseconds=at_us)


@pytest.mark.parametrize(
    ("asked", "interval", "from_", "until", "starts"),
    [
        # Lord Howe sets its clock back by half an hour: 60 and 30 minutes.
        ("australia/lord_howe", "hour", "2026-04-04T14:00", "2026-04-04T16:00",
         ["2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"]),
        # Samoa had no 30th of December 2011.
        ("Pacific/Apia", "day", "2011-12-29T10:00", "2011-12-31T10:00",
         ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"]),
        # St John's set its clock back at 00:01: the date went back, the day did not begin again.
        ("America/St_Johns", "day", "2006-10-29T02:30", "2006-10-30T03:30", ["2006-10-29T00:00:00-02:30"]),
        # Beirut's clock went from midnight to one.
        ("Asia/Beirut", "day", "2026-03-28T22:00", "2026-03-29T21:00", ["2026-03-29T01:00:00+03:00"]),
        # Monrovia was 44 minutes and 30 seconds behind until 1972.
        ("Africa/Monrovia", "day", "1972-01-06T00:44:30", "1972-01-08T00:00",
         ["1972-01-06T00:00:30-00:44", "1972-01-07T00:44:30+00:00"]),
        ("+05:45", "month", "2026-01-31T18:15", "2026-02-28T18:15", ["2026-02-01T00:00:00+05:45"]),
    ],
)  # fmt: skip
def test_the_calendars_known_oddities(asked: str, interval: str, from_: str, until: str, starts: list[str]) -> None:
    """As their clocks showed it."""
    zone = zone_of(asked)
    found = [rfc3339_in(zone, one.start_us) for one in windows(zone, Interval(interval), us(from_), us(until))]
    assert found == starts


@pytest.mark.parametrize(
    "name", ["localtime", "Factory", "posix/UTC", "right/UTC", "", "Berlin", "UTC+1", "+25:00", "+5:30", "utc "]
)
def test_a_zone_that_is_none_is_refused_with_names_that_are_near(name: str) -> None:
    """So that whoever asked can go on."""
    with pytest.raises(ValueError, match=r"Near to it|e\.g\."):
        zone_of(name)


def test_zones_are_found_in_any_case_and_keep_the_name_they_were_asked_by() -> None:
    """Links among them; the offset is what it was in that year."""
    assert zone_of("eUrOpE/bErLiN").name == "eUrOpE/bErLiN"
    assert offset_at(zone_of("asia/calcutta"), us("2026-01-01")) == offset_at(zone_of("Asia/Kolkata"), us("2026-01-01"))
    assert rfc3339_in(UTC_ZONE, us("2026-01-01T00:00:00.250")) == "2026-01-01T00:00:00.25Z"
    with pytest.raises(ValueError, match="Near to it: Europe/Berlin"):
        zone_of("berlin")
