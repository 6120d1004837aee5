"""The fleet's stats at one call, for who looks rarely. `fleet.py` is for who looks often."""

from typing import TYPE_CHECKING

from projections.dynamodb_reads import AwsReads
from projections.fleet import FleetStats
from projections.rows import FLEET, TOTAL
from telemetry.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def fleet_stats(dynamodb: "DynamoDBClient", names: ResourceNames) -> FleetStats:
    """One strongly consistent query of all the fleet's total rows, merged."""
    return FleetStats(dict(AwsReads(dynamodb, names).rows_between(FLEET, TOTAL, TOTAL)))
