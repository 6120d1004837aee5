"""What is taken from others: a dead leader's lock, and a lease, on tables of LocalStack written as KCL 3 writes them."""

from collections.abc import Iterator

import pytest

from consumer.leader import remove_leader, remove_own_lock
from consumer.leases import make_leases, take_lease
from operations.observation import Leader, Lease, observe
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


def test_h09_a_leaders_lock_is_removed_only_as_it_was_seen(led: Stack) -> None:
    """A leader that beat meanwhile, or another one, keeps it."""
    assert not remove_leader(led.dynamodb, led.names, Leader("worker-2", "v0"))
    assert not remove_leader(led.dynamodb, led.names, Leader("worker-3", "v1"))
    assert observe(led.kinesis, led.dynamodb, led.names).leader == Leader("worker-2", "v1")
    assert remove_leader(led.dynamodb, led.names, Leader("worker-2", "v1"))
    assert observe(led.kinesis, led.dynamodb, led.names).leader is None
    assert not remove_leader(led.dynamodb, led.names, Leader("worker-2", "v1"))


def test_a_daemons_own_lock_is_removed_before_the_next_one(led: Stack) -> None:
    """Another worker's stays."""
    seen = observe(led.kinesis, led.dynamodb, led.names)
    assert not remove_own_lock(led.dynamodb, led.names, seen, "worker-1")
    assert remove_own_lock(led.dynamodb, led.names, seen, "worker-2")
    seen = observe(led.kinesis, led.dynamodb, led.names)
    assert seen.leader is None
    assert not remove_own_lock(led.dynamodb, led.names, seen, "worker-2")


def test_a_lease_is_taken_only_from_the_owner_that_was_seen(led: Stack) -> None:
    """Its counter goes up, so that the old owner's next renewal is refused."""
    table, shard = led.names.application, "shardId-000000000001"
    assert not take_lease(led.dynamodb, table, shard, "worker-3", "worker-2")
    assert take_lease(led.dynamodb, table, shard, "worker-1", "worker-2")
    leases = observe(led.kinesis, led.dynamodb, led.names).leases
    assert leases[shard] == Lease("worker-2", 1, ended=False)
    key = {"leaseKey": {"S": shard}}
    ended = {":ended": {"S": "SHARD_END"}}
    led.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET checkpoint = :ended",
        ExpressionAttributeValues=ended,
    )
    assert not take_lease(led.dynamodb, table, shard, "worker-2", "worker-1")
