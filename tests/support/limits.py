"""What AWS takes for a name, a description and a tag: as each service's API reference says of the parameter.

Emulators take anything. Pure: a planned resource's values in, sentences out.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_DESCRIPTION: Final = r"[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}"
"""EC2 API reference, CreateSecurityGroup and IpRange: no apostrophe, for one."""

RULES: Final[Mapping[str, Mapping[str, str]]] = {
    "aws_appautoscaling_policy": {"name": r"\S.{0,255}"},
    "aws_athena_workgroup": {"name": r"[a-zA-Z0-9._-]{1,128}"},
    "aws_budgets_budget": {"name": r"[^:\\]{1,100}"},
    "aws_cloudwatch_dashboard": {"dashboard_name": r"[A-Za-z0-9_-]{1,255}"},
    "aws_cloudwatch_event_rule": {"name": r"[\w.-]{1,64}", "description": r".{0,512}"},
    "aws_cloudwatch_log_group": {"name": r"[\w./#-]{1,512}"},
    "aws_dynamodb_table": {"name": r"[\w.-]{3,255}"},
    "aws_ecr_repository": {"name": r"[a-z0-9]+([._/-][a-z0-9]+)*"},
    "aws_ecs_cluster": {"name": r"[\w-]{1,255}"},
    "aws_ecs_service": {"name": r"[\w-]{1,255}"},
    "aws_ecs_task_definition": {"family": r"[\w-]{1,255}"},
    "aws_glue_catalog_database": {"name": r"[a-z0-9_]{1,255}"},
    "aws_glue_catalog_table": {"name": r"[a-z0-9_]{1,255}"},
    "aws_iam_policy": {"name": r"[\w+=,.@-]{1,128}"},
    "aws_iam_role": {"name": r"[\w+=,.@-]{1,64}"},
    "aws_iam_role_policy": {"name": r"[\w+=,.@-]{1,128}"},
    "aws_iot_topic_rule": {"name": r"\w{1,128}"},
    "aws_kinesis_stream": {"name": r"[\w.-]{1,128}"},
    "aws_lb": {"name": r"(?!internal-)[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"},
    "aws_lb_target_group": {"name": r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"},
    "aws_lb_trust_store": {"name": r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"},
    "aws_route53_record": {"name": r"[a-z0-9_*-]{1,63}([.][a-z0-9_-]{1,63})*"},
    "aws_s3_bucket": {"bucket": r"(?!xn--|sthree-)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"},
    "aws_scheduler_schedule": {"name": r"[\w.-]{1,64}"},
    # Secrets Manager puts six characters behind a name, by which it is found (API reference, CreateSecret).
    "aws_secretsmanager_secret": {"name": r"(?!.*-.{6}$)[\w/+=.@-]{1,512}", "description": r".{0,2048}"},
    "aws_security_group": {"name": r"(?!sg-)[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}", "description": _DESCRIPTION},
    "aws_sns_topic": {"name": r"[\w-]{1,256}"},
    "aws_vpc_security_group_egress_rule": {"description": _DESCRIPTION},
    "aws_vpc_security_group_ingress_rule": {"description": _DESCRIPTION},
    "aws_wafv2_web_acl": {"name": r"[\w-]{1,128}", "description": r"(?!\s)[\w+=:#@/,. -]{1,256}(?<!\s)"},
}
"""By type and attribute, what the whole value looks like."""

_WITHOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "judged by cloudwatch.py": ("aws_cloudwatch_log_metric_filter", "aws_cloudwatch_metric_alarm"),
    "has a host name, which the root's variable and Route 53's record have too": ("aws_acm_certificate",),
    "has nothing but ids, tags and settings of few values, which the provider knows": (
        *(
            "aws_default_security_group",
            "aws_eip",
            "aws_flow_log",
            "aws_internet_gateway",
            "aws_lb_listener",
            "aws_nat_gateway",
        ),
        *("aws_route", "aws_route_table", "aws_subnet", "aws_vpc", "aws_vpc_endpoint"),
    ),
    "is part of something else, and named by that": (
        *("aws_acm_certificate_validation", "aws_appautoscaling_target", "aws_cloudwatch_event_target"),
        *("aws_ecr_lifecycle_policy", "aws_ecr_repository_policy", "aws_ecs_cluster_capacity_providers"),
        *("aws_iam_role_policy_attachment", "aws_route_table_association", "aws_s3_bucket_lifecycle_configuration"),
        *("aws_s3_bucket_object_lock_configuration", "aws_s3_bucket_policy", "aws_s3_bucket_public_access_block"),
        *("aws_s3_bucket_server_side_encryption_configuration", "aws_s3_bucket_versioning", "aws_sns_topic_policy"),
        *("aws_sns_topic_subscription", "aws_wafv2_web_acl_association"),
    ),
    "is named by GitHub's address": ("aws_iam_openid_connect_provider",),
}
UNNAMED: Final[Mapping[str, str]] = {kind: reason for reason, kinds in _WITHOUT.items() for kind in kinds}
"""Types that have no name or description of ours to be judged, each with the reason."""

_TAG: Final = re.compile(r"[\w .:/=+@-]*")
"""Letters, digits, spaces and _ . : / = + - @ (Tagging AWS Resources User Guide, tag naming limits)."""


def name_faults(kind: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Why a planned resource's names, descriptions and tags would be refused. A type must be known here."""
    if kind not in RULES and kind not in UNNAMED:
        yield "has neither a rule nor a reason to have none"
    for attribute, pattern in RULES.get(kind, {}).items():
        if not re.fullmatch(pattern, value := values[attribute] or "", re.ASCII):
            yield f"{attribute} = {value!r}"
    tags = values.get("tags_all") or {}
    if len(tags) > 50:
        yield "more than 50 tags"
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.startswith("aws:") or len(value) > 256 or not _TAG.fullmatch(key + value):
            yield f"tag {key} = {value!r}"
