"""GET /openapi.json: the whole description, made once, when the module is loaded."""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from producer_api.keys.policy import POLICY
from producer_api.openapi import doors, operating, pages, reading, writing
from producer_api.openapi.describing import HEADERS, Json, Operation, operation_json, types_of
from producer_api.reading.answers import not_modified

OPERATIONS: Final[Mapping[str, Mapping[str, Operation]]] = {
    "/api/temperature": {"put": writing.TEMPERATURE},
    "/api/temperature/batch": {"post": writing.BATCH},
    "/api/v2/write": {"post": doors.WRITE},
    "/write": {"post": doors.WRITE_1},
    "/health": {"get": doors.HEALTH},
    "/ping": {"get": doors.PING},
    "/query": {"get": doors.QUERY, "post": doors.QUERY_POST},
    "/api/webhooks/ttn": {"post": doors.TTN},
    "/api/webhooks/chirpstack": {"post": doors.CHIRPSTACK},
    "/api/stats": {"get": reading.STATS},
    "/api/stats/history": {"get": reading.HISTORY},
    "/api/sensors": {"get": reading.SENSORS},
    "/api/sensors/{sensorId}": {"get": reading.SENSOR},
    "/api/sensors/{sensorId}/readings": {"get": reading.READINGS},
    "/api/sensor": {"get": reading.SENSOR_IN_QUERY},
    "/api/readings": {"get": reading.READINGS_IN_QUERY},
    "/api/live": {"get": operating.LIVE},
    "/api/status": {"get": operating.STATUS},
    "/metrics": {"get": operating.METRICS},
    "/api/session": {"post": operating.BEGIN_SESSION, "delete": operating.END_SESSION},
    "/livez": {"get": operating.LIVEZ},
    "/readyz": {"get": operating.READYZ},
    "/": {"get": pages.HOME},
    "/sensor": {"get": pages.SENSOR},
    "/connect": {"get": pages.CONNECT},
    "/docs": {"get": pages.DOCS},
    "/docs/errors/{code}": {"get": pages.ERROR_PAGE},
    "/openapi.json": {"get": pages.OPENAPI},
}
"""By path and method. HEAD is answered as GET is, without a body; OPTIONS tells the methods."""

_SCHEMAS: Final = "#/components/schemas/"
_TAGS: Final = {
    writing.TAG: "Readings go in. 200 means stored; sending again is safe.",
    doors.TAG: "For senders that speak to InfluxDB: Telegraf, Home Assistant, ESP8266 and ESP32, openHAB, Node-RED.",
    doors.WEBHOOKS: "For LoRaWAN servers.",
    reading.TAG: "Exact figures come out, with how fresh they are. `after` waits for a reading that was just sent.",
    "Live": "Figures and windows as they change.",
    operating.TAG: "For those who run it.",
    operating.SESSIONS: "Keys of people.",
    pages.TAG: "For people.",
}
_ABOUT: Final = """Temperature readings go in, are kept in an event log, and come out as exact statistics.

- **Errors** are problems (RFC 9457) whose `code` is for programs and whose `type` leads to a page about it. 400: it breaks its
  schema, unknown parameters among them. 422: it fits, and cannot be answered as asked. Any path may also answer 405 with
  `Allow`, and 400, 408, 431, 501 or 503 where the connection itself is at fault.
- **Keys**, where the server asks for them, are sent as `Authorization: Bearer` or `X-API-Key`. Any path but those that are open
  may then answer 401, 403 and 429.
- **Numbers** are exact decimals. Nothing measured is `null`. Members, events, enumerated values and optional parameters may
  be added at any time.
- **Times** are RFC 3339; those in questions may also be dates, `now`, `-24h` or epoch milliseconds, read in `tz`.
- `X-Request-Id` and `traceparent` of a request lead into the log; every answer carries `X-Request-Id`.
- Answers from 1 kB on are packed where `Accept-Encoding` allows gzip."""


_SCHEMES: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, where the server asks for one."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in a header of its own."},
}
_SENSORS: Final = "/api/sensors/{rest:path}"
"""The route of a sensor's id in a path, which the document tells apart by what is asked of it."""


def _security(path: str) -> Json:
    """Which role a path needs where keys are on (docs/security.md); `{}`: none where they are off."""
    role = (POLICY.get(path) or POLICY[_SENSORS]).role
    return {} if role is None else {"security": [{}, *({scheme: [role.value]} for scheme in _SCHEMES)]}


def document() -> Json:
    """What the API takes and answers, as OpenAPI 3.1 says it."""
    operations = [operation for methods in OPERATIONS.values() for operation in methods.values()]
    types = list(dict.fromkeys(one for operation in operations for one in types_of(operation)))
    references, components = msgspec.json.schema_components(types, ref_template=f"{_SCHEMAS}{{name}}")
    schemas = dict(zip(types, map(_named, references), strict=True))
    paths = {
        path: {method: operation_json(operation, schemas) | _security(path) for method, operation in methods.items()}
        for path, methods in OPERATIONS.items()
    }
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Telemetry",
            "version": version("telemetry-pipeline"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "headers": HEADERS,
            "securitySchemes": _SCHEMES,
            "schemas": writing.SCHEMAS | {_name(name): _named(schema) for name, schema in components.items()},
        },
    }


def _name(name: str) -> str:
    """As a client's generated code should have it: there, everything is a shape."""
    return name.removesuffix("Shape")


def _named(schema: Any, key: str = "") -> Any:
    """With the names that its types have in the document, and numbers as ENCODER writes them."""
    match schema:
        case list():
            return [_named(one) for one in schema]
        case {"format": "decimal"}:
            return {key: text for key, text in schema.items() if key != "format"} | {"type": "number"}
        case dict():
            return {key: _named(value, key) for key, value in schema.items()}
        case str() if key == "title" or schema.startswith(_SCHEMAS):
            return _name(schema)
        case _:
            return schema


_BODY: Final = msgspec.json.encode(document()) + b"\n"
_ETAG: Final = f'W/"{hashlib.sha256(_BODY).hexdigest()[:16]}"'


async def openapi_json(request: Request) -> Response:
    """The document."""
    headers = {"Cache-Control": "no-cache", "ETag": _ETAG}
    return not_modified(request, _ETAG, headers) or Response(_BODY, headers=headers, media_type="application/json")
