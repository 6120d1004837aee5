"""A stream of LocalStack projected within the test's process, by the product's own projector and stores."""

import time
from collections.abc import Iterator
from typing import Any

from projections.decoding import Record
from projections.dynamodb import AwsStores
from projections.effects import run
from projections.projector import ShardProjector
from telemetry.log import LogRecord, parents_first
from telemetry.shards import Shard, list_shards
from telemetry.streams import kinesis_id
from tests.support.stack import Stack


def project(stack: Stack) -> None:
    """What the stream holds, from where the tables are, each shard after its parents."""
    stores = AwsStores(stack.dynamodb, stack.kinesis, stack.names, patience_s=10)
    for shard in parents_first(list_shards(stack.kinesis, stack.names.stream, stack.names.place).shards):
        projector = ShardProjector(shard, time.time)
        run(projector.start(), stores)
        records = [Record(one.sequence_number, one.data, one.arrived_ms) for one in records_of(stack, shard)]
        fresh = [record for record in records if record.sequence_number > projector.position]
        run(projector.project(fresh, caught_up=True), stores)
        run(projector.flush(ended=shard.closed), stores)
    stores.close()


def die_half_way(stack: Stack) -> None:
    """Project a part of each shard to the end, and of the rest the totals alone: as a worker leaves it that is killed."""
    stores = AwsStores(stack.dynamodb, stack.kinesis, stack.names, patience_s=10)
    for shard in list_shards(stack.kinesis, stack.names.stream).open:
        projector = ShardProjector(shard, time.time)
        run(projector.start(), stores)
        records = [Record(one.sequence_number, one.data, one.arrived_ms) for one in records_of(stack, shard)]
        half = len(records) // 2
        for piece in (records[:half], records[half:]):
            run(projector.project(piece, caught_up=True), stores)
        assert projector.has_undurable
    stores.close()


def records_of(stack: Stack, shard: Shard) -> Iterator[LogRecord]:
    """What is in a shard, up to one page."""
    asked: Any = {"StreamName": stack.names.stream, "ShardId": kinesis_id(shard.shard_id), "ShardIteratorType": "TRIM_HORIZON"}
    page = stack.kinesis.get_records(ShardIterator=stack.kinesis.get_shard_iterator(**asked)["ShardIterator"])
    for one in page["Records"]:
        arrived_ms = int(one["ApproximateArrivalTimestamp"].timestamp() * 1000)
        yield LogRecord(int(one["SequenceNumber"]), arrived_ms, one["Data"])
