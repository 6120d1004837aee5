"""Which points are temperatures, of which sensor, and what they come to in degrees Celsius, exactly. Pure.

Senders of line protocol send all that they have. A point that is no temperature is nobody's fault: it is passed over, counted.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from producer_api.doors.lines import Point, Value
from producer_api.writing.parsing import Ignored, reading_from
from telemetry.errors import InvalidReading
from telemetry.limits import MICRO, TIME_US_MAX, TIME_US_MIN
from telemetry.reading import NOT_A_NUMBER, OutOfRange, Reading, parse_sensor_id, parse_temperature
from telemetry.settings import Settings

TELEGRAF_METRIC: Final = "com.influxdata.telegraf.metric"
"""The type of Telegraf's CloudEvents (its plugins/serializers/cloudevents)."""

PRECISIONS_NS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("ns", "n"), 1),
    **dict.fromkeys(("us", "u", "µs", "µ"), 1000),
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
"""What a timestamp counts, in nanoseconds: the names of InfluxDB 1 and 2."""

_FIELD: Final = "temperature"
_VALUE: Final = "value"
_MAGNITUDE_MAX: Final = 12
"""Decimal digits before the point beyond which nothing is a temperature in any unit."""
_PLACES_MAX: Final = 2_000
"""Decimal places beyond which a number of at most a thousand characters is smaller than any half of 10⁻⁶."""
_NO_TEMPERATURE: Final = Ignored(
    "No temperature: no field `temperature`, and no measurement `temperature` with a field `value`."
)
_NO_SENSOR: Final = Ignored("No temperature of a sensor: Home Assistant's are of the domain sensor, in °C, °F or K.")


def _fahrenheit(degrees: Fraction) -> Fraction:
    return (degrees - 32) * 5 / 9


def _kelvin(degrees: Fraction) -> Fraction:
    return degrees - Fraction(27_315, 100)


def _converted(to_celsius: Callable[[Fraction], Fraction]) -> Callable[[Any], int]:
    """A parser as `parse_temperature`, of a number in another unit: computed exactly, then rounded half-even once."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError(NOT_A_NUMBER)
        exact = Decimal(value)
        if exact and exact.adjusted() > _MAGNITUDE_MAX:
            return parse_temperature(exact)  # which says how far they go
        # A fraction of so many places would take for ever, and rounds as 0 does.
        degrees = Fraction(exact) if exact and exact.adjusted() > -_PLACES_MAX else Fraction(0)
        return parse_temperature(Decimal(round(to_celsius(degrees) * MICRO)).scaleb(-6))

    return parse


_HOME_ASSISTANT_UNITS: Final[Mapping[str, Callable[[Any], int]]] = {
    "°C": parse_temperature,
    "°F": _converted(_fahrenheit),
    "K": _converted(_kelvin),
}
"""Its measurements are named for the unit."""


def reading_of_point(point: Point, unit_ns: int, id_tags: Sequence[str], settings: Settings, now_us: int) -> Reading | Ignored:
    """The reading of a point whose timestamp counts in this unit; without one it was measured now.

    `id_tags` are the tags that may name the sensor: the first that is there does. Raises InvalidReading with all that is wrong.
    """
    parse: Callable[[Any], int] = parse_temperature
    if "domain" in point.tags and "entity_id" in point.tags:
        found = _HOME_ASSISTANT_UNITS.get(point.measurement)
        if point.tags["domain"] != "sensor" or not found or _VALUE not in point.fields:
            return _NO_SENSOR
        field, parse = _VALUE, found
    elif point.measurement == _FIELD and _VALUE in point.fields:
        field = _VALUE
    elif _FIELD in point.fields:
        field = _FIELD
    else:
        return _NO_TEMPERATURE
    tag = next((name for name in id_tags if name in point.tags), None)
    if tag is None:
        raise InvalidReading({"sensorId": f"Expected a tag that names the sensor: {', '.join(id_tags)}."})
    time_us = now_us if point.time is None else point.time * unit_ns // 1_000
    given = point.tags[tag], point.fields[field], time_us
    return reading_from(given, (tag, field, "timestamp"), (parse_sensor_id, parse, _since_1970), settings, now_us)


def reading_of_metric(event: Mapping[str, Any], id_tags: Sequence[str], settings: Settings, now_us: int) -> Reading | Ignored:
    """The reading of one of Telegraf's CloudEvents, which has no subject: data are name, tags, fields and a timestamp in ns.

    Raises InvalidReading with all that is wrong.
    """
    data = event.get("data")
    members = data if isinstance(data, dict) else {}
    faults = {
        f"data.{name}": f"Expected {expected}."
        for name, kind, expected in (
            ("name", str, "a string"),
            ("tags", dict, "an object"),
            ("fields", dict, "an object"),
            ("timestamp", int, "nanoseconds since 1970, as a whole number"),
        )
        if not isinstance(members.get(name), kind) or isinstance(members.get(name), bool)
    }
    if faults:
        raise InvalidReading(faults)
    fields: dict[str, Value] = members["fields"]
    point = Point(members["name"], members["tags"], fields, members["timestamp"])
    return reading_of_point(point, PRECISIONS_NS["ns"], id_tags, settings, now_us)


def _since_1970(time_us: Any) -> int:
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise OutOfRange("Expected a year from 1970 to 9999 in UTC.")
    return int(time_us)
