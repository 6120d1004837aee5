"""Takes a dead leader's lock away, so that a living worker leads at once (hazard H9)."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from operations.observation import LEADER_KEY, Leader, Observation
from telemetry.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def remove_leader(dynamodb: "DynamoDBClient", names: ResourceNames, leader: Leader) -> bool:
    """Remove the lock of a leader, unless it was renewed or moved since it was seen; says whether it did."""
    try:
        dynamodb.delete_item(
            TableName=names.coordinator,
            Key=LEADER_KEY,
            ConditionExpression="recordVersionNumber = :seen AND ownerName = :owner",
            ExpressionAttributeValues={":seen": {"S": leader.version}, ":owner": {"S": leader.owner}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def remove_own_lock(dynamodb: "DynamoDBClient", names: ResourceNames, seen: Observation, worker_id: str) -> bool:
    """Remove the lock that a dead daemon of this worker's left; says whether there was one. Only while no daemon of it runs.

    Else the new daemon would wait until the lock expires, two minutes after its own start: until then nobody is given the
    children of a shard that ended, and whoever starts it anew because they do not move begins the wait again.
    """
    return seen.leader is not None and seen.leader.owner == worker_id and remove_leader(dynamodb, names, seen.leader)
