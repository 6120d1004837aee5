"""Reads the stream from its oldest record to the moment the reading began: all shards, parents before their children.

A shard may be read five times and 2 MB a second. One call a second for about 1 MB leaves the consumer its four, and as many
bytes as can be written; a larger page would block the shard's reads for everybody (Kinesis, GetRecords).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from telemetry.retry import patiently
from telemetry.shards import Shard, ShardMap, list_shards

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_READ_INTERVAL_S = 1.0
_PATIENCE_S = 60.0
_PAGE_BYTES = 1_000_000
_PAGE_RECORDS_FIRST = 100
"""The first page shows how large the records are."""
_PAGE_RECORDS_MAX = 2_000
"""Twice what a shard takes a second; the emulator takes seconds over a page of more."""
_KINESIS_CLOCK_ALLOWANCE_MS = 5_000
"""Arrival times are approximate, and an answer's date has whole seconds."""
_OUR_CLOCK_ALLOWANCE_MS = 60_000
"""A clock of ours that is behind must not cost the newest records."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record and its place in the log."""

    shard_id: str
    sequence_number: str
    arrived_at_ms: int
    data: bytes


def read_log(kinesis: "KinesisClient", stream: str) -> Iterator[LogRecord]:
    """Every record the stream retains, up to now. Raises StoreUnavailable when Kinesis stays away for a minute."""
    for shard in parents_first(patiently(lambda: list_shards(kinesis, stream), _PATIENCE_S)):
        yield from _read_shard(kinesis, stream, shard.shard_id)


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


def _read_shard(kinesis: "KinesisClient", stream: str, shard_id: str) -> Iterator[LogRecord]:
    """A shard's records. Where writers go on, what arrived after the reading began ends it."""
    start: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
    iterator: str | None = None
    until_ms: int | None = None
    limit = _PAGE_RECORDS_FIRST
    while True:
        began_s = time.monotonic()
        try:
            if iterator is None:
                answer = _iterator(kinesis, stream, shard_id, start)
                iterator, until_ms = answer["ShardIterator"], until_ms or _end_ms(answer)
            page = _page(kinesis, iterator, limit)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExpiredIteratorException":
                raise
            iterator = None  # whoever reads us took longer than five minutes over a page
            continue
        records = page["Records"]
        for item in records:
            arrived_at_ms = int(item["ApproximateArrivalTimestamp"].timestamp() * 1000)
            yield LogRecord(shard_id, item["SequenceNumber"], arrived_at_ms, item["Data"])
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": item["SequenceNumber"]}
            if until_ms is not None and arrived_at_ms > until_ms:
                return
        iterator = page.get("NextShardIterator")
        # A lag of 0 alone is no end: it is told from arrival times, and all records of a call have the same.
        if iterator is None or (not records and page["MillisBehindLatest"] == 0):
            return
        if records:
            mean_bytes = sum(len(item["Data"]) for item in records) / len(records)
            limit = max(1, min(_PAGE_RECORDS_MAX, int(_PAGE_BYTES / max(1, mean_bytes))))
        time.sleep(max(0.0, began_s + _READ_INTERVAL_S - time.monotonic()))


def _end_ms(answer: Any) -> int:
    """The arrival time that lies behind us, by the clock of whoever answered if it tells its time."""
    if date := answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date"):
        return int(parsedate_to_datetime(date).timestamp() * 1000) + _KINESIS_CLOCK_ALLOWANCE_MS
    return time.time_ns() // 1_000_000 + _OUR_CLOCK_ALLOWANCE_MS


def _iterator(kinesis: "KinesisClient", stream: str, shard_id: str, start: dict[str, Any]) -> Any:
    return patiently(lambda: kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, **start), _PATIENCE_S)


def _page(kinesis: "KinesisClient", iterator: str, limit: int) -> Any:
    return patiently(lambda: kinesis.get_records(ShardIterator=iterator, Limit=limit), _PATIENCE_S)
