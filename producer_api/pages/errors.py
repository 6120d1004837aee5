"""GET /docs/errors/{code}: what a problem's code means and what to do; a problem's `type` leads here."""

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

CODES: Final[Mapping[str, str]] = {
    "invalid-reading": "A field is missing or malformed. `errors` names each, and what is expected. Nothing was stored.",
    "invalid-batch": "The body is no batch of readings at all. Nothing was stored.",
    "invalid-lines": "A line of line protocol is malformed, or is no reading. `errors` names each. Good lines were stored.",
    "invalid-question": "A parameter is unknown, repeated, empty or malformed. `errors` names each, and what is expected.",
    "unknown-zone": "There is no such time zone. `nearest` asks with one that there is.",
    "nothing-between": "The stretch ends where it begins, or before. Exchange `from` and `to`, or move one of them.",
    "beyond-the-years": "Readings are of the years 1970 to 9999.",
    "not-whole-minutes": "What all sensors measured is known by the minute. `nearest` asks so; a sensor's is exact.",
    "question-too-large": "More would have to be read than a question may. `nearest` asks for less, where that is known.",
    "by-id-only": "Sensors are found by prefix in the order of their ids only.",
    "csv-only": "Only CSV is written for spreadsheets: ask with `format=csv`.",
    "unknown-shard": "`after` names a shard that this stream never had. Take positions from X-Stream-Position as they stand.",
    "position-lost": "`after` names a place in a stream that the log lost, beyond what was kept of it. Send the reading again.",
    "unknown-sensor": "No reading of this sensor was counted so far. One that was just sent is, in some seconds.",
    "not-yet-counted": "What `after` names is in the log and not counted yet. Ask again after Retry-After, or wait longer.",
    "too-many-streams": "As many live streams are open as the server serves. Ask again after Retry-After, or poll /api/stats.",
    "overloaded": "Too many readings are waiting, or the server is stopping. The reading was not stored: send it again.",
    "log-refuses": "The log does not take readings at the moment. The reading was not stored: send it again later.",
    "not-confirmed": "The log did not confirm in time. The reading may be stored; sending it again is safe.",
    "projection-unavailable": "The tables do not answer at the moment. Readings are stored all the same. Ask again.",
    "not-set-up": "The tables are not set up yet. Readings are stored all the same.",
    "wrong-stream": "The stream is not the one that the statistics are made from. An operator has to mend that.",
    "no-key": "This needs a key. Send it as `Authorization: Bearer …` or `X-API-Key: …`; whoever runs this hands keys out.",
    "invalid-key": "The key is mistyped, unknown, revoked or expired, or it was sent in a way that is not taken.",
    "insufficient-role": "The key is one, and is not for this: there are keys to send readings, to read, and to operate.",
    "foreign-sensor": "The key is not for this sensor, whether there is such a sensor or not.",
    "needs-sensor": "The key is for some sensors only: ask for one of them with `sensorId`, or for a list with `prefix`.",
    "too-many-requests": "The key sends more readings than it may, or too many unknown keys were tried. Wait for Retry-After.",
    "keys-unavailable": "The table of keys does not answer. Keys that were used lately go on. Ask again after Retry-After.",
    "other-site": "A page of another site tried to write. Nothing was stored. Its address would have to stand in CORS_ORIGINS.",
    "plain-http": "A session needs HTTPS: over plain HTTP its cookie could be read on the way.",
    "unknown-host": "The server is not reached under this name. Use its address, or set PUBLIC_URL to what it is reached at.",
    "hung-up": "The request ended before its body did.",
    "bad-request": "The bytes are no HTTP/1.1 request, or its body could not be unpacked.",
    "not-found": "There is nothing at this path.",
    "method-not-allowed": "The path exists, and does not take this method. `Allow` names those it takes.",
    "not-acceptable": "The answer cannot be written in any of the forms that `Accept` names.",
    "request-timeout": "The request took too long to come.",
    "content-too-large": "The body is larger than this path takes.",
    "unsupported-media-type": "The body is not of a type or a coding that this path takes.",
    "request-header-fields-too-large": "The head of the request is too large.",
    "internal-server-error": "A mistake of the server's. It was logged; X-Request-Id leads to it.",
    "not-implemented": "The server does not speak this part of HTTP.",
    "service-unavailable": "Too many connections are open, the server is not ready, or it stops. Try again after Retry-After.",
}
"""Each code that problems have. They stay; more may come."""

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{code}</title>
<h1>{code}</h1>
<p>{text}</p>
</html>
"""


def code_of(status: int) -> str:
    """The code of a problem that has no other than its status."""
    return HTTPStatus(status).phrase.lower().replace(" ", "-")


async def error_page(request: Request) -> Response:
    """What a code means."""
    code = request.path_params["code"]
    if code not in CODES:
        raise HTTPException(404)
    return HTMLResponse(_PAGE.format(code=code, text=escape(CODES[code])))
