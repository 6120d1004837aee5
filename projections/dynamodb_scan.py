"""All that the tables of one projection generation hold, for who compares it: scans, strongly consistent item by item."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from projections.dynamodb_letters import AwsLetters
from projections.items import read_directory, read_pack, read_row
from projections.letters import KeptLetter
from projections.packs import Pack
from projections.queries import fleet_stats
from projections.reads import Listing
from projections.rows import DIRECTORY_SCOPES, Row
from telemetry.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class AwsTables:
    """Every method raises boto3's errors."""

    def __init__(self, dynamodb: "DynamoDBClient", names: ResourceNames) -> None:
        self._dynamodb = dynamodb
        self._names = names

    def progress(self) -> Mapping[str, Row]:
        """The progress row of each shard."""
        return fleet_stats(self._dynamodb, self._names).shards

    def stats(self) -> Iterator[tuple[str, Row] | Listing]:
        """Every row with its shard, and the directory."""
        for item in self._scan(self._names.stats):
            if item["scope"]["S"] in DIRECTORY_SCOPES:
                yield Listing(*read_directory(item))
            else:
                yield read_row(item)

    def packs(self) -> Iterator[Pack]:
        """Every pack."""
        return map(read_pack, self._scan(self._names.readings))

    def letters(self) -> Iterator[KeptLetter]:
        """Every dead letter, and every mark."""
        return AwsLetters(self._dynamodb, self._names).whole()

    def sizes(self) -> tuple[int, int]:
        """How many rows and packs there are, as DynamoDB counted them within the last six hours."""
        rows, packs = (
            self._dynamodb.describe_table(TableName=table)["Table"]["ItemCount"]
            for table in (self._names.stats, self._names.readings)
        )
        return rows, packs

    def _scan(self, table: str) -> Iterator[Any]:
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            yield from page["Items"]
