"""An error nobody foresaw: told as a problem, logged with its route, never shown."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from producer_api.app import ERRORS
from producer_api.envelope import Envelope
from telemetry.errors import Overloaded, Refused, StoreUnavailable, WrongStream


def answer_to(error: Exception) -> httpx.Response:
    """What a client gets when an endpoint raises this, through our own table of errors."""

    async def fail(_: Request) -> Response:
        raise error

    async def ask() -> httpx.Response:
        app = Envelope(Starlette(routes=[Route("/fails", fail)], exception_handlers=ERRORS))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/fails", headers={"X-Request-Id": "ours-1"})

    return asyncio.run(ask())


def test_an_unforeseen_error_is_a_500_that_says_nothing() -> None:
    """Its text stays in the log, with the route; the request id leads from one to the other."""
    with capture_logs() as logs:
        answer = answer_to(ZeroDivisionError("secret of the house"))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "ours-1"
    assert answer.json()["detail"] == "Internal error. It was logged."
    assert "secret" not in answer.text
    (line,) = [line for line in logs if line["event"] == "internal_error"]
    assert (line["method"], line["path"], line["log_level"]) == ("GET", "/fails", "error")
    assert isinstance(line["exc_info"], ZeroDivisionError)


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (
            Overloaded("queue"),
            "Too many readings are waiting, or the server is stopping. The reading was not stored; send it again.",
        ),
        (StoreUnavailable("table x"), "The projection cannot be read at the moment. Try again."),
        (Refused("role z"), "The log does not take readings at the moment: this one was not stored. Send it again later."),
        (
            WrongStream("stream y"),
            "The stream is not the one that the statistics are made from. Until that is mended nothing is stored or told.",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_passes_is_a_503_that_says_when_to_come_again(error: Exception, detail: str) -> None:
    """Overloaded means that nothing was stored, and says so; names of tables are none of the client's business."""
    answer = answer_to(error)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["detail"] == detail
    assert str(error) not in answer.text
