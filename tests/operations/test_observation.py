"""One look at the tables of LocalStack, written as KCL 3 writes them."""

from collections.abc import Iterator
from typing import Any

import pytest

from consumer.leases import make_leases
from operations.observation import Leader, Lease, Worker, observe
from tests.support.stack import Stack


@pytest.fixture
def led(stack: Stack) -> Iterator[Stack]:
    """A stack with a leader, one worker, and leases."""
    lock = {"key": "Leader", "ownerName": "worker-2", "recordVersionNumber": "v1", "leaseDuration": "120000"}
    stack.dynamodb.put_item(TableName=stack.names.coordinator, Item={key: {"S": value} for key, value in lock.items()})
    stack.dynamodb.put_item(TableName=stack.names.workers, Item={"wid": {"S": "worker-2"}, "lut": {"N": "1795593173"}})
    made = make_leases(stack.dynamodb, stack.names.application, observe(stack.kinesis, stack.dynamodb, stack.names), "worker-1")
    yield stack
    for shard_id in made:
        stack.dynamodb.delete_item(TableName=stack.names.application, Key={"leaseKey": {"S": shard_id}})
    stack.dynamodb.delete_item(TableName=stack.names.coordinator, Key={"key": {"S": "Leader"}})


def test_a_look_sees_leases_workers_and_leader(led: Stack) -> None:
    """As they stand in KCL's tables."""
    seen = observe(led.kinesis, led.dynamodb, led.names)
    assert seen.leases == dict.fromkeys(seen.shards.shards, Lease("worker-1", 0, ended=False))
    assert seen.workers == {"worker-2": Worker("1795593173", measured=False)}
    assert seen.leader == Leader("worker-2", "v1")
    assert (seen.progress, seen.without_lease()) == ({}, [])


STRANGE: list[dict[str, Any]] = [
    {},
    {"entityType": {"S": "WORKER_METRIC_STATS"}, "wid": {"S": "worker-2"}, "lut": {"N": "1795593173"}},
    {"entityType": {"S": "LEADER"}, "ownerName": {"S": "worker-2"}, "leaseDuration": {"N": "120000"}},
    {"leaseCounter": {"N": "1"}},
    {"checkpoint": {"S": "TRIM_HORIZON"}},
    {"checkpoint": {"S": "TRIM_HORIZON"}, "leaseCounter": {"S": "one"}},
    {"checkpoint": {"N": "1"}, "leaseCounter": {"N": "1"}},
    {"checkpoint": {"NULL": True}, "leaseCounter": {"N": "-1.5"}},
]
"""What a table of KCL's may hold beside what we look for there: attributes that lack, or are of another type."""


def test_s12_what_is_no_lease_worker_or_leader_is_passed_over(led: Stack) -> None:
    """KCL 3.5 keeps workers and leader in the table of the leases, and marks of its own among the others."""
    before = _known(led)
    tables = {led.names.application: "leaseKey", led.names.coordinator: "key"}
    keys = [(table, {key: {"S": f"strange-{number}"}}) for table, key in tables.items() for number in range(len(STRANGE))]
    for (table, key), strange in zip(keys, STRANGE * len(tables), strict=True):
        led.dynamodb.put_item(TableName=table, Item={**key, **strange})
    assert _known(led) == before
    led.dynamodb.put_item(TableName=led.names.coordinator, Item={"key": {"S": "Leader"}, "ownerName": {"S": "worker-2"}})
    assert observe(led.kinesis, led.dynamodb, led.names).leader is None
    led.dynamodb.put_item(
        TableName=led.names.workers, Item={"wid": {"S": "worker-3"}, "lut": {"S": "now"}, "sts": {"S": "none"}}
    )
    assert observe(led.kinesis, led.dynamodb, led.names).workers["worker-3"] == Worker("", measured=False)
    led.dynamodb.delete_item(TableName=led.names.workers, Key={"wid": {"S": "worker-3"}})
    for table, key in keys:
        led.dynamodb.delete_item(TableName=table, Key=key)


def _known(stack: Stack) -> tuple[object, object, object]:
    seen = observe(stack.kinesis, stack.dynamodb, stack.names)
    return seen.leases, seen.workers, seen.leader
