"""Slices of a delivery: lines of its records that are looked up, written and folded together. So memory is bounded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from projections.decoding import Candidate, Decoder, Record, Stray
from projections.effects import DeadLetter
from telemetry.letter_marks import LetterMark

SLICE_LINES = 8_000
"""Whatever a record inflates to."""
SLICE_KEPT_BYTES = 1024 * 1024
"""Of dead letters and events to be sent home; a slice that holds more ends."""
LOOKS_EVERY_LINES = 64


@dataclass(slots=True)
class Slice:
    """Decoded lines in log order."""

    candidates: list[Candidate] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    marks: list[LetterMark] = field(default_factory=list)
    kept_bytes: int = 0
    """In strays, letters and marks."""
    completed: Record | None = None
    """The record that ends with this slice; None when the slice ends inside one."""

    @property
    def bounds(self) -> tuple[int, int] | None:
        """The first and the last sequence number of what is counted or refused; None when nothing is."""
        numbers = [one.sequence_number for one in (*self.candidates[:1], *self.candidates[-1:])]
        numbers += [one.origin.sequence_number for one in (*self.letters[:1], *self.letters[-1:])]
        return (min(numbers), max(numbers)) if numbers else None

    def keep(self, item: Stray | DeadLetter | LetterMark) -> None:
        """Take in what is not to be counted."""
        if isinstance(item, Stray):
            self.strays.append(item)
            self.kept_bytes += len(item.line)
        elif isinstance(item, LetterMark):
            self.marks.append(item)
            self.kept_bytes += len(item.by) + len(item.because)
        else:
            self.letters.append(item)
            self.kept_bytes += len(item.data)

    def __len__(self) -> int:
        return len(self.candidates) + len(self.strays) + len(self.letters) + len(self.marks)


def slices(decoder: Decoder, records: Sequence[Record], urgent: Callable[[], bool]) -> Iterator[Slice]:
    """Slices that end between records, but for a record larger than a slice: rows are only written between records.

    One ends as well when something is urgent, whatever the records hold.
    """
    piece = Slice()
    for record in records:
        candidates = piece.candidates
        for number, item in enumerate(decoder.decode(record)):
            if isinstance(item, Candidate):
                candidates.append(item)
            elif item is not None:
                piece.keep(item)
            full = len(candidates) >= SLICE_LINES or piece.kept_bytes >= SLICE_KEPT_BYTES
            if full or (not number % LOOKS_EVERY_LINES and urgent()):
                piece.completed = None
                yield piece
                piece = Slice()
                candidates = piece.candidates
        piece.completed = record
        if len(piece) >= SLICE_LINES // 2 or urgent():
            yield piece
            piece = Slice()
    if piece.completed:
        yield piece
