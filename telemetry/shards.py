"""Which shard a sensor's events belong to: Kinesis's own rule, so that we can pack records per shard and spot strays."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.streams import FIRST_PLACE, StreamPlace, kinesis_id, number_of

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def hash_key(partition_key: str) -> int:
    """Where a partition key lies in the hash key space: MD5 as an unsigned 128-bit integer (Kinesis, PutRecord)."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of the log and the closed range of hash keys it holds; ids are the log's (`telemetry/streams.py`)."""

    shard_id: str
    first_hash_key: int
    last_hash_key: int
    parents: tuple[str, ...] = ()
    closed: bool = False

    def holds(self, key: int) -> bool:
        """Whether events with this hash key belong, or belonged, to this shard."""
        return self.first_hash_key <= key <= self.last_hash_key

    @property
    def kinesis_parents(self) -> list[str]:
        """Kinesis's ids of those parents that are in the same stream."""
        number = number_of(self.shard_id)
        return [kinesis_id(parent) for parent in self.parents if number_of(parent) == number]


class ShardMap:
    """The shards of a stream at one moment."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.shards = {shard.shard_id: shard for shard in shards}
        self._open = sorted((s for s in self.shards.values() if not s.closed), key=lambda shard: shard.first_hash_key)
        self._starts = [shard.first_hash_key for shard in self._open]

    @property
    def open(self) -> tuple[Shard, ...]:
        """The open shards, in the order of their ranges, which together cover the hash key space."""
        return tuple(self._open)

    def owner(self, key: int) -> Shard:
        """The open shard that holds this hash key."""
        return self._open[bisect_right(self._starts, key) - 1]


def list_shards(kinesis: "KinesisClient", stream: str, place: StreamPlace = FIRST_PLACE) -> ShardMap:
    """Every shard the stream still retains, parents included, by the names it has in a log where this is the stream's place."""
    shards: list[Shard] = []
    page = kinesis.list_shards(StreamName=stream)
    while True:
        shards.extend(
            Shard(
                shard_id=place.name(item["ShardId"]),
                first_hash_key=int(item["HashKeyRange"]["StartingHashKey"]),
                last_hash_key=int(item["HashKeyRange"]["EndingHashKey"]),
                parents=place.parents([p for p in (item.get("ParentShardId"), item.get("AdjacentParentShardId")) if p]),
                closed="EndingSequenceNumber" in item["SequenceNumberRange"],
            )
            for item in page["Shards"]
        )
        if not (token := page.get("NextToken")):
            return ShardMap(shards)
        page = kinesis.list_shards(NextToken=token)
