"""Parameters that several questions have, and how stretches of time are understood."""

import re
from typing import Final, NamedTuple

from producer_api.parameters import Asked, Parameter, flag
from producer_api.reading.asking import Position
from producer_api.reading.times import FROM, TO, TZ
from projections.tiles import MINUTE_US
from projections.zones import Zone
from telemetry.limits import MICRO
from telemetry.reading import parse_sensor_id

_POSITION: Final = re.compile(r"([A-Za-z0-9_.-]{1,128}):(\d{1,129})", re.ASCII)
_POSITIONS_MAX: Final = 50
_WAIT_S_MAX: Final = 50
_SECONDS: Final = re.compile(r"\d{1,2}(?:\.\d{1,3})?", re.ASCII)

SENSOR_ID: Final = Parameter[str | None](
    "sensorId", parse_sensor_id, None, "One sensor. Left out: all of them.", {"type": "string", "format": "sensor-id"}, "202"
)  # fmt: skip
REQUIRED_SENSOR_ID: Final = Parameter[str](
    "sensorId", parse_sensor_id, "", "The sensor.", {"type": "string", "format": "sensor-id"}, "202"
)  # fmt: skip
PERCENTILES: Final = flag("percentiles", "Whether windows tell p50, p95 and p99, and how exact these are.")


def _parse_positions(text: str) -> tuple[Position, ...]:
    parts = text.split(",")
    if len(parts) > _POSITIONS_MAX:
        raise ValueError(f"Expected at most {_POSITIONS_MAX} positions.")
    found = [_POSITION.fullmatch(part) for part in parts]
    if None in found:
        raise ValueError("Expected positions as X-Stream-Position has them, shardId-…:49…, separated by commas.")
    return tuple(Position(match[1], int(match[2])) for match in found if match)


def _parse_wait(text: str) -> float:
    if not _SECONDS.fullmatch(text) or float(text) > _WAIT_S_MAX:
        raise ValueError(f"Expected seconds from 0 to {_WAIT_S_MAX}.")
    return float(text)


AFTER: Final = Parameter[tuple[Position, ...]](
    "after",
    _parse_positions,
    (),
    "Positions in the log that the answer must hold, as X-Stream-Position names them, separated by commas.",
    {"type": "string", "format": "positions"},
)
WAIT: Final = Parameter[float](
    "wait",
    _parse_wait,
    0.0,
    f"How many seconds to wait for `after` at most, up to {_WAIT_S_MAX}; then the answer is 503 not-yet-counted.",
    {"type": "number", "minimum": 0, "maximum": _WAIT_S_MAX, "default": 0},
)


class Stretch(NamedTuple):
    """A stretch of time as it is understood: microseconds since 1970, None where it has no end."""

    from_us: int | None
    until_us: int | None
    zone: Zone

    @property
    def bounded(self) -> bool:
        """Whether it is not all time."""
        return self.from_us is not None or self.until_us is not None


def stretch_of(asked: Asked, now_us: int, *, whole_minutes: bool) -> Stretch:
    """What `from`, `to` and `tz` mean together."""
    zone, floor_us = asked[TZ], MINUTE_US if whole_minutes else MICRO
    from_us, until_us = (None if one is None else one.at(zone, now_us, floor_us) for one in (asked[FROM], asked[TO]))
    return Stretch(from_us, until_us, zone)
