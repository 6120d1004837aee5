"""What a supervisor tells Prometheus, on a port of its own."""

import socket

import httpx
import pytest

from consumer.metrics import SupervisorMetrics, served
from operations.observation import Lease, Observation
from projections.rows import PROGRESS, Progress, Row
from telemetry.errors import InvalidSettings
from telemetry.settings import Settings
from telemetry.shards import Shard, ShardMap
from tests.support.processes import free_port

ROW = Row(PROGRESS, 7, as_of_us=1_000_000, progress=Progress(refusals=(2, 0, 0, 0, 0, 0, 0)))
SEEN = Observation(ShardMap([Shard("one", 0, 99)]), {"one": Lease("me", 1, ended=False)}, {}, None, {"one": ROW})


def told(port: int) -> dict[str, float]:
    """Every sample, by its name and labels."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if not name.startswith("#")}


def test_restarts_and_shards_are_told_at_a_port_of_its_own() -> None:
    """As they were at the last look; of shards nothing while nothing can be seen."""
    restarts = 0
    metrics = SupervisorMetrics(lambda: restarts)
    port = free_port()
    with served(metrics, Settings(metrics_port=port)):
        assert told(port) == {"telemetry_supervisor_restarts_total": 0}
        restarts = 3
        metrics.show(SEEN, 0, 2_500_000)
        metrics.show(SEEN, 4, 6_500_000)
        now = told(port)
        assert now["telemetry_supervisor_restarts_total"] == 3
        assert now['telemetry_shard_lag_seconds{shard="one"}'] == 5.5
        assert now['telemetry_shard_position_age_seconds{shard="one"}'] == 4
        assert now['telemetry_dead_letters_total{code="not-json",shard="one"}'] == 2
        metrics.show(None, 5, 7_500_000)
        assert told(port) == {"telemetry_supervisor_restarts_total": 3}
    with pytest.raises(httpx.ConnectError):
        told(port)


def test_a_port_that_is_taken_is_named() -> None:
    """With what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(InvalidSettings, match=f"METRICS_PORT={port}: Address already in use. Set METRICS_PORT to another"),
            served(SupervisorMetrics(int), Settings(metrics_port=port)),
        ):
            pass
