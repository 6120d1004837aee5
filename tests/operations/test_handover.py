"""Leases made anew from a generation's rows: which there are, and what KCL's table on LocalStack then holds."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.handover import OLDEST, SHARD_END, NewLease, new_leases, proved_shards, remake_leases
from operations.observation import Lease, observe
from projections.rows import PROGRESS, Mark, Progress, Row
from telemetry.shards import Shard, ShardMap, list_shards
from tests.support.stack import Stack

PARENT, LEFT, RIGHT, GRANDCHILD = (
    Shard("parent", 0, 99, ("gone",), closed=True),
    Shard("left", 0, 49, ("parent",)),
    Shard("right", 50, 99, ("parent",), closed=True),
    Shard("grandchild", 50, 99, ("right",)),
)
FAMILY = ShardMap([PARENT, LEFT, RIGHT, GRANDCHILD])


def row(position: int, *, ended: bool = False) -> Row:
    return Row(PROGRESS, position + 5, progress=Progress(flushed=Mark(position, 1), ended=ended))


def told(rows: dict[str, Row], *proved: str) -> dict[str, str]:
    return {lease.shard.shard_id: lease.checkpoint for lease in new_leases(FAMILY, rows, proved)}


def test_nothing_was_filled() -> None:
    """The first shards begin at the oldest record, whatever was before them in a stream that is gone."""
    assert told({}) == {"parent": OLDEST}


def test_a_checkpoint_is_the_flushed_position_where_that_is_proved() -> None:
    """Never the one beyond it. In doubt it is the oldest record: rows pass over what they have."""
    rows = {"parent": row(7)}
    assert told(rows, "parent") == {"parent": "7"}
    assert told(rows) == {"parent": OLDEST}


def test_a_shard_waits_for_its_parents() -> None:
    """What has ended in the rows is said to have ended, and only then its children have their turn."""
    rows = {"parent": row(7, ended=True), "left": row(9), "gone": row(3)}
    assert told(rows, "left") == {"parent": SHARD_END, "left": "9", "right": OLDEST}
    rows["right"] = row(8, ended=True)
    assert told(rows, "left", "right") == {"parent": SHARD_END, "left": "9", "right": SHARD_END, "grandchild": OLDEST}


class Kinesis:
    """A shard that holds records 5 to 9, of which the oldest is about to leave it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_shard_iterator(self, **asked: Any) -> dict[str, str]:
        self.asked.append(asked["StartingSequenceNumber"])
        if asked["ShardId"] == "unknown":
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "GetShardIterator")
        if asked["ShardId"] == "refused":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "GetShardIterator")
        return {"ShardIterator": asked["StartingSequenceNumber"]}

    def get_records(self, **asked: Any) -> dict[str, Any]:
        number = max(5, int(asked["ShardIterator"]))
        arrived = datetime.fromtimestamp(number, UTC)
        record = {"SequenceNumber": str(number), "ApproximateArrivalTimestamp": arrived}
        return {"Records": [record] if number <= 9 else []}


@pytest.mark.parametrize(("position", "proved"), [(3, False), (5, False), (6, True), (9, True), (10, False)])
def test_a_position_is_proved_by_reading_it(position: int, *, proved: bool) -> None:
    """Where it is not the record there, or will soon leave the stream, nothing is proved."""
    kinesis: Any = Kinesis()
    found = proved_shards(kinesis, "s", FAMILY, {"parent": row(position)}, 6_000)
    assert found == ({"parent"} if proved else set())


def test_what_need_not_be_proved_is_not_asked_for() -> None:
    """A shard that has ended, one of which nothing is flushed, one that is not listed; a refusal is raised."""
    kinesis: Any = Kinesis()
    rows = {"parent": row(7, ended=True), "left": row(0), "other": row(7)}
    assert (proved_shards(kinesis, "s", FAMILY, rows, 0), kinesis.asked) == (set(), [])
    assert proved_shards(kinesis, "s", ShardMap([Shard("unknown", 0, 9)]), {"unknown": row(7)}, 0) == set()
    with pytest.raises(ClientError, match="AccessDenied"):
        proved_shards(kinesis, "s", ShardMap([Shard("refused", 0, 9)]), {"refused": row(7)}, 0)


@pytest.fixture
def emptied(stack: Stack) -> Iterator[Stack]:
    """A stack that has no leases afterwards."""
    yield stack
    remake_leases(stack.dynamodb, stack.names, [], "nobody")


def test_the_table_holds_these_leases_and_no_others(emptied: Stack) -> None:
    """Owned by the worker, so that KCL begins at once; one that has ended by nobody. Again, it is the same."""
    stack = emptied
    left, right = list_shards(stack.kinesis, stack.names.stream).open
    old: Any = {"leaseKey": {"S": "shardId-999"}, "checkpoint": {"S": "1"}, "leaseCounter": {"N": "42"}}
    stack.dynamodb.put_item(TableName=stack.names.application, Item=old)
    for _ in range(2):
        remake_leases(stack.dynamodb, stack.names, [NewLease(left, SHARD_END), NewLease(right, "12")], "worker-1-g1")
        assert observe(stack.kinesis, stack.dynamodb, stack.names).leases == {
            left.shard_id: Lease(None, 0, ended=True),
            right.shard_id: Lease("worker-1-g1", 0, ended=False, checkpoint=12),
        }


def test_a_record_of_the_stream_is_proved_there(stack: Stack) -> None:
    """On the emulator; the number after it is not."""
    put = stack.kinesis.put_record(StreamName=stack.names.stream, PartitionKey="a", Data=b"{}\n")
    shards = list_shards(stack.kinesis, stack.names.stream)
    shard_id, position = put["ShardId"], int(put["SequenceNumber"])
    stream = stack.names.stream
    assert proved_shards(stack.kinesis, stream, shards, {shard_id: row(position)}, 0) == {shard_id}
    assert proved_shards(stack.kinesis, stream, shards, {shard_id: row(position + 1)}, 0) == set()
