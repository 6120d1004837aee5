"""Times as people write them."""

import pytest

from projections.times import Moment, parse_moment, parse_zone
from projections.zones import UTC_ZONE, zone_of
from telemetry.errors import Unanswerable
from telemetry.limits import MICRO

NOON_US = 1_774_692_000_000_000
"""2026-03-28T10:00Z."""
BERLIN = zone_of("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-28T10:00Z", Moment(instant_us=NOON_US)),
        ("20260328T1100+01", Moment(instant_us=NOON_US)),
        ("2026-03-28T10:00", Moment(clock_us=NOON_US)),
        ("2026-03-28", Moment(clock_us=NOON_US - 10 * 3600 * MICRO)),
        ("20260328", Moment(clock_us=NOON_US - 10 * 3600 * MICRO)),
        ("1774692000123", Moment(instant_us=NOON_US + 123_000, rough=True)),
        ("-15m", Moment(ago_us=900 * MICRO, rough=True)),
        ("now", Moment(ago_us=0, rough=True)),
    ],
)
def test_a_time_is_an_instant_a_clocks_reading_or_a_time_ago(text: str, moment: Moment) -> None:
    """By what is written: an offset, none, or a unit."""
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yesterday", "Here also: a date"),
        ("2026-03-28T10:00 01:00", "write \\+ as %2B"),
        ("-15y", "Here also: a date"),
        ("1" * 101, "Expected a date"),
    ],
)
def test_what_is_no_time_is_refused_with_what_would_be_one(text: str, told: str) -> None:
    """So is an offset whose plus a URL has lost."""
    with pytest.raises(ValueError, match=told):
        parse_moment(text)


def test_zone_and_clock_make_an_instant_of_it() -> None:
    """What was not written out is floored."""
    assert parse_moment("2026-03-28T11:00").at(BERLIN, 0, MICRO) == NOON_US
    assert parse_moment("2026-03-28T10:00Z").at(BERLIN, 0, MICRO) == NOON_US
    assert parse_moment("-1h").at(UTC_ZONE, NOON_US + 7, MICRO) == NOON_US - 3600 * MICRO


def test_a_zone_that_nobody_knows_is_refused_with_one_that_is_near() -> None:
    """In the words of the API's problem."""
    assert parse_zone("europe/berlin").rules == BERLIN.rules
    with pytest.raises(Unanswerable, match="Europe/Berlin"):
        parse_zone("Europe/Berlim")
    with pytest.raises(ValueError, match="write \\+ as %2B"):
        parse_zone(" 05:45")
