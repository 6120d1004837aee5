"""When the log may go on in a new stream: decisions on what was found, and the one write on LocalStack."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from archive.targets import MemoryTarget
from infra.setup import names_now, set_up
from operations.continuing import Asked, Found, Means, at_work, continue_log, refusals, streams_with
from operations.observation import Lease, Observation, Worker
from projections.generations import LogStream, Pointer, check_stream, read_pointer
from projections.register import read_register
from projections.rows import PROGRESS, Progress, Row
from telemetry.errors import NotContinued, StreamMissing, WrongStream
from telemetry.log import LogRecord, Source
from telemetry.names import ResourceNames
from telemetry.shards import ShardMap
from telemetry.streams import UNKNOWN_PARENT, StreamPlace
from tests.archive.records import SHARD, chained
from tests.operations.logs import KilledError
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually

POINTER = Pointer(3, (LogStream("s", "1700000000.000"), LogStream("s", "1700000100.000", ("shardId-0",))))
GOOD = Found(
    name="s",
    created="1700000200.000",
    age_s=60,
    retention_s=86_400,
    generation=4,
    records=False,
    counted=False,
    leases=False,
    streams=("1700000000.000", "1700000100.000", "1700000200.000"),
)
REGION = Pointer(1, (LogStream("s", "1700000200.000"),))
"""Of a new environment, that is to go on with the archive of another."""
FAR = replace(GOOD, generation=1, archived=True)


def test_a_new_and_empty_stream_may_be_counted_in_empty_tables() -> None:
    """Of the live generation or a later one."""
    assert [*refusals(POINTER, GOOD), *refusals(POINTER, replace(GOOD, generation=3))] == []


@pytest.mark.parametrize(
    "found",
    [
        replace(GOOD, counted=True, generation=3),
        replace(GOOD, counted=True, archived=True),
        replace(GOOD, counted=True, noted=True, records=True),
    ],
    ids=["the live ones", "a part of what is archived", "what was begun here"],
)
def test_tables_that_hold_a_part_of_the_log_may_go_on(found: Found) -> None:
    """With what completes them, if anything has to. The records are strays that were sent home by who began it."""
    assert list(refusals(POINTER, found)) == []


def test_a_new_environment_goes_on_with_the_archive_of_another() -> None:
    """Where nothing was stored or counted, but for what was begun before a kill."""
    assert list(refusals(REGION, FAR)) == []
    assert list(refusals(REGION, replace(FAR, counted=True, records=True, noted=True))) == []
    assert any("hold what was counted before" in why for why in refusals(REGION, replace(FAR, counted=True)))
    assert any("not empty" in why for why in refusals(REGION, replace(FAR, records=True)))


def test_the_log_to_be_holds_the_archives_streams() -> None:
    """Before the new one; those that it had already where they stand. Another log's archive is none of its business."""
    first, second, third = GOOD.streams
    assert streams_with(POINTER, third, ()) == streams_with(POINTER, third, (second,)) == GOOD.streams
    assert streams_with(POINTER, second, ()) == (first, second)
    assert streams_with(REGION, third, (first, second)) == streams_with(REGION, third, GOOD.streams) == GOOD.streams
    with pytest.raises(NotContinued, match="streams that this log never had, the first created at 1600000000"):
        streams_with(POINTER, third, ("1600000000.000", first))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"created": "1700000100.000", "streams": GOOD.streams[:2], "records": True, "counted": True, "leases": True},
            "nothing to continue",
        ),
        ({"generation": 2}, r"numbers only go up: take 3 or a later"),
        ({"age_s": 86_401}, r"s is not new.*make it anew \(python -m infra\.setup\)"),
        ({"records": True}, r"s is not empty.*make it anew \(python -m infra\.setup\)"),
        ({"counted": True}, r"not all of the log.*telemetry continue --generation 5"),
        ({"counted": None}, r"Generation 4 has no tables: python -m infra\.setup --generation 4"),
        ({"leases": True}, r"leases for stream 3 in generation 4 .*make it anew \(python -m infra\.setup\)"),
        ({"leases": None}, r"no tables for the log's stream 3: .*--generation 4 .*stream_number = 3"),
    ],
)
def test_anything_else_is_refused_with_the_way_out(change: Mapping[str, Any], said: str) -> None:
    """One sentence for each thing that is in the way."""
    [sentence] = refusals(POINTER, replace(GOOD, **change))
    with pytest.raises(NotContinued, match=said):
        raise NotContinued(sentence)


@pytest.mark.parametrize("created", ["1700000000.000", "1699999999.000"])
def test_an_older_stream_is_not_the_logs_next(created: str) -> None:
    """One that it had, or that it never had."""
    with pytest.raises(WrongStream, match="new stream only"):
        list(refusals(POINTER, replace(GOOD, created=created, streams=(*GOOD.streams[:2], created))))


def look(beat: str = "1", counter: int = 1, position: int = 1, owner: str = "me") -> Observation:
    """What is left behind by a worker on one shard, or by one at work."""
    leases, workers = {"a": Lease(owner, counter, ended=False)}, {"me": Worker(beat, measured=False)}
    return Observation(ShardMap(()), leases, workers, None, {"a": Row(PROGRESS, position, progress=Progress(beat=7))})


def test_who_leaves_everything_as_it_is_is_not_at_work() -> None:
    """However much of it there is."""
    assert at_work(look(), look()) == []


@pytest.mark.parametrize(
    ("after", "seen"),
    [(look(beat="2"), ["me"]), (look(counter=2), ["me"]), (look(position=2), ["a"]), (look(owner="you"), ["me", "you"])],
)
def test_who_changes_anything_is_at_work(after: Observation, seen: list[str]) -> None:
    """A time stamp, a lease's counter or owner, a row."""
    assert at_work(look(), after) == seen


@pytest.fixture
def lost(endpoint: str, java: str) -> Iterator[Stack]:
    """A stack whose stream was deleted, of a log that nothing was ever counted of."""
    with new_stack(endpoint, java, shards=1) as made:
        made.kinesis.delete_stream(StreamName=made.names.stream)
        eventually(partial(_gone, made))
        yield made


def _nothing_to_fold(_: ResourceNames, _source: Source) -> None:
    raise AssertionError


def _gone(stack: Stack) -> None:
    assert stack.names.stream not in stack.kinesis.list_streams(Limit=1000)["StreamNames"]


def test_the_log_goes_on_in_the_stream_that_follows(lost: Stack) -> None:
    """Before the stream is there, and before KCL's tables are, it is refused. All generations are registered."""
    kinesis, dynamodb, names = lost.kinesis, lost.dynamodb, lost.names
    before, waits = read_pointer(dynamodb, names), list[float]()

    def goes_on() -> Pointer:
        return continue_log(kinesis, dynamodb, names.prefix, Asked(), Means(_nothing_to_fold, None, 3, waits.append))

    with pytest.raises(StreamMissing, match=r"infra\.setup"):
        goes_on()
    set_up(kinesis, dynamodb, names, shards=1)  # as processes do that know of one stream only
    with pytest.raises(NotContinued, match="KCL has no tables"):
        goes_on()
    second = names_now(kinesis, dynamodb, names.prefix)
    assert second == replace(names, place=StreamPlace(2))
    set_up(kinesis, dynamodb, second)
    assert (read_pointer(dynamodb, names), waits) == (before, [])
    pointer = goes_on()
    assert (pointer, waits) == (check_stream(kinesis, dynamodb, names), [3])
    assert pointer.place == StreamPlace(2, (UNKNOWN_PARENT,))
    assert (
        names_now(kinesis, dynamodb, names.prefix)
        == pointer.names(names.prefix)
        == ResourceNames(names.prefix, 1, pointer.place)
    )
    assert read_register(dynamodb, names).keys() == {1}
    with pytest.raises(NotContinued, match="nothing to continue"):
        goes_on()
    _remove_kcls(lost, second)


def test_a_stream_with_a_record_or_a_worker_is_not_taken(lost: Stack) -> None:
    """A record that nobody knows the writer of; a worker that is at work on the stream before, seen while it is watched."""
    kinesis, dynamodb, names = lost.kinesis, lost.dynamodb, lost.names
    before = read_pointer(dynamodb, names)
    set_up(kinesis, dynamodb, second := names_now(kinesis, dynamodb, names.prefix))

    def works(_: float) -> None:
        dynamodb.put_item(TableName=names.workers, Item={"wid": {"S": "worker-7"}, "lut": {"N": "2"}})

    def writes(_: float) -> None:
        kinesis.put_record(StreamName=names.stream, PartitionKey="a", Data=b"{}\n")

    for meanwhile, said in ((works, "worker-7"), (writes, "not empty")):
        with pytest.raises(NotContinued, match=said):
            continue_log(kinesis, dynamodb, names.prefix, Asked(), Means(_nothing_to_fold, None, 3, meanwhile))
    assert read_pointer(dynamodb, names) == before
    _remove_kcls(lost, second)


def test_what_was_stopped_half_way_goes_on(lost: Stack) -> None:
    """Though a stray was sent home to the new stream by then. Where nobody began it, a record there is refused."""
    kinesis, dynamodb, names = lost.kinesis, lost.dynamodb, lost.names
    before = read_pointer(dynamodb, names)
    assert before
    chained(target := MemoryTarget(), [[LogRecord(1, 1, b"{}")]], created=before.stream_created)
    set_up(kinesis, dynamodb, second := names_now(kinesis, dynamodb, names.prefix), shards=1)
    asked, folded = Asked(archive=target), list[tuple[ResourceNames, Source]]()

    def dies(into: ResourceNames, rest: Source) -> None:
        kinesis.put_record(StreamName=names.stream, PartitionKey="a", Data=b"{}\n")
        raise KilledError

    def goes_on(fold: Callable[[ResourceNames, Source], object]) -> Pointer:
        return continue_log(kinesis, dynamodb, names.prefix, asked, Means(fold, None, 0, lambda _: None))

    with pytest.raises(KilledError):
        goes_on(dies)
    assert read_pointer(dynamodb, names) == before
    pointer = goes_on(lambda into, rest: folded.append((into, rest)))
    [(into, rest)] = folded
    assert (into, pointer.place) == (second, StreamPlace(2, (UNKNOWN_PARENT,)))
    assert [shard.shard_id for shard in rest.shards()] == [SHARD.shard_id]
    _remove_kcls(lost, second)


def _remove_kcls(stack: Stack, names: ResourceNames) -> None:
    for table in (names.application, names.coordinator, names.workers):
        stack.dynamodb.delete_table(TableName=table)
