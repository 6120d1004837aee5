"""Where reading begins, as the real thing takes it: times before the log, in it, after a shard's end, and to come."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from replay.stream import StreamSource, look_at
from telemetry.events import decode_event, encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import Log, LogRecord
from telemetry.reading import Reading, rfc3339
from telemetry.shards import list_shards
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def split(endpoint: str, java: str) -> Iterator[Stack]:
    """A shard that was closed with a record in it, and its children, of which one has records of at least two seconds later."""
    with new_stack(endpoint, java, shards=1) as stack:
        put(stack, b"early")
        [parent] = list_shards(stack.kinesis, stack.names.stream).open
        stack.kinesis.split_shard(
            StreamName=stack.names.stream, ShardToSplit=parent.shard_id, NewStartingHashKey=str(HASH_KEY_MAX // 2)
        )

        def opened() -> None:
            assert len(list_shards(stack.kinesis, stack.names.stream).open) == 2

        eventually(opened, within_s=60)

        def later() -> None:
            put(stack, b"later")
            arrived_ms = [one.record.arrived_ms for one in read(stack)]
            assert arrived_ms
            assert arrived_ms[-1] >= arrived_ms[0] + 2000

        eventually(later, within_s=60)
        yield stack


def put(stack: Stack, data: bytes) -> None:
    stack.kinesis.put_record(StreamName=stack.names.stream, PartitionKey="key", Data=data)


class Found(NamedTuple):
    """A record and its shard."""

    shard_id: str
    record: LogRecord


def read(stack: Stack, arrived_from_ms: int | None = None) -> list[Found]:
    """What the log holds; LocalStack bears being asked at once."""
    stretch = replace(look_at(stack.kinesis, stack.names.stream), from_ms=arrived_from_ms)
    source = StreamSource(stack.kinesis, stack.names.stream, stretch, sleep=lambda _: None)
    return [Found(page.shard_id, record) for page in Log([source]).pages() for record in page.records]


def test_l07_reading_begins_at_a_time_in_the_log(split: Stack) -> None:
    """What arrived from then on is read, whole; a shard that ended before then gives nothing, and an empty one neither."""
    everything = read(split)
    assert [everything[0].record.data, everything[-1].record.data] == [b"early", b"later"]
    assert everything[0].shard_id != everything[-1].shard_id
    begin_ms = everything[-1].record.arrived_ms - 1000
    found = read(split, begin_ms)
    assert found == everything[-len(found) :]
    # boto3 may send whole seconds.
    assert {one for one in everything if one.record.arrived_ms >= begin_ms} <= set(found)
    assert min(one.record.arrived_ms for one in found) >= begin_ms - 1000


def test_l07_a_time_before_the_log_is_its_oldest_record(split: Stack) -> None:
    """However far before."""
    everything = read(split)
    assert read(split, 1) == read(split, everything[0].record.arrived_ms - HOUR_MS) == everything


def test_l07_kinesis_refuses_a_time_to_come_and_replay_finds_nothing(split: Stack) -> None:
    """Nothing has arrived then."""
    last = read(split)[-1]
    ahead_ms = last.record.arrived_ms + HOUR_MS
    with pytest.raises(split.kinesis.exceptions.InvalidArgumentException):
        split.kinesis.get_shard_iterator(
            StreamName=split.names.stream,
            ShardId=last.shard_id,
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=ahead_ms / 1000,  # type: ignore[arg-type]
        )
    assert read(split, ahead_ms) == []


def replayed(stack: Stack, *options: str) -> Result:
    """What the command answers."""
    return CliRunner(env=stack.environ).invoke(telemetry, ["replay", *options])


def test_l07_a_reading_as_far_ahead_of_its_arrival_as_the_api_takes_is_found_from_its_own_time_on(stack: Stack) -> None:
    """By as much as replay reads further back; who says that readings are less ahead is told what was not read."""
    reading = Reading(time.time_ns() // 1000 + 24 * HOUR_MS * 1000, "ahead", 0)
    put(stack, encode_event(reading, 0))
    since = rfc3339(reading.measured_at_us)
    answer = replayed(stack, "--from", since)
    assert (answer.exit_code, decode_event(answer.stdout_bytes.rstrip())) == (0, reading)
    answer = replayed(stack, "--from", since, "--ahead", "23")
    assert (answer.exit_code, answer.stdout) == (3, "")
    told, nothing = answer.stderr.splitlines()
    assert told.startswith("Reading what arrived from ")
    assert nothing.startswith("Nothing matched: what was read holds no event measured from ")
