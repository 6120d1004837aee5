"""From a record's bytes to what is to be done with each of its lines: count it, send it home, or keep it as a dead letter."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from projections.effects import DeadLetter, Origin
from telemetry.errors import UndecodableEvent
from telemetry.events import decode_event
from telemetry.reading import Reading
from telemetry.records import split_record
from telemetry.shards import Shard, hash_key


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the stream delivered it."""

    sequence_number: int
    data: bytes
    arrived_at_ms: int
    """When Kinesis took it: milliseconds since 1970."""


class Candidate(NamedTuple):
    """A reading that belongs to this shard, and where it stood."""

    origin: Origin
    reading: Reading


class Stray(NamedTuple):
    """An event whose sensor hashes into another shard: its writer held an old shard map and died before mending it."""

    sensor_id: str
    line: bytes


def decode(shard: Shard, record: Record) -> Iterator[Candidate | Stray | DeadLetter]:
    """What each line of the record is, in order. A broken record ends in one dead letter that holds all its bytes."""
    number = -1
    try:
        for number, data in split_record(record.data):
            origin = Origin(shard.shard_id, record.sequence_number, number)
            try:
                reading = decode_event(data)
            except UndecodableEvent as error:
                yield DeadLetter(origin, data, str(error), record.arrived_at_ms)
                continue
            if shard.holds(hash_key(reading.sensor_id)):
                yield Candidate(origin, reading)
            else:
                yield Stray(reading.sensor_id, data)
    except UndecodableEvent as error:
        origin = Origin(shard.shard_id, record.sequence_number, number + 1)
        yield DeadLetter(origin, record.data, str(error), record.arrived_at_ms)
