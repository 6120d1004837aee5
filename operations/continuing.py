"""Lets the log go on in a new stream after the one before was lost, where the tables hold nothing yet: `telemetry continue`.

Nothing is copied or deleted: the pointer takes the stream into its list, by one conditional write. Who has filled the tables
from elsewhere decides for himself, and uses `Pointer.continued` and `replace_pointer` (`projections/generations.py`) alone.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from operations.movement import everybody, place, signs
from operations.observation import Observation, observe_if_there
from projections.generations import Pointer, read_pointer, replace_pointer, retention_s, stream_created
from telemetry.errors import NotContinued, NotSetUp
from telemetry.names import ResourceNames
from telemetry.shards import list_shards
from telemetry.streams import StreamPlace, kinesis_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

WATCHED_S: Final[Mapping[str, float]] = {"local": 5, "aws": 25}
"""For how long nobody may be seen at work, by KCL_TIMING: two signs of life of a worker (`consumer/properties.py`), and two
looks of the API at the stream, after which it stores nothing in one that the log does not name."""

_PAGES_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What there is: the stream, and the tables that are to count it."""

    name: str
    created: str
    """As `stream_created` gives it."""
    age_s: float
    retention_s: float
    generation: int
    records: bool
    """Whether the stream holds any."""
    counted: bool | None
    """Whether the generation's tables hold anything; None when there are none."""
    leases: bool | None
    """Whether KCL ever had leases for a stream of this place; None when it has no table for them."""


def refusals(pointer: Pointer, found: Found) -> Iterator[str]:
    """Why the log may not go on in this stream and generation, each in a sentence that names the fix. Pure.

    Raises WrongStream when the stream is older than the log's last.
    """
    stream, generation = found.name, found.generation
    if found.created == pointer.stream_created:
        yield f"{stream} is the log's last stream already: there is nothing to continue. Start consumers and API."
        return
    number = pointer.continued(stream, found.created, (), generation).place.number
    if generation < pointer.generation:
        yield f"Generation {generation} is behind the live one, and numbers only go up: take {pointer.generation} or a later."
    if found.age_s > found.retention_s:
        yield f"{stream} is not new: records may have come and gone. Delete it, and make it anew (python -m infra.setup)."
    if found.records:
        yield (
            f"{stream} is not empty, and nobody knows whose records these are. Stop who writes them, delete it, and make it "
            "anew (python -m infra.setup)."
        )
    made = f"python -m infra.setup --generation {generation} makes them; on AWS Terraform does, with its variable"
    if found.counted is None:
        yield f"Generation {generation} has no tables: {made} generations."
    if found.counted:
        later = max(generation, pointer.generation) + 1
        yield (
            f"The tables of generation {generation} hold what was counted before. Take new ones, which begin at nothing: "
            f"python -m infra.setup --generation {later} (on AWS Terraform's variable generations), then "
            f"telemetry continue --generation {later}."
        )
    if found.leases is None:
        yield f"KCL has no tables for the log's stream {number}: {made} stream_number = {number}."
    if found.leases:
        yield (
            f"KCL's leases for stream {number} in generation {generation} are there already, and are of another stream. Delete "
            "their table, and make it anew (python -m infra.setup)."
        )


def at_work(before: Observation, after: Observation) -> list[str]:
    """Workers that gave a sign of life between two looks, and shards whose rows moved. Pure."""
    workers = (worker for worker in everybody(after) if signs(before, worker) != signs(after, worker))
    shards = (shard_id for shard_id in after.progress if place(before, shard_id) != place(after, shard_id))
    return sorted(workers) + sorted(shards)


def continue_log(
    kinesis: "KinesisClient",
    dynamodb: "DynamoDBClient",
    prefix: str,
    generation: int | None,
    *,
    watched_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Pointer:
    """Take the stream that is there into the log, to be counted in a generation, the live one by default; the new pointer.

    Its first shards ask for what any shard before had, so it need not be known how far these came. Raises NotContinued,
    WrongStream, StreamMissing or NotSetUp, each with a sentence that names the fix, and boto3's errors.
    """
    names = ResourceNames(prefix)
    if (pointer := read_pointer(dynamodb, names)) is None:
        raise NotSetUp(f"{names.generations} holds no pointer: there is no log to continue yet (python -m infra.setup).")
    generation = generation or pointer.generation

    def check() -> Found:
        found = _look(kinesis, dynamodb, pointer, prefix, generation)
        for why in refusals(pointer, found):
            raise NotContinued(why)
        return found

    first = check()
    before = observe_if_there(kinesis, dynamodb, pointer.names(prefix))
    sleep(watched_s)
    after = observe_if_there(kinesis, dynamodb, pointer.names(prefix))
    if before and after and (moved := at_work(before, after)):
        raise NotContinued(f"Somebody is at work on the stream before: {', '.join(moved)}. Stop the consumers first.")
    if (found := check()).created != first.created:
        raise NotContinued(f"{found.name} was made anew meanwhile: try again.")
    continued = pointer.continued(found.name, found.created, (), generation)
    if not replace_pointer(dynamodb, names, pointer, continued):
        raise NotContinued("Somebody else has moved the pointer meanwhile: see telemetry doctor.")
    return continued


def _look(kinesis: "KinesisClient", dynamodb: "DynamoDBClient", pointer: Pointer, prefix: str, generation: int) -> Found:
    names = ResourceNames(prefix, generation, StreamPlace(pointer.place.number + 1))
    created = stream_created(kinesis, names)
    counted = [_holds(dynamodb, table) for table in (names.stats, names.readings, names.dead_letters)]
    return Found(
        name=names.stream,
        created=created,
        age_s=time.time() - float(created),
        retention_s=retention_s(kinesis, names),
        generation=generation,
        records=_holds_records(kinesis, names.stream),
        counted=None if None in counted else any(counted),
        leases=_holds(dynamodb, names.application),
    )


def _holds(dynamodb: "DynamoDBClient", table: str) -> bool | None:
    """Whether a table holds anything; None when there is no such table."""
    try:
        return bool(dynamodb.scan(TableName=table, ConsistentRead=True, Limit=1)["Items"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None


def _holds_records(kinesis: "KinesisClient", stream: str) -> bool:
    """Whether any record is in a stream, or cannot be ruled out."""
    return any(_shard_holds_records(kinesis, stream, kinesis_id(one)) for one in list_shards(kinesis, stream).shards)


def _shard_holds_records(kinesis: "KinesisClient", stream: str, shard_id: str) -> bool:
    answer: Any = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
    iterator = answer["ShardIterator"]
    for _ in range(_PAGES_MAX):
        page: Any = kinesis.get_records(ShardIterator=iterator, Limit=1)
        if page["Records"]:
            return True
        if not (iterator := page.get("NextShardIterator")) or not page["MillisBehindLatest"]:
            return False
    return True
