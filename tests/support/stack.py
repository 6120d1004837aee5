"""A stream and tables of a test's own, on the LocalStack that all tests share."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localstack_client.session import Session

from infra.setup import load_definition, set_up
from telemetry.names import ResourceNames
from telemetry.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient


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
            **os.environ,
            "AWS_ENDPOINT_URL": self.settings.aws_endpoint_url or "",
            "AWS_REGION": self.settings.aws_region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PREFIX": self.settings.prefix,
            "KCL_TIMING": "local",
            "WORKER_ID": "worker-1",
            "JAVA": self.settings.java,
        }


@contextmanager
def new_stack(endpoint: str, java: str, shards: int = 2) -> Iterator[Stack]:
    """Make a stack with a name nobody else has; take it down at the end."""
    settings = Settings.from_environment(
        {"PREFIX": f"t-{uuid.uuid4().hex[:8]}", "AWS_ENDPOINT_URL": endpoint, "KCL_TIMING": "local", "JAVA": java}
    )
    session = Session(
        region_name=settings.aws_region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  LocalStack takes any
        localstack_host=urlsplit(endpoint).netloc,
    )
    clients = {name: session.client(name) for name in ("kinesis", "dynamodb")}
    names = ResourceNames(settings.prefix)
    set_up(clients["kinesis"], clients["dynamodb"], names, shards=shards)
    yield Stack(settings, names, clients["kinesis"], clients["dynamodb"])
    clients["kinesis"].delete_stream(StreamName=names.stream)
    for table in load_definition(names)["tables"].values():
        clients["dynamodb"].delete_table(TableName=table["name"])
    for client in clients.values():
        client.close()
