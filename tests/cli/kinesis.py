"""A Kinesis of several shards that keeps what it likes, for commands that are typed within the tests' own process."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from telemetry.log import LogRecord
from telemetry.shards import Shard

STREAM = "t-cli-temperature-events"


@dataclass
class Kinesis:
    """One stream. A shard that is listed may have lost its oldest records; one that is not is gone."""

    created_ms: int
    retention_h: int = 24
    shards: dict[str, Shard] = field(default_factory=dict)
    records: dict[str, list[LogRecord]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Of which shards pages were asked for."""

    def put(self, shard: Shard, records: list[LogRecord]) -> None:
        """A shard that is there, and what is kept of it."""
        self.shards[shard.shard_id], self.records[shard.shard_id] = shard, records

    def describe_stream_summary(self, StreamName: str) -> Any:  # noqa: N803  as boto3 names them
        assert StreamName == STREAM
        created = datetime.fromtimestamp(self.created_ms / 1000, UTC)
        summary = {"StreamCreationTimestamp": created, "RetentionPeriodHours": self.retention_h, "StreamStatus": "ACTIVE"}
        return {"StreamDescriptionSummary": summary}

    def list_shards(self, StreamName: str) -> Any:  # noqa: N803
        assert StreamName == STREAM
        return {"Shards": [_told(shard) for shard in self.shards.values()]}

    def get_shard_iterator(self, StreamName: str, ShardId: str, ShardIteratorType: str, **start: Any) -> Any:  # noqa: N803
        assert StreamName == STREAM
        if ShardId not in self.shards:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ShardId}}, "GetShardIterator")
        after = int(start.get("StartingSequenceNumber", 0))
        since_ms = start["Timestamp"].timestamp() * 1000 if ShardIteratorType == "AT_TIMESTAMP" else 0
        kept = self.records[ShardId]
        begin = next(
            (at for at, one in enumerate(kept) if one.sequence_number > after and one.arrived_ms >= since_ms), len(kept)
        )
        return {"ShardIterator": f"{ShardId} {begin}"}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:  # noqa: N803
        shard_id, begin = ShardIterator.split()
        self.asked.append(shard_id)
        kept = self.records[shard_id]
        page = kept[int(begin) : int(begin) + Limit]
        end = int(begin) + len(page)
        ended = self.shards[shard_id].closed and end == len(kept)
        return {
            "Records": [
                {
                    "SequenceNumber": str(one.sequence_number),
                    "ApproximateArrivalTimestamp": datetime.fromtimestamp(one.arrived_ms / 1000, UTC),
                    "Data": one.data,
                }
                for one in page
            ],
            "NextShardIterator": None if ended else f"{shard_id} {end}",
            "MillisBehindLatest": 0 if end == len(kept) else 1,
        }

    def close(self) -> None:
        """As clients have it."""


def _told(shard: Shard) -> Any:
    parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
    ends = {"EndingSequenceNumber": "9"} if shard.closed else {}
    hashes = {"StartingHashKey": str(shard.first_hash_key), "EndingHashKey": str(shard.last_hash_key)}
    numbers = {"StartingSequenceNumber": "0", **ends}
    return {"ShardId": shard.shard_id, "HashKeyRange": hashes, "SequenceNumberRange": numbers, **parents}
