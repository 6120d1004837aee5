"""One shard's line of work, step by step: what it puts, when, and what it says of what may be lost."""

from functools import partial

import pytest

from archive.chain import chain_end
from archive.instants import instant, instant_ms
from archive.meta import Gap
from archive.objects import Draft
from archive.targets import MemoryTarget
from archive.world import answered
from telemetry.errors import StoreUnavailable, WrongStream
from tests.archive.counting import CountingTarget
from tests.archive.records import CREATED, SHARD
from tests.archive.worlds import CREATED_MS, DAY_MS, World


def test_what_is_there_is_archived_once() -> None:
    """Page after page into one object; whoever comes later goes on where it ends."""
    world = World()
    world.page_records = 3
    world.write(count=10)
    world.archive_to_tip()
    assert world.archived() == world.records
    assert len(world.chain()) == 1
    world.write(count=2)
    world.archive_to_tip()
    world.archive_to_tip()
    assert world.archived() == world.records
    assert len(world.chain()) == 2
    assert world.gaps() == []


def test_an_object_is_put_when_it_is_large_enough() -> None:
    """It is cut between records, also within a page."""
    world = World()
    world.write(count=10)
    world.archive_to_tip(world.archiver(object_bytes=1))
    assert [tail.records for _, _, tail in world.chain()] == [1] * 10
    assert world.archived() == world.records


def test_an_object_is_put_when_it_is_old_enough() -> None:
    """Five minutes after it was begun, if little comes; and the next one is begun by what comes then."""
    world = World()

    def arrives() -> None:
        if len(world.records) < 700:
            world.write()

    world.before_page = arrives
    archiver = world.archiver(interval_ms=300_000)
    steps = archiver.run()
    question = next(steps)
    while len(world.records) < 650:
        question = steps.send(question(world))
    assert [tail.records for _, _, tail in world.chain()] == [301, 301]


def test_one_who_is_hurried_puts_what_it_holds() -> None:
    """Where all shards hold too much together."""
    world = World()
    world.write()
    archiver = world.archiver()
    steps = archiver.run()
    reached, read = next(steps), None
    read = steps.send(reached(world))
    page = read(world)
    archiver.hurried = True
    put = steps.send(page)
    assert archiver.held_bytes == 0
    read = steps.send(put(world))
    assert world.archived() == world.records
    assert not archiver.hurried


def test_who_loses_goes_on_behind_the_winner() -> None:
    """Nothing is archived twice, whether the winner came further or less far."""
    world = World()
    world.page_records = 4
    world.write(count=10)
    rival = World(world.target)

    def rival_was_first(reach: int) -> None:
        world.before_put = lambda: None
        rival.records, rival.now_ms = world.records[:reach], world.now_ms
        rival.archive_to_tip()

    for reach in (1, 7, 10):
        world.before_put = partial(rival_was_first, reach)
        world.archive_to_tip()
    assert world.archived() == world.records


def test_who_is_far_behind_goes_on_at_the_chains_end() -> None:
    """Not from object to object: it would lose every one of them."""
    world = World()
    world.write(count=10)
    puts = []

    def rival_was_first() -> None:
        puts.append(len(world.chain()))
        if not world.chain():
            rival = World(world.target)
            rival.records = world.records
            rival.archive_to_tip(rival.archiver(object_bytes=1))

    world.before_put = rival_was_first
    world.archive_to_tip(world.archiver(object_bytes=1))
    assert puts == [0]
    assert world.archived() == world.records


def test_the_answer_that_is_lost_is_found() -> None:
    """One's own object lies there already."""
    world = World()
    world.write(count=3)

    class Losing(MemoryTarget):
        def put_new(self, key: str, data: bytes) -> bool:
            super().put_new(key, data)
            return False

    world.target = Losing()
    world.archive_to_tip()
    assert world.archived() == world.records


def test_a_shard_that_is_closed_ends_its_chain() -> None:
    """With its last records, or in an object of its own; nothing follows, whoever comes."""
    for early in (False, True):
        world = World()
        world.write(count=3)
        if early:
            world.archive_to_tip()
        world.closed = True
        for _ in range(2):
            world.archive_to_tip()
        assert [tail.shard_end for _, _, tail in world.chain()] == [*[False] * early, True]
        assert world.archived() == world.records
        assert world.gaps() == []


def test_an_end_that_is_not_listed_is_none() -> None:
    """Kinesis may not have found an open shard once: nothing is put, and the line is begun anew."""
    world = World()
    world.write(count=3)
    world.said_over = True
    with pytest.raises(StoreUnavailable, match="shardId-000000000002 is said to be over"):
        world.archive_to_tip()
    assert world.chain() == []


def test_a_stretch_that_left_the_stream_is_said() -> None:
    """With its bounds, in the object that follows it."""
    world = World()
    world.write(count=3)
    world.archive_to_tip()
    world.write(count=4)
    world.now_ms += 2 * DAY_MS
    world.trimmed = 6
    world.write(count=2)
    world.archive_to_tip()
    (_, first, _), (head, second, _) = world.chain()
    assert (first, second) == (world.records[:3], world.records[6:])
    assert head.gap is not None
    assert (head.gap.after, head.gap.before) == ("1002", "1006")
    assert head.gap.arrived_after == instant(first[-1].arrived_ms)
    assert head.gap.arrived_before == instant(second[0].arrived_ms)


def test_a_gap_never_lies_inside_an_object() -> None:
    """What is held when it is seen goes first: one who stood still for a day notices as one who comes anew."""
    world = World()
    world.write(count=2)

    def long_pause() -> None:
        if len(world.records) == 2 and world.now_ms > CREATED_MS + 60_000:
            world.now_ms += 2 * DAY_MS
            world.write(count=3)
            world.trimmed = 4

    world.before_page = long_pause
    world.archive_to_tip()
    assert [(len(records), head.gap is not None) for head, records, _ in world.chain()] == [(2, False), (1, True)]


def test_what_the_stream_still_keeps_is_whole_however_old() -> None:
    """Its oldest record, asked for after the page, lies no later than what was archived last."""
    world = World()
    world.write(count=3)
    world.archive_to_tip()
    world.now_ms += 30 * DAY_MS
    world.trimmed = 2
    world.write(count=2)
    world.archive_to_tip()
    assert world.gaps() == []
    assert world.asked_oldest > 0


def test_an_idle_shard_says_that_it_was_seen() -> None:
    """Every ten minutes; so a shard where nothing came for a week is no shard that nobody looked at."""
    world = World()
    world.write()
    world.archive_to_tip()
    steps = world.archiver(interval_ms=10_000).run()
    question = next(steps)
    until_ms = world.now_ms + 5 * DAY_MS
    while world.now_ms < until_ms:
        question = steps.send(question(world))
        world.now_ms += 60_000
    assert len(world.states) == pytest.approx(5 * 144, abs=80)
    assert {state.last for state in world.states} == {"1000"}
    world.trimmed = 1
    world.write()
    world.archive_to_tip()
    assert world.gaps() == []


def test_a_look_at_the_tip_hides_no_gap() -> None:
    """An empty page behind a stretch that may be lost is not written down; the next record's object says it."""
    world = World()
    world.write()
    world.archive_to_tip()
    world.write()
    world.states.clear()
    world.now_ms += 2 * DAY_MS
    world.trimmed = 2
    world.archive_to_tip()
    assert world.states == []
    world.write()
    world.archive_to_tip()
    assert [(gap.after, gap.before) for gap in world.gaps()] == [("1000", "1002")]


def test_a_shard_that_leaves_the_stream_unread_ends_with_a_gap() -> None:
    """Nobody knows what came behind the last record."""
    world = World()
    world.write(count=2)
    world.archive_to_tip()
    world.now_ms += 2 * DAY_MS
    world.trimmed, world.closed = 2, True
    world.archive_to_tip()
    [gap] = world.gaps()
    assert (gap.after, gap.before, gap.arrived_before) == ("1001", None, None)
    assert world.chain()[-1][1] == []
    assert world.end().shard_end  # type: ignore[union-attr]


def test_a_shard_without_known_parents_says_so() -> None:
    """They are named in the gap at its start."""
    world = World()
    world.listed = set()
    world.now_ms += 2 * DAY_MS
    world.write()
    world.archive_to_tip()
    assert world.gaps() == [Gap("0", "1000", None, "2025-11-28T08:59:49.316Z", parents=SHARD.parents)]


def test_parents_that_are_unknown_are_named_though_the_start_is_whole() -> None:
    """A look at the tip vouches for the shard, not for what its parents held."""
    world = World()
    world.archive_to_tip()
    assert world.states
    world.listed = set()
    world.write()
    world.archive_to_tip()
    assert [gap.parents for gap in world.gaps()] == [SHARD.parents]


def test_a_young_parent_vouches_for_its_childs_start() -> None:
    """However old the stream is: the child was not there before the parent's last record."""
    world = World()
    world.now_ms += 10 * DAY_MS
    world.write()
    parent = SHARD.parents[0]
    draft = Draft("a-stream", CREATED, SHARD, world.archiver()._position.after)
    draft.add(world.records[0])
    _, data = draft.finish(shard_end=True)
    world.target.put_new(f"log/{CREATED}/{parent}/001-0~0.ndjson.gz", data)
    world.archive_to_tip()
    assert world.gaps() == []


def test_a_stream_that_goes_back_is_another_one() -> None:
    """It is not archived into this one's chain."""
    world = World()
    world.write(count=2)
    world.archive_to_tip()
    world.read = lambda after: World.read(world, after._replace(sequence_number=0))  # type: ignore[method-assign]
    with pytest.raises(WrongStream, match=CREATED):
        world.archive_to_tip()


def test_one_who_is_stopped_archives_the_tip_as_it_was() -> None:
    """Not what comes later: else a busy shard would never let go."""
    world = World()
    world.page_records = 5
    world.before_page = lambda: world.write(count=3)
    archiver = world.archiver()
    archiver.stop_ms = world.now_ms + 3000
    answered(archiver.run(), world)
    archived = world.archived()
    assert archived == world.records[: len(archived)]
    assert {record for record in world.records if record.arrived_ms <= archiver.stop_ms} <= set(archived)


def test_a_busy_shards_state_keeps_up_with_its_chain() -> None:
    """So that its end is found without listing all of it; it vouches for no more than the last record's arrival does."""
    target = CountingTarget()
    world = World(target)
    archiver = world.archiver(interval_ms=0)
    stop_ms = world.now_ms + 500_000

    def write() -> None:
        world.write()
        archiver.stop_ms = stop_ms if world.now_ms >= stop_ms else None

    world.before_page = write
    answered(archiver.run(), world)
    objects = len(world.chain())
    assert objects > 400
    assert objects / 20 <= len(world.states) <= objects / 20 + 2
    arrivals = {str(record.sequence_number): record.arrived_ms for record in world.records}
    assert all(instant_ms(state.tip_seen_at) == arrivals[state.last] for state in world.states)
    target.listed = 0
    end = chain_end(target, CREATED, SHARD.shard_id)
    assert end.tail
    assert end.tail.last == str(world.records[-1].sequence_number)
    assert target.listed <= 21
    target.listed = 0
    assert chain_end(target, CREATED, SHARD.shard_id, end.key) == end
    assert target.listed == 1
