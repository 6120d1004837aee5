"""What a load costs a month on AWS: bytes, write units and processor time measured here, limits and prices as published.

A cost here is of stream, tables, compute and archive; what an account pays for logs, traffic and the like is in docs/cost.md.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.figures import Figure
from projections.policy import FlushPolicy

PRICES: dict[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text())
_USD: dict[str, float] = PRICES["usd"]
_HOURS: int = PRICES["hours_a_month"]
_SECONDS = _HOURS * 3600
_SHARD_BYTES_S = 1_000_000
_SHARD_RECORDS_S = 1000
_HEADROOM = 0.5
"""A shard is planned for half of what it takes, and so is the process that consumes it."""
_DEPENDENT = 0.1
"""Two runs whose writes a reading differ by less than this part do not tell what a reading and what a write costs."""
_PUT_UNIT_BYTES = 25_000
_API_READINGS_S_A_VCPU = 3000
_ITEMS_A_SENSOR_S = 3 / FlushPolicy().everything_every_s
"""Rows and packs: the total, the hour and a pack of each active sensor with each full flush."""
_ANSWERS_S = 20
"""Reads of the fleet's stats: an API process shares one among all that ask within 50 ms, and somebody asks all the time."""
_POINTER_LOOKS_S = 2
"""A record processor looks before it begins a delivery, where its last look is half a second old (`consumer/following.py`)."""
_ARCHIVER = {"vcpus": 0.25, "gb": 1.0}
"""A task, as the .tfvars files have it."""
_ARCHIVER_SHARDS = 4
"""Shards a task takes, planned for half of what they take. Assumed: how much an archiver keeps up with is not measured here."""
_OBJECT_S = 300
"""An object a shard is put that often (ARCHIVE_INTERVAL_S)"""
_OBJECT_BYTES = 64_000_000
"""and when it is as large (ARCHIVE_OBJECT_BYTES)."""


@dataclass(frozen=True)
class Measured:
    """What the benchmark counted."""

    bytes_per_reading: float
    readings_per_record: float
    write_units_per_reading: float
    cpu_us_per_reading: float
    """Of a consumer process, to take and to fold it."""
    cpu_us_per_item: float
    """And to write a sensor's row or pack."""


class Run(NamedTuple):
    """What one consumer process did in each second, and the part of a core that took."""

    readings_s: float
    items_s: float
    cores: float


@dataclass(frozen=True)
class Bill:
    """Dollars a month."""

    shards: int
    slowest: str
    """What there must be so many shards for."""
    stream: float
    writes: float
    reads: float
    compute: float
    archive: float
    """Of a month's log, for that month."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.stream + self.writes + self.reads + self.compute + self.archive


def consumer_costs(one: Run, other: Run) -> tuple[float, float]:
    """Microseconds of processor time a reading, and a row or pack written, that explain both runs.

    Where a process writes as much a reading in both, they cannot be told apart: then a reading costs all, a write nothing.
    """
    mixed = one.readings_s * other.items_s, other.readings_s * one.items_s
    if abs(mixed[0] - mixed[1]) < _DEPENDENT * max(mixed):
        return (one.cores + other.cores) / (one.readings_s + other.readings_s) * 1e6, 0.0
    a_reading = (one.cores * other.items_s - other.cores * one.items_s) / (mixed[0] - mixed[1])
    an_item = (other.cores * one.readings_s - one.cores * other.readings_s) / (mixed[0] - mixed[1])
    return a_reading * 1e6, an_item * 1e6


def consumer_cores(readings_per_s: float, sensors: float, measured: Measured) -> float:
    """What all consumer processes take of a core."""
    written_us = sensors * _ITEMS_A_SENSOR_S * measured.cpu_us_per_item
    return (readings_per_s * measured.cpu_us_per_reading + written_us) / 1e6


def bill(readings_per_s: float, sensors: float, measured: Measured) -> Bill:
    """The bill of a steady load by so many active sensors."""
    records_s = readings_per_s / measured.readings_per_record
    cores = consumer_cores(readings_per_s, sensors, measured)
    parts = {
        "bytes": readings_per_s * measured.bytes_per_reading / _SHARD_BYTES_S,
        "records": records_s / _SHARD_RECORDS_S,
        "consumer": cores,
    }
    slowest = max(parts, key=parts.__getitem__)
    shards = max(1, math.ceil(parts[slowest] / _HEADROOM))
    units_per_record = math.ceil(measured.bytes_per_reading * measured.readings_per_record / _PUT_UNIT_BYTES)
    shard_hour = _USD["kinesis_shard_hour"] + _USD["kinesis_shard_hour_of_7_days_retention"]
    put = records_s * units_per_record * _SECONDS / 1e6 * _USD["kinesis_million_put_units_of_25_kb"]
    writes = writes_usd(readings_per_s * measured.write_units_per_reading)
    vcpus = max(0.25, readings_per_s / _API_READINGS_S_A_VCPU) + max(0.5, cores / _HEADROOM)
    compute = vcpus * _HOURS * (_USD["fargate_vcpu_hour"] + 2 * _USD["fargate_gb_hour"])
    # An answer reads the row of each open shard by its key. The API looks at the pointer once a second, each consumer too.
    units_s = _ANSWERS_S * shards + 1 + _POINTER_LOOKS_S * shards
    reads = units_s * _SECONDS / 1e6 * _USD["dynamodb_million_read_units"]
    archive = archive_usd(readings_per_s * measured.bytes_per_reading, shards)
    return Bill(shards, slowest, shards * shard_hour * _HOURS + put, writes, reads, compute, archive)


def archive_usd(bytes_per_s: float, shards: int) -> float:
    """Dollars of the first month in which so many bytes a second are archived: archivers, puts, and what is kept.

    An object is taken to have the bytes that its records had in the stream: both are lines of JSON, packed.
    """
    task = _ARCHIVER["vcpus"] * _USD["fargate_vcpu_hour"] + _ARCHIVER["gb"] * _USD["fargate_gb_hour"]
    puts = max(shards * _SECONDS / _OBJECT_S, bytes_per_s * _SECONDS / _OBJECT_BYTES)
    kept_gb = bytes_per_s * _SECONDS / 1e9
    return (
        math.ceil(shards / _ARCHIVER_SHARDS) * _HOURS * task
        + puts / 1e6 * _USD["s3_million_puts"]
        + kept_gb * _USD["s3_gb_month"]
    )


def per_million(readings_per_s: float, sensors: float, measured: Measured) -> float:
    """Dollars a million readings, for stream and tables: what grows with the load."""
    month = bill(readings_per_s, sensors, measured)
    return (month.stream + month.writes) / (readings_per_s * _SECONDS) * 1e6


def writes_usd(units_per_s: float) -> float:
    """Dollars a month of so many write units a second."""
    return units_per_s * _SECONDS / 1e6 * _USD["dynamodb_million_write_units"]


def original_bill(readings_per_s: float) -> float:
    """The shape of what ours replaces: two write units and one strongly consistent read unit a reading, two NAT gateways."""
    tables = readings_per_s * _SECONDS / 1e6 * (2 * _USD["dynamodb_million_write_units"] + _USD["dynamodb_million_read_units"])
    servers = max(0.25, readings_per_s / 200)
    compute = servers * _HOURS * (_USD["fargate_vcpu_hour"] + 2 * _USD["fargate_gb_hour"])
    return tables + compute + 2 * _HOURS * _USD["nat_gateway_hour"]


def growth_of_cost(measured: dict[int, Measured]) -> Figure:
    """P13 from what was measured with so many sensors at a reading a second each."""
    costs = {sensors: per_million(sensors, sensors, what) for sensors, what in measured.items()}
    values = list(costs.values())
    beside = {f"$ a million readings, {sensors:,} sensors": cost for sensors, cost in costs.items()}
    return Figure(
        "P13", "growth of cost a reading, fewest to most sensors", "%", 5, 0, [100 * (values[-1] / values[0] - 1)], beside,
        smaller_is_better=True,
    )  # fmt: skip
