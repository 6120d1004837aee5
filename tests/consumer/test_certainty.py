"""What is asked before a shard is begun or ended: of a stream and a lease table that tell what a test has them tell."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from consumer.certainty import Certainty
from consumer.processor import EXIT_STATUS, ShardRecordProcessor
from projections.effects import run
from projections.memory import MemoryStores
from projections.projector import ShardProjector
from projections.rows import PROGRESS
from telemetry.errors import StoreUnavailable, StreamMissing, WrongStream
from telemetry.names import ResourceNames
from telemetry.shards import Shard
from telemetry.streams import UNKNOWN_PARENT, StreamPlace
from tests.consumer.conversation import SHARD_ENDED, acknowledge, checkpoint, converse, done, initialize
from tests.projections.logs import Clock, reading, record, sensors_of

NAMES = ResourceNames("telemetry-test")
SECOND = ResourceNames("telemetry-test", place=StreamPlace(2, ("shardId-1",)))
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
PARENT = Shard("parent", 0, 99, closed=True)
CHILD = Shard("child", 0, 2**127, ("parent",))


def refused(code: str = "ResourceNotFoundException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "told"}}, "Call")


@dataclass
class Stream:
    """What Kinesis and DynamoDB tell; as a test sets it."""

    shards: Sequence[Shard] = (CHILD,)
    hidden: int = 0
    """So many looks do not show any shard yet."""
    readable: bool = True
    """Shards can be read, listed or not."""
    records: int = 0
    """Records that have not been read."""
    created: datetime = CREATED
    describes: list[ClientError] = field(default_factory=list)
    """What the next questions for the stream's creation are answered with instead."""
    lease: dict[str, Any] = field(default_factory=dict)
    before: Sequence[Sequence[str]] = ()
    """Of each stream that the log had before this one, its last shards."""
    looks: int = 0
    iterators: list[dict[str, Any]] = field(default_factory=list)

    def describe_stream_summary(self, **_: Any) -> Any:
        if self.describes:
            raise self.describes.pop(0)
        return {"StreamDescriptionSummary": {"StreamCreationTimestamp": self.created, "StreamStatus": "ACTIVE"}}

    def list_shards(self, **_: Any) -> Any:
        self.looks += 1
        shown = self.shards if self.looks > self.hidden else ()
        return {
            "Shards": [
                {
                    "ShardId": shard.shard_id,
                    "HashKeyRange": {"StartingHashKey": shard.first_hash_key, "EndingHashKey": shard.last_hash_key},
                    "SequenceNumberRange": {"EndingSequenceNumber": "9"} if shard.closed else {},
                    **({"ParentShardId": shard.parents[0]} if shard.parents else {}),
                }
                for shard in shown
            ]
        }

    def get_shard_iterator(self, **asked: Any) -> Any:
        self.iterators.append(asked)
        if not self.readable:
            raise refused()
        return {"ShardIterator": "iterator"}

    def get_records(self, **_: Any) -> Any:
        return {"Records": [{}] * self.records}

    def get_item(self, TableName: str, **_: Any) -> Any:  # noqa: N803  boto3's name
        if TableName == NAMES.generations:
            return {"Item": self._pointer()}
        return {"Item": self.lease} if self.lease else {}

    def _pointer(self) -> Any:
        times = [f"{CREATED.timestamp() - earlier:.3f}" for earlier in range(len(self.before), -1, -1)]
        later = [
            {"M": {"name": {"S": "s"}, "created": {"S": time}, "before": {"L": [{"S": one} for one in last]}}}
            for time, last in zip(times[1:], self.before, strict=True)
        ]
        continued = {"continued": {"L": later}} if later else {}
        return {"generation": {"N": "1"}, "stream_created": {"S": times[0]}, **continued}


def asked(stream: Any, patience_s: float = 0.2, names: ResourceNames = NAMES) -> Certainty:
    return Certainty(stream, stream, names, patience_s)


def test_s07_a_child_that_is_not_listed_yet_is_waited_for() -> None:
    """Its range and its parents are those that ListShards shows in the end."""
    stream = Stream(hidden=5)
    assert asked(stream, 20).find("child") == CHILD
    assert stream.looks == 6


@pytest.mark.parametrize("readable", [True, False], ids=["its iterator is there", "neither is its iterator"])
def test_s07_a_retry_in_a_hidden_child_of_a_reading_in_the_parent_counts_once(readable: bool) -> None:
    """Whatever the stream does not show yet, what the parents counted is asked for."""
    stores = MemoryStores()
    sensor = sensors_of(CHILD, 1)[0]
    parent = ShardProjector(replace(CHILD, shard_id="parent", parents=()), Clock())
    child = ShardProjector(asked(Stream(hidden=5, readable=readable), 20).find("child"), Clock())
    for projector in (parent, child):
        run(projector.start(), stores)
        run(projector.project([record(1, reading(sensor))], caught_up=True), stores)
        run(projector.flush(), stores)
    totals = stores.total_rows()
    assert (totals["parent"].stats.count, totals["child"].stats.count, totals["child"].stats.duplicates) == (1, 0, 1)


def test_s07_a_shard_that_is_there_and_never_listed_is_not_begun() -> None:
    """KCL is left to try again, rather than that range and parents are guessed."""
    with pytest.raises(StoreUnavailable, match="child is not shown by ListShards"):
        asked(Stream(shards=())).find("child")


def test_open_shards_are_counted_once_they_are_listed() -> None:
    """Closed ones write nothing."""
    stream = Stream(shards=(PARENT, CHILD, replace(CHILD, shard_id="other")), hidden=1)
    assert asked(stream, 20).open_shards() == 2


def test_s07_an_expired_shard_is_what_its_lease_says() -> None:
    """Neither listed nor readable: KCL's own note tells range and parents."""
    lease = {"startingHashKey": {"S": "7"}, "endingHashKey": {"S": "9"}, "parentShardId": {"SS": ["parent"]}}
    expired = Stream(shards=(), readable=False, lease=lease)
    assert asked(expired).find("child") == Shard("child", 7, 9, ("parent",), closed=True)
    assert asked(Stream(shards=(), readable=False)).find("child").parents, "what parents had is asked for in any case"


def test_s02_no_shard_of_another_stream_is_begun_or_ended() -> None:
    """Shard ids repeat: the stream's creation is compared with the pointer each time."""
    stream = Stream(created=datetime(2026, 1, 2, tzinfo=UTC), shards=(replace(CHILD, closed=True),))
    with pytest.raises(WrongStream):
        asked(stream).find("child")
    with pytest.raises(WrongStream):
        asked(stream).has_ended("child", 1)


def test_s02_a_missing_stream_has_a_sentence_of_its_own() -> None:
    """Deleted and not made again."""
    with pytest.raises(StreamMissing, match="is not there"):
        asked(Stream(describes=[refused()])).find("child")
    with pytest.raises(StreamMissing, match="is not there"):
        asked(Stream(describes=[refused()])).has_ended("child", 1)


def test_s02_a_right_that_lacks_proves_nothing() -> None:
    """A shard is begun as before; its end is written down only by those who can be sure."""
    assert asked(Stream(describes=[refused("AccessDeniedException")])).find("child") == CHILD
    assert asked(Stream(describes=[refused("LimitExceededException")])).find("child") == CHILD
    with pytest.raises(ClientError):
        asked(Stream(describes=[refused("AccessDeniedException")])).has_ended("child", 1)


@pytest.mark.parametrize(
    ("stream", "ended"),
    [
        (Stream(), False),
        (Stream(readable=False), False),
        (Stream(shards=[replace(CHILD, closed=True)]), True),
        (Stream(shards=[replace(CHILD, closed=True)], readable=False), True),
        (Stream(shards=[replace(CHILD, closed=True)], records=1), False),
        (Stream(shards=[replace(CHILD, closed=True)], hidden=1), True),
        (Stream(shards=()), False),
        (Stream(shards=(), readable=False), True),
        (Stream(hidden=1, readable=False), False),
    ],
    ids=[
        "open",
        "open and once not found",
        "closed",
        "closed and not to be read",
        "closed with records left",
        "closed and hidden once",
        "there and not listed",
        "expired",
        "open and hidden once",
    ],
)
def test_s03_an_end_is_believed_only_of_a_closed_shard_without_records_left(stream: Stream, ended: bool) -> None:
    """KCL takes one ResourceNotFoundException for the end of a shard."""
    assert asked(stream).has_ended("child", 5) is ended


def test_s03_what_is_left_is_looked_for_after_what_was_read() -> None:
    """From the last record applied, or from the beginning when there was none."""
    for position, kind in ((5, "AFTER_SEQUENCE_NUMBER"), (0, "TRIM_HORIZON")):
        stream = Stream(shards=[replace(CHILD, closed=True)])
        asked(stream).has_ended("child", position)
        assert stream.iterators[-1]["ShardIteratorType"] == kind


@pytest.mark.parametrize("ended", [True, False])
def test_s03_an_end_that_is_not_certain_is_not_written_down(ended: bool) -> None:
    """Neither in the progress row nor in the lease: the process exits without a checkpoint."""
    stores, positions = MemoryStores(), []

    def has_ended(shard_id: str, position: int) -> bool:
        positions.append((shard_id, position))
        return ended

    processor = ShardRecordProcessor(lambda _: (ShardProjector(CHILD, Clock()), stores), has_ended)
    began = {**initialize("child"), "sequenceNumber": "41"}
    answers, status = converse(processor, began, SHARD_ENDED, acknowledge(None))
    assert positions == [("child", 41)]
    if ended:
        assert (answers[1:], status) == ([checkpoint(None), done("shardEnded")], None)
        assert stores.rows["child", PROGRESS].progress.ended
    else:
        assert (answers, status, stores.rows) == ([done("initialize")], EXIT_STATUS, {})


def test_a_shard_of_a_later_stream_is_asked_for_by_kinesis_id_and_known_by_the_logs() -> None:
    """A first one descends from the last shards of the stream before; what is expired, from whatever there was."""
    root = Shard("child", 0, 99)
    assert asked(Stream(shards=(root,), before=[["shardId-1"]]), names=SECOND).find("2/child") == Shard(
        "2/child", 0, 99, ("shardId-1",)
    )
    expired = Stream(shards=(), readable=False, before=[["shardId-1"]], lease={"parentShardId": {"SS": ["parent"]}})
    assert asked(expired, names=SECOND).find("2/child").parents == ("2/parent",)
    expired.lease.clear()
    assert asked(expired, names=SECOND).find("2/child").parents == (UNKNOWN_PARENT,)
    closed = Stream(shards=(replace(root, closed=True),), before=[["shardId-1"]])
    assert asked(closed, names=SECOND).has_ended("2/child", 5)
    assert {one["ShardId"] for one in [*expired.iterators, *closed.iterators]} == {"child"}


@pytest.mark.parametrize("before", [[], [["shardId-1"], ["2/child"]], [["another"]]], ids=["behind", "ahead", "another log"])
def test_no_shard_is_begun_or_ended_once_the_log_has_gone_on(before: Sequence[Sequence[str]]) -> None:
    """A process of an earlier stream would read the one that is there now under names that are not its own."""
    stream = Stream(shards=(replace(CHILD, closed=True),), before=before)
    with pytest.raises(WrongStream, match="has gone on"):
        asked(stream, names=SECOND).find("2/child")
    with pytest.raises(WrongStream, match="has gone on"):
        asked(stream, names=SECOND).has_ended("2/child", 1)


def test_kcls_shard_is_called_as_in_the_log() -> None:
    """In rows, and in what is asked before its end is believed."""
    stores, ended = MemoryStores(), []

    def open_shard(shard_id: str) -> tuple[ShardProjector, MemoryStores]:
        return ShardProjector(replace(CHILD, shard_id=shard_id), Clock()), stores

    def has_ended(shard_id: str, _: int) -> bool:
        ended.append(shard_id)
        return True

    processor = ShardRecordProcessor(open_shard, has_ended, SECOND.place)
    converse(processor, initialize("child"), SHARD_ENDED, acknowledge(None))
    assert ended == ["2/child"]
    assert {shard_id for shard_id, _ in stores.rows} == {"2/child"}
