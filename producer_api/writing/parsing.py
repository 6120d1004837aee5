"""From what a sender wrote to a reading: the same rules for one alone and for one of many (contract C2 to C12, C20 to C23).

The narrower limits that settings give are checked here and nowhere deeper, so the projection does not depend on them.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from telemetry import strict_json
from telemetry.errors import InvalidReading, UndecodableEvent
from telemetry.events import newest
from telemetry.limits import MICRO
from telemetry.reading import NOT_A_NUMBER, Reading, parse_sensor_id, parse_temperature, parse_timestamp, rfc3339
from telemetry.settings import Settings

_HOUR_US = 3600 * MICRO
_BLANK = "This field cannot be blank."
_NOT_A_NUMBER = re.compile(rb'"temperature"\s*:\s*[-+]?(?:nan|inf|1\.#)', re.IGNORECASE)
"""As C's printf and others write what is no number; it is no JSON either, but the field can be named."""

type Three[T] = tuple[T, T, T]
"""Of sensor, temperature and time, in this order."""

_PARSERS: Final[Three[Callable[[Any], Any]]] = (parse_sensor_id, parse_temperature, parse_timestamp)
_IN_A_READING: Final = ("sensorId", "temperature", "timestamp")
_IN_AN_EVENT: Final = ("subject", "data.temperature", "time")
"""Where the three values of a reading stand."""


class Ignored(NamedTuple):
    """In place of a reading: something well written that is no temperature, and no fault of its sender's."""

    why: str


def parse_reading(body: bytes, settings: Settings, now_us: int) -> Reading:
    """The reading in a JSON text. Raises InvalidReading with every bad field."""
    try:
        document = strict_json.loads(strict_json.without_mark(body))
    except ValueError as error:
        document = strict_json.Spoilt(str(error), body)
    return reading_of(document, settings, now_us)


def reading_of(document: object, settings: Settings, now_us: int) -> Reading:
    """The reading in a JSON document. Raises InvalidReading with every bad field."""
    members = _members(document, "a JSON object with sensorId, temperature and timestamp")
    given = members.get("sensorId"), members.get("temperature"), members.get("timestamp")
    return reading_from(given, _IN_A_READING, _PARSERS, settings, now_us)


def reading_of_event(document: object, settings: Settings, now_us: int) -> Reading:
    """The reading in a CloudEvents 1.0 object of our own type; its id and source say nothing, a reading is its own identity.

    Raises InvalidReading with every bad field.
    """
    event = _members(document, "a CloudEvents object with subject, time and data")
    if event.get("specversion") != "1.0":
        raise InvalidReading({"specversion": 'Expected "1.0", of CloudEvents.'})
    try:
        event = newest(event)
    except UndecodableEvent as error:
        raise InvalidReading({"type": str(error).removeprefix("type: ")}) from None
    data = event.get("data")
    temperature = data.get("temperature") if isinstance(data, dict) else None
    return reading_from((event.get("subject"), temperature, event.get("time")), _IN_AN_EVENT, _PARSERS, settings, now_us)


def _members(document: object, expected: str) -> dict[str, Any]:
    if isinstance(document, dict):
        return document
    if not isinstance(document, strict_json.Spoilt):
        raise InvalidReading({"body": f"Expected {expected}."})
    if _NOT_A_NUMBER.search(document.source):
        raise InvalidReading({"temperature": NOT_A_NUMBER})
    raise InvalidReading({"body": f"Expected a JSON object: {document.reason}."})


def reading_from(
    given: Three[Any], names: Three[str], parsers: Three[Callable[[Any], Any]], settings: Settings, now_us: int
) -> Reading:
    """The reading of these values. Raises InvalidReading with all that is wrong with them, by the names that the sender knows.

    Parsers raise ValueError with a text for the sender.
    """
    sensor_id, temperature, timestamp = given
    parse_id, parse_degrees, parse_time = parsers
    try:
        reading = Reading(parse_time(timestamp), parse_id(sensor_id), parse_degrees(temperature))
    except ValueError:
        reading = None
    if (
        reading is None
        or _too_cold_or_hot(reading.temperature_micro, settings)
        or _ahead(reading.measured_at_us, settings, now_us)
    ):
        raise InvalidReading(dict(_faults(given, names, parsers, settings, now_us)))
    return reading


def _faults(
    given: Three[Any], names: Three[str], parsers: Three[Callable[[Any], Any]], settings: Settings, now_us: int
) -> Iterator[tuple[str, str]]:
    """What is wrong."""
    _, parse_degrees, parse_time = parsers
    for name, parse, value in zip(names, parsers, given, strict=True):
        try:
            if value is None:
                raise ValueError(_BLANK)
            parsed = parse(value)
        except ValueError as error:
            yield name, str(error)
            continue
        if parse is parse_degrees and _too_cold_or_hot(parsed, settings):
            yield name, f"Expected {settings.temperature_min} to {settings.temperature_max} degrees Celsius."
        if parse is parse_time and _ahead(parsed, settings, now_us):
            ahead_h, clock = settings.clock_skew_h_max, rfc3339(now_us)
            yield name, f"More than {ahead_h:g} h ahead of the server's clock, which says {clock}."


def _too_cold_or_hot(temperature_micro: int, settings: Settings) -> bool:
    return not settings.temperature_min * MICRO <= temperature_micro <= settings.temperature_max * MICRO


def _ahead(measured_at_us: int, settings: Settings, now_us: int) -> bool:
    return measured_at_us > now_us + settings.clock_skew_h_max * _HOUR_US
