"""The API with keys: doors as they are on a stream in memory, and in place of what reads tables something that says 200."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from producer_api.app import ROUTES
from producer_api.keys.gate import Gate
from producer_api.keys.guarded import Guarded
from producer_api.keys.policy import POLICY
from producer_api.keys.ring import Ring
from telemetry.keys import Role
from tests.producer_api.doors.app import Asked, asking
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.keys.table import Clock, MemoryTable

READS = (Role.READ, Role.ADMIN)


class Entrance:
    """Keys, a clock, and the gate that they open."""

    def __init__(self, *, certificates: bool = False, public_url: str = "") -> None:
        self.table, self.clock = MemoryTable(), Clock()
        ring = Ring(self.table.find, self.clock)
        self.gate = Gate(
            ring,
            self.table.note_use,
            clock_s=self.clock,
            now_s=self.clock,
            certificates=certificates,
            public_url=public_url,
        )


@asynccontextmanager
async def entrance(kinesis: FakeKinesis, *, certificates: bool = False, **more: Any) -> AsyncIterator[tuple[Asked, Entrance]]:
    """A client of an API with keys."""
    made = Entrance(certificates=certificates, public_url=more.get("public_url", ""))
    async with asking(kinesis, gate=made.gate, routes=[_stub(route) for route in ROUTES], **more) as client:
        yield client, made


async def _ok(_: Request) -> Response:
    return PlainTextResponse("ok")


def _stub(route: BaseRoute) -> BaseRoute:
    if not isinstance(route, Route) or POLICY[route.path].role not in READS:
        return route
    stub = Route(route.path, _ok, methods=list(route.methods or ()))
    stub.app = Guarded(stub.app, POLICY[route.path])
    return stub
