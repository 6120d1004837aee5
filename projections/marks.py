"""How far the projection was when a question was answered: the marks of the shards, read before anything else. Pure.

So an answer holds all that its marks say, perhaps more. What it is told by (as-of, `after`, ETag) comes from the one mark that
vouches for what was read, never from another: totals run ahead of windows, and windows of sensors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from projections.rows import Mark, Row
from telemetry.limits import HASH_KEY_MAX

type HashRange = tuple[int, int]
"""First and last hash key, both included."""


class Which(StrEnum):
    """Which of a progress row's three marks."""

    TOTALS = "totals"
    """The fleet's totals."""
    WINDOWS = "windows"
    """All fleet rows."""
    EVERYTHING = "everything"
    """Every row, the directory and all raw readings."""


class ShardMark(NamedTuple):
    """A shard's mark."""

    position: int
    as_of_us: int
    """Microseconds since 1970."""
    ended: bool
    """The shard was read to its end: the mark covers all of it."""
    hash_range: HashRange | None


@dataclass(frozen=True, slots=True)
class Marks:
    """One of the three marks, of each shard that has a row."""

    which: Which
    shards: Mapping[str, ShardMark]

    @property
    def as_of_us(self) -> int | None:
        """The moment up to which every shard that is not ended is covered; None when nothing is known of any.

        A child without a row counts as its parents' end (contract, "How answers agree").
        """
        known = self.shards.values()
        moments = [mark.as_of_us for mark in known if not mark.ended]
        missing = uncovered(mark.hash_range for mark in known if not mark.ended)
        for mark in sorted((mark for mark in known if mark.ended), key=lambda mark: -mark.as_of_us):
            rest = _without(missing, mark.hash_range) if mark.hash_range else missing
            if rest != missing:
                moments.append(mark.as_of_us)
                missing = rest
        return min(moments, default=None)

    def holds(self, shard_id: str, position: int) -> bool | None:
        """Whether an answer holds what a shard's log has up to a position. None when the shard has no row yet."""
        if not (mark := self.shards.get(shard_id)):
            return None
        return mark.ended or position <= mark.position

    def etag(self, question: str, read: str = "") -> str:
        """Alike for two answers only if they answer the same question and stand at the same marks.

        `read` is the digest of what was read besides, which may lie ahead of the marks.
        """
        positions = ((shard_id, self.shards[shard_id].position) for shard_id in sorted(self.shards))
        return digest([(self.which.value, question, read), *positions])[:32]


@dataclass(frozen=True, slots=True)
class Answer[T]:
    """What a question was answered, and on which marks it stands."""

    value: T
    marks: Marks
    read: str = ""
    """A digest of everything that was read and may lie ahead of the marks."""

    def etag(self, question: str) -> str:
        """Differs whenever the value may. `question` is all that was asked, with the generation and the representation."""
        return self.marks.etag(question, self.read)


def marks_of(progress: Mapping[str, Row], which: Which) -> Marks:
    """One of the marks of these progress rows, which are by shard id."""
    return Marks(which, {shard_id: _shard_mark(row, which) for shard_id, row in progress.items()})


def uncovered(ranges: Iterable[HashRange | None]) -> list[HashRange]:
    """What these ranges leave of the hash key space, in order; None is a range that nobody knows."""
    rest = [(0, HASH_KEY_MAX)]
    for hash_range in sorted(filter(None, ranges)):
        rest = _without(rest, hash_range)
    return rest


def digest(parts: Iterable[object]) -> str:
    """A hash of what is told apart by its text, in this order."""
    found = sha256()
    for part in parts:
        found.update(f"{part!r}\n".encode())
    return found.hexdigest()


def row_version(shard_id: str, row: Row) -> tuple[str, str, str, int]:
    """What tells a row that was read from all others, for a digest."""
    return shard_id, row.key.scope, row.key.window, row.position


def _shard_mark(row: Row, which: Which) -> ShardMark:
    mark: Mark = {
        Which.TOTALS: row.mark,
        Which.WINDOWS: row.progress.windows,
        Which.EVERYTHING: row.progress.flushed,
    }[which]
    return ShardMark(*mark, row.progress.ended, row.progress.hash_range)


def _without(ranges: Iterable[HashRange], taken: HashRange) -> list[HashRange]:
    pieces = (piece for first, last in ranges for piece in ((first, min(last, taken[0] - 1)), (max(first, taken[1] + 1), last)))
    return [(first, last) for first, last in pieces if first <= last]
