"""A flush of everything is spread over deliveries: totals go on, rows cover the log up to where it began, nothing is lost."""

import gc
from dataclasses import replace
from itertools import pairwise
from weakref import ref

import pytest

from projections.decoding import Record
from projections.effects import Steps, run
from projections.policy import FlushPolicy, Memory
from projections.projector import ShardProjector
from projections.rows import FLEET, PROGRESS
from tests.projections.logs import (
    Checkpoint,
    Clock,
    Walk,
    WatchedStores,
    check_packs,
    check_rows,
    check_tables,
    progress_of,
    projector,
    reading,
    record,
    work,
)

SENSORS = 7
LOG = [record(number, *(reading(f"s{one}", number) for one in range(SENSORS))) for number in range(1, 40)]
SPREAD = FlushPolicy(few_sensors=0, few_every_s=10**6, everything_every_s=10, windows_every_s=3, flush_share=0.5, flush_rest=0)
"""Every sensor is one too many; a second passes with each delivery, and one with each question."""


@pytest.fixture(autouse=True)
def chunks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a flush of some sensors has many chunks."""
    monkeypatch.setattr("projections.projector.CHUNK_ITEMS", 2)


def answer(steps: Steps[int], stores: WatchedStores, clock: Clock) -> tuple[int, int]:
    """Run steps, a second a question; what they return, and how many questions they asked."""
    asked = 0

    def tick() -> None:
        nonlocal asked
        asked += 1
        clock.now_s += 1

    return run(steps, stores, tick), asked


def deliver(subject: ShardProjector, stores: WatchedStores, clock: Clock, one: Record) -> tuple[int, int]:
    """One record after a second."""
    clock.now_s += 1
    return answer(subject.project([one], caught_up=True), stores, clock)


def begun(policy: FlushPolicy = SPREAD) -> tuple[WatchedStores, Clock, ShardProjector]:
    """A worker whose first rows are held."""
    stores, clock = WatchedStores(), Clock()
    subject = projector(clock, policy)
    run(subject.start(), stores)
    return stores, clock, subject


def test_a_flush_takes_its_share_of_the_time_and_totals_go_on() -> None:
    """No delivery waits for all of it; with each the total is written, and sensors' rows cover what came before it began."""
    stores, clock, subject = begun()
    flushed, most = [], 0
    for one in LOG:
        durable, asked = deliver(subject, stores, clock, one)
        assert stores.total_rows()["shardId-000000000000"].position == one.sequence_number
        check_rows(stores, LOG[: one.sequence_number], 0)
        most = max(most, asked) if one.sequence_number > 1 else 0
        if durable:
            flushed.append((one.sequence_number, durable))
    assert most <= 8, "a chunk is two items, and there are twenty-one"
    assert len(flushed) >= 3
    assert all(durable < position for position, durable in flushed), "what came meanwhile is of the next one"
    assert progress_of(stores).flushed.position == flushed[-1][1]
    run(subject.flush(), stores)
    check_tables(stores, LOG)
    check_packs(stores, LOG)


def test_a_crash_in_the_middle_costs_nothing() -> None:
    """Whichever question it is at: the next worker begins at the last flush that was done, and all comes out the same."""
    for crash_at in range(0, 120, 17):
        stores, clock, subject = begun()
        checkpoint = Checkpoint()
        steps = work(subject, LOG, checkpoint, records_max=1, flush=False)
        walk = Walk(steps)
        for _ in range(crash_at):
            clock.now_s += 1
            if not walk.done:
                walk.step(stores)
        if not walk.done:
            walk.die(stores, answered=crash_at % 2 == 0)
        run(work(projector(clock, SPREAD), LOG, checkpoint), stores)
        check_tables(stores, LOG)
        check_packs(stores, LOG)


def test_all_that_waits_is_written_at_once_when_it_stops() -> None:
    """A flush under way is finished, and one more made of what came since; an end too is all there is."""
    for ended in (False, True):
        stores, clock, subject = begun()
        for one in LOG[:15]:
            deliver(subject, stores, clock, one)
        assert subject._flush, "one is under way"
        assert run(subject.flush(ended=ended), stores) == 15
        assert progress_of(stores).ended is ended
        check_tables(stores, LOG[:15])


def test_memory_that_is_full_waits_for_no_share() -> None:
    """Everything is written at once, the flush under way first."""
    policy = replace(SPREAD, flush_share=10**-6, memory=Memory(unflushed_bytes=25_000))
    stores, clock, subject = begun(policy)
    sizes, durable = [], 0
    for one in LOG:
        durable = deliver(subject, stores, clock, one)[0] or durable
        sizes.append(subject._seen.unflushed.size_bytes)
    assert max(sizes) < 25_000
    assert durable > 0
    check_rows(stores, LOG, durable)


def test_the_next_rests_three_times_as_long_as_the_last_took() -> None:
    """So that stores that are slow are not written to all the time."""
    stores, clock, subject = begun(replace(SPREAD, everything_every_s=1, flush_share=1, flush_rest=3))
    begins = []
    for one in LOG:
        before = subject._flush_began_s
        deliver(subject, stores, clock, one)
        if subject._flush_began_s != before:
            begins.append(subject._flush_began_s)
    gaps = [after - before for before, after in pairwise(begins)]
    assert gaps
    assert min(gaps) >= 3 * 10, "seven packs and fourteen rows take more than ten chunks, a second each"


def test_sensors_rows_are_as_of_the_moment_the_flush_began() -> None:
    """They hold nothing that came later, and say so."""
    stores, clock, subject = begun()
    for one in LOG[:15]:
        deliver(subject, stores, clock, one)
    positions = {row.position for (_, key), row in stores.rows.items() if key.scope != FLEET}
    assert len(positions) == 2, "some are written by the flush under way, the others by the one before"
    assert stores.total_rows()["shardId-000000000000"].position == 15 > max(positions)
    assert all(row.as_of_us <= clock.now_s * 1_000_000 for row in stores.rows.values())
    assert stores.rows["shardId-000000000000", PROGRESS].progress.flushed.position == min(positions)


def test_two_workers_in_the_middle_of_their_flushes_spoil_nothing() -> None:
    """A zombie goes on with its own while another has flushed further, chunk by chunk in turns."""
    stores, clock, _ = begun()
    walks = [
        Walk(work(projector(clock, SPREAD), LOG[:12], Checkpoint(), records_max=1)),
        Walk(work(projector(clock, replace(SPREAD, everything_every_s=4)), LOG[:12], Checkpoint(), records_max=3)),
    ]
    turn = 0
    while not all(walk.done for walk in walks):
        turn += 1
        clock.now_s += 0.5
        walk = walks[turn % 5 < 2]
        if not walk.done:
            walk.step(stores)
        if turn % 10 == 0:
            check_rows(stores, LOG[:12], 0)
    assert stores.refused
    check_tables(stores, LOG[:12])
    check_packs(stores, LOG[:12])


def test_what_a_flush_has_written_is_let_go_of_at_once() -> None:
    """Garbage is collected seldom in a record processor: what only a collection frees would pile up for minutes."""
    stores, subject = WatchedStores(), projector()
    run(subject.start(), stores)
    gc.disable()
    try:
        run(subject.project([record(1, reading("a", 1), reading("b", 1))], caught_up=True), stores)
        written = ref(subject._seen.unflushed.open)
        run(subject.flush(), stores)
        run(subject.project([record(2, reading("a", 2), reading("b", 2))], caught_up=True), stores)
        assert written() is None
    finally:
        gc.enable()
