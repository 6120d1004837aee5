"""The rows a shard is working on: loaded once, folded in memory, written when told, on condition that nobody moved them.

A row that another worker did move is loaded again and gets the decisions after its position folded in once more. So two workers
on one shard delay nothing and spoil nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import batched

from projections.effects import ITEMS_AT_ONCE, Steps, Stores, ask
from projections.fold import Stats
from projections.packs import Decision
from projections.retention import Gap, joined
from projections.rows import FLEET, PROGRESS, TOTAL, Row, RowKey, duplicate_keys, row_keys, sensor_of, sensor_total

_KEYS_AT_ONCE = 800
"""Rows loaded by one question; reads come by the hundred."""
_QUERIES_AT_ONCE = 50


@dataclass(slots=True)
class _Entry:
    known: Row
    """As it was last read or written."""
    stats: Stats
    """With everything folded in since."""

    def fold(self, decision: Decision) -> bool:
        """Fold a decision that lies after the row's own position; says whether it did."""
        if decision.sequence_number <= self.known.position:
            return False
        self.stats = self.stats.with_reading(decision.reading) if decision.counted else self.stats.with_duplicate()
        return True


class RowCache:
    """Rows of one shard. Rows with unwritten decisions never leave it."""

    def __init__(self, shard_id: str, *, has_parents: bool) -> None:
        self._shard_id = shard_id
        self._has_parents = has_parents
        self._entries: dict[RowKey, _Entry] = {}
        self._dirty: set[RowKey] = set()
        self.lost: Gap | None = None
        """What may have left the stream unread and is not written down yet; goes into the progress row with its next write."""

    @property
    def progress(self) -> Row:
        """The shard's progress row as last read or written."""
        return self._entries[PROGRESS].known

    @property
    def dirty_sensor_count(self) -> int:
        """Sensors' rows that hold decisions not yet written."""
        return sum(key.scope != FLEET for key in self._dirty)

    def load(self, keys: Collection[RowKey]) -> Steps[None]:
        """Read these rows anew, forgetting what was folded into them."""
        for chunk in batched(keys, _KEYS_AT_ONCE, strict=False):
            stored = yield from ask(partial(_load, self._shard_id, chunk))
            past_us = (yield from self._find_past(chunk, stored)) if self._has_parents else {}
            for key in chunk:
                known = stored.get(key) or Row(key, past_us=past_us.get(key, -1))
                self._entries[key] = _Entry(known, known.stats)
                self._dirty.discard(key)

    def hold(self, keys: Collection[RowKey]) -> Steps[None]:
        """Load those of these rows that are not held yet."""
        if missing := {key for key in keys if key not in self._entries}:
            yield from self.load(missing)

    def newest_us(self, sensor_id: str) -> int:
        """No reading of the sensor that lies in packs was measured later. The sensor's total row must be held."""
        return self._entries[sensor_total(sensor_id)].known.newest_us

    def fold(self, decisions: Iterable[Decision], only: Collection[RowKey] | None = None) -> None:
        """Fold decisions, in order, into every row they concern, or into those of `only`. All of these must be held."""
        for decision in decisions:
            for key in row_keys(decision.reading) if decision.counted else duplicate_keys(decision.reading):
                if (only is None or key in only) and self._entries[key].fold(decision):
                    self._dirty.add(key)

    def write(
        self, position: int, as_of_us: int, decisions: Sequence[Decision], *, everything: bool, ended: bool = False
    ) -> Steps[None]:
        """Write dirty rows as covering the log up to `position`, the progress row last.

        `decisions` are all those since the last write of everything. Without `everything`, sensor rows wait.
        """
        due = sorted(key for key in self._dirty if key != PROGRESS and (everything or key.scope == FLEET))
        for chunk in batched(due, ITEMS_AT_ONCE, strict=False):
            pending: Collection[RowKey] = chunk
            while pending:
                rows = [
                    (
                        Row(key, position, entry.stats, max(as_of_us, entry.known.as_of_us), past_us=entry.known.past_us),
                        entry.known,
                    )
                    for key, entry in self._held(pending)
                ]
                pending = yield from self._store(rows, decisions)
        yield from self.write_progress(position, as_of_us, decisions, everything=everything, ended=ended)

    def write_progress(
        self, position: int, as_of_us: int, decisions: Sequence[Decision], *, everything: bool, ended: bool
    ) -> Steps[None]:
        """Write the progress row; neither its positions nor its time ever go back, and an end stays one."""
        pending = {PROGRESS}
        while pending:
            entry = self._entries[PROGRESS]
            row = Row(
                PROGRESS,
                max(position, entry.known.position),
                entry.stats,
                max(as_of_us, entry.known.as_of_us),
                max(position if everything else 0, entry.known.flushed_position),
                ended or entry.known.ended,
                entry.known.beat + 1,
                joined(entry.known.gap, self.lost),
            )
            refused = yield from self._store([(row, entry.known)], decisions)
            # A refused row may need nothing folded any more, but its mark of what is flushed is still ours to move.
            pending = refused or ({PROGRESS} if self.progress is not row else set())

    def beat(self, decisions: Sequence[Decision]) -> Steps[None]:
        """Renew the progress row as it is known, so that nothing in it moves but its beat: a sign of life at any moment."""
        entry = self._entries[PROGRESS]
        row = replace(entry.known, beat=entry.known.beat + 1)
        if (yield from ask(lambda stores: stores.store_rows(self._shard_id, [(row, entry.known)]))):
            yield from self.load([PROGRESS])
            self.fold(decisions, only=[PROGRESS])
        else:
            entry.known = row

    def evict(self, rows_max: int) -> None:
        """Let go of clean rows, those held longest first, until no more than `rows_max` are left."""
        clean = (key for key in list(self._entries) if key not in self._dirty and key != PROGRESS)
        for key, _ in zip(clean, range(len(self._entries) - rows_max), strict=False):
            del self._entries[key]

    def _store(self, rows: Sequence[tuple[Row, Row]], decisions: Sequence[Decision]) -> Steps[set[RowKey]]:
        """Write rows; those refused are loaded and folded again. Returns the ones that still have something to write."""
        refused = set((yield from ask(lambda stores: stores.store_rows(self._shard_id, rows))))
        for row, _ in rows:
            if row.key not in refused:
                self._entries[row.key] = _Entry(row, row.stats)
                self._dirty.discard(row.key)
                self.lost = None if row.key == PROGRESS else self.lost
        if refused:
            yield from self.load(refused)
            self.fold(decisions, only=refused)
        return refused & self._dirty

    def _find_past(self, keys: Collection[RowKey], stored: Mapping[RowKey, Row]) -> Steps[Mapping[RowKey, int]]:
        """For sensors this shard has not met yet: until when its parents may have counted readings of them."""
        strangers = [sensor_of(key) for key in keys if key.scope != FLEET and key.window == TOTAL and key not in stored]
        past_us: dict[RowKey, int] = {}
        for chunk in batched(strangers, _QUERIES_AT_ONCE, strict=False):
            newest = yield from ask(partial(_find_newest, chunk))
            past_us.update((sensor_total(sensor_id), until_us) for sensor_id, until_us in newest.items())
        return past_us

    def _held(self, keys: Iterable[RowKey]) -> list[tuple[RowKey, _Entry]]:
        return [(key, self._entries[key]) for key in keys]


def _load(shard_id: str, keys: Collection[RowKey], stores: Stores) -> Mapping[RowKey, Row]:
    return stores.load_rows(shard_id, keys)


def _find_newest(sensor_ids: Collection[str], stores: Stores) -> Mapping[str, int]:
    return stores.find_newest(sensor_ids)
