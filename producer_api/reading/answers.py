"""What every answer of the read side carries: how fresh it is, by which ETag it is known, and how it is written."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from producer_api.problems import UNAVAILABLE, problem_of
from producer_api.reading.asking import Told
from producer_api.reading.shapes import ENCODER
from telemetry.logs import SparseLog
from telemetry.reading import rfc3339

VARY: Final = "Accept, Accept-Encoding, Origin"
_CHUNK_BYTES: Final = 64 * 1024
_TZDATA: Final = version("tzdata")

log = SparseLog(__name__)


def now_us() -> int:
    """The server's clock: microseconds since 1970."""
    return time.time_ns() // 1000


def freshness(as_of_us: int | None) -> dict[str, str]:
    """The headers that say how fresh an answer is; none when nothing is known of any shard."""
    headers = {"Cache-Control": "no-cache", "Vary": VARY}
    if as_of_us is not None:
        headers |= {"X-As-Of": rfc3339(as_of_us), "X-Projection-Lag-Ms": str(lag_ms(as_of_us))}
    return headers


def lag_ms(as_of_us: int) -> int:
    """How long ago that was, in milliseconds."""
    return max(0, now_us() - as_of_us) // 1000


def etag_of(told: Told[Any], question: object) -> str:
    """A weak ETag that differs whenever the answer may. `question` is all that was asked, as it was understood."""
    known = told.answer.etag(repr((told.generation, _TZDATA, question)))
    return f'W/"{known}"'


def not_modified(request: Request, etag: str, headers: Mapping[str, str]) -> Response | None:
    """304 for a client that has this answer."""
    given = ",".join(request.headers.getlist("If-None-Match"))
    known = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    if given.strip() == "*" or etag.removeprefix("W/") in known:
        return Response(status_code=304, headers={**headers, "ETag": etag})
    return None


async def json_answer(shape: Callable[[], object], headers: Mapping[str, str]) -> Response:
    """A shape as JSON. It is made and written on a thread: a large one would keep the loop from others."""
    body = await asyncio.to_thread(lambda: ENCODER.encode(shape()))
    return body_answer(body + b"\n", "application/json", headers)


def body_answer(body: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """A body; a large one goes out in pieces, so that packing it keeps nobody else waiting."""
    if len(body) <= _CHUNK_BYTES:
        return Response(body, headers=headers, media_type=media_type)
    return StreamingResponse(_pieces(body), headers=headers, media_type=media_type)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for begin in range(0, len(body), _CHUNK_BYTES):
        yield bytes(view[begin : begin + _CHUNK_BYTES])


class Export(StreamingResponse):
    """A body that is made while it is sent.

    What fails after the first byte breaks the connection, without its last chunk: no client takes that for the end.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self._scope = scope
        await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send it, or its beginning."""
        try:
            await super().stream_response(send)
        except tuple(UNAVAILABLE) as error:
            self._scope["problem"] = problem_of(error)[0]
            log.warning("stream_broken", error=str(error))


def as_of_text(as_of_us: int | None) -> str | None:
    """In UTC."""
    return None if as_of_us is None else rfc3339(as_of_us)
