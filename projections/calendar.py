"""The calendar of a time zone: minutes, hours, days, weeks, months and years as its clocks have them. Pure.

- A minute or an hour begins at each instant at which the clock is at a full one, and at each change of offset.
- A day begins at the first instant at which the date is that day's or a later one: dates can go back. Weeks begin on Mondays.
- What has no instant does not exist (Samoa's 2011-12-30).
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from projections.zones import Zone, instant, offset_at, pieces
from telemetry.limits import MICRO

_MINUTE_US: Final = 60 * MICRO
_HOUR_US: Final = 60 * _MINUTE_US
_DAY_US: Final = 24 * _HOUR_US
_A_YEAR_US: Final = 366 * _DAY_US
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_CYCLE_YEARS: Final = 400
_CYCLE_DAYS: Final = 146_097


class Interval(StrEnum):
    """What a window is long, finest first."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Window(NamedTuple):
    """A stretch of time, its beginning but not its end: microseconds since 1970."""

    start_us: int
    end_us: int


def windows(zone: Zone, interval: Interval, from_us: int, until_us: int) -> Iterator[Window]:
    """The calendar windows that hold the instants from `from_us` on and before `until_us`: whole, in order, without gap."""
    edges = _clock_edges if interval in _CLOCK_UNITS else _date_edges
    start_us: int | None = None
    for edge_us in edges(zone, interval, from_us, until_us):
        if start_us is not None and edge_us > max(start_us, from_us):
            yield Window(start_us, edge_us)
        start_us = edge_us
        if edge_us >= until_us:
            return


_CLOCK_UNITS: Final = {Interval.MINUTE: _MINUTE_US, Interval.HOUR: _HOUR_US}


def _clock_edges(zone: Zone, interval: Interval, from_us: int, until_us: int) -> Iterator[int]:
    """From one at or before `from_us` to one at or after `until_us`."""
    unit_us = _CLOCK_UNITS[interval]
    begin_us, end_us = from_us - 2 * unit_us, until_us + 2 * unit_us
    offset_us = offset_at(zone, begin_us)
    while begin_us < end_us:
        # Not all of it at once: whoever asks may stop long before.
        for piece in pieces(zone, begin_us, min(begin_us + _A_YEAR_US, end_us)):
            full_us = -(-(piece.begin_us + piece.offset_us) // unit_us) * unit_us - piece.offset_us
            if piece.offset_us != offset_us and piece.begin_us != full_us:
                yield piece.begin_us
            yield from range(full_us, piece.end_us, unit_us)
            begin_us, offset_us = piece.end_us, piece.offset_us


def _date_edges(zone: Zone, interval: Interval, from_us: int, until_us: int) -> Iterator[int]:
    """From one at or before `from_us` to one at or after `until_us`."""
    # Dates can go back, so the date after the clock's may have begun.
    number = _number(interval, (from_us + offset_at(zone, from_us)) // _DAY_US + _EPOCH_ORDINAL + 1)
    while (edge_us := _begins(zone, interval, number)) > from_us:
        number -= 1
    while edge_us < until_us:
        yield edge_us
        number += 1
        edge_us = _begins(zone, interval, number)
    yield edge_us


def _number(interval: Interval, ordinal: int) -> int:
    """The number of the window that a date lies in, by the date's proleptic ordinal."""
    if interval is Interval.DAY:
        return ordinal
    if interval is Interval.WEEK:
        return (ordinal - 1) // 7  # 0001-01-01 is a Monday
    # Years beyond date's are as those 400 years before.
    later = ordinal > date.max.toordinal()
    day = date.fromordinal(ordinal - _CYCLE_DAYS * later)
    year = day.year + _CYCLE_YEARS * later
    return year * 12 + day.month - 1 if interval is Interval.MONTH else year


def _begins(zone: Zone, interval: Interval, number: int) -> int:
    """When the window of a number begins."""
    if interval is Interval.DAY:
        ordinal = number
    elif interval is Interval.WEEK:
        ordinal = number * 7 + 1
    else:
        year, month = divmod(number, 12) if interval is Interval.MONTH else (number, 0)
        later = year > date.max.year
        ordinal = date(year - _CYCLE_YEARS * later, month + 1, 1).toordinal() + _CYCLE_DAYS * later
    return instant(zone, (ordinal - _EPOCH_ORDINAL) * _DAY_US)
