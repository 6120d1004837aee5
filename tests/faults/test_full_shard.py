"""A shard that takes all it may, with consumer and archiver reading beside each other."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import batched, count, islice
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from infra.local.run import archive_here
from projections.queries import fleet_stats
from telemetry.events import encode_event
from telemetry.reading import Reading
from telemetry.shards import Shard, hash_key, list_shards
from tests.faults.conftest import Trial
from tests.support.processes import free_port, running
from tests.support.waiting import eventually

SECONDS = 600
CALLS_A_S = 2
RECORDS_A_CALL, SENSORS, READINGS_A_RECORD = 4, 1_000, 250
"""2,000 readings a second in 8 records. A call makes kinesis-local go through all records that it holds: with a few readings
in each, it would be the emulator that is measured."""
EVENT_BYTES = 500
"""A megabyte a second, which is what a shard takes."""
AGE_S_MAX = 60
LOOK_EVERY_S = 0.02


@pytest.mark.full
@pytest.mark.timeout(3 * SECONDS)
def test_the_archive_of_a_full_shard_stays_young(trial: Trial, tmp_path: Path) -> None:
    """Under a minute, at the interval of `make run`, while the consumer keeps up."""
    archiver_port, consumer_port = free_port(), free_port()
    environ = {**trial.stack.environ, "ARCHIVE_TARGET": str(tmp_path / "archive"), "ARCHIVER_METRICS_PORT": str(archiver_port)}
    archive_here(environ, trial.stack.settings)
    with running("archive", environ, tmp_path / "archiver.log"), trial.consuming(METRICS_PORT=str(consumer_port)):
        shard = list_shards(trial.stack.kinesis, trial.stack.names.stream).open[0]
        age_s = partial(worst, archiver_port, "telemetry_archive_age_seconds{")
        lag_s = partial(worst, consumer_port, f'telemetry_shard_lag_seconds{{shard="{shard.shard_id}"}}')
        eventually(lambda: _is_young(age_s()), within_s=60)
        ages_s, lags_s, took_s, written = [], [], 0.0, 0
        sensors = sensors_of(shard)
        with freshness_sampled(trial, sensors[0]) as fresh_s:
            began_s = time.monotonic()
            for number in range(SECONDS * CALLS_A_S):
                threading.Event().wait(max(0.0, began_s + number / CALLS_A_S - time.monotonic()))
                written += write(trial, sensors, number)
                if number % CALLS_A_S == 0:
                    ages_s.append(age_s())
                    lags_s.append(lag_s())
            took_s = time.monotonic() - began_s
        eventually(lambda: _is_young(age_s()), within_s=60)
    trial.report(
        "4 7",
        f"1 MB/s into one shard for {SECONDS / 60:.0f} minutes, as plain records",
        1,
        mb_per_s=round(written / took_s / 1e6, 2),
        readings_per_s=round(SECONDS * CALLS_A_S * RECORDS_A_CALL * READINGS_A_RECORD / took_s),
        archive_age_s_median=round(median(ages_s), 1),
        archive_age_s_max=round(max(ages_s), 1),
        consumer_lag_s_median=round(median(lags_s), 2),
        consumer_lag_s_max=round(max(lags_s), 2),
        samples=len(fresh_s),
        acknowledged_until_counted_s_p50=round(median(fresh_s), 2),
        acknowledged_until_counted_s_p99=round(sorted(fresh_s)[len(fresh_s) * 99 // 100], 2),
    )
    assert max(ages_s) < AGE_S_MAX
    assert written / took_s > 0.9e6, "it was not written as fast as was meant"


def sensors_of(shard: Shard) -> list[str]:
    """Sensors that hash into a shard."""
    names = (f"building-7/floor-3/sensor-{number:06}" for number in count())
    return list(islice((name for name in names if shard.holds(hash_key(name))), SENSORS))


def write(trial: Trial, sensors: list[str], number: int) -> int:
    """A call's records, each of its own share of the sensors; how many bytes they have."""
    now_us = time.time_ns() // 1000
    records: list[Any] = [
        {"PartitionKey": share[0], "Data": b"".join(event(sensor, now_us, number) for sensor in share)}
        for share in batched(sensors, READINGS_A_RECORD, strict=True)
    ]
    pending = records
    while pending:
        answer = trial.stack.kinesis.put_records(StreamName=trial.stack.names.stream, Records=pending)
        pending = [record for record, receipt in zip(pending, answer["Records"], strict=True) if "ErrorCode" in receipt]
    return sum(len(record["Data"]) for record in records)


def event(sensor: str, measured_us: int, number: int) -> bytes:
    """An event with an attribute of somebody else's, which makes it as long as it is meant to be."""
    line = encode_event(Reading(measured_us, sensor, 15_000_000 + number * 7919 % 977 * 10_000), measured_us)
    more = b'"site":"%b",' % (b"x" * (EVENT_BYTES - len(line) - 11))
    return line.replace(b'"data":', more + b'"data":') + b"\n"


@contextmanager
def freshness_sampled(trial: Trial, sensor: str) -> Iterator[list[float]]:
    """Seconds from the answer to a record of its own until the stats hold it, once a second. Raises what sampling raised."""
    stack, over = trial.stack, threading.Event()
    seconds: list[float] = []

    def sample() -> None:
        number = 0
        while not over.wait(1):
            data = encode_event(Reading(number * 1_000_000, sensor, number), 0) + b"\n"
            put = stack.kinesis.put_record(StreamName=stack.names.stream, PartitionKey=sensor, Data=data)
            began_s = time.monotonic()
            while not _is_counted(trial, put["ShardId"], int(put["SequenceNumber"])):
                assert time.monotonic() - began_s < AGE_S_MAX
                over.wait(LOOK_EVERY_S)  # else who looks takes from who works
            seconds.append(time.monotonic() - began_s)
            number += 1

    with ThreadPoolExecutor(1) as thread:
        sampling = thread.submit(sample)
        try:
            yield seconds
        finally:
            over.set()
        sampling.result()


def _is_counted(trial: Trial, shard_id: str, sequence_number: int) -> bool:
    row = fleet_stats(trial.stack.dynamodb, trial.stack.names).shards.get(shard_id)
    return row is not None and row.position >= sequence_number


def worst(port: int, samples: str) -> float:
    """The largest of the samples whose lines begin so; 0 without any."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return max((float(line.rpartition(" ")[2]) for line in lines if line.startswith(samples)), default=0.0)


def _is_young(age_s: float) -> None:
    assert 0 < age_s < AGE_S_MAX / 2
