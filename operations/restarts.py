"""The last restarts of each supervisor: one item a worker, beside the pointer to the live generation.

Whoever asks may read them (`GET /api/status`), so reasons hold no text of AWS's, which may name accounts and roles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from telemetry.names import ResourceNames
from telemetry.reading import parse_timestamp, rfc3339

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RESTARTS_MAX: Final = 10
SUPERVISORS_MAX: Final = 100
"""As many are told of, those that restarted last: tasks on ECS get a new name each, and leave their items behind."""
_REASON_CHARS_MAX: Final = 300
_PREFIX: Final = "supervisor#"


@dataclass(frozen=True, slots=True)
class Restart:
    """When a daemon was started anew, in microseconds since 1970, and why: one sentence."""

    at_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Supervisor:
    """A worker's last restarts, the newest first."""

    worker_id: str
    restarts: tuple[Restart, ...]


def write_restarts(dynamodb: "DynamoDBClient", names: ResourceNames, supervisor: Supervisor) -> None:
    """Put a worker's last restarts in place of what was there. Raises boto3's errors."""
    kept = [
        {"M": {"at": {"S": rfc3339(one.at_us)}, "reason": {"S": one.reason[:_REASON_CHARS_MAX]}}}
        for one in supervisor.restarts[:RESTARTS_MAX]
    ]
    item: Any = {"name": {"S": f"{_PREFIX}{supervisor.worker_id}"}, "restarts": {"L": kept}}
    dynamodb.put_item(TableName=names.generations, Item=item)


def read_restarts(dynamodb: "DynamoDBClient", names: ResourceNames) -> Sequence[Supervisor]:
    """Every supervisor that ever restarted its daemon, the one that did so last first. Raises boto3's errors."""
    request: Any = {
        "TableName": names.generations,
        "FilterExpression": "begins_with(#name, :prefix)",
        "ExpressionAttributeNames": {"#name": "name"},
        "ExpressionAttributeValues": {":prefix": {"S": _PREFIX}},
        "ConsistentRead": True,
    }
    pages = dynamodb.get_paginator("scan").paginate(**request)
    found = [_supervisor(item) for page in pages for item in page["Items"]]
    return sorted(found, key=lambda one: -one.restarts[0].at_us)[:SUPERVISORS_MAX]


def _supervisor(item: Any) -> Supervisor:
    restarts = (one["M"] for one in item["restarts"]["L"])
    return Supervisor(
        item["name"]["S"].removeprefix(_PREFIX),
        tuple(Restart(parse_timestamp(one["at"]["S"]), one["reason"]["S"]) for one in restarts),
    )
