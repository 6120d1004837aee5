"""The pointer to the live projection generation, and to the log's streams, in their order.

A stream deleted and made again under its name repeats shard ids and starts its positions anew, so positions stored before would
silently swallow new readings (hazard H29). So everything that starts checks the stream's creation time against the last in the
list; the shards of one that was taken into it have names of their own (`telemetry/streams.py`).
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from telemetry.errors import NotSetUp, StreamMissing, WrongStream
from telemetry.names import ResourceNames
from telemetry.streams import UNKNOWN_PARENT, StreamPlace

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

POINTER_KEPT_S_MAX = 1.0
"""Answers are shared for another second (`producer_api/shared.py`): together less than a promote's mark stands at least."""
_MISSING = "A stream made anew is another: make it (python -m infra.setup), then let the log go on in it (telemetry continue)."


@dataclass(frozen=True, slots=True)
class LogStream:
    """One of the streams that the log is made of."""

    name: str
    created: str
    """As `stream_created` gives it."""
    before: tuple[str, ...] = ()
    """The last shards of the stream before (`StreamPlace`)."""


class Next(NamedTuple):
    """What a promote has written down (`operations/promoting.py`). While it stands nobody writes the live generation's rows."""

    generation: int
    """That is to be live."""
    since: str
    """When the promote began, by the clock of who began it; for people."""
    token: str
    """Tells one promote from all others."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The live generation, and the streams of the log, of which the last is written and read."""

    generation: int
    streams: tuple[LogStream, ...]
    next: Next | None = field(default=None, compare=False)
    """While a promote is under way. Pointers that name the same tables are equal, with it and without."""

    @property
    def stream_created(self) -> str:
        """When the last stream was created."""
        return self.streams[-1].created

    @property
    def place(self) -> StreamPlace:
        """Of the last stream."""
        return StreamPlace(len(self.streams), self.streams[-1].before)

    def names(self, prefix: str) -> ResourceNames:
        """What the live generation's tables are called, and KCL's of the last stream."""
        return ResourceNames(prefix, self.generation, self.place)

    def continued(self, name: str, created: str, last_shards: Collection[str], generation: int) -> "Pointer":
        """The log goes on in another stream, and in this generation, which is the live one or a later one.

        `last_shards` are those of the stream before that have no children, by the log's names. When nobody knows them, what any
        shard before had is asked for. Raises WrongStream when the stream is in the list, or was created before the last.
        """
        if created in (stream.created for stream in self.streams) or float(created) < float(self.stream_created):
            raise WrongStream(
                f"{name} was created at {created}, no later than the log's last stream, at {self.stream_created}: the log can "
                "go on in a new stream only."
            )
        before = tuple(sorted(last_shards)) or (UNKNOWN_PARENT,)
        return Pointer(generation, (*self.streams, LogStream(name, created, before)))


_KEY: Any = {"name": {"S": "live"}}


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


def created_us(created: str) -> int:
    """That time in microseconds since 1970."""
    return round(float(created) * 1000) * 1000


def retention_s(kinesis: "KinesisClient", names: ResourceNames) -> int:
    """How long the stream keeps a record, in seconds."""
    summary = kinesis.describe_stream_summary(StreamName=names.stream)["StreamDescriptionSummary"]
    return summary["RetentionPeriodHours"] * 3600


def read_pointer(dynamodb: "DynamoDBClient", names: ResourceNames) -> Pointer | None:
    """The live pointer, or None before the first set-up; strongly consistent."""
    answer = dynamodb.get_item(TableName=names.generations, Key=_KEY, ConsistentRead=True)
    return _read_item(item, names) if (item := answer.get("Item")) else None


def make_pointer(dynamodb: "DynamoDBClient", names: ResourceNames, created: str) -> None:
    """Point at `names.generation` and a log of one stream, unless there is a pointer already."""
    replace_pointer(dynamodb, names, None, Pointer(names.generation, (LogStream(names.stream, created),)))


def replace_pointer(dynamodb: "DynamoDBClient", names: ResourceNames, known: Pointer | None, pointer: Pointer) -> bool:
    """Put a pointer in place of the one that is known, or of none; says whether that still was the one, its `next` included."""
    try:
        dynamodb.put_item(TableName=names.generations, Item=_item(pointer), **_unchanged(known))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def remove_next(dynamodb: "DynamoDBClient", names: ResourceNames, seen: Next) -> bool:
    """Take a promote's mark off the pointer, and touch nothing else; says whether it still had this one."""
    try:
        dynamodb.update_item(
            TableName=names.generations,
            Key=_KEY,
            UpdateExpression="REMOVE #next",
            ConditionExpression="#next = :next",
            ExpressionAttributeNames={"#next": "next"},
            ExpressionAttributeValues={":next": _next_value(seen)},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _next_value(coming: Next) -> Any:
    generation, since, token = coming
    return {"M": {"generation": {"N": str(generation)}, "since": {"S": since}, "token": {"S": token}}}


def _unchanged(known: Pointer | None) -> Any:
    """The condition that the pointer is the one that is known, or that there is none."""
    item = _item(known) if known else {}
    attributes = ("generation", "stream_created", "continued", "next") if known else ("name",)
    tests = (f"#{one} = :{one}" if one in item else f"attribute_not_exists(#{one})" for one in attributes)
    condition = {"ConditionExpression": " AND ".join(tests), "ExpressionAttributeNames": {f"#{one}": one for one in attributes}}
    values = {f":{one}": item[one] for one in attributes if one in item}
    return condition | ({"ExpressionAttributeValues": values} if values else {})


def check_stream(kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames) -> Pointer:
    """The live pointer, once it is known to speak of the stream that is there; else WrongStream, NotSetUp or StreamMissing."""
    pointer = require_pointer(dynamodb, names)
    created = stream_created(kinesis, names)
    if created != pointer.stream_created:
        raise WrongStream(
            f"{names.stream} was created at {created}, but the log's last stream at {pointer.stream_created}. Let the log go "
            "on in this one (telemetry continue), or delete this prefix's tables and set up again (python -m infra.setup)."
        )
    return pointer


class LiveNames:
    """The live generation. Used from threads.

    The pointer is read strongly consistent, and before the rows: an answer out of the generation before, given after it was
    moved, is of tables that stood still from then on (`docs/how-it-works.md`, "Another generation becomes live"). One that
    announces no promote is kept for POINTER_KEPT_S_MAX: a promote announces itself for longer before it moves the pointer.
    """

    def __init__(self, dynamodb: "DynamoDBClient", names: ResourceNames, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._dynamodb = dynamodb
        self._names = names
        self._clock_s = clock_s
        self._kept: tuple[float, Pointer] | None = None
        """When its read began, and what it gave."""

    def pointer(self) -> Pointer:
        """What to read from now. Raises NotSetUp when there is no pointer."""
        began_s, kept = self._clock_s(), self._kept
        if kept and kept[1].next is None and began_s - kept[0] < POINTER_KEPT_S_MAX:
            return kept[1]
        pointer = require_pointer(self._dynamodb, self._names)
        self._kept = began_s, pointer
        return pointer

    def names(self, pointer: Pointer) -> ResourceNames:
        """What a pointer names."""
        return pointer.names(self._names.prefix)


def require_pointer(dynamodb: "DynamoDBClient", names: ResourceNames) -> Pointer:
    """The pointer as it is now; strongly consistent. Raises NotSetUp when there is none."""
    if pointer := read_pointer(dynamodb, names):
        return pointer
    raise NotSetUp(f"{names.generations} holds no pointer: set the tables up first (python -m infra.setup).")


def _item(pointer: Pointer) -> Any:
    """Of a log that never lost its stream it is what it was before there were others.

    `stream_created` stays that of the first: processes that know of one stream only refuse to work on another.
    """
    first, *others = pointer.streams
    item = {**_KEY, "generation": {"N": str(pointer.generation)}, "stream_created": {"S": first.created}}
    if pointer.next:
        item["next"] = _next_value(pointer.next)
    return item | ({"continued": {"L": [_stream_value(stream) for stream in others]}} if others else {})


def _stream_value(stream: LogStream) -> Any:
    before = {"L": [{"S": shard_id} for shard_id in stream.before]}
    return {"M": {"name": {"S": stream.name}, "created": {"S": stream.created}, "before": before}}


def _read_item(item: Any, names: ResourceNames) -> Pointer:
    first = LogStream(names.stream, item["stream_created"]["S"])
    others = (
        LogStream(one["name"]["S"], one["created"]["S"], tuple(shard["S"] for shard in one["before"]["L"]))
        for one in (value["M"] for value in item.get("continued", {"L": []})["L"])
    )
    promote = item["next"]["M"] if "next" in item else None
    coming = promote and Next(int(promote["generation"]["N"]), promote["since"]["S"], promote["token"]["S"])
    return Pointer(int(item["generation"]["N"]), (first, *others), coming)
