"""From a record's bytes to what is to be done with each of its lines: count it, send it home, or keep it as a dead letter."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from projections.effects import DeadLetter, Origin
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.events import decode_event
from telemetry.reading import Reading
from telemetry.records import Broken, split_record
from telemetry.shards import Shard, hash_key

LETTERS_MAX = 100
"""Dead letters of one record's lines; a record with more lines that are no events is one dead letter."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the stream delivered it."""

    sequence_number: int
    data: bytes
    arrived_at_ms: int
    """When Kinesis took it: milliseconds since 1970."""
    more: tuple[bytes, ...] = ()
    """Of a KPL aggregate: the user records that follow `data`. KCL hands them out one by one, under one sequence number."""

    @property
    def parts(self) -> tuple[bytes, ...]:
        """What is to be split into lines."""
        return self.data, *self.more

    @property
    def whole(self) -> bytes:
        """All its bytes; an aggregate's user records one after the other, each with a newline at its end."""
        if not self.more:
            return self.data
        return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in self.parts if part)


class Candidate(NamedTuple):
    """A reading that belongs to this shard, and where it stood."""

    origin: Origin
    reading: Reading
    arrived_at_ms: int
    """When Kinesis took the record: milliseconds since 1970."""


class Stray(NamedTuple):
    """An event whose sensor hashes into another shard: its writer held an old shard map and died before mending it."""

    sensor_id: str
    line: bytes


def decode(shard: Shard, record: Record) -> Iterator[Candidate | Stray | DeadLetter | None]:
    """What each line of the record is, in order; None for one that is no event.

    Its dead letter comes at the record's end, when it is known how many there are: more than LETTERS_MAX are one letter of the
    whole record, with a code of its own. So the letters of a record depend on nothing but it, and whoever reads it again writes
    the same.
    """
    letters: list[DeadLetter] = []
    bad, breaks_off = 0, ""
    for line in split_record(*record.parts):
        origin = Origin(shard.shard_id, record.sequence_number, line.number)
        try:
            if isinstance(line, Broken):
                breaks_off = f"; {line.reason}"
                raise UndecodableEvent(line.code, line.reason)
            reading = decode_event(line.data)
        except UndecodableEvent as error:
            bad += 1
            if bad <= LETTERS_MAX:
                letters.append(DeadLetter(origin, line.data, error.code, str(error), record.arrived_at_ms))
            else:
                del letters[1:]
            yield None
            continue
        if shard.holds(hash_key(reading.sensor_id)):
            yield Candidate(origin, reading, record.arrived_at_ms)
        else:
            yield Stray(reading.sensor_id, line.data)
    if bad > LETTERS_MAX:
        first = letters.pop()
        reason = f"{bad} of its lines are no events, the first of them line {first.origin.line}: {first.reason}{breaks_off}"
        letters = [DeadLetter(first.origin, record.whole, ReasonCode.MANY_LINES, reason, record.arrived_at_ms)]
    yield from letters
