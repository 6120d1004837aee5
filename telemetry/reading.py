"""A temperature reading: what a sensor measured, when, exactly.

The three fields are its identity: the same reading sent twice is one reading (design, promise 2). Parsing is strict and lives
here, so that the HTTP edge and every reader of the log agree on what a reading is.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
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
_OFFSET: Final = r"(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?"
_EXTENDED: Final = re.compile(rf"(\d{{4}})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?{_OFFSET}", re.ASCII)
_BASIC: Final = re.compile(rf"(\d{{4}})(\d\d)(\d\d)[Tt ](\d\d)(\d\d)(?:(\d\d)(?:[.,](\d+))?)?{_OFFSET}", re.ASCII)
TIME_PATTERN: Final = f"^(?:{_EXTENDED.pattern}|{_BASIC.pattern})$"
"""The form of a timestamp, as JSON Schema writes it. A date that does not exist has it as well."""
_NOT_A_TIME: Final = "Expected ISO 8601 Date/Time format. e.g. 2021-11-26T18:10:00"
_TIME_CHARS_EXPLAINED_MAX: Final = 100
_CLOCK: Final = r"\d{4}-?\d\d-?\d\d[Tt ]\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?"
_NOT_TAKEN: Final = tuple(
    # What ISO 8601 or its users write as well, and what to write in its place.
    (re.compile(form, re.ASCII), f"{_NOT_A_TIME}; {text}.")
    for form, text in (
        (r"\d{4}-?W\d\d.*", "a week date is not taken: write year, month and day"),
        (r"(?:\d{4}-\d{3}|\d{7})(?:[Tt ].*)?", "a day of the year is not taken: write month and day"),
        (r"[+-]\d{4,}-.*", "a year with a sign is not taken: write four digits"),
        (r"\d{4}-?\d\d-?\d\d[Tt ]\d\d(?:[.,]\d+)?(?:[Zz]|[+-][\d:]+)?", "an hour alone is not taken: write the minutes too"),
        (r"\d{4}-?\d\d-?\d\d[Tt ]\d\d:?\d\d[.,]\d.*", "a fraction of a minute is not taken: write seconds"),
        (rf"{_CLOCK} ?[+-]\d\d:?\d\d:?\d\d.*", "seconds in an offset are not taken: write ±hh:mm"),
        (rf"{_CLOCK} (?:[Zz]|[+-]\d.*)", "a blank before the offset is not taken"),
        (
            rf"{_CLOCK}(?:[+-]\d\d(?::?\d\d)?)? ?(?:[A-Za-z_]{{2}}|\[).*",
            "a named time zone is not taken: write an offset, such as +01:00",
        ),
        (rf"{_CLOCK}[+-]\d(?::?\d\d)?", "an offset of this form is not taken: write ±hh:mm"),
    )
)
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_SIGN_AND_ZEROS: Final = re.compile(r"([+-]?)0*(?=[0-9])")
# Of the categories Cc (controls), Cf (format characters: joiners, direction marks, byte order marks), Zl and Zp (line and
# paragraph separators, at which Python, Node and others split exported lines) and Cs (surrogates, which have no UTF-8).
_FORBIDDEN_IN_ID: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
_ID_TOO_LONG: Final = f"Expected at most {SENSOR_ID_CHARS_MAX} characters."
_CELSIUS_MIN: Final = Decimal(TEMPERATURE_MICRO_MIN) / MICRO
_CELSIUS_MAX: Final = Decimal(TEMPERATURE_MICRO_MAX) / MICRO
_SIX_PLACES: Final = Decimal(1) / MICRO
NOT_A_NUMBER: Final = "Expected a number in degrees Celsius. e.g. 18.7"


class OutOfRange(ValueError):
    """A value of the right form lies beyond its hard limit; any other ValueError of the parsers means a wrong form."""


class Reading(NamedTuple):
    """One measurement. Ordered by time, then sensor, then temperature."""

    measured_at_us: int
    """When it was measured: microseconds since 1970 in UTC."""
    sensor_id: str
    temperature_micro: int
    """Degrees Celsius in units of 10⁻⁶."""


def parse_sensor_id(value: Any) -> str:
    """The sensor id, trimmed and in Unicode's composed form, NFC (contract C2, C10, C21).

    One id may be typed in several ways that look alike: composed or not, it is the same sensor. Raises ValueError with the text
    for the sender, OutOfRange when the id is but too long.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("This field cannot be blank.")
    if not isinstance(value, str):
        raise ValueError('Expected a string. e.g. "202"')
    sensor_id = value.strip()
    if sensor_id.isascii() and sensor_id.isprintable() and len(sensor_id) <= SENSOR_ID_CHARS_MAX:
        return sensor_id
    # Looked at before it is composed: composing neither makes nor removes one of these.
    if bad := next((sign for sign in sensor_id if unicodedata.category(sign) in _FORBIDDEN_IN_ID), None):
        raise ValueError(
            f"Expected text without control and format characters, line separators and lone surrogates, not U+{ord(bad):04X}."
        )
    # Composing makes text at most four times shorter, and costs the square of a run of combining marks.
    if len(sensor_id) > 4 * SENSOR_ID_CHARS_MAX:
        raise OutOfRange(_ID_TOO_LONG)
    sensor_id = unicodedata.normalize("NFC", sensor_id)
    # In UTF-16, as Java and JavaScript count: one key that a Kinesis finds too long fails the whole call it is in.
    if len(sensor_id.encode("utf-16-le")) > 2 * SENSOR_ID_CHARS_MAX:
        raise OutOfRange(_ID_TOO_LONG)
    return sensor_id


def parse_temperature(value: Any) -> int:
    """Degrees Celsius, as a JSON number or a string of one, in units of 10⁻⁶ (contract C3, C6 to C9, C22).

    In a string a plus and leading zeros may stand. More than six decimals are rounded half-even. Raises ValueError with text
    for the sender, OutOfRange for a number beyond the limits.
    """
    if isinstance(value, str) and _JSON_NUMBER.fullmatch(text := _plain_number(value.strip())):
        try:
            value = Decimal(text)
        except InvalidOperation:  # an exponent beyond what even Decimal holds
            value = None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(NOT_A_NUMBER)
    if not _CELSIUS_MIN <= value <= _CELSIUS_MAX:
        raise OutOfRange(f"Expected {_CELSIUS_MIN} to {_CELSIUS_MAX} degrees Celsius.")
    return int(Decimal(value).quantize(_SIX_PLACES, ROUND_HALF_EVEN).scaleb(6))


def parse_timestamp(value: Any) -> int:
    """ISO 8601 date and time in microseconds since 1970, UTC when it names no offset (contract C4, C5, C23).

    The extended form and the basic one; fractions beyond microseconds are cut. Raises ValueError with the text for the sender,
    OutOfRange for a moment of other years.
    """
    match = (_EXTENDED.fullmatch(value) or _BASIC.fullmatch(value)) if isinstance(value, str) else None
    if match is None:
        raise ValueError(_why_not_a_time(value))
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    if second == "60":
        raise ValueError("Expected seconds from 00 to 59: a leap second is not taken.")
    if hour == "24":
        raise ValueError("Expected hours from 00 to 23: 24:00 is 00:00 of the next day.")
    offset_s = 0
    if sign:
        if int(offset_hours) > 23 or int(offset_minutes or 0) > 59:
            raise ValueError("Expected an offset from -23:59 to +23:59.")
        offset_s = int(sign + "1") * (int(offset_hours) * 3600 + int(offset_minutes or 0) * 60)
    try:
        # Counted from the epoch by hand, because an offset may carry a legal local time outside datetime's years.
        # The year 0, which datetime has not, is a leap year long before the limit, as the year 4 is.
        local = datetime(int(year) or 4, int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC)
    except ValueError:
        raise ValueError("Expected a date and time that exist. e.g. 2021-11-26T18:10:00") from None
    time_us = (local - _EPOCH) // _MICROSECOND - offset_s * MICRO + int((fraction or "")[:6].ljust(6, "0"))
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise OutOfRange("Expected a year from 1970 to 9999 in UTC.")
    return time_us


def _plain_number(text: str) -> str:
    """A number in a string without what a string may carry beyond JSON: `+18` and `018` are 18."""
    match = _SIGN_AND_ZEROS.match(text)
    return f"{match[1].removeprefix('+')}{text[match.end() :]}" if match else text


def _why_not_a_time(value: Any) -> str:
    """The original's text, and after it which part of a time written otherwise is not taken."""
    if not isinstance(value, str) or len(value) > _TIME_CHARS_EXPLAINED_MAX:
        return _NOT_A_TIME
    return next((text for form, text in _NOT_TAKEN if form.fullmatch(value)), _NOT_A_TIME)


def rfc3339(time_us: int) -> str:
    """RFC 3339 in UTC, with as many decimals as are needed: `2021-11-26T18:10:00Z`, `…:00.25Z`."""
    second, fraction_us = divmod(time_us, MICRO)
    return f"{_second(second)}.{fraction_us:06}".rstrip("0") + "Z" if fraction_us else f"{_second(second)}Z"


@lru_cache(maxsize=1024)
def _second(time_s: int) -> str:
    """Written to the second. What is written together is mostly of few seconds."""
    return datetime.fromtimestamp(time_s, UTC).isoformat()[:19]


def sortable_time(time_us: int) -> str:
    """RFC 3339 in UTC with six decimals, so that text order is time order."""
    return (_EPOCH + time_us * _MICROSECOND).isoformat(timespec="microseconds")[:26] + "Z"


def decimal_text(value_micro: int) -> str:
    """An exact number of 10⁻⁶ as the shortest JSON number: 18700000 is `18.7`, 18000000 is `18`."""
    whole, fraction = divmod(abs(value_micro), MICRO)
    sign = "-" if value_micro < 0 else ""
    return f"{sign}{whole}.{fraction:06}".rstrip("0") if fraction else f"{sign}{whole}"
