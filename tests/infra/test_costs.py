"""No resource without a price: whatever is planned is in a line of the bill, free, or billed by use."""

from collections.abc import Mapping
from typing import Any

from benchmarks.standing import BY_USE, FREE, PRICED, standing_bill
from tests.support.terraform import TREE, every, planned

type Plans = Mapping[str, dict[str, Any]]


def test_every_resource_has_a_price(plans: Plans) -> None:
    """Or is known to have none; and each is in one list only."""
    kinds = {item["type"] for item in every(plans["environment"]) if item["mode"] == "managed"}
    assert kinds <= set(PRICED) | set(BY_USE) | FREE
    assert not set(PRICED) & set(BY_USE)
    assert not (set(PRICED) | set(BY_USE)) & FREE
    bill = standing_bill((TREE / "environment/dev.tfvars").read_text(), 2)
    assert set(PRICED.values()) == set(bill)


def test_the_bill_counts_the_alarms_that_there_are(plans: Plans) -> None:
    """The plan is of dev with an archive and a canary."""
    alarms = len(planned(plans["environment"], "aws_cloudwatch_metric_alarm"))
    dev = (TREE / "environment/dev.tfvars").read_text().replace("archive                = false", "archive = true")
    bill = standing_bill(dev.replace("canary                 = false", "canary = true"), 2)
    filters = {
        made["name"]
        for values in planned(plans["environment"], "aws_cloudwatch_log_metric_filter").values()
        for made in values["metric_transformation"]
    }
    assert round(bill["alarms and metrics"], 2) == round(0.1 * alarms + 0.3 * len(filters), 2)
