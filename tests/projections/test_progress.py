"""What a progress row and the directory say beside statistics: ends, new sensors, refusals, when a sensor was seen."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from projections.decoding import Record
from projections.effects import Sighting, run
from projections.policy import FlushPolicy
from projections.rows import PROGRESS, sensor_scope
from telemetry.errors import ReasonCode
from telemetry.limits import HASH_KEY_MAX
from telemetry.shards import Shard
from tests.projections.logs import (
    NEVER,
    NEVER_DUE,
    NOW_S,
    SHARD,
    START_S,
    Checkpoint,
    Clock,
    Walk,
    WatchedStores,
    check_tables,
    progress_of,
    projector,
    reading,
    record,
    work,
)
from tests.support.oracle import expected_seen_s

POLICIES = {
    "usual": FlushPolicy(),
    "everything after every slice": FlushPolicy(everything_every_s=0),
    "totals first": FlushPolicy(few_sensors=-1, windows_every_s=NEVER_DUE, totals_behind_every_s=0),
    "totals last": FlushPolicy(few_sensors=-1, windows_every_s=0, totals_every_s=NEVER, everything_every_s=NEVER),
}
PARENT = Shard("parent", 0, HASH_KEY_MAX, closed=True)
CHILD = Shard("child", 0, HASH_KEY_MAX, parents=("parent",))


# --- A final row ---


def test_a_final_row_moves_no_more_whoever_writes_after_it() -> None:
    """A worker that has not heard that its lease is gone renews the beat; neither marks nor time nor the end go."""
    stores, clock = WatchedStores(), Clock()
    log = [record(1, reading("a", 1)), record(2, reading("b", 2))]
    zombie, ending = projector(clock), projector(clock)
    for subject in (zombie, ending):
        run(subject.start(), stores)
    run(zombie.project(log[:1], caught_up=False), stores)
    run(ending.project(log, caught_up=True), stores)
    run(ending.flush(ended=True), stores)
    before = stores.total_rows()[SHARD.shard_id]
    assert before.progress.ended
    clock.now_s += 60
    run(zombie.project(log[1:], caught_up=True), stores)
    run(zombie.flush(), stores)
    run(zombie.flush(ended=True), stores)
    after = stores.total_rows()[SHARD.shard_id]
    assert after == before
    assert after.progress.beat > before.progress.beat
    check_tables(stores, log)


def test_a_lease_made_anew_moves_nothing_of_a_final_row() -> None:
    """Read once more from its beginning, and to its end: only the beat shows that somebody is there."""
    stores, clock = WatchedStores(), Clock()
    log = [record(1, reading("a", 1)), record(2, b"{broken", reading("b", 2))]
    for _ in range(2):
        subject = projector(clock)
        run(work(subject, log, Checkpoint(), flush=False), stores)
        run(subject.flush(ended=True), stores)
        rows = {key: row for (_, key), row in stores.rows.items()}
        clock.now_s += 3600
    beat = rows[PROGRESS].progress.beat
    run(work(projector(clock), log, Checkpoint(), idle=True), stores)
    assert {key: row for (_, key), row in stores.rows.items()} == rows
    assert rows[PROGRESS].as_of_us == NOW_S * 1_000_000
    assert progress_of(stores).beat > beat
    check_tables(stores, log)


def test_the_range_of_a_shard_stands_in_its_row() -> None:
    """Readers see by it when they miss a shard."""
    stores = WatchedStores()
    run(work(projector(shard=CHILD), [], Checkpoint()), stores)
    assert progress_of(stores, CHILD).hash_range == (0, HASH_KEY_MAX)


# --- New sensors ---


def test_a_sensor_is_counted_where_it_first_came() -> None:
    """Repeats and further readings add nothing; nor do sensors that the parent had, were it only once."""
    stores = WatchedStores()
    run(
        work(projector(shard=PARENT), [record(1, reading("a"), reading("b")), record(2, reading("a", 1))], Checkpoint()), stores
    )
    log = [record(3, reading("a"), reading("c")), record(4, reading("a", 2), reading("c", 1), reading("b", 1), reading("d"))]
    run(work(projector(shard=CHILD), log, Checkpoint()), stores)
    assert [progress_of(stores, shard).sensors for shard in (PARENT, CHILD)] == [2, 2]


@pytest.mark.parametrize("answered", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_crash_at_any_question_counts_no_sensor_of_a_child_twice(policy: FlushPolicy, answered: bool) -> None:
    """Between packs and rows, between sensor and total: whatever was stored, what was new to the shard stays new."""
    log = [
        record(3, reading("a"), reading("c")),
        record(4, reading("c"), reading("c", 5), reading("d")),
        record(5, reading("e")),
    ]
    crashes, survived = 0, False
    while not survived:
        stores, checkpoint = WatchedStores(), Checkpoint()
        run(work(projector(shard=PARENT), [record(1, reading("a"))], Checkpoint()), stores)
        doomed = Walk(work(projector(policy=policy, shard=CHILD), log, checkpoint))
        for _ in range(crashes):
            doomed.step(stores)
        survived = doomed.done
        doomed.die(stores, answered=answered)
        run(work(projector(policy=policy, shard=CHILD), log, checkpoint), stores)
        assert progress_of(stores, CHILD).sensors == 3, crashes
        assert {one for one, (_, shards) in stores.directory.items() if "child" in shards} == {"c", "d", "e"}
        crashes += 1
    assert crashes >= 8, "the log is too small to prove anything"


def test_two_workers_count_a_new_sensor_once() -> None:
    """The one that is behind is refused, and takes what the other counted."""
    stores = WatchedStores()
    log = [record(1, reading("a")), record(2, reading("b"))]
    slow = projector(policy=POLICIES["totals last"])
    run(slow.start(), stores)
    run(slow.project(log, caught_up=False), stores)
    run(work(projector(), log[:1], Checkpoint()), stores)
    run(slow.flush(), stores)
    check_tables(stores, log)
    assert progress_of(stores).sensors == 2


# --- Refusals ---


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_refusals_are_counted_by_reason_and_once(policy: FlushPolicy) -> None:
    """However often the log is read."""
    unknown = b'{"specversion":"1.0","type":"unheard.of.v9"}'
    log = [record(1, b"{broken", b"[]", unknown), record(2), record(3, reading(), b"{broken"), record(4, b"{broken")]
    stores = WatchedStores()
    for flush in (False, False, True, False):
        run(work(projector(policy=policy), log, Checkpoint(), flush=flush), stores)
    found = {code: count for code, count in zip(ReasonCode, progress_of(stores).refusals, strict=True) if count}
    assert found == {ReasonCode.NOT_JSON: 3, ReasonCode.NOT_AN_EVENT: 1, ReasonCode.UNKNOWN_TYPE: 1}
    assert sum(found.values()) == len(stores.dead_letters)


def test_a_whole_record_that_was_refused_counts_once() -> None:
    """What is counted are letters."""
    stores = WatchedStores()
    run(work(projector(), [record(1, *[b"{broken"] * 101)], Checkpoint()), stores)
    assert progress_of(stores).refusals == tuple(int(code is ReasonCode.MANY_LINES) for code in ReasonCode)


# --- The directory ---


class SightedStores(WatchedStores):
    """Stores that keep what the directory was told."""

    def __init__(self) -> None:
        super().__init__()
        self.sightings: list[Sighting] = []

    def sight(self, shard_id: str, sightings: Sequence[Sighting]) -> None:
        self.sightings.extend(sightings)
        super().sight(shard_id, sightings)


def deliver(stores: WatchedStores, log: Sequence[Record]) -> None:
    """A worker that flushes after each record."""
    run(work(projector(policy=POLICIES["everything after every slice"]), log, Checkpoint(), records_max=1), stores)


def test_the_directory_is_told_once_an_hour_of_a_sensor() -> None:
    """By an hour of the sensor's own; the first time with the shard."""
    stores, begin_s = SightedStores(), expected_seen_s("a", START_S * 1_000_000) + 3600 - START_S
    times = [begin_s, begin_s + 1, begin_s + 3599, begin_s + 3600, begin_s + 10, begin_s + 7199]
    log = [
        replace(record(number, reading("a", at_s)), arrived_at_ms=2 * START_S * 1000) for number, at_s in enumerate(times, 1)
    ]
    deliver(stores, log)
    hour_s = START_S + begin_s
    assert stores.sightings == [Sighting("a", hour_s, new=True), Sighting("a", hour_s + 3600, new=False)]
    assert stores.directory == {"a": (hour_s + 3600, frozenset({SHARD.shard_id}))}


def test_a_sensor_whose_clock_is_ahead_was_seen_when_its_reading_arrived() -> None:
    """Else one wrong clock would keep it first in the list for years; and a repeat that arrives later is no new sight."""
    log = [record(1, reading("a", 10**8)), replace(record(2, reading("a", 10**8)), arrived_at_ms=2 * START_S * 1000)]
    stores = SightedStores()
    deliver(stores, log)
    assert stores.directory["a"][0] == expected_seen_s("a", (START_S + 1) * 1_000_000)
    assert stores.total_rows(sensor_scope("a"))[SHARD.shard_id].stats.duplicates == 1
