"""A temperature reading: what a sensor measured, when, exactly.

The three fields are its identity: the same reading sent twice is one reading (design, promise 2). Parsing is strict and lives
here, so that the HTTP edge and every reader of the log agree on what a reading is.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from telemetry.limits import (
    MICRO,
    SENSOR_ID_CHARS_MAX,
    TEMPERATURE_MICRO_MAX,
    TEMPERATURE_MICRO_MIN,
    TIME_US_MAX,
    TIME_US_MIN,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:Z|([+-])(\d\d):(\d\d))?", re.ASCII
)
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# C0 and C1 controls, DEL, and the surrogates that no UTF-8 text can hold.
_FORBIDDEN_IN_ID: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CELSIUS_MIN: Final = Decimal(TEMPERATURE_MICRO_MIN) / MICRO
_CELSIUS_MAX: Final = Decimal(TEMPERATURE_MICRO_MAX) / MICRO
_SIX_PLACES: Final = Decimal(1) / MICRO


class Reading(NamedTuple):
    """One measurement. Ordered by time, then sensor, then temperature."""

    measured_at_us: int
    """When it was measured: microseconds since 1970 in UTC."""
    sensor_id: str
    temperature_micro: int
    """Degrees Celsius in units of 10⁻⁶."""


def parse_sensor_id(value: Any) -> str:
    """The trimmed sensor id (contract C2, C10, C21). Raises ValueError with the text for the sender."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("This field cannot be blank.")
    if not isinstance(value, str):
        raise ValueError('Expected a string. e.g. "202"')
    sensor_id = value.strip()
    # In UTF-16, as Java and JavaScript count: one key that a Kinesis finds too long fails the whole call it is in.
    if len(sensor_id.encode("utf-16-le", "surrogatepass")) > 2 * SENSOR_ID_CHARS_MAX:
        raise ValueError(f"Expected at most {SENSOR_ID_CHARS_MAX} characters.")
    if _FORBIDDEN_IN_ID.search(sensor_id):
        raise ValueError("Expected text without control characters and lone surrogates.")
    return sensor_id


def parse_temperature(value: Any) -> int:
    """Degrees Celsius, as a JSON number or a string of one, in units of 10⁻⁶ (contract C3, C6 to C9, C22).

    More than six decimals are rounded half-even. Raises ValueError with the text for the sender.
    """
    if isinstance(value, str) and _JSON_NUMBER.fullmatch(text := value.strip()):
        try:
            value = Decimal(text)
        except InvalidOperation:  # an exponent beyond what even Decimal holds
            value = None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("Expected a number in degrees Celsius. e.g. 18.7")
    if not _CELSIUS_MIN <= value <= _CELSIUS_MAX:
        raise ValueError(f"Expected {_CELSIUS_MIN} to {_CELSIUS_MAX} degrees Celsius.")
    return int(Decimal(value).quantize(_SIX_PLACES, ROUND_HALF_EVEN).scaleb(6))


def parse_timestamp(value: Any) -> int:
    """ISO 8601 date and time in microseconds since 1970, UTC when it names no offset (contract C4, C5, C23).

    Fractions beyond microseconds are cut. Raises ValueError with the text for the sender.
    """
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("Expected ISO 8601 Date/Time format. e.g. 2021-11-26T18:10:00")
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    offset_s = 0
    try:
        # Counted from the epoch by hand, because an offset may carry a legal local time outside datetime's years.
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC)
        if sign:
            if int(offset_hours) > 23 or int(offset_minutes) > 59:
                raise ValueError
            offset_s = int(sign + "1") * (int(offset_hours) * 3600 + int(offset_minutes) * 60)
    except ValueError:
        raise ValueError("Expected a date and time that exist. e.g. 2021-11-26T18:10:00") from None
    time_us = (local - _EPOCH) // _MICROSECOND - offset_s * MICRO + int((fraction or "")[:6].ljust(6, "0"))
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise ValueError("Expected a year from 1970 to 9999 in UTC.")
    return time_us


def rfc3339(time_us: int) -> str:
    """RFC 3339 in UTC, with as many decimals as are needed: `2021-11-26T18:10:00Z`, `…:00.25Z`."""
    text = sortable_time(time_us)[:-1].rstrip("0").rstrip(".")
    return text + "Z"


def sortable_time(time_us: int) -> str:
    """RFC 3339 in UTC with six decimals, so that text order is time order."""
    return (_EPOCH + time_us * _MICROSECOND).isoformat(timespec="microseconds")[:26] + "Z"


def decimal_text(value_micro: int) -> str:
    """An exact number of 10⁻⁶ as the shortest JSON number: 18700000 is `18.7`, 18000000 is `18`."""
    whole, fraction = divmod(abs(value_micro), MICRO)
    sign = "-" if value_micro < 0 else ""
    return f"{sign}{whole}.{fraction:06}".rstrip("0") if fraction else f"{sign}{whole}"
