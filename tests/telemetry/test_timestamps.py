"""A timestamp is an instant in UTC with microseconds, or refused (contract C4, C5, C23)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.limits import TIME_US_MAX, TIME_US_MIN
from telemetry.reading import OutOfRange, parse_timestamp, rfc3339, sortable_time
from tests.telemetry.strategies import TIMES_US

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
NOON = 1_637_950_200 * SECOND  # 2021-11-26T18:10:00Z
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("2021-11-26T18:10:00Z", NOON),
        ("2021-11-26T18:10:00", NOON),
        ("2021-11-26T18:10", NOON),
        ("2021-11-26 18:10:00", NOON),
        ("2021-11-26T20:10:00+02:00", NOON),
        ("2021-11-26T12:40:00-05:30", NOON),
        ("2021-11-26T18:10:00.5", NOON + 500_000),
        ("2021-11-26t18:10:00z", NOON),
        ("2021-11-26T18:10:00+0000", NOON),
        ("2021-11-26T18:10:00+00", NOON),
        ("2021-11-26T20:10:00+02", NOON),
        ("2021-11-26T12:40:00-0530", NOON),
        ("2021-11-26T18:10:00,5Z", NOON + 500_000),
        ("20211126T181000Z", NOON),
        ("20211126T1810", NOON),
        ("20211126t201000.5+0200", NOON + 500_000),
        ("2021-11-26T18:10:00.000001Z", NOON + 1),
        ("2021-11-26T18:10:00.0000019Z", NOON + 1),
        ("2021-11-26T18:10:00." + "9" * 5000, NOON + 999_999),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("9999-12-31T23:59:59.9999999Z", TIME_US_MAX),
    ],
)
def test_iso_8601_is_read_as_utc_and_cut_to_microseconds(text: str, time_us: int) -> None:
    """C5, C23: without an offset it means UTC; digits beyond microseconds are cut, never rounded up."""
    assert parse_timestamp(text) == time_us


@pytest.mark.parametrize(
    "value",
    [
        "nope",
        "",
        "2021-11-26",
        "18:10:00",
        "2021-11-26T18:10:00.",
        " 2021-11-26T18:10:00",
        "2021-11-26T18:10:00\n",
        "２０２１-11-26T18:10:00",
        1637950200,
        True,
        [],
    ],
)
def test_other_forms_are_refused_with_an_example(value: Any) -> None:
    """C4: one form, said in the message."""
    with pytest.raises(ValueError, match=r"^Expected ISO 8601 Date/Time format\. e\.g\. 2021-11-26T18:10:00$"):
        parse_timestamp(value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("2016-12-31T23:59:60Z", "leap second"),
        ("2021-11-26T24:00:00", "24:00 is 00:00"),
        ("20211126T240000", "24:00 is 00:00"),
        ("2021-W47-5T18:10:00", "week date"),
        ("2021W475T181000Z", "week date"),
        ("2021-330T18:10:00", "day of the year"),
        ("2021330T181000Z", "day of the year"),
        ("2021-11-26T18:10:00+24:00", "offset from -23:59 to"),
        ("2021-11-26T18:10:00+02:60", "offset from -23:59 to"),
        ("2021-11-26T18:10:00 Europe/Berlin", "named time zone"),
        ("2021-11-26T18:10:00+01:00[Europe/Berlin]", "named time zone"),
        ("2021-11-26 18:10:00 CET", "named time zone"),
        ("20211126T181000CET", "named time zone"),
        ("2021-11-26T18:10:00 +01:00", "blank before the offset"),
        ("2021-11-26T18:10:00+01:00:30", "seconds in an offset"),
        ("2021-11-26T18:10:00+1", "offset of this form"),
        ("2021-11-26T18", "hour alone"),
        ("2021-11-26T18:10.5", "fraction of a minute"),
        ("+2021-11-26T18:10:00", "year with a sign"),
    ],
)
def test_e11_the_text_names_the_part_that_is_not_taken(text: str, part: str) -> None:
    """C23: ISO 8601 has them, or its users write them; none is ever read as some other instant."""
    with pytest.raises(ValueError, match=part):
        parse_timestamp(text)


@pytest.mark.parametrize(
    "text",
    [
        "2021-02-29T00:00:00",
        "2021-13-01T00:00:00",
        "2021-00-01T00:00:00",
        "2021-11-26T18:60:00",
        "0000-02-30T00:00:00",
    ],
)
def test_a_moment_that_does_not_exist_is_refused(text: str) -> None:
    """Days and times outside the calendar."""
    with pytest.raises(ValueError, match="that exist"):
        parse_timestamp(text)


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00",
        "0000-02-29T23:59:59-23:59",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999-00:01",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_years_outside_1970_to_9999_are_refused(text: str) -> None:
    """C23: counted in UTC, also where the local year is one that datetime cannot shift."""
    with pytest.raises(OutOfRange, match="a year from 1970 to 9999 in UTC"):
        parse_timestamp(text)


@given(st.datetimes(), OFFSETS)
def test_every_moment_with_an_offset_is_what_datetime_says(local: datetime, offset: timezone) -> None:
    """Against the standard library's own arithmetic, over all the years it has."""
    moment = local.replace(tzinfo=offset)
    time_us = (moment - EPOCH) // timedelta(microseconds=1)
    text = moment.isoformat()
    if TIME_US_MIN <= time_us <= TIME_US_MAX:
        assert parse_timestamp(text) == time_us
    else:
        with pytest.raises(ValueError, match="1970 to 9999"):
            parse_timestamp(text)


@given(TIMES_US)
def test_every_time_survives_its_text(time_us: int) -> None:
    """Short or sortable."""
    assert parse_timestamp(rfc3339(time_us)) == time_us
    assert parse_timestamp(sortable_time(time_us)) == time_us


@given(TIMES_US, TIMES_US)
def test_sortable_texts_sort_as_their_times_do(one: int, other: int) -> None:
    """All have the same length, six decimals and a Z."""
    assert (sortable_time(one) < sortable_time(other)) == (one < other)
    assert len(sortable_time(one)) == len("2021-11-26T18:10:00.000000Z")


@pytest.mark.parametrize(
    ("time_us", "text"),
    [(NOON, "2021-11-26T18:10:00Z"), (NOON + 250_000, "2021-11-26T18:10:00.25Z"), (NOON + 1, "2021-11-26T18:10:00.000001Z")],
)
def test_rfc_3339_has_as_many_decimals_as_it_needs(time_us: int, text: str) -> None:
    """None for a whole second."""
    assert rfc3339(time_us) == text


@given(st.text(max_size=40))
def test_no_text_is_worse_than_a_value_error(text: str) -> None:
    """Whatever a sensor writes there."""
    try:
        time_us = parse_timestamp(text)
    except ValueError:
        return
    assert TIME_US_MIN <= time_us <= TIME_US_MAX
