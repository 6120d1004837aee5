"""Names, descriptions and tags are such as AWS takes, and an environment fits into what a new account is given."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from consumer.properties import JAVA_BEYOND_HEAP_MB, PROCESSOR_MB, SUPERVISOR_MB, heap_mb
from tests.support.limits import RULES, UNNAMED, name_faults
from tests.support.terraform import ENVIRONMENTS, TREE, every
from tests.tidy.tree import ROOT

type Plans = Mapping[str, dict[str, Any]]


def test_every_name_is_one_that_aws_takes(plans: Plans) -> None:
    """Of every resource that is planned."""
    for plan in plans.values():
        for item in every(plan):
            assert not list(name_faults(item["type"], item["values"])), item["address"]


def test_every_type_has_a_rule_or_a_reason() -> None:
    """Whether an environment has one just now or not; never both."""
    written = {kind for path in TREE.rglob("*.tf") for kind in re.findall(r'^resource "(\w+)"', path.read_text(), re.MULTILINE)}
    assert written == RULES.keys() | UNNAMED.keys()
    assert not RULES.keys() & UNNAMED.keys()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("aws_cloudwatch_event_rule", {"name": "a" * 65, "description": ""}),
        ("aws_iot_topic_rule", {"name": "a-b"}),
        ("aws_lb_trust_store", {"name": "a" * 33}),
        ("aws_route53_record", {"name": "a_b.example.org."}),
        ("aws_secretsmanager_secret", {"name": "telemetry-prod-ingest", "description": ""}),
        ("aws_wafv2_web_acl", {"name": "a", "description": "nobody's"}),
        ("aws_lb", {"name": "a" * 33}),
        ("aws_lb", {"name": "a-"}),
        ("aws_iam_role", {"name": "a" * 65}),
        ("aws_s3_bucket", {"bucket": "Upper"}),
        ("aws_security_group", {"name": "a", "description": "nobody's"}),
        ("aws_sns_topic", {"name": "a.b"}),
        ("aws_sns_topic", {"name": "a", "tags_all": {"Owner": "you <you@example.org>"}}),
    ],
)
def test_a_name_that_aws_refuses_is_seen(kind: str, values: dict[str, Any]) -> None:
    """Whichever rule it breaks."""
    assert kind in RULES
    assert list(name_faults(kind, values))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_document_says_how_many_processors_an_environment_takes(environment: str) -> None:
    """At rest, while all but archivers are replaced by as many again, and at most: AWS counts vCPUs of Fargate by region."""
    rest, replaced, most = _vcpus((TREE / f"environment/{environment}.tfvars").read_text())
    [row] = re.findall(rf"^\| {environment} \| (.+) \|$", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE)
    assert [float(cell) for cell in row.split(" | ")[:3]] == [rest, replaced, most]


def _vcpus(tfvars: str) -> tuple[float, float, float]:
    """Of tasks at least, while they are replaced, and at most: then, or with as many as there may be."""
    rest = replaced = most = 0.0
    [shards] = map(int, re.findall(r"^shards\s+= (\d+)", tfvars, re.MULTILINE))
    for name, *figures in re.findall(
        r"^(api|consumer)\s+= { cpu = (\d+), memory = \d+, tasks_min = (\d+), tasks_max = (\d+)", tfvars, re.MULTILINE
    ):
        cpu, *counts = map(int, figures)
        # A consumer beyond the shards would have nothing to do, so Terraform starts none.
        least, maximum = (min(count, shards) if name == "consumer" else count for count in counts)
        rest += cpu * least / 1024
        replaced += 2 * cpu * least / 1024
        most += cpu * maximum / 1024
    if re.search(r"^archive\s+= true$", tfvars, re.MULTILINE):
        [(cpu, shares)] = re.findall(r"^archiver\s+= { cpu = (\d+), memory = \d+, shares = (\d+) }$", tfvars, re.MULTILINE)
        alone = int(cpu) * int(shares) / 1024
        rest, replaced, most = rest + alone, replaced + alone, most + alone
    canary = 0.25 if re.search(r"^canary\s+= true$", tfvars, re.MULTILINE) else 0.0
    return rest + canary, replaced + canary, max(replaced, most) + canary


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_consumers_task_can_hold_every_shard_of_its_environment(environment: str) -> None:
    """As when it is the only one left, with a backlog of the largest answers."""
    tfvars = (TREE / f"environment/{environment}.tfvars").read_text()
    [shards] = map(int, re.findall(r"^shards\s+= (\d+)", tfvars, re.MULTILINE))
    [memory] = map(int, re.findall(r"^consumer\s+= .*memory = (\d+)", tfvars, re.MULTILINE))
    assert memory >= SUPERVISOR_MB + JAVA_BEYOND_HEAP_MB + heap_mb(shards) + shards * PROCESSOR_MB


def test_three_environments_fit_into_what_a_region_gives_a_new_account() -> None:
    """Five addresses, five VPCs of which one is the default one (VPC User Guide, quotas)."""
    files = [(TREE / f"environment/{name}.tfvars").read_text() for name in ENVIRONMENTS]
    gateways = [int(count) for tfvars in files for count in re.findall(r"^nat_gateways\s+= (\d+)", tfvars, re.MULTILINE)]
    assert sum(gateways) <= 5
    assert len(files) + 1 <= 5
