"""What the archiver tells Prometheus, on a port of its own, when ARCHIVER_METRICS_PORT names one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telemetry.errors import InvalidSettings
from telemetry.settings import Settings


class ArchiveMetrics(Collector):
    """Counts of this archiver's shards, and how old what is archived of each is. Used from threads."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        """`now_ms` tells milliseconds since 1970."""
        self.registry = CollectorRegistry()
        self._now_ms = now_ms
        self._complete_ms: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self.retention_ms = 0
        self.objects = self._counter("objects", "Objects that this archiver put.")
        self.bytes = self._counter("bytes", "And their bytes.")
        self.records = self._counter("records", "And the records in them.")
        self.taken = self._counter("places_taken", "Objects that somebody else had put before.")
        self.gaps = self._counter("gaps", "Objects that begin behind a stretch that may be lost.")
        self.registry.register(self)

    def complete(self, shard_id: str, until_ms: int) -> None:
        """All of a shard that arrived until then is archived: the last record's arrival, or a look at the tip."""
        self._complete_ms[shard_id] = max(until_ms, self._complete_ms.get(shard_id, 0))

    def holds(self, shard_id: str, held_bytes: int) -> None:
        """How large the object is that is being made."""
        self._held[shard_id] = held_bytes

    def ended(self, shard_id: str) -> None:
        """A shard whose chain has ended grows no older."""
        self._complete_ms.pop(shard_id, None)
        self._held.pop(shard_id, None)

    def age_s(self, shards: int) -> float | None:
        """How old the oldest is that may not be archived yet, of all shards; None while that of one of so many is not known."""
        known = list(self._complete_ms.values())
        return max((0, *(self._now_ms() - until_ms for until_ms in known))) / 1000 if len(known) >= shards else None

    def collect(self) -> Iterator[Metric]:
        """The families that are told anew each time."""
        age = GaugeMetricFamily(
            "telemetry_archive_age_seconds", "Since when what arrived of a shard may not be archived yet.", labels=["shard"]
        )
        held = GaugeMetricFamily("telemetry_archive_held_bytes", "Of the object that is being made.", labels=["shard"])
        now_ms = self._now_ms()
        for shard_id, until_ms in list(self._complete_ms.items()):
            age.add_metric([shard_id], max(0, now_ms - until_ms) / 1000)
        for shard_id, held_bytes in list(self._held.items()):
            held.add_metric([shard_id], held_bytes)
        yield from (age, held)
        if self.retention_ms:
            text = "How long the stream keeps a record."
            yield GaugeMetricFamily("telemetry_stream_retention_seconds", text, self.retention_ms / 1000)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"telemetry_archive_{name}", text, ["shard"], registry=self.registry)


@contextmanager
def served(metrics: ArchiveMetrics, settings: Settings) -> Iterator[None]:
    """Serve them at HOST and ARCHIVER_METRICS_PORT for the block. Raises InvalidSettings when the port is taken."""
    if not settings.archiver_metrics_port:
        yield
        return
    try:
        server, _ = start_http_server(settings.archiver_metrics_port, settings.host, metrics.registry)
    except OSError as error:
        where = f"HOST={settings.host} ARCHIVER_METRICS_PORT={settings.archiver_metrics_port}"
        raise InvalidSettings(f"{where}: {error.strerror}. Set ARCHIVER_METRICS_PORT to another port, or to 0.") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
