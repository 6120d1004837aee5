"""The read side: what the projection says, merged over all shards. Queries only, no writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from projections.fold import Stats, merge
from projections.items import read_row
from projections.rows import FLEET, TOTAL, Row
from telemetry.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class FleetStats:
    """The whole fleet's stats, and how far each shard is."""

    stats: Stats
    shards: dict[str, Row]


def fleet_stats(dynamodb: "DynamoDBClient", names: ResourceNames) -> FleetStats:
    """One strongly consistent query of the fleet's total rows, merged."""
    shards = dict(_total_rows(dynamodb, names))
    return FleetStats(merge(row.stats for row in shards.values()), shards)


def _total_rows(dynamodb: "DynamoDBClient", names: ResourceNames) -> Iterable[tuple[str, Row]]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=names.stats,
        KeyConditionExpression="#scope = :scope AND begins_with(#window, :window)",
        ExpressionAttributeNames={"#scope": "scope", "#window": "window"},
        ExpressionAttributeValues={":scope": {"S": FLEET}, ":window": {"S": f"{TOTAL}#"}},
        ConsistentRead=True,
    )
    return [read_row(item) for page in pages for item in page["Items"]]
