"""A model of Kinesis: shards with hash ranges, partial failures, lost acknowledgements, splits and merges.

It parses what is stored with the standard library alone, so that the oracle shares no code with the product's decoder.
"""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import NamedTuple

from producer_api.writing.commit import Entry, Receipt
from projections.decoding import Record
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from telemetry.shards import Shard, ShardMap, hash_key

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SEQUENCE_NUMBER = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
"""Of 56 digits, as Kinesis has them."""

home_of = cache(hash_key)

NO_EVENT = b"{no event"
"""What somebody else puts on the stream."""
_MARKED = b"telemetry.dead-letter.marked.v1"
"""The type of what operators decide about dead letters."""


class Line(NamedTuple):
    """A reading and where the log holds it."""

    sequence_number: int
    number: int
    reading: Reading


class First(NamedTuple):
    """Where and when the log first held a reading."""

    shard_id: str
    sequence_number: int
    line: int
    arrived_at_ms: int


@dataclass(slots=True)
class ModelShard:
    """One shard with all that was ever put into it."""

    shard: Shard
    records: list[Record] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    """Records that are no event."""

    @property
    def end(self) -> int:
        """The last sequence number in it; 0 when it is empty."""
        return self.records[-1].sequence_number if self.records else 0

    def holds(self, reading: Reading) -> bool:
        """Whether a reading's sensor hashes into this shard."""
        return self.shard.holds(home_of(reading.sensor_id))


class ModelKinesis:
    """One stream."""

    def __init__(self, rng: Random, clock_s: Callable[[], float], shards: int) -> None:
        self._rng = rng
        self._clock_s = clock_s
        self._sequence_number = _FIRST_SEQUENCE_NUMBER
        self.shards: dict[str, ModelShard] = {}
        self.firsts: dict[Reading, First] = {}
        """The place that first brought a reading to a shard of its own."""
        width = (HASH_KEY_MAX + 1) // shards
        for number in range(shards):
            last = HASH_KEY_MAX if number == shards - 1 else (number + 1) * width - 1
            self._create(number * width, last, ())

    def put_records(self, entries: Sequence[Entry], fault_rate: float) -> list[Receipt | None]:
        """One PutRecords call: each entry is stored or not, and answered for or not."""
        receipts: list[Receipt | None] = []
        for entry in entries:
            fate = self._rng.random()
            stored = fate >= fault_rate
            receipt = self.put(entry.partition_key, entry.explicit_hash_key, entry.data) if stored else None
            receipts.append(receipt if fate >= 1.5 * fault_rate else None)
        return receipts

    def put(self, partition_key: str, explicit_hash_key: str | None, data: bytes) -> Receipt:
        """Store one record in the open shard its key hashes into."""
        key = int(explicit_hash_key) if explicit_hash_key else home_of(partition_key)
        [model] = [model for model in self.open if model.shard.holds(key)]
        self._sequence_number += self._rng.randint(1, 3)
        model.records.append(Record(self._sequence_number, data, int(self._clock_s() * 1000)))
        if data == NO_EVENT + b"\n":
            model.refused.append(self._sequence_number)
        for number, reading in readings_in(data):
            model.lines.append(Line(self._sequence_number, number, reading))
            if model.holds(reading):
                first = First(model.shard.shard_id, self._sequence_number, number, model.records[-1].arrived_at_ms)
                self.firsts.setdefault(reading, first)
        return Receipt(model.shard.shard_id, str(self._sequence_number))

    @property
    def open(self) -> list[ModelShard]:
        """The open shards, in the order they were made."""
        return [model for model in self.shards.values() if not model.shard.closed]

    def read(self, shard_id: str, after: int, limit: int) -> tuple[list[Record], bool]:
        """GetRecords: up to `limit` records after a sequence number, and whether there are more beyond them."""
        records = [record for record in self.shards[shard_id].records if record.sequence_number > after]
        return records[:limit], len(records) > limit

    def shard_map(self) -> ShardMap:
        """ListShards."""
        return ShardMap(model.shard for model in self.shards.values())

    def split(self, shard_id: str, at: int) -> None:
        """Close a shard and open two; `at` is where the second begins."""
        parent = self._close(shard_id)
        self._create(parent.first_hash_key, at - 1, (shard_id,))
        self._create(at, parent.last_hash_key, (shard_id,))

    def merge(self, low: str, high: str) -> None:
        """Close two neighbours and open one."""
        first, last = self._close(low), self._close(high)
        assert first.last_hash_key + 1 == last.first_hash_key
        self._create(first.first_hash_key, last.last_hash_key, (low, high))

    def readings(self) -> set[Reading]:
        """The distinct readings in the log."""
        return {line.reading for model in self.shards.values() for line in model.lines}

    def _close(self, shard_id: str) -> Shard:
        model = self.shards[shard_id]
        model.shard = replace(model.shard, closed=True)
        return model.shard

    def _create(self, first: int, last: int, parents: tuple[str, ...]) -> None:
        shard_id = f"shardId-{len(self.shards):012}"
        self.shards[shard_id] = ModelShard(Shard(shard_id, first, last, parents))


def readings_in(data: bytes) -> list[tuple[int, Reading]]:
    """The readings in a record's bytes and the numbers of their lines, by the standard library."""
    text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    lines = enumerate(text.splitlines())
    return [(number, _reading(line)) for number, line in lines if line != NO_EVENT and _MARKED not in line]


def _reading(line: bytes) -> Reading:
    event = json.loads(line, parse_float=Decimal)
    time_us = (datetime.fromisoformat(event["time"]) - _EPOCH) // timedelta(microseconds=1)
    return Reading(time_us, event["subject"], int(Decimal(event["data"]["temperature"]) * 1_000_000))
