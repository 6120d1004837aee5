"""What the tables say of every shard and worker at one moment: KCL's leases, signs of life and leader, and our own progress.

Progress is read from our own rows: KCL's iterator age can be 0 while a shard is stuck (hazard H24).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from projections.queries import fleet_stats
from projections.rows import Row
from telemetry.names import ResourceNames
from telemetry.shards import ShardMap, list_shards

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

LEADER_KEY: Final[Any] = {"key": {"S": "Leader"}}
"""Of the leader's lock in KCL's own table."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A row of KCL's lease table."""

    owner: str | None
    counter: int
    """Goes up with every renewal."""
    ended: bool
    """The shard was read to its end."""
    checkpoint: int = 0
    """The record after which KCL would go on; 0 where it names none. Our rows were there before it."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A row of KCL's worker table."""

    beat: str
    """Its own time stamp: changes while its daemon lives."""
    measured: bool
    """KCL knows its host's load, as on ECS and EC2, and balances by it."""


@dataclass(frozen=True, slots=True)
class Leader:
    """Who assigns the leases, and the version of the lock that says so."""

    owner: str
    version: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One look. `leases` and `progress` are by shard id, as the log has it, `workers` by worker id."""

    shards: ShardMap
    leases: Mapping[str, Lease]
    workers: Mapping[str, Worker]
    leader: Leader | None
    progress: Mapping[str, Row]

    def held(self, worker_id: str) -> list[str]:
        """The shards that a worker has to read."""
        return sorted(shard_id for shard_id, lease in self.leases.items() if lease.owner == worker_id and not lease.ended)

    def is_due(self, shard_id: str) -> bool:
        """Whether a shard with a lease is to be read now: it is listed, its lease has not ended, and nothing before it is left.

        The lease alone tells. When our row says ended and the lease does not, whoever read the shard died between the two, and
        its children wait until somebody takes it up again and tells KCL.
        """
        if shard_id not in self.shards.shards or self.leases[shard_id].ended:
            return False
        parents = self.shards.shards[shard_id].parents
        return all(parent not in self.leases or self.leases[parent].ended for parent in parents)

    def without_lease(self) -> list[str]:
        """Shards whose turn has come, that nobody read to the end, and that KCL does not know of (hazard H13).

        KCL forgets a shard some time after its end; our progress row does not.
        """
        return [
            shard_id
            for shard_id, shard in self.shards.shards.items()
            if shard_id not in self.leases and not self._over(shard_id) and all(map(self._over, shard.parents))
        ]

    def _over(self, shard_id: str) -> bool:
        """Whether a shard is known to have been read to its end, or is no longer there to be read."""
        if shard_id in self.leases:
            return self.leases[shard_id].ended
        return shard_id not in self.shards.shards or self._read_to_its_end(shard_id)

    def _read_to_its_end(self, shard_id: str) -> bool:
        return shard_id in self.progress and self.progress[shard_id].progress.ended


def observe(
    kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames, progress: Mapping[str, Row] | None = None
) -> Observation:
    """Look at everything once; strongly consistent. Raises boto3's errors.

    Who follows the fleet's rows anyway (`projections/fleet.py`) hands its `progress` in.
    """
    leases = {names.place.name(key): lease for key, lease in map(_lease, _scan(dynamodb, names.application)) if lease}
    workers = {key: worker for key, worker in map(_worker, _scan(dynamodb, names.workers)) if worker}
    lock: Any = dynamodb.get_item(TableName=names.coordinator, Key=LEADER_KEY, ConsistentRead=True).get("Item", {})
    rows = fleet_stats(dynamodb, names).shards if progress is None else progress
    return Observation(list_shards(kinesis, names.stream, names.place), leases, workers, _leader(lock), rows)


def observe_if_there(kinesis: "KinesisClient", dynamodb: "DynamoDBClient", names: ResourceNames) -> Observation | None:
    """The same; None where tables are missing, or the stream."""
    try:
        return observe(kinesis, dynamodb, names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None


# KCL's tables also hold what is none of these: a newer one keeps workers and leader beside the leases, and marks of its own.
# What lacks an attribute, or has it in another type, is passed over.


def _lease(item: Any) -> tuple[str, Lease | None]:
    key, counter, checkpoint = _text(item, "leaseKey"), _number(item, "leaseCounter"), _text(item, "checkpoint")
    if not (key and checkpoint) or counter is None:
        return key, None
    position = int(checkpoint) if checkpoint.isdecimal() else 0
    return key, Lease(_text(item, "leaseOwner") or None, counter, checkpoint == "SHARD_END", position)


def _worker(item: Any) -> tuple[str, Worker | None]:
    key = _text(item, "wid")
    # Without a time stamp, or with one of another type, it gives no sign of life that we could read.
    return key, Worker(str(item.get("lut", {}).get("N", "")), measured=bool(item.get("sts", {}).get("M"))) if key else None


def _leader(item: Any) -> Leader | None:
    owner, version = _text(item, "ownerName"), _text(item, "recordVersionNumber")
    return Leader(owner, version) if owner and version else None


def _text(item: Any, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _number(item: Any, name: str) -> int | None:
    text = str(item.get(name, {}).get("N", ""))
    return int(text) if text.isdecimal() else None


def _scan(dynamodb: "DynamoDBClient", table: str) -> Iterator[Any]:
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]
