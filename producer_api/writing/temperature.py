"""PUT /api/temperature: one reading, answered 200 once the log has it (contract C1 to C14, C19 to C24)."""

import re
import time
from decimal import Decimal
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from producer_api.services import services
from producer_api.writing.bodies import read_body, require_json
from telemetry import strict_json
from telemetry.errors import InvalidReading, NotStored
from telemetry.events import encode_event, event_id
from telemetry.limits import MICRO
from telemetry.reading import NOT_A_NUMBER, Reading, parse_sensor_id, parse_temperature, parse_timestamp, rfc3339
from telemetry.settings import Settings

BODY_BYTES_MAX = 16 * 1024
_HOUR_US = 3600 * MICRO
_BLANK = "This field cannot be blank."
_NOT_A_NUMBER = re.compile(rb'"temperature"\s*:\s*[-+]?(?:nan|inf|1\.#)', re.IGNORECASE)
"""As C's printf and others write what is no number; it is no JSON either, but the field can be named."""
_RECORDED = b'{"message": "Temperature reading recorded successfully"}\n'


async def record_temperature(request: Request) -> Response:
    """Store one reading. The headers say which event it became and where the log holds it."""
    require_json(request)
    body = await read_body(request, BODY_BYTES_MAX)
    if not body and request.url.query:
        raise HTTPException(415, "Expected the reading as a JSON body, not in the query string.")
    now_us = time.time_ns() // 1000
    reading = parse_reading(body, services(request).settings, now_us)
    services(request).stream.require_ours()
    # Whether the client hung up is known where its connection is (`connections.py`).
    hung_up = getattr(request.state, "hung_up", bool)
    try:
        receipt = await services(request).writer.append(reading.sensor_id, encode_event(reading, now_us), hung_up)
    except NotStored:
        if hung_up():
            raise ClientDisconnect from None  # nobody to be told, and no trouble of the log's
        raise
    headers = {"X-Event-Id": event_id(reading), "X-Stream-Position": f"{receipt.shard_id}:{receipt.sequence_number}"}
    return Response(_RECORDED, media_type="application/json", headers=headers)


def parse_reading(body: bytes, settings: Settings, now_us: int) -> Reading:
    """The reading in a JSON body. Raises InvalidReading with every bad field.

    The narrower limits that settings give are checked here and nowhere deeper, so the projection does not depend on them.
    """
    try:
        document = strict_json.loads(strict_json.without_mark(body))
    except ValueError as error:
        if _NOT_A_NUMBER.search(body):
            raise InvalidReading({"temperature": NOT_A_NUMBER}) from None
        raise InvalidReading({"body": f"Expected a JSON object: {error}."}) from None
    if not isinstance(document, dict):
        raise InvalidReading({"body": "Expected a JSON object with sensorId, temperature and timestamp."})
    faults: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, parse in (("sensorId", parse_sensor_id), ("temperature", parse_temperature), ("timestamp", parse_timestamp)):
        try:
            if document.get(name) is None:
                raise ValueError(_BLANK)
            values[name] = parse(document[name])
        except ValueError as error:
            faults[name] = str(error)
    faults |= _implausible(values, settings, now_us)
    if faults:
        raise InvalidReading(faults)
    return Reading(values["timestamp"], values["sensorId"], values["temperature"])


def _implausible(values: dict[str, Any], settings: Settings, now_us: int) -> dict[str, str]:
    faults = {}
    celsius = Decimal(values.get("temperature", settings.temperature_min * MICRO)) / MICRO
    if not settings.temperature_min <= celsius <= settings.temperature_max:
        faults["temperature"] = f"Expected {settings.temperature_min} to {settings.temperature_max} degrees Celsius."
    if values.get("timestamp", 0) > now_us + settings.clock_skew_h_max * _HOUR_US:
        faults["timestamp"] = (
            f"More than {settings.clock_skew_h_max:g} h ahead of the server's clock, which says {rfc3339(now_us)}."
        )
    return faults
