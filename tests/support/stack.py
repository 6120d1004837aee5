"""A stream and tables of a test's own, on the LocalStack that all tests share."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localstack_client.session import Session

from infra.local.environment import aws, machine
from infra.setup import load_definition, set_up
from telemetry.names import ResourceNames
from telemetry.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient


_LEAN = str(Path(__file__).with_name("lean"))

_BEHIND: dict[str, str] = {}
"""DynamoDB Local's own address, by that of the LocalStack before it."""


def ask_directly(endpoint: str, dynamodb: str) -> None:
    """Have stacks on this LocalStack ask its DynamoDB Local itself: through LocalStack a call takes at least twice as long."""
    _BEHIND[endpoint] = dynamodb


def at(url: str) -> dict[str, str]:
    """Variables that send every call to one address."""
    return dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"), url)


@dataclass(frozen=True)
class Stack:
    """Names and clients of one set of resources. The clients are LocalStack's own, so that ours are tested too."""

    settings: Settings
    names: ResourceNames
    kinesis: "KinesisClient"
    dynamodb: "DynamoDBClient"

    @property
    def environ(self) -> dict[str, str]:
        """The environment that makes our processes use it."""
        return {
            **machine(os.environ),
            **aws({}),
            "AWS_ENDPOINT_URL": self.settings.aws_endpoint_url or "",
            "AWS_ENDPOINT_URL_DYNAMODB": self.settings.aws_endpoint_url_dynamodb or "",
            "AWS_REGION": self.settings.aws_region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PREFIX": self.settings.prefix,
            "KCL_TIMING": "local",
            "WORKER_ID": "worker-1",
            "JAVA": self.settings.java,
            "PYTHONPATH": _LEAN,
        }


def open_stack(endpoint: str, java: str, prefix: str) -> Stack:
    """A stack that is there, or is about to be made."""
    environ = {"PREFIX": prefix, "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_DYNAMODB": _BEHIND.get(endpoint, "")}
    settings = Settings.from_environment({**environ, "KCL_TIMING": "local", "JAVA": java})
    session = Session(
        region_name=settings.aws_region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  LocalStack takes any
        localstack_host=urlsplit(endpoint).netloc,
    )
    dynamodb = session.client("dynamodb", endpoint_url=settings.dynamodb_url)
    return Stack(settings, ResourceNames(prefix), session.client("kinesis"), dynamodb)


@contextmanager
def new_stack(endpoint: str, java: str, shards: int = 2) -> Iterator[Stack]:
    """Make a stack with a name nobody else has; take it down at the end."""
    stack = open_stack(endpoint, java, f"t-{uuid.uuid4().hex[:8]}")
    set_up(stack.kinesis, stack.dynamodb, stack.names, shards=shards)
    yield stack
    stack.kinesis.delete_stream(StreamName=stack.names.stream)
    for table in load_definition(stack.names)["tables"].values():
        stack.dynamodb.delete_table(TableName=table["name"])
    stack.kinesis.close()
    stack.dynamodb.close()
