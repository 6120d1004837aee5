"""The event: a CloudEvents 1.0 object in JSON on one line, as it stands in the log.

Types carry their version. Readers bring old versions up to the newest through `UPCASTERS`, ignore attributes they do not know,
and refuse types they do not know. Nothing here depends on a setting.
"""

import hashlib
import json
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

from telemetry import strict_json
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.limits import EVENT_BYTES_MAX
from telemetry.reading import OutOfRange, Reading, decimal_text, parse_sensor_id, parse_temperature, parse_timestamp, rfc3339

TEMPERATURE_RECORDED: Final = "telemetry.temperature.recorded.v1"
SOURCE: Final = "/api/temperature"

type Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTERS: Final[Mapping[str, Upcaster]] = {}
"""Old type → a function that returns the event as the next newer type. One small step each; they chain."""

_QUOTED: Final = json.JSONEncoder(ensure_ascii=False).encode


def event_id(reading: Reading) -> str:
    """Sixteen text-safe characters that a retry of the same reading repeats: CloudEvents' own meaning of a duplicate.

    Counting never relies on it, but on the reading itself.
    """
    identity = f"{reading.sensor_id}\n{reading.measured_at_us}\n{reading.temperature_micro}"
    return urlsafe_b64encode(hashlib.blake2b(identity.encode(), digest_size=12).digest()).decode()


def encode_event(reading: Reading, received_at_us: int, *, known_id: str = "", traceparent: str = "") -> bytes:
    """The event of a reading accepted at `received_at_us` (microseconds since 1970), one line without its newline.

    `known_id` is the reading's `event_id`, where it is known already. `traceparent` is CloudEvents' extension for distributed
    tracing, left out when empty; it is no part of the identity.
    """
    trace = f'"traceparent":"{traceparent}",' if traceparent else ""
    return (
        f'{{"specversion":"1.0","type":"{TEMPERATURE_RECORDED}","source":"{SOURCE}","id":"{known_id or event_id(reading)}",'
        f'"subject":{_QUOTED(reading.sensor_id)},"time":"{rfc3339(reading.measured_at_us)}",'
        f'"receivedtime":"{rfc3339(received_at_us)}",{trace}"data":{{"temperature":{decimal_text(reading.temperature_micro)}}}}}'
    ).encode()


def decode_event(line: bytes, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> Reading:
    """The reading a line of the log holds.

    Raises UndecodableEvent with code and reason when it is not an event, of an unknown type, or beyond the hard limits. Both
    name the first fault found, of the attributes in the order time, subject, data.temperature.
    """
    if len(line) > EVENT_BYTES_MAX:
        reason = f"a line of {len(line)} bytes; an event has at most {EVENT_BYTES_MAX}"
        raise UndecodableEvent(ReasonCode.TOO_LONG, reason)
    try:
        event = strict_json.loads(line)
    except ValueError as error:
        raise UndecodableEvent(ReasonCode.NOT_JSON, f"not JSON: {error}") from None
    if not isinstance(event, dict) or event.get("specversion") != "1.0":
        raise UndecodableEvent(ReasonCode.NOT_AN_EVENT, "not a CloudEvents 1.0 object")
    return _reading(newest(event, upcasters))


def newest(event: dict[str, Any], upcasters: Mapping[str, Upcaster] = UPCASTERS) -> dict[str, Any]:
    """An event as its newest type. Raises UndecodableEvent for a type that is not ours."""
    while (kind := event.get("type")) != TEMPERATURE_RECORDED:
        if not isinstance(kind, str) or not kind:
            raise UndecodableEvent(ReasonCode.NOT_AN_EVENT, f"type: Expected a string. e.g. {TEMPERATURE_RECORDED}")
        if kind not in upcasters:
            raise UndecodableEvent(ReasonCode.UNKNOWN_TYPE, f"unknown event type {kind[:128]!r}")
        event = upcasters[kind](event)
    return event


def _reading(event: dict[str, Any]) -> Reading:
    data = event.get("data")
    temperature = data.get("temperature") if isinstance(data, dict) else None
    fields: tuple[tuple[str, Callable[[Any], Any], Any], ...] = (
        ("time", parse_timestamp, event.get("time")),
        ("subject", parse_sensor_id, event.get("subject")),
        ("data.temperature", parse_temperature, temperature),
    )
    values = []
    for name, parse, value in fields:
        try:
            values.append(parse(value))
        except ValueError as error:
            code = ReasonCode.OUT_OF_RANGE if isinstance(error, OutOfRange) else ReasonCode.NOT_AN_EVENT
            raise UndecodableEvent(code, f"{name}: {error}") from None
    measured_at_us, sensor_id, temperature_micro = values
    # One string for all readings of a sensor: a projection holds tens of thousands of them.
    return Reading(measured_at_us, sys.intern(sensor_id), temperature_micro)
