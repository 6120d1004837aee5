"""The real child process in a conversation as KCL's daemon holds it, on a stack of LocalStack."""

import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from consumer.composition import GENERATION_VARIABLE, PINNED_VARIABLE
from consumer.processor import EXIT_STATUS
from consumer.properties import PROCESSOR_MB
from infra.setup import load_definition, set_up
from projections.items import read_row
from projections.queries import fleet_stats
from projections.rows import Row
from telemetry.events import encode_event
from telemetry.limits import RECORD_BYTES_MAX
from telemetry.names import ResourceNames
from telemetry.reading import Reading
from tests.consumer.conversation import (
    ARRIVED_MS,
    LEASE_LOST,
    SHARD_ENDED,
    SHUTDOWN_REQUESTED,
    acknowledge,
    checkpoint,
    child,
    done,
    initialize,
    process_records,
)
from tests.support.stack import Stack

SEQUENCE = 10**55
"""A sequence number of 56 digits, as Kinesis gives them."""


@pytest.fixture
def shard() -> str:
    """A shard that no other test uses. The stream does not list it, so every sensor belongs to it."""
    return f"shardId-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def line() -> bytes:
    """The event of a reading that no other test uses."""
    return encode_event(Reading(1_700_000_000_000_000, uuid.uuid4().hex, 18_700_000), 0) + b"\n"


@pytest.fixture
def unready_names(stack: Stack) -> Iterator[ResourceNames]:
    """Generation 7, whose readings table is missing."""
    names = replace(stack.names, generation=7)
    set_up(stack.kinesis, stack.dynamodb, names)
    stack.dynamodb.delete_table(TableName=names.readings)
    yield names
    for table in load_definition(names)["tables"].values():
        if "-g7" in table["name"] and table["name"] != names.readings:
            stack.dynamodb.delete_table(TableName=table["name"])


def progress(stack: Stack, shard: str) -> Row:
    return fleet_stats(stack.dynamodb, stack.names).shards[shard]


def test_h05_all_lifecycle_methods_through_a_kcl_conversation(stack: Stack, shard: str, line: bytes, log: Path) -> None:
    """Each of KCL's five calls is answered, and what it promises is in the tables by then."""
    with child(stack.environ, log) as talking:
        assert talking.exchange(initialize(shard)) == done("initialize")
        assert talking.exchange(process_records({SEQUENCE: line})) == checkpoint(SEQUENCE)
        assert progress(stack, shard).stats.count == 1
        assert talking.exchange(acknowledge(SEQUENCE)) == done("processRecords")
        assert talking.exchange(process_records({})) == done("processRecords")
        assert talking.exchange(process_records({SEQUENCE + 1: line}, behind_ms=5000)) == done("processRecords")
        assert progress(stack, shard).position == SEQUENCE
        assert talking.exchange(SHUTDOWN_REQUESTED) == checkpoint(SEQUENCE + 1)
        assert progress(stack, shard).progress.flushed.position == SEQUENCE + 1
        assert talking.exchange(acknowledge(SEQUENCE + 1)) == done("shutdownRequested")
        assert talking.exchange(LEASE_LOST) == done("leaseLost")
        assert talking.exchange(SHARD_ENDED) == checkpoint(None)
        assert talking.exchange(acknowledge(None)) == done("shardEnded")
        assert talking.end() == 0


def test_s03_the_end_of_an_open_shard_is_not_believed(stack: Stack, log: Path) -> None:
    """KCL says so when Kinesis once did not find it: the child exits without a checkpoint, and no row notes an end."""
    shard = stack.kinesis.list_shards(StreamName=stack.names.stream)["Shards"][0]["ShardId"]
    with child({**stack.environ, "STORE_RETRY_S": "1"}, log) as talking:
        assert talking.exchange(initialize(shard)) == done("initialize")
        talking.say(SHARD_ENDED)
        assert talking.wait() == EXIT_STATUS
        assert "".join(talking.rest()).strip() == ""
    assert f"{shard} is said to have ended" in log.read_text()
    assert shard not in fleet_stats(stack.dynamodb, stack.names).shards


def test_a_second_child_goes_on_where_the_first_was_killed(stack: Stack, shard: str, line: bytes, log: Path) -> None:
    """SIGKILL before the checkpoint was acknowledged: the same record again is recognised and not counted again."""
    for _ in range(2):
        with child(stack.environ, log) as talking:
            talking.exchange(initialize(shard))
            assert talking.exchange(process_records({SEQUENCE: line})) == checkpoint(SEQUENCE)
            os.kill(talking.pid, signal.SIGKILL)
    assert (progress(stack, shard).stats.count, progress(stack, shard).stats.duplicates) == (1, 0)


def test_s08_an_answer_of_ten_megabytes_fits_into_the_memory_of_a_record_processor(
    stack: Stack, shard: str, line: bytes, log: Path
) -> None:
    """The largest that GetRecords gives, as ten records of the largest size; the bound is the one in Terraform's rule."""
    padded = line + b" " * (RECORD_BYTES_MAX - len(line))
    with child(stack.environ, log) as talking:
        assert talking.exchange(initialize(shard)) == done("initialize")
        for first in (SEQUENCE, SEQUENCE + 10):
            records = {first + number: padded for number in range(10)}
            answer = talking.exchange(process_records(records, behind_ms=60_000))
            while answer["action"] == "checkpoint":
                answer = talking.exchange(acknowledge(int(answer["sequenceNumber"])))
            assert answer == done("processRecords")
        peak_mb = int(Path(f"/proc/{talking.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
        assert peak_mb <= PROCESSOR_MB, peak_mb
        assert talking.end() == 0


CHATTY = """
import ctypes, os, subprocess, sys
from projections.projector import ShardProjector

print_nothing, libc = ShardProjector.project, ctypes.CDLL(None)

def project(self, records, *, caught_up):
    print("from print()")
    sys.stdout.write("half a line")
    sys.__stdout__.write("from the interpreter's own stdout")
    sys.__stdout__.flush()
    os.write(1, b'{"action":')
    libc.puts(b"from C")
    libc.fflush(None)
    subprocess.run(["echo", "from another program"], check=True)
    return (yield from print_nothing(self, records, caught_up=caught_up))

ShardProjector.project = project
from consumer.child import main
main()
"""


def test_h02_prints_from_everywhere_never_reach_the_protocol(stack: Stack, shard: str, line: bytes, log: Path) -> None:
    """print(), os.write(1), libc and other programs write while a batch is processed: all of it goes to standard error."""
    with child(stack.environ, log, CHATTY) as talking:
        assert talking.exchange(initialize(shard)) == done("initialize")
        assert talking.exchange(process_records({SEQUENCE: line})) == checkpoint(SEQUENCE)
        assert talking.exchange(acknowledge(SEQUENCE)) == done("processRecords")
        assert talking.end() == 0
        assert "".join(talking.rest()).strip() == ""
    errors = log.read_text()
    for text in ("from print()", "half a line", "interpreter's own", '{"action":', "from C", "from another program"):
        assert text in errors


def test_h01_an_exception_ends_the_process_before_the_batch_is_reported(
    stack: Stack, unready_names: ResourceNames, shard: str, line: bytes, log: Path
) -> None:
    """A table does not answer within the patience: the child exits with its status and never says that it is done."""
    environ = {**stack.environ, GENERATION_VARIABLE: str(unready_names.generation), PINNED_VARIABLE: "1", "STORE_RETRY_S": "1"}
    with child(environ, log) as talking:
        assert talking.exchange(initialize(shard)) == done("initialize")
        talking.say(process_records({SEQUENCE: line}))
        assert talking.wait() == EXIT_STATUS
        assert "".join(talking.rest()).strip() == ""
    assert "record_processor_exits" in log.read_text()


def test_h08_sigterm_and_sigint_are_left_to_the_daemon(stack: Stack, shard: str, line: bytes, log: Path) -> None:
    """A signal to the whole group does not end a child: the daemon tells it by shutdownRequested."""
    with child(stack.environ, log) as talking:
        assert talking.exchange(initialize(shard)) == done("initialize")
        os.kill(talking.pid, signal.SIGTERM)
        os.kill(talking.pid, signal.SIGINT)
        assert talking.exchange(process_records({SEQUENCE: line})) == checkpoint(SEQUENCE)
        assert talking.exchange(acknowledge(SEQUENCE)) == done("processRecords")
        assert talking.end() == 0


@pytest.mark.parametrize("timezone", ["America/New_York", "Asia/Kathmandu"])
def test_h22_arrival_is_read_from_milliseconds_whatever_the_timezone(
    stack: Stack, shard: str, log: Path, timezone: str
) -> None:
    """The machine's local time reaches neither a dead letter's arrival nor a row's as_of."""
    with child({**stack.environ, "TZ": timezone}, log) as talking:
        talking.exchange(initialize(shard))
        assert talking.exchange(process_records({SEQUENCE: b"{broken"}, behind_ms=5000)) == done("processRecords")
        assert talking.exchange(SHUTDOWN_REQUESTED) == checkpoint(SEQUENCE)
        assert talking.exchange(acknowledge(SEQUENCE)) == done("shutdownRequested")
    (letter,) = stack.dynamodb.query(
        TableName=stack.names.dead_letters,
        KeyConditionExpression="shard_id = :shard",
        ExpressionAttributeValues={":shard": {"S": shard}},
        ConsistentRead=True,
    )["Items"]
    assert letter["arrived"] == {"S": "2023-11-14T22:13:20.25Z"}
    assert progress(stack, shard).as_of_us == ARRIVED_MS * 1000


def test_the_shards_own_range_decides_what_is_misrouted(stack: Stack, line: bytes, log: Path) -> None:
    """On a shard that the stream lists, an event of another shard's sensor is appended to the stream and not counted."""
    ends = [shard["ShardId"] for shard in stack.kinesis.list_shards(StreamName=stack.names.stream)["Shards"]]
    with child(stack.environ, log) as one, child(stack.environ, log) as other:
        for talking, shard in zip((one, other), ends, strict=True):
            talking.exchange(initialize(shard))
            assert talking.exchange(process_records({SEQUENCE: line})) == checkpoint(SEQUENCE)
    assert sorted(progress(stack, shard).stats.count for shard in ends) == [0, 1]


def test_rows_of_another_generation_are_left_alone(stack: Stack, shard: str, line: bytes, log: Path) -> None:
    """A child fills the tables of the generation its supervisor names."""
    names = replace(stack.names, generation=8)
    set_up(stack.kinesis, stack.dynamodb, names)
    with child({**stack.environ, GENERATION_VARIABLE: "8", PINNED_VARIABLE: "1"}, log) as talking:
        talking.exchange(initialize(shard))
        assert talking.exchange(process_records({SEQUENCE: line})) == checkpoint(SEQUENCE)
    found = stack.dynamodb.scan(TableName=names.stats)["Items"]
    rows = [read_row(item)[0] for item in found if not item["scope"]["S"].startswith("directory#")]
    for table in load_definition(names)["tables"].values():
        if "-g8" in table["name"]:
            stack.dynamodb.delete_table(TableName=table["name"])
    assert set(rows) == {shard}
    assert shard not in fleet_stats(stack.dynamodb, stack.names).shards
