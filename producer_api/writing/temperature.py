"""PUT /api/temperature: one reading, answered 200 once the log has it (contract C1 to C14, C19 to C24)."""

import time

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from producer_api.operating.outcomes import Outcome, outcome_of
from producer_api.services import services
from producer_api.tracing import sampled
from producer_api.writing.bodies import read_body, require_json
from producer_api.writing.parsing import parse_reading
from telemetry.errors import InvalidReading, NotStored
from telemetry.events import encode_event, event_id

BODY_BYTES_MAX = 16 * 1024
_RECORDED = b'{"message": "Temperature reading recorded successfully"}\n'


async def record_temperature(request: Request) -> Response:
    """Store one reading. The headers say which event it became and where the log holds it."""
    require_json(request)
    body = await read_body(request, BODY_BYTES_MAX)
    if not body and request.url.query:
        raise HTTPException(415, "Expected the reading as a JSON body, not in the query string.")
    now_us = time.time_ns() // 1000
    found = services(request)
    try:
        reading = parse_reading(body, found.settings, now_us)
    except InvalidReading:
        found.outcomes.reading("put", Outcome.REFUSED)
        raise
    found.stream.require_ours()
    place = found.stream.place
    # Whether the client hung up is known where its connection is (`connections.py`).
    hung_up = getattr(request.state, "hung_up", bool)
    try:
        event = encode_event(reading, now_us, traceparent=sampled(request.scope))
        receipt = await found.writer.append(reading.sensor_id, event, hung_up)
    except NotStored as error:
        found.outcomes.reading("put", outcome_of(type(error)))
        if hung_up():
            raise ClientDisconnect from None  # nobody to be told, and no trouble of the log's
        raise
    found.outcomes.reading("put", Outcome.STORED)
    headers = {"X-Event-Id": event_id(reading), "X-Stream-Position": receipt.position(place)}
    return Response(_RECORDED, media_type="application/json", headers=headers)
