"""The provider's log is read as what it is: calls, by the names that policies have for them."""

import pytest

from tests.support.calls import actions_of

LINE = (
    "2026-11-26T16:00:00.000Z [DEBUG] provider.terraform-provider-aws_v5.100.0_x5: HTTP Request Sent: @module=aws "
    'http.method=POST rpc.method={method} rpc.service={service} rpc.system=aws-api tf_aws.sdk=aws-sdk-go-v2 http.url="x"'
)


def test_operations_become_actions() -> None:
    """By service and operation, wherever they stand; twice is counted twice, answers and other lines are no calls."""
    log = [
        LINE.format(method="CreateVpc", service="EC2"),
        LINE.format(method="CreateVpc", service="EC2"),
        LINE.format(method="CreateListener", service='"Elastic Load Balancing v2"'),
        LINE.format(method="HeadBucket", service="S3"),
        LINE.format(method="GetCallerIdentity", service="STS"),
        LINE.format(method="DeleteVpc", service="EC2").replace("Request Sent", "Response Received"),
        LINE.format(method="PutBucketPolicy", service="S3").replace("rpc.system", "http.body=\n  | {\n  | }\n  rpc.system"),
        "2026-11-26T16:00:00.000Z [INFO] something else",
    ]
    assert actions_of(log) == {
        "ec2:CreateVpc": 2,
        "elasticloadbalancing:CreateListener": 1,
        "s3:ListBucket": 1,
        "s3:PutBucketPolicy": 1,
    }


def test_a_service_that_is_not_known_is_an_error() -> None:
    """Its rights would be compared with nothing."""
    with pytest.raises(KeyError):
        actions_of([LINE.format(method="CreateTrail", service="CloudTrail")])
