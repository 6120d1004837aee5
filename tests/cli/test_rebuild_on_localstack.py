"""A generation rebuilt on LocalStack: out of archive and stream, killed half way, gone on with, proved equal, and dropped."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from archive.folder import FolderTarget
from cli.main import telemetry
from projections.generations import read_pointer
from projections.queries import fleet_stats
from projections.register import read_registered
from telemetry.events import encode_event
from telemetry.processes import end_with_parent
from telemetry.reading import Reading
from telemetry.shards import list_shards
from tests.archive.records import chained
from tests.projections.logs import reading
from tests.support.processes import stop
from tests.support.projected import project, records_of
from tests.support.stack import Stack
from tests.support.waiting import eventually

type Typed = Callable[..., Result]

EARLY = [reading(f"s-{number % 7}", 60 * number, number) for number in range(40)]
LATE = [reading(f"s-{number % 9}", 60 * number, number) for number in range(30, 60)]


@pytest.fixture
def environ(stack: Stack, tmp_path: Path) -> dict[str, str]:
    """What a shell has set."""
    return {**stack.environ, "PORT": "0", "ARCHIVE_TARGET": str(tmp_path / "archive")}


@pytest.fixture
def typed(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setattr("replay.pace.pause_s", lambda _: 0)
    return lambda *words: CliRunner(env=environ).invoke(telemetry, words)


@pytest.fixture
def started(environ: dict[str, str], log: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the command as a process that ends with the test; what it says is in the log."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name("telemetry")), *words],
                env=environ,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
            )
        running.append(process)
        return process

    yield start
    for process in running:
        stop(process)


def put(stack: Stack, readings: list[Reading], *others: bytes) -> None:
    records: Any = [{"PartitionKey": one.sensor_id, "Data": encode_event(one, 0)} for one in readings]
    records += [{"PartitionKey": "odd", "Data": data} for data in others]
    stack.kinesis.put_records(StreamName=stack.names.stream, Records=records)


def archive(stack: Stack, folder: Path) -> None:
    """All that the stream holds by now."""
    pointer = read_pointer(stack.dynamodb, stack.names)
    assert pointer
    folder.mkdir()
    for shard in list_shards(stack.kinesis, stack.names.stream).shards.values():
        records, created = list(records_of(stack, shard)), pointer.stream_created
        if records:
            objects = [part for part in (records[:9], records[9:]) if part]
            chained(FolderTarget(folder), objects, shard=shard, created=created, ended=shard.closed)


def split(stack: Stack) -> None:
    """The first shard; its parent is closed and has two children when this returns."""
    first, _ = list_shards(stack.kinesis, stack.names.stream).open
    middle = str((first.first_hash_key + first.last_hash_key) // 2)
    stack.kinesis.split_shard(StreamName=stack.names.stream, ShardToSplit=first.shard_id, NewStartingHashKey=middle)

    def is_split() -> None:
        shards = list_shards(stack.kinesis, stack.names.stream)
        assert (len(shards.open), shards.shards[first.shard_id].closed) == (3, True)

    eventually(is_split)


def test_a_rebuilt_generation_is_equal(
    stack: Stack, typed: Typed, started: Callable[..., subprocess.Popen[bytes]], environ: dict[str, str], log: Path
) -> None:
    """Of a shard that was split and is archived to its end, and one that is archived in part. The first process is killed as
    soon as it has a number; the second goes on, hands over to consumers that read what is not archived, and ends when the
    generation is dropped. Its number is not used again.
    """
    put(stack, [*EARLY, *EARLY[:5]], b"{broken")
    split(stack)
    archive(stack, Path(environ["ARCHIVE_TARGET"]))
    put(stack, LATE)
    project(stack)
    second = replace(stack.names, generation=2)
    assert "g2 would be filled beside g1" in typed("rebuild", "--dry-run").stdout
    assert read_registered(stack.dynamodb, second) is None

    first = started("rebuild")
    eventually(lambda: _registered(stack), within_s=60)
    first.kill()
    first.wait()

    rebuilding = started("rebuild", "--generation", "g2")

    def is_ready() -> None:
        assert rebuilding.poll() is None, log.read_text()
        assert "g2  ready" in log.read_text()

    eventually(is_ready, within_s=240)
    counted, duplicates = len({*EARLY, *LATE}), 5 + len({*EARLY} & {*LATE})

    def is_caught_up() -> None:
        rows = fleet_stats(stack.dynamodb, second).shards.values()
        assert (sum(one.stats.count for one in rows), sum(one.stats.duplicates for one in rows)) == (counted, duplicates)

    eventually(is_caught_up, within_s=60)
    for generation in ("g1", "g2"):
        answer = typed("verify", generation)
        said = f"Equal: generation {generation[1:]}, {counted + duplicates} readings"
        assert (answer.exit_code, answer.stdout.startswith(said)) == (0, True), answer.output

    answer = typed("drop", "g1")
    assert (answer.exit_code, "Error: g1 is live" in answer.stderr) == (1, True), answer.output
    answer = typed("drop", "g2")
    assert (answer.exit_code, answer.stdout) == (0, "g2 is dropped; 6 tables are deleted.\n"), answer.output
    assert rebuilding.wait(60) == 1
    assert "g2 was dropped" in log.read_text()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        stack.dynamodb.describe_table(TableName=second.stats)
    answer = typed("rebuild", "--generation", "2")
    assert (answer.exit_code, "never used again" in answer.stderr) == (1, True), answer.output
    assert "g3 would be filled" in typed("rebuild", "--dry-run").stdout


def _registered(stack: Stack) -> None:
    assert read_registered(stack.dynamodb, replace(stack.names, generation=2))
