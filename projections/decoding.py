"""From a record's bytes to what is to be done with each of its lines: count it, send it home, or keep it as a dead letter.

Or as what was decided about one (`telemetry/letter_marks.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from projections.effects import DeadLetter, Origin
from telemetry.canonical import LineDecoder, Told
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.letter_marks import LetterMark, decode_mark
from telemetry.reading import Reading
from telemetry.records import Broken, Line, split_record, whole_text
from telemetry.shards import Shard, hash_key

LETTERS_MAX = 100
"""Dead letters of one record's lines; a record with more lines that are no events is one dead letter."""
LETTER_RUNS_MAX = 1000
"""Of such a letter's lines: more runs of them, with others between, are not told."""
_SENSORS_HELD_MAX = 30_000


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

    sequence_number: int
    line: int
    arrived_at_ms: int
    """When Kinesis took the record: milliseconds since 1970."""
    reading: Reading
    token: bytes
    """How the reading is told within its ten minutes (`canonical.py`)."""


class Stray(NamedTuple):
    """An event whose sensor hashes into another shard: its writer held an old shard map and died before mending it."""

    sensor_id: str
    line: bytes
    sequence_number: int
    """Of the record it stands in."""

    @property
    def event(self) -> tuple[str, bytes]:
        """Partition key and line, as it is put on the stream once more."""
        return self.sensor_id, self.line


class Decoder:
    """Decodes the records of one shard. What it holds only saves time."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._lines = LineDecoder()
        self._homes: dict[str, bool] = {}
        """Whether a sensor belongs to the shard."""

    def decode(self, record: Record) -> Iterator[Candidate | Stray | DeadLetter | LetterMark | None]:
        """What each line of the record is, in order; None for one that is no event.

        Its dead letter comes at the record's end, when it is known how many there are: more than LETTERS_MAX are one letter of
        the whole record, with a code of its own. So the letters of a record depend on nothing but it, and whoever reads it
        again writes the same.
        """
        if (told := self._in_our_own_form(record)) is None:
            yield from self._decode_line_by_line(record)
            return
        sequence_number, arrived_at_ms, homes = record.sequence_number, record.arrived_at_ms, self._homes
        for number, (reading, token) in enumerate(told):
            sensor_id = reading.sensor_id
            if homes[sensor_id] if sensor_id in homes else self._at_home(sensor_id):
                yield Candidate(sequence_number, number, arrived_at_ms, reading, token)
            else:
                yield Stray(sensor_id, self._line(record, number), sequence_number)

    def _in_our_own_form(self, record: Record) -> list[Told] | None:
        """What all lines of a record hold when our encoder may have written it; None for all others."""
        text = None if record.more else whole_text(record.data)
        return None if text is None else self._lines.decode_all(text)

    def _decode_line_by_line(self, record: Record) -> Iterator[Candidate | Stray | DeadLetter | LetterMark | None]:
        letters: list[DeadLetter] = []
        runs: list[tuple[int, int]] = []
        bad, breaks_off, goes_on = 0, "", False
        sequence_number, arrived_at_ms, homes = record.sequence_number, record.arrived_at_ms, self._homes
        for line in split_record(*record.parts):
            number, data = line[:2]
            try:
                if isinstance(line, Broken):
                    breaks_off = f"; {line.reason}"
                told = self._told(line)
            except UndecodableEvent as error:
                bad += 1
                if len(runs) <= LETTER_RUNS_MAX:
                    runs.append((runs.pop()[0] if goes_on else number, number))
                goes_on = True
                if bad <= LETTERS_MAX:
                    origin = Origin(self._shard.shard_id, sequence_number, number)
                    letters.append(DeadLetter(origin, data, error.code, str(error), arrived_at_ms))
                else:
                    del letters[1:]
                yield None
                continue
            goes_on = False
            if isinstance(told, LetterMark):
                yield told
                continue
            reading, token = told
            sensor_id = reading.sensor_id
            if homes[sensor_id] if sensor_id in homes else self._at_home(sensor_id):
                yield Candidate(sequence_number, number, arrived_at_ms, reading, token)
            else:
                yield Stray(sensor_id, data, sequence_number)
        if bad > LETTERS_MAX:
            first = letters.pop()
            reason = f"{bad} of its lines are no events, the first of them line {first.origin.line}: {first.reason}{breaks_off}"
            lines = tuple(runs) if len(runs) <= LETTER_RUNS_MAX else ()
            letters = [DeadLetter(first.origin, record.whole, ReasonCode.MANY_LINES, reason, arrived_at_ms, lines)]
        yield from letters

    def _told(self, line: Line | Broken) -> Told | LetterMark:
        """What a line holds. Raises UndecodableEvent."""
        if isinstance(line, Broken):
            raise UndecodableEvent(line.code, line.reason)
        return decode_mark(line.data) or self._lines.decode(line.data)

    @staticmethod
    def _line(record: Record, number: int) -> bytes:
        return next(line.data for line in split_record(record.data) if line.number == number)

    def _at_home(self, sensor_id: str) -> bool:
        if len(self._homes) >= _SENSORS_HELD_MAX:
            self._homes.clear()
        home = self._homes[sensor_id] = self._shard.holds(hash_key(sensor_id))
        return home
