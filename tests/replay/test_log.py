"""The log is read to its end, however Kinesis pages it, and at a pace that leaves the consumer its share."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import batched
from typing import Any

import pytest

from replay.log import read_log

NOW_S = 1_700_000_000


type Page = list[tuple[float, bytes]]


class Shard:
    """Kinesis with one shard: each page is a list of records (arrival in seconds, data) or the lag of an empty one."""

    def __init__(self, *pages: Page | int, lag_ms: int = 0, closed: bool = False) -> None:
        self._pages, self._lag_ms, self._closed = list(pages), lag_ms, closed
        self.limits: list[int] = []
        self.sizes_bytes: list[int] = []

    def list_shards(self, **_: Any) -> Any:
        numbers = {"StartingSequenceNumber": "0", **({"EndingSequenceNumber": "9"} if self._closed else {})}
        hashes = {"StartingHashKey": "0", "EndingHashKey": "1"}
        return {"Shards": [{"ShardId": "shard", "HashKeyRange": hashes, "SequenceNumberRange": numbers}]}

    def get_shard_iterator(self, **_: Any) -> Any:
        return {"ShardIterator": "0", "ResponseMetadata": {"HTTPHeaders": {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}}}

    def get_records(self, ShardIterator: str, Limit: int = 10_000) -> Any:  # noqa: N803  as boto3 names them
        self.limits.append(Limit)
        at = int(ShardIterator)
        page = self._pages[0] if self._pages else []
        if isinstance(page, int):
            self._pages.pop(0)
            return {"Records": [], "NextShardIterator": ShardIterator, "MillisBehindLatest": page}
        found = page[:Limit]
        self._pages[:1] = [page[Limit:]] if page[Limit:] else []
        self.sizes_bytes.append(sum(len(data) for _, data in found))
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
        }


@pytest.fixture(autouse=True)
def waits_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for; nothing waits."""
    waits: list[float] = []
    monkeypatch.setattr("replay.log.time.sleep", waits.append)
    return waits


def read(shard: Any) -> list[bytes]:
    return [record.data for record in read_log(shard, "stream")]


def test_s04_a_lag_of_0_is_not_the_end() -> None:
    """Kinesis tells the lag from arrival times: after a call of many records, it reads 0 before the shard's end."""
    calls: list[Page] = [[(NOW_S, b"%d" % number) for number in range(499)] for _ in range(21)]
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
    endless: Page = [(NOW_S + number, b"%d" % number) for number in range(100)]
    assert read(Shard(*batched_pages(endless, 2))) == [b"%d" % number for number in range(7)]


@pytest.mark.parametrize("record_bytes", [30, 300, 5_000, 100_000, 1_048_576])
def test_s04_pages_are_about_a_megabyte_a_second(record_bytes: int, waits_s: list[float]) -> None:
    """Once it is known how large the records are; so the consumer keeps its four reads, and a shard's other megabyte."""
    count = min(30_000, 20_000_000 // record_bytes)
    shard = Shard([(NOW_S, bytes(record_bytes))] * count)
    assert len(read(shard)) == count
    assert max(shard.limits) <= 2_000
    assert shard.limits[0] * min(record_bytes, 10_000) <= 1_000_000
    assert all(size <= max(1_000_000, record_bytes) for size in shard.sizes_bytes[1:])
    assert len(shard.limits) <= 3 + count * record_bytes // 500_000 + count // 1_000
    assert len(waits_s) == len(shard.limits) - 1
    assert sum(waits_s) > 0.5 * len(waits_s)


def batched_pages(records: Page, size: int) -> Iterator[Page]:
    return (list(page) for page in batched(records, size, strict=False))
