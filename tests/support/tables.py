"""What a table looks like, in the same words whether it was defined, planned by Terraform, or made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Index:
    """A global secondary index; `keys` are its attributes, the partition key first."""

    name: str
    keys: tuple[str, ...]
    projection: str


@dataclass(frozen=True)
class Schema:
    """`keys` are attributes, the partition key first; `types` are those of all keys, the indexes' included."""

    keys: tuple[str, ...]
    types: Mapping[str, str]
    indexes: tuple[Index, ...]


def defined(table: Mapping[str, Any]) -> Schema:
    """Of a table in `infra/resources.json`: keys are text unless it says otherwise."""
    indexes = tuple(Index(index["name"], _keys(index), index["projection"]) for index in [table.get("index")] if index)
    names = {*_keys(table), *(key for index in indexes for key in index.keys)}
    return Schema(_keys(table), dict.fromkeys(names, "S") | table.get("types", {}), indexes)


def of_plan(table: Mapping[str, Any]) -> Schema:
    """Of an `aws_dynamodb_table` in a plan."""
    types = {attribute["name"]: attribute["type"] for attribute in table["attribute"]}
    indexes = (Index(index["name"], _keys(index), index["projection_type"]) for index in table["global_secondary_index"])
    return Schema(_keys(table), types, tuple(indexes))


def of_description(table: Mapping[str, Any]) -> Schema:
    """Of the `Table` that DescribeTable answers."""
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table["AttributeDefinitions"]}
    indexes = (
        Index(index["IndexName"], _described(index["KeySchema"]), index["Projection"]["ProjectionType"])
        for index in table.get("GlobalSecondaryIndexes", [])
    )
    return Schema(_described(table["KeySchema"]), types, tuple(indexes))


def _keys(table: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(table[key] for key in ("hash_key", "range_key") if table.get(key))


def _described(keys: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(key["AttributeName"] for key in sorted(keys, key=lambda key: key["KeyType"]))
