"""Takes a dead leader's lock away, so that a living worker leads at once (hazard H9)."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from operations.observation import LEADER_KEY, Leader
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
