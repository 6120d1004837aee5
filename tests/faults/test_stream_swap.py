"""H29: the stream goes away, or is made again under its name, while everything runs; and the log goes on in the next one."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.setup import load_definition, names_now, set_up
from projections.queries import fleet_stats
from telemetry.names import ResourceNames
from telemetry.shards import list_shards
from telemetry.streams import StreamPlace, kinesis_id
from tests.faults.conftest import Trial
from tests.faults.instances import Consumer, restart_reasons
from tests.support.logs import log_lines
from tests.support.processes import children, running_api
from tests.support.waiting import eventually

READINGS = 20


def test_s02_a_stream_made_again_under_way_stops_the_consumer_which_says_so(trial: Trial) -> None:
    """Shard ids repeat: nothing of the new stream reaches the old tables, and no shard of theirs is marked as ended."""
    kinesis, names = trial.stack.kinesis, trial.stack.names
    with trial.serving() as api, trial.consuming() as consumer:
        _count_some(trial, api.url)
        before = _figures(trial)
        _delete_stream(trial)
        set_up(kinesis, trial.stack.dynamodb, names, shards=2)
        kinesis.put_records(
            StreamName=names.stream, Records=[{"PartitionKey": str(number), "Data": b"{broken"} for number in range(20)]
        )
        eventually(partial(_ended, consumer), within_s=30)
        (refusal,) = [line["reason"] for line in log_lines(consumer.log) if line["event"] == "consumer_refusing"]
        assert f"{names.stream} was created at" in refusal
        assert _figures(trial) == before
        assert _dead_letters(trial, names) == []
    trial.report("2", "the stream deleted and made again under API and consumer", 1)


@pytest.mark.full
def test_s02_a_missing_stream_is_said_and_waited_for(trial: Trial) -> None:
    """No shard is marked as ended, whatever KCL makes of it."""
    with trial.serving() as api, trial.consuming() as consumer:
        _count_some(trial, api.url)
        before = _figures(trial)
        _delete_stream(trial)
        consumer.wait_for("consumer_restarting", times=3, within_s=120)
        assert "is not there" in restart_reasons(consumer)[-1]
        assert children(consumer.process.pid) == []
        assert _figures(trial) == before
        set_up(trial.stack.kinesis, trial.stack.dynamodb, trial.stack.names, shards=2)
        eventually(partial(_ended, consumer), within_s=60)
    trial.report("2", "the stream deleted and not made again for a while", 1)


def test_the_log_goes_on_in_a_new_stream(trial: Trial) -> None:
    """Counted in tables of the next generation, under names of its own in all that is kept and shown. The API follows."""
    kinesis, dynamodb, names = trial.stack.kinesis, trial.stack.dynamodb, trial.stack.names
    with running_api(trial.stack.environ, trial.folder / "api.log") as url:
        old = _put(url)
        assert "/" not in old
        _delete_stream(trial)
        set_up(kinesis, dynamodb, names_now(kinesis, dynamodb, names.prefix, 2), shards=1)
        eventually(partial(_refuses, url))
        told = _telemetry(trial, "continue", "--generation", "2")
        assert (told.returncode, "2/shardId-…" in told.stdout) == (0, True), told.stderr
        live = names_now(kinesis, dynamodb, names.prefix)
        assert (live.generation, live.place.number) == (2, 2)
        after = eventually(partial(_put, url))
        kinesis.put_record(StreamName=names.stream, PartitionKey="broken", Data=b"{broken")
        with trial.consuming():
            found = httpx.get(f"{url}/api/stats", params={"after": after, "wait": "30", "detail": "true"}, timeout=40)
            assert (found.json()["Count"], found.json()["Generation"]) == (1, 2)
            assert httpx.get(f"{url}/api/stats", params={"after": old}).json()["code"] == "unknown-shard"
            eventually(partial(_all_are_called_so, trial, live, url), within_s=20)
        replayed = _telemetry(trial, "replay")
        assert ('"subject":"s-0"' in replayed.stdout, replayed.stdout.count("\n")) == (True, 1), replayed.stderr
        assert (replayed.returncode, "what arrived in the log's stream 1" in replayed.stderr) == (5, True)
        keys = {item["leaseKey"]["S"] for item in dynamodb.scan(TableName=live.application)["Items"]}
        assert keys == {kinesis_id(shard_id) for shard_id in _shards(trial, live)}
    for table in load_definition(live)["tables"].values():
        if table["name"] not in {names.generations, names.keys}:
            dynamodb.delete_table(TableName=table["name"])
    trial.report("2", "the stream lost, and the log continued in a new one", 1)


def _put(url: str) -> str:
    """Store the one reading; its place."""
    body = {"sensorId": "s-0", "temperature": 7, "timestamp": "2026-03-01T00:00:00"}
    answer = httpx.put(f"{url}/api/temperature", json=body)
    assert answer.status_code == 200
    return answer.headers["X-Stream-Position"]


def _refuses(url: str) -> None:
    assert httpx.get(f"{url}/api/stats").status_code == 503


def _telemetry(trial: Trial, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("telemetry")), *words]
    return subprocess.run(command, env=trial.stack.environ, capture_output=True, text=True, timeout=60, check=False)


def _shards(trial: Trial, live: ResourceNames) -> set[str]:
    """The log's names of the shards that are there."""
    assert live.place == StreamPlace(2, ("unknown",))
    return set(list_shards(trial.stack.kinesis, live.stream, live.place).shards)


def _all_are_called_so(trial: Trial, live: ResourceNames, url: str) -> None:
    """Rows, packs, the directory, dead letters, the status and the metrics speak of shards of the log's second stream."""
    tables, dynamodb = _shards(trial, live), trial.stack.dynamodb
    status = httpx.get(f"{url}/api/status").json()
    assert ({one["shardId"] for one in status["shards"]}, status["deadLetters"]["not-json"]) == (tables, 1)
    assert all(f'telemetry_shard_lag_seconds{{shard="{one}"}}' in httpx.get(f"{url}/metrics").text for one in tables)
    rows, packs = (dynamodb.scan(TableName=table)["Items"] for table in (live.stats, live.readings))
    assert {item["window"]["S"].rpartition("#")[2] for item in rows if "shards" not in item} == tables
    assert len(packs) == 1
    listed = [shard for item in rows for shard in item.get("shards", {"SS": []})["SS"]]
    assert {*listed, *(item["pack"]["S"].split("#")[1] for item in packs)} <= tables
    assert {item["shard_id"]["S"] for item in _dead_letters(trial, live)} <= tables


def _count_some(trial: Trial, url: str) -> None:
    for number in range(READINGS):
        body = {"sensorId": f"s-{number}", "temperature": number, "timestamp": "2026-03-01T00:00:00"}
        assert eventually(partial(httpx.put, f"{url}/api/temperature", json=body)).status_code == 200

    def counted() -> None:
        assert _figures(trial)[0] == READINGS

    eventually(counted, within_s=60)


def _figures(trial: Trial) -> tuple[int, list[int], Any]:
    """How many are counted, where each shard's rows stand, and which shards are marked as ended, in rows or leases."""
    stats = fleet_stats(trial.stack.dynamodb, trial.stack.names)
    leases = trial.stack.dynamodb.scan(TableName=trial.stack.names.application)["Items"]
    ended = [shard for shard, row in stats.shards.items() if row.progress.ended]
    ended += [item["leaseKey"]["S"] for item in leases if item["checkpoint"]["S"] == "SHARD_END"]
    return stats.stats.count, sorted(row.position for row in stats.shards.values()), ended


def _dead_letters(trial: Trial, names: ResourceNames) -> list[Any]:
    return list(trial.stack.dynamodb.scan(TableName=names.dead_letters)["Items"])


def _delete_stream(trial: Trial) -> None:
    kinesis, stream = trial.stack.kinesis, trial.stack.names.stream
    kinesis.delete_stream(StreamName=stream)

    def gone() -> None:
        assert stream not in kinesis.list_streams(Limit=1000)["StreamNames"]

    eventually(gone)


def _ended(consumer: Consumer) -> None:
    assert consumer.process.poll() == 1, consumer.log.read_text()[-3000:]
    assert "was created at" in consumer.log.read_text().splitlines()[-1]
