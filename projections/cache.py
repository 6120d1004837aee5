"""The rows a shard is working on: loaded once, folded in memory, written when told, on condition that nobody moved them.

A row that another worker did move is loaded again and gets the decisions after its position folded in once more. So two workers
on one shard delay nothing and spoil nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from functools import partial
from itertools import batched

from projections.decisions import Decision, Refusal
from projections.effects import ITEMS_AT_ONCE, Sighting, Steps, Stores, ask
from projections.entries import Entry, ProgressEntry, SensorEntry, entry_of
from projections.retention import Gap
from projections.rows import (
    FLEET,
    PROGRESS,
    START,
    TOTAL,
    Mark,
    Row,
    RowKey,
    Sensor,
    duplicate_keys,
    row_keys,
    sensor_of,
    sensor_total,
)
from telemetry.shards import Shard

_KEYS_AT_ONCE = 800
"""Rows loaded by one question; reads come by the hundred."""
_QUERIES_AT_ONCE = 50


class Due(IntEnum):
    """What a write writes: each holds the one before it, and moves a mark in the progress row, which comes last."""

    TOTALS = 1
    WINDOWS = 2
    EVERYTHING = 3


class RowCache:
    """Rows of one shard. Rows with unwritten decisions never leave it."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._entries: dict[RowKey, Entry] = {}
        self._dirty: set[RowKey] = set()
        """Rows that hold decisions not yet written; those of the progress row are always written."""
        self._dirty_windows: set[RowKey] = set()
        """Those of the fleet."""
        self.totals_dirty = False
        self.renewing = False
        """Whether what is asked next writes the progress row. Another write of it in between would have this one refused."""
        self.lost: Gap | None = None
        """What may have left the stream unread and is not written down yet; goes into the progress row with its next write."""

    @property
    def progress(self) -> Row:
        """The shard's progress row as last read or written."""
        return self._entries[PROGRESS].known

    @property
    def windows_dirty(self) -> bool:
        """Whether fleet rows other than the total hold decisions not yet written."""
        return bool(self._dirty_windows)

    @property
    def dirty_sensor_count(self) -> int:
        """Sensors whose rows hold decisions not yet written."""
        return sum(key.window == TOTAL for key in self._dirty)

    def load(self, keys: Collection[RowKey]) -> Steps[None]:
        """Read these rows anew, forgetting what was folded into them."""
        for chunk in batched(keys, _KEYS_AT_ONCE, strict=False):
            stored = yield from ask(partial(_load, self._shard.shard_id, chunk))
            past_us = (yield from self._find_past(chunk, stored)) if self._shard.parents else {}
            for key in chunk:
                known = stored.get(key) or Row(key, sensor=Sensor(past_us.get(key, -1)))
                self._entries[key] = entry_of(known)
                self._clean(key)

    def hold(self, keys: Collection[RowKey]) -> Steps[None]:
        """Load those of these rows that are not held yet."""
        if missing := {key for key in keys if key not in self._entries}:
            yield from self.load(missing)

    def newest_us(self, sensor_id: str) -> int:
        """No reading of the sensor that lies in packs was measured later. The sensor's total row must be held."""
        return self._entries[sensor_total(sensor_id)].known.newest_us

    def acquaint(self, decisions: Iterable[Decision]) -> Iterator[Decision]:
        """The decisions, those marked that first bring a sensor. Its total must be held."""
        for decision in decisions:
            entry = self._entries[sensor_total(decision.reading.sensor_id)]
            assert isinstance(entry, SensorEntry)
            yield decision._replace(new_sensor=True) if decision.counted and entry.meets(decision) else decision

    def fold(self, decisions: Iterable[Decision | Refusal], only: Collection[RowKey] | None = None) -> None:
        """Fold decisions, in order, into every row they concern, or into those of `only`. All of these must be held.

        A row takes what lies after its own position.
        """
        for decision in decisions:
            if isinstance(decision, Refusal):
                self._refuse(decision, only)
                continue
            for key in row_keys(decision.reading) if decision.counted else duplicate_keys(decision.reading):
                if only is None or key in only:
                    entry = self._entries[key]
                    if decision.sequence_number > entry.known.position:
                        entry.fold(decision)
                        self._stain(key)

    def write(self, mark: Mark, decisions: Sequence[Decision | Refusal], due: Due, *, ended: bool = False) -> Steps[None]:
        """Write dirty rows as covering the log up to `mark`, the progress row last.

        `decisions` are all those since the last write of everything.
        """
        keys = self._dirty if due is Due.EVERYTHING else self._dirty_windows if due is Due.WINDOWS else set()
        for chunk in batched(sorted(keys), ITEMS_AT_ONCE, strict=False):
            pending: Collection[RowKey] = chunk
            while pending:
                rows = [(entry.row(mark), entry.known) for entry in map(self._entries.__getitem__, pending)]
                yield from self._sight(rows)
                pending = yield from self._store(rows, decisions)
        yield from self.write_progress(mark, decisions, due, ended=ended)

    def write_progress(
        self, mark: Mark, decisions: Sequence[Decision | Refusal], due: Due, *, ended: bool = False
    ) -> Steps[None]:
        """Write the progress row: as far as `mark` the total, and with it whatever has nothing else to write."""
        while True:
            entry = self._entries[PROGRESS]
            assert isinstance(entry, ProgressEntry)
            row = entry.progress_row(
                mark,
                START if self._dirty_windows else mark,
                mark if due is Due.EVERYTHING else START,
                ended=ended,
                hash_range=(self._shard.first_hash_key, self._shard.last_hash_key),
                lost=self.lost,
            )
            yield from self._store([(row, entry.known)], decisions)
            if self.progress is row:
                return

    def beat(self, decisions: Sequence[Decision | Refusal]) -> Steps[None]:
        """Renew the progress row as it is known, so that nothing in it moves but its beat: a sign of life at any moment."""
        entry = self._entries[PROGRESS]
        progress = entry.known.progress
        row = replace(entry.known, progress=replace(progress, beat=progress.beat + 1))
        if (yield from self._ask_to_store([(row, entry.known)])):
            yield from self.load([PROGRESS])
            self.fold(decisions, only=[PROGRESS])
        else:
            entry.known = row

    def evict(self, rows_max: int) -> None:
        """Let go of clean rows, those held longest first, until no more than `rows_max` are left."""
        clean = (key for key in list(self._entries) if key not in self._dirty and key != PROGRESS)
        for key, _ in zip(clean, range(len(self._entries) - rows_max), strict=False):
            del self._entries[key]

    def _refuse(self, refusal: Refusal, only: Collection[RowKey] | None) -> None:
        entry = self._entries[PROGRESS]
        assert isinstance(entry, ProgressEntry)
        if (only is None or PROGRESS in only) and refusal.sequence_number > entry.known.position:
            entry.refuse(refusal)
            self._stain(PROGRESS)

    def _sight(self, rows: Sequence[tuple[Row, Row]]) -> Steps[None]:
        """Tell the directory of sensors what totals about to be written say: it is never behind them."""
        sightings = [
            Sighting(sensor_of(row.key), row.sensor.seen_s, new=known.sensor.seen_s is None)
            for row, known in rows
            if row.sensor.seen_s is not None and row.sensor.seen_s != known.sensor.seen_s
        ]
        if sightings:
            yield from ask(lambda stores: stores.sight(self._shard.shard_id, sightings))

    def _store(self, rows: Sequence[tuple[Row, Row]], decisions: Sequence[Decision | Refusal]) -> Steps[set[RowKey]]:
        """Write rows; those refused are loaded and folded again. Returns the ones that still have something to write."""
        refused = set((yield from self._ask_to_store(rows)))
        for row, _ in rows:
            if row.key not in refused:
                self._entries[row.key].known = row
                self._clean(row.key)
                self.lost = None if row.key == PROGRESS else self.lost
        if refused:
            yield from self.load(refused)
            self.fold(decisions, only=refused)
        return refused & self._dirty

    def _ask_to_store(self, rows: Sequence[tuple[Row, Row]]) -> Steps[Collection[RowKey]]:
        self.renewing = any(row.key == PROGRESS for row, _ in rows)
        refused = yield from ask(lambda stores: stores.store_rows(self._shard.shard_id, rows))
        self.renewing = False
        return refused

    def _stain(self, key: RowKey) -> None:
        if key == PROGRESS:
            self.totals_dirty = True
            return
        self._dirty.add(key)
        if key.scope == FLEET:
            self._dirty_windows.add(key)

    def _clean(self, key: RowKey) -> None:
        if key == PROGRESS:
            self.totals_dirty = False
        self._dirty.discard(key)
        self._dirty_windows.discard(key)

    def _find_past(self, keys: Collection[RowKey], stored: Mapping[RowKey, Row]) -> Steps[Mapping[RowKey, int]]:
        """For sensors this shard has not met yet: until when its parents may have counted readings of them."""
        strangers = [sensor_of(key) for key in keys if key.scope != FLEET and key.window == TOTAL and key not in stored]
        past_us: dict[RowKey, int] = {}
        for chunk in batched(strangers, _QUERIES_AT_ONCE, strict=False):
            newest = yield from ask(partial(_find_newest, chunk, self._shard.shard_id))
            past_us.update((sensor_total(sensor_id), until_us) for sensor_id, until_us in newest.items())
        return past_us


def _load(shard_id: str, keys: Collection[RowKey], stores: Stores) -> Mapping[RowKey, Row]:
    return stores.load_rows(shard_id, keys)


def _find_newest(sensor_ids: Collection[str], besides: str, stores: Stores) -> Mapping[str, int]:
    return stores.find_newest(sensor_ids, besides=besides)
