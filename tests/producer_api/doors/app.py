"""The API's routes on a stream in memory, asked without a socket: all that doors need, and nothing that reads tables."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from producer_api.app import ERRORS, ROUTES
from producer_api.envelope import Envelope
from producer_api.keys.gate import Gate
from producer_api.keys.sites import Sites
from producer_api.operating.outcomes import Outcomes
from producer_api.operating.recent import Recent
from producer_api.outage import Outage
from producer_api.writing.sending import Turns
from telemetry.events import decode_event
from telemetry.reading import Reading
from telemetry.settings import Settings
from telemetry.streams import FIRST_PLACE
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.test_writer import writing

URL = "http://telemetry"


class Asked(httpx.AsyncClient):
    """A client of the routes, and what they count."""

    outcomes: Outcomes
    recent: Recent


@asynccontextmanager
async def asking(
    kinesis: FakeKinesis,
    *,
    deadline_s: float = 10,
    gate: Gate | None = None,
    url: str = URL,
    routes: Sequence[BaseRoute] = ROUTES,
    **changed: Any,
) -> AsyncIterator[Asked]:
    """A client of routes that store in this stream, with these settings, and with keys where there is a gate."""
    outcomes, settings = Outcomes(), Settings(**changed)
    async with writing(kinesis, deadline_s=deadline_s) as writer:
        services = SimpleNamespace(
            settings=settings,
            writer=writer,
            stream=SimpleNamespace(require_ours=lambda: None, place=FIRST_PLACE),
            looks=SimpleNamespace(outage=Outage()),
            outcomes=outcomes,
            recent=Recent(),
            gate=gate,
            turns=Turns(),
        )
        served = Starlette(routes=routes, exception_handlers=ERRORS)
        inner = Envelope(Sites(served, settings))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await inner(scope | {"state": {"services": services}}, receive, send)

        async with Asked(transport=httpx.ASGITransport(app), base_url=url) as client:
            client.outcomes, client.recent = outcomes, services.recent
            yield client


def stored(kinesis: FakeKinesis) -> list[Reading]:
    """The readings in the stream, in their order."""
    return sorted(decode_event(event) for event in kinesis.events.elements())
