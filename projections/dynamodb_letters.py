"""The dead letters of one projection generation, read from their table."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from projections.letters import KeptLetter, letter_key, read_letters
from telemetry.letter_marks import LetterPlace
from telemetry.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_HEAD: Final = (
    *("shard_id", "place", "parts", "code", "reason", "arrived", "lines"),
    *("marked", "outcome", "by", "because", "at", "moved_to"),
)
"""All but the bytes, of which there may be a megabyte a letter."""


class AwsLetters:
    """Every read is strongly consistent, and raises boto3's errors."""

    def __init__(self, dynamodb: "DynamoDBClient", names: ResourceNames) -> None:
        self._dynamodb = dynamodb
        self._table = names.dead_letters

    def heads(self) -> Iterator[KeptLetter]:
        """All letters and marks, without the letters' bytes."""
        aliases = {f"#{name}": name for name in _HEAD}
        asked = {"ProjectionExpression": ", ".join(aliases), "ExpressionAttributeNames": aliases}
        return read_letters(self._items("scan", **asked), whole=False)

    def whole(self) -> Iterator[KeptLetter]:
        """All letters and marks."""
        return read_letters(self._items("scan"))

    def find(self, place: LetterPlace) -> KeptLetter | None:
        """What is kept of one place; None when nothing is."""
        key = letter_key(place, "")
        asked = {
            "KeyConditionExpression": "shard_id = :shard AND begins_with(place, :place)",
            "ExpressionAttributeValues": {":shard": key["shard_id"], ":place": key["place"]},
        }
        return next(read_letters(self._items("query", **asked)), None)

    def _items(self, operation: Any, **asked: Any) -> Iterator[Any]:
        for page in self._dynamodb.get_paginator(operation).paginate(TableName=self._table, ConsistentRead=True, **asked):
            yield from page["Items"]
