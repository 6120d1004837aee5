"""Dead letters in an operator's hands: what there is, what today's decoder reads of it, and what is decided. Pure.

A letter is appended to the log again line by line, each under its own key, before its mark: whoever dies between the two
appends it once more, and what is there twice counts once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from projections.effects import DeadLetter
from projections.letters import KeptLetter
from telemetry.errors import ReasonCode, UndecodableEvent
from telemetry.events import decode_event
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome, decode_mark, encode_mark
from telemetry.limits import SENSOR_ID_CHARS_MAX
from telemetry.records import Broken, split_record

PLACES_MAX: Final = 500
"""In one mark, which is an event and so has a bound: those of a letter that holds more lines are told in part."""


class Letters(Protocol):
    """The dead letters of a generation."""

    def heads(self) -> Iterator[KeptLetter]:
        """All letters and marks, without the letters' bytes."""

    def whole(self) -> Iterator[KeptLetter]:
        """All letters and marks."""

    def find(self, place: LetterPlace) -> KeptLetter | None:
        """What is kept of one place; None when nothing is."""


class Writer(Protocol):
    """Appends to the log."""

    def append(self, events: Sequence[tuple[str, bytes]]) -> list[str]:
        """Append events (partition key, line), each as a record; where they stand, as `shard:sequence number`."""


@dataclass(slots=True)
class Group:
    """The letters of one reason."""

    code: ReasonCode
    first_ms: int
    """When the first of them arrived, and the last: ms since 1970."""
    last_ms: int
    sample: DeadLetter
    """The last of those that nobody decided about, if there are any."""
    undecided: int = 0
    resolved: int = 0
    discarded: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return self.undecided + self.resolved + self.discarded

    def add(self, letter: DeadLetter, mark: LetterMark | None) -> None:
        """Take in a letter."""
        if mark is None and (not self.undecided or letter.arrived_at_ms >= self.sample.arrived_at_ms):
            self.sample = letter
        self.first_ms, self.last_ms = min(self.first_ms, letter.arrived_at_ms), max(self.last_ms, letter.arrived_at_ms)
        self.undecided += mark is None
        self.resolved += mark is not None and mark.outcome is Outcome.RESOLVED
        self.discarded += mark is not None and mark.outcome is Outcome.DISCARDED


def grouped(found: Iterable[KeptLetter]) -> list[Group]:
    """Letters by their reason, in the order of the codes."""
    groups: dict[ReasonCode, Group] = {}
    for kept in found:
        if letter := kept.letter:
            arrived_ms = letter.arrived_at_ms
            group = groups.setdefault(letter.code, Group(letter.code, arrived_ms, arrived_ms, letter))
            group.add(letter, kept.mark)
    return [groups[code] for code in ReasonCode if code in groups]


def events_of(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """What today's decoder reads of a letter: partition key and line of each of its events.

    Raises UndecodableEvent when anything in it is none still. What counted before, of a record that is a letter as a whole, is
    among them, and is told as repeated.
    """
    try:
        return [_event(letter.data)]
    except UndecodableEvent:
        events = []
        for line in split_record(letter.data):
            if isinstance(line, Broken):
                raise UndecodableEvent(line.code, line.reason) from None
            events.append(_event(line.data))
        if len(events) < 2:
            raise
        return events


@dataclass(slots=True)
class Retried:
    """What became of letters that nobody had decided about."""

    letters: int = 0
    events: int = 0
    unreadable: Counter[ReasonCode] = field(default_factory=Counter)
    """Still: by the reason that they were kept for."""
    came_back: int = 0
    """Appended by an earlier retry, and a letter again: whoever fills this generation does not read them yet."""
    incomplete: int = 0
    """Being written just now."""
    more: bool = False
    """Whether there may be others: as many were retried as were asked for."""

    @property
    def left(self) -> int:
        """How many stay as they are."""
        return self.unreadable.total() + self.came_back + self.incomplete


def retry(
    letters: Letters,
    writer: Writer | None,
    marked: Callable[[LetterPlace, Sequence[str]], LetterMark],
    *,
    reason: ReasonCode | None = None,
    most: int | None = None,
    again: bool = False,
) -> Retried:
    """Append the undecided letters that can be read to the log, and mark each; without a writer they are counted only.

    `marked` makes the mark of a letter whose events stand at these places now. A letter that an earlier retry brought is left
    unless `again` is said: else a consumer that cannot read it yet would make a letter of it for ever.
    """
    retried = Retried()
    brought = {place for kept in letters.heads() for place in (kept.mark.moved_to if kept.mark else ())}
    for kept in letters.whole():
        if kept.mark or (kept.letter and reason not in {None, kept.letter.code}):
            continue
        if kept.letter is None:
            retried.incomplete += 1
            continue
        if f"{kept.origin.shard_id}:{kept.origin.sequence_number}" in brought and not again:
            retried.came_back += 1
            continue
        try:
            events = events_of(kept.letter)
        except UndecodableEvent:
            retried.unreadable[kept.letter.code] += 1
            continue
        if retried.letters == most:
            retried.more = True
            break
        if writer:
            places = sorted(set(writer.append(events)))
            brought.update(places)
            mark(writer, marked(LetterPlace(*kept.origin), places[:PLACES_MAX]))
        retried.letters += 1
        retried.events += len(events)
    return retried


def mark(writer: Writer, decided: LetterMark) -> None:
    """Append what was decided about a letter. Tables have it when their consumers have read it."""
    writer.append([(_key_of(decided), encode_mark(decided))])


def _event(line: bytes) -> tuple[str, bytes]:
    """A line under its own key. A mark is one that older consumers took for a letter."""
    decided = decode_mark(line)
    return (_key_of(decided) if decided else decode_event(line).sensor_id), line


def _key_of(decided: LetterMark) -> str:
    return decided.letter.text[:SENSOR_ID_CHARS_MAX]
