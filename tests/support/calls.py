"""The calls that Terraform's provider made, as IAM names them, from its own log.

The provider writes down each request with the service and the operation of the SDK (`rpc.service`, `rpc.method`) when
TF_LOG_PROVIDER is DEBUG. Most operations are actions of the same name; the others are below, each as the service's part of the
service authorization reference, or its API reference, has it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

_METHOD: Final = re.compile(r"\brpc\.method=(\w+)")
_SERVICE: Final = re.compile(r'\brpc\.service=(?:"([^"]+)"|(\w+))')
_BEGINNING: Final = re.compile(r"\d{4}-\d\d-\d\dT\S+ \[")
"""Of an entry, whose fields come in any order; a field of several lines takes several lines."""

_SERVICES: Final[Mapping[str, str]] = {
    "ACM": "acm",
    "Application Auto Scaling": "application-autoscaling",
    "Athena": "athena",
    "Budgets": "budgets",
    "CloudWatch": "cloudwatch",
    "CloudWatch Logs": "logs",
    "DynamoDB": "dynamodb",
    "EC2": "ec2",
    "ECS": "ecs",
    "Elastic Load Balancing v2": "elasticloadbalancing",
    "EventBridge": "events",
    "Glue": "glue",
    "IAM": "iam",
    "IoT": "iot",
    "KMS": "kms",
    "Kinesis": "kinesis",
    "Route 53": "route53",
    "S3": "s3",
    "SNS": "sns",
    "STS": "sts",
    "Scheduler": "scheduler",
    "Secrets Manager": "secretsmanager",
    "WAFV2": "wafv2",
}

_OTHERWISE: Final[Mapping[str, str]] = {
    "budgets:CreateBudget": "budgets:ModifyBudget",
    "budgets:CreateNotification": "budgets:ModifyBudget",
    "budgets:DeleteBudget": "budgets:ModifyBudget",
    "budgets:DescribeBudget": "budgets:ViewBudget",
    "budgets:DescribeNotificationsForBudget": "budgets:ViewBudget",
    "budgets:DescribeSubscribersForNotification": "budgets:ViewBudget",
    "budgets:UpdateBudget": "budgets:ModifyBudget",
    "route53:ChangeTagsForResource": "route53:ChangeTagsForResource",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketTagging": "s3:PutBucketTagging",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}

_FREE: Final = frozenset({"iam:GetUser", "sts:GetCallerIdentity"})
"""The one needs no right (STS API reference). The other is asked first for the account's number: where it is refused, as to a
role, the provider asks STS."""


def actions_of(log: Iterable[str]) -> dict[str, int]:
    """The actions that a provider's log tells of, and how often each was called."""
    found: dict[str, int] = {}
    for entry in _entries(log):
        if "HTTP Request Sent" in entry:
            [method], [(quoted, bare)] = _METHOD.findall(entry), _SERVICE.findall(entry)
            name = f"{_SERVICES[quoted or bare]}:{method}"
            action = _OTHERWISE.get(name, name)
            if action not in _FREE:
                found[action] = found.get(action, 0) + 1
    return found


def _entries(log: Iterable[str]) -> Iterator[str]:
    entry = ""
    for line in log:
        if _BEGINNING.match(line):
            yield entry
            entry = line
        else:
            entry += line
    yield entry
