"""The pointer to the live projection generation, and to the very stream it was filled from.

A stream deleted and made again under its name repeats shard ids and starts its positions anew, so positions stored before would
silently swallow new readings (hazard H29). So everything that starts checks the stream's creation time against the pointer.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from telemetry.errors import NotSetUp, StreamMissing, WrongStream
from telemetry.names import ResourceNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

_POINTER_AGE_S_MAX = 1.0
_MISSING = "A stream made again is another one: delete this prefix's tables as well, then set up again (python -m infra.setup)."


@dataclass(frozen=True, slots=True)
class Pointer:
    """The live generation and when its stream was created (text, as `stream_created` gives it)."""

    generation: int
    stream_created: str


def stream_created(kinesis: "KinesisClient", names: ResourceNames) -> str:
    """When the stream was created: seconds since 1970 with three decimals. Raises StreamMissing when there is none."""
    try:
        summary = kinesis.describe_stream_summary(StreamName=names.stream)["StreamDescriptionSummary"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise StreamMissing(f"{names.stream} is not there. {_MISSING}") from error
    if summary["StreamStatus"] == "DELETING":
        raise StreamMissing(f"{names.stream} is being deleted. {_MISSING}")
    return f"{summary['StreamCreationTimestamp'].timestamp():.3f}"


def retention_s(kinesis: "KinesisClient", names: ResourceNames) -> int:
    """How long the stream keeps a record, in seconds."""
    summary = kinesis.describe_stream_summary(StreamName=names.stream)["StreamDescriptionSummary"]
    return summary["RetentionPeriodHours"] * 3600


def read_pointer(dynamodb: "DynamoDBClient", names: ResourceNames) -> Pointer | None:
    """The live pointer, or None before the first set-up; strongly consistent."""
    answer = dynamodb.get_item(TableName=names.generations, Key={"name": {"S": "live"}}, ConsistentRead=True)
    if not (item := answer.get("Item")):
        return None
    return Pointer(int(item["generation"]["N"]), item["stream_created"]["S"])


def make_pointer(dynamodb: "DynamoDBClient", names: ResourceNames, created: str) -> None:
    """Point at `names.generation`, unless there is a pointer already."""
    item = {"name": {"S": "live"}, "generation": {"N": str(names.generation)}, "stream_created": {"S": created}}
    try:
        dynamodb.put_item(
            TableName=names.generations,
            Item=item,
            ConditionExpression="attribute_not_exists(#name)",
            ExpressionAttributeNames={"#name": "name"},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


def check_stream(kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames) -> Pointer:
    """The live pointer, once it is known to speak of the stream that is there; else WrongStream, NotSetUp or StreamMissing."""
    pointer = _require_pointer(dynamodb, names)
    created = stream_created(kinesis, names)
    if created != pointer.stream_created:
        raise WrongStream(
            f"{names.stream} was created at {created}, but the projection was filled from one created at "
            f"{pointer.stream_created}. Delete this prefix's tables and set up again; the log is then folded anew."
        )
    return pointer


class LiveNames:
    """The live generation, following the pointer within a second. Used from threads."""

    def __init__(self, dynamodb: "DynamoDBClient", names: ResourceNames) -> None:
        self._dynamodb = dynamodb
        self._names = names
        self._live: Pointer | None = None
        self._read_at_s = 0.0

    def pointer(self) -> Pointer:
        """What to read from now. Raises NotSetUp when there is no pointer."""
        if self._live is None or time.monotonic() - self._read_at_s >= _POINTER_AGE_S_MAX:
            self._live, self._read_at_s = _require_pointer(self._dynamodb, self._names), time.monotonic()
        return self._live

    def names(self, generation: int) -> ResourceNames:
        """The names of a generation."""
        return ResourceNames(self._names.prefix, generation)


def _require_pointer(dynamodb: "DynamoDBClient", names: ResourceNames) -> Pointer:
    if pointer := read_pointer(dynamodb, names):
        return pointer
    raise NotSetUp(f"{names.generations} holds no pointer: set the tables up first (python -m infra.setup).")
