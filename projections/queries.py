"""The read side: what the projection says, merged over all shards. Queries only, no writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from projections.fold import Stats, merge
from projections.items import read_pack, read_row
from projections.packs import bucket_of
from projections.rows import FLEET, TOTAL, Row
from telemetry.names import ResourceNames
from telemetry.reading import Reading

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


def readings_between(
    dynamodb: "DynamoDBClient", names: ResourceNames, sensor_id: str, from_us: int, until_us: int
) -> list[Reading]:
    """A sensor's readings measured from `from_us` to `until_us`, both included (microseconds since 1970), in that order."""
    first, last = (bucket_of(Reading(time_us, sensor_id, 0)).time for time_us in (from_us, until_us))
    pages = dynamodb.get_paginator("query").paginate(
        TableName=names.readings,
        KeyConditionExpression="sensor_id = :sensor AND pack BETWEEN :first AND :last",
        # "$" follows the "#" that ends a bucket's time.
        ExpressionAttributeValues={":sensor": {"S": sensor_id}, ":first": {"S": first}, ":last": {"S": f"{last}$"}},
        ConsistentRead=True,
    )
    packs = (read_pack(item) for page in pages for item in page["Items"])
    return sorted({one for pack in packs for one in pack.readings if from_us <= one.measured_at_us <= until_us})


def _total_rows(dynamodb: "DynamoDBClient", names: ResourceNames) -> Iterable[tuple[str, Row]]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=names.stats,
        KeyConditionExpression="#scope = :scope AND begins_with(#window, :window)",
        ExpressionAttributeNames={"#scope": "scope", "#window": "window"},
        ExpressionAttributeValues={":scope": {"S": FLEET}, ":window": {"S": f"{TOTAL}#"}},
        ConsistentRead=True,
    )
    return [read_row(item) for page in pages for item in page["Items"]]
