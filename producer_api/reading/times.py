"""The parameters of a question that are about time: `from`, `to` and `tz` (contract, "Time")."""

from typing import Final

from producer_api.parameters import Parameter
from projections.times import FORMS, Moment, parse_moment, parse_zone
from projections.zones import UTC_ZONE, Zone

_MOMENT_SCHEMA: Final = {"type": "string", "format": "moment"}

FROM: Final = Parameter[Moment | None](
    "from",
    parse_moment,
    None,
    f"The first instant: {FORMS}. Without an offset it is read in `tz`; a date is its first instant there. "
    "Left out: from the first reading on.",
    _MOMENT_SCHEMA,
    "-24h",
)
TO: Final = Parameter[Moment | None](
    "to", parse_moment, None, "The first instant that is no longer asked for, written as `from` is. Left out: no end.",
    _MOMENT_SCHEMA, "now",
)  # fmt: skip
TZ: Final = Parameter[Zone](
    "tz",
    parse_zone,
    UTC_ZONE,
    "The time zone, by its IANA name in any case or its offset: of times without one, of windows, and of times in the answer.",
    {"type": "string", "format": "time-zone", "default": "UTC"},
    "Europe/Berlin",
)
