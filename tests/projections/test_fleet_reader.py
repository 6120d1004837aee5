"""The fleet's totals, final rows kept: never a row missed, never a count that goes back, and no more read than is open."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.effects import run
from projections.fleet import FleetReader
from projections.fold import Stats
from projections.marks import Which
from projections.memory import MemoryStores
from projections.memory_reads import MemoryReads
from projections.rows import PROGRESS, Progress, Row
from telemetry.limits import HASH_KEY_MAX
from tests.projections.logs import reading
from tests.projections.worlds import CountingReads, SlowReads, Stream, filled, finish

LOW, HIGH, ALL = (0, 2**127 - 1), (2**127, HASH_KEY_MAX), (0, HASH_KEY_MAX)


def put(
    stores: MemoryStores, shard_id: str, count: int, held: tuple[int, int] | None, as_of_us: int = 0, *, ended: bool = False
) -> None:
    """Write a progress row."""
    row = Row(PROGRESS, count, Stats(count), as_of_us, progress=Progress(ended=ended, hash_range=held))
    stores.rows[shard_id, PROGRESS] = row


def count(fleet: FleetReader, reads: MemoryReads) -> int:
    """What the reader answers."""
    return run(fleet.read(), reads).stats.count


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_whatever_splits_merges_dies_and_comes_back_no_count_is_missed(seed: int) -> None:
    """Read row by row while everything goes on: at least what was there at the beginning, never less than once told.

    A second reader crosses the first, with the same memory.
    """
    rng = Random(seed)  # noqa: S311
    stream = Stream(rng, MemoryStores())
    fleet, told = FleetReader(), 0

    def meanwhile(depth: int = 0) -> None:
        for _ in range(rng.choice([0, 1, 1, 2, 10])):
            stream.step()
        if not depth and rng.random() < 0.1:
            answer(1)

    def answer(depth: int = 0) -> int:
        before = stream.count()
        found = run(fleet.read(), SlowReads(stream.stores, lambda: meanwhile(depth)))
        assert before <= found.stats.count <= stream.count()
        assert found.marks(Which.TOTALS).shards.keys() == found.shards.keys()
        return found.stats.count

    for _ in range(12):
        for _ in range(rng.choice([0, 20])):
            stream.step()
        before, told = told, answer()
        assert before <= told
    stream.finish()
    lines = {line for log in stream.logs.values() for one in log for line in one.data.splitlines()}
    assert count(fleet, CountingReads(stream.stores)) == len(lines)  # nothing goes on meanwhile: it may split a shard again
    reads = CountingReads(stream.stores)
    assert count(fleet, reads) == len(lines)
    assert (reads.keys, reads.queries) == (len(stream.open), 0)


def test_only_rows_that_are_not_final_are_read_again() -> None:
    """By key; what ended is kept, and looked at never again."""
    stores = MemoryStores()
    put(stores, "old", 5, ALL, ended=True)
    put(stores, "low", 1, LOW, 1)
    put(stores, "high", 1, HIGH, 1)
    fleet, reads = FleetReader(), CountingReads(stores)
    assert (count(fleet, reads), reads.keys, reads.queries) == (7, 0, 2)
    put(stores, "low", 2, LOW, 1)
    del stores.rows["old", PROGRESS]
    assert (count(fleet, reads), reads.keys, reads.queries) == (8, 2, 2)


def test_children_are_looked_for_from_their_parents_end_until_they_are_there() -> None:
    """With every question; each is answered meanwhile."""
    stores = MemoryStores()
    put(stores, "low", 1, LOW)
    put(stores, "high", 1, HIGH)
    fleet, reads = FleetReader(), CountingReads(stores)
    assert count(fleet, reads) == 2
    put(stores, "low", 2, LOW, ended=True)
    assert [count(fleet, reads) for _ in range(2)] == [3, 3]
    put(stores, "child-1", 4, (0, 2**126 - 1), 1)
    assert [count(fleet, reads) for _ in range(2)] == [7, 7]
    put(stores, "child-2", 8, (2**126, 2**127 - 1), 1)
    assert count(fleet, reads) == 15
    before = reads.queries
    assert (count(fleet, reads), reads.queries) == (15, before)


def test_rows_that_say_nothing_of_their_hash_keys_are_never_all() -> None:
    """Then all rows are read, as long as it is so."""
    stores = MemoryStores()
    put(stores, "low", 1, LOW)
    put(stores, "high", 1, None)
    fleet, reads = FleetReader(), CountingReads(stores)
    assert count(fleet, reads) == 2
    put(stores, "third", 1, None)
    assert count(fleet, reads) == 3


def test_a_parent_whose_row_was_written_after_its_place_was_read_is_found() -> None:
    """Its child's name comes later in the order of keys, so the child is found first; the next look finds both."""
    stores = MemoryStores()
    put(stores, "m", 1, ALL)
    seen: list[None] = []

    def meanwhile() -> None:
        seen.append(None)
        if len(seen) == 2:  # after the first row, which is m's, was read
            put(stores, "a", 2, ALL, ended=True)
            put(stores, "z", 4, ALL, 1)

    fleet = FleetReader()
    assert count(fleet, SlowReads(stores, meanwhile)) == 7
    assert count(fleet, MemoryReads(stores)) == 7


def test_a_row_that_ended_is_kept_though_older_steps_read_it_open() -> None:
    """Steps that cross: what the older ones have in hand neither takes its place nor makes it open again."""
    stores = filled([])
    old = replace(stores.rows["shardId-000000000000", PROGRESS], stats=Stats(1))
    stores.rows["shardId-000000000000", PROGRESS] = old
    fleet, reads = FleetReader(), CountingReads(stores)
    assert count(fleet, reads) == 1
    older = fleet.read()
    in_hand = next(older)(reads)
    ended = replace(old, stats=Stats(3), progress=replace(old.progress, ended=True))
    stores.rows["shardId-000000000000", PROGRESS] = ended
    assert count(fleet, reads) == 3
    question = older.send(in_hand)  # what it has does not hold all hash keys any more
    told = finish(older, question, reads)
    assert told.stats.count == 3
    keys = reads.keys
    assert (count(fleet, reads), reads.keys - keys) == (3, 1)


def test_steps_that_break_off_lose_nothing() -> None:
    """A shard's end was seen, and the store went away before its children were looked for: the next steps do it."""
    stores = MemoryStores()
    put(stores, "low", 1, LOW)
    put(stores, "high", 1, HIGH)
    fleet, reads = FleetReader(), MemoryReads(stores)
    assert count(fleet, reads) == 2
    put(stores, "low", 1, LOW, ended=True)
    put(stores, "new", 4, LOW, 1)
    steps = fleet.read()
    steps.send(next(steps)(reads))
    steps.close()
    assert count(fleet, reads) == 6


def test_a_shard_that_left_the_stream_unread_hides_nobody() -> None:
    """Its row stays as it is and never becomes final; its children's children are found all the same."""
    stores = MemoryStores()
    put(stores, "gone", 1, ALL, 10)
    put(stores, "child", 1, ALL, 20)
    fleet, reads = FleetReader(), MemoryReads(stores)
    assert count(fleet, reads) == 2
    put(stores, "child", 2, ALL, 30, ended=True)
    assert count(fleet, reads) == 3
    put(stores, "grandchild", 4, ALL, 40)
    assert count(fleet, reads) == 7


def test_the_total_stands_on_the_totals_mark() -> None:
    """And on nothing else: the rows that were read are the marks."""
    stores = filled([reading("a"), reading("b"), reading("c")])
    answer = run(FleetReader().total(), MemoryReads(stores))
    assert answer.marks == run(FleetReader().marks(Which.TOTALS), MemoryReads(stores))
    assert answer.value.count == 3
