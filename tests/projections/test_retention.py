"""What may have left the stream unread is said with its bounds, and kept until somebody has seen it."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from projections.decoding import Record
from projections.effects import run
from projections.memory import MemoryStores
from projections.policy import FlushPolicy
from projections.projector import ShardProjector
from projections.retention import Gap, joined, lost_stretch
from projections.rows import PROGRESS, Progress, Row
from telemetry.shards import Shard
from tests.projections.logs import NEVER, NEVER_DUE, SHARD, Clock, reading, record

HOUR_S = 3600
RETENTION_S = 24 * HOUR_S
US = 1_000_000


@pytest.mark.parametrize(
    ("covered", "first", "now", "gap"),
    [
        (100, 110, 124, None),
        (100, 110, 125, Gap(100, 110)),
        (100, None, 124, None),
        (100, None, 130, Gap(100, 106)),
        (100, 100, 200, None),
        (0, 110, 200, None),
    ],
    ids=["in time", "too late", "in time and idle", "too late and idle", "the next record is still there", "never read"],
)
def test_s05_a_stretch_may_be_lost_when_what_follows_was_old_enough_to_leave(
    covered: int, first: int | None, now: int, gap: Gap | None
) -> None:
    """A stream that keeps 24 units of time."""
    assert lost_stretch(covered, first, now, 24) == gap


def test_s05_stretches_become_one() -> None:
    """Whoever looks later learns of all of them."""
    assert joined(Gap(1, 2), Gap(5, 6)) == Gap(1, 6)
    assert joined(None, Gap(5, 6)) == joined(Gap(5, 6), None) == Gap(5, 6)


def life(stores: MemoryStores, clock: Clock, records: Iterable[Record], shard: Shard = SHARD) -> ShardProjector:
    """A worker that starts, is given these records, and is then at the tip."""
    subject = ShardProjector(shard, clock, retention_s=RETENTION_S)
    run(subject.start(), stores)
    run(subject.project(list(records), caught_up=True), stores)
    run(subject.flush(), stores)
    return subject


def arrived(number: int, at_s: float) -> Record:
    return replace(record(number, reading(at_s=number)), arrived_at_ms=int(at_s * 1000))


def test_s05_a_consumer_away_for_longer_than_the_stream_keeps_says_so_until_it_is_seen() -> None:
    """From where the row was to the first record that came after it; later writes and workers keep it."""
    stores, clock = MemoryStores(), Clock()
    went_s = clock.now_s
    assert life(stores, clock, [arrived(1, went_s - 5)]).gap is None
    clock.now_s += RETENTION_S + 2 * HOUR_S
    back_s = went_s + 3 * HOUR_S
    lost = Gap(int(went_s * US), int(back_s * US))
    assert life(stores, clock, [arrived(7, back_s), arrived(8, back_s + 1)]).gap == lost
    clock.now_s += 60
    assert life(stores, clock, [arrived(9, clock.now_s)]).gap == lost
    row = stores.rows[SHARD.shard_id, PROGRESS]
    assert (row.progress.gap, row.stats.count) == (lost, 4)


def test_s05_a_gap_that_somebody_removed_does_not_come_back() -> None:
    """Not even from a worker that still knows of it."""
    stores, clock = MemoryStores(), Clock()
    life(stores, clock, [arrived(1, clock.now_s)])
    clock.now_s += RETENTION_S + HOUR_S
    worker = life(stores, clock, [])
    assert worker.gap
    row = stores.rows[SHARD.shard_id, PROGRESS]
    stores.rows[SHARD.shard_id, PROGRESS] = replace(row, progress=replace(row.progress, gap=None))
    clock.now_s += 60
    run(worker.project([], caught_up=True), stores)
    assert worker.gap is stores.rows[SHARD.shard_id, PROGRESS].progress.gap is None


def test_s05_a_record_delivered_again_shows_that_nothing_is_missing() -> None:
    """The stream still holds the last one that was counted, so it holds all after it."""
    stores, clock = MemoryStores(), Clock()
    life(stores, clock, [arrived(1, clock.now_s)])
    again = arrived(1, clock.now_s)
    clock.now_s += RETENTION_S + HOUR_S
    assert life(stores, clock, [again, arrived(2, clock.now_s)]).gap is None


def test_s05_a_consumer_that_falls_behind_by_more_than_the_stream_keeps_says_so_under_way() -> None:
    """Not only at a start."""
    stores, clock = MemoryStores(), Clock()
    subject = life(stores, clock, [arrived(1, clock.now_s)])
    behind_s = clock.now_s + HOUR_S
    run(subject.project([arrived(2, behind_s)], caught_up=False), stores)
    clock.now_s += RETENTION_S + 2 * HOUR_S
    run(subject.project([arrived(5, behind_s + 60)], caught_up=False), stores)
    assert subject.gap == Gap(int(behind_s * US), int((behind_s + 60) * US))


def test_s05_a_shard_that_was_read_to_its_end_has_lost_nothing() -> None:
    """Its records leave the stream one day, and a lease made anew by hand finds none of them."""
    stores, clock = MemoryStores(), Clock()
    first = life(stores, clock, [arrived(1, clock.now_s)])
    run(first.flush(ended=True), stores)
    clock.now_s += RETENTION_S + HOUR_S
    waiting = FlushPolicy(few_sensors=-1, windows_every_s=NEVER_DUE, totals_behind_every_s=NEVER)
    again = ShardProjector(SHARD, clock, waiting, retention_s=RETENTION_S)
    run(again.start(), stores)
    run(again.project([arrived(2, clock.now_s)], caught_up=False), stores)
    assert again.gap is None, "or the consumer would log that records may be lost"
    run(again.flush(), stores)
    assert stores.rows[SHARD.shard_id, PROGRESS].progress.gap is None


def test_s05_a_child_whose_parents_were_last_read_too_long_ago_says_so() -> None:
    """It has no row of its own yet: its log goes on where its parents' ended."""
    stores, clock = MemoryStores(), Clock()
    child = replace(SHARD, shard_id="child", parents=("parent", "unknown"))
    read_us = int(clock.now_s * US)
    stores.rows["parent", PROGRESS] = Row(PROGRESS, 1, as_of_us=read_us, progress=Progress(ended=True))
    assert life(stores, clock, [arrived(5, clock.now_s)], child).gap is None
    stores.rows.pop(("child", PROGRESS))
    clock.now_s += RETENTION_S + HOUR_S
    assert life(stores, clock, [arrived(5, clock.now_s)], child).gap == Gap(read_us, int(clock.now_s * US))
