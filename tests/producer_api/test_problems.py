"""An error nobody foresaw: told as a problem, logged with its route, never shown."""

import asyncio
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from producer_api.app import ERRORS
from producer_api.envelope import Envelope
from producer_api.pages.errors import CODES, code_of, error_page
from producer_api.problems import UNAVAILABLE
from telemetry.errors import Overloaded, Refused, StoreUnavailable, WrongStream
from tests.tidy.tree import ROOT


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


def test_every_code_that_a_problem_can_have_has_a_page() -> None:
    """Those that are written anywhere in the product, and those of the statuses that are answered; and no others."""
    sources = [path.read_text() for folder in ("producer_api", "projections") for path in (ROOT / folder).rglob("*.py")]
    sources = [text for text in sources if "CODES: Final" not in text]
    told = {told[0] for told in UNAVAILABLE.values()}
    for text in sources:
        told |= set(re.findall(r'(?:Unanswerable|NotPermitted)\(\s*"([a-z-]+)"', text))
        told |= set(re.findall(r'"(no-key|other-site)"', text))
        told |= set(re.findall(r'"((?:invalid|unknown|not-yet|hung)-[a-z-]+)"', text))
    told |= {code_of(status) for status in (400, 404, 405, 406, 408, 413, 415, 429, 431, 500, 501, 503)}
    assert told == set(CODES)


def test_a_codes_page_says_what_it_means() -> None:
    """And there is none of what is no code."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(Starlette(routes=[Route("/docs/errors/{code}", error_page)]))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.get(f"/docs/errors/{code}") for code in ("not-confirmed", "nothing")]

    page, nothing = asyncio.run(ask())
    assert (page.status_code, CODES["not-confirmed"] in page.text) == (200, True)
    assert nothing.status_code == 404
