"""What an environment costs at rest: by its values, in each region, and within what somebody is told at."""

import re

import pytest

from benchmarks.standing import REGIONS, environments_table, standing_bill
from tests.support.terraform import ENVIRONMENTS, TREE
from tests.tidy.tree import ROOT

DEV_USD_MAX = 80
FILES = {name: (TREE / f"environment/{name}.tfvars").read_text() for name in ENVIRONMENTS}


def changed(name: str, **values: str) -> str:
    """An environment's file with other values."""
    tfvars = FILES[name]
    for key, value in values.items():
        tfvars = re.sub(rf"(?m)^{key} .*$", "", tfvars) + f"\n{key} = {value}\n"
    return tfvars


@pytest.mark.parametrize("region", REGIONS)
def test_dev_stays_below_what_it_may_cost(region: str) -> None:
    """On one shard, a day of retention, arm64 and Spot."""
    assert sum(standing_bill(FILES["dev"], 2, region).values()) < DEV_USD_MAX


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nobody_is_told_of_a_budget_while_nothing_happens(name: str, region: str) -> None:
    """It tells at 80 %, which is above what the environment costs at rest."""
    [budget] = map(int, re.findall(r"^monthly_budget_usd += (\d+)", FILES[name], re.MULTILINE))
    assert sum(standing_bill(FILES[name], 2, region).values()) < 0.8 * budget


def test_each_line_follows_what_it_is_of() -> None:
    """Gateways and their addresses, shards, retention, archiver, canary, endpoints, Spot."""
    two, one = standing_bill(FILES["prod"], 2), standing_bill(changed("prod", nat_gateways="1"), 2)
    assert two["NAT gateways"] == pytest.approx(2 * one["NAT gateways"])
    assert two["public addresses"] - one["public addresses"] == pytest.approx(730 * 0.005)
    assert standing_bill(changed("prod", shards="8"), 2)["stream"] == pytest.approx(2 * two["stream"])
    assert standing_bill(changed("prod", retention_hours="24"), 2)["stream"] == pytest.approx(4 * 730 * 0.015)
    archiver = two["tasks"] - standing_bill(changed("prod", archive="false"), 2)["tasks"]
    assert archiver == pytest.approx(730 * (0.25 * 0.03238 + 0.00356))
    canary = two["tasks"] - standing_bill(changed("prod", canary="false"), 2)["tasks"]
    assert canary == pytest.approx(730 * 12 / 60 * (0.25 * 0.03238 + 0.5 * 0.00356))
    assert standing_bill(changed("prod", kinesis_endpoint="true"), 2)["endpoints"] == pytest.approx(2 * 730 * 0.01)
    assert standing_bill(changed("dev", spot="false"), 2)["tasks"] > 2 * standing_bill(FILES["dev"], 2)["tasks"]


def test_the_document_has_this_table() -> None:
    """As it is computed now; no measurement goes into it."""
    assert environments_table(FILES, 2) in (ROOT / "docs/cost.md").read_text()
