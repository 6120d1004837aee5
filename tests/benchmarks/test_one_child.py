"""One shard's child without a network: canned answers are DynamoDB's, logs are what they say, and what is told adds up."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any, get_args

import pytest

from benchmarks import child_log
from benchmarks.canned import PAGE_BYTES, CannedDynamoDB
from benchmarks.child import DELIVERIES_A_SECOND, Child, opened
from benchmarks.child_log import Kind, Log, arrivals, deliveries
from benchmarks.fleet import NOON_S
from benchmarks.steady import Sample, taken
from projections.dynamodb import AwsStores
from projections.effects import Sighting
from projections.items import position_value, row_key
from projections.packs import Place, pack_of
from projections.rows import PROGRESS, TOTAL, Row, RowKey, Sensor, row_keys, sensor_total
from telemetry import aws
from telemetry.aws import dynamodb_client
from tests.projections.logs import reading
from tests.support.stack import Stack

SHARD_ID = "shardId-000000000001"
PACK = "sensor_id = :sensor AND "
QUERIES: dict[str, dict[str, Any]] = {
    "all": {"KeyConditionExpression": "sensor_id = :sensor"},
    "prefix": {"KeyConditionExpression": PACK + "begins_with(pack, :first)"},
    "prefix with an alias": {
        "KeyConditionExpression": PACK + "begins_with ( #range , :first )",
        "ExpressionAttributeNames": {"#range": "pack"},
    },
    "between": {"KeyConditionExpression": PACK + "pack BETWEEN :first AND :last"},
    **{sign: {"KeyConditionExpression": f"{PACK}pack {sign} :first"} for sign in ("<", "<=", ">", ">=")},
    "range first": {"KeyConditionExpression": "pack >= :first AND sensor_id = :sensor"},
    "last": {"KeyConditionExpression": "sensor_id = :sensor", "ScanIndexForward": False, "Limit": 1},
    "two of the earlier, backwards": {"KeyConditionExpression": PACK + "pack < :last", "ScanIndexForward": False, "Limit": 2},
    "some attributes": {
        "KeyConditionExpression": "sensor_id = :sensor",
        "ProjectionExpression": "#range, sensor_id",
        "ExpressionAttributeNames": {"#range": "pack"},
    },
}


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clients of other tests are not to be answered from a file."""
    aws.session.cache_clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield
    aws.session.cache_clear()


@pytest.fixture
def canned(stack: Stack, tmp_path: Path) -> Iterator[Any]:
    """A client whose calls are answered from a file."""
    keys = {stack.names.readings: ("sensor_id", "pack"), stack.names.stats: ("scope", "window")}
    table = CannedDynamoDB(tmp_path / "table.db", keys)
    table.answer_clients()
    yield dynamodb_client(stack.settings)
    table.close()


def write(client: Any, stack: Stack) -> AwsStores:
    """Packs of two sensors in three buckets, rows made, one changed and then a part of it, sensors met and seen again."""
    stores = AwsStores(client, stack.kinesis, stack.names, 5)
    told = [reading(f"s-{n % 2}", 700 * (n // 2), n) for n in range(6)]
    stores.store_packs([pack_of(SHARD_ID, Place(10**55 + n, n), Place(10**55 + n, n), [one]) for n, one in enumerate(told)])
    total, hour = (RowKey("sensor#s-0", window) for window in (TOTAL, "hour#2026-11-23T10"))
    first, second = (Row(total, 10**55 + n, sensor=Sensor(seen_s=3600 * n)) for n in (1, 2))
    stores.store_rows(SHARD_ID, [(first, Row(total)), (Row(hour, 10**55), Row(hour)), (Row(PROGRESS, 1), Row(PROGRESS))])
    stores.store_rows(SHARD_ID, [(second, first)])
    stores.sight(SHARD_ID, [Sighting("s-0", 3600, new=True), Sighting("s-1", 3600, new=True)])
    stores.sight(SHARD_ID, [Sighting("s-0", 7200, new=False)])
    text = f'UPDATE "{stack.names.stats}" SET "as_of" = ? WHERE "scope" = ? AND "window" = ? AND "position" = ?'  # noqa: S608
    key = row_key(SHARD_ID, total)
    values = [{"N": "7"}, key["scope"], key["window"], position_value(second.position)]
    client.batch_execute_statement(Statements=[{"Statement": text, "Parameters": values}])
    return stores


def test_canned_answers_are_dynamodbs(stack: Stack, canned: Any) -> None:
    """Whatever is written and asked: the same items, and the same place to go on at."""
    ours, theirs = write(canned, stack), write(stack.dynamodb, stack)
    keys = [PROGRESS, RowKey("sensor#s-0", TOTAL), RowKey("sensor#s-0", "hour#2026-11-23T10"), RowKey("sensor#s-1", TOTAL)]
    assert ours.load_rows(SHARD_ID, keys) == theirs.load_rows(SHARD_ID, keys)
    assert len(ours.load_rows(SHARD_ID, keys)) == 3
    totals = [sensor_total(f"s-{n}") for n in range(3)]
    asked = [*totals, *(row_keys(one)[-1] for one in (reading("s-0", 0), reading("s-0", 7200)))]
    assert ours.find_newest(asked, besides="another") == theirs.find_newest(asked, besides="another")
    assert len(ours.find_newest(asked, besides="another")) == 3
    assert not ours.find_newest(asked, besides=SHARD_ID)
    items = stack.dynamodb.query(
        TableName=stack.names.readings,
        KeyConditionExpression="sensor_id = :sensor",
        ExpressionAttributeValues={":sensor": {"S": "s-0"}},
    )["Items"]
    middle, last = (item["pack"]["S"] for item in items[1:])
    values = {":sensor": {"S": "s-0"}, ":first": {"S": middle.partition("#")[0]}, ":last": {"S": last}}
    for name, query in QUERIES.items():
        used = {value: text for value, text in values.items() if value in query["KeyConditionExpression"]}
        request: Any = {"TableName": stack.names.readings, "ConsistentRead": True, "ExpressionAttributeValues": used, **query}
        places: tuple[Any, ...] = ({}, {"ExclusiveStartKey": {name: items[1][name] for name in ("sensor_id", "pack")}})
        for place in places:
            if place and name not in ("all", "last"):
                continue  # it may lie outside of what is asked for, which DynamoDB refuses
            mine, others = (client.query(**request, **place) for client in (canned, stack.dynamodb))
            assert [mine.get(part) for part in ("Items", "Count", "LastEvaluatedKey")] == [
                others.get(part) for part in ("Items", "Count", "LastEvaluatedKey")
            ], name
    for table, *key in ((stack.names.readings, "sensor_id", "pack"), (stack.names.stats, "scope", "window")):
        mine, others = (
            {tuple(item[name]["S"] for name in key): item for page in pages for item in page["Items"]}
            for pages in (client.get_paginator("scan").paginate(TableName=table) for client in (canned, stack.dynamodb))
        )
        assert mine == others
        assert canned.describe_table(TableName=table)["Table"]["ItemCount"] == len(others)
    ours.close()
    theirs.close()


def test_a_large_answer_comes_in_pages(stack: Stack, canned: Any) -> None:
    """Each ends with the item that fills it, and the next begins after that."""
    for number in range(5):
        item = {"sensor_id": {"S": "large"}, "pack": {"S": str(number)}, "readings": {"S": "x" * (PAGE_BYTES // 2)}}
        canned.put_item(TableName=stack.names.readings, Item=item)
    pages = canned.get_paginator("query").paginate(
        TableName=stack.names.readings,
        KeyConditionExpression="sensor_id = :sensor",
        ExpressionAttributeValues={":sensor": {"S": "large"}},
    )
    scanned = canned.get_paginator("scan").paginate(TableName=stack.names.readings)
    for answer in (pages, scanned):
        assert [[item["pack"]["S"] for item in page["Items"]] for page in answer] == [["0", "1"], ["2", "3"], ["4"]]


def test_nothing_else_is_reached(stack: Stack, canned: Any) -> None:
    """A service or a question that nobody foresaw is refused, not sent."""
    with pytest.raises(AssertionError):
        aws.session().client("kinesis", endpoint_url=stack.settings.aws_endpoint_url, region_name="eu-west-1").list_streams()
    with pytest.raises(KeyError):
        canned.list_tables()


@pytest.mark.parametrize("kind", get_args(Kind.__value__))
def test_a_log_is_what_it_says(kind: Kind) -> None:
    """As many readings as were asked for, in the order in which they come, two decimals each; most in time."""
    log = Log(50, 100, 3600, 60, kind)
    found = list(arrivals(log))
    assert [one.at_us for one in found] == sorted(one.at_us for one in found)
    assert all(one.reading.temperature_micro % 10_000 == 0 for one in found)
    late_s = [(one.at_us - one.reading.measured_at_us) / 1e6 for one in found]
    repeated, readings = Counter(one.repeated for one in found), Counter(one.reading for one in found)
    assert (len(readings) == len(found)) == (kind != "repeated" or not repeated[True])
    assert len(found) == {"burst": 50, "disordered": len(found)}.get(kind, 6000)
    match kind:
        case "clean" | "burst":
            assert all(0 <= seconds < 0.001 for seconds in late_s)
            assert len({one.reading.sensor_id for one in found}) == 50
        case "ahead":
            assert all(-86_400 < seconds <= -60 for seconds in late_s[:50])
            assert all(0 <= seconds < 0.001 for seconds in late_s[50:])
        case "late":
            assert 550 < sum(seconds >= 1 for seconds in late_s) < 650
            assert 3000 < max(late_s) < 3600
            assert all(0 <= seconds < 0.001 for seconds in late_s if seconds < 1)
        case "repeated":
            assert 550 < repeated[True] < 650
            assert all(one.repeated == (seconds > 0.001) for one, seconds in zip(found, late_s, strict=True))
        case "disordered":
            assert 5800 < len(found) < 6000
            assert all(0 <= seconds < 1.001 for seconds in late_s)
            times = [one.reading.measured_at_us for one in found]
            assert times != sorted(times)


def test_a_repeat_repeats_what_was_sent() -> None:
    """In this log or in the clean one of the hour before it."""
    before = Log(20, 20, 0, 3600)
    sent = {one.reading for one in arrivals(before)}
    for one in arrivals(Log(20, 20, 3600, 400, "repeated")):
        assert (one.reading in sent) == one.repeated
        sent.add(one.reading)


def test_deliveries_bring_all_that_has_come() -> None:
    """At each third of a second, in records that arrived before it."""
    log = Log(10, 1000, 0, 10)
    found = list(deliveries(log))
    assert [one.at_s for one in found] == [pytest.approx(NOON_S + (n + 1) / DELIVERIES_A_SECOND) for n in range(30)]
    assert sum(one.readings for one in found) == 10_000
    assert all(at_ms <= one.at_s * 1000 for one in found for _, at_ms in one.records)
    silent = list(deliveries(replace(log, kind="burst")))
    assert [one.readings for one in silent] == [10] + [0] * 29


def test_a_child_counts_each_reading_and_knows_each_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late ones and repeats of what was flushed are looked up; a run in which one was miscounted is no measurement."""
    monkeypatch.setattr(child_log, "LATE_S_MAX", 60)
    child, table = Child(), tmp_path / "table.db"
    kinds: tuple[Kind, ...] = ("clean", "repeated", "late")
    for number, kind in enumerate(kinds):
        with opened(table) as (stores, canned):
            flushed = [child.project(one, stores) for one in deliveries(Log(3, 6, 60 * number, 60, kind))]
            child.check(stores)
            child.forget()
            assert 6 <= sum(flushed) <= 8
            assert (canned.calls["Query"] > 0) == (kind != "clean")
    with opened(table) as (stores, _):
        for one in list(deliveries(Log(3, 6, 180, 1))) * 2:
            child.project(one, stores)
        with pytest.raises(AssertionError):
            child.check(stores)


@pytest.mark.parametrize("abreast", [1, 2])
def test_what_is_told_adds_up(tmp_path: Path, abreast: int) -> None:
    """Whole periods of 8 s, never the first; each log from where the one before all left the child; no file stays."""
    log = Log(3, 3, 60, 60)
    samples = [Sample(log, 16), Sample(log, 16, restarted=True), Sample(replace(log, seconds=5), 0)]
    for told in taken(tmp_path, samples[:2], Log(3, 3, 0, 60), abreast=abreast):
        assert (told["flushes"], told["seconds"], told["readings"], told["deliveries"]) == (2, 16, 48, 48)
        assert told["PutItem calls"] >= 16
        assert told["items"] >= told["PutItem calls"] + 2 * 3 * 3
        assert told["look-ups"] == told["repeated"] == 0
        assert 0 < told["table_s"] < told["process_s"]
        assert told["cpu_s"] == pytest.approx(told["process_s"] - told["table_s"])
        assert told["memory_mb"] > 20
    assert not list(tmp_path.iterdir())


def test_logs_abreast_are_told_in_their_order(tmp_path: Path) -> None:
    """Whichever ends first; and when one fails, so do all."""
    samples = [Sample(Log(3, 3, 60, seconds), 0) for seconds in (5, 1, 3)]
    assert [(told["seconds"], told["readings"]) for told in taken(tmp_path, samples, abreast=3)] == [(5, 15), (1, 3), (3, 9)]
    with pytest.raises(CalledProcessError):
        taken(tmp_path, [*samples, Sample(Log(3, 3, 60, 5), 60)], abreast=2)
    assert not list(tmp_path.iterdir())
