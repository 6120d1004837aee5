"""POST /api/webhooks/ttn and /chirpstack: one message of a LoRaWAN server a request (docs/devices.md)."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from producer_api.doors.lorawan import UPLINK, reading_of_chirpstack, reading_of_ttn
from producer_api.services import services
from producer_api.writing.bodies import read_body, require_json
from producer_api.writing.parsing import Ignored
from producer_api.writing.storing import refuse_one, store_one
from telemetry import strict_json
from telemetry.errors import InvalidReading
from telemetry.reading import Reading
from telemetry.settings import Settings

BODY_BYTES_MAX: Final = 256 * 1024
"""A message names every gateway that heard the device, with some hundred bytes each."""

type Reader = Callable[[object, str, Settings, int], Reading | Ignored]
"""From a document and the kind of event that the URL names, to a reading. Raises InvalidReading."""


def _webhook(door: str, read: Reader) -> Callable[[Request], Awaitable[Response]]:
    async def receive(request: Request) -> Response:
        """Store the temperature of a message, if it holds one."""
        require_json(request)
        body = await read_body(request, BODY_BYTES_MAX)
        now_us = time.time_ns() // 1000
        found = services(request)
        try:
            said = read(_document(body), request.query_params.get("event") or UPLINK, found.settings, now_us)
        except InvalidReading as error:
            refuse_one(request, door, error)
            raise
        if isinstance(said, Ignored):
            refuse_one(request, door, said)
            return JSONResponse({"stored": 0, "ignored": said.why})
        stored = await store_one(request, said, door, now_us)
        headers = {"X-Event-Id": stored.event_id, "X-Stream-Position": stored.position}
        return JSONResponse({"stored": 1, "ignored": None}, headers=headers)

    return receive


def _document(body: bytes) -> object:
    try:
        return strict_json.loads(strict_json.without_mark(body))
    except ValueError as error:
        raise InvalidReading({"body": f"Expected a JSON object: {error}."}) from None


from_ttn = _webhook("ttn", reading_of_ttn)
from_chirpstack = _webhook("chirpstack", reading_of_chirpstack)
