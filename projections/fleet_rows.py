"""The rows of a shard's fleet: loaded once, folded in memory slice by slice, written when told, the progress row last.

A slice is folded by the minute, and hours, days and the total take the minutes merged; each row by its own position, never by
what a finer one took. A row that another worker did move is loaded again and gets the decisions after its position once more.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import batched
from typing import Final

from projections.decisions import Unflushed
from projections.effects import ITEMS_AT_ONCE, Steps, ask, load_rows
from projections.entries import Entry, ProgressEntry, SheetEntry, entry_of
from projections.fold import Fold
from projections.packs import TEN_MINUTES_US
from projections.retention import Gap
from projections.rows import FLEET, HOUR_US, PROGRESS, START, Mark, Row, RowKey, fleet_windows, window_us
from projections.sheets import MINUTE_US
from telemetry.errors import ReasonCode
from telemetry.shards import Shard

WINDOWS_HELD_MAX: Final = 500
"""At rest: the minutes of some hours."""


@dataclass(slots=True)
class SliceFold:
    """What a slice of the log brings, folded by the minute."""

    first: int
    last: int
    """The sequence numbers of its first and last record."""
    minutes: dict[int, Fold] = field(default_factory=dict)
    """Of what was counted, by the number of the minute since 1970."""
    repeats: int = 0
    births: int = 0
    """Sensors that nothing of was before, neither here nor in the shard's parents."""
    refusals: Counter[ReasonCode] = field(default_factory=Counter)


class FleetRows:
    """Of one shard. Rows with unwritten decisions never leave it."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._entries: dict[RowKey, Entry] = {}
        self._dirty: set[RowKey] = set()
        """Windows that hold decisions not yet written; those of the progress row are always written."""
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
    def counted(self) -> int:
        """How many readings the total holds, those included that are not written yet."""
        return self._entries[PROGRESS].count

    @property
    def windows_dirty(self) -> bool:
        """Whether rows other than the total hold decisions not yet written."""
        return bool(self._dirty)

    def load(self, keys: Collection[RowKey]) -> Steps[None]:
        """Read these rows anew, forgetting what was folded into them."""
        stored = yield from load_rows(self._shard.shard_id, sorted(keys))
        for key in sorted(keys):
            self._entries[key] = entry_of(stored.get(key) or Row(key))
            self._clean(key)

    def hold(self, minutes: Iterable[int]) -> Steps[None]:
        """Load the rows that readings of these minutes touch, those that are not held yet."""
        if missing := {key for minute in minutes for key in _windows(minute) if key not in self._entries}:
            yield from self.load(missing)

    def rung(self, minute: int, position: int) -> int:
        """Where the histogram of what a slice from `position` on brings to a minute may begin."""
        entry = self._entries[_windows(minute)[0]]
        return entry.rung if entry.known.position < position else 0

    def fold(self, piece: SliceFold, unflushed: Unflushed) -> None:
        """Take in a slice, whose decisions are the last of those unflushed. All its rows must be held."""
        by_row: dict[RowKey, dict[int, Fold]] = {}
        hours: dict[int, Fold] = {}
        for minute, fold in piece.minutes.items():
            hours.setdefault(minute * MINUTE_US // HOUR_US, Fold()).absorb(fold)
            for key in _windows(minute):
                by_row.setdefault(key, {})[minute] = fold
        for key, minutes in by_row.items():
            self._take(key, piece, minutes, hours, unflushed)
        if piece.minutes or piece.repeats or piece.refusals:
            self._take(PROGRESS, piece, piece.minutes, hours, unflushed)

    def write(
        self, mark: Mark, unflushed: Unflushed, *, windows: bool, flushed: Mark = START, ended: bool = False
    ) -> Steps[None]:
        """Write the progress row as covering the log up to `mark`, before it with `windows` those that are dirty.

        `flushed` is how far everything else is written.
        """
        for chunk in batched(sorted(self._dirty) if windows else (), ITEMS_AT_ONCE, strict=False):
            pending: Collection[RowKey] = chunk
            while pending:
                rows = [(entry.row(mark), entry.known) for entry in map(self._entries.__getitem__, pending)]
                pending = yield from self._store(rows, unflushed)
        yield from self.write_progress(mark, unflushed, flushed, ended=ended)

    def write_progress(self, mark: Mark, unflushed: Unflushed, flushed: Mark, *, ended: bool) -> Steps[None]:
        """Write the progress row: as far as `mark` the total, and with it the windows when none has anything to write."""
        while True:
            entry = self._entries[PROGRESS]
            assert isinstance(entry, ProgressEntry)
            row = entry.progress_row(
                mark,
                START if self._dirty else mark,
                flushed,
                ended=ended,
                hash_range=(self._shard.first_hash_key, self._shard.last_hash_key),
                lost=self.lost,
            )
            yield from self._store([(row, entry.known)], unflushed)
            if self.progress is row:
                return

    def beat(self, unflushed: Unflushed) -> Steps[None]:
        """Renew the progress row as it is known, so that nothing in it moves but its beat: a sign of life at any moment."""
        entry = self._entries[PROGRESS]
        progress = entry.known.progress
        row = replace(entry.known, progress=replace(progress, beat=progress.beat + 1))
        if (yield from self._ask_to_store([(row, entry.known)])):
            yield from self.load([PROGRESS])
            self._fold_again(PROGRESS, unflushed)
        else:
            entry.known = row

    def evict(self, rows_max: int = WINDOWS_HELD_MAX) -> None:
        """Let go of clean rows, those held longest first, until no more than `rows_max` are left."""
        clean = (key for key in list(self._entries) if key not in self._dirty and key != PROGRESS)
        for key, _ in zip(clean, range(len(self._entries) - rows_max), strict=False):
            del self._entries[key]

    def _take(
        self,
        key: RowKey,
        piece: SliceFold,
        minutes: Mapping[int, Fold],
        hours: Mapping[int, Fold],
        unflushed: Unflushed,
    ) -> None:
        """A row before the slice takes it whole, one behind it nothing, and one inside it takes decision by decision."""
        entry = self._entries[key]
        if entry.known.position >= piece.last:
            return
        if entry.known.position < piece.first:
            if isinstance(entry, SheetEntry):
                for minute, fold in minutes.items():
                    entry.absorb_minute(minute, fold)
            else:
                entry.absorb(_together(minutes, hours))
            if isinstance(entry, ProgressEntry):
                entry.note(piece.repeats, piece.births, piece.refusals)
            self._stain(key)
        else:
            self._fold_again(key, unflushed)

    def _fold_again(self, key: RowKey, unflushed: Unflushed) -> None:
        """Fold what was decided after a row's own position."""
        entry = self._entries[key]
        position = entry.known.position
        begin_us, end_us = window_us(key.window) if key != PROGRESS else (0, 0)
        ten_minutes = None if key == PROGRESS else range(begin_us // TEN_MINUTES_US, -(-end_us // TEN_MINUTES_US))
        for part in unflushed.parts:
            for one in part.counted_after(position, ten_minutes=ten_minutes):
                if key == PROGRESS or begin_us <= one.reading.measured_at_us < end_us:
                    entry.add(one.reading)
                    self._stain(key)
            if isinstance(entry, ProgressEntry):
                refusals = Counter(part.refusals_after(position))
                entry.note(part.repeats_after(position), part.births_after(position), refusals)
                self._stain(key)

    def _store(self, rows: Sequence[tuple[Row, Row]], unflushed: Unflushed) -> Steps[set[RowKey]]:
        """Write rows; those refused are loaded and folded again. Returns the ones that still have something to write."""
        refused = set((yield from self._ask_to_store(rows)))
        for row, _ in rows:
            if row.key not in refused:
                self._entries[row.key].known = row
                self._clean(row.key)
                self.lost = None if row.key == PROGRESS else self.lost
        if refused:
            yield from self.load(refused)
            for key in refused:
                self._fold_again(key, unflushed)
        return refused & self._dirty

    def _ask_to_store(self, rows: Sequence[tuple[Row, Row]]) -> Steps[Collection[RowKey]]:
        self.renewing = any(row.key == PROGRESS for row, _ in rows)
        refused = yield from ask(lambda stores: stores.store_rows(self._shard.shard_id, rows))
        self.renewing = False
        return refused

    def _stain(self, key: RowKey) -> None:
        if key == PROGRESS:
            self.totals_dirty = True
        else:
            self._dirty.add(key)

    def _clean(self, key: RowKey) -> None:
        if key == PROGRESS:
            self.totals_dirty = False
        self._dirty.discard(key)


@lru_cache(maxsize=10_000)
def _windows(minute: int) -> tuple[RowKey, ...]:
    """The rows of a minute but the total, its own first."""
    return tuple(RowKey(FLEET, window) for window in fleet_windows(minute * MINUTE_US))


def _together(minutes: Mapping[int, Fold], hours: Mapping[int, Fold]) -> Fold:
    """All of these minutes, of the slice's hours. A row's minutes are one, or all that the slice has of some hours."""
    if len(minutes) == 1:
        return next(iter(minutes.values()))
    parts = [hours[hour] for hour in {minute * MINUTE_US // HOUR_US for minute in minutes}]
    if len(parts) == 1:
        return parts[0]
    found = Fold()
    for part in parts:
        found.absorb(part)
    return found
