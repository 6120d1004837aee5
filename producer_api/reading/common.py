"""Parameters that several questions have, and how stretches of time are understood."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from producer_api.parameters import Asked, Parameter, flag
from producer_api.reading.asking import Awaited, Position
from producer_api.reading.times import FROM, TO, TZ
from projections.marks import Which
from projections.tiles import END_US, MINUTE_US, check_between, check_whole_minutes
from projections.zones import Zone
from telemetry.limits import MICRO, TIME_US_MIN
from telemetry.reading import parse_sensor_id, rfc3339

_POSITION: Final = re.compile(r"((?:[1-9]\d{0,5}/)?[A-Za-z0-9_.-]{1,128}):(\d{1,129})", re.ASCII)
"""In a later stream of the log than its first, a shard's name begins with the stream's number."""
_POSITIONS_MAX: Final = 50
_WAIT_S_MAX: Final = 50
_SECONDS: Final = re.compile(r"(?=.{1,32}$)\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
"""As JSON writes a number."""

SENSOR_ID: Final = Parameter[str | None](
    "sensorId", parse_sensor_id, None, "One sensor. Left out: all of them.", {"type": "string", "format": "sensor-id"}, "202"
)  # fmt: skip
REQUIRED_SENSOR_ID: Final = Parameter[str](
    "sensorId", parse_sensor_id, "", "The sensor.", {"type": "string", "format": "sensor-id"}, "202", required=True
)  # fmt: skip
PERCENTILES: Final = flag("percentiles", "Whether windows tell p50, p95 and p99, and how exact these are.")


def _parse_position(text: str) -> tuple[Position, ...]:
    if not (match := _POSITION.fullmatch(text)):
        raise ValueError("Expected a position as X-Stream-Position has it: shardId-…:49…")
    return (Position(match[1], int(match[2])),)


def _parse_wait(text: str) -> float:
    if not _SECONDS.fullmatch(text) or float(text) > _WAIT_S_MAX:
        raise ValueError(f"Expected seconds from 0 to {_WAIT_S_MAX}.")
    return float(text)


AFTER: Final = Parameter[tuple[Position, ...]](
    "after",
    _parse_position,
    (),
    "A position in the log that the answer must hold, as X-Stream-Position names it.",
    {"type": "string", "format": "position"},
    times=_POSITIONS_MAX,
)
WAIT: Final = Parameter[float](
    "wait",
    _parse_wait,
    0.0,
    f"How many seconds to wait for `after` at most, up to {_WAIT_S_MAX}; then the answer is 503 not-yet-counted.",
    {"type": "number", "minimum": 0, "maximum": _WAIT_S_MAX, "default": 0},
)


def awaited(asked: Asked, which: Which) -> Awaited:
    """What `after` and `wait` ask for, of a question that is answered at this mark."""
    return Awaited(which, asked[AFTER], asked[WAIT])


class Stretch(NamedTuple):
    """A stretch of time as it is understood: microseconds since 1970, None where it has no end."""

    from_us: int | None
    until_us: int | None
    zone: Zone
    fixed: Mapping[str, str]
    """What was counted back from the clock, written out: so that a page's `next` goes on with the same stretch."""

    @property
    def bounded(self) -> bool:
        """Whether it is not all time."""
        return self.from_us is not None or self.until_us is not None


def stretch_of(asked: Asked, now_us: int, *, whole_minutes: bool) -> Stretch:
    """What `from`, `to` and `tz` mean together.

    Raises Unanswerable when nothing lies between, or beyond all years, or between minutes of which only whole ones are known.
    """
    zone, floor_us = asked[TZ], MINUTE_US if whole_minutes else MICRO
    from_us, until_us = (None if one is None else one.at(zone, now_us, floor_us) for one in (asked[FROM], asked[TO]))
    between = TIME_US_MIN if from_us is None else from_us, END_US if until_us is None else until_us
    check_between(*between)
    if whole_minutes:
        check_whole_minutes(*between)  # of all that is asked for: what a page takes may end elsewhere
    ends = (("from", asked[FROM], from_us), ("to", asked[TO], until_us))
    fixed = {name: rfc3339(time_us) for name, one, time_us in ends if time_us is not None and one and one.ago_us is not None}
    return Stretch(from_us, until_us, zone, fixed)
