"""Lease rows made beforehand, on a lease table of LocalStack."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from consumer.leases import make_leases, rewind_leases, take_lease
from operations.observation import Lease, Observation, observe
from projections.rows import PROGRESS, Mark, Progress, Row
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


def seen(stack: Stack, shards: ShardMap, progress: Mapping[str, Row] | None = None) -> Observation:
    """These shards, and the leases that are there."""
    leases = observe(stack.kinesis, stack.dynamodb, stack.names).leases
    return Observation(shards, leases, {}, None, progress or {})


def make(stack: Stack, shards: ShardMap, worker: str = "worker-1", progress: Mapping[str, Row] | None = None) -> list[str]:
    return make_leases(stack.dynamodb, stack.names.application, seen(stack, shards, progress), worker)


def test_each_shard_of_a_new_stream_gets_a_lease_of_this_worker(stack: Stack) -> None:
    """The row is what KCL would have made: TRIM_HORIZON, the shard's range, owned by the worker."""
    shards = list_shards(stack.kinesis, stack.names.stream)
    made = make(stack, shards)
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
    assert make(stack, family, "worker-2") == []
    assert lease(stack, parent) == before


def test_making_leases_again_makes_what_is_missing(stack: Stack, family: ShardMap) -> None:
    """An interrupted start is completed by the next one, and a third finds nothing to do."""
    (parent, left, *_) = family.shards.values()
    orphans = ShardMap([parent, Shard(left.shard_id, 100, 199)])
    put_lease(stack, parent.shard_id, "TRIM_HORIZON")
    assert make(stack, orphans) == [left.shard_id]
    assert make(stack, orphans) == []


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
    made = make(stack, shards)
    assert not set(made) & set(children)
    assert [lease(stack, child) for child in children] == [None, None]
    assert lease(stack, first.shard_id)


def test_a_child_whose_parent_is_no_longer_listed_gets_a_lease(stack: Stack, family: ShardMap) -> None:
    """The parent's records are gone with it, so there is nothing to wait for."""
    (_, left, *_) = family.shards.values()
    assert make(stack, ShardMap([left])) == [left.shard_id]


def test_a_lease_that_kcl_removed_after_the_shards_end_is_not_made_again(stack: Stack, family: ShardMap) -> None:
    """The progress row remembers the end: read again from its beginning the shard would hold its children up."""
    parent, left, right, _ = family.shards
    for child in (left, right):
        put_lease(stack, child, "49590338271490256608559692538361571095921575989136588898")
    assert make(stack, family, progress={parent: Row(PROGRESS, 1, progress=Progress(ended=True))}) == []
    assert lease(stack, parent) is None


def test_h13_a_lease_made_again_begins_where_everything_is_durable(stack: Stack, family: ShardMap) -> None:
    """The progress row says so: nothing before it is read once more, nothing after it is passed over."""
    (parent, *_) = family.shards
    position = 49590338271490256608559692538361571095921575989136588898
    progress = {parent: Row(PROGRESS, position + 5, progress=Progress(flushed=Mark(position)))}
    make(stack, family, progress=progress)
    assert lease(stack, parent)["checkpoint"] == {"S": str(position)}


def test_h13_the_lost_lease_of_a_child_is_made_again_once_its_parent_has_ended(stack: Stack, family: ShardMap) -> None:
    """KCL itself never makes it: it takes descendants to have leases. The row names the parent, as KCL's own does."""
    parent, left, right, _ = family.shards
    put_lease(stack, parent, "TRIM_HORIZON")
    assert make(stack, family) == []
    put_lease(stack, parent, "SHARD_END")
    put_lease(stack, right, "TRIM_HORIZON")
    assert make(stack, family) == [left]
    assert lease(stack, left)["parentShardId"] == {"SS": [parent]}


def test_s05_a_lease_whose_place_has_left_the_stream_begins_at_the_oldest_record(stack: Stack, family: ShardMap) -> None:
    """Kinesis may refuse the place. Only where the row is that old, and nobody has moved the lease since it was seen."""
    parent, left, right, grandchild = family.shards
    place = "49590338271490256608559692538361571095921575989136588898"
    for shard, checkpoint in ((parent, "SHARD_END"), (left, place), (right, place), (grandchild, place)):
        put_lease(stack, shard, checkpoint)
    progress = {shard: Row(PROGRESS, 1, as_of_us=100) for shard in (parent, left, right)}
    before = seen(stack, family, progress)
    stack.dynamodb.update_item(
        TableName=stack.names.application,
        Key={"leaseKey": {"S": right}},
        UpdateExpression="SET leaseCounter = leaseCounter + :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    assert rewind_leases(stack.dynamodb, stack.names.application, before, 100) == []
    assert rewind_leases(stack.dynamodb, stack.names.application, before, 101) == [left]
    assert lease(stack, left)["checkpoint"] == {"S": "TRIM_HORIZON"}
    assert [lease(stack, shard)["checkpoint"]["S"] for shard in (parent, right, grandchild)] == ["SHARD_END", place, place]


def test_kcls_table_knows_shards_of_a_later_stream_by_kinesis_ids(stack: Stack) -> None:
    """And parents in that stream only: it holds nothing of the stream before."""
    name, table = uuid.uuid4().hex[:8], stack.names.application
    root, child = Shard(f"2/{name}", 0, 99, ("shardId-000000000000",)), Shard(f"2/{name}-child", 0, 99, (f"2/{name}",))

    def seen(ended: bool | None) -> Observation:
        leases = {} if ended is None else {root.shard_id: Lease("worker-1", 1, ended)}
        return Observation(ShardMap([root, child]), leases, {}, None, {root.shard_id: Row(PROGRESS, 1)})

    assert make_leases(stack.dynamodb, table, seen(None), "worker-1") == [root.shard_id]
    assert "parentShardId" not in lease(stack, name)
    assert take_lease(stack.dynamodb, table, root.shard_id, "worker-1", "worker-2")
    assert lease(stack, name)["leaseOwner"] == {"S": "worker-2"}
    put_lease(stack, name, "49590338271490256608559692538361571095921575989136588898")
    moved = Observation(ShardMap([root]), {root.shard_id: Lease("worker-1", 42, ended=False)}, {}, None, seen(None).progress)
    assert rewind_leases(stack.dynamodb, table, moved, 1) == [root.shard_id]
    assert make_leases(stack.dynamodb, table, seen(ended=True), "worker-1") == [child.shard_id]
    assert lease(stack, f"{name}-child")["parentShardId"] == {"SS": [name]}
