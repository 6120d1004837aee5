"""The stream as the archiver asks it, by a client that answers as Kinesis may."""

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from archive import stream as module
from archive.names import START, Place
from archive.stream import ShardPages, Stream, log_record
from telemetry.errors import StoreUnavailable, StreamMissing, WrongStream

CREATED = datetime(2025, 11, 26, 8, 58, 49, 316_000, UTC)
ARRIVED = datetime(2025, 11, 26, 9, 0, 0, 316_000, UTC)


def refused(code: str) -> ClientError:
    """An answer of Kinesis."""
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Any")  # type: ignore[typeddict-item]


class Kinesis:
    """One shard, which may be closed, gone, or said to be."""

    def __init__(self) -> None:
        self.created = CREATED
        self.status = "ACTIVE"
        self.retention_h = 24
        self.listed = True
        self.closed = False
        self.found = True
        self.asked: list[Mapping[str, Any]] = []
        self.pages: list[dict[str, Any] | str] = []

    def describe_stream_summary(self, **_: object) -> Any:
        if self.status == "gone":
            raise refused("ResourceNotFoundException")
        summary = {
            "StreamStatus": self.status,
            "StreamCreationTimestamp": self.created,
            "RetentionPeriodHours": self.retention_h,
        }
        return {"StreamDescriptionSummary": summary}

    def list_shards(self, **_: object) -> Any:
        numbers = {"StartingSequenceNumber": "1", **({"EndingSequenceNumber": "9"} if self.closed else {})}
        shard = {"ShardId": "s", "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"}, "SequenceNumberRange": numbers}
        return {"Shards": [shard] if self.listed else []}

    def get_shard_iterator(self, **asked: Any) -> Any:
        self.asked.append(asked)
        if not self.found:
            raise refused("ResourceNotFoundException")
        return {"ShardIterator": f"iterator {len(self.asked)}"}

    def get_records(self, **asked: Any) -> Any:
        self.asked.append(asked)
        page = self.pages.pop(0)
        if isinstance(page, str):
            raise refused(page)
        return {"Records": [], "NextShardIterator": "next", "MillisBehindLatest": 0, **page}


def record(number: int) -> dict[str, Any]:
    """One of a page."""
    return {"SequenceNumber": str(number), "ApproximateArrivalTimestamp": ARRIVED, "Data": b"x"}


@pytest.fixture
def kinesis() -> Kinesis:
    """A stream that is there."""
    return Kinesis()


def pages(kinesis: Kinesis) -> ShardPages:
    """Its shard's pages, to be had at once."""
    stopping = threading.Event()
    stopping.set()
    return ShardPages(Stream(kinesis, "a-stream", 0), "s", stopping, 1)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is to wait for a second here."""
    monkeypatch.setattr(module, "pause_s", lambda *_, **__: 0.0)


def test_a_record_has_the_arrival_that_kinesis_stamped() -> None:
    """To the millisecond: binary fractions of seconds lie below some of them."""
    assert log_record(record(7)) == (7, 1_764_147_600_316, b"x")


def test_pages_follow_one_another(kinesis: Kinesis) -> None:
    """One iterator is asked for; the number of records follows those seen."""
    kinesis.pages = [{"Records": [record(1)]}, {"Records": [record(2), record(3)]}, {}]
    reading = pages(kinesis)
    assert [found.sequence_number for found in reading.read(START).records] == [1]
    assert [found.sequence_number for found in reading.read(Place(1, 1_764_147_600_316)).records] == [2, 3]
    assert not reading.read(Place(3, 1_764_147_600_316)).over
    assert kinesis.asked == [
        {"StreamName": "a-stream", "ShardId": "s", "ShardIteratorType": "TRIM_HORIZON"},
        {"ShardIterator": "iterator 1", "Limit": 1},
        {"ShardIterator": "next", "Limit": 10},
        {"ShardIterator": "next", "Limit": 20},
    ]


def test_who_goes_back_asks_for_another_iterator(kinesis: Kinesis) -> None:
    """As one does who lost a place, and one whose iterator has expired."""
    kinesis.pages = [{"Records": [record(1)]}, "ExpiredIteratorException", {}, {}]
    reading = pages(kinesis)
    reading.read(START)
    reading.read(Place(1, 1_764_147_600_316))
    reading.read(Place(5, 0))
    iterators = [asked for asked in kinesis.asked if "ShardId" in asked]
    assert [asked.get("StartingSequenceNumber") for asked in iterators] == [None, "1", "5"]


def test_a_page_tells_when_it_was_asked_for(kinesis: Kinesis) -> None:
    """And when it was there, how far behind it is, and for how long the stream keeps records."""
    kinesis.pages = [{"MillisBehindLatest": 5000, "NextShardIterator": None}]
    before_ms = time.time_ns() // 1_000_000
    page = pages(kinesis).read(START)
    assert before_ms <= page.asked_ms <= page.answered_ms
    assert (page.over, page.behind_ms, page.retention_ms) == (True, 5000, 86_400_000)


def test_a_shard_that_was_not_found_is_not_over(kinesis: Kinesis) -> None:
    """While it is listed: one answer may be wrong."""
    kinesis.pages = ["ResourceNotFoundException"]
    with pytest.raises(StoreUnavailable, match="though it is there"):
        pages(kinesis).read(START)
    kinesis.found = False
    with pytest.raises(StoreUnavailable, match="though it is there"):
        pages(kinesis).read(START)


def test_a_shard_that_has_left_the_stream_is_over(kinesis: Kinesis) -> None:
    """It is neither listed nor found."""
    kinesis.found = kinesis.listed = False
    reading = pages(kinesis)
    assert reading.read(START).over
    assert reading.is_closed()
    assert reading.oldest() is None


def test_an_end_is_what_list_shards_says(kinesis: Kinesis) -> None:
    """Of a shard it does not list: that it cannot be read either."""
    reading = pages(kinesis)
    assert not reading.is_closed()
    kinesis.closed = True
    assert reading.is_closed()
    kinesis.listed = False
    assert not reading.is_closed()


def test_the_oldest_record_may_lie_behind_empty_pages(kinesis: Kinesis) -> None:
    """Some; of a shard that holds none there is none."""
    kinesis.pages = [{}, {}, {"Records": [record(3)]}]
    assert pages(kinesis).oldest() == 3
    kinesis.pages = [{}] * 5
    assert pages(kinesis).oldest() is None


def test_another_stream_under_the_name_is_not_read(kinesis: Kinesis) -> None:
    """It is looked at behind each new iterator, which may be the other stream's already."""
    reading = pages(kinesis)
    kinesis.created = ARRIVED
    with pytest.raises(WrongStream, match=r"created at 1764147600.316, .* at 1764147529.316"):
        reading.read(START)


@pytest.mark.parametrize("status", ["gone", "DELETING"])
def test_a_stream_that_is_not_there_is_missing(kinesis: Kinesis, status: str) -> None:
    """Or about to go."""
    kinesis.status = status
    with pytest.raises(StreamMissing, match="a-stream is"):
        pages(kinesis)


def test_retention_is_asked_for_again(kinesis: Kinesis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may shorten it while we read."""
    reading = Stream(kinesis, "a-stream", 0)  # type: ignore[arg-type]
    kinesis.retention_h = 48
    assert reading.retention_ms() == 86_400_000
    monkeypatch.setattr(module, "_RETENTION_HELD_S", 0)
    assert reading.retention_ms() == 2 * 86_400_000
