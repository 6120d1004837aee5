"""The table of keys: an item each, by id. Whoever may read it knows no secret; whoever may write it can make keys."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from telemetry.keys import Key, Role

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_THERE = "attribute_exists(id)"


class KeyTable:
    """Keys in DynamoDB. Calls block."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def find(self, key_id: str) -> Key | None:
        """A key as it is now; None where there is none. Raises boto3's errors, as all of these do."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_id(key_id), ConsistentRead=True)
        return _key(item) if (item := answer.get("Item")) else None

    def all(self) -> Iterator[Key]:
        """Every key, in no order."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        return (_key(item) for page in pages for item in page["Items"])

    def add(self, key: Key) -> bool:
        """Store a new key; says whether its id was free."""
        return self._done(
            lambda: self._dynamodb.put_item(
                TableName=self._table, Item=_item(key), ConditionExpression="attribute_not_exists(id)"
            )
        )

    def rotate(self, key: Key, digest: bytes, old_until_s: int) -> bool:
        """Give a key another secret; the one before opens until then. Says whether the key was still as it is known."""
        values: dict[str, Any] = {":new": {"B": digest}, ":old": {"B": key.digest}, ":until": {"N": str(old_until_s)}}
        return self._done(
            lambda: self._dynamodb.update_item(
                TableName=self._table,
                Key=_id(key.key_id),
                UpdateExpression="SET digest = :new, old_digest = :old, old_until_s = :until",
                ConditionExpression="digest = :old",
                ExpressionAttributeValues=values,
            )
        )

    def note_use(self, key_id: str, day: str) -> None:
        """Note that a key was used on a day. One that was revoked meanwhile does not come back."""
        self._done(
            lambda: self._dynamodb.update_item(
                TableName=self._table,
                Key=_id(key_id),
                UpdateExpression="SET used_on = :day",
                ConditionExpression=_THERE,
                ExpressionAttributeValues={":day": {"S": day}},
            )
        )

    def revoke(self, key_id: str) -> bool:
        """Remove a key; says whether it was there."""
        return self._done(
            lambda: self._dynamodb.delete_item(TableName=self._table, Key=_id(key_id), ConditionExpression=_THERE)
        )

    def _done(self, change: Any) -> bool:
        """Whether a change found what its condition names."""
        try:
            change()
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _id(key_id: str) -> Any:
    return {"id": {"S": key_id}}


def _item(key: Key) -> dict[str, Any]:
    item: dict[str, Any] = {
        **_id(key.key_id),
        "role": {"S": key.role.value},
        "digest": {"B": key.digest},
        "created_s": {"N": str(key.created_s)},
        "patterns": {"L": [{"S": pattern} for pattern in key.patterns]},
        "rate": {"N": repr(key.rate)},
        "burst": {"N": str(key.burst)},
        "note": {"S": key.note},
        "used_on": {"S": key.used_on},
    }
    return item if key.expires_s is None else {**item, "expires_s": {"N": str(key.expires_s)}}


def _key(item: Any) -> Key:
    key = Key(
        key_id=item["id"]["S"],
        role=Role(item["role"]["S"]),
        digest=bytes(item["digest"]["B"]),
        created_s=int(item["created_s"]["N"]),
        patterns=tuple(one["S"] for one in item["patterns"]["L"]),
        expires_s=int(item["expires_s"]["N"]) if "expires_s" in item else None,
        rate=float(item["rate"]["N"]),
        burst=int(item["burst"]["N"]),
        note=item["note"]["S"],
        used_on=item["used_on"]["S"],
    )
    if "old_digest" not in item:
        return key
    return dataclasses.replace(key, old_digest=bytes(item["old_digest"]["B"]), old_until_s=int(item["old_until_s"]["N"]))
