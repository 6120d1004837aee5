"""What a replay comes to is told from samples: exactly where these hold everything, nearly where the log flows evenly."""

from collections.abc import Iterator, Sequence
from itertools import islice

import pytest

from replay.estimate import estimate
from replay.events import Choice
from telemetry.events import encode_event
from telemetry.log import Gap, LogRecord, Page, Position
from telemetry.read_budget import OTHERS_BYTES_A_S
from telemetry.shards import Shard
from tests.projections.logs import reading

HOUR_MS = 3_600_000


class Even:
    """Shards with a record of two readings at even intervals, of which a source is read from a time on."""

    def __init__(self, shards: Sequence[Shard], interval_ms: int, gap: Gap | None = None) -> None:
        self._shards, self._interval_ms, self._gap = shards, interval_ms, gap
        self._from_ms = 0
        self.read_records = 0

    def __call__(self, from_ms: int | None) -> "Even":
        self._from_ms = from_ms or 0
        source = Even(self._shards, self._interval_ms, self._gap)
        source._from_ms = from_ms or 0
        return source

    def shards(self) -> Sequence[Shard]:
        return self._shards

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        data = b"".join(encode_event(reading(name), 0) + b"\n" for name in "ab")
        arrivals = iter(range(-(-self._from_ms // self._interval_ms) * self._interval_ms, HOUR_MS, self._interval_ms))
        for size in (1, 10, 100, 1000, 1000):
            records = [LogRecord(arrived_ms, arrived_ms, data) for arrived_ms in islice(arrivals, size)]
            if not records:
                return
            yield Page(shard.shard_id, records, self._gap if size == 1 else None)


def shard(shard_id: str, *parents: str) -> Shard:
    return Shard(shard_id, 0, 1, parents)


@pytest.mark.parametrize("interval_ms", [1_800_000, 60_000, 10_000, 100, 10])
def test_what_flows_evenly_is_estimated_nearly(interval_ms: int) -> None:
    """And exactly when there are so few records that the samples are all of them."""
    found = estimate(Even([shard("a"), shard("b")], interval_ms), 0, HOUR_MS, Choice())
    records = 2 * HOUR_MS / interval_ms
    assert found.amount.records == pytest.approx(records, rel=0.02)
    assert found.amount.readings == pytest.approx(2 * records, rel=0.02)
    if records < 100:
        assert found.amount.records == records


def test_only_what_is_chosen_counts_as_a_reading() -> None:
    """All of it is to be read."""
    found = estimate(Even([shard("a")], 60_000), 0, HOUR_MS, Choice(sensors=frozenset("a")))
    assert found.amount.readings == found.amount.records == pytest.approx(60, rel=0.02)


def test_children_take_their_time_after_their_parents() -> None:
    """Shards side by side take as long as one."""
    side_by_side = estimate(Even([shard("a"), shard("b")], 10), 0, HOUR_MS, Choice())
    one_by_one = estimate(Even([shard("a"), shard("b", "a"), shard("c")], 10), 0, HOUR_MS, Choice())
    assert side_by_side.seconds == pytest.approx(side_by_side.amount.bytes / 2 / OTHERS_BYTES_A_S)
    assert one_by_one.seconds == pytest.approx(2 * side_by_side.seconds)


def test_a_gap_is_told_once() -> None:
    """Where reading begins."""
    gap = Gap("a", 0, 1)
    assert estimate(Even([shard("a")], 60_000, gap), 0, HOUR_MS, Choice()).gaps == [gap]
