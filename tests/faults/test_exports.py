"""A sensor's whole past as CSV, opened by another program."""

import time
from collections.abc import Iterator
from itertools import batched
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import httpx
import pytest

from projections.dynamodb import AwsStores
from projections.packs import Place, pack_of
from telemetry.aws import dynamodb_client
from telemetry.reading import Reading, rfc3339
from tests.faults.conftest import Trial
from tests.support.waiting import eventually

SENSOR = "building-7/floor-3/sensor-000001"
BEGIN_US = 1_767_225_600_000_000
"""2026-01-01."""
PACKED = 600
"""A reading a second makes so many of a pack."""
GROWTH_MB_MAX = 24
"""The first part of an export takes memory for threads and buffers, which all the rest is served from."""


def measured(count: int) -> Iterator[Reading]:
    """A walk in steps of 0.01 °C, once a second."""
    rng, value = Random(27), 20_000_000  # noqa: S311  repeatable on purpose
    for second in range(count):
        value += rng.choice((-10_000, 0, 10_000))
        yield Reading(BEGIN_US + second * 1_000_000, SENSOR, value)


@pytest.mark.timeout(1800)
def test_a_csv_of_everything_is_what_the_table_holds(trial: Trial, tmp_path: Path) -> None:
    """Line by line; in memory that does not grow with it."""
    count = trial.often(30_000, 1_000_000)
    _store(trial, count)
    everything = {"sensorId": SENSOR, "format": "csv"}
    with trial.serving() as api, httpx.Client(base_url=api.url, timeout=60) as client:
        eventually(lambda: _ready(client), within_s=60)
        part = client.get("/api/readings", params={**everything, "to": rfc3339(BEGIN_US + 10**10)})
        assert part.text.count("\r\n") == 10_001
        before_mb = peak_mb = api.memory_mb()
        file, began_s = tmp_path / "readings.csv", time.monotonic()
        with (
            file.open("wb") as out,
            client.stream("GET", "/api/readings", params={"sensorId": SENSOR, "format": "csv"}) as answer,
        ):
            assert answer.status_code == 200
            for number, chunk in enumerate(answer.iter_bytes()):
                out.write(chunk)
                if number % 20 == 0:
                    peak_mb = max(peak_mb, api.memory_mb())
        seconds = time.monotonic() - began_s
    assert peak_mb - before_mb < GROWTH_MB_MAX
    found = duckdb.read_csv(file).project("sensorId, epoch_us(timestamp), round(temperature * 1e6)::BIGINT").fetchall()
    assert found == [(SENSOR, reading.measured_at_us, reading.temperature_micro) for reading in measured(count)]
    figures: dict[str, Any] = {"readings": count, "peak_mb": round(peak_mb, 1), "grown_mb": round(peak_mb - before_mb, 1)}
    trial.report("7", "CSV export of one sensor, opened with DuckDB", 1, **figures, seconds=round(seconds, 1))


def _ready(client: httpx.Client) -> None:
    try:
        assert client.get("/readyz").status_code == 200
    except httpx.TransportError as error:
        raise AssertionError(str(error)) from None


def _store(trial: Trial, count: int) -> None:
    stores = AwsStores(
        dynamodb_client(trial.stack.settings, validate=False), trial.stack.kinesis, trial.stack.names, patience_s=60
    )
    packs = []
    for number, readings in enumerate(batched(measured(count), PACKED, strict=False)):
        place = 10**55 + number * PACKED
        packs.append(pack_of("shardId-000000000000", Place(place, 0), Place(place + PACKED - 1, 0), readings))
    for share in batched(packs, 100, strict=False):
        stores.store_packs(share)
    stores.close()
