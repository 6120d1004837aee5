"""Reads the stream to the moment the reading began, from its oldest record or from a time of arrival on.

All shards, parents before their children, and each at a pace that leaves the consumer its share (`replay/pace.py`).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from replay.pace import FIRST_PAGE_RECORDS, Pace, page_records
from telemetry.retry import patiently
from telemetry.shards import Shard, ShardMap, list_shards
from telemetry.streams import FIRST_PLACE, StreamPlace, kinesis_id

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_PATIENCE_S = 60.0
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


def read_log(
    kinesis: "KinesisClient",
    stream: str,
    arrived_from_ms: int | None = None,
    *,
    place: StreamPlace = FIRST_PLACE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[LogRecord]:
    """Every record the stream retains, up to now; those before the first that arrived at `arrived_from_ms` or later left out.

    That time is in ms since 1970, as Kinesis stamps records: about right, and not in order. Raises StoreUnavailable when
    Kinesis stays away for a minute.
    """
    start: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
    if arrived_from_ms is not None:
        # Before the oldest record it is TRIM_HORIZON again (GetShardIterator).
        start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(arrived_from_ms / 1000, UTC)}
    for shard in parents_first(patiently(lambda: list_shards(kinesis, stream, place), _PATIENCE_S)):
        yield from _read_shard(kinesis, stream, shard.shard_id, start, Pace(clock, sleep))


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


def _read_shard(kinesis: "KinesisClient", stream: str, shard_id: str, start: dict[str, Any], pace: Pace) -> Iterator[LogRecord]:
    """A shard's records. Where writers go on, what arrived after the reading began ends it."""
    iterator: str | None = None
    until_ms: int | None = None
    limit = FIRST_PAGE_RECORDS
    while True:
        try:
            if iterator is None:
                answer = _iterator(kinesis, stream, shard_id, start)
                if answer is None:
                    return
                iterator, until_ms = answer["ShardIterator"], until_ms or _end_ms(answer)
            page = _page(kinesis, iterator, limit, pace)
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
            limit = page_records([len(item["Data"]) for item in records])


def _kinesis_ms(answer: Any) -> int | None:
    """The time of whoever answered, in whole seconds, if it tells."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return int(parsedate_to_datetime(date).timestamp() * 1000) if date else None


def _end_ms(answer: Any) -> int:
    """The arrival time that lies behind us, by the clock of whoever answered if it tells its time."""
    if (told_ms := _kinesis_ms(answer)) is not None:
        return told_ms + _KINESIS_CLOCK_ALLOWANCE_MS
    return time.time_ns() // 1_000_000 + _OUR_CLOCK_ALLOWANCE_MS


def _iterator(kinesis: "KinesisClient", stream: str, shard_id: str, start: dict[str, Any]) -> Any:
    """GetShardIterator's answer. None when reading is to start at a time that has yet to come, which Kinesis refuses."""
    try:
        own_id = kinesis_id(shard_id)
        return patiently(lambda: kinesis.get_shard_iterator(StreamName=stream, ShardId=own_id, **start), _PATIENCE_S)
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidArgumentException" or "Timestamp" not in start:
            raise
        told_ms = _kinesis_ms(error.response)
        if told_ms is not None and start["Timestamp"].timestamp() * 1000 <= told_ms:
            raise
        return None


def _page(kinesis: "KinesisClient", iterator: str, limit: int, pace: Pace) -> Any:
    """The next page. Each try keeps the pace: a shard that refuses us is one that others want to read."""
    return patiently(lambda: pace.page(lambda: kinesis.get_records(ShardIterator=iterator, Limit=limit)), _PATIENCE_S)
