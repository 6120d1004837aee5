"""Hands a generation over from its filling to KCL: its leases are made anew from its own rows, while no worker of it lives.

What a lease of an earlier time names may have left the stream, and KCL would ask for that for ever. So a checkpoint is a
position that was just read there, else the oldest record: rows pass over what they have. Only for shards whose turn has come,
as in `consumer/leases.py`; of those that have ended in the rows it is said, so that KCL neither reads them nor waits for them.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from projections.rows import Row
from telemetry.names import ResourceNames
from telemetry.retry import patiently
from telemetry.shards import Shard, ShardMap
from telemetry.streams import kinesis_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

SHARD_END: Final = "SHARD_END"
OLDEST: Final = "TRIM_HORIZON"
_PATIENCE_S: Final = 30.0
_NOT_THERE: Final = frozenset({"InvalidArgumentException", "ResourceNotFoundException"})
"""What Kinesis answers of a position, or a shard, that it does not have."""


@dataclass(frozen=True, slots=True)
class NewLease:
    """A lease to be made."""

    shard: Shard
    checkpoint: str
    """A sequence number, or one of KCL's words."""


def new_leases(shards: ShardMap, rows: Mapping[str, Row], proved: Collection[str]) -> Iterator[NewLease]:
    """The leases of a generation with these progress rows, for the shards that the stream lists. Pure.

    `proved` are shards whose flushed position was seen to be in the stream. A shard waits while a parent that is listed has not
    ended in the rows: KCL makes its lease at the parent's end.
    """
    for shard_id, shard in shards.shards.items():
        if _ended(rows, shard_id):
            yield NewLease(shard, SHARD_END)
        elif all(parent not in shards.shards or _ended(rows, parent) for parent in shard.parents):
            position = rows[shard_id].progress.flushed.position if shard_id in proved else 0
            yield NewLease(shard, str(position) if position else OLDEST)


def proved_shards(
    kinesis: "KinesisClient", stream: str, shards: ShardMap, rows: Mapping[str, Row], kept_since_ms: int
) -> set[str]:
    """The listed shards whose flushed position is read in the stream just now, and will be there for a while.

    `kept_since_ms`: what arrived from then on surely stays (ms since 1970). Raises StoreUnavailable and boto3's errors.
    """
    return {
        shard_id
        for shard_id in shards.shards
        if shard_id in rows
        and not _ended(rows, shard_id)
        and (position := rows[shard_id].progress.flushed.position)
        and patiently(partial(_is_there, kinesis, stream, shard_id, position, kept_since_ms), _PATIENCE_S)
    }


def remake_leases(dynamodb: "DynamoDBClient", names: ResourceNames, leases: Collection[NewLease], worker_id: str) -> None:
    """Put these in place of all leases of a generation, owned by this worker until others take their share.

    KCL waits up to 30 s where no lease is owned (hazard H10). Raises boto3's errors; stopped half way, it is to be done again.
    """
    for page in dynamodb.get_paginator("scan").paginate(TableName=names.application, ConsistentRead=True):
        for item in page["Items"]:
            dynamodb.delete_item(TableName=names.application, Key={"leaseKey": item["leaseKey"]})
    for lease in leases:
        owner = None if lease.checkpoint == SHARD_END else worker_id
        dynamodb.put_item(TableName=names.application, Item=lease_item(lease.shard, lease.checkpoint, owner))


def lease_item(shard: Shard, checkpoint: str, owner: str | None) -> Any:
    """A row of KCL's lease table as KCL makes it; it knows one stream of the log, and shards by Kinesis's ids."""
    return {
        "leaseKey": {"S": kinesis_id(shard.shard_id)},
        **({"leaseOwner": {"S": owner}} if owner else {}),
        "checkpoint": {"S": checkpoint},
        "checkpointSubSequenceNumber": {"N": "0"},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "startingHashKey": {"S": str(shard.first_hash_key)},
        "endingHashKey": {"S": str(shard.last_hash_key)},
        **({"parentShardId": {"SS": shard.kinesis_parents}} if shard.kinesis_parents else {}),
    }


def _ended(rows: Mapping[str, Row], shard_id: str) -> bool:
    return shard_id in rows and rows[shard_id].progress.ended


def _is_there(kinesis: "KinesisClient", stream: str, shard_id: str, position: int, kept_since_ms: int) -> bool:
    place: Any = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": str(position)}
    try:
        iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=kinesis_id(shard_id), **place)["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator, Limit=1)["Records"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_THERE:
            raise
        return False
    # Where Kinesis begins elsewhere, or with an empty page, it is not proved.
    return bool(records) and (
        int(records[0]["SequenceNumber"]) == position
        and records[0]["ApproximateArrivalTimestamp"].timestamp() * 1000 >= kept_since_ms
    )
