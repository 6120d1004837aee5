"""A stretch of time as the fewest windows of the fleet: minutes at ragged ends, hours, days, all in UTC. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from projections.rows import window_us
from telemetry.errors import Unanswerable
from telemetry.limits import MICRO, TIME_US_MAX, TIME_US_MIN
from telemetry.reading import rfc3339, sortable_time

MINUTE_US: Final = 60 * MICRO
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
END_US: Final = TIME_US_MAX + 1
"""The end of time, which no reading reaches."""

type Kind = Literal["minute", "hour", "day", "sheet"]

_CHARS: Final[Mapping[Kind, int]] = {
    "minute": len("2026-11-23T10:30"),
    "hour": len("2026-11-23T10"),
    "day": len("2026-11-23"),
    "sheet": len("2026-11-23"),
}
_COARSER: Final[Sequence[tuple[Kind, int]]] = (("hour", HOUR_US), ("day", DAY_US))
"""What follows minutes, and what it is long."""


class Run(NamedTuple):
    """Windows of one length that follow each other: the first and the last (`rows.row_keys`)."""

    first: str
    last: str


def tiles(from_us: int, until_us: int, coarsest: Kind = "day") -> list[Run]:
    """The fewest windows that together hold the instants from `from_us` on and before `until_us`, in order; none is longer than
    the coarsest.

    Microseconds since 1970, on whole minutes. Raises Unanswerable, naming the nearest minute, or that nothing lies between.
    """
    check_between(from_us, until_us)
    check_whole_minutes(from_us, until_us)
    before: list[Run] = []
    after: list[Run] = []
    kind: Kind = "minute"
    for next_kind, next_us in _COARSER:
        if kind == coarsest:
            break
        edge_us = min(-(-from_us // next_us) * next_us, until_us)
        before += runs(kind, from_us, edge_us)
        from_us, edge_us = edge_us, max(until_us // next_us * next_us, edge_us)
        after += runs(kind, edge_us, until_us)
        until_us, kind = edge_us, next_kind
    return [*before, *runs(kind, from_us, until_us), *reversed(after)]


def check_whole_minutes(from_us: int, until_us: int) -> None:
    """Raises Unanswerable, naming the nearest, unless both ends lie on whole minutes, which is what fleets are known by."""
    nearest = {
        name: near_us
        for name, time_us, near_us in zip(("from", "to"), (from_us, until_us), _nearest_minutes(from_us, until_us), strict=True)
        if time_us % MINUTE_US
    }
    if nearest:
        wrong = {name: f"Expected a whole minute in UTC. The nearest: {_text(time_us)}" for name, time_us in nearest.items()}
        changed = {name: rfc3339(time_us) if time_us < END_US else None for name, time_us in nearest.items()}
        raise Unanswerable("not-whole-minutes", wrong, changed)


def runs(kind: Kind, from_us: int, until_us: int) -> list[Run]:
    """The windows of a kind from one edge to another, in one run; in none when the edges are the same."""
    if from_us >= until_us:
        return []
    first, last = (f"{kind}#{sortable_time(time_us)[: _CHARS[kind]]}" for time_us in (from_us, until_us - 1))
    return [Run(first, last)]


_LENGTH_US: Final[Mapping[str, int]] = {"minute": MINUTE_US, "hour": HOUR_US, "day": DAY_US, "sheet": DAY_US}


def length(run: Run) -> int:
    """How many windows a run has."""
    return (window_us(run.last)[0] - window_us(run.first)[0]) // _LENGTH_US[run.first.partition("#")[0]] + 1


def check_between(from_us: int, until_us: int) -> None:
    """Raises Unanswerable unless there are instants from `from_us` on and before `until_us`, of years that readings have."""
    wrong = {
        name: f"Expected a time from {rfc3339(TIME_US_MIN)} to the end of the year 9999."
        for name, time_us in (("from", from_us), ("to", until_us))
        if not TIME_US_MIN <= time_us <= END_US
    }
    if wrong:
        raise Unanswerable("beyond-the-years", wrong)
    if from_us >= until_us:
        raise Unanswerable(
            "nothing-between", {"from": f"Expected a time before {_text(until_us)}, which is where the question ends."}
        )


def _nearest_minutes(from_us: int, until_us: int) -> tuple[int, int]:
    """The nearest to both ends, the one before where both are as near; around them where nothing would lie between."""
    near = tuple((time_us + MINUTE_US // 2 - 1) // MINUTE_US * MINUTE_US for time_us in (from_us, until_us))
    if near[0] < near[1]:
        return near[0], near[1]
    return from_us // MINUTE_US * MINUTE_US, -(-until_us // MINUTE_US) * MINUTE_US


def _text(time_us: int) -> str:
    return rfc3339(time_us) if time_us < END_US else "the end of time"
