"""Lease rows made beforehand, so that the first batch comes after seconds: KCL waits up to 30 s on an empty table (hazard H10).

And made again when somebody removed them: KCL itself notices only after minutes (hazard H13). They begin where our own progress
row says that everything is durable, which is what a checkpoint means.

Only for shards whose turn has come: KCL makes the children's leases at their parent's end, and a child with a lease of its own
would run beside its parent (hazard H28). A row that is there is left alone, and one that KCL removed after the shard's end is
not made again: KCL would read that shard once more and keep its children waiting meanwhile.

The table is KCL's, which knows one stream of the log: its keys, and the parents in it, are Kinesis's ids.
"""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.handover import OLDEST, SHARD_END, lease_item
from operations.observation import Observation
from projections.rows import PROGRESS, Row
from telemetry.shards import Shard
from telemetry.streams import kinesis_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def make_leases(dynamodb: "DynamoDBClient", table: str, seen: Observation, worker_id: str) -> list[str]:
    """Make the lease rows that were seen to be missing, owned by this worker. Returns the shards that got one."""
    return [
        shard_id
        for shard_id in seen.without_lease()
        if _make_lease(dynamodb, table, seen.shards.shards[shard_id], worker_id, seen.progress.get(shard_id, Row(PROGRESS)))
    ]


def take_lease(dynamodb: "DynamoDBClient", table: str, shard_id: str, owner: str, worker_id: str) -> bool:
    """Take a shard's lease from its owner, unless it has another or none by now, or has ended; says whether it did.

    The owner's next renewal is refused, and what its processor still writes is conditional: nothing is lost or doubled.
    """
    try:
        dynamodb.update_item(
            TableName=table,
            Key=_key(shard_id),
            # As KCL's own: with a checkpointOwner left in it the new owner would never begin.
            UpdateExpression="SET leaseOwner = :new, leaseCounter = leaseCounter + :one REMOVE checkpointOwner",
            ConditionExpression="leaseOwner = :old AND checkpoint <> :ended",
            ExpressionAttributeValues={
                ":new": {"S": worker_id},
                ":old": {"S": owner},
                ":one": {"N": "1"},
                ":ended": {"S": SHARD_END},
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def rewind_leases(dynamodb: "DynamoDBClient", table: str, seen: Observation, kept_from_us: int) -> list[str]:
    """Set leases whose shards were last read before `kept_from_us` to the oldest record there is. Returns these shards.

    What they name has left the stream, and Kinesis may refuse it as a place to begin (InvalidArgumentException, seen by others:
    harlow/kinesis-consumer#175; KCL 3.1.3 then asks for it for ever). A row passes over what it has, so this costs nothing.
    """
    return [
        shard_id
        for shard_id, lease in seen.leases.items()
        if not lease.ended
        and (row := seen.progress.get(shard_id))
        and row.as_of_us < kept_from_us
        and _rewind_lease(dynamodb, table, shard_id, lease.counter)
    ]


def _rewind_lease(dynamodb: "DynamoDBClient", table: str, shard_id: str, counter: int) -> bool:
    """Unless the lease has moved since it was seen: then somebody is at work."""
    try:
        dynamodb.update_item(
            TableName=table,
            Key=_key(shard_id),
            UpdateExpression="SET checkpoint = :oldest, checkpointSubSequenceNumber = :none",
            ConditionExpression="leaseCounter = :seen AND NOT checkpoint IN (:ended, :oldest)",
            ExpressionAttributeValues={
                ":oldest": {"S": OLDEST},
                ":none": {"N": "0"},
                ":seen": {"N": str(counter)},
                ":ended": {"S": SHARD_END},
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _make_lease(dynamodb: "DynamoDBClient", table: str, shard: Shard, worker_id: str, progress: Row) -> bool:
    checkpoint = str(progress.progress.flushed.position or OLDEST)
    try:
        dynamodb.put_item(
            TableName=table,
            Item=lease_item(shard, checkpoint, worker_id),
            ConditionExpression="attribute_not_exists(leaseKey)",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _key(shard_id: str) -> Any:
    return {"leaseKey": {"S": kinesis_id(shard_id)}}
