"""Bugs seeded on purpose: the simulator is worth what it finds.

Those of the stores, the leases and the writers are asked for where they act; those of the product are patches that `seeded`
puts on for the length of a schedule.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from enum import Enum, auto
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from projections import cache, projector
from projections.cache import Decision, RowCache
from projections.decoding import Candidate, Record, Stray, decode
from projections.effects import DeadLetter, Origin, Steps, ask
from projections.projector import ShardProjector
from projections.rows import Row, RowKey
from telemetry.shards import Shard


class Bug(Enum):
    """One mistake each."""

    NO_LINE_IN_ORIGIN = auto()
    UNCONFIRMED_DECISIONS_ARE_FORGOTTEN = auto()
    UNPROCESSED_KEYS_ARE_ABSENT = auto()
    ROWS_DECIDE_BY_THE_PROGRESS_ROW = auto()
    DECISIONS_ARE_DROPPED_AT_A_FLEET_FLUSH = auto()
    NO_CONDITION_ON_POSITION = auto()
    STRAYS_ARE_FOLDED_HERE = auto()
    STRAYS_ARE_DROPPED = auto()
    CHILDREN_BEFORE_PARENTS = auto()
    NO_LOOK_UP = auto()
    CHECKPOINT_BEFORE_FLUSH = auto()
    ADD_INSTEAD_OF_WHOLE_ROWS = auto()
    FAILED_ENTRIES_ARE_ACKNOWLEDGED = auto()
    ZOMBIES_ARE_NOT_FENCED = auto()
    STRAYS_ARE_ACKNOWLEDGED = auto()
    REFUSALS_ARE_IGNORED = auto()
    REFUSED_ROWS_ARE_NOT_FOLDED_AGAIN = auto()
    DIRTY_ROWS_ARE_EVICTED = auto()
    FLUSH_INSIDE_A_RECORD = auto()
    FOLD_BEFORE_RAW_READINGS = auto()
    PROGRESS_ROW_FIRST = auto()


type Bugs = frozenset[Bug]
NONE: Bugs = frozenset()


class OrderedRowCache(RowCache):
    """The real cache; rows enter it in an order that does not depend on hashes, so that a seed replays in any process."""

    def load(self, keys: Collection[RowKey]) -> Steps[None]:
        yield from super().load(sorted(keys))


@contextmanager
def seeded(bugs: Bugs, slice_lines: int) -> Iterator[None]:
    """Put on the patches of these bugs, the ordered cache, and slices small enough to end inside records."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(projector, "RowCache", OrderedRowCache))
        patches.enter_context(patch.object(projector, "SLICE_LINES", slice_lines))
        for bug in sorted(bugs, key=lambda bug: bug.value):
            for owner, name, value in _PATCHES.get(bug, []):
                patches.enter_context(patch.object(owner, name, value))
        yield


def _decode_without_lines(shard: Shard, record: Record) -> Iterator[Candidate | Stray | DeadLetter]:
    for item in _decode(shard, record):
        yield Candidate(item.origin._replace(line=0), item.reading) if isinstance(item, Candidate) else item


def _apply_forgetting(self: Any, piece: Any) -> Steps[None]:
    """As the product's, but each line is decided by what is stored alone."""
    wanted = {reading for _, reading in piece.candidates}
    found: Mapping[Any, Origin] = (yield from ask(lambda stores: stores.find_readings(wanted))) if wanted else {}
    decisions = [Decision(o.sequence_number, r, counted=found.get(r, o) == o) for o, r in piece.candidates]
    new = {reading: origin for origin, reading in reversed(piece.candidates) if reading not in found}
    if new:
        yield from ask(lambda stores: stores.store_readings(new))
    if piece.strays:
        yield from ask(lambda stores: stores.append_again(piece.strays))
    self._decisions.extend(decisions)
    yield from self._rows.fold(decisions)


def _apply_folding_first(self: Any, piece: Any) -> Steps[None]:
    """As the product's, but rows are folded, and so may be written, a slice before the raw readings are."""
    late = _LATE.setdefault(self, {})
    stored = dict(late)
    late.clear()
    wanted = {reading for _, reading in piece.candidates}
    found: Mapping[Any, Origin] = (yield from ask(lambda stores: stores.find_readings(wanted))) if wanted else {}
    decisions = []
    for origin, reading in piece.candidates:
        first = found.get(reading) or stored.get(reading) or late.setdefault(reading, origin)
        decisions.append(Decision(origin.sequence_number, reading, counted=first == origin))
    if stored:
        yield from ask(lambda stores: stores.store_readings(stored))
    if piece.strays:
        yield from ask(lambda stores: stores.append_again(piece.strays))
    self._decisions.extend(decisions)
    yield from self._rows.fold(decisions)


_LATE: WeakKeyDictionary[Any, dict[Any, Origin]] = WeakKeyDictionary()


def _fold_by_progress(self: Any, decisions: Sequence[Decision], only: Collection[RowKey] | None = None) -> None:
    for decision in decisions:
        for key in decision.concerns():
            if (
                decision.position > self.progress.position
                and (only is None or key in only)
                and self._entries[key].fold(decision)
            ):
                self._dirty.add(key)


def _write_dropping(self: Any, position: int, as_of_us: int, decisions: list[Decision], **how: bool) -> Steps[None]:
    yield from _write(self, position, as_of_us, decisions, **how)
    decisions.clear()


def _write_progress_first(
    self: Any, position: int, as_of_us: int, decisions: list[Decision], *, everything: bool, ended: bool = False
) -> Steps[None]:
    yield from self.write_progress(position, as_of_us, decisions, everything=everything, ended=ended)
    yield from _write(self, position, as_of_us, decisions, everything=everything, ended=ended)


def _store_ignoring_refusals(self: Any, rows: Sequence[tuple[Row, Row]], decisions: Sequence[Decision]) -> Steps[set[RowKey]]:
    yield from ask(lambda stores: stores.store_rows(self._shard_id, rows))
    for row, _ in rows:
        self._entries[row.key] = cache._Entry(row, row.stats)
        self._dirty.discard(row.key)
    return set()


def _store_without_folding(self: Any, rows: Sequence[tuple[Row, Row]], decisions: Sequence[Decision]) -> Steps[set[RowKey]]:
    return (yield from _store(self, rows, ()))


def _evict_dirty(self: Any, rows_max: int) -> None:
    for key in list(self._entries)[1 : len(self._entries) - rows_max]:
        del self._entries[key]
        self._dirty.discard(key)


def _flush_evicting(self: Any, *, now: bool) -> Steps[int]:
    self._rows.evict(self._policy.rows_held_max)
    return (yield from _flush_if_due(self, now=now))


def _slices_that_end_anywhere(self: Any, records: Sequence[Record]) -> Iterator[Any]:
    lines = {record.sequence_number: record for record in records}
    for piece in _slices(self, records):
        if piece.completed is None and piece.candidates:
            piece.completed = lines[piece.candidates[-1].origin.sequence_number]
        yield piece


_decode = decode
_write = RowCache.write
_store = RowCache._store
_flush_if_due = ShardProjector._flush_if_due
_slices = ShardProjector._slices

_PATCHES: dict[Bug, list[tuple[Any, str, Callable[..., Any]]]] = {
    Bug.NO_LINE_IN_ORIGIN: [(projector, "decode", _decode_without_lines)],
    Bug.UNCONFIRMED_DECISIONS_ARE_FORGOTTEN: [(ShardProjector, "_apply", _apply_forgetting)],
    Bug.FOLD_BEFORE_RAW_READINGS: [(ShardProjector, "_apply", _apply_folding_first)],
    Bug.ROWS_DECIDE_BY_THE_PROGRESS_ROW: [(RowCache, "_fold", _fold_by_progress)],
    Bug.DECISIONS_ARE_DROPPED_AT_A_FLEET_FLUSH: [(RowCache, "write", _write_dropping)],
    Bug.PROGRESS_ROW_FIRST: [(RowCache, "write", _write_progress_first)],
    Bug.REFUSALS_ARE_IGNORED: [(RowCache, "_store", _store_ignoring_refusals)],
    Bug.REFUSED_ROWS_ARE_NOT_FOLDED_AGAIN: [(RowCache, "_store", _store_without_folding)],
    Bug.DIRTY_ROWS_ARE_EVICTED: [(RowCache, "evict", _evict_dirty), (ShardProjector, "_flush_if_due", _flush_evicting)],
    Bug.FLUSH_INSIDE_A_RECORD: [(ShardProjector, "_slices", _slices_that_end_anywhere)],
}
