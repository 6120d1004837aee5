"""Counting, arithmetic, and that the baselines serve."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.consuming import readings, records
from benchmarks.cost import Measured, bill, per_million, standing_bill
from benchmarks.figures import Figure
from benchmarks.producing import APP
from benchmarks.rig import ROOT, Rig, load
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
    cheap, dear = (bill(1000, Measured(28, 180, units)) for units in (0.1, 1.0))
    assert cheap.shards == 1
    assert dear.writes == pytest.approx(10 * cheap.writes)
    many = bill(100_000, Measured(28, 180, 0.1))
    assert many.shards == 6
    assert many.reads == pytest.approx(6 * cheap.reads), "an answer reads every shard's row"
    assert cheap.total == pytest.approx(cheap.stream + cheap.writes + cheap.reads + cheap.compute)
    assert per_million(1000, Measured(28, 180, 1.0)) > 0.625, "a write unit a reading costs as much already"


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_an_environments_bill_follows_its_values(name: str) -> None:
    """Every item is there, and what it has two of costs twice."""
    tfvars = (ROOT / f"infra/terraform/environment/{name}.tfvars").read_text()
    costs = standing_bill(tfvars, 2)
    assert all(dollars > 0 for item, dollars in costs.items() if item != "NAT gateways")
    assert costs["NAT gateways"] == {"dev": 0, "staging": 32.85, "prod": 65.7}[name]
    assert standing_bill(tfvars, 4)["stream"] == 2 * costs["stream"]


def test_a_figure_says_whether_it_is_met() -> None:
    """By its median, in the direction that is better."""
    assert Figure("P1", "", "", 15, 30, [14, 16, 17]).met(15)
    assert not Figure("P6", "", "", 40, 28, [30, 29, 31], smaller_is_better=True).met(28)
