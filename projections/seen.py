"""Which readings a shard has counted already: the decision between new and repeated, the same however often the log is read.

Everything counted since the last flush of everything is remembered here; everything before it lies in packs. So of this
shard's packs only those that end before that flush are believed: one that goes further was written by another worker, about
records that are still ahead of us or remembered here. Packs of other shards are our parents', which ended before we began.
"""

from collections.abc import Callable, Sequence
from itertools import batched

from projections.decisions import Decision
from projections.decoding import Candidate
from projections.effects import Steps, ask
from projections.packs import Bucket, bucket_of
from telemetry.reading import Reading

READINGS_HELD_MAX = 50_000
"""Of buckets looked into, for the late readings that follow."""

_BUCKETS_AT_ONCE = 50


class Seen:
    """The readings of one shard's log up to where its worker has come."""

    def __init__(self, shard_id: str) -> None:
        self._shard_id = shard_id
        self.flushed = 0
        """The last record before which everything counted lies in packs."""
        self._counted: set[Reading] = set()
        """Since then."""
        self._buckets: dict[Bucket, set[Reading]] = {}
        """What packs say up to then; may be forgotten at any time."""

    def decide(self, candidates: Sequence[Candidate], newest_us: Callable[[str], int]) -> Steps[list[Decision]]:
        """Decide about lines in the order of the log.

        `newest_us` tells for a sensor a time after which no reading of it lies in packs: what is newer needs no look-up.
        """
        doubtful = {
            reading
            for _, reading, _ in candidates
            if reading.measured_at_us <= newest_us(reading.sensor_id) and reading not in self._counted
        }
        stored = (yield from self._find(doubtful)) if doubtful else doubtful
        decisions = []
        for origin, reading, arrived_at_ms in candidates:
            counted = reading not in self._counted and reading not in stored
            if counted:
                self._counted.add(reading)
            decisions.append(Decision(origin.sequence_number, origin.line, reading, counted, arrived_at_ms))
        return decisions

    def move(self, flushed: int) -> None:
        """Everything counted up to `flushed`, which is all that was decided, lies in packs now."""
        for reading in self._counted if self._buckets else ():
            if (bucket := self._buckets.get(bucket_of(reading))) is not None:
                bucket.add(reading)
        self._counted.clear()
        self.flushed = flushed

    def _find(self, readings: set[Reading]) -> Steps[set[Reading]]:
        """Those of these that lie in packs."""
        found: set[Reading] = set()
        wanted: dict[Bucket, list[Reading]] = {}
        for reading in sorted(readings):
            wanted.setdefault(bucket_of(reading), []).append(reading)
        for buckets in batched(wanted, _BUCKETS_AT_ONCE, strict=False):
            yield from self._look_into([bucket for bucket in buckets if bucket not in self._buckets])
            for bucket in buckets:
                found.update(reading for reading in wanted[bucket] if reading in self._buckets[bucket])
            if sum(map(len, self._buckets.values())) > READINGS_HELD_MAX:
                self._buckets.clear()
        return found

    def _look_into(self, buckets: Sequence[Bucket]) -> Steps[None]:
        if not buckets:
            return
        packs = yield from ask(lambda stores: stores.find_packs(buckets))
        self._buckets.update((bucket, set()) for bucket in buckets)
        for pack in packs:
            if pack.shard_id != self._shard_id or pack.last.sequence_number <= self.flushed:
                self._buckets[pack.bucket].update(pack.readings)
