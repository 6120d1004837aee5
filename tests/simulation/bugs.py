"""Bugs seeded on purpose: the simulator is worth what it finds.

Those of the stores, the leases and the writers are asked for where they act; those of the product are patches that `seeded`
puts on for the length of a schedule.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum, auto
from typing import Any
from unittest.mock import patch

from projections import cache, packs, projector
from projections.cache import RowCache
from projections.decoding import Record
from projections.effects import Steps, ask
from projections.packs import Bounds, Bucket, Decision, Pack, make_packs
from projections.projector import ShardProjector
from projections.rows import PROGRESS, Row, RowKey, duplicate_keys, row_keys
from projections.seen import Seen


class Bug(Enum):
    """One mistake each."""

    PACKS_AHEAD_ARE_BELIEVED = auto()
    WHAT_WAS_COUNTED_IS_FORGOTTEN_AT_A_FLEET_FLUSH = auto()
    WHAT_WAS_COUNTED_IS_FORGOTTEN_BY_BUCKETS = auto()
    ANOTHERS_FLUSH_IS_TAKEN_FOR_OURS = auto()
    THE_PAST_IN_PARENTS_IS_NOT_ASKED_FOR = auto()
    THE_PAST_IS_NOT_CARRIED = auto()
    NO_END_IN_A_PACKS_BOUNDS = auto()
    PACKS_AFTER_ROWS = auto()
    UNANSWERED_LOOK_UPS_ARE_EMPTY = auto()
    UNPROCESSED_ITEMS_ARE_DONE = auto()
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
    PROGRESS_ROW_FIRST = auto()
    A_BEAT_SAYS_WHAT_IS_FOLDED = auto()


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


def _look_into_everything(self: Any, buckets: Sequence[Bucket]) -> Steps[None]:
    flushed, self.flushed = self.flushed, 10**60
    yield from _look_into(self, buckets)
    self.flushed = flushed


def _flush_fleet_forgetting(self: Any) -> Steps[None]:
    yield from _flush_fleet(self)
    self._seen._counted.clear()


def _move_leaving_buckets(self: Any, flushed: int) -> None:
    self._counted.clear()
    self.flushed = flushed


def _flush_with_others(self: Any, *, ended: bool = False) -> Steps[int]:
    position = yield from _flush(self, ended=ended)
    self._seen.flushed = max(self._seen.flushed, self._rows.progress.flushed_position)
    return position


def _row_without_past(*args: Any, past_us: int = -1, **kwargs: Any) -> Row:
    return Row(*args, **kwargs)


def _bounds_without_end(pack: Pack) -> Bounds:
    return pack.bucket, pack.shard_id, pack.first, pack.first


def _flush_rows_first(self: Any, *, ended: bool = False) -> Steps[int]:
    late = list(make_packs(self._shard.shard_id, self._decisions))
    yield from self._rows.write(self._completed, self._as_of_us, self._decisions, everything=True, ended=ended)
    if late:
        yield from ask(lambda stores: stores.store_packs(late))
    return (yield from _flush(self, ended=ended))


def _fold_by_progress(self: Any, decisions: Sequence[Decision], only: Collection[RowKey] | None = None) -> None:
    for decision in decisions:
        for key in row_keys(decision.reading) if decision.counted else duplicate_keys(decision.reading):
            if (
                decision.sequence_number > self.progress.position
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


def _beat_with_what_is_folded(self: Any, decisions: Sequence[Decision]) -> Steps[None]:
    entry = self._entries[PROGRESS]
    row = replace(entry.known, stats=entry.stats, beat=entry.known.beat + 1)
    yield from self._store([(row, entry.known)], decisions)


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


_look_into = Seen._look_into
_flush_fleet = ShardProjector._flush_fleet
_flush = ShardProjector._flush
_write = RowCache.write
_store = RowCache._store
_flush_if_due = ShardProjector._flush_if_due
_slices = ShardProjector._slices

_PATCHES: dict[Bug, list[tuple[Any, str, Callable[..., Any]]]] = {
    Bug.PACKS_AHEAD_ARE_BELIEVED: [(Seen, "_look_into", _look_into_everything)],
    Bug.WHAT_WAS_COUNTED_IS_FORGOTTEN_AT_A_FLEET_FLUSH: [(ShardProjector, "_flush_fleet", _flush_fleet_forgetting)],
    Bug.WHAT_WAS_COUNTED_IS_FORGOTTEN_BY_BUCKETS: [(Seen, "move", _move_leaving_buckets)],
    Bug.ANOTHERS_FLUSH_IS_TAKEN_FOR_OURS: [(ShardProjector, "_flush", _flush_with_others)],
    Bug.THE_PAST_IS_NOT_CARRIED: [(cache, "Row", _row_without_past)],
    Bug.NO_END_IN_A_PACKS_BOUNDS: [(packs, "bounds", _bounds_without_end)],
    Bug.PACKS_AFTER_ROWS: [(ShardProjector, "_flush", _flush_rows_first)],
    Bug.ROWS_DECIDE_BY_THE_PROGRESS_ROW: [(RowCache, "fold", _fold_by_progress)],
    Bug.DECISIONS_ARE_DROPPED_AT_A_FLEET_FLUSH: [(RowCache, "write", _write_dropping)],
    Bug.PROGRESS_ROW_FIRST: [(RowCache, "write", _write_progress_first)],
    Bug.A_BEAT_SAYS_WHAT_IS_FOLDED: [(RowCache, "beat", _beat_with_what_is_folded)],
    Bug.REFUSALS_ARE_IGNORED: [(RowCache, "_store", _store_ignoring_refusals)],
    Bug.REFUSED_ROWS_ARE_NOT_FOLDED_AGAIN: [(RowCache, "_store", _store_without_folding)],
    Bug.DIRTY_ROWS_ARE_EVICTED: [(RowCache, "evict", _evict_dirty), (ShardProjector, "_flush_if_due", _flush_evicting)],
    Bug.FLUSH_INSIDE_A_RECORD: [(ShardProjector, "_slices", _slices_that_end_anywhere)],
}
