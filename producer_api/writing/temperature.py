"""PUT /api/temperature: one reading, answered 200 once the log has it (contract C1 to C14, C19 to C24)."""

import time

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from producer_api.services import services
from producer_api.writing.bodies import read_body, require_json
from producer_api.writing.parsing import parse_reading
from producer_api.writing.storing import refuse_one, store_one
from telemetry.errors import InvalidReading

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
    except InvalidReading as error:
        refuse_one(request, "put", error)
        raise
    stored = await store_one(request, reading, "put", now_us)
    headers = {"X-Event-Id": stored.event_id, "X-Stream-Position": stored.position}
    return Response(_RECORDED, media_type="application/json", headers=headers)
