"""Bugs seeded on purpose: the simulator is worth what it finds.

Those of the stores, the leases and the writers are asked for where they act; those of the product are patches that `seeded`
puts on for the length of a schedule.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum, auto
from typing import Any, NamedTuple
from unittest.mock import patch

from projections import cache, entries, fleet, histogram, packs, projector
from projections.cache import Due, RowCache
from projections.decisions import Decision, Refusal
from projections.decoding import Record
from projections.effects import Steps, ask
from projections.entries import Entry, ProgressEntry, SensorEntry
from projections.fleet import FleetReader
from projections.histogram import Histogram, Tally
from projections.marks import Answer, Marks, Which, marks_of
from projections.packs import Bounds as PackBounds
from projections.packs import Bucket, Pack, make_packs
from projections.projector import ShardProjector
from projections.rows import PROGRESS, Mark, Row, RowKey, Sensor, row_keys
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
    WINDOWS_COUNT_REPEATS = auto()
    REFUSALS_ARE_COUNTED_AGAIN = auto()
    BIRTHS_ARE_FORGOTTEN = auto()
    OWN_PACKS_ARE_TAKEN_FOR_THE_PARENTS = auto()
    WINDOWS_ARE_LEFT_OUT_OF_A_FULL_FLUSH = auto()
    THE_WINDOWS_MARK_IS_BEFORE_THE_WINDOWS = auto()
    A_FINAL_ROW_MOVES = auto()
    FINAL_ROWS_ARE_MOVED_AWAY = auto()
    THE_DIRECTORY_IS_LOWERED = auto()
    THE_DIRECTORY_COMES_AFTER_THE_ROW = auto()
    A_SENSOR_IS_SEEN_WHEN_IT_SAYS = auto()
    BINS_ARE_TRUNCATED = auto()
    HISTOGRAMS_COUNT_REPEATS = auto()
    A_HISTOGRAM_IS_KEPT_OVER_A_RELOAD = auto()
    HISTOGRAMS_MERGE_AT_THE_FINER_WIDTH = auto()
    HISTOGRAMS_MERGE_WITHOUT_THE_BOUND = auto()
    READERS_KEEP_ROWS_THAT_ARE_NOT_FINAL = auto()
    READERS_MISS_CHILDREN = auto()
    ANSWERS_STAND_ON_THE_TOTALS = auto()
    ETAGS_ARE_OF_THE_MARKS_ALONE = auto()
    WHAT_LIES_IN_AN_ENDED_SHARD_IS_NEVER_COUNTED = auto()


type Decisions = Sequence[Decision | Refusal]
type Bugs = frozenset[Bug]
NONE: Bugs = frozenset()


class OrderedRowCache(RowCache):
    """The real cache; rows enter it in an order that does not depend on hashes, so that a seed replays in any process."""

    def load(self, keys: Collection[RowKey]) -> Steps[None]:
        yield from super().load(sorted(keys))


class Bounds(NamedTuple):
    """Small ones meet in a schedule what large ones meet in years."""

    slice_lines: int
    """Small enough to end inside records."""
    bins_max: int
    bytes_max: int


@contextmanager
def seeded(bugs: Bugs, bounds: Bounds) -> Iterator[None]:
    """Put on the patches of these bugs, the ordered cache, and small bounds."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(projector, "RowCache", OrderedRowCache))
        patches.enter_context(patch.object(projector, "SLICE_LINES", bounds.slice_lines))
        patches.enter_context(patch.object(histogram, "BINS_MAX", bounds.bins_max))
        patches.enter_context(patch.object(histogram, "BYTES_MAX", bounds.bytes_max))
        for bug in sorted(bugs, key=lambda bug: bug.value):
            for owner, name, value in _PATCHES.get(bug, []):
                patches.enter_context(patch.object(owner, name, value))
        yield


def _look_into_everything(self: Any, buckets: Sequence[Bucket]) -> Steps[None]:
    flushed, self.flushed = self.flushed, 10**60
    yield from _look_into(self, buckets)
    self.flushed = flushed


def _write_due_forgetting(self: Any, due: Due, *, ended: bool = False) -> Steps[None]:
    yield from _write_due(self, due, ended=ended)
    if due is not Due.EVERYTHING:
        self._seen._counted.clear()


def _move_leaving_buckets(self: Any, flushed: int) -> None:
    self._counted.clear()
    self.flushed = flushed


def _write_due_with_others(self: Any, due: Due, *, ended: bool = False) -> Steps[None]:
    yield from _write_due(self, due, ended=ended)
    self._seen.flushed = max(self._seen.flushed, self._rows.progress.progress.flushed.position)


def _sensor_without_past(past_us: int = -1, born: int = 0, seen_s: int | None = None) -> Sensor:
    return Sensor(-1, born, seen_s)


def _bounds_without_end(pack: Pack) -> PackBounds:
    return pack.bucket, pack.shard_id, pack.first, pack.first


def _flush_rows_first(self: Any, *, ended: bool = False) -> Steps[int]:
    late = list(make_packs(self._shard.shard_id, (one for one in self._decisions if isinstance(one, Decision))))
    yield from self._write(Due.EVERYTHING, ended=ended)
    if late:
        yield from ask(lambda stores: stores.store_packs(late))
    return (yield from _flush(self, ended=ended))


def _fold_by_progress(self: Any, decisions: Decisions, only: Collection[RowKey] | None = None) -> None:
    _fold(self, (one for one in decisions if one.sequence_number > self.progress.position), only)


def _write_dropping(self: Any, mark: Mark, decisions: list[Decision], due: Due, *, ended: bool = False) -> Steps[None]:
    yield from _write(self, mark, decisions, due, ended=ended)
    decisions.clear()


def _write_progress_first(self: Any, mark: Mark, decisions: Decisions, due: Due, *, ended: bool = False) -> Steps[None]:
    yield from self.write_progress(mark, decisions, due, ended=ended)
    yield from _write(self, mark, decisions, due, ended=ended)


def _store_ignoring_refusals(self: Any, rows: Sequence[tuple[Row, Row]], decisions: Decisions) -> Steps[set[RowKey]]:
    yield from ask(lambda stores: stores.store_rows(self._shard.shard_id, rows))
    for row, _ in rows:
        self._entries[row.key].known = row
        self._clean(row.key)
    return set()


def _store_without_folding(self: Any, rows: Sequence[tuple[Row, Row]], decisions: Decisions) -> Steps[set[RowKey]]:
    return (yield from _store(self, rows, ()))


def _beat_with_what_is_folded(self: Any, decisions: Decisions) -> Steps[None]:
    entry = self._entries[PROGRESS]
    progress = replace(entry.known.progress, beat=entry.known.progress.beat + 1)
    row = replace(entry.row(entry.known.mark), progress=progress)
    yield from self._store([(row, entry.known)], decisions)


def _evict_dirty(self: Any, rows_max: int) -> None:
    for key in list(self._entries)[1 : len(self._entries) - rows_max]:
        del self._entries[key]
        self._clean(key)


def _flush_evicting(self: Any, *, now: bool, idle: bool = False) -> Steps[int]:
    self._rows.evict(self._policy.rows_held_max)
    return (yield from _flush_if_due(self, now=now, idle=idle))


def _refuse_again(self: Any, refusal: Refusal, only: Collection[RowKey] | None) -> None:
    self._entries[PROGRESS].refuse(refusal)


def _meets_forgetting(self: Any, decision: Decision) -> bool:
    self._told = self._told or bool(self.known.sensor.born)
    return _meets(self, decision)


def _write_without_windows(self: Any, mark: Mark, decisions: Decisions, due: Due, *, ended: bool = False) -> Steps[None]:
    windows, self._dirty_windows = self._dirty_windows, set()
    self._dirty -= windows
    yield from _write(self, mark, decisions, due, ended=ended)
    self._dirty_windows |= windows
    self._dirty |= windows


def _progress_row_with_windows(self: Any, totals: Mark, windows: Mark, flushed: Mark, **what: Any) -> Row:
    return _progress_row(self, totals, totals, flushed, **what)


def _progress_row_that_moves(self: Any, totals: Mark, windows: Mark, flushed: Mark, **what: Any) -> Row:
    if self.known.progress.ended:
        self.known = replace(self.known, as_of_us=max(self.known.as_of_us, totals.as_of_us))
    return _progress_row(self, totals, windows, flushed, **what)


def _sight_nothing(self: Any, rows: Sequence[tuple[Row, Row]]) -> Steps[None]:
    return
    yield


def _store_then_sight(self: Any, rows: Sequence[tuple[Row, Row]], decisions: Decisions) -> Steps[set[RowKey]]:
    refused = yield from _store(self, rows, decisions)
    yield from _sight(self, rows)
    return refused


def _fold_sensor_as_it_says(self: Any, decision: Decision) -> None:
    _fold_sensor(self, decision._replace(arrived_at_ms=10**15))


def _fold_entry_counting_repeats(self: Any, decision: Decision) -> None:
    _fold_entry(self, decision)
    if not decision.counted:
        self._fold._tally.add(decision.reading.temperature_micro)


def _add_truncating(self: Any, temperature_micro: int) -> None:
    width = self._width
    _add(self, -(-temperature_micro // width) * width if temperature_micro < 0 else temperature_micro)


def _load_keeping_histograms(self: Any, keys: Collection[RowKey]) -> Steps[None]:
    held = {key: self._entries[key]._fold._tally for key in keys if key in self._entries}
    yield from _load(self, keys)
    for key, tally in held.items():
        self._entries[key]._fold._tally = tally


def _merge_finer(parts: Iterable[Histogram]) -> Histogram:
    histograms = [part for part in parts if part.bins]
    finest = min((part.rung for part in histograms), default=0)
    return _merge(replace(part, rung=finest) for part in histograms)


def _merge_unbounded(parts: Iterable[Histogram]) -> Histogram:
    with patch.object(histogram, "BINS_MAX", 10**9), patch.object(histogram, "BYTES_MAX", 10**9):
        return _merge(parts)


def _keep_any(self: Any, rows: Mapping[str, Row]) -> None:
    self._final.update(rows)
    self._open -= rows.keys()


def _keep_final_without_looking_again(self: Any, rows: Mapping[str, Row]) -> None:
    complete = self._complete
    _keep_final(self, rows)
    self._complete = complete


def _marks_of_totals(self: FleetReader, which: Which) -> Any:
    return (yield from self.read()).marks(Which.TOTALS)


def _etag_of_marks(self: Answer[Any], question: str) -> str:
    return self.marks.etag(question)


def _marks_of_open_shards(progress: Mapping[str, Row], which: Which) -> Marks:
    return marks_of({shard_id: row for shard_id, row in progress.items() if not row.progress.ended}, which)


def _slices_that_end_anywhere(self: Any, records: Sequence[Record]) -> Iterator[Any]:
    lines = {record.sequence_number: record for record in records}
    for piece in _slices(self, records):
        if piece.completed is None and piece.candidates:
            piece.completed = lines[piece.candidates[-1].origin.sequence_number]
        yield piece


_look_into = Seen._look_into
_write_due = ShardProjector._write
_flush = ShardProjector._flush
_write = RowCache.write
_fold = RowCache.fold
_load = OrderedRowCache.load
_store = RowCache._store
_sight = RowCache._sight
_flush_if_due = ShardProjector._flush_if_due
_slices = ShardProjector._slices
_meets = SensorEntry.meets
_progress_row = ProgressEntry.progress_row
_fold_sensor = SensorEntry.fold
_fold_entry = Entry.fold
_add = Tally.add
_keep_final = FleetReader._keep_final
_merge = histogram.merge

_PATCHES: dict[Bug, list[tuple[Any, str, Callable[..., Any]]]] = {
    Bug.PACKS_AHEAD_ARE_BELIEVED: [(Seen, "_look_into", _look_into_everything)],
    Bug.WHAT_WAS_COUNTED_IS_FORGOTTEN_AT_A_FLEET_FLUSH: [(ShardProjector, "_write", _write_due_forgetting)],
    Bug.WHAT_WAS_COUNTED_IS_FORGOTTEN_BY_BUCKETS: [(Seen, "move", _move_leaving_buckets)],
    Bug.ANOTHERS_FLUSH_IS_TAKEN_FOR_OURS: [(ShardProjector, "_write", _write_due_with_others)],
    Bug.THE_PAST_IS_NOT_CARRIED: [(entries, "Sensor", _sensor_without_past)],
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
    Bug.WINDOWS_COUNT_REPEATS: [(cache, "duplicate_keys", row_keys)],
    Bug.REFUSALS_ARE_COUNTED_AGAIN: [(RowCache, "_refuse", _refuse_again)],
    Bug.BIRTHS_ARE_FORGOTTEN: [(SensorEntry, "meets", _meets_forgetting)],
    Bug.WINDOWS_ARE_LEFT_OUT_OF_A_FULL_FLUSH: [(RowCache, "write", _write_without_windows)],
    Bug.THE_WINDOWS_MARK_IS_BEFORE_THE_WINDOWS: [(ProgressEntry, "progress_row", _progress_row_with_windows)],
    Bug.A_FINAL_ROW_MOVES: [(ProgressEntry, "progress_row", _progress_row_that_moves)],
    Bug.THE_DIRECTORY_COMES_AFTER_THE_ROW: [(RowCache, "_sight", _sight_nothing), (RowCache, "_store", _store_then_sight)],
    Bug.A_SENSOR_IS_SEEN_WHEN_IT_SAYS: [(SensorEntry, "fold", _fold_sensor_as_it_says)],
    Bug.BINS_ARE_TRUNCATED: [(Tally, "add", _add_truncating)],
    Bug.HISTOGRAMS_COUNT_REPEATS: [(Entry, "fold", _fold_entry_counting_repeats)],
    Bug.A_HISTOGRAM_IS_KEPT_OVER_A_RELOAD: [(OrderedRowCache, "load", _load_keeping_histograms)],
    Bug.HISTOGRAMS_MERGE_AT_THE_FINER_WIDTH: [(histogram, "merge", _merge_finer)],
    Bug.HISTOGRAMS_MERGE_WITHOUT_THE_BOUND: [(histogram, "merge", _merge_unbounded)],
    Bug.READERS_KEEP_ROWS_THAT_ARE_NOT_FINAL: [(FleetReader, "_keep_final", _keep_any)],
    Bug.READERS_MISS_CHILDREN: [(FleetReader, "_keep_final", _keep_final_without_looking_again)],
    Bug.ANSWERS_STAND_ON_THE_TOTALS: [(FleetReader, "marks", _marks_of_totals)],
    Bug.ETAGS_ARE_OF_THE_MARKS_ALONE: [(Answer, "etag", _etag_of_marks)],
    Bug.WHAT_LIES_IN_AN_ENDED_SHARD_IS_NEVER_COUNTED: [(fleet, "marks_of", _marks_of_open_shards)],
}
