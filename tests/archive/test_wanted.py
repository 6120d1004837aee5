"""What surely holds nothing of what is asked for: by when it arrived, by the days on which it was measured."""

import pytest

from archive.meta import UNDATED, Arrived, Tail
from archive.wanted import EVERYTHING, Wanted
from telemetry.reading import parse_timestamp


def tail(first: str | None, last: str | None, *days: str) -> Tail:
    """Of an object whose records arrived between two times of a day, with readings of some days."""
    begin, end = (time and f"2026-11-26T{time}.000Z" for time in (first, last))
    return Tail("7", 1, 1, Arrived(begin, end, end), dict.fromkeys(days, 1), shard_end=False)


def ms(time: str) -> int:
    return parse_timestamp(f"2026-11-26T{time}Z") // 1000


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        ("10:00:00", "10:59:59", False),
        ("10:00:00", "11:00:00", True),
        ("10:00:00", "13:00:00", True),
        ("11:30:00", "11:30:00", True),
        ("12:00:00", "13:00:00", True),
        ("12:00:01", "13:00:00", False),
    ],
)
def test_an_object_may_hold_what_arrived_between_its_earliest_and_its_latest(first: str, last: str, *, wanted: bool) -> None:
    """The bounds themselves are asked for."""
    assert Wanted(ms("11:00:00"), ms("12:00:00")).may_lie_in(tail(first, last, UNDATED)) is wanted


@pytest.mark.parametrize(
    ("days", "wanted"),
    [
        (["2026-11-24"], False),
        (["2026-11-25"], True),
        (["2026-11-26"], True),
        (["2026-11-27"], False),
        (["2026-11-24", "2026-11-27"], False),
        (["2026-11-24", "2026-11-26", "2026-11-27"], True),
        (["2026-11-24", UNDATED], True),
        ([], False),
    ],
)
def test_an_object_may_hold_what_was_measured_on_its_days(days: list[str], *, wanted: bool) -> None:
    """Days are those of UTC, bounds are instants, of which the last is no more asked for. What is undated may be of any day."""
    first, behind = (parse_timestamp(text) for text in ("2026-11-25T23:59:59.999999Z", "2026-11-27T00:00:00Z"))
    asked = Wanted(measured_from_us=first, measured_to_us=behind)
    assert asked.may_lie_in(tail("10:00:00", "11:00:00", *days)) is wanted


def test_bounds_may_lie_before_any_day() -> None:
    """As with times that count back further than there are readings."""
    long_ago_us = -(10**18)
    assert not Wanted(measured_to_us=long_ago_us).may_be_of("1970-01-01")
    assert Wanted(measured_from_us=long_ago_us).may_be_of("1970-01-01")


def test_what_holds_nothing_is_never_wanted() -> None:
    """As the end of a shard, which is an object without records."""
    assert not EVERYTHING.may_lie_in(tail(None, None))
    assert EVERYTHING.may_lie_in(tail("10:00:00", "11:00:00", "2026-11-26"))
    assert EVERYTHING.may_lie_in(tail("10:00:00", "11:00:00")), "its records have no lines"
