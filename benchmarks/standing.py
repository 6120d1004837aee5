"""What an environment of Terraform costs a month at rest, by line, from its .tfvars file and a region's prices.

Which resource is in which line, and which are free, is said for every type, so that a new one without a price is noticed
(tests/infra/test_costs.py). What grows with the load is in cost.py.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

REGIONS: Final = ("us-east-1", "eu-west-1")
_FILES: Final = {"us-east-1": "prices.json", "eu-west-1": "prices-eu-west-1.json"}
_BEATS_S: Final = 0.1
"""Writes of an idle shard's progress row."""
_RENEWALS_S: Final = 0.3
"""Writes of KCL for a shard's lease, at a third of its fail-over time of 10 s."""
_ZONES: Final = 2
_CANARIES_AN_HOUR: Final = 12
_CANARY_H: Final = 1 / 60
"""What Fargate bills at least, and a canary stays below."""
_ALARMS: Final = {"always": 40, "a service": 2, "archive": 3, "canary": 2, "scaling": 6}
"""Metrics of alarms, which is what CloudWatch charges for: an expression over eight is eight. A test counts them in the plan.
Four of scaling's AWS makes by itself, two for each target that it tracks."""
_METRICS: Final = {"always": 4, "archive": 2, "canary": 1}

PRICED: Final[Mapping[str, str]] = {
    "aws_ecs_service": "tasks",
    "aws_scheduler_schedule": "tasks",
    "aws_lb": "load balancer",
    "aws_nat_gateway": "NAT gateways",
    "aws_eip": "public addresses",
    "aws_vpc_endpoint": "endpoints",
    "aws_kinesis_stream": "stream",
    "aws_dynamodb_table": "tables",
    "aws_cloudwatch_metric_alarm": "alarms and metrics",
    "aws_cloudwatch_log_metric_filter": "alarms and metrics",
    "aws_secretsmanager_secret": "secrets",
    "aws_wafv2_web_acl": "WAF",
}
"""By type of resource, the line that it is in."""

BY_USE: Final[Mapping[str, str]] = {
    "aws_athena_workgroup": "a query, by what it reads",
    "aws_cloudwatch_dashboard": "the first three of an account are free",
    "aws_cloudwatch_log_group": "a gigabyte of log",
    "aws_iot_topic_rule": "a million messages",
    "aws_flow_log": "a gigabyte of log: refused connections only",
    "aws_s3_bucket": "what lies in it, and puts: docs/cost.md counts the archive's",
    "aws_sns_topic": "a mail beyond a thousand a month",
}
"""Resources that cost nothing at rest, and what they cost something for."""

FREE: Final = frozenset(
    {
        *("aws_acm_certificate", "aws_acm_certificate_validation", "aws_appautoscaling_policy", "aws_appautoscaling_target"),
        *("aws_budgets_budget", "aws_cloudwatch_event_rule", "aws_cloudwatch_event_target", "aws_default_security_group"),
        *("aws_ecs_cluster", "aws_ecs_cluster_capacity_providers", "aws_ecs_task_definition", "aws_glue_catalog_database"),
        *("aws_glue_catalog_table", "aws_iam_role", "aws_iam_role_policy", "aws_internet_gateway", "aws_lb_listener"),
        *("aws_lb_target_group", "aws_route", "aws_route53_record", "aws_route_table", "aws_route_table_association"),
        *("aws_s3_bucket_lifecycle_configuration", "aws_s3_bucket_object_lock_configuration", "aws_s3_bucket_policy"),
        *(
            "aws_s3_bucket_public_access_block",
            "aws_s3_bucket_server_side_encryption_configuration",
            "aws_s3_bucket_versioning",
        ),
        *("aws_security_group", "aws_sns_topic_policy", "aws_sns_topic_subscription", "aws_subnet", "aws_vpc"),
        *("aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule", "aws_wafv2_web_acl_association"),
    }
)


def standing_bill(tfvars: str, shards: int, region: str = "us-east-1") -> dict[str, float]:
    """Dollars a month, line by line. `shards` is what infra/resources.json says, where the .tfvars file says nothing."""
    prices = json.loads(Path(__file__).with_name(_FILES[region]).read_text())
    usd, hours = prices["usd"], prices["hours_a_month"]
    shards = int(_value(tfvars, "shards") or shards)
    archive, canary = _value(tfvars, "archive") == "true", _value(tfvars, "canary") == "true"
    tasks = {name: _task(tfvars, name, usd) for name in ("api", "consumer", *(("archiver",) if archive else ()))}
    egress, gateways = _value(tfvars, "egress"), 0
    if egress == "nat":
        gateways = int(_value(tfvars, "nat_gateways") or 1)
    addresses = sum(count for count, _ in tasks.values()) if egress == "public_ip" else gateways
    interfaces = {"endpoints": 4 + canary, "nat": int(_value(tfvars, "kinesis_endpoint") == "true")}.get(egress, 0)
    shard_hour = usd["kinesis_shard_hour"]
    if int(_value(tfvars, "retention_hours") or 168) > 24:
        shard_hour += usd["kinesis_shard_hour_of_7_days_retention"]
    flown = canary * _CANARIES_AN_HOUR * _CANARY_H * _size(256, 512, tfvars, usd)
    alarms = _ALARMS["always"] + _ALARMS["a service"] * len(tasks) + _ALARMS["scaling"]
    alarms += _ALARMS["archive"] * archive + _ALARMS["canary"] * canary
    secrets = (1 + canary) * (_value(tfvars, "keys") == "true")
    metrics = _METRICS["always"] + _METRICS["archive"] * archive + _METRICS["canary"] * canary
    return {
        "tasks": hours * (sum(count * dollars for count, dollars in tasks.values()) + flown),
        "load balancer": hours * (usd["alb_hour"] + usd["alb_lcu_hour"]),
        "NAT gateways": gateways * hours * usd["nat_gateway_hour"],
        "public addresses": (addresses + _ZONES) * hours * usd["public_ipv4_hour"],
        "endpoints": interfaces * _ZONES * hours * usd["vpc_endpoint_hour"],
        "stream": shards * shard_hour * hours,
        "tables": shards * (_BEATS_S + _RENEWALS_S) * hours * 3600 / 1e6 * usd["dynamodb_million_write_units"],
        "alarms and metrics": alarms * usd["alarm_month"] + metrics * usd["metric_month"],
        "secrets": secrets * usd["secret_month"],
        "WAF": usd["web_acl_month"] + usd["web_acl_rule_month"] if _value(tfvars, "request_limit") else 0,
    }


def environments_table(files: Mapping[str, str], shards: int) -> str:
    """The table of docs/cost.md: each environment in each region."""
    rows: list[str] = []
    for region in REGIONS:
        for name, tfvars in files.items():
            bill = standing_bill(tfvars, shards, region)
            rows = rows or [f"| environment | {' | '.join(bill)} | sum |", "|---" * (len(bill) + 2) + "|"]
            rows.append(
                f"| {name}, {region} | {' | '.join(f'{usd:,.0f}' for usd in bill.values())} | {sum(bill.values()):,.0f} |"
            )
    return "\n".join(rows) + "\n"


def _task(tfvars: str, name: str, usd: Mapping[str, float]) -> tuple[int, float]:
    """The least number of tasks, and what one costs an hour."""
    found = re.search(rf"^{name} .*cpu = (\d+), memory = (\d+), (?:tasks_min|shares) = (\d+)", tfvars, re.MULTILINE)
    assert found, name
    cpu, memory, count = map(int, found.groups())
    return count, _size(cpu, memory, tfvars, usd)


def _size(cpu: int, memory: int, tfvars: str, usd: Mapping[str, float]) -> float:
    """Dollars an hour of a task on arm64, the default."""
    hour = cpu / 1024 * usd["fargate_arm_vcpu_hour"] + memory / 1024 * usd["fargate_arm_gb_hour"]
    return hour * (usd["fargate_spot_part"] if _value(tfvars, "spot") == "true" else 1)


def _value(tfvars: str, name: str) -> str:
    found = re.search(rf'^{name}\s*= "?(\w+)', tfvars, re.MULTILINE)
    return found[1] if found else ""
