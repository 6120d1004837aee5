"""The application: a table of routes, a table of errors, and the resources that live as long as it does."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from producer_api.doors.influx import health, ping, query
from producer_api.doors.webhooks import from_chirpstack, from_ttn
from producer_api.doors.write import write
from producer_api.envelope import Envelope
from producer_api.keys.gate import Gate
from producer_api.keys.guarded import Guarded
from producer_api.keys.policy import POLICY
from producer_api.keys.ring import Ring
from producer_api.keys.session import session
from producer_api.keys.sites import Sites
from producer_api.keys.urls import KeysInUrls
from producer_api.live.hub import Hub
from producer_api.live.stream import live
from producer_api.openapi.document import openapi_json
from producer_api.operating.archived import ArchiveSight
from producer_api.operating.health import livez, readyz
from producer_api.operating.metrics import Metrics, Serving, metrics
from producer_api.operating.outcomes import Outcomes
from producer_api.operating.requests import Answered, Observed
from producer_api.operating.sight import Watcher
from producer_api.operating.status import SHARED_S, status
from producer_api.packing import Packed
from producer_api.pages.connect import connect
from producer_api.pages.dashboard import dashboard, sensor_page
from producer_api.pages.docs import docs
from producer_api.pages.errors import error_page
from producer_api.pages.files import STATIC, StaticFiles
from producer_api.pages.lasting import Lasting
from producer_api.pages.looking import ForPages, first_listed
from producer_api.pages.silence import SilenceCount
from producer_api.problems import (
    UNAVAILABLE,
    http_error,
    hung_up,
    internal_error,
    invalid_batch,
    invalid_question,
    invalid_reading,
    not_permitted,
    not_yet_counted,
    problem,
    too_fast,
    unanswerable,
    unauthenticated,
    unavailable,
    unknown_sensor,
)
from producer_api.reading.asking import THREADS, Asking
from producer_api.reading.history import history
from producer_api.reading.paths import sensor_in_path
from producer_api.reading.readings import one_sensors_readings
from producer_api.reading.sensors import list_sensors, one_sensor
from producer_api.reading.stats import stats
from producer_api.services import Services
from producer_api.shared import READ_S_MAX, Shared
from producer_api.stream_check import StreamCheck
from producer_api.writing.batch import record_batch
from producer_api.writing.temperature import record_temperature
from producer_api.writing.writer import Writer
from projections.dynamodb_reads import CALLS_AT_ONCE, LiveFleet
from projections.generations import LiveNames, check_stream
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import (
    InvalidBatch,
    InvalidQuestion,
    InvalidReading,
    NotPermitted,
    NotYetCounted,
    StoreUnavailable,
    TooFast,
    Unanswerable,
    Unauthenticated,
    UnknownSensor,
)
from telemetry.key_table import KeyTable
from telemetry.names import ResourceNames
from telemetry.retry import patiently, tries
from telemetry.settings import Settings
from telemetry.shards import ShardMap, list_shards

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_STATS_SHARED_S = 0.05
_READINESS_SHARED_S = 1.0
_SHARDS_SHARED_S = 0.05
_SILENCE_SHARED_S = 1.0
_SILENCE_FRESH_S = 30.0
_SIGHT_LASTS_S = 20.0
"""How old what a page says of the shards may be where they cannot be seen in time: less than it takes to call one stalled."""
_SILENCE_LASTS_S = 600.0
"""And of silent sensors, which are told to the quarter of an hour."""
_CONNECTIONS = THREADS + CALLS_AT_ONCE + 8
"""To the tables: of questions, of what these ask at once, and of looks at totals, stream, pipeline and keys."""
_STREAM_PATIENCE_S = 20.0
"""How long the API waits at its start for a stream that cannot be asked, or lists no open shard yet."""

_EXPOSED = (
    *("Content-Disposition", "ETag", "Link", "Retry-After", "X-As-Of", "X-Event-Id", "X-Projection-Lag-Ms", "X-Request-Id"),
    *("RateLimit", "RateLimit-Policy", "WWW-Authenticate", "X-Stream-Position"),
)
"""Headers that pages of other origins may read, beside those that all may."""

_PACKED = [Middleware(Packed)]

ROUTES: list[Route | Mount] = [
    Route("/", dashboard, middleware=_PACKED),
    Route("/sensor", sensor_page, middleware=_PACKED),
    Route("/connect", connect, middleware=_PACKED),
    Mount("/static", StaticFiles(directory=STATIC), name="static", middleware=_PACKED),
    Route("/api/temperature", record_temperature, methods=["PUT"]),
    Route("/api/temperature/batch", record_batch, methods=["POST"], middleware=_PACKED),
    Route("/api/v2/write", write, methods=["POST"]),
    Route("/write", write, methods=["POST"]),
    Route("/health", health),
    Route("/ping", ping),
    Route("/query", query, methods=["GET", "POST"]),
    Route("/api/webhooks/ttn", from_ttn, methods=["POST"]),
    Route("/api/webhooks/chirpstack", from_chirpstack, methods=["POST"]),
    Route("/api/stats", stats, middleware=_PACKED),
    Route("/api/stats/history", history, middleware=_PACKED),
    Route("/api/sensors", list_sensors, middleware=_PACKED),
    Route("/api/sensors/{rest:path}", sensor_in_path, middleware=_PACKED),
    Route("/api/sensor", one_sensor, middleware=_PACKED),
    Route("/api/readings", one_sensors_readings, middleware=_PACKED),
    Route("/api/live", live),
    Route("/api/status", status, middleware=_PACKED),
    Route("/metrics", metrics, middleware=_PACKED),
    Route("/api/session", session, methods=["POST", "DELETE"]),
    Route("/livez", livez),
    Route("/readyz", readyz),
    Route("/openapi.json", openapi_json, middleware=_PACKED),
    Route("/docs", docs),
    Route("/docs/errors/{code}", error_page),
]
for _route in ROUTES:
    _route.app = Guarded(_route.app, POLICY[_route.path])

ERRORS = {
    InvalidReading: invalid_reading,
    InvalidBatch: invalid_batch,
    InvalidQuestion: invalid_question,
    Unanswerable: unanswerable,
    UnknownSensor: unknown_sensor,
    NotYetCounted: not_yet_counted,
    Unauthenticated: unauthenticated,
    NotPermitted: not_permitted,
    TooFast: too_fast,
    HTTPException: http_error,
    ClientDisconnect: hung_up,
    **dict.fromkeys(UNAVAILABLE, unavailable),
    Exception: internal_error,
}


def create_app(settings: Settings, outcomes: Outcomes) -> ASGIApp:
    """The ASGI application for these settings. It opens its connections when it starts, not when it is made.

    `outcomes` are counted in by who serves it as well: connections refuse requests that never come to it.
    """
    told = Metrics(outcomes)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Services]]:
        services = await _open(settings, outcomes, told)
        looking = asyncio.create_task(services.stream.keep_looking())
        yield {"services": services}
        looking.cancel()
        services.asking.close()
        await services.writer.close()

    app = Starlette(routes=ROUTES, exception_handlers=ERRORS, lifespan=lifespan)
    app.router.redirect_slashes = False  # it would send clients to whatever their Host header says
    return around(app, settings, outcomes, told.answered)


def around(app: ASGIApp, settings: Settings, outcomes: Outcomes, answered: Answered) -> ASGIApp:
    """What every request passes on its way to the routes."""
    inner: ASGIApp = KeysInUrls(app)
    if settings.cors_origins:
        inner = _for_browsers(inner, settings.cors_origins)
    return Envelope(Observed(Sites(inner, settings), outcomes, answered))


class _ForBrowsers(CORSMiddleware):
    """Starlette's, but that a question which is refused gets a problem as well."""

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        return answer if answer.status_code == 200 else problem(answer.status_code, f"{bytes(answer.body).decode()}.")


def _for_browsers(app: ASGIApp, origins: str) -> ASGIApp:
    """The application for pages of these origins as well; outside it, so that errors can be read there too."""
    return _ForBrowsers(
        app,
        allow_origins=origins.split(","),
        allow_methods=["GET", "HEAD", "PUT", "POST"],
        allow_headers=["*"],
        expose_headers=_EXPOSED,
    )


async def _open(settings: Settings, outcomes: Outcomes, told: Metrics) -> Services:
    """Connect. Storing needs the stream alone, so tables that are away keep nobody waiting.

    Raises WrongStream when the tables are known to be filled from another stream of the same name, boto3's errors when there is
    no stream.
    """
    names = ResourceNames(settings.prefix)
    # Reads have a deadline of their own, which leaves no time for a third attempt.
    kinesis, dynamodb = kinesis_client(settings, attempts=2), dynamodb_client(settings, attempts=2, pool=_CONNECTIONS)
    writer = Writer(
        # One attempt: the writer judges every entry and retries by itself.
        kinesis_client(settings, attempts=1, pool=settings.put_in_flight_max),
        names.stream,
        await asyncio.to_thread(_open_shards, kinesis, names.stream),
        in_flight_max=settings.put_in_flight_max,
        events_max=settings.queue_events_max,
        deadline_s=settings.put_deadline_s,
    )
    live = LiveNames(dynamodb, names)
    check, shards = partial(check_stream, kinesis, dynamodb, names), partial(_live_shards, kinesis, live)
    stream = StreamCheck(check, writer.learn_shards)
    await asyncio.wait([asyncio.create_task(stream.look())], timeout=READ_S_MAX)
    stream.require_ours()
    fleet = LiveFleet(dynamodb, live)
    looks = Shared(fleet.read, _STATS_SHARED_S, lambda look: look.passes)
    at_once = ThreadPoolExecutor(CALLS_AT_ONCE, "calls")
    asking = Asking(looks, dynamodb, live.names, Shared(shards, _SHARDS_SHARED_S), at_once)
    sight = Shared(Watcher(kinesis, dynamodb, live).look, SHARED_S)
    archive = ArchiveSight(settings, at_once) if settings.archive_target else None
    silence = Shared(SilenceCount(dynamodb, live, at_once).look, _SILENCE_SHARED_S)
    for_pages = ForPages(
        Lasting(sight.get, fresh_s=0, lasts_s=_SIGHT_LASTS_S),
        Lasting(silence.get, fresh_s=_SILENCE_FRESH_S, lasts_s=_SILENCE_LASTS_S),
        Lasting(partial(first_listed, asking), fresh_s=SHARED_S, lasts_s=_SIGHT_LASTS_S),
    )
    readiness: dict[str, Shared[object]] = {
        "stream": Shared(check, _READINESS_SHARED_S),
        "stats": Shared(LiveFleet(dynamodb, live).read, _READINESS_SHARED_S),
    }
    hub = Hub(asking, settings.live_streams_max)
    told.serving = Serving(writer, asking, hub, fleet)
    gate = _gate(KeyTable(dynamodb, names.keys), settings) if settings.keys else None
    return Services(settings, writer, stream, looks, asking, hub, sight, for_pages, outcomes, told, readiness, gate, archive)


def _gate(table: KeyTable, settings: Settings) -> Gate:
    ring = Ring(table.find, time.monotonic)
    return Gate(ring, table.note_use, certificates=settings.mutual_tls, public_url=settings.public_url or "")


def _live_shards(kinesis: "KinesisClient", live: LiveNames) -> ShardMap:
    """The shards of the log's last stream, by the log's names."""
    names = live.names(live.pointer())
    return list_shards(kinesis, names.stream, names.place)


def _open_shards(kinesis: "KinesisClient", stream: str) -> ShardMap:
    """The stream's shards by Kinesis's ids, once some are open."""
    for _ in tries(_STREAM_PATIENCE_S):
        shards = patiently(lambda: list_shards(kinesis, stream), _STREAM_PATIENCE_S)
        if shards.open:
            return shards
    raise StoreUnavailable(f"{stream} lists no open shard")
