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
    settings = Settings.from_environment({"PREFIX": prefix, "AWS_ENDPOINT_URL": endpoint, "KCL_TIMING": "local", "JAVA": java})
    session = Session(
        region_name=settings.aws_region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  LocalStack takes any
        localstack_host=urlsplit(endpoint).netloc,
    )
    return Stack(settings, ResourceNames(prefix), session.client("kinesis"), session.client("dynamodb"))


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
