"""What `telemetry verify` found equal last: one item a generation, beside the pointer. `telemetry promote` asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from operations.lacking import Progress
from telemetry.limits import MICRO
from telemetry.names import ResourceNames
from telemetry.reading import parse_timestamp, rfc3339

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

VERIFIED_S_MAX: Final = 3600
"""What was verified longer ago is verified again before it becomes live."""
_PREFIX: Final = "verified#g"


@dataclass(frozen=True, slots=True)
class Verified:
    """All of a generation's tables were equal to the log."""

    generation: int
    at_us: int
    """When the verification began: microseconds since 1970."""
    positions: Mapping[str, int]
    """Where each shard's progress row stood then."""


def write_verified(dynamodb: "DynamoDBClient", names: ResourceNames, verified: Verified) -> None:
    """Put it in place of the generation's last one. Raises boto3's errors."""
    # As text: a position has more digits than DynamoDB's numbers (hazard H18).
    positions: Any = {shard_id: {"S": str(position)} for shard_id, position in verified.positions.items()}
    item: Any = {
        "name": {"S": f"{_PREFIX}{verified.generation}"},
        "at": {"S": rfc3339(verified.at_us)},
        "positions": {"M": positions},
    }
    dynamodb.put_item(TableName=names.generations, Item=item)


def read_verified(dynamodb: "DynamoDBClient", names: ResourceNames, generation: int) -> Verified | None:
    """The last one of a generation; None when there was none. Raises boto3's errors."""
    key: Any = {"name": {"S": f"{_PREFIX}{generation}"}}
    item: Any = dynamodb.get_item(TableName=names.generations, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        return None
    positions = {shard_id: int(value["S"]) for shard_id, value in item["positions"]["M"].items()}
    return Verified(generation, parse_timestamp(item["at"]["S"]), positions)


def unproved(verified: Verified | None, generation: int, progress: Progress, now_us: int) -> str:
    """Why a verification says nothing, or not enough, of a generation that stands there now; empty when it says enough."""
    name = f"g{generation}"
    mend = f"telemetry verify {name} first, or say --unverified."
    if verified is None:
        return f"Nobody has verified {name}: {mend}"
    if any(shard_id not in progress or progress[shard_id].position < at for shard_id, at in verified.positions.items()):
        return f"{name} was verified when its tables held more than they do now: {mend}"
    age_s = (now_us - verified.at_us) / MICRO
    if age_s > VERIFIED_S_MAX:
        return f"{name} was last verified {age_s / 60:,.0f} minutes ago, at {rfc3339(verified.at_us)}: {mend}"
    return ""
