"""What GitHub's roles and the processes may do: bound as IAM can bind it, in one environment to no resource of another.

Every action is compared with AWS's service authorization reference; every attack on another environment is judged as IAM would.
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from infra.local.fetch import DownloadError
from tests.support.iam import Context, Statement, about, allows, conditions, json_list, overlap, statements
from tests.support.reference import Action, Reference, installed
from tests.support.terraform import ACCOUNT, planned
from tests.tidy.tree import ROOT

type Plans = Mapping[str, dict[str, Any]]

REGION = "eu-west-1"
GLOBAL = {"aws:RequestedRegion", "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}
"""Condition keys of every request, or of a service's on somebody's behalf (IAM User Guide, global condition context keys)."""
DATA = (
    *("dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "kinesis:GetRecords", "kinesis:GetShardIterator"),
    *(
        "logs:GetLogEvents",
        "s3:GetObject",
        "s3:ListBucket",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
    ),
)
UNBOUND = {"acm:RequestCertificate": "makes a certificate, and touches none"}
"""Calls that know no resource and change something, each with the reason why it may be had."""
MAKES = {
    "ec2:AllocateAddress": "elastic-ip",
    "ec2:AuthorizeSecurityGroupEgress": "security-group-rule",
    "ec2:AuthorizeSecurityGroupIngress": "security-group-rule",
    "ec2:CreateFlowLogs": "vpc-flow-log",
    "ec2:CreateInternetGateway": "internet-gateway",
    "ec2:CreateNatGateway": "natgateway",
    "ec2:CreateRouteTable": "route-table",
    "ec2:CreateSecurityGroup": "security-group",
    "ec2:CreateSubnet": "subnet",
    "ec2:CreateVpc": "vpc",
    "ec2:CreateVpcEndpoint": "vpc-endpoint",
}
"""What a call makes: a thing that is nobody's yet, so one that is there cannot be meant."""


@pytest.fixture(scope="module")
def reference() -> Reference:
    """The service authorization reference."""
    try:
        return installed()
    except DownloadError as error:
        pytest.skip(f"policies are not compared with the service authorization reference: {error}")


def _policies(plans: Plans) -> dict[str, list[Statement]]:
    """Every policy of a role, by address."""
    return {
        address: statements(values["policy"])
        for plan in plans.values()
        for kind in ("aws_iam_policy", "aws_iam_role_policy")
        for address, values in planned(plan, kind).items()
    }


def of_role(plans: Plans, role: str) -> list[Statement]:
    """All that is attached to one of GitHub's roles."""
    documents = planned(plans["bootstrap"], "aws_iam_policy")
    attached = planned(plans["bootstrap"], "aws_iam_role_policy_attachment")
    names = [address.partition('"')[2].rstrip('"]').partition(" ") for address in attached]
    mine = [name for of, _, name in names if of == role]
    assert mine
    return [one for name in mine for one in statements(documents[f'aws_iam_policy.github["{name}"]']["policy"])]


def _faults(statement: Statement, reference: Reference) -> Iterator[str]:
    """What IAM would let stand and never apply."""
    arns = json_list(statement["Resource"])
    useful: set[str] = set()
    for pattern in json_list(statement["Action"]):
        actions = list(reference.actions(pattern))
        if not actions:
            yield f"{pattern} is no action"
        for action in actions:
            bound = {arn for arn in arns if any(overlap(arn, of) for of in action.arns.values())} or {"*"} & set(arns)
            useful |= bound
            if not bound and "*" not in pattern:
                yield f"{action.name} is bound to {arns}, but is of {list(action.arns.values()) or 'no resource'}"
            yield from _unknown_keys(statement, action)
    yield from (f"{arn} is the resource of none of these" for arn in arns if arn not in useful)


def _unknown_keys(statement: Statement, action: Action) -> Iterator[str]:
    """Condition keys that a request of the action never has. What holds where the key is missing does no harm."""
    for operator, key in conditions(statement):
        tag, slash, _ = key.partition("/")
        known = key in GLOBAL | action.keys or tag + slash in action.keys
        known = known or (key.startswith("kms:EncryptionContext:") and "kms:EncryptionContext:" in action.keys)
        if not known and not operator.endswith("IfExists") and operator != "Null":
            yield f"{action.name} knows no {key}"


def test_every_action_is_bound_as_iam_can_bind_it(plans: Plans, reference: Reference) -> None:
    """An ARN that its action does not support allows nothing; a key that a request never has holds for none."""
    found = {
        address: [fault for statement in policy for fault in _faults(statement, reference)]
        for address, policy in _policies(plans).items()
    }
    assert not {address: faults for address, faults in found.items() if faults}


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "kinesis:UpdateShardCount", "Resource": "arn:aws:kinesis:eu-west-1:1:stream/a-*"},
        {"Action": "kinesis:PutRecord", "Resource": ["arn:aws:dynamodb:eu-west-1:1:table/a", "*"]},
        {"Action": "kinesis:PutEverything", "Resource": "*"},
        {"Action": "ecs:DeregisterTaskDefinition", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/A": "b"}}},
    ],
)
def test_what_iam_cannot_bind_is_seen(statement: Statement, reference: Reference) -> None:
    """Found in these policies once, or of their kind."""
    assert list(_faults(statement, reference))


PREFIX = "telemetry-prod"


def _arn(service: str, rest: str, place: str = f"{REGION}:{ACCOUNT}") -> str:
    return f"arn:aws:{service}:{place}:{rest}"


VICTIMS: Sequence[str] = (
    *(_arn("dynamodb", f"table/{PREFIX}-{table}") for table in ("generations", "temperature-stats-g1")),
    _arn("dynamodb", f"table/{PREFIX}-temperature-stats-g1/index/BySeen"),
    _arn("dynamodb", f"table/{PREFIX}-keys"),
    _arn("kinesis", f"stream/{PREFIX}-temperature-events"),
    *(_arn("s3", f"{PREFIX}-archive-{ACCOUNT}{place}", ":") for place in ("", "/log/a")),
    *(_arn("s3", f"telemetry-terraform-{ACCOUNT}{place}", ":") for place in ("/telemetry/prod/environment.tfstate",)),
    _arn("ecs", f"cluster/{PREFIX}"),
    _arn("ecs", f"service/{PREFIX}/api"),
    _arn("ecs", f"task-definition/{PREFIX}-api:1"),
    _arn("cloudwatch", f"alarm:{PREFIX}-lag"),
    _arn("cloudwatch", f"dashboard/{PREFIX}", f":{ACCOUNT}"),
    *(_arn("logs", f"log-group:/{PREFIX}/api{stream}") for stream in ("", ":log-stream:a")),
    _arn("sns", f"{PREFIX}-alarms"),
    _arn("budgets", f"budget/{PREFIX}-monthly", f":{ACCOUNT}"),
    _arn("athena", f"workgroup/{PREFIX}-archive"),
    *(_arn("glue", place) for place in ("database/telemetry_prod", "table/telemetry_prod/readings")),
    *(_arn("iam", f"role/{role}", f":{ACCOUNT}") for role in (f"{PREFIX}-api", "telemetry-apply-prod", "telemetry-push-image")),
    *(_arn("iam", f"policy/{name}", f":{ACCOUNT}") for name in (f"{PREFIX}-boundary", "telemetry-apply-prod")),
    *(
        _arn("ec2", f"{kind}/{kind}-1")
        for kind in (
            *("elastic-ip", "internet-gateway", "natgateway", "route-table", "security-group", "security-group-rule", "subnet"),
            *("vpc", "vpc-endpoint", "vpc-flow-log"),
        )
    ),
    *(_arn("elasticloadbalancing", f"{kind}/app/{PREFIX}/1") for kind in ("loadbalancer", "listener")),
    _arn("elasticloadbalancing", f"targetgroup/{PREFIX}-api/1"),
    _arn("application-autoscaling", "scalable-target/1"),
    _arn("acm", "certificate/1"),
    _arn("scheduler", f"schedule/default/{PREFIX}-canary"),
    _arn("events", f"rule/{PREFIX}-out-of-memory"),
    _arn("route53", "hostedzone/Z1", ":"),
    _arn("secretsmanager", f"secret:{PREFIX}-admin-key-AbCdEf"),
    _arn("elasticloadbalancing", f"truststore/{PREFIX}/1"),
    _arn("wafv2", f"regional/webacl/{PREFIX}/1"),
    _arn("iot", "rule/telemetry_prod_mqtt"),
)
"""What belongs to prod, one of each kind. Those without a name of prod's bear its tag."""


def _contexts() -> Iterator[Context]:
    """What an attacker may say in a request, about something that bears prod's tag."""
    chosen: dict[str, Sequence[str | None]] = {
        "aws:RequestTag/Environment": (None, "dev", "prod"),
        "iam:PassedToService": ("ecs-tasks.amazonaws.com",),
        "iam:PermissionsBoundary": (None, f"arn:aws:iam::{ACCOUNT}:policy/telemetry-dev-boundary"),
    }
    for values in itertools.product(*chosen.values()):
        yield {
            "aws:RequestedRegion": REGION,
            "aws:ResourceTag/Environment": "prod",
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["api.example.com"],
            **{key: value for key, value in zip(chosen, values, strict=True) if value is not None},
        }


def _attacks(reference: Reference) -> Iterator[tuple[Action, str]]:
    """Every action that changes something or reads data, on everything of prod's that is a resource of it."""
    for service in sorted({victim.split(":")[2] for victim in VICTIMS}):
        for action in reference.actions(f"{service}:*"):
            if action.level in ("Read", "List") and action.name not in DATA:
                continue
            if not action.arns:
                yield action, "*"
            made = f":{MAKES.get(action.name)}/"
            found = (victim for victim in VICTIMS if made not in victim)
            yield from ((action, victim) for victim in found if any(overlap(of, victim) for of in action.arns.values()))


NAMED_BESIDE: Mapping[str, str] = {
    "cloudwatch:AlarmActions": _arn("sns", f"{PREFIX}-alarms"),
    "ecs:cluster": _arn("ecs", f"cluster/{PREFIX}"),
    "ecs:task-definition": _arn("ecs", f"task-definition/{PREFIX}-api:1"),
    "events:TargetArn": _arn("sns", f"{PREFIX}-alarms"),
}
"""Condition keys that hold what a call names beside its resource; each with something of prod's."""
UNBOUND_BESIDE = {"cloudwatch:PutMetricAlarm": "an alarm may tell prod's people, or take a task from its services"}
"""Where a key is left alone: prod's people can be told nonsense, and autoscaling's policies have names that nobody can tell."""
NO_KEY: Mapping[str, str] = {
    "ecs:CreateService": "(?i)security.?group|target.?group|load.?balancer",
    "ecs:RunTask": "(?i)subnet|security.?group",
    "ecs:UpdateService": "(?i)security.?group|target.?group|load.?balancer",
    "elasticloadbalancing:CreateListener": "(?i)target.?group",
    "elasticloadbalancing:CreateTargetGroup": "(?i)vpc",
    "elasticloadbalancing:ModifyListener": "(?i)target.?group",
}
"""What a call names beside its resource and no key holds, by what a key for it would be called. Subnets and security groups,
where calls know keys for them, have ids that nobody can tell beforehand."""


def _open(policy: Sequence[Statement], action: Action, victim: str, contexts: Sequence[Context]) -> bool:
    """Whether any of these requests is allowed. One without a resource has no resource's tags."""
    if not (policy := about(policy, action.name)):
        return False
    if victim == "*":
        contexts = [{key: value for key, value in one.items() if "ResourceTag" not in key} for one in contexts]
    return any(allows(policy, action.name, victim, context) for context in contexts)


@pytest.mark.usefixtures("thorough")
def test_devs_role_can_call_nothing_on_prod(plans: Plans, reference: Reference) -> None:
    """Neither by name nor by tag, whatever it says of itself in the request."""
    policy = of_role(plans, "apply-dev")
    contexts = list(_contexts())
    attacks = list(_attacks(reference))
    assert len(attacks) > 1000
    open_to_dev = {(action.name, victim) for action, victim in attacks if _open(policy, action, victim, contexts)}
    assert open_to_dev == {(name, "*") for name in UNBOUND if any(name == action.name for action, _ in attacks)}


def test_every_kind_of_thing_of_prod_is_attacked(plans: Plans) -> None:
    """Each service that dev's role may call has a victim, but for the one that it asks alone."""
    called = {action.partition(":")[0] for one in of_role(plans, "apply-dev") for action in json_list(one["Action"])}
    assert called - {"kms"} <= {victim.split(":")[2] for victim in VICTIMS}


def test_dev_names_nothing_of_prod_beside_its_own(plans: Plans, reference: Reference) -> None:
    """Where AWS has a key for it: what is to run, where, and whom an event is told. A service's own name holds its cluster."""
    policy = of_role(plans, "apply-dev")
    own = {"aws:RequestedRegion": REGION, "aws:ResourceTag/Environment": "dev", "aws:RequestTag/Environment": "dev"}
    seen, open_to_dev = set(), set()
    for victim in VICTIMS:
        for action in reference.actions(f"{victim.split(':')[2]}:*"):
            mine = victim.replace(PREFIX, "telemetry-dev")
            changes = action.level not in ("Read", "List") and "Tagging" not in action.level  # a tag names nothing beside
            if not changes or not any(overlap(of, mine) for of in action.arns.values()):
                continue
            beside = action.keys & NAMED_BESIDE.keys() - ({"ecs:cluster"} if ":service/" in mine else set())
            for key in beside:
                seen.add(key)
                if allows(policy, action.name, mine, {**own, key: NAMED_BESIDE[key]}):
                    open_to_dev.add(action.name)
    assert seen == NAMED_BESIDE.keys()
    assert open_to_dev == UNBOUND_BESIDE.keys()


def test_what_no_key_binds_is_said(reference: Reference) -> None:
    """In docs/deploy.md, call by call; a key that AWS makes one day is to be used."""
    document = (ROOT / "docs/deploy.md").read_text()
    for name, key in NO_KEY.items():
        [action] = reference.actions(name)
        assert not [one for one in action.keys if re.search(key, one)], name
    for name in (*NO_KEY, *UNBOUND_BESIDE):
        assert f"`{name.partition(':')[2]}`" in document, name


@pytest.mark.usefixtures("thorough")
def test_a_role_that_dev_makes_reaches_nothing_of_prod(plans: Plans, reference: Reference) -> None:
    """It can do no more than dev's boundary, which ends where dev's names end."""
    boundaries = planned(plans["bootstrap"], "aws_iam_policy")
    boundary = statements(boundaries['aws_iam_policy.boundary["dev"]']["policy"])
    contexts = [
        {
            **context,
            "ecs:cluster": _arn("ecs", f"cluster/{PREFIX}"),
            "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{PREFIX}-archive-1",
        }
        for context in _contexts()
    ]
    open_to_dev = {(action.name, victim) for action, victim in _attacks(reference) if _open(boundary, action, victim, contexts)}
    assert not open_to_dev
    made = [one for one in of_role(plans, "apply-dev") if "iam:CreateRole" in json_list(one["Action"])]
    [condition] = [one["Condition"]["StringEquals"]["iam:PermissionsBoundary"] for one in made]
    assert condition == f"arn:aws:iam::{ACCOUNT}:policy/telemetry-dev-boundary"


def test_what_a_process_may_do_its_boundary_allows(plans: Plans) -> None:
    """Else its right is none. Conditions of its own are taken to be met."""
    boundaries = planned(plans["bootstrap"], "aws_iam_policy")
    boundary = statements(boundaries['aws_iam_policy.boundary["dev"]']["policy"])
    beyond = []
    for values in planned(plans["environment"], "aws_iam_role_policy").values():
        for one in statements(values["policy"]):
            met = {key: json_list(value) for of in one.get("Condition", {}).values() for key, value in of.items()}
            for action, arn in itertools.product(json_list(one["Action"]), json_list(one["Resource"])):
                context = {"kms:EncryptionContext:aws:s3:arn": [f"arn:aws:s3:::telemetry-dev-archive-{ACCOUNT}"], **met}
                if not allows(boundary, action, arn, context):
                    beyond.append((values["name"], action, arn))
    assert not beyond


@pytest.mark.usefixtures("thorough")
def test_one_condition_less_is_an_open_door(plans: Plans, reference: Reference) -> None:
    """Whichever of the conditions on tags it is: the attack would find it."""
    policy = of_role(plans, "apply-dev")
    guarded = [one for one in policy if any("ResourceTag" in key for _, key in conditions(one))]
    assert guarded
    contexts = list(_contexts())
    for statement in guarded:
        open_door = {name: value for name, value in statement.items() if name != "Condition"}
        assert any(
            allows([open_door], action.name, victim, context)
            for action, victim in _attacks(reference)
            for context in contexts[:1]
        ), statement["Sid"]


def test_no_pull_request_becomes_a_role_of_prod(plans: Plans) -> None:
    """Nor anything else than this repository's main branch and prod's reviewers, by whole subjects."""
    trusted = {}
    for values in planned(plans["bootstrap"], "aws_iam_role").values():
        [statement] = json.loads(values["assume_role_policy"])["Statement"]
        trusted[values["name"]] = json_list(statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"])
    repository = "repo:somebody@1234/telemetry@5678"
    main, pull_request = f"{repository}:ref:refs/heads/main", f"{repository}:pull_request"
    assert trusted == {
        "telemetry-push-image": [main],
        **{f"telemetry-plan-{env}": [main, pull_request] for env in ("dev", "staging")},
        "telemetry-plan-prod": [main],
        **{f"telemetry-apply-{env}": [f"{repository}:environment:{env}"] for env in ("dev", "staging", "prod")},
    }


def test_planning_changes_nothing(plans: Plans, reference: Reference) -> None:
    """Whoever plans reads: no action of another kind, and of data nothing but the state."""
    for statement in of_role(plans, "plan-prod"):
        for pattern in json_list(statement["Action"]):
            for action in reference.actions(pattern):
                assert action.level in ("Read", "List"), action.name
                assert action.name not in DATA or action.name in ("s3:GetObject", "s3:ListBucket"), action.name


def test_whoever_plans_finds_every_bucket(plans: Plans) -> None:
    """The provider asks for each by HeadBucket, which is the right s3:ListBucket on the bucket itself."""
    policy = of_role(plans, "plan-dev")
    buckets = [values["bucket"] for values in planned(plans["environment"], "aws_s3_bucket").values()]
    assert len(buckets) > 1
    assert all(allows(policy, "s3:ListBucket", f"arn:aws:s3:::{name}", {}) for name in buckets)
