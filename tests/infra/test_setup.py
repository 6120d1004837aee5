"""The set-up of stream, tables and pointer from the one definition."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from infra.setup import load_definition, main, set_up
from projections.generations import check_stream, read_pointer
from projections.register import mark_dropped
from telemetry.names import ResourceNames
from telemetry.settings import Settings
from telemetry.streams import StreamPlace
from tests.support.stack import Stack, new_stack
from tests.support.tables import Index, defined, of_description
from tests.support.waiting import eventually


@pytest.fixture
def own_stack(endpoint: str, java: str) -> Iterator[Stack]:
    """A stack that the test may spoil."""
    with new_stack(endpoint, java, shards=1) as made:
        yield made


@pytest.mark.parametrize("names", [ResourceNames("telemetry-dev"), ResourceNames("a.b_c", 12, StreamPlace(3))])
def test_the_definition_and_the_code_use_the_same_names(names: ResourceNames) -> None:
    """Terraform reads the one, the processes the other: they must never part."""
    definition = load_definition(names)
    assert definition["stream"]["name"] == names.stream
    assert {key: table["name"] for key, table in definition["tables"].items()} == {
        "readings": names.readings,
        "stats": names.stats,
        "dead_letters": names.dead_letters,
        "generations": names.generations,
        "keys": names.keys,
        "leases": names.application,
        "coordinator": f"{names.application}-CoordinatorState",
        "workers": f"{names.application}-WorkerMetricStats",
    }


def test_two_prefixes_share_nothing() -> None:
    """Every name begins with the prefix, so deployments live side by side in one account."""
    definition = load_definition(ResourceNames("mine"))
    names = [definition["stream"]["name"], *(table["name"] for table in definition["tables"].values())]
    assert all(name.startswith("mine-") for name in names)
    assert len(set(names)) == len(names)


def test_stream_and_tables_are_as_defined(stack: Stack) -> None:
    """Everything is active, with the definition's keys and indexes, billed per request; the log is kept for seven days."""
    definition = load_definition(stack.names)
    summary = stack.kinesis.describe_stream_summary(StreamName=stack.names.stream)["StreamDescriptionSummary"]
    assert (summary["StreamStatus"], summary["OpenShardCount"], summary["RetentionPeriodHours"]) == ("ACTIVE", 2, 168)
    for table in definition["tables"].values():
        made = stack.dynamodb.describe_table(TableName=table["name"])["Table"]
        assert of_description(made) == defined(table)
        assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_h10_kcls_lease_table_has_its_index(stack: Stack) -> None:
    """KCL polls for ten seconds at a time until LeaseOwnerToLeaseKeyIndex is there, so it is made beforehand."""
    made = of_description(stack.dynamodb.describe_table(TableName=stack.names.application)["Table"])
    assert made.indexes == (Index("LeaseOwnerToLeaseKeyIndex", ("leaseOwner", "leaseKey"), "KEYS_ONLY"),)


def test_the_directory_is_listed_by_the_hour_last_seen(stack: Stack) -> None:
    """`BySeen` holds the items that have `seen`, keys only, and orders them by that number; rows are not in it."""
    seen_s = {"sensor-a": 1_000_000_000, "sensor-b": 999_999_999, "sensor-c": 1_000_003_600}
    directory = {"scope": {"S": "directory#3"}}
    shards = {"shards": {"SS": ["shardId-000000000000"]}}
    items: list[Mapping[str, Any]] = [
        *({**directory, "window": {"S": sensor}, "seen": {"N": str(s)}, **shards} for sensor, s in seen_s.items()),
        {**directory, "window": {"S": "sensor-without"}, **shards},
        {"scope": {"S": "all"}, "window": {"S": "total#shardId-000000000000"}, "count": {"N": "3"}},
    ]
    for item in items:
        stack.dynamodb.put_item(TableName=stack.names.stats, Item=item)

    def listed() -> None:
        answer = stack.dynamodb.query(
            TableName=stack.names.stats,
            IndexName="BySeen",
            KeyConditionExpression="#scope = :scope",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues={":scope": directory["scope"]},
        )
        assert answer["Items"] == [
            {**directory, "window": {"S": sensor}, "seen": {"N": str(seen_s[sensor])}}
            for sensor in ("sensor-b", "sensor-a", "sensor-c")
        ]

    try:
        eventually(listed, within_s=10)
        indexed = stack.dynamodb.scan(TableName=stack.names.stats, IndexName="BySeen", Select="COUNT")
        assert indexed["Count"] == len(seen_s)
    finally:
        for item in items:
            stack.dynamodb.delete_item(TableName=stack.names.stats, Key={key: item[key] for key in ("scope", "window")})


def test_setting_up_again_changes_nothing(stack: Stack) -> None:
    """What is there is left alone: the items in a table, the pointer, the number of shards."""
    key = {"name": {"S": "a mark"}}
    stack.dynamodb.put_item(TableName=stack.names.generations, Item=key)
    pointer = read_pointer(stack.dynamodb, stack.names)
    set_up(stack.kinesis, stack.dynamodb, stack.names, shards=5)
    assert stack.dynamodb.get_item(TableName=stack.names.generations, Key=key)["Item"] == key
    assert read_pointer(stack.dynamodb, stack.names) == pointer
    assert len(stack.kinesis.list_shards(StreamName=stack.names.stream)["Shards"]) == 2


@pytest.mark.parametrize("missing", [["stats", "workers"], ["readings", "generations", "leases"]])
def test_an_interrupted_set_up_is_completed(own_stack: Stack, missing: list[str]) -> None:
    """Whatever was not made yet, some tables or the pointer with its table, is made by the next run."""
    tables = load_definition(own_stack.names)["tables"]
    for name in missing:
        own_stack.dynamodb.delete_table(TableName=tables[name]["name"])
    set_up(own_stack.kinesis, own_stack.dynamodb, own_stack.names)
    for table in tables.values():
        assert own_stack.dynamodb.describe_table(TableName=table["name"])["Table"]["TableStatus"] == "ACTIVE"
    assert check_stream(own_stack.kinesis, own_stack.dynamodb, own_stack.names).generation == 1


def test_a_dropped_number_is_not_made_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of it that comes back late would write into its tables."""
    names = replace(stack.names, generation=9)
    mark_dropped(stack.dynamodb, names, 1_800_000_000_000_000)
    for name, value in stack.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["infra.setup", "--generation", "9"])
    with pytest.raises(SystemExit, match="g9 was dropped"):
        main()
    assert names.stats not in stack.dynamodb.get_paginator("list_tables").paginate().build_full_result()["TableNames"]


def test_the_pointer_is_made(stack: Stack) -> None:
    """After the set-up everything may start: the pointer names the generation and the stream that is there."""
    pointer = check_stream(stack.kinesis, stack.dynamodb, ResourceNames(Settings(prefix=stack.names.prefix).prefix))
    assert pointer.generation == stack.names.generation


def test_the_pointer_alone_is_made_where_stream_and_tables_are_terraforms(own_stack: Stack) -> None:
    """And nothing of theirs is changed: an environment may keep records for a shorter time."""
    stream, table = own_stack.names.stream, own_stack.names.generations
    own_stack.kinesis.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=24)
    own_stack.dynamodb.delete_item(TableName=table, Key={"name": {"S": "live"}})
    environ = {**own_stack.environ, "PREFIX": own_stack.names.prefix}
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "infra.setup", "--pointer"], env=environ, check=True, timeout=60)
    assert check_stream(own_stack.kinesis, own_stack.dynamodb, own_stack.names).generation == 1
    summary = own_stack.kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["RetentionPeriodHours"] == 24
