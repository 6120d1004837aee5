"""Lease rows made beforehand, on a lease table of LocalStack."""

import uuid
from typing import Any

import pytest

from consumer.leases import make_leases
from telemetry.shards import Shard, ShardMap, list_shards
from tests.support.stack import Stack
from tests.support.waiting import eventually


@pytest.fixture
def family() -> ShardMap:
    """A shard that was split, one of its children split again; no other test uses these ids."""
    name = uuid.uuid4().hex[:8]
    parent, left, right, grandchild = (f"shardId-{name}-{who}" for who in ("parent", "left", "right", "grandchild"))
    return ShardMap(
        [
            Shard(parent, 0, 99, closed=True),
            Shard(left, 0, 49, (parent,)),
            Shard(right, 50, 99, (parent,), closed=True),
            Shard(grandchild, 50, 99, (right,)),
        ]
    )


def lease(stack: Stack, shard_id: str) -> Any:
    key = {"leaseKey": {"S": shard_id}}
    return stack.dynamodb.get_item(TableName=stack.names.application, Key=key, ConsistentRead=True).get("Item")


def put_lease(stack: Stack, shard_id: str, checkpoint: str) -> None:
    item = {"leaseKey": {"S": shard_id}, "checkpoint": {"S": checkpoint}, "leaseCounter": {"N": "42"}}
    stack.dynamodb.put_item(TableName=stack.names.application, Item=item)


def test_each_shard_of_a_new_stream_gets_a_lease_of_this_worker(stack: Stack) -> None:
    """The row is what KCL would have made: TRIM_HORIZON, the shard's range, owned by the worker."""
    shards = list_shards(stack.kinesis, stack.names.stream)
    made = make_leases(stack.dynamodb, stack.names.application, shards, "worker-1")
    assert sorted(made) == sorted(shards.shards)
    for shard in shards.shards.values():
        assert lease(stack, shard.shard_id) == {
            "leaseKey": {"S": shard.shard_id},
            "leaseOwner": {"S": "worker-1"},
            "checkpoint": {"S": "TRIM_HORIZON"},
            "checkpointSubSequenceNumber": {"N": "0"},
            "leaseCounter": {"N": "0"},
            "ownerSwitchesSinceCheckpoint": {"N": "0"},
            "startingHashKey": {"S": str(shard.first_hash_key)},
            "endingHashKey": {"S": str(shard.last_hash_key)},
        }


def test_a_row_that_is_there_is_left_alone(stack: Stack, family: ShardMap) -> None:
    """A second start, whoever's, changes nothing in the row KCL works with, and says that it made none."""
    (parent, *_) = family.shards
    put_lease(stack, parent, "49590338271490256608559692538361571095921575989136588898")
    before = lease(stack, parent)
    assert make_leases(stack.dynamodb, stack.names.application, family, "worker-2") == []
    assert lease(stack, parent) == before


def test_making_leases_again_makes_what_is_missing(stack: Stack, family: ShardMap) -> None:
    """An interrupted start is completed by the next one, and a third finds nothing to do."""
    (parent, left, *_) = family.shards.values()
    orphans = ShardMap([parent, Shard(left.shard_id, 100, 199)])
    put_lease(stack, parent.shard_id, "TRIM_HORIZON")
    assert make_leases(stack.dynamodb, stack.names.application, orphans, "worker-1") == [left.shard_id]
    assert make_leases(stack.dynamodb, stack.names.application, orphans, "worker-1") == []


def test_h28_a_child_whose_parent_is_listed_gets_no_lease(stack: Stack) -> None:
    """After a split the stream lists the parent beside its children: they get none, else they would run beside it."""
    kinesis, stream = stack.kinesis, stack.names.stream
    first = min(list_shards(kinesis, stream).open, key=lambda shard: shard.first_hash_key)
    middle = (first.first_hash_key + first.last_hash_key) // 2
    kinesis.split_shard(StreamName=stream, ShardToSplit=first.shard_id, NewStartingHashKey=str(middle))

    def split() -> ShardMap:
        shards = list_shards(kinesis, stream)
        status = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"]
        assert (status, len(shards.open)) == ("ACTIVE", 3)
        return shards

    shards = eventually(split)
    children = [shard.shard_id for shard in shards.shards.values() if shard.parents]
    assert len(children) == 2
    made = make_leases(stack.dynamodb, stack.names.application, shards, "worker-1")
    assert not set(made) & set(children)
    assert [lease(stack, child) for child in children] == [None, None]
    assert lease(stack, first.shard_id)


def test_a_child_whose_parent_is_no_longer_listed_gets_a_lease(stack: Stack, family: ShardMap) -> None:
    """The parent's records are gone with it, so there is nothing to wait for."""
    (_, left, *_) = family.shards.values()
    assert make_leases(stack.dynamodb, stack.names.application, ShardMap([left]), "worker-1") == [left.shard_id]


@pytest.mark.parametrize("descendant", [1, 3], ids=["child", "grandchild"])
def test_a_lease_that_kcl_removed_after_the_shards_end_is_not_made_again(
    stack: Stack, family: ShardMap, descendant: int
) -> None:
    """A descendant's lease proves that the parent is done: read again from its beginning it would hold its children up."""
    ids = list(family.shards)
    put_lease(stack, ids[descendant], "49590338271490256608559692538361571095921575989136588898")
    assert make_leases(stack.dynamodb, stack.names.application, family, "worker-1") == []
    assert lease(stack, ids[0]) is None
