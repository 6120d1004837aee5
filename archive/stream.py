"""The stream as the archiver asks it: which one it is, its shards, and the pages of one shard at its pace."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from archive.names import START, Place, created_ms
from archive.pace import PAGE_RECORDS_MAX, pause_s
from archive.world import Page
from telemetry.errors import StoreUnavailable, StreamMissing, WrongStream
from telemetry.log import LogRecord
from telemetry.read_budget import ARCHIVE_BYTES_MAX, FIRST_PAGE_RECORDS, page_records
from telemetry.retry import patiently, tries
from telemetry.shards import ShardMap, list_shards

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_RETENTION_HELD_S: Final = 10.0
"""For how long the retention is taken to be what it was."""
_END_PATIENCE_S: Final = 10.0
"""How long ListShards, which may be late, is asked for an end."""
_OLDEST_PAGES_MAX: Final = 5
"""Pages at a shard's beginning may be empty."""
_HOUR_MS: Final = 3_600_000


class Stream:
    """One stream, the one that is there when this is made. Used from threads."""

    def __init__(self, kinesis: "KinesisClient", name: str, patience_s: float) -> None:
        """Raises StreamMissing when there is none, StoreUnavailable when Kinesis stays away."""
        self.kinesis = kinesis
        self.name = name
        self.patience_s = patience_s
        self._retention_ms = 0
        self._described_s = 0.0
        self.created = self._describe()
        self.created_ms = created_ms(self.created)

    def check(self) -> None:
        """Raises WrongStream when another one has come in its place, StreamMissing when it is not there.

        What was read before this was read of this stream: one that was replaced does not come back.
        """
        if (created := self._describe()) != self.created:
            raise WrongStream(
                f"{self.name} was created at {created}, and what is archived here at {self.created}: start the archiver anew."
            )

    def retention_ms(self) -> int:
        """How long the stream keeps a record."""
        if time.monotonic() - self._described_s >= _RETENTION_HELD_S:
            self.check()
        return self._retention_ms

    def shards(self) -> ShardMap:
        """Every shard that the stream still retains."""
        return patiently(lambda: list_shards(self.kinesis, self.name), self.patience_s)

    def iterator(self, shard_id: str, after: Place) -> str | None:
        """An iterator behind a place of this stream; None when the shard is not there."""
        place: Any = {"ShardIteratorType": "TRIM_HORIZON"}
        if after != START:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(after.sequence_number)}
        try:
            answer: Any = patiently(
                lambda: self.kinesis.get_shard_iterator(StreamName=self.name, ShardId=shard_id, **place), self.patience_s
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            self.check()
            return None
        return str(answer["ShardIterator"])

    def has_left(self, shard_id: str) -> bool:
        """Whether a shard has left the stream: it cannot be read, and is not listed before nor after that is tried."""
        return (
            shard_id not in self.shards().shards
            and self.iterator(shard_id, START) is None
            and shard_id not in self.shards().shards
        )

    def _describe(self) -> str:
        """When the stream that is there was created: seconds since 1970, three decimals."""
        try:
            answer = patiently(lambda: self.kinesis.describe_stream_summary(StreamName=self.name), self.patience_s)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            raise StreamMissing(f"{self.name} is not there") from error
        summary = answer["StreamDescriptionSummary"]
        if summary["StreamStatus"] == "DELETING":
            raise StreamMissing(f"{self.name} is being deleted")
        self._retention_ms = summary["RetentionPeriodHours"] * _HOUR_MS
        self._described_s = time.monotonic()
        return f"{summary['StreamCreationTimestamp'].timestamp():.3f}"


class ShardPages:
    """The pages of one shard, each when it is time for it."""

    def __init__(self, stream: Stream, shard_id: str, stopping: threading.Event, most_s: float) -> None:
        """`most_s` is how long a page may be waited for; once `stopping` is set, none is waited for longer than it must."""
        self._stream = stream
        self._shard_id = shard_id
        self._stopping = stopping
        self._most_s = most_s
        self._iterator: str | None = None
        self._at: Place | None = None
        """The place behind which the iterator stands."""
        self._limit = FIRST_PAGE_RECORDS
        self._asked_s = time.monotonic()
        self._least_s = self._pause_s = 0.0

    def read(self, after: Place) -> Page:
        """See World."""
        while True:
            self._wait()
            if self._iterator is None or self._at != after:
                self._iterator, self._at = self._stream.iterator(self._shard_id, after), after
                if self._iterator is None:
                    return self._gone()
                self._stream.check()
            if (page := self._page(self._iterator)) is not None:
                break
            self._iterator = None
        if page.records:
            last = page.records[-1]
            self._at = Place(last.sequence_number, last.arrived_ms)
        return page

    def _wait(self) -> None:
        since_s = time.monotonic() - self._asked_s
        if not self._stopping.wait(max(0.0, self._pause_s - since_s)) or since_s >= self._least_s:
            return
        threading.Event().wait(self._least_s - since_s)

    def _page(self, iterator: str) -> Page | None:
        """The next page; None when the iterator has expired."""
        since_s = time.monotonic() - self._asked_s
        asked_ms = now_ms()

        tried = False

        def ask() -> Any:
            nonlocal tried
            if tried:  # a shard that refuses us is one that others want to read
                threading.Event().wait(pause_s(0, since_s, behind=True))
            tried = True
            self._asked_s = time.monotonic()
            return self._stream.kinesis.get_records(ShardIterator=iterator, Limit=self._limit)

        try:
            answer = patiently(ask, self._stream.patience_s)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExpiredIteratorException":
                return None
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return self._gone()
            raise
        records = [log_record(item) for item in answer["Records"]]
        self._iterator = answer.get("NextShardIterator")
        sizes = [len(record.data) for record in records]
        behind_ms = answer.get("MillisBehindLatest", 0)
        self._least_s = pause_s(sum(sizes), since_s, behind=True)
        self._pause_s = pause_s(sum(sizes), since_s, behind=behind_ms > 0, most_s=self._most_s)
        if records:
            self._limit = page_records(sizes, ARCHIVE_BYTES_MAX, PAGE_RECORDS_MAX)
        return Page(records, self._iterator is None, behind_ms, asked_ms, now_ms(), self._stream.retention_ms())

    def _gone(self) -> Page:
        """Of a shard that the stream no longer knows nothing will follow. A shard that is listed all the same is asked anew."""
        asked_ms = now_ms()
        if not self._stream.has_left(self._shard_id):
            raise StoreUnavailable(f"{self._shard_id} was not found, though it is there")
        return Page((), True, 0, asked_ms, now_ms(), self._stream.retention_ms())  # noqa: FBT003  Page names them

    def oldest(self) -> int | None:
        """See World."""
        iterator = self._stream.iterator(self._shard_id, START)
        for _ in range(_OLDEST_PAGES_MAX):
            if iterator is None:
                break
            page = patiently(self._first(iterator), self._stream.patience_s)
            if page["Records"]:
                self._stream.check()
                return int(page["Records"][0]["SequenceNumber"])
            iterator = page.get("NextShardIterator")
        return None

    def _first(self, iterator: str) -> Callable[[], Any]:
        return lambda: self._stream.kinesis.get_records(ShardIterator=iterator, Limit=1)

    def is_closed(self) -> bool:
        """See World."""
        for _ in tries(min(_END_PATIENCE_S, self._stream.patience_s)):
            listed = self._stream.shards().shards.get(self._shard_id)
            if listed.closed if listed else self._stream.has_left(self._shard_id):
                return True
        return False


def log_record(item: Any) -> LogRecord:
    """A record of GetRecords' answer."""
    arrived_ms = round(item["ApproximateArrivalTimestamp"].timestamp() * 1000)
    return LogRecord(int(item["SequenceNumber"]), arrived_ms, item["Data"])


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
