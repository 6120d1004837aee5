"""Errors as RFC 9457 problems, with the original's `message` member beside the standard ones.

One table maps our errors to statuses. Whatever is not in it is an internal error: logged with its route, never shown.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from telemetry.errors import InvalidReading, NotStored, Overloaded, StoreUnavailable, WrongStream

log = structlog.get_logger(__name__)

_RETRY_AFTER_S = 1
_MAYBE_STORED = "The reading may be stored. Send it again: it is safe, the same reading counts once."
_READ_FAILED = "The projection cannot be read at the moment. Try again."

UNAVAILABLE: Mapping[type[Exception], str] = {
    Overloaded: "Too many readings are waiting, or the server is stopping. The reading was not stored; send it again.",
    NotStored: _MAYBE_STORED,
    StoreUnavailable: _READ_FAILED,
    WrongStream: _READ_FAILED,
    ClientError: _READ_FAILED,
    BotoCoreError: _READ_FAILED,
}
"""Errors answered 503 with Retry-After, and what the client is told."""


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """An `application/problem+json` answer. `message` repeats `detail`, as the original's clients expect, unless given."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "message": detail} | members
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def invalid_reading(_: Request, error: Exception) -> Response:
    """400: every bad field at once, under `message` as the original did and under `errors` as RFC 9457 suggests."""
    assert isinstance(error, InvalidReading)  # the table in app.py says so
    faults = [{"pointer": f"/{name}" if name != "body" else "", "detail": text} for name, text in error.fields.items()]
    return problem(400, f"The reading was refused: {error}", message=error.fields, errors=faults)


async def unavailable(request: Request, error: Exception) -> Response:
    """503: AWS did not answer in time, or too much is waiting."""
    detail = next(text for kind, text in UNAVAILABLE.items() if isinstance(error, kind))
    log.warning("unavailable", path=request.url.path, error=str(error))
    return problem(503, detail, headers={"Retry-After": str(_RETRY_AFTER_S)})


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
    """The client went away before it had sent everything: no fault of ours, and nobody is there to read the answer."""
    log.info("client_hung_up", path=request.url.path)
    return problem(400, "The request ended before its body did.")


async def internal_error(request: Request, error: Exception) -> Response:
    """500: our mistake. The log has it; the client learns only that."""
    log.error("internal_error", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "Internal error. It was logged.")
