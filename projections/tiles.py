"""A stretch of time as the fewest windows of the fleet: minutes at ragged ends, hours, days, all in UTC. Pure."""

from typing import Final, NamedTuple

from telemetry.errors import InvalidQuestion
from telemetry.limits import MICRO, TIME_US_MAX, TIME_US_MIN
from telemetry.reading import rfc3339, sortable_time

MINUTE_US: Final = 60 * MICRO
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
END_US: Final = TIME_US_MAX + 1
"""The end of time, which no reading reaches."""

_CHARS: Final = {
    "minute": len("2026-11-23T10:30"),
    "hour": len("2026-11-23T10"),
    "day": len("2026-11-23"),
}


class Run(NamedTuple):
    """Windows of one length that follow each other: the first and the last (`rows.row_keys`)."""

    first: str
    last: str


def tiles(from_us: int, until_us: int) -> list[Run]:
    """The fewest windows that together hold the instants from `from_us` on and before `until_us`, in order.

    Microseconds since 1970, on whole minutes. Raises InvalidQuestion, naming the nearest minute, or that nothing lies between.
    """
    check_between(from_us, until_us)
    wrong = {
        name: f"Expected a whole minute in UTC. The nearest: {rfc3339(_nearest_minute(time_us))}"
        for name, time_us in (("from", from_us), ("to", until_us))
        if time_us % MINUTE_US
    }
    if wrong:
        raise InvalidQuestion(wrong)
    before: list[Run] = []
    after: list[Run] = []
    for kind, next_us in (("minute", HOUR_US), ("hour", DAY_US)):
        edge_us = min(-(-from_us // next_us) * next_us, until_us)
        before += runs(kind, from_us, edge_us)
        from_us, edge_us = edge_us, max(until_us // next_us * next_us, edge_us)
        after += runs(kind, edge_us, until_us)
        until_us = edge_us
    return [*before, *runs("day", from_us, until_us), *reversed(after)]


def runs(kind: str, from_us: int, until_us: int) -> list[Run]:
    """The windows of a kind from one edge to another, in one run; in none when the edges are the same."""
    if from_us >= until_us:
        return []
    first, last = (f"{kind}#{sortable_time(time_us)[: _CHARS[kind]]}" for time_us in (from_us, until_us - 1))
    return [Run(first, last)]


def check_between(from_us: int, until_us: int) -> None:
    """Raises InvalidQuestion unless there are instants from `from_us` on and before `until_us`, of years that readings have."""
    wrong = {
        name: f"Expected a time from {rfc3339(TIME_US_MIN)} to the end of the year 9999."
        for name, time_us in (("from", from_us), ("to", until_us))
        if not TIME_US_MIN <= time_us <= END_US
    }
    if not wrong and from_us >= until_us:
        wrong = {"from": f"Expected a time before {_text(until_us)}, which is where the question ends."}
    if wrong:
        raise InvalidQuestion(wrong)


def _nearest_minute(time_us: int) -> int:
    """The one before where both are as near, or where the one after is the end of time, which has no text."""
    nearest_us = (time_us + MINUTE_US // 2 - 1) // MINUTE_US * MINUTE_US
    return nearest_us if nearest_us < END_US else nearest_us - MINUTE_US


def _text(time_us: int) -> str:
    return rfc3339(time_us) if time_us < END_US else "the end of time"
