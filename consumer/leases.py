"""Lease rows made beforehand, so that the first batch comes after seconds: KCL waits up to 30 s on an empty table (hazard H10).

Only for shards whose parents the stream no longer lists: KCL makes the children's leases at their parent's end, and a child
with a lease of its own would run beside its parent (hazard H28). A row that is there is left alone, and one that KCL removed
after the shard's end is not made again: KCL would read that shard once more and keep its children waiting meanwhile.
"""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from telemetry.shards import Shard, ShardMap

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def make_leases(dynamodb: "DynamoDBClient", table: str, shards: ShardMap, worker_id: str) -> list[str]:
    """Make the missing lease rows of the stream's eldest shards, owned by this worker. Returns the shards that got one."""
    return [
        shard.shard_id
        for shard in _eldest(shards)
        if not _succeeded(dynamodb, table, shards, shard) and _make_lease(dynamodb, table, shard, worker_id)
    ]


def _eldest(shards: ShardMap) -> list[Shard]:
    return [shard for shard in shards.shards.values() if not any(parent in shards.shards for parent in shard.parents)]


def _succeeded(dynamodb: "DynamoDBClient", table: str, shards: ShardMap, shard: Shard) -> bool:
    """Whether a descendant has a lease, which KCL makes at this shard's end only."""
    children = [child for child in shards.shards.values() if shard.shard_id in child.parents]
    return any(_has_lease(dynamodb, table, child) or _succeeded(dynamodb, table, shards, child) for child in children)


def _has_lease(dynamodb: "DynamoDBClient", table: str, shard: Shard) -> bool:
    return "Item" in dynamodb.get_item(TableName=table, Key={"leaseKey": {"S": shard.shard_id}}, ConsistentRead=True)


def _make_lease(dynamodb: "DynamoDBClient", table: str, shard: Shard, worker_id: str) -> bool:
    try:
        dynamodb.put_item(
            TableName=table,
            Item={
                "leaseKey": {"S": shard.shard_id},
                "leaseOwner": {"S": worker_id},
                "checkpoint": {"S": "TRIM_HORIZON"},
                "checkpointSubSequenceNumber": {"N": "0"},
                "leaseCounter": {"N": "0"},
                "ownerSwitchesSinceCheckpoint": {"N": "0"},
                "startingHashKey": {"S": str(shard.first_hash_key)},
                "endingHashKey": {"S": str(shard.last_hash_key)},
            },
            ConditionExpression="attribute_not_exists(leaseKey)",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True
