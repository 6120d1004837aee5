"""What replay asks of Kinesis, answered by a model stream as it stands at one moment."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, cast

from tests.simulation.archive.stream import ModelStream

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def client_of(stream: ModelStream, now_ms: int) -> "KinesisClient":
    """A client of this stream, which is asked nothing else."""
    return cast("KinesisClient", _Client(stream, now_ms))


class _Client:
    def __init__(self, stream: ModelStream, now_ms: int) -> None:
        self._stream = stream
        self._now_ms = now_ms

    def list_shards(self, *, StreamName: str) -> Any:  # noqa: N803  as boto3 calls it
        return {
            "Shards": [
                {
                    "ShardId": shard.shard_id,
                    "HashKeyRange": {"StartingHashKey": str(shard.first_hash_key), "EndingHashKey": str(shard.last_hash_key)},
                    "SequenceNumberRange": {"StartingSequenceNumber": "0"}
                    | ({"EndingSequenceNumber": "9"} if shard.closed else {}),
                }
                | dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
                for shard in self._stream.listed().values()
            ]
        }

    def get_shard_iterator(self, *, ShardId: str, StartingSequenceNumber: str = "0", **_: str) -> Any:  # noqa: N803
        return {"ShardIterator": json.dumps([ShardId, int(StartingSequenceNumber)])}

    def get_records(self, *, ShardIterator: str, Limit: int) -> Any:  # noqa: N803
        shard_id, after = json.loads(ShardIterator)
        model = self._stream.shards[shard_id]
        beyond = [record for record in model.records[model.trimmed :] if record.sequence_number > after]
        page = beyond[:Limit]
        over = model.closed_ms is not None and len(page) == len(beyond)
        after = page[-1].sequence_number if page else after
        return {
            "Records": [
                {
                    "SequenceNumber": str(record.sequence_number),
                    "ApproximateArrivalTimestamp": _EPOCH + timedelta(milliseconds=record.arrived_ms),
                    "Data": record.data,
                }
                for record in page
            ],
            "MillisBehindLatest": 1 if len(page) < len(beyond) else 0,
            "ResponseMetadata": {
                "HTTPHeaders": {"date": format_datetime(_EPOCH + timedelta(milliseconds=self._now_ms), usegmt=True)}
            },
        } | ({} if over else {"NextShardIterator": json.dumps([shard_id, after])})
