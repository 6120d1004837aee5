"""The API's routes on a stream in memory, asked without a socket: all that doors need, and nothing that reads tables."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from socket import socket
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config, Server

from producer_api.app import ERRORS, ROUTES, around
from producer_api.keys.gate import Gate
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
from tests.support.secrets import key_ids

URL = "http://telemetry"


class Asked(httpx.AsyncClient):
    """A client of the routes, and what they count."""

    outcomes: Outcomes
    recent: Recent


class Made(NamedTuple):
    """The routes, ready to be asked, and what they share."""

    app: ASGIApp
    services: Any


@asynccontextmanager
async def made(
    kinesis: FakeKinesis,
    *,
    deadline_s: float = 10,
    gate: Gate | None = None,
    routes: Sequence[BaseRoute] = ROUTES,
    **changed: Any,
) -> AsyncIterator[Made]:
    """Routes that store in this stream, with these settings, and with keys where there is a gate."""
    settings, outcomes = Settings(**changed), Outcomes()
    async with writing(kinesis, deadline_s=deadline_s) as writer:
        services = SimpleNamespace(
            settings=settings,
            writer=writer,
            stream=SimpleNamespace(require_ours=lambda: None, require_writable=lambda: None, place=FIRST_PLACE, created=None),
            looks=SimpleNamespace(outage=Outage()),
            outcomes=outcomes,
            recent=Recent(),
            gate=gate,
            turns=Turns(),
            readiness={},
        )
        inner = around(Starlette(routes=routes, exception_handlers=ERRORS), settings, outcomes, lambda *_: None)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await inner({**scope, "state": {"services": services}}, receive, send)

        yield Made(app, services)


@asynccontextmanager
async def asking(kinesis: FakeKinesis, *, url: str = URL, raises: bool = True, **more: Any) -> AsyncIterator[Asked]:
    """A client of such routes; what fails in them `raises`, or else is answered as by a server."""
    transport = partial(httpx.ASGITransport, raise_app_exceptions=raises)
    hooks = {"response": [_require_no_key]}
    async with (
        made(kinesis, **more) as (app, services),
        Asked(transport=transport(app), base_url=url, event_hooks=hooks) as client,
    ):
        client.outcomes, client.recent = services.outcomes, services.recent
        yield client


async def _require_no_key(answer: httpx.Response) -> None:
    """No answer holds a key, but the cookie that does, and what its sender itself wrote in the body."""
    await answer.aread()
    headers = [value for name, value in answer.headers.raw if name.lower() != b"set-cookie"]
    found = key_ids(b"\n".join([answer.content, *headers])) - key_ids(answer.request.content)
    assert not found, f"{answer.request.method} {answer.request.url.path} tells the keys {found}"


@contextmanager
def listening(kinesis: FakeKinesis, **more: Any) -> Iterator[str]:
    """The address at which such routes can be asked by whoever has a client of their own."""
    address: Future[str] = Future()
    stop = Event()

    async def serve() -> None:
        async with made(kinesis, **more) as (app, _):
            with socket() as listener:
                listener.bind(("127.0.0.1", 0))
                listener.listen()
                server = Server(Config(app, lifespan="off", log_config=None))
                serving = asyncio.create_task(server.serve([listener]))
                address.set_result(f"http://127.0.0.1:{listener.getsockname()[1]}")
                await asyncio.to_thread(stop.wait)
                server.should_exit = True
                await serving

    thread = Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        yield address.result(10)
    finally:
        stop.set()
        thread.join(30)


def stored(kinesis: FakeKinesis) -> list[Reading]:
    """The readings in the stream, in their order."""
    return sorted(decode_event(event) for event in kinesis.events.elements())
