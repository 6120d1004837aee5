"""Consumers within the test's process: a thread a generation, which reads the stream, projects it and follows the pointer."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from consumer.following import Following
from projections.decoding import Record
from projections.dynamodb import CALLS_AT_ONCE, AwsStores
from projections.effects import run
from projections.generations import read_pointer
from projections.projector import ShardProjector
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.shards import Shard, ShardMap, list_shards
from tests.support.stack import Stack

_PAUSE_S = 0.2


class Filler:
    """Fills one generation, live or not, shard after shard, parents first."""

    def __init__(self, stack: Stack, generation: int) -> None:
        dynamodb = dynamodb_client(stack.settings, attempts=1, pool=CALLS_AT_ONCE, validate=False)
        self._kinesis, self._stream = kinesis_client(stack.settings), stack.names.stream
        self._following = Following(partial(read_pointer, dynamodb, stack.names), generation, pinned=True)
        names = replace(stack.names, generation=generation)
        self._stores = AwsStores(dynamodb, self._kinesis, names, 60, self._following.leave)
        self._projectors: dict[str, ShardProjector] = {}
        self._iterators: dict[str, str] = {}
        self._ended: set[str] = set()
        self._over = threading.Event()
        self._thread = ThreadPoolExecutor(1, f"filler of g{generation}")
        self._filling = self._thread.submit(self._fill)

    def stop(self) -> None:
        """End it, wherever it is; raises what went wrong."""
        self._over.set()
        self._thread.shutdown()
        self._stores.close()
        self._filling.result()

    def _fill(self) -> None:
        while not self._over.wait(_PAUSE_S):
            shards = list_shards(self._kinesis, self._stream)
            for shard in shards.shards.values():
                if self._is_due(shard, shards):
                    self._go_on(shard)

    def _is_due(self, shard: Shard, shards: ShardMap) -> bool:
        over = self._ended | {parent for parent in shard.parents if parent not in shards.shards}
        return shard.shard_id not in self._ended and over.issuperset(shard.parents)

    def _go_on(self, shard: Shard) -> None:
        self._following.begin()
        projector = self._projectors.get(shard.shard_id) or self._begin(shard)
        page: Any = self._kinesis.get_records(ShardIterator=self._iterators[shard.shard_id])
        records = [
            Record(int(one["SequenceNumber"]), one["Data"], int(one["ApproximateArrivalTimestamp"].timestamp() * 1000))
            for one in page["Records"]
        ]
        run(projector.project(records, caught_up=not page["MillisBehindLatest"]), self._stores)
        if self._following.hurried() and projector.has_undurable:
            run(projector.flush(), self._stores)
        if (following := page.get("NextShardIterator")) is None:
            run(projector.flush(ended=True), self._stores)
            self._ended.add(shard.shard_id)
            return
        self._iterators[shard.shard_id] = following

    def _begin(self, shard: Shard) -> ShardProjector:
        projector = self._projectors[shard.shard_id] = ShardProjector(shard, time.time)
        run(projector.start(), self._stores)
        asked: Any = {"ShardIteratorType": "TRIM_HORIZON"}
        if position := projector.position:
            asked = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(position)}
        answer = self._kinesis.get_shard_iterator(StreamName=self._stream, ShardId=shard.shard_id, **asked)
        self._iterators[shard.shard_id] = answer["ShardIterator"]
        return projector


@contextmanager
def filling(stack: Stack, *generations: int) -> Iterator[None]:
    """Each of these generations is filled meanwhile."""
    fillers = [Filler(stack, generation) for generation in generations]
    try:
        yield
    finally:
        for filler in fillers:
            filler.stop()
