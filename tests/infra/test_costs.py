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


def test_the_bill_counts_what_the_alarms_look_at(plans: Plans) -> None:
    """Metric by metric, as CloudWatch charges, and two for each target tracked. The plan is dev's with archive and canary."""
    alarms = planned(plans["environment"], "aws_cloudwatch_metric_alarm").values()
    policies = planned(plans["environment"], "aws_appautoscaling_policy").values()
    tracked = [policy for policy in policies if policy["policy_type"] == "TargetTrackingScaling"]
    watched = sum(len(query["metric"]) for alarm in alarms for query in alarm["metric_query"]) + 2 * len(tracked)
    dev = (TREE / "environment/dev.tfvars").read_text().replace("archive                = false", "archive = true")
    bill = standing_bill(dev.replace("canary                 = false", "canary = true"), 2)
    filters = {
        made["name"]
        for values in planned(plans["environment"], "aws_cloudwatch_log_metric_filter").values()
        for made in values["metric_transformation"]
    }
    assert round(bill["alarms and metrics"], 2) == round(0.1 * watched + 0.3 * len(filters), 2)
