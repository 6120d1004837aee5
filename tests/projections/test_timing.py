"""When rows are written: each kind as its freshness is worth, and what each mark says meanwhile."""

from projections.effects import run
from projections.policy import FlushPolicy, Memory
from projections.projector import ShardProjector
from projections.rows import FLEET, PROGRESS, Mark
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
    check_rows,
    check_tables,
    progress_of,
    projector,
    reading,
    record,
    stats_by_key,
    work,
)

EAGER = FlushPolicy(everything_every_s=0)
US = 1_000_000


def written(stores: WatchedStores) -> list[str]:
    """What was written since this was asked last, write by write: the total, windows of the fleet, or sensors."""
    kinds = [
        "total" if keys == [PROGRESS] else "windows" if {key.scope for key in keys} == {FLEET} else "sensors"
        for keys in stores.writes
    ]
    stores.writes.clear()
    return kinds


def begun(clock: Clock, policy: FlushPolicy | None = None) -> tuple[WatchedStores, ShardProjector]:
    """A worker that has started, and its stores."""
    stores, subject = WatchedStores(), projector(clock, policy)
    run(subject.start(), stores)
    return stores, subject


def test_totals_go_with_each_delivery_windows_every_five_seconds_few_sensors_every_eight() -> None:
    """At the end of the log, while records keep coming. The first of each is written at once. No row is ahead of the total."""
    clock = Clock()
    stores, subject = begun(clock)
    log = [record(number, reading("a", number)) for number in range(1, 10)]
    durable, kinds = [], []
    for number, one in enumerate(log, 1):
        durable.append(run(subject.project([one], caught_up=True), stores))
        kinds.append(written(stores))
        assert stats_by_key(stores)[PROGRESS].count == number
        check_rows(stores, log, 0)
        clock.now_s += 1
    total = ["total"]
    windows = ["total", "windows", *total]
    everything = ["total", "sensors", "windows", *total]
    assert kinds == [everything, total, total, total, total, windows, total, total, everything]
    assert durable == [1, 0, 0, 0, 0, 0, 0, 0, 9]
    check_tables(stores, log)
    assert progress_of(stores).windows.position == 9, "a full flush writes windows although theirs is not due"


def test_idle_deliveries_write_what_is_due_and_no_sensors_before_their_eight_seconds() -> None:
    """A sensor that measures every minute costs no more by falling silent in between."""
    clock = Clock()
    stores, subject = begun(clock)
    run(subject.project([record(1, reading("a", 1))], caught_up=True), stores)
    clock.now_s += 1
    log = [record(1, reading("a", 1)), record(2, reading("a", 2))]
    run(subject.project(log[1:], caught_up=True), stores)
    written(stores)
    seen = {}
    for after_s in range(2, 10):
        clock.now_s += 1
        durable = run(subject.project([], caught_up=True), stores)
        if kinds := written(stores):
            progress = progress_of(stores)
            seen[after_s] = kinds, durable, progress.windows.position, progress.flushed.position
    assert seen == {5: (["windows", "total"], 0, 2, 1), 8: (["sensors", "total"], 2, 2, 2)}
    check_tables(stores, log)


def test_many_sensors_wait_while_the_fleets_rows_are_written() -> None:
    """With more sensors than few, a caught-up delivery writes the fleet's rows and allows no checkpoint."""
    stores, subject = begun(Clock(), FlushPolicy(few_sensors=1))
    log = [record(1, reading("a"), reading("b"))]
    assert run(subject.project(log, caught_up=True), stores) == 0
    assert written(stores) == ["total", "windows", "total"]
    progress = progress_of(stores)
    assert (progress.windows.position, progress.flushed.position) == (1, 0)
    check_rows(stores, log, 0)


def test_an_idle_shard_writes_what_many_sensors_wait_with() -> None:
    """When nothing came, no later reading could share the writes: thirty seconds are not waited for."""
    stores, subject = begun(Clock(), FlushPolicy(few_sensors=1))
    log = [record(1, reading("a"), reading("b"))]
    run(subject.project(log, caught_up=True), stores)
    assert run(subject.project([], caught_up=False), stores) == 0, "behind, more is to come"
    written(stores)
    assert run(subject.project([], caught_up=True), stores) == 1
    assert written(stores) == ["sensors", "total"]
    check_tables(stores, log)


def test_sensors_wait_thirty_seconds_at_most() -> None:
    """Many are written half a minute after the last flush of everything; then a checkpoint is due."""
    clock = Clock()
    stores, subject = begun(clock, FlushPolicy(few_sensors=0, few_every_s=0))
    log = [record(number, reading("a", number)) for number in range(1, 31)]
    for one in log[:-1]:
        clock.now_s += 1
        assert run(subject.project([one], caught_up=True), stores) == 0
    clock.now_s += 1
    assert run(subject.project(log[-1:], caught_up=True), stores) == 30
    check_tables(stores, log)


def test_behind_the_log_totals_are_written_once_a_second() -> None:
    """Windows every five seconds and everything every thirty, as ever: few sensors may be many before the delivery's end."""
    clock = Clock()
    stores, subject = begun(clock)
    moments: dict[str, set[float]] = {"total": set(), "windows": set(), "sensors": set()}
    log = [record(number, reading("a", number)) for number in range(1, 46)]
    for number, one in enumerate(log):
        clock.now_s = NOW_S + number / 2
        run(subject.project([one], caught_up=False), stores)
        for kind in written(stores):
            moments[kind].add(number / 2)
    assert moments == {"total": {*range(23)}, "windows": {0, 5, 10, 15, 20, 22}, "sensors": {22}}


def test_the_totals_of_many_shards_are_spaced() -> None:
    """They share a partition key, which takes 1,000 writes a second: each delivery's total waits for its time."""
    clock = Clock()
    stores, subject = begun(clock, FlushPolicy.for_shards(1_000))
    run(subject.project([record(1, reading("a", 1))], caught_up=True), stores)
    written(stores)
    moments = []
    for number in range(1, 10):
        clock.now_s = NOW_S + number / 2
        some = [record(number + 1, reading("a", number + 1))] if number < 7 else []
        run(subject.project(some, caught_up=True), stores)
        moments += [number / 2] * len(written(stores))
    assert moments == [2, 4], "the last of them by an idle delivery"
    assert FlushPolicy.for_shards(50).totals_every_s == 0.1


def test_s13_a_clock_set_back_delays_no_flush() -> None:
    """Intervals are measured by a clock that nobody sets; only the row's time is the day's."""
    stores, wall, steady = WatchedStores(), Clock(), Clock()
    subject = ShardProjector(SHARD, wall, interval_clock_s=steady)
    run(subject.start(), stores)
    run(subject.project([record(1, reading())], caught_up=True), stores)
    for number, set_to_s in ((2, wall.now_s - 3600), (3, wall.now_s + 3600)):
        wall.now_s = set_to_s
        steady.now_s += 30
        assert run(subject.project([record(number, reading(at_s=number))], caught_up=False), stores) == number
        steady.now_s += 10
        beat = progress_of(stores).beat
        run(subject.project([], caught_up=True), stores)
        assert progress_of(stores).beat == beat + 1


def test_many_decisions_make_a_flush_of_everything() -> None:
    """What is kept for folding again is bounded: at so many bytes all rows are written, whatever the clocks say."""
    policy = FlushPolicy(few_sensors=-1, windows_every_s=NEVER_DUE, memory=Memory(unflushed_bytes=6_000))
    stores, subject = WatchedStores(), projector(policy=policy)
    run(subject.start(), stores)
    assert run(subject.project([record(1, reading("a"), reading("b"))], caught_up=False), stores) == 0
    assert run(subject.project([record(2, reading("c"))], caught_up=False), stores) == 2
    progress = progress_of(stores)
    assert progress.windows == progress.flushed == Mark(2, (START_S + 2) * 1_000_000)
    check_tables(stores, [record(1, reading("a"), reading("b")), record(2, reading("c"))])


def test_a_shard_in_which_nothing_happens_renews_its_progress_row_every_ten_seconds() -> None:
    """At once when it starts, and while behind too, as when the stream takes minutes to cross a stretch without records.

    Its time says up to when the log is covered, so that is renewed only when caught up.
    """
    stores, clock = WatchedStores(), Clock()
    subject = projector(clock)
    run(subject.start(), stores)
    beats, covered_s = [], []
    for caught_up, later_s in [(True, 0), (True, 9.5), (False, 60), (False, 9), (False, 1), (True, 9), (True, 1)]:
        clock.now_s += later_s
        run(subject.project([], caught_up=caught_up), stores)
        row = stores.total_rows()[SHARD.shard_id]
        beats.append(row.progress.beat)
        covered_s.append(row.as_of_us / 1_000_000 - NOW_S)
    assert beats == [1, 1, 2, 2, 3, 4, 4]
    assert covered_s == [0, 0, 9.5, 9.5, 9.5, 88.5, 88.5]


def test_a_renewal_says_of_everything_written_that_it_holds_until_now() -> None:
    """Nothing waits: total, windows and sensors are as new as the log, however long nothing came."""
    clock = Clock()
    stores, subject = begun(clock)
    run(subject.project([record(1, reading())], caught_up=True), stores)
    clock.now_s += 10
    run(subject.project([], caught_up=True), stores)
    mark = Mark(1, int(clock.now_s) * US)
    assert (stores.total_rows()[SHARD.shard_id].mark, progress_of(stores).windows, progress_of(stores).flushed) == (mark,) * 3


def test_a_renewal_says_nothing_of_what_waits() -> None:
    """Sensors that are not written are as old as their last flush; windows go with the renewal."""
    clock = Clock()
    stores, subject = begun(clock, FlushPolicy(few_sensors=-1, windows_every_s=NEVER_DUE, totals_behind_every_s=NEVER))
    run(subject.project([record(1, reading())], caught_up=False), stores)
    assert written(stores) == []
    clock.now_s += 10
    run(subject.project([], caught_up=False), stores)
    assert written(stores) == ["total", "windows", "total"]
    assert (progress_of(stores).windows, progress_of(stores).flushed) == (Mark(1, (START_S + 1) * US), Mark())


def test_after_a_renewal_the_next_reading_waits_no_longer() -> None:
    """A renewal wrote no row that the reading could have shared: what it brings is written at once."""
    clock = Clock()
    stores, subject = begun(clock)
    run(subject.project([record(1, reading("a", 1))], caught_up=True), stores)
    clock.now_s += 10
    run(subject.project([], caught_up=True), stores)
    written(stores)
    clock.now_s += 1
    assert run(subject.project([record(2, reading("a", 2))], caught_up=True), stores) == 2
    assert written(stores) == ["total", "sensors", "windows", "total"]


def test_as_of_is_the_last_arrival_while_behind_and_now_when_caught_up() -> None:
    """Behind, a row covers the log up to its last record; caught up, up to the moment the delivery came."""
    stores, clock = WatchedStores(), Clock()
    subject = projector(clock, EAGER)
    run(subject.start(), stores)
    run(subject.project([record(5, reading())], caught_up=False), stores)
    assert stores.total_rows()[SHARD.shard_id].as_of_us == (START_S + 5) * 1_000_000
    run(subject.project([record(6, reading("b"))], caught_up=True), stores)
    assert stores.total_rows()[SHARD.shard_id].as_of_us == NOW_S * 1_000_000


def test_time_spent_on_a_delivery_is_not_covered_by_it() -> None:
    """While stores were slow the log may have grown: as_of is the moment the delivery came, not the one it was done."""
    stores, clock = WatchedStores(), Clock()
    subject = projector(clock)
    run(subject.start(), stores)
    delivery = Walk(subject.project([record(1, reading())], caught_up=True))
    while not delivery.done:
        clock.now_s += 30
        delivery.step(stores)
    assert stores.total_rows()[SHARD.shard_id].as_of_us == NOW_S * 1_000_000


def test_as_of_never_goes_back() -> None:
    """A worker that starts and stops without a record, or replays old ones, leaves the time that others vouched for."""
    stores, clock = WatchedStores(), Clock()
    log = [record(1, reading("a")), record(2, reading("b"))]
    run(work(projector(clock), log, Checkpoint()), stores)
    run(work(projector(clock), [], Checkpoint()), stores)
    run(work(projector(clock), log[:1], Checkpoint()), stores)
    assert stores.total_rows()[SHARD.shard_id].as_of_us == NOW_S * 1_000_000


def test_positions_advance_past_records_in_which_nothing_is_folded() -> None:
    """Empty and broken records move the progress mark and the checkpoint like any other."""
    checkpoint, stores = Checkpoint(), WatchedStores()
    run(work(projector(policy=EAGER), [record(1), record(2, b"{broken"), record(3)], checkpoint, flush=False), stores)
    assert checkpoint.sequence_number == 3
    assert progress_of(stores).flushed.position == 3
