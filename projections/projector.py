"""The batch algorithm: one shard's records become raw readings, stats rows and dead letters, each counted exactly once.

decode → tell repeats from new readings → fold into the rows whose own position is before the record → (when due) write packs of
raw readings, then dirty rows. The caller checkpoints what a full flush made durable. The reasons are in the design, "A batch".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import batched

from projections.cache import Due, RowCache
from projections.decisions import Decision, Refusal
from projections.decoding import Candidate, Record, Stray, decode
from projections.effects import ITEMS_AT_ONCE, DeadLetter, Question, Steps, Stores, ask
from projections.packs import Pack, make_packs
from projections.policy import FlushPolicy
from projections.retention import Gap, joined, lost_stretch
from projections.rows import PROGRESS, Mark, row_keys
from projections.seen import Seen
from telemetry.limits import MICRO
from telemetry.shards import Shard

SLICE_LINES = 1_000
"""Lines that are looked up, written and folded together at most: bounds memory, whatever a record inflates to."""
SLICE_KEPT_BYTES = 1024 * 1024
"""Of dead letters and events to be sent home; a slice that holds more ends."""


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
        self._rows = RowCache(shard)
        self._seen = Seen(shard.shard_id)
        self._decisions: list[Decision | Refusal] = []
        """Since the last flush of everything: what goes into packs, and what a row that is refused needs folded again."""
        self._completed = 0
        self._as_of_us = 0
        """The moment up to which the log is covered: now when caught up, else when the last record arrived."""
        self._parents_as_of_us = 0
        """And, while the shard has no row of its own, up to which its parents' logs were."""
        # The first reading of a quiet shard need not wait: what it costs, no later one could share.
        self._windows_written_s = now_s() - self._policy.windows_every_s
        self._all_flushed_s = now_s() - self._policy.few_every_s
        self._progress_written_s = now_s()

    @property
    def gap(self) -> Gap | None:
        """What may have left the stream unread, now or before; None once somebody has seen and removed it."""
        return joined(self._rows.progress.progress.gap, self._rows.lost)

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
        self._seen.move(self._rows.progress.progress.flushed.position)
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
                if not self._rows.renewing:
                    yield from self._beat_if_due()
        except StopIteration as done:
            result: T = done.value
            return result

    def _project(self, records: Sequence[Record], *, caught_up: bool) -> Steps[int]:
        delivered_us = int(self._clock_s() * 1000) * 1000  # milliseconds, as of records
        durable = 0
        fresh = [record for record in records if record.sequence_number > self._seen.flushed]
        if len(fresh) == len(records) and (records or caught_up):  # else it begins where we were: nothing is missing
            self._note_loss(fresh[0].arrived_at_ms * 1000 if fresh else None, delivered_us)
        if records and not fresh:
            self._completed = records[-1].sequence_number
        between_records = False
        for piece in self._slices(fresh):
            if between_records:  # after the last piece more may be due, which is written at once
                durable = (yield from self._flush_if_due(now=False)) or durable
            yield from self._apply(piece)
            between_records = piece.completed is not None
            if piece.completed:
                self._completed = piece.completed.sequence_number
                self._as_of_us = piece.completed.arrived_at_ms * 1000
            yield from self._beat_if_due()
        if caught_up:
            self._as_of_us = delivered_us
        durable = (yield from self._flush_if_due(now=caught_up, idle=caught_up and not records)) or durable
        # Behind as well: Kinesis may take minutes of empty deliveries to cross a stretch of the log without records.
        silent_s = self._interval_clock_s() - self._progress_written_s
        outdated_s = (self._as_of_us - self._rows.progress.as_of_us) / MICRO if caught_up else 0
        if max(silent_s, outdated_s) >= self._policy.renew_every_s:
            # Once everything is written, this says of everything that it holds until now.
            yield from self._write(Due.WINDOWS if self._completed > self._seen.flushed else Due.EVERYTHING)
        return durable

    def _note_loss(self, first_us: int | None, now_us: int) -> None:
        """Note what may have left the stream before the first record after all we have, or before the tip."""
        if self._retention_us is None or self._rows.progress.progress.ended:
            return
        covered_us = max(self._as_of_us, self._rows.progress.as_of_us or self._parents_as_of_us)
        self._rows.lost = joined(self._rows.lost, lost_stretch(covered_us, first_us, now_us, self._retention_us))

    def _flush(self, *, ended: bool = False) -> Steps[int]:
        packs = make_packs(self._shard.shard_id, (one for one in self._decisions if isinstance(one, Decision)))
        for chunk in batched(packs, ITEMS_AT_ONCE, strict=False):
            yield from ask(partial(_store_packs, chunk))
        yield from self._write(Due.EVERYTHING, ended=ended)
        self._all_flushed_s = self._progress_written_s
        # All rows and packs cover the log up to here: nothing before needs to be decided or folded again.
        self._seen.move(max(self._completed, self._seen.flushed))
        self._decisions.clear()
        self._rows.evict(self._policy.rows_held_max)
        return self._completed

    def _flush_if_due(self, *, now: bool, idle: bool = False) -> Steps[int]:
        """Write, between records, what the policy says; `now` when the total is due with this delivery.

        When `idle`, nothing came and nothing waits: no later reading could share what many sensors' rows cost.
        """
        if self._completed <= self._seen.flushed:
            return self._completed
        policy, now_s = self._policy, self._interval_clock_s()
        elapsed_s = now_s - self._all_flushed_s
        few = self._rows.dirty_sensor_count <= policy.few_sensors
        if (
            len(self._decisions) >= policy.decisions_max
            or elapsed_s >= policy.everything_every_s
            or (now and few and elapsed_s >= policy.few_every_s)
            or (idle and not few)
        ):
            return (yield from self._flush())
        if self._rows.windows_dirty and now_s - self._windows_written_s >= policy.windows_every_s:
            yield from self._write(Due.WINDOWS)
        elif self._rows.totals_dirty and now_s - self._progress_written_s >= (
            policy.totals_every_s if now else max(policy.totals_every_s, policy.totals_behind_every_s)
        ):
            yield from self._write(Due.TOTALS)
        return 0

    def _write(self, due: Due, *, ended: bool = False) -> Steps[None]:
        had_windows = self._rows.windows_dirty
        yield from self._rows.write(Mark(self._completed, self._as_of_us), self._decisions, due, ended=ended)
        self._progress_written_s = self._interval_clock_s()
        if had_windows and due >= Due.WINDOWS:
            self._windows_written_s = self._progress_written_s

    @property
    def _silent(self) -> bool:
        return self._interval_clock_s() - self._progress_written_s >= self._policy.renew_every_s

    def _beat_if_due(self) -> Steps[None]:
        if self._silent:
            yield from self._rows.beat(self._decisions)
            self._progress_written_s = self._interval_clock_s()

    def _apply(self, piece: _Slice) -> Steps[None]:
        """Decide which readings of a slice are new, and fold what was decided."""
        yield from self._rows.hold({key for candidate in piece.candidates for key in row_keys(candidate.reading)})
        decisions = yield from self._seen.decide(piece.candidates, self._rows.newest_us)
        for letters in batched(piece.letters, ITEMS_AT_ONCE, strict=False):
            yield from ask(partial(_store_dead_letters, letters))
        for strays in batched(piece.strays, ITEMS_AT_ONCE, strict=False):
            yield from ask(partial(_append_again, strays))
        told: list[Decision | Refusal] = list(self._rows.acquaint(decisions))
        told += (Refusal(letter.origin.sequence_number, letter.code) for letter in piece.letters)
        self._decisions += told
        self._rows.fold(told)

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
