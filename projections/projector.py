"""The batch algorithm: one shard's records become raw readings, stats rows and dead letters, each counted exactly once.

decode → tell repeats from new readings → fold into the rows whose own position is before the record → (when due) write the
fleet's rows, its total first and last; with a flush packs and sensors' rows too. The caller checkpoints what that made durable.
`docs/how-it-works.md` has the reasons.
"""

from collections.abc import Callable, Sequence

from projections.counting import count
from projections.decoding import Decoder, Record, Stray
from projections.effects import CHUNK_ITEMS, ITEMS_AT_ONCE, Question, Steps, load_rows
from projections.fleet_rows import FleetRows
from projections.flushing import Flush
from projections.policy import FlushPolicy
from projections.retention import Gap, joined, lost_stretch
from projections.rows import PROGRESS, START, Mark
from projections.seen import Seen
from projections.sensor_rows import SensorRows
from projections.slices import slices
from telemetry.limits import MICRO
from telemetry.shards import Shard


class ShardProjector:
    """Projects one shard. `clock_s` tells seconds since 1970; nothing else here knows the time.

    Intervals are measured by `interval_clock_s`, which should be one that nobody sets: a clock set back by an hour would keep
    all timed flushes waiting for as long. `retention_s` says how long the stream keeps a record; None that it keeps all.
    `strays` takes what is to be sent home; without it that is sent at once.
    """

    def __init__(
        self,
        shard: Shard,
        clock_s: Callable[[], float],
        policy: FlushPolicy | None = None,
        *,
        interval_clock_s: Callable[[], float] | None = None,
        retention_s: float | None = None,
        strays: list[Stray] | None = None,
    ) -> None:
        self._shard = shard
        self._clock_s = clock_s
        self._interval_clock_s = now_s = interval_clock_s or clock_s
        self._policy = policy or FlushPolicy()
        self._memory = self._policy.memory
        self._retention_us = None if retention_s is None else int(retention_s * MICRO)
        self._strays = strays
        self._decoder = Decoder(shard)
        self._fleet = FleetRows(shard)
        self._sensors = SensorRows(shard)
        self._seen = Seen(shard.shard_id, self._memory)
        self._completed = 0
        self._as_of_us = 0
        """The moment up to which the log is covered: now when caught up, else when the last record arrived."""
        self._parents_as_of_us = 0
        """And, while the shard has no row of its own, up to which its parents' logs were."""
        self._flush: Flush | None = None
        """That is under way."""
        # The first reading of a quiet shard need not wait: what it costs, no later one could share.
        self._windows_written_s = now_s() - self._policy.windows_every_s
        self._flush_began_s = now_s() - self._policy.few_every_s
        self._flush_spent_s = 0.0
        self._rest_until_s = now_s()
        self._progress_written_s = now_s()

    @property
    def gap(self) -> Gap | None:
        """What may have left the stream unread, now or before; None once somebody has seen and removed it."""
        return joined(self._fleet.progress.progress.gap, self._fleet.lost)

    @property
    def position(self) -> int:
        """The last record that was applied, by this worker or those before it; 0 before any."""
        return max(self._completed, self._seen.flushed)

    @property
    def doubts(self) -> int:
        """How many readings were told by what packs say: by texts that are held, or by a look-up."""
        return self._seen.doubts

    @property
    def counted(self) -> int:
        """How many readings of the shard were counted, by this worker and those before it."""
        return self._fleet.counted

    @property
    def durable(self) -> int:
        """The sequence number of the last record delivered up to which everything is durable everywhere; 0 before any."""
        return min(self._completed, self._seen.flushed)

    @property
    def has_undurable(self) -> bool:
        """Whether anything was applied that is not durable everywhere."""
        return self._completed > self._seen.flushed

    def start(self) -> Steps[None]:
        """Read the shard's progress mark. To be run once, before anything else."""
        yield from self._fleet.load([PROGRESS])
        self._seen.start(self._fleet.progress.progress.flushed.position)
        if self._retention_us is not None and not self._fleet.progress.as_of_us:
            for parent in self._shard.parents:
                rows = yield from load_rows(parent, [PROGRESS])
                self._parents_as_of_us = max(self._parents_as_of_us, *(row.as_of_us for row in rows.values()), 0)

    def project(self, records: Sequence[Record], *, caught_up: bool) -> Steps[int]:
        """Apply records in the order of the log; `caught_up` says that the log held nothing beyond them.

        Returns the sequence number up to which everything is durable everywhere, for the checkpoint; 0 when that is not known.
        """
        return (yield from self._alive(self._project(records, caught_up=caught_up)))

    def cover(self, until_us: int) -> None:
        """Whoever reads the log knows that nothing more of it arrived until then: microseconds since 1970."""
        self._as_of_us = max(self._as_of_us, until_us)

    def miss(self, gap: Gap) -> None:
        """Whoever reads the log knows that behind all that was delivered there may have been more, which is lost."""
        self._fleet.lost = joined(self._fleet.lost, gap)
        self.cover(gap.until_us)

    def flush(self, *, ended: bool = False) -> Steps[int]:
        """Make everything applied so far durable, and with `ended` that nothing comes after it.

        Returns the sequence number it reaches, 0 before any record.
        """
        return (yield from self._alive(self._flush_everything(ended=ended)))

    def _alive[T](self, steps: Steps[T]) -> Steps[T]:
        """Take steps; between two of their questions, renew the progress row whenever that is due."""
        try:
            question: Question = next(steps)
            while True:
                question = steps.send((yield question))
                if not self._fleet.renewing:
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
        for piece in slices(self._decoder, fresh, self._silent):
            if between_records:  # after the last piece more may be due, which is written at once
                durable = (yield from self._write_if_due(now=False)) or durable
            if self._strays is not None:
                self._strays += piece.strays
                piece.strays = []
            yield from count(piece, self._seen, self._sensors, self._fleet)
            between_records = piece.completed is not None
            if piece.completed:
                self._completed = piece.completed.sequence_number
                self._as_of_us = piece.completed.arrived_at_ms * 1000
            yield from self._beat_if_due()
        if caught_up:
            self._as_of_us = delivered_us
        durable = (yield from self._write_if_due(now=caught_up, idle=caught_up and not records)) or durable
        # Behind as well: Kinesis may take minutes of empty deliveries to cross a stretch of the log without records.
        silent_s = self._interval_clock_s() - self._progress_written_s
        outdated_s = (self._as_of_us - self._fleet.progress.as_of_us) / MICRO if caught_up else 0
        if max(silent_s, outdated_s) >= self._policy.renew_every_s:
            # Once everything is written, this says of everything that it holds until now.
            yield from self._write_fleet(flushed=START if self._completed > self._seen.flushed else self._mark)
        return durable

    def _note_loss(self, first_us: int | None, now_us: int) -> None:
        """Note what may have left the stream before the first record after all we have, or before the tip."""
        if self._retention_us is None or self._fleet.progress.progress.ended:
            return
        covered_us = max(self._as_of_us, self._fleet.progress.as_of_us or self._parents_as_of_us)
        self._fleet.lost = joined(self._fleet.lost, lost_stretch(covered_us, first_us, now_us, self._retention_us))

    def _write_if_due(self, *, now: bool, idle: bool = False) -> Steps[int]:
        """Write, between records, what the policy says; `now` when the total is due with this delivery.

        When `idle`, nothing came and nothing waits: no later reading could share what many sensors' rows cost. Returns what has
        become durable, 0 when nothing has.
        """
        if self._completed <= self._seen.flushed:
            return self._completed
        if self._seen.unflushed.size_bytes >= self._memory.unflushed_bytes:
            return (yield from self._flush_everything())
        if not self._flush and self._flush_is_due(now=now, idle=idle):
            yield from self._begin_flush()
        if flush := self._flush:
            if flush.sensor_count > self._policy.few_sensors:
                yield from self._write_fleet_if_due(now=now)  # many sensors take a while, which the total need not wait for
            yield from self._go_on(flush)
            if flush.done:
                return self.durable
        yield from self._write_fleet_if_due(now=now)
        return 0

    def _flush_is_due(self, *, now: bool, idle: bool) -> bool:
        policy, now_s = self._policy, self._interval_clock_s()
        elapsed_s = now_s - self._flush_began_s
        few = len(self._seen.unflushed.open.sensors) <= policy.few_sensors
        if idle and not few:
            return True
        due = elapsed_s >= policy.everything_every_s or (now and few and elapsed_s >= policy.few_every_s)
        return due and now_s >= self._rest_until_s

    def _begin_flush(self) -> Steps[Flush]:
        yield from self._write_total_first()
        decisions = self._seen.unflushed.seal(self.position)
        self._flush = Flush(self._shard.shard_id, decisions, self._mark, self._sensors)
        self._flush_began_s, self._flush_spent_s = self._interval_clock_s(), 0.0
        return self._flush

    def _go_on(self, flush: Flush) -> Steps[None]:
        """Go on with a flush for its share of the time since it began; a small one is done at once."""
        now_s = self._interval_clock_s
        while not flush.done:
            began_s = now_s()
            share_s = self._policy.flush_share * (began_s - self._flush_began_s)
            if flush.items >= CHUNK_ITEMS and self._flush_spent_s > share_s:
                return
            yield from flush.write(CHUNK_ITEMS)
            self._flush_spent_s += now_s() - began_s
        yield from self._end_flush(flush)

    def _flush_everything(self, *, ended: bool = False) -> Steps[int]:
        """At once: what is under way, and all that came since."""
        if flush := self._flush:
            while not flush.done:
                yield from flush.write(ITEMS_AT_ONCE)
            yield from self._end_flush(flush)
        flush = yield from self._begin_flush()
        while not flush.done:
            yield from flush.write(ITEMS_AT_ONCE)
        yield from self._end_flush(flush, ended=ended)
        return self._completed

    def _end_flush(self, flush: Flush, *, ended: bool = False) -> Steps[None]:
        yield from self._write_fleet(flushed=flush.mark, ended=ended)
        # All rows and packs cover the log up to there: nothing before needs to be decided or folded again.
        self._seen.move(max(flush.mark.position, self._seen.flushed))
        self._sensors.evict(self._memory.rows, self._seen.unflushed.open.sensors)
        self._fleet.evict()
        now_s = self._interval_clock_s()
        self._rest_until_s = self._flush_began_s + self._policy.flush_rest * (now_s - self._flush_began_s)
        self._flush = None

    @property
    def _mark(self) -> Mark:
        return Mark(self._completed, self._as_of_us)

    def _write_fleet_if_due(self, *, now: bool) -> Steps[None]:
        policy, now_s = self._policy, self._interval_clock_s()
        if self._fleet.windows_dirty and now_s - self._windows_written_s >= policy.windows_every_s:
            yield from self._write_fleet()
        elif self._fleet.totals_dirty and now_s - self._progress_written_s >= (
            policy.totals_every_s if now else max(policy.totals_every_s, policy.totals_behind_every_s)
        ):
            yield from self._write_fleet(windows=False)

    def _write_fleet(self, *, windows: bool = True, flushed: Mark = START, ended: bool = False) -> Steps[None]:
        had_windows = windows and self._fleet.windows_dirty
        if had_windows:
            yield from self._write_total_first()
        decisions = self._seen.unflushed
        yield from self._fleet.write(self._mark, decisions, windows=windows, flushed=flushed, ended=ended)
        self._progress_written_s = self._interval_clock_s()
        if had_windows:
            self._windows_written_s = self._progress_written_s

    def _write_total_first(self) -> Steps[None]:
        """No row is ahead of the total: a promote compares that alone, and a sensor in a row is one that it counts."""
        if self._fleet.progress.position < self._completed:
            yield from self._write_fleet(windows=False)

    def _silent(self) -> bool:
        return self._interval_clock_s() - self._progress_written_s >= self._policy.renew_every_s

    def _beat_if_due(self) -> Steps[None]:
        if self._silent():
            yield from self._fleet.beat(self._seen.unflushed)
            self._progress_written_s = self._interval_clock_s()
