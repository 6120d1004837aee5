"""AWS clients with every time-out and retry said out loud: boto3's defaults are 60 s and five silent attempts."""

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from telemetry.attribute_values import AttributeValueSerializer, Parsers
from telemetry.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client

_CONNECT_TIMEOUT_S = 1
_READ_TIMEOUT_S = 2
_OBJECT_TIMEOUT_S = 60
"""S3 answers a put when it has all of the object."""
_DEPLOYMENT_TIMEOUT_S = 20
_USER_AGENT = "telemetry-pipeline"
"""The SDK's own names every part of the machine, and is made anew for each request."""


def _config(settings: Settings, attempts: int, pool: int, read_timeout_s: float = _READ_TIMEOUT_S) -> Config:
    return Config(
        region_name=settings.aws_region,
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=pool,
        tcp_keepalive=True,
        user_agent=_USER_AGENT,
    )


@cache
def session() -> boto3.Session:
    """The session of all clients: a service's model is read once."""
    core = botocore.session.get_session()
    core.register_component("response_parser_factory", Parsers())
    return boto3.Session(botocore_session=core)


def kinesis_client(
    settings: Settings, *, attempts: int = 3, pool: int = 10, read_timeout_s: float = _READ_TIMEOUT_S
) -> "KinesisClient":
    """A Kinesis client. `attempts` counts the first try; who retries by themselves ask for 1.

    Readers on behalf of a person ask for a longer `read_timeout_s`: a page takes the emulator seconds when the machine is busy.
    """
    config = _config(settings, attempts, pool, read_timeout_s)
    return session().client("kinesis", config=config, endpoint_url=settings.aws_endpoint_url)


def dynamodb_client(settings: Settings, *, attempts: int = 3, pool: int = 10, validate: bool = True) -> "DynamoDBClient":
    """A DynamoDB client. Reads and conditional or identical writes only, so the SDK's own retries are harmless.

    Without `validate` parameters are sent as they are, which at least halves what writing a row costs: DynamoDB checks them.
    """
    config = _config(settings, attempts, pool).merge(Config(parameter_validation=validate))
    client = session().client("dynamodb", config=config, endpoint_url=settings.dynamodb_url)
    if not validate:
        client._serializer = AttributeValueSerializer()  # type: ignore[attr-defined]
    return client


def s3_client(settings: Settings, *, pool: int = 10) -> "S3Client":
    """An S3 client. Who puts and gets by it retries by itself."""
    config = _config(settings, 1, pool, _OBJECT_TIMEOUT_S)
    return session().client("s3", config=config, endpoint_url=settings.aws_endpoint_url)


def ecs_client(settings: Settings) -> Any:
    """An ECS client, for who looks after a deployment."""
    config = _config(settings, 3, 1, _DEPLOYMENT_TIMEOUT_S)
    return session().client("ecs", config=config, endpoint_url=settings.aws_endpoint_url)


def cloudwatch_client(settings: Settings) -> Any:
    """A CloudWatch client, for who looks after a deployment."""
    config = _config(settings, 3, 1, _DEPLOYMENT_TIMEOUT_S)
    return session().client("cloudwatch", config=config, endpoint_url=settings.aws_endpoint_url)


def secrets_client(settings: Settings) -> Any:
    """A Secrets Manager client, for who looks after a deployment."""
    config = _config(settings, 3, 1, _DEPLOYMENT_TIMEOUT_S)
    return session().client("secretsmanager", config=config, endpoint_url=settings.aws_endpoint_url)
