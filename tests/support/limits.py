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
    "aws_kinesis_stream": {"name": r"[\w.-]{1,128}"},
    "aws_lb": {"name": r"(?!internal-)[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"},
    "aws_lb_target_group": {"name": r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"},
    "aws_s3_bucket": {"bucket": r"(?!xn--|sthree-)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"},
    "aws_scheduler_schedule": {"name": r"[\w.-]{1,64}"},
    "aws_security_group": {"name": r"(?!sg-)[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}", "description": _DESCRIPTION},
    "aws_sns_topic": {"name": r"[\w-]{1,256}"},
    "aws_vpc_security_group_egress_rule": {"description": _DESCRIPTION},
    "aws_vpc_security_group_ingress_rule": {"description": _DESCRIPTION},
}
"""By type and attribute, what the whole value looks like."""

_TAG: Final = re.compile(r"[\w .:/=+@-]*")
"""Letters, digits, spaces and _ . : / = + - @ (Tagging AWS Resources User Guide, tag naming limits)."""


def name_faults(kind: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Why a planned resource's names, descriptions and tags would be refused."""
    for attribute, pattern in RULES.get(kind, {}).items():
        if not re.fullmatch(pattern, value := values[attribute] or "", re.ASCII):
            yield f"{attribute} = {value!r}"
    tags = values.get("tags_all") or {}
    if len(tags) > 50:
        yield "more than 50 tags"
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.startswith("aws:") or len(value) > 256 or not _TAG.fullmatch(key + value):
            yield f"tag {key} = {value!r}"
