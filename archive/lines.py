"""A record as lines of an object, and back. Pure.

A record whose every line is strict JSON of an object is written as its events, for every engine to read. Every other record is
one line of its bytes; those of its lines that are events stand behind it, for engines only. So no record is left out, and what
is handed back depends on no type of event: only what is noted beside it (`measured`) does.

A packed record comes back as its plain text, which is taken apart into the same lines.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Final, NamedTuple

from archive.instants import DAY_US, day, instant, instant_ms
from archive.meta import UNDATED
from telemetry import strict_json
from telemetry.aggregates import MAGIC, user_records
from telemetry.canonical import LineDecoder
from telemetry.errors import UndecodableEvent
from telemetry.limits import RECORD_INFLATED_BYTES_MAX
from telemetry.log import LogRecord
from telemetry.records import Broken, Line, split_record, whole_text

DAYS_MAX: Final = 1_000
"""Days that `measured` names; what was measured on more of them is UNDATED, so that the last line stays small."""

REFUSED_LINES_MAX: Final = 100
"""A packed record with more lines that are no events keeps its bytes: it may become one dead letter, which holds them
(`LETTERS_MAX` in projections/decoding.py, which a test compares)."""

_LINE_ENDS: Final = re.compile(rb"\r|\xc2\x85|\xe2\x80[\xa8\xa9]")
"""What some reader takes for the end of a line, beside the newline: CR, U+0085, U+2028, U+2029."""

_HALF_A_PAIR: Final = re.compile(
    rb"\\u[dD][89abAB][\da-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][\da-fA-F]{2})\\u[dD][c-fC-F]"
)
"""An escaped half of a character beyond U+FFFF without the other: JSON's grammar has it, and engines stop at it."""

_WRITTEN: Final = re.compile(
    rb'\{"seq":"(\d+)","line":(-1|\d+),"arrived":"([^"]{24})","(?:event":(\{.*\})|record_base64":"([A-Za-z0-9+/=]*)")\}\n',
    re.DOTALL,
)


class Written(NamedTuple):
    """A record as lines, each with its newline."""

    text: bytes
    lines: int


class RecordWriter:
    """Writes records of one object down and counts, by the day, when their readings were measured."""

    def __init__(self) -> None:
        self._lines = LineDecoder()
        self._days: Counter[int] = Counter()
        """By their number since 1970."""
        self._undated = 0

    def write(self, record: LogRecord) -> Written:
        """The lines of a record. Its readings are counted."""
        if (events := self._in_our_own_form(record.data)) is not None:
            return _written(record, events)
        return self._write_any(record)

    @property
    def measured(self) -> dict[str, int]:
        """How many readings were measured on which day, most of them first if there are too many days; the rest UNDATED."""
        kept = dict(self._days.most_common(DAYS_MAX))
        undated = self._undated + self._days.total() - sum(kept.values())
        found = {day(number * DAY_US): count for number, count in sorted(kept.items())}
        return found | ({UNDATED: undated} if undated else {})

    def _in_our_own_form(self, data: bytes) -> Iterable[tuple[int, bytes]] | None:
        """The events of a record that our encoder may have written; None for all others, which take several times as long."""
        text = whole_text(data)
        if text is None or (told := self._lines.decode_all(text)) is None:
            return None
        self._days.update([reading.measured_at_us // DAY_US for reading, _ in told])
        return enumerate(text[:-1].split(b"\n"))

    def _write_any(self, record: LogRecord) -> Written:
        taken = user_records(record.data)
        pieces = list(split_record(*taken.parts))
        told = [isinstance(piece, Line) and self._count(piece.data) for piece in pieces]
        refused = told.count(False)
        self._undated += refused + taken.lost
        events = [
            (piece.number, piece.data)
            for piece, is_event in zip(pieces, told, strict=True)
            if isinstance(piece, Line) and is_fit(piece.data, known_event=is_event)
        ]
        if len(events) == len(pieces) and refused <= REFUSED_LINES_MAX and _tells_all(record.data, pieces):
            return _written(record, events)
        before = f'{{"seq":"{record.sequence_number}","line":-1,"arrived":"{instant(record.arrived_ms)}","record_base64":"'
        text, lines = _written(record, events)
        return Written(b"".join([before.encode(), base64.b64encode(record.data), b'"}\n', text]), lines + 1)

    def _count(self, line: bytes) -> bool:
        """Count a line's reading, if it holds one that is known today."""
        try:
            reading, _ = self._lines.decode(line)
        except UndecodableEvent:
            return False
        self._days[reading.measured_at_us // DAY_US] += 1
        return True


def is_fit(line: bytes, *, known_event: bool = False) -> bool:
    """Whether a line can stand as an event: strict JSON of an object from its first byte to its last, on one line to everybody.

    `known_event` says that it was decoded already, which does not forgive the rest.
    """
    if not (line.startswith(b"{") and line.endswith(b"}")) or _LINE_ENDS.search(line) or _HALF_A_PAIR.search(line):
        return False
    if known_event:
        return True
    try:
        return isinstance(strict_json.loads(line), dict)
    except ValueError:
        return False


def _tells_all(data: bytes, pieces: list[Line | Broken]) -> bool:
    """Whether the lines alone, each with a newline at its end, are taken apart as the record is."""
    if not pieces or data.startswith(MAGIC):
        return False
    numbered = all(piece.number == number for number, piece in enumerate(pieces))
    return numbered and sum(len(piece.data) + 1 for piece in pieces) <= RECORD_INFLATED_BYTES_MAX


def _written(record: LogRecord, events: Iterable[tuple[int, bytes]]) -> Written:
    before = f'{{"seq":"{record.sequence_number}","line":'
    after = f',"arrived":"{instant(record.arrived_ms)}","event":'
    begin, end = before.encode(), after.encode()
    texts = [b"%b%d%b%b}\n" % (begin, number, end, event) for number, event in events]
    return Written(b"".join(texts), len(texts))


def read_records(lines: Iterable[bytes], fail: Callable[[str], Exception]) -> Iterator[LogRecord]:
    """The records that lines, each with its newline, were written from. One record is in memory at a time.

    What cannot be is raised as the error that `fail` makes of its reason.
    """
    sequence_number = b""
    events: list[bytes] = []
    arrived_ms, whole = 0, False
    for text in lines:
        match = _WRITTEN.fullmatch(text)
        if match is None:
            raise fail(f"it holds a line that no archiver writes: {text[:80]!r}")
        number, line, arrived, event, packed = match.groups()
        if number != sequence_number:
            if events:
                yield LogRecord(int(sequence_number), arrived_ms, _joined(events))
            if sequence_number and int(number) <= int(sequence_number):
                raise fail(f"record {number.decode()} follows {sequence_number.decode()}")
            sequence_number, arrived_ms, whole = number, instant_ms(arrived.decode()), packed is not None
            events = []
            if packed is not None:
                yield LogRecord(int(number), arrived_ms, base64.b64decode(packed))
                continue
        if whole:
            continue  # beside the record's bytes, for engines
        if event is None or int(line) != len(events):
            raise fail(f"record {number.decode()} lacks line {len(events)}")
        events.append(event)
    if events:
        yield LogRecord(int(sequence_number), arrived_ms, _joined(events))


def _joined(events: list[bytes]) -> bytes:
    return b"".join(part for pair in zip(events, repeat(b"\n")) for part in pair)
