"""A log of many readings over shards and streams that come and go, and what a reader must get of it.

Events, times and temperatures are written down here by other means than ours, and nothing is shared with what reads the log.
"""

import gzip
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from projections.generations import read_pointer, replace_pointer, stream_created
from telemetry.shards import list_shards
from tests.support.stack import Stack
from tests.support.waiting import eventually

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SHARDS = 4
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Row(NamedTuple):
    """A reading as texts, and where the log holds it."""

    sensor_id: str
    temperature: str
    measured_at: str
    shard: str
    sequence_number: str
    line: int


class Sums(NamedTuple):
    """What a sensor's readings add up to: how many, 10⁻⁶ °C in all, the first and the last instant (µs since 1970)."""

    readings: int
    sum_micro: int
    first_us: int
    last_us: int


class InOrder:
    """What was got of each sensor, in which order: a hash, since all of it is too much to hold."""

    def __init__(self) -> None:
        self._found: defaultdict[str, Any] = defaultdict(hashlib.sha256)
        self.count = 0

    def add(self, sensor_id: str, text: str) -> None:
        """The sensor's next."""
        self._found[sensor_id].update(text.encode() + b"\n")
        self.count += 1

    def told(self) -> Mapping[str, str]:
        """By sensor, to be compared."""
        return {sensor_id: found.hexdigest() for sensor_id, found in self._found.items()}


@dataclass(slots=True)
class Oracle:
    """What a replay must give that leaves repeats out."""

    lines: InOrder = field(default_factory=InOrder)
    """The events, byte for byte."""
    rows: InOrder = field(default_factory=InOrder)
    """The readings with their places."""
    bytes: int = 0
    """Of all lines."""
    sums: dict[str, Sums] = field(default_factory=dict)
    repeats: int = 0

    def add(self, event: "Event", row: Row) -> None:
        """The first event of a reading."""
        self.lines.add(row.sensor_id, event.line)
        self.rows.add(row.sensor_id, "|".join(map(str, row)))
        self.bytes += len(event.line) + 1
        known = self.sums.get(row.sensor_id, Sums(0, 0, event.measured_us, event.measured_us))
        self.sums[row.sensor_id] = Sums(
            known.readings + 1,
            known.sum_micro + event.temperature_micro,
            min(known.first_us, event.measured_us),
            max(known.last_us, event.measured_us),
        )


class Event(NamedTuple):
    """An event that is sent, and its reading."""

    line: str
    measured_at: str
    temperature: str
    measured_us: int
    temperature_micro: int


class Fleet:
    """Sensors, some of whose readings come late, and some again."""

    def __init__(self, sensors: int, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311  repeatable on purpose
        self._names = [f"building-{number % 7}/sensor-{number:04}" for number in range(sensors)]
        self._number = 0
        self._sent: dict[str, list[Event]] = {}
        """Of each sensor, a record that may come again."""

    def records(self, readings: int) -> Iterator[tuple[str, list[Event], bool]]:
        """A record of each sensor, whether it was sent before, so many readings in all."""
        share = readings // len(self._names)
        for name in self._names:
            again = name in self._sent and self._rng.random() < 0.05
            events = self._sent[name] if again else [self._event(name) for _ in range(share)]
            if name not in self._sent or self._rng.random() < 0.05:
                self._sent[name] = events
            yield name, events, again

    def pack(self, events: list[Event]) -> bytes:
        """A record's bytes: plain or packed."""
        data = "".join(event.line + "\n" for event in events).encode()
        return gzip.compress(data, mtime=0) if self._rng.random() < 0.7 else data

    def _event(self, name: str) -> Event:
        self._number += 1
        number = self._number
        # No two readings are the same: who is late has microseconds that nobody else has within so long.
        late = self._rng.random() < 0.1
        since = timedelta(seconds=number, microseconds=self._rng.choice((0, 500_000)))
        if late:
            since = timedelta(seconds=number - self._rng.randrange(3600), microseconds=number % 499_979 + 1)
        micro = self._rng.choice((18_700_000, -250_000, 0, 20_000_000 + number % 997 * 10_000, number % 10**7))
        temperature = format((Decimal(micro) / 10**6).normalize(), "f")
        measured_at = _rfc3339(BEGIN + since)
        line = (
            f'{{"specversion":"1.0","type":"telemetry.temperature.recorded.v1","source":"/api/temperature","id":"e{number:015}",'
            f'"subject":{json.dumps(name)},"time":"{measured_at}","receivedtime":"{measured_at}",'
            f'"data":{{"temperature":{temperature}}}}}'
        )
        return Event(line, measured_at, temperature, (BEGIN + since - _EPOCH) // _MICROSECOND, micro)


def _rfc3339(at: datetime) -> str:
    """In UTC, with as many decimals as are needed."""
    decimals = f".{at.microsecond:06}".rstrip("0").rstrip(".")
    return f"{at:%Y-%m-%dT%H:%M:%S}{decimals}Z"


class WholeLog:
    """The log while it is written, and the oracle of it."""

    def __init__(self, stack: Stack, sensors: int) -> None:
        self._stack = stack
        self._fleet = Fleet(sensors, seed=15)
        self._stream = 1
        self.oracle = Oracle()

    def write(self, readings: int, a_call: int) -> None:
        """So many readings, each call a record of each sensor, so that a sensor's records stand in the order they are put."""
        for _ in range(readings // a_call):
            pending = [(name, events, again, self._fleet.pack(events)) for name, events, again in self._fleet.records(a_call)]
            while pending:
                answer = self._stack.kinesis.put_records(
                    StreamName=self._stack.names.stream,
                    Records=[{"PartitionKey": name, "Data": data} for name, _, _, data in pending],
                )
                refused = []
                for record, receipt in zip(pending, answer["Records"], strict=True):
                    if "ErrorCode" in receipt:
                        refused.append(record)
                    else:
                        self._stored(record[0], record[1], again=record[2], receipt=receipt)
                pending = refused
        self._stack.kinesis.put_record(StreamName=self._stack.names.stream, PartitionKey="broken", Data=b"no event")

    def split(self) -> None:
        """The widest shard."""
        shards = list_shards(self._stack.kinesis, self._stack.names.stream).open
        widest = max(shards, key=lambda shard: shard.last_hash_key - shard.first_hash_key)
        self._stack.kinesis.split_shard(
            StreamName=self._stack.names.stream,
            ShardToSplit=widest.shard_id,
            NewStartingHashKey=str((widest.first_hash_key + widest.last_hash_key) // 2),
        )
        eventually(lambda: self._has_open(len(shards) + 1), within_s=60)

    def merge(self) -> None:
        """The first two shards."""
        low, high, *others = list_shards(self._stack.kinesis, self._stack.names.stream).open
        self._stack.kinesis.merge_shards(
            StreamName=self._stack.names.stream, ShardToMerge=low.shard_id, AdjacentShardToMerge=high.shard_id
        )
        eventually(lambda: self._has_open(len(others) + 1), within_s=60)

    def lose_the_stream(self) -> None:
        """It is deleted with all that it held, and the log goes on in another."""
        kinesis, names = self._stack.kinesis, self._stack.names
        last = [shard.shard_id for shard in list_shards(kinesis, names.stream).open]
        kinesis.delete_stream(StreamName=names.stream)
        eventually(self._is_gone, within_s=60)
        kinesis.create_stream(StreamName=names.stream, ShardCount=SHARDS)
        eventually(lambda: self._has_open(SHARDS), within_s=60)
        pointer = read_pointer(self._stack.dynamodb, names)
        assert pointer
        after = pointer.continued(names.stream, stream_created(kinesis, names), last, pointer.generation)
        assert replace_pointer(self._stack.dynamodb, names, pointer, after)
        self._stream += 1

    def _stored(self, name: str, events: list[Event], *, again: bool, receipt: Any) -> None:
        if again:
            self.oracle.repeats += len(events)
            return
        shard = receipt["ShardId"] if self._stream == 1 else f"{self._stream}/{receipt['ShardId']}"
        for number, event in enumerate(events):
            self.oracle.add(event, Row(name, event.temperature, event.measured_at, shard, receipt["SequenceNumber"], number))

    def _is_gone(self) -> None:
        assert self._stack.names.stream not in self._stack.kinesis.list_streams(Limit=1000)["StreamNames"]

    def _has_open(self, count: int) -> None:
        summary = self._stack.kinesis.describe_stream_summary(StreamName=self._stack.names.stream)["StreamDescriptionSummary"]
        assert (summary["StreamStatus"], summary["OpenShardCount"]) == ("ACTIVE", count)
