"""Lets the log go on in a new stream after the one before was lost: `telemetry continue`.

Nothing is copied or deleted. What is archived is folded into the tables that are to count the log, what these know of streams
that are over ends there (`surviving.py`), and the pointer takes the stream into its list, by one conditional write. A new
environment goes on with the archive of another one in the same way: its pointer knows only the stream that was made for it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from archive.chain import archived_streams
from archive.source import ArchiveSource
from archive.targets import Target
from operations.lacking import shards_named
from operations.movement import everybody, place, signs
from operations.observation import Observation, observe_if_there
from operations.succession import pointer_to
from operations.surviving import Rest, begun_shards, incomplete
from projections.dynamodb_scan import AwsTables
from projections.generations import Pointer, read_pointer, replace_pointer, retention_s, stream_created
from projections.queries import fleet_stats
from projections.register import note_continuing, read_registered, require_kept, take
from telemetry.errors import NotContinued, NotSetUp
from telemetry.log import Source
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
class Asked:
    """What an operator typed, and where."""

    generation: int | None = None
    """Whose tables are to count the log; the live one's when None."""
    archive: Target | None = None
    """What is archived of it."""
    forget: bool = False
    """They may count fewer readings than the live ones."""


@dataclass(frozen=True, slots=True)
class Means:
    """How it is done."""

    fold: Callable[[ResourceNames, Source], object]
    """Folds a log into the tables that are named, and sends strays to the stream (`filling.py`)."""
    make_tables: Callable[[ResourceNames], object] | None
    """Makes those that are missing; None where they must be there."""
    watched_s: float
    sleep: Callable[[float], None] = time.sleep


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
    streams: tuple[str, ...] = ()
    """When those of the log that is to be were created, in its order; this one is the last."""
    archived: bool = False
    """Whether there is an archive."""
    noted: bool = False
    """Whether somebody began to let the log go on in this stream and generation, who found both as they are to be."""


def streams_with(pointer: Pointer, created: str, archived: Sequence[str]) -> tuple[str, ...]:
    """When the log's streams were created if it goes on in this one, with what an archive holds. Pure.

    Raises NotContinued when the archive is another log's, which it is not where the pointer names this stream alone.
    """
    known = tuple(stream.created for stream in pointer.streams)
    before = tuple(one for one in archived if one not in known and one != created)
    if before and known != (created,):
        raise NotContinued(
            f"ARCHIVE_TARGET holds streams that this log never had, the first created at {before[0]}. Set it to this log's "
            "archive; with another one's a log goes on only where it has no stream but the new one (another PREFIX, or region)."
        )
    return (*before, created) if before else (*known, *([] if created in known else [created]))


def refusals(pointer: Pointer, found: Found) -> Iterator[str]:
    """Why the log may not go on in this stream and generation, each in a sentence that names the fix. Pure.

    Raises WrongStream when the stream is older than the log's last.
    """
    stream, generation = found.name, found.generation
    known = tuple(one.created for one in pointer.streams)
    if found.created == pointer.stream_created and found.streams == known:
        yield f"{stream} is the log's last stream already: there is nothing to continue. Start consumers and API."
        return
    if found.streams[:-1] == known:
        pointer.continued(stream, found.created, (), generation)
    number = len(found.streams)
    if generation < pointer.generation:
        yield f"Generation {generation} is behind the live one, and numbers only go up: take {pointer.generation} or a later."
    if found.age_s > found.retention_s:
        yield f"{stream} is not new: records may have come and gone. Delete it, and make it anew (python -m infra.setup)."
    if found.records and not found.noted:
        yield (
            f"{stream} is not empty, and nobody knows whose records these are. Stop who writes them, delete it, and make it "
            "anew (python -m infra.setup)."
        )
    made = f"python -m infra.setup --generation {generation} makes them; on AWS Terraform does, with its variable"
    if found.counted is None:
        yield f"Generation {generation} has no tables: {made} generations."
    if found.counted and not found.noted and not _may_hold(pointer, found):
        later = max(generation, pointer.generation) + 1
        yield (
            f"The tables of generation {generation} hold what was counted before, and not all of the log. Take new ones: "
            f"telemetry continue --generation {later} (on AWS with Terraform's variable generations first)."
        )
    if found.leases is None:
        yield f"KCL has no tables for the log's stream {number}: {made} stream_number = {number}."
    if found.leases:
        yield (
            f"KCL's leases for stream {number} in generation {generation} are there already, and are of another stream. Delete "
            "their table, and make it anew (python -m infra.setup)."
        )


def _may_hold(pointer: Pointer, found: Found) -> bool:
    """Whether the tables hold a part of this log: the live ones, or others that an archive completes."""
    of_this_log = found.streams[: len(pointer.streams)] == tuple(stream.created for stream in pointer.streams)
    return of_this_log and (found.generation == pointer.generation or found.archived)


def at_work(before: Observation, after: Observation) -> list[str]:
    """Workers that gave a sign of life between two looks, and shards whose rows moved. Pure."""
    workers = (worker for worker in everybody(after) if signs(before, worker) != signs(after, worker))
    shards = (shard_id for shard_id in after.progress if place(before, shard_id) != place(after, shard_id))
    return sorted(workers) + sorted(shards)


def continue_log(kinesis: "KinesisClient", dynamodb: "DynamoDBClient", prefix: str, asked: Asked, means: Means) -> Pointer:
    """Take the stream that is there into the log; the new pointer. Stopped half way, it is to be done again.

    The stream's first shards ask for what any shard before had, so it need not be known how far these came. Raises
    NotContinued, WrongStream, StreamMissing, NotSetUp or Dropped, each with a sentence that names the fix, what `fold` and the
    archive raise, and boto3's errors.
    """
    names = ResourceNames(prefix)
    if (pointer := read_pointer(dynamodb, names)) is None:
        raise NotSetUp(f"{names.generations} holds no pointer: there is no log to continue yet (python -m infra.setup).")
    live, number = pointer.names(prefix), asked.generation or pointer.generation
    require_kept(dynamodb, replace(names, generation=number))
    archived = archived_streams(asked.archive) if asked.archive else []
    streams = streams_with(pointer, stream_created(kinesis, names), archived)
    into = ResourceNames(prefix, number, StreamPlace(len(streams)))
    if means.make_tables:
        means.make_tables(into)

    def check() -> None:
        for why in refusals(pointer, found := _look(kinesis, dynamodb, into, streams, archived=asked.archive is not None)):
            raise NotContinued(why)
        if found.created != streams[-1]:
            raise NotContinued(f"{found.name} was made anew meanwhile: try again.")

    check()
    _require_nobody(lambda: observe_if_there(kinesis, dynamodb, live), means)
    source = ArchiveSource(asked.archive, streams) if asked.archive else None
    begun = begun_shards(AwsTables(dynamodb, into))
    if half := incomplete(begun, source):
        raise NotContinued(_inexact(half, max(number, pointer.generation), archived=source is not None))
    for one in (live, into):  # an installation made them: known they must be when another is live
        take(dynamodb, one, time.time_ns() // 1000)
    if source or begun:
        note_continuing(dynamodb, into, streams[-1])
        means.fold(into, Rest(source, begun, streams))
    if not asked.forget:
        _require_as_many(_counted(dynamodb, live), _counted(dynamodb, into), into)
    check()
    before = pointer
    if streams[:-1] != tuple(stream.created for stream in pointer.streams):
        before = pointer_to(names.stream, streams[:-1], source.shards() if source else (), number)
    continued = before.continued(names.stream, streams[-1], (), number)
    if not replace_pointer(dynamodb, names, pointer, continued):
        raise NotContinued("Somebody else has moved the pointer meanwhile: see telemetry doctor.")
    return continued


def _require_nobody(look: Callable[[], Observation | None], means: Means) -> None:
    before = look()
    means.sleep(means.watched_s)
    after = look()
    if before and after and (moved := at_work(before, after)):
        raise NotContinued(f"Somebody is at work on the stream before: {', '.join(moved)}. Stop the consumers first.")


def _inexact(half: Sequence[str], last: int, *, archived: bool) -> str:
    command = f"telemetry continue --generation {last + 1}"
    return (
        f"The tables cannot go on: of {shards_named(half)} something is half written, as a consumer that dies leaves it, and "
        + (
            f"the archive does not hold what completes it. Fill new ones from the archive: {command}."
            if archived
            else "only an archive completes it. Set ARCHIVE_TARGET to the one that there is; where there is none, new tables "
            f"begin at nothing: {command}."
        )
    )


def _require_as_many(live: int, into: int, names: ResourceNames) -> None:
    if into < live:
        raise NotContinued(
            f"g{names.generation} would count {into:,} readings, {live - into:,} fewer than are counted now: no archive that "
            "was read holds them. If they may be forgotten, say --forget-unarchived."
        )


def _counted(dynamodb: "DynamoDBClient", names: ResourceNames) -> int:
    """How many readings a generation counts; none where it has no tables any more."""
    try:
        return fleet_stats(dynamodb, names).stats.count
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return 0


def _look(
    kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, streams: tuple[str, ...], *, archived: bool
) -> Found:
    created = stream_created(kinesis, names)
    counted = [_holds(dynamodb, table) for table in (names.stats, names.readings, names.dead_letters)]
    registered = read_registered(dynamodb, names)
    return Found(
        name=names.stream,
        created=created,
        age_s=time.time() - float(created),
        retention_s=retention_s(kinesis, names),
        generation=names.generation,
        records=_holds_records(kinesis, names.stream),
        counted=None if None in counted else any(counted),
        leases=_holds(dynamodb, names.application),
        streams=streams,
        archived=archived,
        noted=registered is not None and registered.continuing == created,
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
