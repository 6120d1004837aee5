"""Counting, arithmetic, and that the baselines serve."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.consuming import readings, records
from benchmarks.cost import Measured, Run, archive_usd, bill, consumer_costs, per_million
from benchmarks.figures import Figure
from benchmarks.producing import APP
from benchmarks.rig import Rig, load
from telemetry.records import split_record
from tests.support.stack import Stack


@pytest.mark.parametrize(
    "command", [("producer_api",), (APP, "no-op"), (APP, "one-put-per-request")], ids=["ours", "no-op", "one put"]
)
def test_a_server_under_load_answers_every_reading(
    stack: Stack, endpoint: str, java: str, tmp_path: Path, command: Sequence[str]
) -> None:
    """The load generator sends so many, has all of them answered with 200, and tells how long it took."""
    with Rig(endpoint, java, tmp_path).server(stack, *command) as server:
        result = load(server.url, clients=4, readings=40)
        read = load(server.url, clients=2, readings=10, get="/api/stats")
        assert server.cpu_s() > 0
    assert (result["readings"], result["refused"], read["readings"]) == (40, 0, 10)
    assert result["p50_s"] <= result["p99_s"]


def test_the_log_of_a_benchmark_is_what_it_says() -> None:
    """So many distinct readings, each sensor once a second, packed as the API packs them."""
    log = readings(1000, 50)
    assert len(set(log)) == 1000
    assert log[50].measured_at_us - log[0].measured_at_us == 1_000_000
    assert sum(len(list(split_record(data))) for data in records(log)) == 1000


def test_a_bill_grows_with_its_parts() -> None:
    """A thousand readings a second of 28 bytes need a shard; ten times the write units cost ten times as much."""
    cheap, dear = (bill(1000, 1000, Measured(28, 180, units, 1, 1)) for units in (0.1, 1.0))
    assert cheap.shards == 1
    assert dear.writes == pytest.approx(10 * cheap.writes)
    many = bill(100_000, 1000, Measured(28, 180, 0.1, 1, 1))
    assert many.shards == 6
    assert many.reads == pytest.approx((6 * 22 + 1) / 23 * cheap.reads), "an answer reads each shard's row, the API the pointer"
    assert cheap.total == pytest.approx(cheap.stream + cheap.writes + cheap.reads + cheap.compute + cheap.archive)
    assert per_million(1000, 1000, Measured(28, 180, 1.0, 1, 1)) > 0.625, "a write unit a reading costs as much already"


def test_an_archive_costs_its_tasks_its_puts_and_what_it_keeps() -> None:
    """A task for four shards; an object a shard and five minutes, or 64 MB of all; a GB for each GB."""
    task = 730 * (0.25 * 0.04048 + 0.004445)
    assert archive_usd(0, 4) == pytest.approx(task + 4 * 8760 * 5e-6)
    assert archive_usd(0, 5) == pytest.approx(2 * task + 5 * 8760 * 5e-6)
    gb = 1e6 * 730 * 3600 / 1e9
    assert archive_usd(1e6, 1) == pytest.approx(task + gb / 0.064 * 5e-6 + gb * 0.023)


def test_shards_are_planned_for_the_slowest() -> None:
    """A megabyte, a thousand records or a core a second, half of each; a sensor writes three items every 30 s."""
    cheap = Measured(28, 180, 0.1, 1, 1)
    for what, slowest, shards in (
        (replace(cheap, bytes_per_reading=50), "bytes", 10),
        (replace(cheap, readings_per_record=10), "records", 20),
        (replace(cheap, cpu_us_per_reading=39), "consumer", 8),
        (replace(cheap, cpu_us_per_item=100), "consumer", 21),
    ):
        planned = bill(100_000, 1_000_000 if what.cpu_us_per_item > 1 else 100, what)
        assert (planned.slowest, planned.shards) == (slowest, shards), what
    idle, busy = (bill(100_000, sensors, replace(cheap, cpu_us_per_item=100)) for sensors in (100, 1_000_000))
    assert busy.compute > idle.compute


def test_what_a_reading_and_a_write_cost_follows_from_two_loads() -> None:
    """Exactly, where the loads differ in what is written a reading; else all of it is a reading's."""
    one, other = (Run(readings_s, 1000, (readings_s * 15 + 1000 * 150) / 1e6) for readings_s in (10_000, 34_000))
    assert consumer_costs(one, other) == pytest.approx((15, 150))
    assert consumer_costs(other, one) == pytest.approx((15, 150))
    assert consumer_costs(Run(10_000, 4000, 2), Run(34_000, 14_000, 6.8)) == pytest.approx((200, 0))


def test_a_figure_says_whether_it_is_met() -> None:
    """By its median, in the direction that is better."""
    assert Figure("P1", "", "", 15, 30, [14, 16, 17]).met(15)
    assert not Figure("P6", "", "", 40, 28, [30, 29, 31], smaller_is_better=True).met(28)
