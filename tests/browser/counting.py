"""A consumer within the test's own process, which counts what is in the log at once, or when it is told to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from consumer.leases import make_leases
from operations.observation import observe
from projections.decoding import Record
from projections.dynamodb import AwsStores
from projections.effects import run
from projections.projector import ShardProjector
from telemetry.shards import Shard, list_shards
from tests.support.stack import Stack

_PAUSE_S = 0.2
_BEAT_S = 5


class Counting:
    """Projectors of all shards. `behind_s`: their clock is so much slow, so that all they say is as old."""

    def __init__(self, stack: Stack, behind_s: float = 0) -> None:
        self._stack = stack
        self._stores = AwsStores(stack.dynamodb, stack.kinesis, stack.names, 10)
        make_leases(stack.dynamodb, stack.names.application, observe(stack.kinesis, stack.dynamodb, stack.names), "worker-1")
        shards = list_shards(stack.kinesis, stack.names.stream).open
        self._shards = [(ShardProjector(shard, lambda: time.time() - behind_s), self._first(shard)) for shard in shards]
        for projector, _ in self._shards:
            run(projector.start(), self._stores)

    def count(self) -> None:
        """Count what the log holds by now."""
        for number, (projector, iterator) in enumerate(self._shards):
            page = self._stack.kinesis.get_records(ShardIterator=iterator)
            self._shards[number] = projector, page["NextShardIterator"]
            run(projector.project([_record(item) for item in page["Records"]], caught_up=True), self._stores)
            run(projector.flush(), self._stores)

    def beat(self) -> None:
        """Give the sign of life that KCL gives by renewing leases."""
        for shard in list_shards(self._stack.kinesis, self._stack.names.stream).open:
            self._stack.dynamodb.update_item(
                TableName=self._stack.names.application,
                Key={"leaseKey": {"S": shard.shard_id}},
                UpdateExpression="ADD leaseCounter :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    def close(self) -> None:
        """Let go of the stores."""
        self._stores.close()

    def _first(self, shard: Shard) -> str:
        found = self._stack.kinesis.get_shard_iterator(
            StreamName=self._stack.names.stream, ShardId=shard.shard_id, ShardIteratorType="TRIM_HORIZON"
        )
        return found["ShardIterator"]


@contextmanager
def counting(stack: Stack) -> Iterator[None]:
    """Everything is counted at once, for the block."""
    stop, counter = threading.Event(), Counting(stack)
    failed: list[Exception] = []

    def go_on() -> None:
        beaten_s = 0.0
        try:
            while not stop.wait(_PAUSE_S):
                counter.count()
                if time.monotonic() - beaten_s > _BEAT_S:
                    counter.beat()
                    beaten_s = time.monotonic()
        except Exception as error:
            failed.append(error)
            raise

    counter.count()
    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        counter.close()
    assert not failed


def _record(item: Any) -> Record:
    return Record(int(item["SequenceNumber"]), item["Data"], int(item["ApproximateArrivalTimestamp"].timestamp() * 1000))
