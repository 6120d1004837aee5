"""What is looked up, and what need not be: counted look-ups, for a look-up costs a thousand times what a reading does."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import pytest

from projections.effects import Believed, run
from projections.memory import MemoryStores
from projections.packs import Bucket, Search, bucket_of
from projections.policy import FlushPolicy, Memory
from projections.projector import ShardProjector
from projections.rows import RowKey, row_keys, sensor_scope
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from telemetry.shards import Shard
from tests.projections.logs import SHARD, START_S, Checkpoint, projector, reading, record, work

HOUR_S = 3600
HOUR_BEGINS = -(START_S % HOUR_S)
"""Of the hour that the tests' beginning of time lies in, in seconds from there."""


class CountingStores(MemoryStores):
    """Stores that keep what was looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_into: list[Bucket] = []
        self.asked_for_newest: list[RowKey] = []

    def search_packs(
        self, wanted: Mapping[Bucket, Collection[str]], believed: Believed, text_chars_max: int
    ) -> Mapping[Bucket, Search]:
        self.looked_into.extend(wanted)
        return super().search_packs(wanted, believed, text_chars_max)

    def find_newest(self, keys: Collection[RowKey], *, besides: str) -> Mapping[RowKey, int]:
        self.asked_for_newest.extend(keys)
        return super().find_newest(keys, besides=besides)


class Shards:
    """Workers on shards, whose records have numbers that go up."""

    def __init__(self, policy: FlushPolicy | None = None) -> None:
        self.stores = CountingStores()
        self._policy = policy
        self._number = 0

    def worker(self, shard: Shard = SHARD) -> ShardProjector:
        """A worker that has just started."""
        subject = projector(policy=self._policy, shard=shard)
        run(subject.start(), self.stores)
        return subject

    def count(self, subject: ShardProjector, readings: Iterable[Reading], *, ended: bool = False) -> None:
        """Bring readings in one record, and flush."""
        self._number += 1
        run(subject.project([record(self._number, *readings)], caught_up=False), self.stores)
        run(subject.flush(ended=ended), self.stores)

    def totals(self, sensor_id: str = "a") -> tuple[int, int]:
        """Readings and repeats of a sensor."""
        rows = self.stores.total_rows(sensor_scope(sensor_id)).values()
        return sum(row.stats.count for row in rows), sum(row.stats.duplicates for row in rows)


def test_l2_a_reading_ahead_of_time_brings_no_doubt_to_other_hours() -> None:
    """A sensor whose clock once ran a day ahead is looked up no more than others."""
    shards = Shards()
    worker = shards.worker()
    shards.count(worker, [reading("a", 0), reading("a", 24 * HOUR_S)])
    for at_s in range(60, 3 * HOUR_S, 60):
        shards.count(worker, [reading("a", at_s)])
    assert (shards.stores.looked_into, shards.totals()) == ([], (181, 0))


def test_l3_late_readings_and_repeats_are_not_looked_up() -> None:
    """In buckets that were seen from their beginning, however many lie there; across flushes."""
    shards = Shards()
    worker = shards.worker()
    shards.count(worker, (reading("a", HOUR_BEGINS + at_s) for at_s in range(0, HOUR_S, 10)))
    for at_s in range(5, HOUR_S, 600):
        shards.count(worker, [reading("a", HOUR_BEGINS + at_s)])
    assert (shards.stores.looked_into, shards.totals()) == ([], (366, 0))
    shards.count(worker, [reading("a", HOUR_BEGINS + at_s) for at_s in (0, 5, 10, 605)])
    assert (shards.stores.looked_into, shards.totals()) == ([], (366, 4))


def test_a_worker_that_knows_nothing_looks_into_each_bucket_once() -> None:
    """After that it knows what lies there, new readings and repeats alike, across flushes."""
    shards = Shards()
    shards.count(shards.worker(), [reading("a", HOUR_BEGINS + at_s) for at_s in range(0, HOUR_S, 10)])
    worker = shards.worker()
    for at_s in (1, 2, 10, 2, 20, 1):
        shards.count(worker, [reading("a", HOUR_BEGINS + at_s)])
    assert shards.stores.looked_into == [bucket_of(reading("a", HOUR_BEGINS))]
    assert shards.totals() == (362, 4)


@pytest.mark.parametrize("text_chars", [10, 10**6], ids=["too large to keep", "kept"])
def test_a_bucket_too_large_to_keep_is_searched_each_time(text_chars: int) -> None:
    """It is right all the same."""
    shards = Shards(FlushPolicy(memory=Memory(text_chars=text_chars)))
    shards.count(shards.worker(), [reading("a", at_s) for at_s in range(40)])
    worker = shards.worker()
    shards.count(worker, [reading("a", 3), reading("a", 3.5)])
    shards.count(worker, [reading("a", 4), reading("a", 3.5)])
    assert shards.totals() == (41, 3)
    assert len(shards.stores.looked_into) == (2 if text_chars == 10 else 1)


def family() -> tuple[Shard, Shard, Shard]:
    """A shard, what it became, and what that became."""
    one, two, three = (Shard(name, 0, HASH_KEY_MAX) for name in ("first", "second", "third"))
    return (
        one,
        Shard(two.shard_id, 0, HASH_KEY_MAX, parents=(one.shard_id,)),
        Shard(three.shard_id, 0, HASH_KEY_MAX, parents=(two.shard_id,)),
    )


def test_a_childs_doubt_ends_with_the_hour_of_the_past() -> None:
    """What its parent's rows say is enough: no packs are asked about, and no hour but the one the parent was in."""
    parent, child, _ = family()
    shards = Shards()
    shards.count(shards.worker(parent), [reading("a", HOUR_BEGINS + at_s) for at_s in (0, 5, 24 * HOUR_S)], ended=True)
    worker = shards.worker(child)
    shards.count(worker, [reading("a", HOUR_BEGINS + 5), reading("a", HOUR_BEGINS + 6), reading("a", HOUR_BEGINS + HOUR_S)])
    assert shards.stores.looked_into == [bucket_of(reading("a", HOUR_BEGINS))]
    assert shards.stores.asked_for_newest == [row_keys(reading("a", HOUR_BEGINS + HOUR_S))[-1]], "the parent has no such row"
    assert shards.totals() == (5, 1)


def test_what_a_grandparent_had_is_asked_about_in_packs() -> None:
    """A parent that never met the sensor has no row of it: packs tell, once, and the child's rows keep the answer."""
    grandparent, parent, child = family()
    shards = Shards()
    shards.count(shards.worker(grandparent), [reading("a", 0)], ended=True)
    shards.count(shards.worker(parent), [reading("b", 0)], ended=True)
    shards.count(shards.worker(child), [reading("a", 0), reading("a", 1)])
    total, hour = row_keys(reading("a", 0))[-2:]
    assert [key for key in shards.stores.asked_for_newest if key.scope == total.scope] == [total, hour]
    rows = {key: shards.stores.rows[child.shard_id, key] for key in (total, hour)}
    assert {row.sensor.past_us for row in rows.values()} == {bucket_of(reading("a", 0)).last_us}
    shards.count(shards.worker(child), [reading("a", 0), reading("a", 2)])
    assert shards.stores.asked_for_newest.count(total) == shards.stores.asked_for_newest.count(hour) == 1
    assert shards.totals() == (3, 2)


def test_repeats_in_memory_are_not_looked_up() -> None:
    """What came since the last flush is known without the stores."""
    stores, subject = CountingStores(), projector()
    again = [reading("a", at_s) for at_s in range(50)]
    run(work(subject, [record(number, *again) for number in range(1, 21)], Checkpoint()), stores)
    assert stores.looked_into == []
    total = stores.total_rows(sensor_scope("a"))[SHARD.shard_id].stats
    assert (total.count, total.duplicates) == (50, 950)


def test_what_a_worker_saw_itself_is_not_looked_up() -> None:
    """A reading newer than all that is stored cannot be a repeat; what came later than others is remembered."""
    stores, subject = CountingStores(), projector()
    run(subject.start(), stores)
    run(subject.project([record(1, reading("a", 3600))], caught_up=False), stores)
    run(subject.project([record(2, reading("a", 0), reading("a", 3600))], caught_up=False), stores)
    run(subject.flush(), stores)
    run(subject.project([record(3, reading("a", 3601))], caught_up=False), stores)
    assert (stores.looked_into, stores.asked_for_newest) == ([], [])
    run(subject.project([record(4, reading("a", 0), reading("a", 1))], caught_up=False), stores)
    run(subject.project([record(5, reading("a", 2))], caught_up=False), stores)
    run(subject.flush(), stores)
    run(subject.project([record(6, reading("a", 2))], caught_up=False), stores)
    run(subject.flush(), stores)
    assert stores.looked_into == [], "what it saw from its beginning is remembered across flushes"
    total = stores.total_rows(sensor_scope("a"))[SHARD.shard_id].stats
    assert (total.count, total.duplicates) == (5, 3)


def test_what_was_looked_into_is_forgotten_when_it_is_much() -> None:
    """Memory stays bounded; what was forgotten is looked up again."""
    memory = Memory(texts_bytes=2_000)
    stores, subject = CountingStores(), projector(policy=FlushPolicy(memory=memory))
    run(subject.start(), stores)
    log = [record(number, *(reading("a", 600 * number + second) for second in range(10))) for number in range(1, 30)]
    for _ in range(2):
        for number, one in enumerate(log):
            again = replace(one, sequence_number=one.sequence_number + subject._completed)
            run(subject.project([again], caught_up=False), stores)
            run(subject.flush(), stores)
            assert subject._seen._texts.size_bytes <= memory.texts_bytes, number
    assert len(stores.looked_into) == len(log)
    total = stores.total_rows(sensor_scope("a"))[SHARD.shard_id].stats
    assert (total.count, total.duplicates) == (290, 290)
