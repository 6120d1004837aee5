"""Errors as RFC 9457 problems, with the original's `message` member beside the standard ones.

One table maps our errors to statuses. Whatever is not in it is an internal error: logged with its route, never shown.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from producer_api.envelope import EVERY_ANSWER
from producer_api.keys.credentials import INFLUX, INFLUX_1
from producer_api.operating.requests import refuse
from producer_api.outage import Outage
from producer_api.pages.errors import code_of
from producer_api.pages.signing_in import sign_in_page
from producer_api.urls import asked_again
from telemetry.errors import (
    InvalidBatch,
    InvalidQuestion,
    InvalidReading,
    KeysUnavailable,
    NotPermitted,
    NotSetUp,
    NotStored,
    NotYetCounted,
    Overloaded,
    Refused,
    StoreUnavailable,
    TooFast,
    TooManyStreams,
    Unanswerable,
    Unauthenticated,
    WrongStream,
)
from telemetry.logs import SparseLog
from telemetry.reading import rfc3339
from telemetry.retry import retry_after_s

log = structlog.get_logger(__name__)
sparse_log = SparseLog(__name__)

_MAYBE_STORED = "The reading may be stored. Send it again: it is safe, the same reading counts once."
_READ_FAILED = "The projection cannot be read at the moment. Try again."

UNAVAILABLE: Mapping[type[Exception], tuple[str, str]] = {
    Overloaded: (
        "overloaded",
        "Too many readings are waiting, or the server is stopping. The reading was not stored; send it again.",
    ),
    Refused: (
        "log-refuses",
        "The log does not take readings at the moment: this one was not stored. Send it again later.",
    ),
    NotStored: ("not-confirmed", _MAYBE_STORED),
    KeysUnavailable: (
        "keys-unavailable",
        "Whether the key is one cannot be told at the moment. Nothing was done; try again.",
    ),
    StoreUnavailable: ("projection-unavailable", _READ_FAILED),
    NotSetUp: (
        "not-set-up",
        "There are no statistics yet: the tables are not set up. Readings are stored all the same.",
    ),
    WrongStream: (
        "wrong-stream",
        "The stream is not the one that the statistics are made from. Until that is mended nothing is stored or told.",
    ),
    TooManyStreams: (
        "too-many-streams",
        "As many live streams are open as this process serves. Try again later, or ask /api/stats.",
    ),
    ClientError: ("projection-unavailable", _READ_FAILED),
    BotoCoreError: ("projection-unavailable", _READ_FAILED),
}
"""Errors answered 503 with Retry-After: their code, and what the client is told; the first that fits."""

NEXT_FLUSH_S: Mapping[str, int] = {"totals": 1, "windows": 6, "everything": 10}
"""When what is not counted yet mostly is, by the mark that is waited for, in seconds (contract, "How answers agree")."""
_PATH_CHARS_LOGGED = 200
_MOMENT_S = 5.0
"""The least Retry-After where there are too many connections, or the server stops."""

_LASTS: Mapping[type[Exception], float] = {Refused: 10, WrongStream: 30}
"""The least Retry-After, in seconds, of what does not pass by itself."""


class _Problem(JSONResponse):
    """Leaves its code and its words with the request, and is told as the request's client understands it."""

    def __init__(self, content: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(content, *args, **kwargs)
        self._members = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refuse(scope, self._members["code"], self._members["detail"])
        if scope["path"] in INFLUX:
            self.body = self.render(as_for_influxdb(self._members))
            self.headers["Content-Length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def problem(status: int, detail: str, code: str = "", *, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """An `application/problem+json` answer. `message` repeats `detail`, as the original's clients expect, unless given."""
    headers = {"Cache-Control": "no-store", **(headers or {})}
    told = problem_members(status, detail, code) | members
    return _Problem(told, status, headers, media_type="application/problem+json")


def problem_members(status: int, detail: str, code: str = "") -> dict[str, Any]:
    """The members that every problem has. The code is for programs and stays; without one it is the status's."""
    code = code or code_of(status)
    return {
        "type": f"/docs/errors/{code}",
        "code": code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "message": detail,
    }


def as_for_influxdb(members: Mapping[str, Any]) -> dict[str, Any]:
    """A problem's members with `error`, which clients of InfluxDB 1 show."""
    return {**members, "error": members["detail"]}


def problem_message(members: Mapping[str, Any], request_id: str, default: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A problem as a whole HTTP message that ends its connection, for requests that reach no application.

    `members` are those of `problem_members`; `default` are the headers that the server adds to every answer.
    """
    status: int = members["status"]
    body = json.dumps(members).encode()
    headers = [
        *default,
        *EVERY_ANSWER,
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        (b"x-request-id", request_id.encode()),
        *([(b"retry-after", b"%d" % retry_after_s(0, _MOMENT_S))] if status == 503 else ()),
    ]
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), *(b"%b: %b" % header for header in headers)]
    return b"\r\n".join([*lines, b"", body])


async def invalid_reading(_: Request, error: Exception) -> Response:
    """400: every bad field at once, under `message` as the original did and under `errors` as RFC 9457 suggests."""
    assert isinstance(error, InvalidReading)  # the table in app.py says so
    pointers = {name: "" if name == "body" else f"/{name.replace('.', '/')}" for name in error.fields}
    faults = [{"pointer": pointers[name], "detail": text} for name, text in error.fields.items()]
    return problem(400, f"The reading was refused: {error}", "invalid-reading", message=error.fields, errors=faults)


async def invalid_batch(_: Request, error: Exception) -> Response:
    """400: the body as a whole is no batch; nothing of it was stored."""
    assert isinstance(error, InvalidBatch)  # the table in app.py says so
    return problem(400, f"This is no batch, and nothing was stored: {error}", "invalid-batch")


async def invalid_question(_: Request, error: Exception) -> Response:
    """400: every bad parameter at once."""
    assert isinstance(error, InvalidQuestion)  # the table in app.py says so
    faults = [{"parameter": name, "detail": text} for name, text in error.parameters.items()]
    return problem(400, f"The question was refused: {error}", "invalid-question", errors=faults)


async def unanswerable(request: Request, error: Exception) -> Response:
    """422: a question that is well put and cannot be answered as asked, with a URL of one that can, if there is any near."""
    assert isinstance(error, Unanswerable)  # the table in app.py says so
    faults = [{"parameter": name, "detail": text} for name, text in error.parameters.items()]
    nearest: dict[str, Any] = {"nearest": asked_again(request, error.nearest)} if error.nearest else {}
    return problem(422, f"The question cannot be answered as asked: {error}", error.code, errors=faults, **nearest)


async def unknown_sensor(_: Request, error: Exception) -> Response:
    """404: nothing of the sensor was ever counted."""
    return problem(
        404, f"No reading of {error} was counted so far. GET /api/sensors lists the sensors there are.", "unknown-sensor"
    )


async def not_yet_counted(_: Request, error: Exception) -> Response:
    """503: the reading is in the log, and will be in the tables soon."""
    assert isinstance(error, NotYetCounted)  # the table in app.py says so
    as_of = None if error.as_of_us is None else rfc3339(error.as_of_us)
    detail = "What `after` names is in the log and not counted yet. Ask again."
    headers = {"Retry-After": str(NEXT_FLUSH_S[error.which])}
    return problem(503, detail, "not-yet-counted", headers=headers, mark=error.which, asOf=as_of)


async def unauthenticated(request: Request, error: Exception) -> Response:
    """401, with what RFC 6750 says of it; for a person who opens a page, a form."""
    assert isinstance(error, Unauthenticated)  # the table in app.py says so
    fault = f', error="invalid_token", error_description="{_quotable(str(error))}"' if error.given else ""
    challenges = f'Bearer realm="telemetry"{fault}'
    if request.url.path in INFLUX_1:
        challenges += ', Basic realm="telemetry"'
    headers = {"WWW-Authenticate": challenges}
    code = "invalid-key" if error.given else "no-key"
    if request.scope.get("page"):
        refuse(request.scope, code, str(error))
        return sign_in_page(request, 401, str(error) if error.given else "", headers)
    return problem(401, str(error), code, headers=headers)


async def not_permitted(request: Request, error: Exception) -> Response:
    """403: the same for what is there and for what is not; for a person, the form beside it: another key may do."""
    assert isinstance(error, NotPermitted)  # the table in app.py says so
    scope = error.code in ("insufficient-role", "foreign-sensor", "needs-sensor")
    headers = {"WWW-Authenticate": 'Bearer realm="telemetry", error="insufficient_scope"'} if scope else {}
    if request.scope.get("page"):
        refuse(request.scope, error.code, str(error))
        return sign_in_page(request, 403, str(error), headers)
    return problem(403, str(error), error.code, headers=headers)


async def too_fast(_: Request, error: Exception) -> Response:
    """429: nothing was stored; again after Retry-After."""
    assert isinstance(error, TooFast)  # the table in app.py says so
    return problem(429, str(error), headers={"Retry-After": str(max(1, math.ceil(error.after_s)))})


def _quotable(text: str) -> str:
    """As a quoted string of RFC 6750 may be: in ASCII, without quotes and backslashes."""
    return re.sub(r'[^\x20-\x7e]|["\\]', "'", text)


async def unavailable(request: Request, error: Exception) -> Response:
    """503: AWS did not answer in time, or refused; or too much is waiting. The longer it lasts, the later to come back."""
    code, detail = problem_of(error)
    sparse_log.warning("unavailable", path=request.url.path[:_PATH_CHARS_LOGGED], error=str(error))
    return problem(503, detail, code, headers={"Retry-After": come_back_s(request, type(error))})


def problem_of(error: Exception) -> tuple[str, str]:
    """Code and text of one of the errors in UNAVAILABLE."""
    return next(told for kind, told in UNAVAILABLE.items() if isinstance(error, kind))


def come_back_s(request: Request, failure: type[Exception]) -> str:
    """The Retry-After of a request that failed so: the longer this has been failing others, the later."""
    least_s = next((seconds for kind, seconds in _LASTS.items() if issubclass(failure, kind)), 1)
    lasted_s = 0.0
    if services := getattr(request.state, "services", None):
        outage: Outage = services.writer.outage if issubclass(failure, NotStored) else services.looks.outage
        lasted_s = outage.lasted_s
    return str(retry_after_s(lasted_s, least_s))


async def http_error(request: Request, error: Exception) -> Response:
    """What Starlette or an endpoint refused: 404, 405, 413, 415. OPTIONS of a known path is not an error (contract C15)."""
    assert isinstance(error, HTTPException)  # the table in app.py says so
    if error.status_code == 405:
        allow = ", ".join(sorted({"OPTIONS", *(error.headers or {}).get("Allow", "").split(", ")}))
        if request.method == "OPTIONS":
            return Response(headers={"Allow": allow})
        return problem(405, "The method is not allowed for the requested URL.", headers={"Allow": allow})
    if error.status_code == 404:
        return problem(404, f"There is nothing at {request.url.path}. GET / lists what there is.")
    return problem(error.status_code, error.detail, headers=error.headers)


async def hung_up(request: Request, _: Exception) -> Response:
    """The client went away before it had sent everything, or was answered: nobody is there to read what is said."""
    sparse_log.info("client_hung_up", path=request.url.path[:_PATH_CHARS_LOGGED])
    return problem(400, "The request ended before its body did.", "hung-up")


async def internal_error(request: Request, error: Exception) -> Response:
    """500: our mistake. The log has it; the client learns only that."""
    log.error("internal_error", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "Internal error. It was logged.")
