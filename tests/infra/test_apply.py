"""Terraform applied: a whole environment to moto, stream and tables to LocalStack with the pipeline at work on them.

Takes minutes, so `make infra-apply-test` runs it and `make test` does not. What it cannot show is in infra/terraform/README.md.
"""

import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from tests.support.calls import actions_of
from tests.support.iam import json_list, like, statements
from tests.support.stack import open_stack
from tests.support.terraform import EMULATED, LOCAL_STATE, OFFLINE, Root, copy_root, planned

PROJECT = Path(__file__).parents[2]
REGION: Final = "eu-west-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
NO_CHANGES = 0

_IDLE: Mapping[str, tuple[str, ...]] = {
    "asked for beside the call that makes a thing with its tags": (
        *("acm:AddTagsToCertificate", "application-autoscaling:TagResource", "athena:TagResource", "budgets:TagResource"),
        *(
            "cloudwatch:TagResource",
            "dynamodb:TagResource",
            "ecs:TagResource",
            "elasticloadbalancing:AddTags",
            "events:TagResource",
        ),
        *("glue:TagResource", "iam:TagRole", "iot:TagResource", "kinesis:AddTagsToStream", "logs:TagResource"),
        *("secretsmanager:TagResource", "sns:TagResource", "wafv2:TagResource"),
    ),
    "a tag that goes": (
        *("acm:RemoveTagsFromCertificate", "application-autoscaling:UntagResource", "athena:UntagResource"),
        *("budgets:UntagResource", "cloudwatch:UntagResource", "dynamodb:UntagResource", "ec2:DeleteTags", "ecs:UntagResource"),
        *("elasticloadbalancing:RemoveTags", "events:UntagResource", "glue:UntagResource", "iam:UntagRole"),
        *("iot:UntagResource", "kinesis:RemoveTagsFromStream", "logs:UntagResource", "secretsmanager:UntagResource"),
        *("sns:UntagResource", "wafv2:UntagResource"),
    ),
    "another change than this run's": (
        *("athena:UpdateWorkGroup", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcEndpoint"),
        *("ec2:ReplaceRoute", "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyTargetGroup"),
        *(
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
            "glue:UpdateDatabase",
            "glue:UpdateTable",
        ),
        *("iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "kinesis:DecreaseStreamRetentionPeriod"),
        *("iot:ReplaceTopicRule", "kinesis:StopStreamEncryption", "kinesis:UpdateShardCount"),
        *("s3:PutBucketObjectLockConfiguration", "scheduler:UpdateSchedule", "secretsmanager:UpdateSecret"),
        "wafv2:UpdateWebACL",
    ),
    "Terraform's own, for its state": ("s3:GetObject", "s3:PutObject"),
    "the state's lock, and what lies in buckets that go, which are empty here": (
        *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions"),
    ),
    "infra.setup --pointer": ("dynamodb:GetItem", "dynamodb:PutItem"),
    "infra.first_keys": ("secretsmanager:PutSecretValue",),
    "infra.rollout": ("cloudwatch:EnableAlarmActions", "ecs:DescribeTasks", "ecs:RunTask"),
    "mutual TLS, which moto has not": (
        *("elasticloadbalancing:CreateTrustStore", "elasticloadbalancing:DeleteTrustStore"),
        "elasticloadbalancing:ModifyTrustStore",
    ),
    "AWS's own question when a role is handed over, a service is the account's first, or a firewall is put in front": (
        *("elasticloadbalancing:SetWebAcl", "iam:PassRole", "iam:CreateServiceLinkedRole"),
    ),
    "a listener's attributes, of which moto has none": ("elasticloadbalancing:ModifyListenerAttributes",),
}
DOMAINS: Final = '{prod = {name = "telemetry.example.com", zone_id = "Z1"}}'
NOT_CALLED: Mapping[str, str] = {action: reason for reason, actions in _IDLE.items() for action in actions}
"""What the role of prod may do and this run does not, each for its reason."""


pytestmark = pytest.mark.usefixtures("asked_for")


def make_what_is_made_by_hand(moto: str) -> str:
    """The bucket for states, which bootstrap makes, and a DNS zone; the zone's id."""
    session = boto3.Session("test", "test", region_name=REGION)
    session.client("s3", endpoint_url=moto).create_bucket(
        Bucket="states", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    made = session.client("route53", endpoint_url=moto).create_hosted_zone(Name="example.com", CallerReference="tests")
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


ONE_ALONE: Final = {
    *("elasticloadbalancing:SetWebAcl", "kinesis:UpdateShardCount", "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"),
}
"""What a role may do only where its environment has the account for itself (infra/terraform/bootstrap)."""


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What bootstrap would make where prod has an account for itself: GitHub's roles and their policies."""
    root = copy_root("bootstrap", tmp_path_factory.mktemp("bootstrap"), values={"environments": '["prod"]', "domains": DOMAINS})
    root.init()
    return root.plan()


def told(root: Root, *arguments: str, log: Path) -> tuple[str, dict[str, int]]:
    """What Terraform said in the workspace prod, and the actions that its provider called."""
    logged = replace(root, environ={**root.environ, "TF_LOG_PROVIDER": "DEBUG", "TF_LOG_PATH": str(log)})
    said = logged.run(*arguments, workspace="prod")
    with log.open() as lines:
        return said, actions_of(lines)


@pytest.mark.timeout(1200)
def test_a_whole_environment_is_made_stays_as_it_is_and_is_gone_again(
    moto: str, tmp_path: Path, bootstrap: dict[str, Any]
) -> None:
    """prod with a domain: applied, planned again without changes, its protection lifted, destroyed; its state in S3.

    Every call of it is allowed to GitHub's roles, and what they may and nobody called has a reason.
    """
    zone = make_what_is_made_by_hand(moto)
    domain = f'{{name="telemetry.example.com",zone_id="{zone}"}}'
    values = {"domain": domain, "alarm_emails": '["somebody@example.com"]'}
    root = copy_root("environment", tmp_path, EMULATED, values=values, environ={"AWS_ENDPOINT_URL": moto, **CREDENTIALS})
    backend = {"bucket": "states", "region": REGION, "use_path_style": "true"} | dict.fromkeys(
        ("skip_credentials_validation", "skip_metadata_api_check", "skip_requesting_account_id"), "true"
    )
    root.init(*(f"-backend-config={name}={value}" for name, value in backend.items()), workspace="prod")
    variables = root.variables("prod")

    root.run("plan", "-out=plan", *variables, workspace="prod")
    applied, made = told(root, "apply", "plan", log=tmp_path / "apply.log")
    assert "0 changed, 0 destroyed" in applied
    _, planned_by = told(root, "plan", "-detailed-exitcode", *variables, log=tmp_path / "plan.log")  # status 2 were changes

    lifted = [*variables, "-var=deletion_protection=false"]
    changed, moved = told(root, "apply", "-auto-approve", *lifted, log=tmp_path / "change.log")
    assert "0 added, 11 changed, 0 destroyed" in changed
    _, gone = told(root, "destroy", "-auto-approve", *lifted, log=tmp_path / "destroy.log")
    assert not root.run("state", "list", workspace="prod")
    _compare(bootstrap, planned_by, Counter(made) + Counter(moved) + Counter(gone))


def _compare(bootstrap: Mapping[str, Any], planning: Mapping[str, int], applying: Mapping[str, int]) -> None:
    """Both ways: what is called is allowed, and what is allowed was called or has a reason in NOT_CALLED."""
    (PROJECT / ".local").mkdir(exist_ok=True)
    (PROJECT / ".local/calls.json").write_text(json.dumps({"plan": planning, "apply": applying}, indent=2))
    may_plan, may_apply = (_allowed(bootstrap, role) for role in ("plan-prod", "apply-prod"))
    assert planning
    assert not _beyond(may_plan, planning)
    assert not _beyond(may_apply, {**planning, **applying})
    called = {one for one in may_apply if any(like(one, action) for action in {**planning, **applying})}
    assert may_apply - called == NOT_CALLED.keys()


def _beyond(allowed: Iterable[str], called: Iterable[str]) -> set[str]:
    """What is called and not allowed."""
    return {action for action in called if not any(like(one, action) for one in allowed)}


def _allowed(bootstrap: Mapping[str, Any], role: str) -> set[str]:
    """The actions of a role's policies."""
    policies = planned(bootstrap, "aws_iam_policy")
    names = [
        f"{role.replace('apply', 'plan')}",
        *([role, f"{role}-services", f"{role}-network", f"{role}-doors"] if role.startswith("apply") else []),
    ]
    found = [one for name in names for one in statements(policies[f'aws_iam_policy.github["{name}"]']["policy"])]
    return {action for one in found if one["Effect"] == "Allow" for action in json_list(one["Action"])}


def test_where_environments_share_an_account_a_role_may_do_less(bootstrap: dict[str, Any], tmp_path: Path) -> None:
    """By those actions alone that AWS binds to nothing, and what they are for."""
    root = copy_root("bootstrap", tmp_path, values={"domains": DOMAINS})
    root.init()
    assert _allowed(root.plan(), "apply-prod") == _allowed(bootstrap, "apply-prod") - ONE_ALONE


@pytest.mark.timeout(900)
def test_the_pipeline_works_on_what_terraform_made(endpoint: str, java: str, tmp_path: Path) -> None:
    """Stream and tables by Terraform, the pointer by the set-up, and on them the end-to-end test."""
    name = f"t{uuid.uuid4().hex[:8]}"
    environ = {"AWS_ENDPOINT_URL": endpoint, **CREDENTIALS}
    values = {"name": name, "shards": "2"}  # as the test below has them
    root = copy_root("environment", tmp_path, OFFLINE + LOCAL_STATE, values=values, environ=environ)
    # The LocalStack of the tests has no KMS, which it asks for a table's key.
    plain = 'resource "aws_dynamodb_table" "this" {\n  server_side_encryption {\n    enabled = false\n  }\n}\n'
    (root.folder.parent / "modules/tables/override.tf").write_text(plain)
    root.init()
    targets = [*root.variables(), "-target=module.stream", "-target=module.tables"]
    root.run("apply", "-auto-approve", *targets)
    # kinesis-local forgets the tags that a stream is made with; whatever else it forgot would show in the plan after this.
    again = root.run("apply", "-auto-approve", *targets)
    assert "0 added, 1 changed, 0 destroyed" in again, again
    root.run("plan", "-detailed-exitcode", *targets, status=NO_CHANGES)

    stack = open_stack(endpoint, java, f"{name}-dev")
    environ = {**stack.environ, "STACK_PREFIX": stack.names.prefix}
    subprocess.run([sys.executable, "-m", "infra.setup"], env=environ, check=True, timeout=60)
    end_to_end = [sys.executable, "-m", "pytest", "-q", "tests/end_to_end/test_counted_once.py"]
    done = subprocess.run(end_to_end, env=environ, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:]

    root.run("destroy", "-auto-approve", *targets)
    assert not root.run("state", "list")
