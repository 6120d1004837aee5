"""What Prometheus is told of shards, by the API as by the supervisors: `max by (shard)` over whoever is asked is right.

Of a shard that was read to its end nothing is told any more but its dead letters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from operations.verdicts import ShardState
from telemetry.errors import ReasonCode
from telemetry.limits import MICRO


@dataclass(frozen=True, slots=True)
class ShardsSeen:
    """What a look said of the shards."""

    shards: Sequence[ShardState] = ()
    dead_letters: Mapping[str, Mapping[ReasonCode, int]] = field(default_factory=dict)


class ShardMetrics(Collector):
    """The last look, for a registry. While nothing can be seen there are no samples: old ones would look like news."""

    def __init__(self) -> None:
        self.seen = ShardsSeen()

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client wants them."""
        lag = GaugeMetricFamily("telemetry_shard_lag_seconds", "How far a shard's figures are behind.", labels=["shard"])
        age = GaugeMetricFamily(
            "telemetry_shard_position_age_seconds", "For how long a shard's position was seen where it is.", labels=["shard"]
        )
        letters = CounterMetricFamily(
            "telemetry_dead_letters", "What of a shard could not be read, by reason code.", labels=["shard", "code"]
        )
        seen = self.seen
        for state in seen.shards:
            if state.lag_us is not None:
                lag.add_metric([state.shard_id], state.lag_us / MICRO)
            age.add_metric([state.shard_id], state.position_age_s)
        for shard_id, counts in seen.dead_letters.items():
            for code, count in counts.items():
                letters.add_metric([shard_id, code], count)
        yield from (lag, age, letters)
