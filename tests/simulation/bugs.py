"""Bugs seeded on purpose: the simulator is worth what it finds.

Those of the stores, the leases and the writers are asked for where they act; those of the product are patches that `seeded`
puts on for the length of a schedule.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum, auto
from itertools import islice
from typing import Any, NamedTuple
from unittest.mock import patch

from projections import decisions, fleet, fleet_rows, histogram, packs, projector, seen, slices, texts
from projections.decisions import Decisions, HourDecisions, Unflushed
from projections.decoding import Candidate, Decoder, Record
from projections.effects import Believed, Steps, ask
from projections.entries import ProgressEntry
from projections.fleet import FleetReader
from projections.fleet_rows import FleetRows, SliceFold
from projections.flushing import Flush
from projections.fold import Fold
from projections.histogram import Histogram, Tally
from projections.marks import Answer, Marks, Which, marks_of
from projections.packs import Bounds as PackBounds
from projections.packs import Bucket, Pack, Search
from projections.projector import ShardProjector
from projections.rows import PROGRESS, START, Mark, Row, RowKey
from projections.seen import Seen
from projections.sensor_rows import HeldSensor, SensorRows, Slot
from projections.slices import Slice
from projections.texts import Text, Texts
from telemetry import canonical
from telemetry.reading import Reading


class Bug(Enum):
    """One mistake each."""

    PACKS_AHEAD_ARE_BELIEVED = auto()
    WHAT_WAS_COUNTED_IS_FORGOTTEN_BY_TEXTS = auto()
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
    ROWS_ARE_AHEAD_OF_THE_TOTAL = auto()
    A_BEAT_SAYS_WHAT_IS_FOLDED = auto()
    WINDOWS_COUNT_REPEATS = auto()
    REFUSALS_ARE_COUNTED_AGAIN = auto()
    SENSORS_ARE_BORN_AGAIN = auto()
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
    INSIDE_IS_TAKEN_FOR_BEFORE = auto()
    INSIDE_IS_TAKEN_FOR_BEHIND = auto()
    A_SENSORS_ROW_INSIDE_IS_TAKEN_FOR_BEFORE = auto()
    A_SENSORS_ROW_INSIDE_IS_TAKEN_FOR_BEHIND = auto()
    HOURS_FOLLOW_THEIR_MINUTE = auto()
    TOTALS_FOLLOW_THEIR_HOURS = auto()
    A_REFUSED_ROW_TAKES_THE_SLICE_AGAIN = auto()
    DAYS_GO_BY_THE_SLICE = auto()
    THE_HOUR_OF_ANOTHER_SENSOR_DECIDES = auto()
    WHAT_IS_IN_MEMORY_IS_NOT_LOOKED_AT = auto()
    WHAT_IS_PACKED_IS_NOT_LOOKED_AT = auto()
    HOURS_HAVE_NO_PAST = auto()
    TOKENS_HAVE_NO_ENDS = auto()
    TOKENS_ARE_AS_OTHERS_WROTE_THEM = auto()
    TEXTS_ARE_DROPPED_WHILE_NEEDED = auto()
    WHAT_IS_NOT_KEPT_IS_EMPTY = auto()
    TEXTS_BEGIN_IN_THE_MIDDLE = auto()
    TEXTS_ARE_DROPPED_IN_PART = auto()
    PACKED_TEXTS_ARE_NOT_SEARCHED = auto()
    ONLY_THE_FIRST_PAGE_IS_SEARCHED = auto()
    A_FLUSH_REACHES_WHAT_CAME_MEANWHILE = auto()
    WHAT_CAME_DURING_A_FLUSH_IS_DROPPED = auto()
    WHAT_LIES_IN_AN_ENDED_SHARD_IS_NEVER_COUNTED = auto()


type Bugs = frozenset[Bug]
NONE: Bugs = frozenset()


class Bounds(NamedTuple):
    """Small ones meet in a schedule what large ones meet in years."""

    slice_lines: int
    """Small enough to end inside records."""
    bins_max: int
    bytes_max: int
    chunk_items: int
    """Of a flush that is spread."""
    segment_bytes: int
    """Of tokens that are packed together."""
    loose_bytes: int
    """Of tokens that are not packed."""
    readings_a_pack: int
    buckets_at_once: int
    """Looked into by one question."""


@contextmanager
def seeded(bugs: Bugs, bounds: Bounds) -> Iterator[None]:
    """Put on the patches of these bugs, and small bounds."""
    small: tuple[tuple[Any, str, int], ...] = (
        (slices, "SLICE_LINES", bounds.slice_lines),
        (histogram, "BINS_MAX", bounds.bins_max),
        (histogram, "BYTES_MAX", bounds.bytes_max),
        (projector, "CHUNK_ITEMS", bounds.chunk_items),
        (projector, "ITEMS_AT_ONCE", 10 * bounds.chunk_items),
        (decisions, "LOOSE_BYTES", bounds.loose_bytes),
        (texts, "SEGMENT_BYTES", bounds.segment_bytes),
        (texts, "LOOSE_BYTES", bounds.loose_bytes),
        (texts, "REST_BYTES", bounds.loose_bytes // 2),
        (decisions, "READINGS_MAX", bounds.readings_a_pack),
        (seen, "BUCKETS_AT_ONCE", bounds.buckets_at_once),
    )
    with ExitStack() as patches:
        for owner, name, value in small:
            patches.enter_context(patch.object(owner, name, value))
        for bug in sorted(bugs, key=lambda bug: bug.value):
            for owner, name, wrong in _PATCHES.get(bug, []):
                patches.enter_context(patch.object(owner, name, wrong))
        yield


def _believe_all(self: Believed, shard_id: str, last: int) -> bool:
    return True


def _move_leaving_texts(self: Any, flushed: int) -> None:
    self.unflushed.drop()
    self.flushed = flushed
    self.trim()


def _write_fleet_with_others(self: Any, **what: Any) -> Steps[None]:
    yield from _write_fleet(self, **what)
    self._seen.flushed = max(self._seen.flushed, self._fleet.progress.progress.flushed.position)


def _write_fleet_dropping(self: Any, **what: Any) -> Steps[None]:
    yield from _write_fleet(self, **what)
    self._seen.unflushed.open = Decisions(self._seen.unflushed.open.begin)


def _write_fleet_without_windows(self: Any, *, windows: bool = True, flushed: Mark = START, ended: bool = False) -> Steps[None]:
    yield from _write_fleet(self, windows=windows and flushed == START, flushed=flushed, ended=ended)


def _no_past(self: Any, keys: Sequence[RowKey]) -> Steps[dict[RowKey, int]]:
    return {}
    yield


def _row_without_past(self: Any, slot: Slot, mark: Mark, decided: Decisions) -> Row:
    row = _row(self, slot, mark, decided)
    return replace(row, sensor=replace(row.sensor, past_us=-1))


def _bounds_without_end(pack: Pack) -> PackBounds:
    return pack.bucket, pack.shard_id, pack.first, pack.first


def _flush_without_packs(self: Any, items_max: int) -> Steps[None]:
    if not hasattr(self, "late"):
        self.late, self._packs = list(self._packs), iter(())
    yield from _flush(self, items_max)


def _end_flush_then_packs(self: Any, flush: Any, *, ended: bool = False) -> Steps[None]:
    yield from _end_flush(self, flush, ended=ended)
    if flush.late:
        yield from ask(lambda stores: stores.store_packs(flush.late))


def _take_by_progress(self: Any, key: RowKey, piece: SliceFold, *rest: Any) -> None:
    if self.progress.position < piece.last:
        _take(self, key, piece, *rest)


def _write_progress_first(self: Any, mark: Mark, unflushed: Unflushed, **what: Any) -> Steps[None]:
    yield from self.write_progress(mark, unflushed, what.get("flushed", START), ended=what.get("ended", False))
    yield from _write(self, mark, unflushed, **what)


def _store_ignoring_refusals(self: Any, rows: Sequence[tuple[Row, Row]], unflushed: Unflushed) -> Steps[set[RowKey]]:
    yield from ask(lambda stores: stores.store_rows(self._shard.shard_id, rows))
    for row, _ in rows:
        self._entries[row.key].known = row
        self._clean(row.key)
    return set()


def _write_sensors_ignoring_refusals(self: Any, rows: Sequence[Slot], mark: Mark, decided: Decisions) -> Steps[None]:
    pairs = [(self._row(slot, mark, decided), self._known(slot)) for slot in rows]
    yield from self._sight(pairs)
    yield from ask(lambda stores: stores.store_rows(self._shard.shard_id, pairs))
    for slot, (row, _) in zip(rows, pairs, strict=True):
        self._take(slot, row)


def _store_without_folding(self: Any, rows: Sequence[tuple[Row, Row]], unflushed: Unflushed) -> Steps[set[RowKey]]:
    return (yield from _store(self, rows, Unflushed()))


def _beat_with_what_is_folded(self: Any, unflushed: Unflushed) -> Steps[None]:
    entry = self._entries[PROGRESS]
    progress = replace(entry.known.progress, beat=entry.known.progress.beat + 1)
    row = replace(entry.row(entry.known.mark), progress=progress)
    yield from self._store([(row, entry.known)], unflushed)


def _write_if_due_evicting(self: Any, **what: Any) -> Steps[int]:
    for sensor in self._sensors.sensors.values():
        for hour in sensor.hours.values():
            hour.newest_us = hour.stored_us  # as after it was let go of and loaded again
    return (yield from _write_if_due(self, **what))


def _all_refusals(self: Any, position: int) -> Iterator[Any]:
    return _refusals_after(self, 0)


def _meets_once_more(self: Any) -> bool:
    self.told = True
    return bool(self.total.sensor.past_us < 0)


def _repeat_in_windows(self: Any, candidate: Candidate) -> None:
    _repeat(self, candidate)
    for hour in self.sensors[candidate.reading.sensor_id].hours.values():
        hour.fold.repeat()


def _repeat_in_histograms(self: Any, candidate: Candidate) -> None:
    _repeat(self, candidate)
    for hour in self.sensors[candidate.reading.sensor_id].hours.values():
        hour.fold._tally.add(candidate.reading.temperature_micro)


def _progress_row_with_windows(self: Any, totals: Mark, windows: Mark, flushed: Mark, **what: Any) -> Row:
    return _progress_row(self, totals, totals, flushed, **what)


def _progress_row_that_moves(self: Any, totals: Mark, windows: Mark, flushed: Mark, **what: Any) -> Row:
    if self.known.progress.ended:
        self.known = replace(self.known, as_of_us=max(self.known.as_of_us, totals.as_of_us))
    return _progress_row(self, totals, windows, flushed, **what)


def _sight_nothing(self: Any, rows: Sequence[tuple[Row, Row]]) -> Steps[None]:
    return
    yield


def _count_as_it_says(self: Any, candidate: Candidate, hour: HourDecisions) -> Bucket:
    return _count(self, candidate._replace(arrived_at_ms=10**15), hour)


def _add_truncating(self: Any, temperature_micro: int) -> None:
    width = self._width
    _add(self, -(-temperature_micro // width) * width if temperature_micro < 0 else temperature_micro)


def _load_keeping_histograms(self: Any, keys: Collection[RowKey]) -> Steps[None]:
    held = {key: self._entries[key]._fold._tally for key in keys if key in self._entries}
    yield from _load(self, keys)
    for key, tally in held.items():
        self._entries[key]._fold._tally = tally


def _take_inside_whole(self: Any, key: RowKey, piece: SliceFold, *rest: Any) -> None:
    known = self._entries[key].known
    if known.position < piece.last:
        self._entries[key].known = replace(known, position=piece.first - 1)
        _take(self, key, piece, *rest)
        self._entries[key].known = known


def _take_nothing_inside(self: Any, key: RowKey, piece: SliceFold, *rest: Any) -> None:
    if self._entries[key].known.position < piece.first:
        _take(self, key, piece, *rest)


def _row_inside_whole(self: Any, slot: Slot, mark: Mark, decided: Decisions) -> Row:
    begin, decided.begin = decided.begin, 10**60
    try:
        return _row(self, slot, mark, decided)
    finally:
        decided.begin = begin


def _row_nothing_inside(self: Any, slot: Slot, mark: Mark, decided: Decisions) -> Row:
    known = self._known(slot)
    return (
        replace(known, position=max(known.position, mark.position))
        if known.position > decided.begin
        else _row(self, slot, mark, decided)
    )


def _take_by_minute(self: Any, key: RowKey, piece: SliceFold, minutes: Mapping[int, Fold], *rest: Any) -> None:
    for minute in minutes if not key.window.startswith("minute") else ():
        if self._entries[fleet_rows._windows(minute)[0]].known.position >= piece.last:
            return
    _take(self, key, piece, minutes, *rest)


def _row_by_hours(self: Any, slot: Slot, mark: Mark, decided: Decisions) -> Row:
    sensor_id, hour = slot
    hours = decided.sensors[sensor_id].hours
    if hour is None:
        held = self.sensors[sensor_id].hours
        kept = {number: part for number, part in hours.items() if held[number].row.position <= decided.begin}
        decided.sensors[sensor_id].hours = kept
    try:
        return _row(self, slot, mark, decided)
    finally:
        decided.sensors[sensor_id].hours = hours


def _fold_remembering(self: Any, piece: SliceFold, unflushed: Unflushed) -> None:
    _fold(self, piece, unflushed)
    self.last = piece


def _store_taking_again(self: Any, rows: Sequence[tuple[Row, Row]], unflushed: Unflushed) -> Steps[set[RowKey]]:
    before = {row.key: known.position for row, known in rows}
    dirty = yield from _store(self, rows, unflushed)
    for key, position in before.items():
        again = self._entries[key].known.position not in {position, max(row.position for row, _ in rows)}
        if again and hasattr(self, "last") and not key.is_sheet and key != PROGRESS:
            for minute, fold in self.last.minutes.items():
                if key in fleet_rows._windows(minute):
                    self._entries[key].absorb(fold)
    return dirty


def _fold_days_by_slice(self: Any, piece: SliceFold, unflushed: Unflushed) -> None:
    first = next(iter(piece.minutes), 0)
    real = fleet_rows._windows
    with patch.object(fleet_rows, "_windows", lambda minute: (*real(minute)[:2], *real(first)[2:])):
        _fold(self, piece, unflushed)


def _newest_of_another(self: Any, reading: Reading) -> int:
    others = (hour.row for other in self.sensors.values() for hour in other.hours.values())
    newest_us: int = next(others).newest_us
    return newest_us


def _is_new_if_unflushed_lacks_it(self: Any, candidate: Candidate, stored_us: int, in_packs: Collection[Candidate]) -> bool:
    return _seen_is_new(self, candidate, -1, in_packs)


def _hours_without_past(self: Any, key: RowKey) -> bool:
    return key.window == "total"


def _holds_without_ends(self: Any, token: bytes) -> bool:
    return token in b" ".join(self.tokens())


def _search_without_ends(tokens: Collection[str], texts: Iterable[str], text_chars_max: int) -> Search:
    kept = list(texts)
    whole = _search(tokens, kept, text_chars_max)
    return Search(frozenset(token for token in tokens if token in " ".join(kept)), whole.text)


def _token_as_written(reading: Reading) -> bytes:
    return _token_of(reading) + b"0"


def _look_up_trimming(self: Any, wanted: Any) -> Steps[Any]:
    found = yield from _look_into(self, wanted)
    self._texts.trim()
    return found


def _search_keeping_all(tokens: Collection[str], texts: Iterable[str], text_chars_max: int) -> Search:
    found = _search(tokens, texts, text_chars_max)
    return Search(found.found, found.text or "")


def _search_one_page(tokens: Collection[str], texts: Iterable[str], text_chars_max: int) -> Search:
    return _search(tokens, islice(texts, 1), text_chars_max)


def _count_beginning_anywhere(self: Any, candidate: Candidate, newest_us: int, hour: HourDecisions) -> None:
    _seen_count(self, candidate, -1, hour)


def _trim_in_part(self: Any) -> None:
    if self.size_bytes > self._bytes_max:
        for text in self._texts.values():
            text.loose = bytearray(b" ")
            text.segments, text._latest, text._earliest = text.segments[1:], text._latest[1:], text._earliest[1:]


def _holds_loose(self: Any, token: bytes) -> bool:
    return b" %b " % token in self.loose


def _end_flush_further(self: Any, flush: Flush, *, ended: bool = False) -> Steps[None]:
    flush.mark = self._mark
    yield from _end_flush(self, flush, ended=ended)


def _move_dropping_all(self: Any, flushed: int) -> None:
    _move(self, flushed)
    self.unflushed.open = Decisions(flushed)


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


def _slices_that_end_anywhere(decoder: Decoder, records: Sequence[Record], urgent: Callable[[], bool]) -> Iterator[Slice]:
    by_number = {record.sequence_number: record for record in records}
    for piece in _slices(decoder, records, urgent):
        if piece.completed is None and piece.candidates:
            piece.completed = by_number[piece.candidates[-1].sequence_number]
        yield piece


_write_fleet = ShardProjector._write_fleet
_write_if_due = ShardProjector._write_if_due
_end_flush = ShardProjector._end_flush
_flush = Flush.write
_row = SensorRows._row
_take = FleetRows._take
_fold = FleetRows.fold
_load = FleetRows.load
_store = FleetRows._store
_write = FleetRows.write
_slices = slices.slices
_progress_row = ProgressEntry.progress_row
_count = Decisions.count
_repeat = Decisions.repeat
_refusals_after = Decisions.refusals_after
_look_into = Seen._look_into
_move = Seen.move
_search = packs.search
_token_of = canonical.token_of
_seen_count = Seen.count
_seen_is_new = Seen.is_new
_add = Tally.add
_keep_final = FleetReader._keep_final
_merge = histogram.merge

_PATCHES: dict[Bug, list[tuple[Any, str, Callable[..., Any]]]] = {
    Bug.PACKS_AHEAD_ARE_BELIEVED: [(Believed, "__call__", _believe_all)],
    Bug.WHAT_WAS_COUNTED_IS_FORGOTTEN_BY_TEXTS: [(Seen, "move", _move_leaving_texts)],
    Bug.ANOTHERS_FLUSH_IS_TAKEN_FOR_OURS: [(ShardProjector, "_write_fleet", _write_fleet_with_others)],
    Bug.THE_PAST_IN_PARENTS_IS_NOT_ASKED_FOR: [(SensorRows, "_find_past", _no_past)],
    Bug.THE_PAST_IS_NOT_CARRIED: [(SensorRows, "_row", _row_without_past)],
    Bug.NO_END_IN_A_PACKS_BOUNDS: [(packs, "bounds", _bounds_without_end)],
    Bug.PACKS_AFTER_ROWS: [(Flush, "write", _flush_without_packs), (ShardProjector, "_end_flush", _end_flush_then_packs)],
    Bug.ROWS_DECIDE_BY_THE_PROGRESS_ROW: [(FleetRows, "_take", _take_by_progress)],
    Bug.DECISIONS_ARE_DROPPED_AT_A_FLEET_FLUSH: [(ShardProjector, "_write_fleet", _write_fleet_dropping)],
    Bug.PROGRESS_ROW_FIRST: [(FleetRows, "write", _write_progress_first)],
    Bug.ROWS_ARE_AHEAD_OF_THE_TOTAL: [(ShardProjector, "_write_total_first", lambda _: iter(()))],
    Bug.A_BEAT_SAYS_WHAT_IS_FOLDED: [(FleetRows, "beat", _beat_with_what_is_folded)],
    Bug.REFUSALS_ARE_IGNORED: [
        (FleetRows, "_store", _store_ignoring_refusals),
        (SensorRows, "write", _write_sensors_ignoring_refusals),
    ],
    Bug.REFUSED_ROWS_ARE_NOT_FOLDED_AGAIN: [(FleetRows, "_store", _store_without_folding)],
    Bug.DIRTY_ROWS_ARE_EVICTED: [(ShardProjector, "_write_if_due", _write_if_due_evicting)],
    Bug.FLUSH_INSIDE_A_RECORD: [(projector, "slices", _slices_that_end_anywhere)],
    Bug.WINDOWS_COUNT_REPEATS: [(Decisions, "repeat", _repeat_in_windows)],
    Bug.REFUSALS_ARE_COUNTED_AGAIN: [(Decisions, "refusals_after", _all_refusals)],
    Bug.SENSORS_ARE_BORN_AGAIN: [(HeldSensor, "meets", _meets_once_more)],
    Bug.WINDOWS_ARE_LEFT_OUT_OF_A_FULL_FLUSH: [(ShardProjector, "_write_fleet", _write_fleet_without_windows)],
    Bug.THE_WINDOWS_MARK_IS_BEFORE_THE_WINDOWS: [(ProgressEntry, "progress_row", _progress_row_with_windows)],
    Bug.A_FINAL_ROW_MOVES: [(ProgressEntry, "progress_row", _progress_row_that_moves)],
    Bug.THE_DIRECTORY_COMES_AFTER_THE_ROW: [(SensorRows, "_sight", _sight_nothing)],
    Bug.A_SENSOR_IS_SEEN_WHEN_IT_SAYS: [(Decisions, "count", _count_as_it_says)],
    Bug.BINS_ARE_TRUNCATED: [(Tally, "add", _add_truncating)],
    Bug.HISTOGRAMS_COUNT_REPEATS: [(Decisions, "repeat", _repeat_in_histograms)],
    Bug.A_HISTOGRAM_IS_KEPT_OVER_A_RELOAD: [(FleetRows, "load", _load_keeping_histograms)],
    Bug.HISTOGRAMS_MERGE_AT_THE_FINER_WIDTH: [(histogram, "merge", _merge_finer)],
    Bug.HISTOGRAMS_MERGE_WITHOUT_THE_BOUND: [(histogram, "merge", _merge_unbounded)],
    Bug.READERS_KEEP_ROWS_THAT_ARE_NOT_FINAL: [(FleetReader, "_keep_final", _keep_any)],
    Bug.READERS_MISS_CHILDREN: [(FleetReader, "_keep_final", _keep_final_without_looking_again)],
    Bug.ANSWERS_STAND_ON_THE_TOTALS: [(FleetReader, "marks", _marks_of_totals)],
    Bug.ETAGS_ARE_OF_THE_MARKS_ALONE: [(Answer, "etag", _etag_of_marks)],
    Bug.WHAT_LIES_IN_AN_ENDED_SHARD_IS_NEVER_COUNTED: [(fleet, "marks_of", _marks_of_open_shards)],
    Bug.INSIDE_IS_TAKEN_FOR_BEFORE: [(FleetRows, "_take", _take_inside_whole)],
    Bug.INSIDE_IS_TAKEN_FOR_BEHIND: [(FleetRows, "_take", _take_nothing_inside)],
    Bug.A_SENSORS_ROW_INSIDE_IS_TAKEN_FOR_BEFORE: [(SensorRows, "_row", _row_inside_whole)],
    Bug.A_SENSORS_ROW_INSIDE_IS_TAKEN_FOR_BEHIND: [(SensorRows, "_row", _row_nothing_inside)],
    Bug.HOURS_FOLLOW_THEIR_MINUTE: [(FleetRows, "_take", _take_by_minute)],
    Bug.TOTALS_FOLLOW_THEIR_HOURS: [(SensorRows, "_row", _row_by_hours)],
    Bug.A_REFUSED_ROW_TAKES_THE_SLICE_AGAIN: [
        (FleetRows, "fold", _fold_remembering),
        (FleetRows, "_store", _store_taking_again),
    ],
    Bug.DAYS_GO_BY_THE_SLICE: [(FleetRows, "fold", _fold_days_by_slice)],
    Bug.THE_HOUR_OF_ANOTHER_SENSOR_DECIDES: [(SensorRows, "stored_us", _newest_of_another)],
    Bug.WHAT_IS_IN_MEMORY_IS_NOT_LOOKED_AT: [(Decisions, "holds", lambda *_: False)],
    Bug.WHAT_IS_PACKED_IS_NOT_LOOKED_AT: [(Seen, "is_new", _is_new_if_unflushed_lacks_it)],
    Bug.HOURS_HAVE_NO_PAST: [(SensorRows, "_may_have_past", _hours_without_past)],
    Bug.TOKENS_HAVE_NO_ENDS: [(Text, "holds", _holds_without_ends), (packs, "search", _search_without_ends)],
    Bug.TOKENS_ARE_AS_OTHERS_WROTE_THEM: [(canonical, "token_of", _token_as_written)],
    Bug.TEXTS_ARE_DROPPED_WHILE_NEEDED: [(Seen, "_look_into", _look_up_trimming)],
    Bug.WHAT_IS_NOT_KEPT_IS_EMPTY: [(packs, "search", _search_keeping_all)],
    Bug.TEXTS_BEGIN_IN_THE_MIDDLE: [(Seen, "count", _count_beginning_anywhere)],
    Bug.TEXTS_ARE_DROPPED_IN_PART: [(Texts, "trim", _trim_in_part)],
    Bug.PACKED_TEXTS_ARE_NOT_SEARCHED: [(Text, "holds", _holds_loose)],
    Bug.ONLY_THE_FIRST_PAGE_IS_SEARCHED: [(packs, "search", _search_one_page)],
    Bug.A_FLUSH_REACHES_WHAT_CAME_MEANWHILE: [(ShardProjector, "_end_flush", _end_flush_further)],
    Bug.WHAT_CAME_DURING_A_FLUSH_IS_DROPPED: [(Seen, "move", _move_dropping_all)],
}
