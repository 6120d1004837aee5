"""Makes the stream and the tables that `resources.json` defines, and the pointer to the first generation.

`python -m infra.setup` may be run again and interrupted at any time: it makes what is missing and touches nothing that is
there. Where Terraform makes stream and tables, `--pointer` makes the pointer alone. After a stream was lost it makes the next
one, and KCL's tables for it; `telemetry continue` takes it into the log. Terraform reads the same definition. Keys are text
unless `types` says otherwise; tables are billed per request.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from projections.generations import Pointer, make_pointer, read_pointer, stream_created
from projections.register import require_kept
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import Dropped, InvalidSettings, StoreUnavailable, StreamMissing
from telemetry.names import GENERATION_MAX, ResourceNames
from telemetry.settings import Settings
from telemetry.streams import StreamPlace

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

_DEFINITION = Path(__file__).with_name("resources.json")
_ACTIVE_WAIT_S = 120
_ACTIVE_POLL_S = 0.1


def load_definition(names: ResourceNames) -> dict[str, Any]:
    """The definition with the names of one prefix, generation and stream filled in."""
    parts = {"prefix": names.prefix, "generation": names.generation, "stream_suffix": names.stream_suffix}
    text = Template(_DEFINITION.read_text()).substitute(parts)
    definition: dict[str, Any] = json.loads(text)
    return definition


def names_now(
    kinesis: "KinesisClient", dynamodb: "DynamoDBClient", prefix: str, generation: int | None = None
) -> ResourceNames:
    """What is to be set up under a prefix: the live generation, or this one; and for the stream that is there or will be made.

    One that the pointer does not name yet will have the place after the last, once it is taken into the log.
    """
    pointer = _pointer(dynamodb, ResourceNames(prefix))
    if pointer is None:
        return ResourceNames(prefix, generation or 1)
    names = replace(pointer.names(prefix), generation=generation or pointer.generation)
    try:
        created = stream_created(kinesis, names)
    except StreamMissing:
        created = ""
    if created in (stream.created for stream in pointer.streams):
        return names
    return replace(names, place=StreamPlace(names.place.number + 1))


def set_up(kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, *, shards: int | None = None) -> None:
    """Make stream, tables and pointer where they are missing; returns when all of them can be used.

    `shards` overrides the definition's number for a stream that is made now.
    """
    make_pointer(dynamodb, names, make_missing(kinesis, dynamodb, names, shards=shards))


def make_missing(
    kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, *, shards: int | None = None
) -> str:
    """The same without the pointer, for who writes that himself. When the stream was created, as `stream_created` gives it."""
    definition = load_definition(names)
    _make_stream(kinesis, definition["stream"], shards)
    make_tables(dynamodb, names)
    _wait(names.stream, partial(_stream_status, kinesis, names.stream))
    _keep_for(kinesis, names.stream, definition["stream"]["retention_hours"])
    return stream_created(kinesis, names)


def make_tables(dynamodb: "DynamoDBClient", names: ResourceNames) -> None:
    """Make the tables that are missing; returns when all of them can be used."""
    tables = load_definition(names)["tables"].values()
    for table in tables:
        _make_table(dynamodb, table)
    for table in tables:
        _wait(table["name"], partial(_table_status, dynamodb, table["name"]))


def _pointer(dynamodb: "DynamoDBClient", names: ResourceNames) -> Pointer | None:
    try:
        return read_pointer(dynamodb, names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None


def _make_stream(kinesis: "KinesisClient", stream: Mapping[str, Any], shards: int | None) -> None:
    _unless_there(lambda: kinesis.create_stream(StreamName=stream["name"], ShardCount=shards or stream["shards"]))


def _make_table(dynamodb: "DynamoDBClient", table: Mapping[str, Any]) -> None:
    request: dict[str, Any] = {"TableName": table["name"], "KeySchema": _keys(table), "BillingMode": "PAY_PER_REQUEST"}
    attributes = {key["AttributeName"] for key in request["KeySchema"]}
    if index := table.get("index"):
        keys = _keys(index)
        attributes |= {key["AttributeName"] for key in keys}
        request["GlobalSecondaryIndexes"] = [
            {"IndexName": index["name"], "KeySchema": keys, "Projection": {"ProjectionType": index["projection"]}}
        ]
    types = table.get("types", {})
    request["AttributeDefinitions"] = [
        {"AttributeName": name, "AttributeType": types.get(name, "S")} for name in sorted(attributes)
    ]
    _unless_there(lambda: dynamodb.create_table(**request))


def _keys(table: Mapping[str, Any]) -> list[dict[str, str]]:
    keys = [{"AttributeName": table["hash_key"], "KeyType": "HASH"}]
    if "range_key" in table:
        keys.append({"AttributeName": table["range_key"], "KeyType": "RANGE"})
    return keys


def _keep_for(kinesis: "KinesisClient", stream: str, hours: int) -> None:
    summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    if summary["RetentionPeriodHours"] < hours:
        kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=hours)
        _wait(stream, partial(_stream_status, kinesis, stream))


def _stream_status(kinesis: "KinesisClient", stream: str) -> str:
    return kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"]


def _table_status(dynamodb: "DynamoDBClient", table: str) -> str:
    return dynamodb.describe_table(TableName=table)["Table"]["TableStatus"]


def _unless_there(make: Callable[[], object]) -> None:
    try:
        make()
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise


def _wait(name: str, status: Callable[[], str]) -> None:
    deadline = time.monotonic() + _ACTIVE_WAIT_S
    while (seen := status()) != "ACTIVE":
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"{name} is still {seen} after {_ACTIVE_WAIT_S} s")
        time.sleep(_ACTIVE_POLL_S)


def main() -> None:
    """Set up what the environment's settings name."""
    parser = argparse.ArgumentParser(prog="python -m infra.setup", description="Make stream and tables where they are missing.")
    parser.add_argument("--generation", type=_generation, metavar="N", help="whose tables; without it the live one's")
    parser.add_argument("--pointer", action="store_true", help="make the pointer alone: stream and tables are Terraform's")
    asked = parser.parse_args()
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettings as error:
        sys.exit(str(error))
    kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
    names = names_now(kinesis, dynamodb, settings.prefix, asked.generation)
    if asked.generation and _pointer(dynamodb, names):
        try:
            require_kept(dynamodb, names)
        except Dropped as dropped:
            sys.exit(str(dropped))
    if asked.pointer:
        try:
            make_pointer(dynamodb, names, stream_created(kinesis, names))
        except StreamMissing as missing:
            sys.exit(str(missing))
        sys.stderr.write(f"{names.generations} holds the pointer\n")
        return
    set_up(kinesis, dynamodb, names)
    sys.stderr.write(f"{names.stream} and its tables are ready\n")


def _generation(text: str) -> int:
    """A projection generation's number. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) <= GENERATION_MAX:
        raise argparse.ArgumentTypeError(f"Expected a whole number from 1 to {GENERATION_MAX}.")
    return int(text)


if __name__ == "__main__":
    main()
