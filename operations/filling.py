"""Fills the tables of a generation from a log, wherever that is read: by the consumer's own projector, with few writes.

Nobody reads the tables meanwhile. A shard is folded only when all parents that the log knows, the stream among it, have ended
in these tables: else a child that is archived further than its parent would count once more what was sent to both. What was
stopped half way goes on, since rows hold positions.

What the rows say is what the consumer's would. Only what tells when something was written differs: positions, as-of and marks,
the beat, and the bounds of packs.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Final

from operations.lacking import shards_named
from projections.decoding import Record, Stray
from projections.effects import ITEMS_AT_ONCE, Believed, Steps, Stores, load_rows, run
from projections.packs import bucket_of
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.retention import Gap
from projections.rows import PROGRESS, Row
from projections.seen import BUCKETS_AT_ONCE
from telemetry.aggregates import user_records
from telemetry.canonical import LineDecoder
from telemetry.errors import NotRebuilt
from telemetry.limits import MICRO
from telemetry.log import Log, LogRecord, Page, Position, Source
from telemetry.shards import Shard

SHARDS_AT_ONCE: Final = 4
"""Their pages are taken by one thread. Where a core each is to fold, shards are shared out (`sharing.py`)."""


@dataclass(slots=True)
class Filled:
    """How far a filling has come."""

    readings: int = 0
    """Counted in all shards together, also before this filling began."""
    records: int = 0
    """Read by this one."""
    reached_ms: dict[str, int] = field(default_factory=dict)
    """Up to when each shard that is being read was folded: by arrival, in ms since 1970."""
    ended: set[str] = field(default_factory=set)
    """Shards that have ended in the tables. With the others somebody else goes on."""
    gaps: dict[str, Gap] = field(default_factory=dict)
    """What of a shard may be lost; its progress row says so too."""


def fill(
    source: Source,
    stores: Stores,
    *,
    tell: Callable[[Filled], object] = lambda _: None,
    strays: list[Stray] | None = None,
    listed: Collection[str] = (),
    shards_at_once: int = SHARDS_AT_ONCE,
    clock_s: Callable[[], float] = time.time,
) -> Filled:
    """Fold all that the source has into the tables; `tell` is called after each page, and after each call of the stores.

    `listed` are shards that the stream still has: what follows one of which the source knows nothing waits for that, too.

    A shard ends in the tables where the source says that it did, and is flushed everywhere else. Events in a shard that is not
    their sensor's are sent home when they are met, as the consumer does it, unless the live generation surely did
    (`projections/strays.py`). Where no generation is live `strays` may be given, and they are put there for `send_home` to look
    at: only for tables that are thrown away if this filling dies, since it passes over strays before they are sent.
    Raises what the source raises, StoreUnavailable, and NotRebuilt where a shard was counted before its parent.
    """
    return Filling(source, stores, tell, strays=strays, listed=listed, shards_at_once=shards_at_once, clock_s=clock_s).run()


def send_home(strays: Sequence[Stray], stores: Stores) -> int:
    """Put on the stream what the tables have not counted of these events, once each; how many that were.

    The consumer that met them has most likely sent them home, so that they came once more, and were counted there.
    """
    lines, sent = LineDecoder(), 0
    events = {lines.decode(stray.line): stray for stray in strays}
    by_bucket = {bucket_of(told.reading): set[str]() for told in events}
    for told in events:
        by_bucket[bucket_of(told.reading)].add(told.token.decode())
    for buckets in batched(by_bucket, BUCKETS_AT_ONCE, strict=False):
        found = stores.search_packs({bucket: by_bucket[bucket] for bucket in buckets}, Believed("", 0), 0)
        for bucket in buckets:
            by_bucket[bucket] -= found[bucket].found
    missing = (stray.event for told, stray in events.items() if told.token.decode() in by_bucket[bucket_of(told.reading)])
    for chunk in batched(missing, ITEMS_AT_ONCE, strict=False):
        stores.append_again(chunk)
        sent += len(chunk)
    return sent


class Filling:
    """What `fill` does, page by page."""

    def __init__(
        self,
        source: Source,
        stores: Stores,
        tell: Callable[[Filled], object],
        *,
        strays: list[Stray] | None = None,
        listed: Collection[str] = (),
        shards_at_once: int = SHARDS_AT_ONCE,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._source = _InOrder(source, listed)
        self._stores = stores
        self._tell = tell
        self._strays = strays
        self._shards_at_once = shards_at_once
        self._policy = FlushPolicy.filling(shards_at_once)
        self._clock_s = clock_s
        self.filled = Filled()
        """How far it has come."""
        self._shards: dict[str, Shard] = {}
        self._workers: dict[str, ShardProjector] = {}
        self._counted: dict[str, int] = {}
        """Readings, by shard."""

    def run(self) -> Filled:
        """Fold the log to its end."""
        for _ in self.pages():
            pass
        return self.filled

    def pages(self) -> Iterator[None]:
        """Fold the log; between two of its pages whoever draws them may do something else, or leave it."""
        log = Log([self._source], at_once=self._shards_at_once)
        self._shards = {shard.shard_id: shard for shard in log.shards()}
        after = dict(self._begun())
        self._source.ended |= self.filled.ended
        self.filled.readings = sum(self._counted.values())
        for page in log.pages(after, set(self.filled.ended)):
            self._take(page)
            self.filled.readings = sum(self._counted.values())
            self._tell(self.filled)
            yield

    def _begun(self) -> Iterator[tuple[str, Position]]:
        """How far the shards were folded that a filling before this one has begun. Raises NotRebuilt."""
        counted: list[str] = []
        for shard_id in self._shards:
            row = self._ask(load_rows(shard_id, [PROGRESS])).get(PROGRESS, Row(PROGRESS))
            progress = row.progress
            if row.position:
                counted.append(shard_id)
            self._counted[shard_id] = row.stats.count
            if progress.gap:
                self.filled.gaps[shard_id] = progress.gap
            if progress.ended:
                self.filled.ended.add(shard_id)
            elif progress.flushed.position:
                yield shard_id, Position(progress.flushed.position, progress.flushed.as_of_us // 1000)
        for shard_id in counted:
            if left := self._shards.keys() & {*self._shards[shard_id].parents} - self.filled.ended:
                raise NotRebuilt(
                    f"The tables hold what follows {shards_named(left)}, and not all of that: what was sent to both would "
                    "count twice. Fill those of a new generation, which begin at nothing."
                )

    def _take(self, page: Page) -> None:
        shard_id, ended = page.shard_id, page.ended and page.shard_id in self._source.ended
        if page == Page(shard_id, ended=True) and not ended and shard_id not in self._workers:
            return  # nothing of it was read, and nothing need be written
        worker = self._workers.get(shard_id) or self._begin(shard_id)
        if page.gap:
            until_us = int(self._clock_s() * MICRO) if page.gap.before_ms is None else page.gap.before_ms * 1000
            worker.miss(Gap(page.gap.after_ms * 1000, until_us))
        if page.records:
            self._ask(worker.project(list(map(_record, page.records)), caught_up=False))
            self.filled.records += len(page.records)
        if page.reached:
            worker.cover(page.reached.arrived_ms * 1000)
        if page.position:
            self.filled.reached_ms[shard_id] = page.position.arrived_ms
        self._counted[shard_id] = worker.counted
        if page.ended:
            self.filled.reached_ms.pop(shard_id, None)
            self._ask(worker.flush(ended=ended))
            del self._workers[shard_id]
            if worker.gap:
                self.filled.gaps[shard_id] = worker.gap
            if ended:
                self.filled.ended.add(shard_id)

    def _begin(self, shard_id: str) -> ShardProjector:
        worker = self._workers[shard_id] = ShardProjector(
            self._shards[shard_id], self._clock_s, self._policy, interval_clock_s=time.monotonic, strays=self._strays
        )
        self._ask(worker.start())
        return worker

    def _ask[T](self, steps: Steps[T]) -> T:
        return run(steps, self._stores, lambda: self._tell(self.filled))


def _record(read: LogRecord) -> Record:
    """A record as KCL hands it out: it takes aggregates apart."""
    first, *others = user_records(read.data).parts or [b""]
    return Record(read.sequence_number, first, read.arrived_ms, tuple(others))


class _InOrder:
    """A source that gives nothing of a shard before all of its parents have ended, and knows which have."""

    def __init__(self, source: Source, listed: Collection[str]) -> None:
        self._source = source
        self._known = frozenset(listed)
        self.ended: set[str] = set()

    def shards(self) -> Collection[Shard]:
        """See Source."""
        shards = self._source.shards()
        self._known |= {shard.shard_id for shard in shards}
        return shards

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        """See Source. Of a parent that ended nothing is waited for: its last page was taken before this is asked."""
        if self._known.intersection(shard.parents) <= self.ended:
            for page in self._source.read(shard, after):
                if page.ended:
                    self.ended.add(shard.shard_id)
                yield page
