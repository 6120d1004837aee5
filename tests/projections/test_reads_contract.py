"""One contract for the reads of stores in memory and the reads of DynamoDB, and what only real tables can show."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any
from unittest import mock

import pytest

from benchmarks.item_sizes import size_bytes
from projections.dynamodb import AwsStores
from projections.dynamodb_reads import AwsReads, LiveFleet
from projections.effects import Sighting, Stores
from projections.fold import Stats
from projections.generations import LiveNames, LogStream, Pointer
from projections.items import pack_item
from projections.memory import MemoryStores
from projections.memory_reads import MemoryReads
from projections.packs import READINGS_MAX, Pack, Place, bounds, pack_of
from projections.queries import fleet_stats
from projections.reads import Listing, Reads, Silence
from projections.rows import (
    DIRECTORY_SCOPES,
    FLEET,
    PROGRESS,
    TOTAL,
    Mark,
    Progress,
    Row,
    RowKey,
    directory_scope,
    sensor_scope,
    sensor_total,
)
from projections.sheets import Cell
from telemetry.aws import dynamodb_client
from telemetry.errors import StoreUnavailable
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from tests.projections.logs import reading
from tests.support.stack import Stack

BIG = 10**55
"""Sequence numbers have 56 digits."""


@dataclass
class Subject:
    """Reads under the contract, and stores to fill what they read."""

    reads: Reads
    stores: Stores


@pytest.fixture(params=["memory", "aws"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """In memory, or on the module's stack, which the tests share."""
    if request.param == "memory":
        stores = MemoryStores()
        yield Subject(MemoryReads(stores), stores)
    else:
        stack: Stack = request.getfixturevalue("stack")
        dynamodb = dynamodb_client(stack.settings)
        there = AwsStores(dynamodb, stack.kinesis, stack.names, patience_s=60)
        with ThreadPoolExecutor(4) as threads:
            yield Subject(AwsReads(dynamodb, stack.names, threads=threads), there)
        there.close()
        dynamodb.close()


@pytest.fixture
def name() -> str:
    """What the names of one test begin with, with characters that need care."""
    return f"{uuid.uuid4().hex[:12]}#ü 🌡"


@pytest.fixture
def moment() -> int:
    """Seconds from which on one test's sensors were seen."""
    return 10**12 + uuid.uuid4().int % 10**12 * 1_000


def put(subject: Subject, shard_id: str, *keys: RowKey) -> dict[tuple[str, RowKey], Row]:
    """Write a row of each key. On a busy machine an answer may be lost, and the row be refused when it is written again."""
    rows = [Row(key, BIG, replace(Stats(7, 8, 9), latest=reading(key.scope)), 5) for key in keys]
    subject.stores.store_rows(shard_id, [(row, Row(row.key)) for row in rows])
    return {(shard_id, row.key): row for row in rows}


class TestRows:
    def test_rows_of_many_shards_and_scopes_are_found_by_key(self, subject: Subject, name: str) -> None:
        """More than a request takes; what does not exist is left out."""
        keys = [RowKey(f"{name}{number}", "hour#1") for number in range(51)]
        rows = put(subject, "a", *keys) | put(subject, "b", *keys)
        assert subject.reads.rows([*rows, ("c", keys[0]), ("a", RowKey(name, TOTAL))]) == rows
        assert subject.reads.rows([]) == {}

    def test_rows_are_found_by_window_in_order(self, subject: Subject, name: str) -> None:
        """Both ends included, other kinds and scopes left out, of every shard."""
        hours = [RowKey(name, f"hour#2026-11-{day}T{hour}") for day in (23, 24) for hour in ("00", "09", "10", "23")]
        rows = put(subject, "b", *hours) | put(subject, "a", *hours)
        put(subject, "a", RowKey(name, "day#2026-11-23"), RowKey(name, TOTAL), RowKey(name, "minute#2026-11-23T10:00"))
        put(subject, "a", RowKey(f"{name}!", hours[3].window))
        wanted = [(shard_id, rows[shard_id, key]) for key in hours[2:6] for shard_id in ("a", "b")]
        assert subject.reads.rows_between(name, hours[2].window, hours[5].window) == wanted
        assert subject.reads.rows_between(name, hours[2].window, hours[5].window, 3) == wanted[:3]
        assert subject.reads.rows_between(name, hours[2].window, hours[5].window, 8) == wanted
        assert subject.reads.rows_between(name, "hour#2026-11-23T11", "hour#2026-11-23T22") == []
        assert [row.key.window for _, row in subject.reads.rows_between(name, TOTAL, TOTAL)] == [TOTAL]

    def test_rows_on_more_than_a_page_are_found(self, subject: Subject, name: str) -> None:
        """A query's page ends at 1 MB."""
        full = (Cell(10**9, -(10**15), 10**25, -(10**8), 10**8),) * 96
        rows = [Row(RowKey(name, f"sheet#{number}"), BIG, sheet=full) for number in range(10_000, 10_450)]
        subject.stores.store_rows("a", [(row, Row(row.key)) for row in rows])
        found = subject.reads.rows_between(name, "sheet#10000", "sheet#99999")
        assert found == [("a", row) for row in rows]
        assert subject.reads.rows_between(name, "sheet#10000", "sheet#99999", 449) == found[:449]

    def test_a_progress_row_says_all_it_said(self, subject: Subject, name: str) -> None:
        """Marks, end and hash keys: readers live on them."""
        progress = Progress(Mark(BIG - 1, 4), Mark(BIG - 2, 3), hash_range=(0, HASH_KEY_MAX))
        row = Row(PROGRESS, BIG, Stats(1), 5, progress=progress)
        shard_id = name[:12]
        subject.stores.store_rows(shard_id, [(row, Row(PROGRESS))])
        found = subject.reads.rows([(shard_id, PROGRESS)])[shard_id, PROGRESS]
        assert (found, found.progress.hash_range) == (row, (0, HASH_KEY_MAX))


class TestPacks:
    def test_packs_are_found_by_bucket(self, subject: Subject, name: str) -> None:
        """Both ends included; of every shard, in the order of time; those of other sensors left out."""
        packs = [
            a_pack(shard_id, [reading(name, 600 * number), reading(name, 600 * number + 1, celsius=-0.5)])
            for number in range(10)
            for shard_id in ("a", "b")
        ]
        subject.stores.store_packs([*packs, a_pack("a", [reading(f"{name}!", 1800)])])
        times = [pack.bucket.time for pack in packs]
        found = subject.reads.packs_between(name, times[4], times[9], 100)
        assert sorted(found, key=bounds) == sorted(packs[4:10], key=bounds)
        assert [pack.bucket.time for pack in found] == times[4:10]
        assert subject.reads.packs_between(name, times[0], times[0], 4) == packs[:2]

    def test_reading_ends_soon_after_there_are_too_many(self, subject: Subject, name: str) -> None:
        """With more than was asked for, so that it shows."""
        packs = [a_pack("a", [reading(name, 600 * number), reading(name, 600 * number + 1)]) for number in range(10)]
        subject.stores.store_packs(packs)
        assert subject.reads.packs_between(name, packs[0].bucket.time, packs[9].bucket.time, 5) == packs[:3]

    def test_packs_on_more_than_a_page_are_found(self, subject: Subject, name: str) -> None:
        """A query's page ends at 1 MB."""
        full = [reading(name, number / 10_000, celsius=number) for number in range(READINGS_MAX)]
        packs = [a_pack("a", full, BIG + 10 * number) for number in range(20)]
        subject.stores.store_packs(packs)
        time = packs[0].bucket.time
        assert len(subject.reads.packs_between(name, time, time, 10**6)) == 20


class TestDirectory:
    def test_sensors_are_found_by_id(self, subject: Subject, name: str) -> None:
        """From any key on, of a sensor or not; by prefix; and whether there are more."""
        ids = sorted(f"{name}{end}" for end in ("", "a", "aa", "ab", "b", "🌡", "ü", "#") for _ in range(1))
        subject.stores.sight("a", [Sighting(one, 7_000, new=True) for one in ids])
        subject.stores.sight("b", [Sighting(ids[0], 8_000, new=True)])
        for scope in {directory_scope(one) for one in ids}:
            here = [one for one in ids if directory_scope(one) == scope]
            for prefix in (name, f"{name}a"):
                for after in ("", name[:3], name, f"{name}a", f"{name}aaa", f"{name}🌡🌡"):
                    left = [one for one in here if one.startswith(prefix) and one > after]
                    for limit in (1, 2, 20):
                        page = subject.reads.sensors(scope, after, prefix, limit)
                        assert [one.sensor_id for one in page.items] == left[:limit]
                        assert page.more or len(left) <= limit
        assert subject.reads.listings([*ids[:2], f"{name}!"]) == {
            ids[0]: Listing(ids[0], 8_000, frozenset("ab")),
            ids[1]: Listing(ids[1], 7_000, frozenset("a")),
        }
        assert Listing(ids[0], 8_000, frozenset("ab")) in subject.reads.sensors(directory_scope(ids[0]), "", name, 20).items

    def test_without_a_prefix_any_sensor_is_found(self, subject: Subject, name: str) -> None:
        """After a key of its own part of the directory."""
        subject.stores.sight("a", [Sighting(name, 7_000, new=True)])
        page = subject.reads.sensors(directory_scope(name), name[:-1], "", 1)
        assert [one.sensor_id for one in page.items] == [name]

    def test_sensors_are_found_by_silence(self, subject: Subject, name: str, moment: int) -> None:
        """Longest first, those of one moment by id, never some of them without the others; what comes after any of them."""
        scope = directory_scope(name)
        ids = [one for one in (f"{name}{number}" for number in range(2_000)) if directory_scope(one) == scope][:9]
        assert len(ids) == 9
        ordered = sorted(Silence(moment + number // 3, one) for number, one in enumerate(ids))
        subject.stores.sight("a", [Sighting(one, 7_000, new=True) for one in ids])
        subject.stores.sight("a", [Sighting(sensor_id, seen_s, new=False) for seen_s, sensor_id in reversed(ordered)])
        after = Silence(moment, "")
        for number in range(10):
            for limit in (1, 2, 4, 20):
                found, more = subject.reads.silent(scope, after, limit)
                mine = [one for one in found if one.sensor_id.startswith(name)]
                assert mine == ordered[number:][: len(mine)]
                assert bool(mine) is (number < 9)
                assert not mine or mine[-1] == ordered[-1] or (more and mine[-1].seen_s < ordered[number + len(mine)].seen_s)
            after = ordered[min(number, 8)]

    def test_rows_of_sensors_are_not_in_the_directory(self, subject: Subject, name: str, moment: int) -> None:
        """Though they say as well when the sensor was last seen."""
        scope = sensor_scope(name)
        row = Row(sensor_total(name), BIG, Stats(1))
        row = replace(row, sensor=replace(row.sensor, seen_s=moment))
        subject.stores.store_rows("a", [(row, Row(row.key))])
        assert subject.reads.silent(scope, None, 10) == ([], False)
        assert subject.reads.listings([name]) == {}


class TestAtOnce:
    def test_answers_come_in_the_order_of_the_questions(self, subject: Subject, name: str) -> None:
        """Each as if it had been asked alone, however many there are."""
        rows = put(subject, "a", *(RowKey(f"{name}{number}", TOTAL) for number in range(40)))
        questions = [methodcaller("rows_between", key.scope, TOTAL, TOTAL) for _, key in rows]
        assert subject.reads.at_once(questions) == [[("a", row)] for row in rows.values()]
        assert subject.reads.at_once([]) == []

    def test_one_that_fails_fails_them_all(self, subject: Subject, name: str) -> None:
        """Nothing is told in its place."""
        asked = methodcaller("rows_between", name, TOTAL, TOTAL)

        def fails(_: Reads) -> object:
            raise StoreUnavailable("away")

        questions: list[Callable[[Reads], object]] = [asked, fails, asked]
        with pytest.raises(StoreUnavailable):
            subject.reads.at_once(questions)


def a_pack(shard: str, readings: list[Reading], begin: int = BIG) -> Pack:
    """A pack of readings of one bucket."""
    return pack_of(shard, Place(begin, 0), Place(begin + 9, len(readings)), readings)


# --- DynamoDB alone ---


def test_h16_keys_left_unprocessed_are_asked_for_again(stack: Stack) -> None:
    """They are not absent; and when patience ends, nothing is told in their place."""
    answers: list[Any] = [
        {"Responses": {}, "UnprocessedKeys": {stack.names.stats: {"Keys": []}}, "ConsumedCapacity": []},
        {"Responses": {stack.names.stats: []}, "UnprocessedKeys": {}, "ConsumedCapacity": []},
    ]
    dynamodb = mock.Mock(batch_get_item=mock.Mock(side_effect=answers))
    assert AwsReads(dynamodb, stack.names).rows([("a", PROGRESS)]) == {}
    assert dynamodb.batch_get_item.call_args_list[1].kwargs["RequestItems"] == answers[0]["UnprocessedKeys"]
    dynamodb = mock.Mock(batch_get_item=mock.Mock(return_value=answers[0]))
    with pytest.raises(StoreUnavailable):
        AwsReads(dynamodb, stack.names, patience_s=0).rows([("a", PROGRESS)])


@pytest.mark.parametrize(("a_pack_holds", "most", "drawn"), [(1, 600, [100, 501]), (30, 600, [100]), (2, 601, [100, 201])])
def test_no_more_packs_are_drawn_than_it_takes(stack: Stack, a_pack_holds: int, most: int, drawn: list[int]) -> None:
    """A query is paid for by what it draws, whatever is made of it: how many readings a pack holds shows on the first page."""
    packs = [
        a_pack("a", [reading("a", 600 * number + second, celsius=second) for second in range(a_pack_holds)])
        for number in range(700)
    ]
    limits: list[int] = []

    def query(Limit: int, ExclusiveStartKey: int = 0, **_: Any) -> dict[str, Any]:  # noqa: N803  as boto3 has them
        limits.append(Limit)
        end = ExclusiveStartKey + Limit
        items = [pack_item(pack) for pack in packs[ExclusiveStartKey:end]]
        return {"Items": items, "LastEvaluatedKey": end, "ConsumedCapacity": {"CapacityUnits": 1}}

    found = AwsReads(mock.Mock(query=query), stack.names).packs_between("a", "1", "2", most)
    assert found == packs[: most // a_pack_holds + 1]
    assert limits == drawn


def test_every_question_but_the_one_by_silence_is_strongly_consistent(stack: Stack) -> None:
    """DynamoDB's queries are not unless they say so."""
    dynamodb = mock.Mock(query=mock.Mock(return_value={"Items": [], "ConsumedCapacity": {"CapacityUnits": 1.0}}))
    dynamodb.batch_get_item.return_value = {"Responses": {}, "ConsumedCapacity": []}
    reads = AwsReads(dynamodb, stack.names)
    reads.rows_between(FLEET, TOTAL, TOTAL)
    reads.packs_between("a", "1", "2", 3)
    reads.sensors("directory#0", "", "", 1)
    reads.silent("directory#0", None, 1)
    reads.rows([("a", PROGRESS)])
    reads.listings(["a"])
    assert [call.kwargs["ConsistentRead"] for call in dynamodb.query.call_args_list] == [True, True, True, False]
    asked = [call.kwargs["RequestItems"][stack.names.stats] for call in dynamodb.batch_get_item.call_args_list]
    assert [request["ConsistentRead"] for request in asked] == [True, True]


def test_what_is_asked_at_once_is_under_way_together_and_counted(stack: Stack) -> None:
    """Nothing waits for another's answer; with the threads that there are, and one after the other without any."""
    together = threading.Barrier(4)

    def query(**_: Any) -> dict[str, Any]:
        together.wait(10)
        return {"Items": [], "ConsumedCapacity": {"CapacityUnits": 0.5}}

    questions = [methodcaller("sensors", scope, "", "", 1) for scope in DIRECTORY_SCOPES]
    with ThreadPoolExecutor(4) as threads:
        reads = AwsReads(mock.Mock(query=query), stack.names, threads=threads)
        assert reads.at_once(questions) == [([], False)] * 16
        assert (reads.calls, reads.units) == (16, 8)
    together = threading.Barrier(1)
    reads = AwsReads(mock.Mock(query=query), stack.names)
    assert reads.at_once(questions) == [([], False)] * 16
    assert (reads.calls, reads.units) == (16, 8)


def test_calls_and_read_units_are_counted(stack: Stack) -> None:
    """A strongly consistent query takes one for each 4 KiB begun of its items together; what is got by key, of each."""
    dynamodb, name = dynamodb_client(stack.settings), uuid.uuid4().hex
    stores, reads = AwsStores(dynamodb, stack.kinesis, stack.names, patience_s=60), AwsReads(dynamodb, stack.names)
    for bucket in range(3):
        stores.store_packs([a_pack("a", [reading(name, bucket * 3600 + second) for second in range(READINGS_MAX)])])
    assert len(reads.packs_between(name, "0", "9", 10_000)) == 3
    items = dynamodb.query(
        TableName=stack.names.readings,
        KeyConditionExpression="sensor_id = :sensor",
        ExpressionAttributeValues={":sensor": {"S": name}},
    )["Items"]
    sizes = [size_bytes(item) for item in items]
    assert (reads.calls, reads.units) == (1, -(-sum(sizes) // 4096))
    for shard_id in "ab":
        stores.store_rows(shard_id, [(Row(sensor_total(name), BIG), Row(sensor_total(name)))])
    before = reads.units
    assert len(reads.rows([(shard_id, sensor_total(name)) for shard_id in "ab"])) == 2
    assert (reads.calls, reads.units - before) == (2, 2)
    stores.close()


def test_what_is_final_in_one_generation_or_stream_is_forgotten_in_the_next(stack: Stack) -> None:
    """The fleet of the live generation: as all rows say, without reading final ones again, until the pointer moves."""
    stores = AwsStores(stack.dynamodb, stack.kinesis, stack.names, patience_s=10)
    rows = [
        ("old", Row(PROGRESS, BIG, Stats(5), progress=Progress(ended=True, hash_range=(0, HASH_KEY_MAX)))),
        ("new", Row(PROGRESS, BIG, Stats(2), progress=Progress(hash_range=(0, HASH_KEY_MAX)))),
    ]
    for shard_id, row in rows:
        stores.store_rows(shard_id, [(row, Row(PROGRESS))])
    live = LiveNames(stack.dynamodb, stack.names)
    fleet = LiveFleet(stack.dynamodb, live)
    whole = fleet.read()
    assert whole.fleet.stats == fleet_stats(stack.dynamodb, stack.names).stats
    stack.dynamodb.delete_item(TableName=stack.names.stats, Key={"scope": {"S": FLEET}, "window": {"S": "total#old"}})
    assert fleet.read().fleet.stats.count == whole.fleet.stats.count
    with mock.patch.object(live, "pointer", return_value=Pointer(1, (LogStream("", "0.000"),))):
        assert fleet.read().fleet.stats.count == whole.fleet.stats.count - 5
    stores.close()
