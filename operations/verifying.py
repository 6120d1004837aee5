"""Proves a projection: what its tables hold is worked out anew from the log, each row at its own position, while writes go on.

Progress rows are read first, then everything else, then the log: so all that the marks vouch for is in what was read, and all
that was read is in the log. Readings, rows and packs are put into files (`spilled.py`), and judged sensor by sensor, then day
by day (`judging.py`). Nothing here knows the fold. Not compared are beat, as-of, which packs there are, and the text of a
reason.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from operations.differences import Difference, Scope
from operations.judging import Judging
from operations.spilled import Line, Spill, files_for
from projections.decoding import Candidate, Decoder, Record
from projections.effects import DeadLetter, Origin
from projections.letters import KeptLetter
from projections.packs import Pack
from projections.reads import Listing
from projections.rows import FLEET, Row, sensor_of
from telemetry.aggregates import user_records
from telemetry.errors import ReasonCode
from telemetry.letter_marks import LetterMark
from telemetry.log import Gap, LogRecord, Page
from telemetry.shards import Shard

WHOLE: Final = Scope()


class Stored(Protocol):
    """The tables of a generation; every read is strongly consistent, row by row."""

    def progress(self) -> Mapping[str, Row]:
        """The progress row of each shard. Asked for first."""

    def stats(self) -> Iterator[tuple[str, Row] | Listing]:
        """Every row with its shard, and the directory."""

    def packs(self) -> Iterator[Pack]:
        """Every pack."""

    def letters(self) -> Iterator[KeptLetter]:
        """Every dead letter, and every mark."""

    def sizes(self) -> tuple[int, int]:
        """How many rows and packs there are, about."""


class WholeLog(Protocol):
    """The log, all of it, up to a moment after the tables were read."""

    def shards(self) -> Iterable[Shard]:
        """All shards, parents before their children."""

    def pages(self) -> Iterable[Page]:
        """Their pages, each shard's in its order, and all of a parent's before its children's."""


class _Letter(NamedTuple):
    """What is compared of a letter, and the lines of a whole record that it is for."""

    digest: bytes
    arrived_ms: int
    code: ReasonCode
    lines: tuple[tuple[int, int], ...]

    def is_for(self, line: int) -> bool:
        """Of a whole record's letter: whether a line of it was kept and not counted. All are, where it does not tell."""
        return not self.lines or any(first <= line <= last for first, last in self.lines)


class Verification:
    """One run. `folder` is an empty one for its files."""

    def __init__(self, stored: Stored, log: WholeLog, folder: Path, scope: Scope = WHOLE) -> None:
        self._stored, self._log, self._folder, self._scope = stored, log, folder, scope
        self.readings = 0
        """Lines of the log that are readings, repeats included."""
        self.gaps: list[Gap] = []
        """What may be missing of the log."""
        self.behind: list[str] = []
        """Shards of which tables hold more than the log that was read."""
        self._letters: dict[Origin, _Letter] = {}
        self._of_records: dict[tuple[str, int], Origin] = {}
        """Of records that are kept as one letter: which it is."""
        self._stored_marks: dict[Origin, LetterMark] = {}
        self._marks: dict[Origin, list[tuple[str, int, LetterMark]]] = {}
        """Those in the log of each letter, with the shard and the record that brought them."""
        self._readable: set[Origin] = set()
        self._expected: dict[Origin, _Letter] = {}
        self._ends: dict[str, int] = {}
        """The last record of each shard."""

    @property
    def readable(self) -> int:
        """Letters of which today's decoder reads something: they are none to be, and no difference."""
        return len(self._readable)

    @property
    def complete(self) -> bool:
        """Whether the log is whole, as far as anybody can tell: else what differs may be what is missing."""
        return not (self.gaps or self.behind)

    def differences(self) -> Iterator[Difference]:
        """Everything that is not as the log says. Raises what tables and log raise."""
        progress = self._stored.progress()
        spill = Spill(self._folder, files_for(promised(progress)))
        judging = Judging(progress, spill, self._scope)
        self._read_tables(judging, spill)
        self._read_log(spill, list(self._log.shards()))
        refusals: dict[str, Counter[ReasonCode]] = {shard_id: Counter() for shard_id in judging.progress_rows}
        for origin, letter in self._expected.items():
            row = judging.progress_rows.get(origin.shard_id)
            if row and origin.sequence_number <= row.position:
                refusals[origin.shard_id][letter.code] += 1
        self.behind = sorted(name for name, position in judging.furthest.items() if position > self._ends.get(name, 0))
        yield from judging.differences(refusals, self._ends)
        if self._scope == WHOLE:
            yield from self._letters_that_differ(judging.progress)
            yield from self._marks_that_differ(judging.progress)

    def _read_tables(self, judging: Judging, spill: Spill) -> None:
        for kept in self._stored.letters():
            if kept.letter:
                self._letters[kept.origin] = _compared(kept.letter)
                if kept.letter.code is ReasonCode.MANY_LINES:
                    self._of_records[kept.origin[:2]] = kept.origin
            if kept.mark:
                self._stored_marks[kept.origin] = kept.mark
        for pack in self._stored.packs():
            if self._scope.takes_sensor(pack.bucket.sensor_id) and self._scope.takes_shard(pack.shard_id):
                spill.put(spill.number(pack.bucket.sensor_id), pack)
        for found in self._stored.stats():
            if isinstance(found, Listing):
                judging.take_listing(found)
                continue
            shard_id, row = found
            if row.key.scope == FLEET:
                judging.take_fleet(shard_id, row)
            elif self._scope.takes_sensor(sensor_of(row.key)) and self._scope.takes_shard(shard_id):
                judging.note_position(shard_id, row.position)
                spill.put(spill.number(sensor_of(row.key)), (shard_id, row))

    def _read_log(self, spill: Spill, shards: list[Shard]) -> None:
        # Its shards at this moment: one that begins later holds nothing that the tables had.
        decoders = {shard.shard_id: Decoder(shard) for shard in shards}
        for page in self._log.pages():
            if page.shard_id not in decoders:
                continue
            if page.gap:
                self.gaps.append(page.gap)
            for record in page.records:
                self._ends[page.shard_id] = record.sequence_number
                self._read_record(spill, page.shard_id, decoders, record)

    def _read_record(self, spill: Spill, shard_id: str, decoders: dict[str, Decoder], record: LogRecord) -> None:
        parts = user_records(record.data).parts
        if not parts:
            return
        read = Record(record.sequence_number, parts[0], record.arrived_ms, tuple(parts[1:]))
        whole = self._of_records.get((shard_id, record.sequence_number))
        if whole:
            right = DeadLetter(whole, read.whole, ReasonCode.MANY_LINES, "", record.arrived_ms)
            self._expected[whole] = _compared(right)
        for item in decoders[shard_id].decode(read):
            if isinstance(item, Candidate):
                self._take(spill, shard_id, item, whole)
            elif isinstance(item, DeadLetter):
                if whole and self._letters[whole].is_for(item.origin.line):
                    continue
                stored = self._letters.get(item.origin)
                # Another decoder may have kept it for another reason: whoever counts them counts that.
                self._expected[item.origin] = _compared(item)._replace(code=stored.code if stored else item.code)
            elif isinstance(item, LetterMark):
                self._marks.setdefault(Origin(*item.letter), []).append((shard_id, record.sequence_number, item))

    def _take(self, spill: Spill, shard_id: str, found: Candidate, whole: Origin | None) -> None:
        origin = whole or Origin(shard_id, found.sequence_number, found.line)
        if (letter := self._letters.get(origin)) and letter.is_for(found.line):
            # Kept by a decoder that could not read it, and counted nowhere.
            self._readable.add(origin)
            self._expected.setdefault(origin, letter)
            return
        self.readings += 1
        reading = found.reading
        if self._scope.takes_sensor(reading.sensor_id) and self._scope.takes_time(reading.measured_at_us):
            shard, arrived_us = spill.shard_number(shard_id), found.arrived_at_ms * 1000
            place = found.sequence_number, found.line
            line = Line(reading.measured_at_us, reading.temperature_micro, shard, *place, arrived_us)
            spill.put_line(spill.number(reading.sensor_id), line)

    def _letters_that_differ(self, progress: Mapping[str, Row]) -> Iterator[Difference]:
        for origin, right in self._expected.items():
            stored = self._letters.get(origin)
            if stored is None:
                row = progress.get(origin.shard_id)
                if row and origin.sequence_number <= row.position:
                    yield Difference("dead letters", _place(origin), "letter", "none", str(right.code))
            elif stored.digest != right.digest:
                yield Difference("dead letters", _place(origin), "data", stored.digest.hex(), right.digest.hex())
            elif stored.arrived_ms != right.arrived_ms:
                yield Difference("dead letters", _place(origin), "arrived", str(stored.arrived_ms), str(right.arrived_ms))
        for origin in self._letters.keys() - self._expected.keys():
            yield Difference("dead letters", _place(origin), "letter", str(self._letters[origin].code), "none")

    def _marks_that_differ(self, progress: Mapping[str, Row]) -> Iterator[Difference]:
        """What stands beside a letter is the latest mark up to the marks' shards' positions, or one that came since."""
        for origin in sorted(self._marks.keys() | self._stored_marks.keys()):
            in_log = self._marks.get(origin, [])
            due = [mark for shard_id, at, mark in in_log if shard_id in progress and at <= progress[shard_id].position]
            right = max(due, key=lambda mark: mark.order, default=None)
            stored = self._stored_marks.get(origin)
            allowed = [mark for _, _, mark in in_log if right is None or mark.order >= right.order]
            if stored != right and stored not in allowed:
                yield Difference("dead letters", _place(origin), "mark", str(stored), str(right))


def promised(progress: Mapping[str, Row]) -> int:
    """How many readings of the log the tables tell of, repeats included."""
    return sum(row.stats.count + row.stats.duplicates for row in progress.values())


def named(first: Iterable[Difference], again: Iterable[Difference]) -> list[Difference]:
    """Differences that two runs found, as the second saw them: what was in motion during one is none."""
    suspects = {one.suspect for one in first}
    return [one for one in again if one.suspect in suspects]


def _compared(letter: DeadLetter) -> _Letter:
    return _Letter(hashlib.blake2b(letter.data, digest_size=16).digest(), letter.arrived_at_ms, letter.code, letter.lines)


def _place(origin: Origin) -> str:
    return f"{origin.shard_id}:{origin.sequence_number}:{origin.line}"
