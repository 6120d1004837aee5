"""The archiver as a process, on LocalStack: rivals, a reshard, a stop, and what the archive then holds."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from archive.chain import archived_shards
from archive.folder import FolderTarget
from archive.names import shard_prefix
from archive.objects import ObjectReader
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.reading import Reading
from telemetry.records import encode_record
from telemetry.shards import list_shards
from tests.support.logs import log_lines
from tests.support.processes import free_port, start, stop
from tests.support.stack import Stack
from tests.support.waiting import eventually


def archived(target: FolderTarget) -> dict[str, list[LogRecord]]:
    """The records of each shard, read from the folder by names alone; the chains are whole."""
    [created] = [path.name for path in (target._folder / "log").iterdir()]
    found: dict[str, list[LogRecord]] = {}
    for shard_id in archived_shards(target, created):
        records = found.setdefault(shard_id, [])
        for key in target.list_after(shard_prefix(created, shard_id)):
            with target.get(key) as source:
                reader = ObjectReader(source, key)
                records += reader.records()
                assert reader.head.gap is None
    return found


def told(records: Mapping[str, list[LogRecord]]) -> dict[str, list[int]]:
    """Their numbers, of shards that have any."""
    return {shard_id: [record.sequence_number for record in held] for shard_id, held in records.items() if held}


def write(stack: Stack, first: int, count: int, written: dict[str, list[int]]) -> None:
    """Records of some readings each, over all shards; Kinesis tells where they are."""
    sensors = {f"sensor-{number}": number % 5 + 1 for number in range(first, first + count)}
    records = {
        sensor: encode_record([encode_event(Reading(at * 10**6, sensor, at), 0) for at in range(readings)])
        for sensor, readings in sensors.items()
    }
    answer = stack.kinesis.put_records(
        StreamName=stack.names.stream, Records=[{"PartitionKey": sensor, "Data": data} for sensor, data in records.items()]
    )
    assert answer["FailedRecordCount"] == 0
    for receipt in answer["Records"]:
        written.setdefault(receipt["ShardId"], []).append(int(receipt["SequenceNumber"]))


def environ(stack: Stack, folder: Path, **more: str) -> dict[str, str]:
    return {**stack.environ, "ARCHIVE_TARGET": str(folder), "ARCHIVE_INTERVAL_S": "1", **more}


def test_two_archivers_and_a_reshard_leave_one_archive(stack: Stack, tmp_path: Path, log: Path) -> None:
    """Every record once, in order; closed shards have their end; what came before the stop is there after it."""
    target, port = FolderTarget(tmp_path / "archive"), free_port()
    written: dict[str, list[int]] = {}
    write(stack, 0, 20, written)
    rivals = [
        start("archive", environ(stack, tmp_path / "archive", **more), log)
        for more in ({"ARCHIVER_METRICS_PORT": str(port)}, {"ARCHIVE_OBJECT_BYTES": "1"})
    ]
    try:

        def all_there() -> None:
            assert told(archived(target)) == {shard_id: sorted(numbers) for shard_id, numbers in written.items()}

        eventually(lambda: _there(tmp_path / "archive" / "log"), within_s=60)
        eventually(all_there, within_s=60)
        parent = list_shards(stack.kinesis, stack.names.stream).open[0]
        stack.kinesis.split_shard(
            StreamName=stack.names.stream,
            ShardToSplit=parent.shard_id,
            NewStartingHashKey=str((parent.first_hash_key + min(parent.last_hash_key, HASH_KEY_MAX)) // 2),
        )
        eventually(lambda: _open(stack, 3), within_s=60)
        write(stack, 20, 20, written)
        eventually(all_there, within_s=60)
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert re.search(r'telemetry_archive_age_seconds\{shard="shardId-\d+"\} \d', metrics)
        write(stack, 40, 10, written)
    finally:
        ends = [stop(rival) for rival in rivals]
    assert ends == [0, 0], log.read_text()
    all_there()
    shards = list_shards(stack.kinesis, stack.names.stream).shards
    ended = {line["shard_id"] for line in log_lines(log) if line["event"] == "shard_ended"}
    assert ended == {parent.shard_id} == {shard.shard_id for shard in shards.values() if shard.closed}
    assert len([line for line in log_lines(log) if line["event"] == "archiver_stopped"]) == 2
    [state, *_] = (tmp_path / "archive" / "state").rglob("shardId-*")
    assert json.loads(state.read_text()).keys() == {"hash_range", "last", "last_key", "parents", "tip_seen_at"}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"ARCHIVE_TARGET": ""}, "ARCHIVE_TARGET is not set: name a folder, or s3://bucket/prefix."),
        ({"ARCHIVER_SHARE": "3/2"}, "ARCHIVER_SHARE=3/2: there are only 2 shares"),
        ({"ARCHIVE_TARGET": "s3://there-is-no-such-bucket-here/x"}, "NoSuchBucket"),
        ({"PREFIX": "t-nobody-made-it"}, "t-nobody-made-it-temperature-events is not there"),
    ],
    ids=["no target", "share", "no bucket", "no stream"],
)
def test_what_cannot_be_archived_is_said_in_a_sentence(
    stack: Stack, tmp_path: Path, log: Path, more: dict[str, str], sentence: str
) -> None:
    """And the process ends: with what is to be set."""
    process = start("archive", {**environ(stack, tmp_path / "archive"), "STORE_RETRY_S": "1", **more}, log)
    assert process.wait(60) == 1
    assert sentence in log.read_text()
    assert "Traceback" not in log.read_text()


def _there(path: Path) -> None:
    assert list(path.glob("*"))


def _open(stack: Stack, count: int) -> None:
    assert len(list_shards(stack.kinesis, stack.names.stream).open) == count
