"""A shard is read from where asked to its end, however Kinesis pages it, and at a pace that leaves the consumer its share."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched
from typing import Any

import pytest
from botocore.exceptions import ClientError

from replay.pace import PAGE_BYTES, pause_s
from replay.stream import StreamSource, look_at
from telemetry.log import Gap, Page, Position
from telemetry.streams import StreamPlace

NOW_S = 1_700_000_000
CALL_S = 0.25
DATE = {"HTTPHeaders": {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}}


type Arrivals = list[tuple[float, bytes]]


class Shard:
    """Kinesis with one shard: each page is a list of records (arrival in seconds, data) or the lag of an empty one."""

    def __init__(self, *pages: Arrivals | int, lag_ms: int = 0, closed: bool = False) -> None:
        self._pages, self._lag_ms, self._closed = list(pages), lag_ms, closed
        self.limits: list[int] = []
        self.asked_s: list[float] = []
        self.answered_s: list[float] = []
        self.sizes_bytes: list[int] = []
        self.starts: list[dict[str, Any]] = []
        self.fails: dict[int, str] = {}
        """Codes of errors, by the number of the call for a page that meets them."""
        self.created_s = NOW_S - 60
        self.oldest: int | None = None
        """The record that the stream still keeps, as who has read a page is told that asks from the beginning."""
        self.now_s = 0.0
        """A clock that sleeping, calls for pages and tests put on."""

    def list_shards(self, **_: Any) -> Any:
        numbers = {"StartingSequenceNumber": "0", **({"EndingSequenceNumber": "9"} if self._closed else {})}
        hashes = {"StartingHashKey": "0", "EndingHashKey": "1"}
        return {"Shards": [{"ShardId": "shard", "HashKeyRange": hashes, "SequenceNumberRange": numbers}]}

    def describe_stream_summary(self, **_: Any) -> Any:
        summary = {"StreamCreationTimestamp": datetime.fromtimestamp(self.created_s, UTC), "RetentionPeriodHours": 24}
        return {"StreamDescriptionSummary": summary, "ResponseMetadata": DATE}

    def get_shard_iterator(self, StreamName: str, ShardId: str, **start: Any) -> Any:  # noqa: N803  as boto3 names them
        assert ShardId == "shard"
        if self.sizes_bytes and start["ShardIteratorType"] == "TRIM_HORIZON" and not self.fails:
            return {"ShardIterator": "oldest"}
        self.starts.append(start)
        return {"ShardIterator": start.get("StartingSequenceNumber", "0"), "ResponseMetadata": DATE}

    def get_records(self, ShardIterator: str, Limit: int = 10_000) -> Any:  # noqa: N803  as boto3 names them
        self.limits.append(Limit)
        self.asked_s.append(self.now_s)
        self.now_s += CALL_S
        self.answered_s.append(self.now_s)
        self.sizes_bytes.append(0)
        if code := self.fails.get(len(self.limits)):
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "GetRecords")
        if ShardIterator == "oldest":
            kept = [] if self.oldest is None else [{"SequenceNumber": str(self.oldest), "Data": b""}]
            return {"Records": kept, "NextShardIterator": ShardIterator}
        at = int(ShardIterator)
        page = self._pages[0] if self._pages else []
        if isinstance(page, int):
            self._pages.pop(0)
            return {"Records": [], "NextShardIterator": ShardIterator, "MillisBehindLatest": page, "ResponseMetadata": DATE}
        found = page[:Limit]
        self._pages[:1] = [page[Limit:]] if page[Limit:] else []
        self.sizes_bytes[-1] = sum(len(data) for _, data in found)
        records = [
            {
                "SequenceNumber": str(at + number),
                "ApproximateArrivalTimestamp": datetime.fromtimestamp(arrived_s, UTC),
                "Data": data,
            }
            for number, (arrived_s, data) in enumerate(found)
        ]
        ended = self._closed and not self._pages
        return {
            "Records": records,
            "NextShardIterator": None if ended else str(at + len(found)),
            "MillisBehindLatest": self._lag_ms,
            "ResponseMetadata": DATE,
        }

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds

    def clock(self) -> float:
        return self.now_s


def source(shard: Any, from_ms: int | None = None) -> StreamSource:
    stretch = replace(look_at(shard, "stream"), from_ms=from_ms)
    return StreamSource(shard, "stream", stretch, clock=shard.clock, sleep=shard.sleep)


def pages(shard: Any, from_ms: int | None = None, after: Position | None = None) -> Iterator[Page]:
    reading = source(shard, from_ms)
    [only] = reading.shards()
    return reading.read(only, after)


def read(shard: Any, from_ms: int | None = None, after: Position | None = None) -> list[bytes]:
    return [record.data for page in pages(shard, from_ms, after) for record in page.records]


def pauses_are_kept(shard: Shard) -> bool:
    """Whether no page was asked for before the pause after the one before it."""
    before = zip(shard.answered_s, shard.sizes_bytes, shard.asked_s[1:], strict=False)
    return all(asked_s - answered_s >= pause_s(size) - 1e-6 for answered_s, size, asked_s in before)


def test_s04_a_lag_of_0_is_not_the_end() -> None:
    """Kinesis tells the lag from arrival times: after a call of many records, it reads 0 before the shard's end."""
    calls: list[Arrivals] = [[(NOW_S, b"%d" % number) for number in range(499)] for _ in range(21)]
    assert len(read(Shard([record for call in calls for record in call]))) == 10_479
    assert len(read(Shard(*calls))) == 10_479


def test_s04_an_empty_page_behind_the_tip_is_not_the_end() -> None:
    """Kinesis crosses stretches of the log without records page by page."""
    assert read(Shard([(NOW_S, b"1")], 5_000, 1, [(NOW_S, b"2")], 1_000, lag_ms=1_000, closed=True)) == [b"1", b"2"]


def test_s04_a_closed_shard_ends_without_another_page() -> None:
    """There is no next iterator."""
    shard = Shard([(NOW_S, b"1")], lag_ms=1_000, closed=True)
    assert read(shard) == [b"1"]
    assert len(shard.limits) == 1


def test_s04_writers_that_go_on_do_not_hold_a_reader() -> None:
    """What arrived after the reading began ends it, by the clock of Kinesis, whatever ours says."""
    endless: Arrivals = [(NOW_S + number, b"%d" % number) for number in range(100)]
    assert read(Shard(*batched_pages(endless, 2))) == [b"%d" % number for number in range(7)]


@pytest.mark.parametrize("record_bytes", [0, 30, 300, 5_000, 100_000, 1_048_576, 10 * 1024 * 1024])
def test_l07_a_page_is_within_the_share_of_a_second(record_bytes: int) -> None:
    """Or one record, the first one too, however large the records are; and the pause follows."""
    count = min(20_000, 20_000_000 // max(1, record_bytes))
    shard = Shard([(NOW_S, bytes(record_bytes))] * count)
    assert len(read(shard)) == count
    assert shard.limits[0] == 1
    assert all(size <= max(PAGE_BYTES, record_bytes) for size in shard.sizes_bytes)
    assert max(shard.limits) <= 1000
    assert len(shard.limits) <= 6 + count * record_bytes // (PAGE_BYTES // 2) + count // 1000, (
        "pages are no smaller than need be"
    )
    assert pauses_are_kept(shard)


def test_l07_records_that_grow_shrink_the_next_page() -> None:
    """And the pause is that of the bytes that came, whatever was expected."""
    shard = Shard([(NOW_S, b"small")] * 1_200, [(NOW_S, bytes(50_000))] * 100)
    assert len(read(shard)) == 1_300
    large = next(number for number, size in enumerate(shard.sizes_bytes) if size > PAGE_BYTES)
    assert shard.limits[large + 1] == 8
    assert pauses_are_kept(shard)


@pytest.mark.parametrize("code", ["ExpiredIteratorException", "ProvisionedThroughputExceededException"])
def test_l07_a_page_that_failed_is_not_asked_for_again_at_once(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither with a new iterator, after the last record that came, nor when the shard refused: nothing is lost or twice."""
    monkeypatch.setattr("telemetry.retry.time.sleep", lambda _: None)
    shard = Shard([(NOW_S, b"%d" % number + bytes(300_000)) for number in range(6)])
    shard.fails = {1: code, 3: code, 4: code}
    assert [int(data.rstrip(b"\0")) for data in read(shard)] == list(range(6))
    assert pauses_are_kept(shard)
    assert len(shard.starts) == (4 if code == "ExpiredIteratorException" else 1)


def test_l07_time_that_the_reader_takes_counts() -> None:
    """Who is slower than the pace is not held up."""
    shard = Shard([(NOW_S, b"%d" % number) for number in range(50)])
    for page in pages(shard):
        shard.now_s += len(page.records)
    assert shard.now_s == 50 + CALL_S * len(shard.limits)


def test_l07_reading_begins_where_the_first_chosen_reading_can_have_arrived() -> None:
    """Not at the oldest record, which is days of pages away; without a time, there."""
    shard = Shard([(NOW_S, b"1")])
    assert read(shard, 1_699_990_000_500) == [b"1"]
    begun = datetime(2023, 11, 14, 19, 26, 40, 500_000, UTC)
    assert shard.starts == [{"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": begun}]
    shard = Shard([(NOW_S, b"1")])
    assert read(shard) == [b"1"]
    assert shard.starts == [{"ShardIteratorType": "TRIM_HORIZON"}]


class Refusing(Shard):
    """Kinesis refuses where reading is to start."""

    def __init__(self, metadata: Any) -> None:
        super().__init__([(NOW_S, b"1")])
        self._metadata = metadata

    def get_shard_iterator(self, StreamName: str, ShardId: str, **start: Any) -> Any:  # noqa: N803  as boto3 names them
        code: Any = {"Error": {"Code": "InvalidArgumentException", "Message": ""}, "ResponseMetadata": self._metadata}
        raise ClientError(code, "GetShardIterator")


@pytest.mark.parametrize("metadata", [DATE, {}], ids=["told", "not told"])
def test_l07_a_time_that_has_yet_to_come_holds_nothing(metadata: Any) -> None:
    """Kinesis refuses it, and its own clock says why, if it tells."""
    assert read(Refusing(metadata), NOW_S * 1000 + 500) == []


def test_l07_another_refusal_is_told() -> None:
    """It is not taken for a shard without records."""
    with pytest.raises(ClientError):
        read(Refusing(DATE), NOW_S * 1000)
    with pytest.raises(ClientError):
        read(Refusing({}))


HOUR_S = 3600


def test_what_follows_a_position_is_read() -> None:
    """And nothing before it."""
    shard = Shard([(NOW_S, b"3")])
    assert read(shard, after=Position(2, NOW_S * 1000)) == [b"3"]
    assert shard.starts == [{"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "2"}]


def gaps(shard: Shard, from_ms: int | None = None, after: Position | None = None) -> list[Gap]:
    return [page.gap for page in pages(shard, from_ms, after) if page.gap]


def test_what_may_have_left_the_stream_is_a_gap() -> None:
    """A stream older than its retention less a tenth may have lost what arrived before; a younger one has not."""
    shard = Shard([(NOW_S - HOUR_S, b"1")])
    shard.created_s = NOW_S - 23 * HOUR_S
    [gap] = gaps(shard)
    assert gap == Gap("shard", (NOW_S - 23 * HOUR_S) * 1000, (NOW_S - HOUR_S) * 1000)
    shard = Shard([(NOW_S - HOUR_S, b"1")])
    shard.created_s = NOW_S - 21 * HOUR_S
    assert not gaps(shard)


def test_a_gap_before_what_is_asked_for_is_none() -> None:
    """Reading begins after what may be lost."""
    shard = Shard([(NOW_S - HOUR_S, b"1")])
    shard.created_s = 0
    assert not gaps(shard, (NOW_S - 21 * HOUR_S) * 1000)


@pytest.mark.parametrize(
    ("age_h", "oldest", "lost"), [(1, None, False), (23, None, True), (23, 3, True), (23, 2, False), (23, 1, False)]
)
def test_a_position_that_may_have_left_the_stream_is_a_gap(age_h: int, oldest: int | None, lost: bool) -> None:
    """Whoever goes on after it may have missed what followed it, unless the stream still keeps it: that is asked for, paced."""
    shard = Shard([(NOW_S, b"1")])
    shard.created_s = 0
    shard.oldest = oldest
    arrived_ms = (NOW_S - age_h * HOUR_S) * 1000
    assert gaps(shard, after=Position(2, arrived_ms)) == ([Gap("shard", arrived_ms, NOW_S * 1000)] if lost else [])
    assert pauses_are_kept(shard)


def test_a_shard_of_which_nothing_is_left_has_a_gap_too() -> None:
    """Up to now."""
    shard = Shard()
    shard.created_s = 0
    [gap] = gaps(shard)
    assert gap == Gap("shard", 0, NOW_S * 1000)


def test_an_idle_stretch_is_no_gap() -> None:
    """An empty page tells how far Kinesis went, and that nothing lay there."""
    shard = Shard(18 * HOUR_S * 1000, [(NOW_S, b"1")])
    shard.created_s = NOW_S - 20 * HOUR_S
    assert not gaps(shard)


def batched_pages(records: Arrivals, size: int) -> Iterator[Arrivals]:
    return (list(page) for page in batched(records, size, strict=False))


def test_shards_are_called_as_in_the_log() -> None:
    """And asked for by Kinesis's id, which repeats from stream to stream."""
    shard: Any = Shard([(NOW_S, b"1")], closed=True)
    second = StreamSource(shard, "stream", look_at(shard, "stream"), place=StreamPlace(2), clock=shard.clock, sleep=shard.sleep)
    [only] = second.shards()
    assert [page.shard_id for page in second.read(only, None)] == ["2/shard"]
