"""GET /metrics: what Prometheus is told of the API, and of the shards as the API sees them (contract, "Operating").

Names of requests are OpenTelemetry's. No label is a sensor's id or anything else that clients choose: routes are templates,
methods are known ones, codes are our own.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from operations.exposition import ShardMetrics, ShardsSeen
from producer_api.live.hub import Hub
from producer_api.operating.outcomes import Outcomes
from producer_api.reading.asking import Asking
from producer_api.services import services
from producer_api.writing.writer import Writer
from projections.dynamodb_reads import LiveFleet
from telemetry.errors import TelemetryError
from telemetry.logs import SparseLog
from telemetry.retry import SENSELESS, error_code

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""OpenTelemetry's advice for http.server.request.duration."""
_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "OPTIONS", "DELETE", "PATCH", "TRACE", "CONNECT"})
_OTHER_METHOD = "_OTHER"
"""OpenTelemetry's word for what is none of them."""

log = SparseLog(__name__)


class Serving(NamedTuple):
    """What serves, and counts by itself."""

    writer: Writer
    asking: Asking
    hub: Hub
    fleet: LiveFleet


class Metrics(Collector):
    """Everything that one API process tells. Counting is cheap: it is done for each request."""

    def __init__(self, outcomes: Outcomes) -> None:
        self.registry = CollectorRegistry()
        self.shards = ShardMetrics()
        self.serving: Serving | None = None
        """Set once there is one."""
        self._outcomes = outcomes
        self._durations = Histogram(
            "http_server_request_duration_seconds",
            "How long requests took, from their head to the end of their answer.",
            ["http_request_method", "http_route", "http_response_status_code"],
            registry=self.registry,
            buckets=_BUCKETS_S,
        )
        self._observe: dict[tuple[str, str, int], Callable[[float], None]] = {}
        """What is asked of prometheus_client for each request takes longer than the rest."""
        self.registry.register(self)
        self.registry.register(self.shards)

    def answered(self, method: str, route: str, status: int, duration_s: float) -> None:
        """A request was answered. `route` is a template."""
        key = (method, route, status)
        observe = self._observe.get(key)
        if observe is None:
            known = method if method in _METHODS else _OTHER_METHOD
            observe = self._durations.labels(known, route, str(status)).observe
            if known is method:  # else clients could fill memory with methods of their own
                self._observe[key] = observe
        observe(duration_s)

    def collect(self) -> Iterator[Metric]:
        """The families that are not prometheus_client's own to keep.

        In a thread of its own: what counts goes on meanwhile, so a copy is read.
        """
        readings = [*self._outcomes.readings.items()]
        refused = [((code,), times) for code, times in [*self._outcomes.refused.items()]]
        yield _counted("telemetry_readings", "Readings, by where they came in and their fate.", ["door", "outcome"], readings)
        untimed = "Readings whose sender named no time, so that they took that of their arrival."
        yield CounterMetricFamily("telemetry_readings_untimed", untimed, self._outcomes.untimed)
        yield _counted("telemetry_refused", "Requests that were refused or failed, by their problem's code.", ["code"], refused)
        if self.serving:
            writer, asking, hub, fleet = self.serving
            counters = writer.counters
            calls = [((outcome,), times) for outcome, times in [*counters.outcomes.items()]]
            yield _counted("telemetry_put_records_calls", "PutRecords calls, by the fate of their records.", ["outcome"], calls)
            sent = "What was sent by PutRecords: records and their keys."
            yield CounterMetricFamily("telemetry_put_records_bytes", sent, counters.bytes)
            yield GaugeMetricFamily("telemetry_queue_readings", "Readings that wait to be stored.", writer.held)
            units = [((question,), units) for question, units in [*asking.read_units.items(), ("totals", fleet.units)]]
            yield _counted("telemetry_read_units", "DynamoDB's read units, by what was asked.", ["question"], units)
            yield GaugeMetricFamily("telemetry_live_streams", "Live streams that are open.", hub.streams)


def _counted(name: str, text: str, labels: list[str], counts: Iterable[tuple[Sequence[str], float]]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts:
        family.add_metric(values, count)
    return family


async def metrics(request: Request) -> Response:
    """Everything, in the format that is asked for. What cannot be seen of the shards is left out, and the rest is told."""
    found = services(request)
    try:
        sight = await found.sight.get()
    except (ClientError, BotoCoreError, TelemetryError, *SENSELESS) as error:
        log.warning("shards_not_seen", error=error_code(error))
        found.metrics.shards.seen = ShardsSeen()
    else:
        found.metrics.shards.seen = ShardsSeen(sight.shards, sight.dead_letters)
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    body = await asyncio.to_thread(encode, found.metrics.registry)
    return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-cache"})
