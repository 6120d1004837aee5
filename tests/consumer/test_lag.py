"""How far the projection is behind is told once a minute, or not at all."""

from dataclasses import replace

import structlog

from consumer.lag import LagTold
from operations.observation import Lease, Observation
from projections.rows import PROGRESS, Row
from telemetry.shards import Shard, ShardMap

SHARDS = ShardMap([Shard("one", 0, 49), Shard("two", 50, 99)])
LEASES = {shard: Lease("me", 1, ended=False) for shard in ("one", "two")}
ROWS = {"one": Row(PROGRESS, 7, as_of_us=1_000_000), "two": Row(PROGRESS, 9, as_of_us=3_000_000)}
SEEN = Observation(SHARDS, LEASES, {}, None, ROWS)


def told(*looks: tuple[Observation, float, int]) -> list[int]:
    """What so many looks say, in milliseconds."""
    lag = LagTold()
    with structlog.testing.capture_logs() as lines:
        for look in looks:
            lag.see(*look)
    return [line["lag_ms"] for line in lines if line["event"] == "projection_lag"]


def test_the_shard_furthest_behind_tells_the_lag() -> None:
    """At the first look, and a minute later."""
    assert told((SEEN, 5.0, 4_500_000), (SEEN, 64.9, 9_000_000), (SEEN, 65.0, 9_000_000)) == [3500, 8000]


def test_of_a_shard_of_which_nothing_is_known_nothing_is_told() -> None:
    """And so of all: an alarm takes silence for what it is. The first look that knows tells at once."""
    blind = replace(SEEN, progress={"one": ROWS["one"]})
    nothing = Observation(SHARDS, {}, {}, None, {})
    assert told((blind, 5.0, 4_500_000), (nothing, 6.0, 4_500_000), (SEEN, 7.0, 4_500_000)) == [3500]


def test_a_shard_that_was_read_to_its_end_is_not_behind() -> None:
    """However old its mark is."""
    ended = replace(SEEN, leases={**LEASES, "one": Lease("me", 1, ended=True)})
    assert told((ended, 5.0, 4_500_000)) == [1500]
