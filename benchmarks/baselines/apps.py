"""Our own application with another writer in it: what parsing and HTTP cost alone, and what one PutRecord a request costs.

`python -m benchmarks.baselines.apps no-op|one-put-per-request` serves on PORT, with the settings of the real one.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from producer_api.app import ERRORS, ROUTES
from producer_api.envelope import Envelope
from producer_api.live.hub import Hub
from producer_api.operating.metrics import Metrics
from producer_api.operating.outcomes import Outcomes
from producer_api.operating.sight import Sight
from producer_api.outage import Outage
from producer_api.pages.looking import ForPages
from producer_api.reading.asking import Asking
from producer_api.services import Services
from producer_api.shared import Shared
from producer_api.stream_check import StreamCheck
from producer_api.writing.commit import Receipt
from projections.dynamodb_reads import LiveLook
from projections.fleet import FleetStats
from projections.generations import LogStream, Pointer
from telemetry.aws import kinesis_client
from telemetry.names import ResourceNames
from telemetry.settings import Settings

_CALLS_AT_ONCE = 64


class NoWriter:
    """Acknowledges everything and stores nothing."""

    outage = Outage()

    async def append(self, *_: object) -> Receipt:
        """A receipt for nothing."""
        return Receipt("shardId-000000000000", "49590338271490256608559692538361571095921575989136588898")

    async def close(self) -> None:
        """Nothing is held."""


class OnePutPerRequest:
    """Stores each event with a PutRecord of its own, in a pool of threads and kept-alive connections."""

    outage = Outage()

    def __init__(self, settings: Settings) -> None:
        self._kinesis = kinesis_client(settings, pool=_CALLS_AT_ONCE)
        self._stream = ResourceNames(settings.prefix).stream
        self._threads = ThreadPoolExecutor(_CALLS_AT_ONCE)

    async def append(self, sensor_id: str, event: bytes, _: object) -> Receipt:
        """Store one event."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._put, sensor_id, event)

    async def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown()

    def _put(self, sensor_id: str, event: bytes) -> Receipt:
        answer = self._kinesis.put_record(StreamName=self._stream, PartitionKey=sensor_id, Data=event + b"\n")
        return Receipt(answer["ShardId"], answer["SequenceNumber"])


async def _learn_nothing() -> None:
    """These writers leave it to Kinesis which shard an event belongs to."""


def create_app(settings: Settings, writer: Any) -> ASGIApp:
    """The real routes and errors around another writer; statistics are always empty."""
    look = LiveLook(Pointer(1, (LogStream("", ""),)), FleetStats({}))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Services]]:
        looks = Shared(lambda: look, 3600)
        outcomes = Outcomes()
        asking, hub = cast("Asking", None), cast("Hub", None)
        sight, for_pages = cast("Shared[Sight]", None), cast("ForPages", None)
        check = StreamCheck(lambda: look.pointer, _learn_nothing)
        told = Metrics(outcomes)
        yield {"services": Services(settings, writer, check, looks, asking, hub, sight, for_pages, outcomes, told, {})}
        await writer.close()

    return Envelope(Starlette(routes=ROUTES, exception_handlers=ERRORS, lifespan=lifespan))


def main() -> None:
    """Serve one of the two."""
    settings = Settings.from_environment(os.environ)
    writer = NoWriter() if sys.argv[1] == "no-op" else OnePutPerRequest(settings)
    app = create_app(settings, writer)
    uvicorn.run(app, host=settings.host, port=settings.port, access_log=False, log_config=None, server_header=False)


if __name__ == "__main__":
    main()
