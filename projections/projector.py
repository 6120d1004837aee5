"""The batch algorithm: one shard's records become raw readings, stats rows and dead letters, each counted exactly once.

decode → tell repeats from new readings → fold into the rows whose own position is before the record → (when due) write packs of
raw readings, then dirty rows. The caller checkpoints what a full flush made durable. The reasons are in the design, "A batch".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import batched

from projections.cache import RowCache
from projections.decoding import Candidate, Record, Stray, decode
from projections.effects import ITEMS_AT_ONCE, DeadLetter, Question, Steps, Stores, ask
from projections.packs import Decision, Pack, make_packs
from projections.retention import Gap, joined, lost_stretch
from projections.rows import PROGRESS, row_keys
from projections.seen import Seen
from telemetry.limits import MICRO
from telemetry.shards import Shard

SLICE_LINES = 1_000
"""Lines that are looked up, written and folded together at most: bounds memory, whatever a record inflates to."""
SLICE_KEPT_BYTES = 1024 * 1024
"""Of dead letters and events to be sent home; a slice that holds more ends."""


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """When rows are written: everything before a checkpoint, the fleet's rows often enough to be fresh."""

    few_rows: int = 200
    few_every_s: float = 5
    """While no more sensor rows than this are dirty, everything is written so often."""
    fleet_every_s: float = 1
    everything_every_s: float = 30
    decisions_max: int = 70_000
    """Decisions kept in memory until everything is written; at this many it is."""
    rows_held_max: int = 20_000
    renew_every_s: float = 10
    """How often a shard renews its progress row when nothing else does, idle or in the middle of a record or a flush: so that
    at rest, at work and stuck look different. At most one question to the stores comes later."""


@dataclass(slots=True)
class _Slice:
    """Decoded lines in log order."""

    candidates: list[Candidate] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    kept_bytes: int = 0
    """In strays and letters."""
    completed: Record | None = None
    """The record that ends with this slice; None when the slice ends inside one."""

    def add(self, item: Candidate | Stray | DeadLetter | None) -> None:
        match item:
            case Candidate():
                self.candidates.append(item)
            case Stray():
                self.strays.append(item)
                self.kept_bytes += len(item.line)
            case DeadLetter():
                self.letters.append(item)
                self.kept_bytes += len(item.data)

    @property
    def full(self) -> bool:
        return len(self) >= SLICE_LINES or self.kept_bytes >= SLICE_KEPT_BYTES

    def __len__(self) -> int:
        return len(self.candidates) + len(self.strays) + len(self.letters)


class ShardProjector:
    """Projects one shard. `clock_s` tells seconds since 1970; nothing else here knows the time.

    Intervals are measured by `interval_clock_s`, which should be one that nobody sets: a clock set back by an hour would keep
    all timed flushes waiting for as long. `retention_s` says how long the stream keeps a record; None that it keeps all.
    """

    def __init__(
        self,
        shard: Shard,
        clock_s: Callable[[], float],
        policy: FlushPolicy | None = None,
        *,
        interval_clock_s: Callable[[], float] | None = None,
        retention_s: float | None = None,
    ) -> None:
        self._shard = shard
        self._clock_s = clock_s
        self._interval_clock_s = now_s = interval_clock_s or clock_s
        self._policy = policy or FlushPolicy()
        self._retention_us = None if retention_s is None else int(retention_s * MICRO)
        self._rows = RowCache(shard.shard_id, has_parents=bool(shard.parents))
        self._seen = Seen(shard.shard_id)
        self._decisions: list[Decision] = []
        """Since the last flush of everything: what goes into packs, and what a row that is refused needs folded again."""
        self._completed = 0
        self._as_of_us = 0
        """The moment up to which the log is covered: now when caught up, else when the last record arrived."""
        self._parents_as_of_us = 0
        """And, while the shard has no row of its own, up to which its parents' logs were."""
        self._fleet_flushed_s = now_s()
        # The first reading of a quiet shard need not wait: what it costs, no later one could share.
        self._all_flushed_s = now_s() - self._policy.few_every_s
        self._progress_written_s = now_s()

    @property
    def gap(self) -> Gap | None:
        """What may have left the stream unread, now or before; None once somebody has seen and removed it."""
        return joined(self._rows.progress.gap, self._rows.lost)

    @property
    def position(self) -> int:
        """The last record that was applied, by this worker or those before it; 0 before any."""
        return max(self._completed, self._seen.flushed)

    @property
    def durable(self) -> int:
        """The sequence number of the last record delivered up to which everything is durable everywhere; 0 before any."""
        return min(self._completed, self._seen.flushed)

    def start(self) -> Steps[None]:
        """Read the shard's progress mark. To be run once, before anything else."""
        yield from self._rows.load([PROGRESS])
        self._seen.move(self._rows.progress.flushed_position)
        if self._retention_us is not None and not self._rows.progress.as_of_us:
            for parent in self._shard.parents:
                rows = yield from ask(lambda stores, parent=parent: stores.load_rows(parent, [PROGRESS]))  # type: ignore[misc]
                self._parents_as_of_us = max(self._parents_as_of_us, *(row.as_of_us for row in rows.values()), 0)

    def project(self, records: Sequence[Record], *, caught_up: bool) -> Steps[int]:
        """Apply records in the order of the log; `caught_up` says that the log held nothing beyond them.

        Returns the sequence number up to which everything is durable everywhere, for the checkpoint; 0 when that is not known.
        """
        return (yield from self._alive(self._project(records, caught_up=caught_up)))

    def flush(self, *, ended: bool = False) -> Steps[int]:
        """Make everything applied so far durable, and with `ended` that nothing comes after it.

        Returns the sequence number it reaches, 0 before any record.
        """
        return (yield from self._alive(self._flush(ended=ended)))

    def _alive[T](self, steps: Steps[T]) -> Steps[T]:
        """Take steps; between two of their questions, renew the progress row whenever that is due."""
        try:
            question: Question = next(steps)
            while True:
                question = steps.send((yield question))
                yield from self._beat_if_due()
        except StopIteration as done:
            result: T = done.value
            return result

    def _project(self, records: Sequence[Record], *, caught_up: bool) -> Steps[int]:
        delivered_us = int(self._clock_s() * MICRO)
        durable = 0
        fresh = [record for record in records if record.sequence_number > self._seen.flushed]
        if len(fresh) == len(records) and (records or caught_up):  # else it begins where we were: nothing is missing
            self._note_loss(fresh[0].arrived_at_ms * 1000 if fresh else None, delivered_us)
        if records and not fresh:
            self._completed = records[-1].sequence_number
        for piece in self._slices(fresh):
            yield from self._apply(piece)
            if piece.completed:
                self._completed = piece.completed.sequence_number
                self._as_of_us = piece.completed.arrived_at_ms * 1000
                durable = (yield from self._flush_if_due(now=False)) or durable
            yield from self._beat_if_due()
        if caught_up:
            self._as_of_us = delivered_us
        # Nothing came and nothing waits: no later reading could share these writes.
        idle = caught_up and not records
        durable = (
            yield from (self._flush() if idle and self._completed > self._seen.flushed else self._flush_if_due(now=caught_up))
        ) or durable
        # Behind as well: Kinesis may take minutes of empty deliveries to cross a stretch of the log without records.
        silent_s = self._interval_clock_s() - self._progress_written_s
        outdated_s = (self._as_of_us - self._rows.progress.as_of_us) / MICRO if caught_up else 0
        if max(silent_s, outdated_s) >= self._policy.renew_every_s:
            yield from self._flush_fleet()
        return durable

    def _note_loss(self, first_us: int | None, now_us: int) -> None:
        """Note what may have left the stream before the first record after all we have, or before the tip."""
        if self._retention_us is None:
            return
        covered_us = max(self._as_of_us, self._rows.progress.as_of_us or self._parents_as_of_us)
        self._rows.lost = joined(self._rows.lost, lost_stretch(covered_us, first_us, now_us, self._retention_us))

    def _flush(self, *, ended: bool = False) -> Steps[int]:
        packs = make_packs(self._shard.shard_id, self._decisions)
        for chunk in batched(packs, ITEMS_AT_ONCE, strict=False):
            yield from ask(partial(_store_packs, chunk))
        yield from self._rows.write(self._completed, self._as_of_us, self._decisions, everything=True, ended=ended)
        # All rows and packs cover the log up to here: nothing before needs to be decided or folded again.
        self._seen.move(max(self._completed, self._seen.flushed))
        self._decisions.clear()
        self._rows.evict(self._policy.rows_held_max)
        self._fleet_flushed_s = self._all_flushed_s = self._progress_written_s = self._interval_clock_s()
        return self._completed

    def _flush_if_due(self, *, now: bool) -> Steps[int]:
        """Flush, between records, what the policy says; `now` when the fleet's rows are due whatever the clock says."""
        if self._completed <= self._seen.flushed:
            return self._completed
        elapsed_s = self._interval_clock_s() - self._all_flushed_s
        if len(self._decisions) >= self._policy.decisions_max or elapsed_s >= self._policy.everything_every_s:
            return (yield from self._flush())
        if not now and self._interval_clock_s() - self._fleet_flushed_s < self._policy.fleet_every_s:
            return 0
        if self._rows.dirty_sensor_count <= self._policy.few_rows and elapsed_s >= self._policy.few_every_s:
            return (yield from self._flush())
        yield from self._flush_fleet()
        return 0

    def _flush_fleet(self) -> Steps[None]:
        yield from self._rows.write(self._completed, self._as_of_us, self._decisions, everything=False)
        self._fleet_flushed_s = self._progress_written_s = self._interval_clock_s()

    @property
    def _silent(self) -> bool:
        return self._interval_clock_s() - self._progress_written_s >= self._policy.renew_every_s

    def _beat_if_due(self) -> Steps[None]:
        if self._silent:
            yield from self._rows.beat(self._decisions)
            self._progress_written_s = self._interval_clock_s()

    def _apply(self, piece: _Slice) -> Steps[None]:
        """Decide which readings of a slice are new, and fold what was decided."""
        readings = [reading for _, reading in piece.candidates]
        yield from self._rows.hold({key for reading in readings for key in row_keys(reading)})
        decisions = yield from self._seen.decide(piece.candidates, self._rows.newest_us)
        for letters in batched(piece.letters, ITEMS_AT_ONCE, strict=False):
            yield from ask(partial(_store_dead_letters, letters))
        for strays in batched(piece.strays, ITEMS_AT_ONCE, strict=False):
            yield from ask(partial(_append_again, strays))
        self._decisions.extend(decisions)
        self._rows.fold(decisions)

    def _slices(self, records: Sequence[Record]) -> Iterator[_Slice]:
        """Slices that end between records, but for a record larger than a slice: rows are only written between records.

        One ends as well when a sign of life is due, whatever the records hold.
        """
        piece = _Slice()
        for record in records:
            for item in decode(self._shard, record):
                piece.add(item)
                if piece.full or self._silent:
                    piece.completed = None
                    yield piece
                    piece = _Slice()
            piece.completed = record
            if len(piece) >= SLICE_LINES // 2 or self._silent:
                yield piece
                piece = _Slice()
        if piece.completed:
            yield piece


def _store_packs(packs: Sequence[Pack], stores: Stores) -> None:
    stores.store_packs(packs)


def _store_dead_letters(letters: Sequence[DeadLetter], stores: Stores) -> None:
    stores.store_dead_letters(letters)


def _append_again(events: Sequence[Stray], stores: Stores) -> None:
    stores.append_again(events)
