"""The application: a table of routes, a table of errors, and the resources that live as long as it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp

from producer_api.health import check_readiness, livez, readyz
from producer_api.home import home
from producer_api.problems import UNAVAILABLE, http_error, hung_up, internal_error, invalid_reading, unavailable
from producer_api.request_id import RequestId
from producer_api.services import Services, Shared
from producer_api.stats import fleet_stats
from producer_api.temperature import record_temperature
from producer_api.writer import Writer
from projections import queries
from projections.generations import LiveNames, check_stream
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import InvalidReading
from telemetry.names import ResourceNames
from telemetry.settings import Settings
from telemetry.shards import list_shards

_STATS_SHARED_S = 0.05
_READINESS_SHARED_S = 1.0

ROUTES = [
    Route("/", home),
    Route("/api/temperature", record_temperature, methods=["PUT"]),
    Route("/api/stats", fleet_stats),
    Route("/livez", livez),
    Route("/readyz", readyz),
]

ERRORS = {
    InvalidReading: invalid_reading,
    HTTPException: http_error,
    ClientDisconnect: hung_up,
    **dict.fromkeys(UNAVAILABLE, unavailable),
    Exception: internal_error,
}


def create_app(settings: Settings) -> ASGIApp:
    """The ASGI application for these settings. It opens its connections when it starts, not when it is made."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Services]]:
        services = await _open(settings)
        yield {"services": services}
        await services.writer.close()

    app = Starlette(routes=ROUTES, exception_handlers=ERRORS, lifespan=lifespan)
    app.router.redirect_slashes = False  # it would send clients to whatever their Host header says
    return RequestId(app)


async def _open(settings: Settings) -> Services:
    """Connect. Raises WrongStream when the tables were filled from another stream of the same name."""
    names = ResourceNames(settings.prefix)
    kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
    pointer = await asyncio.to_thread(check_stream, kinesis, dynamodb, names)
    live = LiveNames(dynamodb, names, pointer)
    writer = Writer(
        # One attempt: the writer judges every entry and retries by itself.
        kinesis_client(settings, attempts=1, pool=settings.put_in_flight_max),
        names.stream,
        await asyncio.to_thread(list_shards, kinesis, names.stream),
        in_flight_max=settings.put_in_flight_max,
        events_max=settings.queue_events_max,
        deadline_s=settings.put_deadline_s,
    )
    fleet = Shared(lambda: queries.fleet_stats(dynamodb, live.current()), _STATS_SHARED_S)
    readiness = Shared(partial(check_readiness, kinesis, dynamodb, names, live), _READINESS_SHARED_S)
    return Services(settings, writer, fleet, readiness)
