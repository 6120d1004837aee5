"""What every answer carries: X-Request-Id, and what keeps a browser from taking it for something else.

The id is the client's own when it is sane and no key, else a new one; it is bound to every log line, and so is a valid
`traceparent`.
"""

import re
import uuid
from collections.abc import Iterable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer_api.tracing import keep, traceparent_of
from telemetry.keys import KEY_FORM

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id in a request's headers when it is sane, else a new one that nobody else has."""
    given = next((value.decode("latin-1") for name, value in headers if name == b"x-request-id"), "")
    return given if _SANE.fullmatch(given) and not KEY_FORM.search(given) else uuid.uuid4().hex


EVERY_ANSWER = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""Of answers that are no pages; a page brings its own."""


def _vary_once(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """`Vary` as one header that names each other once: whoever has a say in an answer adds to it."""
    rest = [header for header in headers if header[0] != b"vary"]
    varied = [name.strip() for key, value in headers if key == b"vary" for name in value.split(b",")]
    return [*rest, (b"vary", b", ".join(dict.fromkeys(varied)))] if varied else rest


class Envelope:
    """ASGI middleware; outermost, so that answers to internal errors have the headers too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = _vary_once(message.get("headers", ()))
                policy = () if any(name == _POLICY[0] for name, _ in given) else (_POLICY,)
                message["headers"] = [*given, *EVERY_ANSWER, *policy, (b"x-request-id", request_id.encode())]
            await send(message)

        bound = {"request_id": request_id}
        if traceparent := traceparent_of(scope["headers"]):
            bound["traceparent"] = traceparent
            keep(scope, traceparent)
        with structlog.contextvars.bound_contextvars(**bound):
            await self._app(scope, receive, send_with_headers)
