"""The stream as a source of the log: a shard's pages, from its oldest record, a time of arrival, or a position on.

Each shard is read at a pace that leaves the consumer its share (`replay/pace.py`), and to the moment reading began.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from archive import wholeness
from archive.names import Place
from replay.pace import PAGE_BYTES, PAGE_RECORDS_MAX, Pace
from telemetry.log import Gap, LogRecord, Page, Position
from telemetry.read_budget import FIRST_PAGE_RECORDS, page_records
from telemetry.retry import patiently
from telemetry.shards import Shard, list_shards
from telemetry.streams import FIRST_PLACE, StreamPlace, kinesis_id

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_PATIENCE_S = 60.0
_KINESIS_CLOCK_ALLOWANCE_MS = 5_000
"""Arrival times are approximate, and an answer's date has whole seconds."""
_OUR_CLOCK_ALLOWANCE_MS = 60_000
"""A clock of ours that is behind must not cost the newest records."""
_SURELY_KEPT: Final = 0.9
"""Of its retention a record surely lies in the stream: what is older may leave it while it is asked for."""
_OLDEST_PAGES_MAX: Final = 5
"""Pages at a shard's beginning may be empty."""
_TRIM_HORIZON: Final[dict[str, Any]] = {"ShardIteratorType": "TRIM_HORIZON"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """What of a stream a reading is about. All times in ms since 1970, as Kinesis stamps records: about right, not in order."""

    created_ms: int
    """When the stream was made: nothing arrived before."""
    retention_ms: int
    asked_at_ms: int
    """When it was looked at, by the clock of whoever answered."""
    until_ms: int | None
    """What arrives later is not read; None to go on for ever."""
    from_ms: int | None = None
    """What arrived before need not be read; None for the oldest record."""

    @property
    def surely_kept_since_ms(self) -> int:
        """What arrived from then on surely lies in the stream."""
        return max(self.created_ms, self.asked_at_ms - int(_SURELY_KEPT * self.retention_ms))

    @property
    def oldest_ms(self) -> int:
        """Before when nothing that is read can have arrived."""
        kept_since_ms = self.until_ms - self.retention_ms if self.until_ms is not None else 0
        return max(self.created_ms, self.from_ms or 0, kept_since_ms)


def look_at(kinesis: "KinesisClient", stream: str, patience_s: float = _PATIENCE_S) -> Stretch:
    """All that a stream holds now. Raises StoreUnavailable when Kinesis does not answer in time, else what AWS says."""
    answer = patiently(lambda: kinesis.describe_stream_summary(StreamName=stream), patience_s)
    summary = answer["StreamDescriptionSummary"]
    created_ms = round(summary["StreamCreationTimestamp"].timestamp() * 1000)
    told_ms = _kinesis_ms(answer)
    now_ms = told_ms or time.time_ns() // 1_000_000
    until_ms = now_ms + (_OUR_CLOCK_ALLOWANCE_MS if told_ms is None else _KINESIS_CLOCK_ALLOWANCE_MS)
    return Stretch(created_ms, summary["RetentionPeriodHours"] * 3_600_000, now_ms, until_ms)


class StreamSource:
    """Reads a stream. Raises StoreUnavailable when Kinesis stays away for a minute."""

    def __init__(
        self,
        kinesis: "KinesisClient",
        stream: str,
        stretch: Stretch,
        *,
        place: StreamPlace = FIRST_PLACE,
        empty_until_ms: Callable[[str], int] = lambda _: 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`empty_until_ms` tells of a shard, by the log's name, until when it surely held nothing (ms since 1970; 0 unknown).

        `clock` tells seconds and never goes back; `sleep` takes seconds.
        """
        self._kinesis = kinesis
        self._stream = stream
        self._stretch = stretch
        self._place = place
        self._empty_until_ms = empty_until_ms
        self._clock, self._sleep = clock, sleep

    def shards(self) -> Collection[Shard]:
        """The shards that the stream still lists."""
        return patiently(lambda: list_shards(self._kinesis, self._stream, self._place), _PATIENCE_S).shards.values()

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """A shard's pages, none of them empty but where something may have been lost before the end."""
        if after is None or not after.sequence_number:
            after = Position(0, max(after.arrived_ms if after else 0, self._empty_until_ms(shard.shard_id)))
        return _Reading(self._kinesis, self._stream, self._stretch, shard.shard_id, after).pages(Pace(self._clock, self._sleep))


class _Reading:
    """A shard that is being read."""

    def __init__(self, kinesis: "KinesisClient", stream: str, stretch: Stretch, shard_id: str, after: Position) -> None:
        self._kinesis, self._stream, self._stretch, self._shard_id = kinesis, stream, stretch, shard_id
        self._reached_ms = max(after.arrived_ms, stretch.created_ms, stretch.from_ms or 0)
        """What arrived until then was read, or is not asked for."""
        self._after = 0
        """The last record that was read; 0 at the shard's start."""
        self._start: dict[str, Any] = _TRIM_HORIZON
        if after.sequence_number:
            self._go_on_after(after.sequence_number)
        elif stretch.from_ms is not None:
            # Before the oldest record it is TRIM_HORIZON again (GetShardIterator).
            at = datetime.fromtimestamp(stretch.from_ms / 1000, UTC)
            self._start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": at}

    def pages(self, pace: Pace) -> Iterator[Page]:
        """Where writers go on, what arrived after the reading began ends it."""
        until_ms = self._stretch.until_ms
        iterator: str | None = None
        limit = FIRST_PAGE_RECORDS
        while True:
            try:
                if iterator is None and (iterator := self._iterator(self._start)) is None:
                    return
                answer = self._page(iterator, limit, pace)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ExpiredIteratorException":
                    raise
                iterator = None  # whoever reads us took longer than five minutes over a page
                continue
            page, beyond = self._taken(answer, until_ms, pace)
            iterator = answer.get("NextShardIterator")
            # A lag of 0 alone is no end: it is told from arrival times, and all records of a call have the same.
            at_tip = not answer["Records"] and answer["MillisBehindLatest"] == 0
            ended = iterator is None or beyond or (at_tip and until_ms is not None)
            if page.records or (ended and page.gap):
                yield page
            if ended:
                return
            if answer["Records"]:
                limit = page_records([len(item["Data"]) for item in answer["Records"]], PAGE_BYTES, PAGE_RECORDS_MAX)

    def _taken(self, answer: Any, until_ms: int | None, pace: Pace) -> tuple[Page, bool]:
        """The records of an answer, to the first one beyond the end, and whether there is such a one."""
        records: list[LogRecord] = []
        beyond = False
        for item in answer["Records"]:
            arrived_ms = int(item["ApproximateArrivalTimestamp"].timestamp() * 1000)
            records.append(LogRecord(int(item["SequenceNumber"]), arrived_ms, item["Data"]))
            if beyond := until_ms is not None and arrived_ms > until_ms:
                break
        now_ms = _kinesis_ms(answer) or time.time_ns() // 1_000_000
        gap = None
        is_asked = self._stretch.until_ms is None or self._reached_ms < self._stretch.until_ms
        if is_asked and not self._is_whole(now_ms, pace):
            gap = Gap(self._shard_id, self._reached_ms, records[0].arrived_ms if records else now_ms)
        if records:
            self._go_on_after(records[-1].sequence_number)
            self._reached_ms = max(self._reached_ms, records[-1].arrived_ms)
        elif gap is None:
            # An empty page tells how far it went.
            self._reached_ms = max(self._reached_ms, now_ms - answer["MillisBehindLatest"])
        return Page(self._shard_id, records, gap), beyond

    def _is_whole(self, now_ms: int, pace: Pace) -> bool:
        """Whether nothing was lost before a page that came by then."""
        behind = wholeness.Stretch(Place(self._after), tip_seen_ms=self._reached_ms)
        if wholeness.is_young(behind, now_ms, self._stretch.retention_ms):
            return True
        # Asked after the page: what the stream keeps now it kept then. At a shard's start there is no record to look for.
        oldest = self._oldest(pace) if self._after else None
        return wholeness.is_whole(behind, now_ms, self._stretch.retention_ms, oldest)

    def _oldest(self, pace: Pace) -> int | None:
        """The oldest record that the stream keeps of the shard; None when none is seen."""
        iterator = self._iterator(_TRIM_HORIZON)
        for _ in range(_OLDEST_PAGES_MAX):
            if iterator is None:
                break
            answer = self._page(iterator, 1, pace)
            if answer["Records"]:
                return int(answer["Records"][0]["SequenceNumber"])
            iterator = answer.get("NextShardIterator")
        return None

    def _go_on_after(self, sequence_number: int) -> None:
        self._after = sequence_number
        self._start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(sequence_number)}

    def _iterator(self, start: Mapping[str, Any]) -> str | None:
        """None when reading is to start at a time that has yet to come, which Kinesis refuses."""

        def ask() -> str:
            asked = {"StreamName": self._stream, "ShardId": kinesis_id(self._shard_id), **start}
            return self._kinesis.get_shard_iterator(**asked)["ShardIterator"]

        try:
            return patiently(ask, _PATIENCE_S)
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidArgumentException" or "Timestamp" not in start:
                raise
            told_ms = _kinesis_ms(error.response)
            if told_ms is not None and start["Timestamp"].timestamp() * 1000 <= told_ms:
                raise
            return None

    def _page(self, iterator: str, limit: int, pace: Pace) -> Any:
        """The next page. Each try keeps the pace: a shard that refuses us is one that others want to read."""
        return patiently(lambda: pace.page(lambda: self._kinesis.get_records(ShardIterator=iterator, Limit=limit)), _PATIENCE_S)


def _kinesis_ms(answer: Any) -> int | None:
    """The time of whoever answered, in whole seconds, if it tells."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return int(parsedate_to_datetime(date).timestamp() * 1000) if date else None
