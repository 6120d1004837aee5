"""Reads the stream from its oldest record to the moment the reading began: all shards, parents before their children.

Reads one call a second and shard, which leaves the consumer its four of the five that Kinesis allows.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from telemetry.retry import patiently
from telemetry.shards import Shard, ShardMap, list_shards

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_READ_INTERVAL_S = 1.0
_PATIENCE_S = 60.0
_CLOCK_ALLOWANCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record and its place in the log."""

    shard_id: str
    sequence_number: str
    arrived_at_ms: int
    data: bytes


def read_log(kinesis: "KinesisClient", stream: str) -> Iterator[LogRecord]:
    """Every record the stream retains, up to now. Raises StoreUnavailable when Kinesis stays away for a minute."""
    # Arrival times are Kinesis's and approximate; a clock of ours that is behind must not cost the newest records.
    until_ms = time.time_ns() // 1_000_000 + _CLOCK_ALLOWANCE_MS
    for shard in parents_first(patiently(lambda: list_shards(kinesis, stream), _PATIENCE_S)):
        yield from _read_shard(kinesis, stream, shard.shard_id, until_ms)


def parents_first(shards: ShardMap) -> list[Shard]:
    """All shards, each after those it was split or merged from."""
    ordered: dict[str, Shard] = {}

    def visit(shard: Shard) -> None:
        for parent in shard.parents:
            if parent in shards.shards and parent not in ordered:
                visit(shards.shards[parent])
        ordered.setdefault(shard.shard_id, shard)

    for shard in shards.shards.values():
        visit(shard)
    return list(ordered.values())


def _read_shard(kinesis: "KinesisClient", stream: str, shard_id: str, until_ms: int) -> Iterator[LogRecord]:
    start: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
    iterator: str | None = None
    while True:
        began_s = time.monotonic()
        try:
            iterator = iterator or _iterator(kinesis, stream, shard_id, start)
            page = _page(kinesis, iterator)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExpiredIteratorException":
                raise
            iterator = None  # whoever reads us took longer than five minutes over a page
            continue
        for item in page["Records"]:
            arrived_at_ms = int(item["ApproximateArrivalTimestamp"].timestamp() * 1000)
            yield LogRecord(shard_id, item["SequenceNumber"], arrived_at_ms, item["Data"])
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": item["SequenceNumber"]}
            if arrived_at_ms > until_ms:
                return
        iterator = page.get("NextShardIterator")
        if iterator is None or page["MillisBehindLatest"] == 0:
            return
        time.sleep(max(0.0, began_s + _READ_INTERVAL_S - time.monotonic()))


def _iterator(kinesis: "KinesisClient", stream: str, shard_id: str, start: dict[str, Any]) -> str:
    answer = patiently(lambda: kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, **start), _PATIENCE_S)
    return answer["ShardIterator"]


def _page(kinesis: "KinesisClient", iterator: str) -> Any:
    return patiently(lambda: kinesis.get_records(ShardIterator=iterator), _PATIENCE_S)
