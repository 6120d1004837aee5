"""The register of projection generations: which numbers were taken, and which of them were dropped.

One item for each stands beside the pointer (`generations.py`), named `g2` and so on. Numbers only go up, and one that was
dropped is never taken again: a worker of it that comes back late would write into another one's tables. So no item is ever
removed, and a drop marks it before anything is deleted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from telemetry.errors import Dropped, NotRebuilt, StoreUnavailable
from telemetry.names import GENERATION_MAX, ResourceNames
from telemetry.reading import parse_timestamp, rfc3339
from telemetry.retry import tries

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NAME: Final = re.compile(r"g([1-9]\d{0,5})", re.ASCII)
_CONFLICT_PATIENCE_S: Final = 5.0
_KEPT: Final = "attribute_not_exists(dropped)"
_REASON_CHARS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Registered:
    """What is kept of a generation. Times are in microseconds since 1970."""

    number: int
    taken_us: int
    dropped_us: int | None = None
    failure: str = ""
    """Why the last try to fill it ended; nothing while it goes on, or when somebody ended it."""
    filled: int = 0
    """How many readings it counted when its filling from the archive was last heard of."""
    beat: int = 0
    """Goes up every few seconds while it is filled from the archive: until that is done, its tables may show nothing of it."""
    continuing: str = ""
    """When the stream was created in which the log is to go on, if somebody has begun that who found it new and empty."""


type Register = Mapping[int, Registered]
"""By number."""


def chosen(asked: int | None, live: int, register: Register, *, has_tables: bool = False) -> int:
    """The number of the generation to be filled: the next one, or that which was asked for. Pure.

    `has_tables`: whether the one that was asked for has tables, which an installation may have made without the register.
    Raises NotRebuilt when that number may not be filled.
    """
    following = max(live, *register, 0) + 1
    if asked is None:
        if following > GENERATION_MAX:
            raise NotRebuilt(f"There is no number after {GENERATION_MAX}: begin anew with another PREFIX.")
        return following
    if asked == live:
        raise NotRebuilt(f"g{asked} is live, and its consumers feed it. To fill another beside it: g{following}.")
    known = register.get(asked)
    if known and known.dropped_us is not None:
        raise NotRebuilt(f"{_dropped(known)} Take g{following}, which is the next.")
    if known is None and asked < following and not has_tables:
        raise NotRebuilt(f"g{asked} was never taken, and numbers only go up: take g{following}, which is the next.")
    return asked


def read_register(dynamodb: "DynamoDBClient", names: ResourceNames) -> dict[int, Registered]:
    """All generations that were ever registered; strongly consistent. Raises boto3's errors."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=names.generations, ConsistentRead=True)
    found = [_registered(item) for page in pages for item in page["Items"] if _NAME.fullmatch(item["name"]["S"])]
    return {one.number: one for one in sorted(found, key=lambda one: one.number)}


def read_registered(dynamodb: "DynamoDBClient", names: ResourceNames) -> Registered | None:
    """What is registered of the generation that is named; strongly consistent. Raises boto3's errors."""
    answer = dynamodb.get_item(TableName=names.generations, Key=_key(names.generation), ConsistentRead=True)
    return _registered(item) if (item := answer.get("Item")) else None


def require_kept(dynamodb: "DynamoDBClient", names: ResourceNames) -> None:
    """Raises Dropped when the generation that is named was dropped, and boto3's errors."""
    found = read_registered(dynamodb, names)
    if found and found.dropped_us is not None:
        raise Dropped(_dropped(found))


def take(dynamodb: "DynamoDBClient", names: ResourceNames, now_us: int) -> bool:
    """Register the generation that is named; says whether it was not registered before. Raises boto3's errors."""
    return _update(
        dynamodb,
        names,
        UpdateExpression="SET taken = :now",
        ConditionExpression="attribute_not_exists(taken)",
        ExpressionAttributeValues={":now": {"S": rfc3339(now_us)}},
    )


def note_filled(dynamodb: "DynamoDBClient", names: ResourceNames, readings: int) -> None:
    """Note that it is being filled, and how far that is. Raises Dropped, and boto3's errors."""
    written = _update(
        dynamodb,
        names,
        UpdateExpression="SET filled = :readings ADD beat :one REMOVE last_failure",
        ConditionExpression=_KEPT,
        ExpressionAttributeValues={":readings": {"N": str(readings)}, ":one": {"N": "1"}},
    )
    if not written:
        require_kept(dynamodb, names)


def note_continuing(dynamodb: "DynamoDBClient", names: ResourceNames, created: str) -> None:
    """Note in which stream the log is to go on, of a generation that is registered. Raises Dropped, and boto3's errors."""
    if not _update(
        dynamodb,
        names,
        UpdateExpression="SET continuing = :created",
        ConditionExpression=_KEPT,
        ExpressionAttributeValues={":created": {"S": created}},
    ):
        require_kept(dynamodb, names)


def note_failure(dynamodb: "DynamoDBClient", names: ResourceNames, why: str) -> None:
    """Note why it is filled no further. Raises boto3's errors."""
    _update(
        dynamodb,
        names,
        UpdateExpression="SET last_failure = :why",
        ConditionExpression=_KEPT,
        ExpressionAttributeValues={":why": {"S": why[:_REASON_CHARS_MAX]}},
    )


def mark_dropped(dynamodb: "DynamoDBClient", names: ResourceNames, now_us: int) -> None:
    """Mark the generation that is named as dropped, unless it is live or is being promoted; one that is marked stays so.

    The pointer is looked at in the same transaction. Raises NotRebuilt, which tells why not, and boto3's errors.
    """
    number = names.generation
    values: Any = {":number": {"N": str(number)}}
    unpromoted: Any = {
        "TableName": names.generations,
        "Key": {"name": {"S": "live"}},
        "ConditionExpression": "#live <> :number AND (attribute_not_exists(#next) OR #next.#live <> :number)",
        "ExpressionAttributeNames": {"#live": "generation", "#next": "next"},
        "ExpressionAttributeValues": values,
    }
    marked: Any = {
        "TableName": names.generations,
        "Key": _key(number),
        "UpdateExpression": "SET dropped = if_not_exists(dropped, :now), taken = if_not_exists(taken, :now)",
        "ExpressionAttributeValues": {":now": {"S": rfc3339(now_us)}},
    }
    for _ in tries(_CONFLICT_PATIENCE_S):
        try:
            dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": unpromoted}, {"Update": marked}])
        except ClientError as error:
            codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if "ConditionalCheckFailed" in codes:
                raise NotRebuilt(
                    f"g{number} is live, or is being promoted: it stays. Make another one live first (telemetry promote)."
                ) from None  # the transaction's own words tell a person nothing
            if "TransactionConflict" not in codes:
                raise
        else:
            return
    raise StoreUnavailable(f"{names.generations}: the pointer is written to all the time; try again.")


def _update(dynamodb: "DynamoDBClient", names: ResourceNames, **how: Any) -> bool:
    """Whether the condition held."""
    try:
        dynamodb.update_item(TableName=names.generations, Key=_key(names.generation), **how)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _dropped(found: Registered) -> str:
    assert found.dropped_us is not None
    return (
        f"g{found.number} was dropped at {rfc3339(found.dropped_us)}, and its number is never used again: a worker of it that "
        "comes back late would write into the new tables."
    )


def _key(number: int) -> Any:
    return {"name": {"S": f"g{number}"}}


def _registered(item: Any) -> Registered:
    dropped = item.get("dropped")
    taken = item.get("taken")
    return Registered(
        number=int(item["name"]["S"].removeprefix("g")),
        taken_us=parse_timestamp(taken["S"]) if taken else 0,
        dropped_us=parse_timestamp(dropped["S"]) if dropped else None,
        failure=item.get("last_failure", {}).get("S", ""),
        filled=int(item.get("filled", {}).get("N", 0)),
        beat=int(item.get("beat", {}).get("N", 0)),
        continuing=item.get("continuing", {}).get("S", ""),
    )
