"""Time zones: where a zone's clock stands at an instant, and which instant a clock's reading means. Pure.

Zones are IANA names and fixed offsets. The rules are those of the locked `tzdata` package, whatever the machine has, so that
every process and every test tells the same.
"""

import re
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Final, NamedTuple

from telemetry.limits import MICRO, TIME_US_MAX

zoneinfo.reset_tzpath(to=())

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY_US: Final = 86_400 * MICRO
_FAR_US: Final = 26 * 3600 * MICRO
"""No clock is further from UTC."""
_CYCLE_US: Final = 146_097 * _DAY_US
"""400 years, after which the calendar and all rules repeat."""
_STEP_US: Final = _DAY_US
"""No zone changes its offset twice within so long and has the first one again (a test looks at all of them)."""
_LAST_US: Final = TIME_US_MAX - 366 * _DAY_US
"""Beyond, local time might lie beyond datetime's years: the year 400 years before is asked instead."""
_OFFSET: Final = re.compile(r"([+-])([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_NEVER: Final = {"factory", "localtime", "posixrules"}
"""Names in the database that are no zones anybody lives in."""


class Zone(NamedTuple):
    """A zone by the name it was asked for."""

    name: str
    rules: tzinfo


class Piece(NamedTuple):
    """A stretch of time, its beginning but not its end, with one offset from UTC; all in microseconds."""

    begin_us: int
    end_us: int
    offset_us: int


UTC_ZONE: Final = Zone("UTC", UTC)


class UnknownZone(ValueError):
    """No zone has this name; `near` are names that it may be meant for."""

    def __init__(self, near: Sequence[str]) -> None:
        known = f"Near to it: {', '.join(near)}" if near else "e.g. Europe/Berlin, +05:45"
        super().__init__(f"Expected an IANA time zone or an offset. {known}")
        self.near = near


def zone_of(name: str) -> Zone:
    """A zone by its IANA name in any case, or by its offset, `+05:45`. Raises UnknownZone."""
    if match := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return Zone(name, timezone(-offset if match[1] == "-" else offset))
    if known := _names().get(name.lower()):
        return Zone(name, UTC if known == "UTC" else zoneinfo.ZoneInfo(known))
    raise UnknownZone(_near(name))


def pieces(zone: Zone, from_us: int, until_us: int) -> Iterator[Piece]:
    """What lies between two instants by offset, in order and without gap; the ends are cut."""
    begin_us = from_us
    while begin_us < until_us:
        offset_us = offset_at(zone, begin_us)
        end_us = begin_us
        while end_us < until_us:
            later_us = min(end_us + _STEP_US, until_us)
            if offset_at(zone, later_us) != offset_us:
                end_us = _change(zone.rules, end_us // MICRO, -(-later_us // MICRO)) * MICRO
                break
            end_us = later_us
        end_us = min(end_us, until_us)
        yield Piece(begin_us, end_us, offset_us)
        begin_us = end_us


def offset_at(zone: Zone, time_us: int) -> int:
    """How far the zone's clock is ahead of UTC at an instant, in microseconds."""
    return 0 if zone.rules is UTC else _offset_s(zone.rules, time_us // MICRO) * MICRO


def instant(zone: Zone, clock_us: int) -> int:
    """The first instant at which the zone's clock shows a time or a later one: microseconds, the clock's as if it were in UTC.

    So of two it is the first, and of one that is skipped the instant of the change.
    """
    for piece in pieces(zone, clock_us - _FAR_US, clock_us + _FAR_US):
        found_us = max(piece.begin_us, clock_us - piece.offset_us)
        if found_us < piece.end_us:
            return found_us
    raise AssertionError("no clock is so far from UTC")


def rfc3339_in(zone: Zone, time_us: int) -> str:
    """RFC 3339 as the zone's clock shows it, with as many decimals as are needed; in UTC where its clock has no such year.

    Offsets of whole minutes only can be written: of others, which no zone has had since 1972, the seconds are cut.
    """
    offset_us = offset_at(zone, time_us)
    try:
        local = (_EPOCH + (time_us + offset_us) * _MICROSECOND).replace(tzinfo=None)
    except OverflowError:
        offset_us, local = 0, (_EPOCH + min(time_us, TIME_US_MAX) * _MICROSECOND).replace(tzinfo=None)
    minutes = abs(offset_us) // (60 * MICRO)
    cut_us = offset_us - (minutes if offset_us >= 0 else -minutes) * 60 * MICRO
    text = (local - cut_us * _MICROSECOND).isoformat()
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text}{'-' if offset_us < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}" if zone.rules is not UTC else f"{text}Z"


@lru_cache(maxsize=1 << 13)
def _offset_s(rules: tzinfo, time_s: int) -> int:
    if time_s * MICRO > _LAST_US:
        time_s -= _CYCLE_US // MICRO
    offset = (_EPOCH + timedelta(seconds=time_s)).astimezone(rules).utcoffset()
    assert offset is not None
    return round(offset / timedelta(seconds=1))


def _change(rules: tzinfo, before_s: int, after_s: int) -> int:
    """The first second with another offset than `before_s` has; `after_s` is one of those. One change lies between."""
    offset_s = _offset_s(rules, before_s)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if _offset_s(rules, middle_s) == offset_s:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s


@cache
def _names() -> dict[str, str]:
    """Every name by itself in lower case."""
    return {
        name.lower(): name
        for name in zoneinfo.available_timezones()
        if name.lower() not in _NEVER and not name.startswith(("posix/", "right/"))
    }


def _near(name: str) -> Sequence[str]:
    asked = name.lower().replace(" ", "_")
    names = _names()
    cities = [known for lower, known in names.items() if asked and asked == lower.rpartition("/")[2]]
    near = sorted(cities) + [names[lower] for lower in get_close_matches(asked, names, 3) if names[lower] not in cities]
    return near[:3]
