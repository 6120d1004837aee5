"""IAM policies and the calls they are for: what a policy does not allow, and what it allows for nothing.

Of IAM's language only what our own policies use: Allow, whole actions, ARNs.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, order=True, slots=True)
class Call:
    """An action, for example `dynamodb:GetItem`, on a resource.

    That is a stream, a table, a table, `/index/` and an index, or a bucket, alone or with `/`, a folder and `/*`.
    """

    action: str
    resource: str


def calls_of(lines: Collection[tuple[str, str, str, str]], caller: str, stream: str) -> set[Call]:
    """The calls of one caller among those that LocalStack wrote down, as IAM names them.

    `stream` is meant by calls to Kinesis that name none: their shard iterator stands for it.
    """
    found = set()
    for who, service, operation, resource in lines:
        if who == caller:
            table, slash, index = resource.partition("/")
            indexed = slash and service == "dynamodb"
            found.add(Call(f"{service}:{operation}", f"{table}/index/{index}" if indexed else resource or stream))
    return found


def allowed(policy: Mapping[str, Any]) -> Iterator[Call]:
    """Every action on every resource that a policy allows."""
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow", statement
        for action in _list(statement["Action"]):
            for arn in _list(statement["Resource"]):
                name = arn.rpartition(":")[2]
                yield Call(action, name if action.startswith("s3:") else name.partition("/")[2] or arn)


def missing(policy: Mapping[str, Any], calls: Collection[Call]) -> list[Call]:
    """Calls that were made and are not allowed."""
    return sorted(set(calls) - set(allowed(policy)))


def unused(policy: Mapping[str, Any], calls: Collection[Call], expected: Collection[Call]) -> list[Call]:
    """What is allowed but neither called nor `expected` to be idle; and what is expected but not allowed."""
    able = set(allowed(policy))
    return sorted((able - set(calls) - set(expected)) | (set(expected) - able))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
