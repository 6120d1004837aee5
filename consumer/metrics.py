"""What a supervisor tells Prometheus, on a port of its own, when METRICS_PORT names one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from operations.exposition import ShardMetrics, ShardsSeen
from operations.observation import Observation
from operations.tally import dead_letters
from operations.verdicts import Judge
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings


class SupervisorMetrics(Collector):
    """Restarts of this worker's daemon, and all shards as this worker sees them."""

    def __init__(self, restarts: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._restarts = restarts
        self._judge = Judge()
        self._shards = ShardMetrics()
        self.registry.register(self)
        self.registry.register(self._shards)

    def collect(self) -> Iterator[Metric]:
        """The families that are the supervisor's own."""
        text = "How often the daemon was started anew since the supervisor began."
        yield CounterMetricFamily("telemetry_supervisor_restarts", text, self._restarts())

    def show(self, seen: Observation | None, now_s: float, now_us: int) -> None:
        """Take in a look; None when nothing could be seen. Clocks as `Judge.see` has them."""
        if seen is None:
            self._shards.seen = ShardsSeen()
        else:
            self._shards.seen = ShardsSeen(self._judge.see(seen, now_s, now_us), dead_letters(seen.progress))


@contextmanager
def served(metrics: SupervisorMetrics | None, settings: Settings) -> Iterator[None]:
    """Serve them, if there are any, at HOST and METRICS_PORT for the block. Raises InvalidSettings when the port is taken."""
    if metrics is None:
        yield
        return
    try:
        server, _ = start_http_server(settings.metrics_port, settings.host, metrics.registry)
    except OSError as error:
        where = f"HOST={settings.host} METRICS_PORT={settings.metrics_port}"
        raise InvalidSettings(f"{where}: {error.strerror}. Set METRICS_PORT to another port, or to 0.") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
