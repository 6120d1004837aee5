"""H29: the stream goes away, or is made again under its name, while everything runs."""

from functools import partial
from typing import Any

import httpx
import pytest

from infra.setup import set_up
from projections.queries import fleet_stats
from tests.faults.conftest import Trial
from tests.faults.instances import Consumer, restart_reasons
from tests.support.logs import log_lines
from tests.support.processes import children
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
        assert _dead_letters(trial) == []
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


def _dead_letters(trial: Trial) -> list[Any]:
    return list(trial.stack.dynamodb.scan(TableName=trial.stack.names.dead_letters)["Items"])


def _delete_stream(trial: Trial) -> None:
    kinesis, stream = trial.stack.kinesis, trial.stack.names.stream
    kinesis.delete_stream(StreamName=stream)

    def gone() -> None:
        assert stream not in kinesis.list_streams(Limit=1000)["StreamNames"]

    eventually(gone)


def _ended(consumer: Consumer) -> None:
    assert consumer.process.poll() == 1, consumer.log.read_text()[-3000:]
    assert "was created at" in consumer.log.read_text().splitlines()[-1]
