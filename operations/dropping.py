"""Drops a projection generation: it is marked first, so that nobody goes on with it, then its tables are deleted."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from projections.generations import Pointer
from projections.register import mark_dropped, read_registered
from telemetry.errors import NotRebuilt
from telemetry.names import ResourceNames
from telemetry.streams import StreamPlace

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def tables_of(prefix: str, generation: int, streams: int) -> list[str]:
    """All tables of a generation, KCL's for each of the log's streams too. Pure."""
    named = (ResourceNames(prefix, generation, StreamPlace(number)).of_generation for number in range(1, streams + 1))
    return list(dict.fromkeys(table for tables in named for table in tables))


def drop(
    dynamodb: "DynamoDBClient", prefix: str, pointer: Pointer, generation: int, now_us: int, *, delete: bool
) -> tuple[list[str], list[str]]:
    """Mark a generation as dropped, and with `delete` delete its tables; those deleted, and those that are still there.

    Stopped half way, it is to be done again. Raises NotRebuilt when it is live, being promoted, or was never there, and boto3's
    errors.
    """
    names = ResourceNames(prefix, generation)
    there = [table for table in tables_of(prefix, generation, len(pointer.streams)) if _is_there(dynamodb, table)]
    if not there and read_registered(dynamodb, names) is None:
        raise NotRebuilt(f"There is no g{generation}: telemetry generations shows which there are.")
    mark_dropped(dynamodb, names, now_us)
    if not delete:
        return [], there
    for table in there:
        dynamodb.delete_table(TableName=table)
    return there, []


def _is_there(dynamodb: "DynamoDBClient", table: str) -> bool:
    try:
        return dynamodb.describe_table(TableName=table)["Table"]["TableStatus"] != "DELETING"
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return False
